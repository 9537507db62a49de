use super::*;
use crate::{
    answer::{Answer, Floor, LateEntry, Leg, ResumePoint},
    capture::Heard,
};
use relay_core::floor::message::{Indicator, SIZE_MAX};

const ANA: &str = "sip:ana@a.example";
const EVA: &str = "sip:eva@a.example";
const SSRC: Ssrc = Ssrc(7);
/// Ana's first packet, and when it is said. Her numbers wrap on the way.
const FIRST: u16 = 65_480;
const BEGIN_MS: u32 = 1000;

fn at(ms: u32) -> Time {
    Time::ZERO + Millis(ms)
}

fn packet(number: u16, ssrc: Ssrc) -> Vec<u8> {
    let header = rtp::Header {
        marker: false,
        payload_type: 96.try_into().unwrap(),
        sequence: FIRST.wrapping_add(number),
        timestamp: u32::from(number) * 320,
        ssrc,
    };
    let mut bytes = vec![0; rtp::HEADER_SIZE];
    header.write(&mut bytes).unwrap();
    bytes
}

/// Ana says 400 packets, from 1 s to 9 s, and goes on having the floor.
fn truth() -> Truth {
    let mut truth = Truth::default();
    truth.change(Some(Holder { user: ANA.into(), ssrc: SSRC }), at(BEGIN_MS));
    for number in 0..400 {
        let bytes = packet(number, SSRC);
        truth.speak(&ANA.into(), &rtp::Packet::parse(&bytes).unwrap(), at(BEGIN_MS + 20 * u32::from(number)));
    }
    truth
}

fn message(message: Message<'_>, ms: u32) -> Heard {
    let mut bytes = vec![0; SIZE_MAX];
    let length = Packet { ssrc: Ssrc(1), acknowledge: true, message, track_info: None }.write(&mut bytes).unwrap();
    bytes.truncate(length);
    Heard { at: at(ms), channel: Channel::Floor, bytes }
}

fn taken(ssrc: Ssrc, ms: u32) -> Heard {
    let taken = Message::Taken {
        granted_party: Some(ANA),
        may_request: None,
        message_sequence_number: 1,
        indicator: Some(Indicator::NORMAL),
        audio_ssrc: Some(ssrc),
        functional_alias: None,
        location: None,
    };
    message(taken, ms)
}

fn media(numbers: std::ops::Range<u16>, ms: impl Fn(u16) -> u32) -> Vec<Heard> {
    let heard = |number| Heard { at: at(ms(number)), channel: Channel::Media, bytes: packet(number, SSRC) };
    numbers.map(heard).collect()
}

fn stay(system: System, asked_ms: u32, left_ms: u32, last_heard: Option<u16>, capture: Vec<Heard>) -> Stay {
    let floor =
        Floor { state: "taken".into(), talker: Some(ANA.into()), audio_ssrc: Some(SSRC.0), message_sequence_number: 1 };
    let leg = Leg { rtp: String::new(), floor: None, audio_ssrc: 9, floor_ssrc: 1 };
    let late_entry = LateEntry { floor, media: Vec::new() };
    let point = |number: u16| ResumePoint { ssrc: SSRC.0, sequence: u64::from(FIRST) + u64::from(number) };
    Stay {
        system,
        asked: at(asked_ms),
        answered: at(asked_ms + 10),
        left: at(left_ms),
        resume: last_heard.map(point).into_iter().collect(),
        answer: Ok(Answer { call: "c".into(), participant: "p".into(), leg, late_entry }),
        capture,
    }
}

/// Eva hears 50 to 149 in A, moves, and hears 150 to 399 in B: the first twenty from retention.
fn record() -> Record {
    let live = |number: u16| BEGIN_MS + 20 * u32::from(number) + 1;
    let old = [vec![taken(SSRC, 2000)], media(50..150, live)].concat();
    let new = [vec![taken(SSRC, 4399)], media(150..400, |number| live(number).max(4400))].concat();
    let stays = vec![stay(System::A, 1995, 3990, None, old), stay(System::B, 4390, 9900, Some(149), new)];
    Record { name: "eva".into(), user: EVA.into(), stays }
}

fn verdict(record: &Record) -> Verdict {
    judge(&truth(), record, &Terms { retention: Millis(10_000), slack: Millis(60) })
}

/// The only promise that was broken.
#[track_caller]
fn broken(record: &Record) -> Promise {
    let verdict = verdict(record);
    assert_eq!(verdict.broken.len(), 1, "{:?}", verdict.broken);
    verdict.broken[0].promise
}

/// Eva's story, with what happened in B changed.
fn in_b(change: impl FnOnce(&mut Stay)) -> Record {
    let mut record = record();
    change(&mut record.stays[1]);
    record
}

#[test]
fn a_move_without_a_fault_is_measured() {
    let verdict = verdict(&record());
    assert_eq!(verdict.broken, []);
    assert_eq!(verdict.counts, Counts { heard: 350, ..Counts::default() });
    let [splice] = &verdict.splices[..] else { panic!("{:?}", verdict.splices) };
    assert_eq!((splice.to, splice.lost, splice.floor_right), (System::B, 0, true));
    assert_eq!(splice.interruption_ms, Some(f64::from(4400 - (BEGIN_MS + 20 * 149 + 1))));
    assert_eq!(splice.late_ms, Some(10.0));
    assert_eq!(splice.resumed, 20, "150 to 169 were said by 4380 ms, before the first came");
}

#[test]
fn a_packet_that_neither_system_brings_is_lost_at_the_splice_or_within_a_stay() {
    let at_splice = in_b(|stay| drop(stay.capture.remove(1)));
    assert_eq!(broken(&at_splice), Promise::Complete);
    assert_eq!((verdict(&at_splice).counts.lost, verdict(&at_splice).splices[0].lost), (1, 1));
    let within = in_b(|stay| drop(stay.capture.remove(100)));
    assert_eq!(broken(&within), Promise::Complete);
    assert_eq!((verdict(&within).counts.lost, verdict(&within).splices[0].lost), (1, 0));
    let at_end = in_b(|stay| drop(stay.capture.pop()));
    assert_eq!(broken(&at_end), Promise::Complete);
}

#[test]
fn what_retention_no_longer_had_was_not_promised() {
    let late = in_b(|stay| {
        stay.capture.drain(1..150);
    });
    let terms = |retention| Terms { retention: Millis(retention), slack: Millis(60) };
    assert_eq!(judge(&truth(), &late, &terms(10_000)).counts.lost, 149);
    // The answer was there at 4.4 s: what was said before 2.4 s is gone, but Eva lacks only what was said from 4 s on.
    assert_eq!(judge(&truth(), &late, &terms(2000)).counts.lost, 149);
    let verdict = judge(&truth(), &late, &terms(100));
    assert_eq!((verdict.counts.outlived, verdict.counts.lost), (15, 134), "150 to 164 were said by 4.3 s");
}

#[test]
fn a_packet_that_was_named_as_heard_comes_twice() {
    for number in [149, 55] {
        let again = in_b(|stay| stay.capture.splice(1..1, media(number..number + 1, |_| 4400)).for_each(drop));
        assert_eq!(broken(&again), Promise::Once, "packet {number}, heard up to 149");
    }
    let copy = in_b(|stay| {
        let last = stay.capture.last().unwrap().clone();
        stay.capture.push(last);
    });
    assert_eq!(broken(&copy), Promise::Once);
}

#[test]
fn what_still_came_by_the_old_way_after_the_question_is_heard_and_no_fault() {
    let mut record = record();
    let overlap = media(150..152, |number| BEGIN_MS + 20 * u32::from(number) + 1);
    record.stays[0].capture.extend(overlap);
    assert_eq!(verdict(&record).broken, []);
    let interruption = Some(f64::from(4400 - (BEGIN_MS + 20 * 151 + 1)));
    assert_eq!(verdict(&record).splices[0].interruption_ms, interruption);
    record.stays[0].capture.extend(media(152..153, |_| 4410));
    assert_eq!(verdict(&record).broken, []);
    assert_eq!(verdict(&record).splices[0].interruption_ms, interruption, "the new way had begun");
}

#[test]
fn own_words_are_never_heard() {
    let mut record = record();
    record.user = ANA.into();
    let verdict = verdict(&record);
    assert!(verdict.broken.iter().any(|broken| broken.promise == Promise::OwnWordsNever), "{:?}", verdict.broken);
    assert_eq!(verdict.counts.own, 350);
}

#[test]
fn a_changed_packet_and_one_that_nobody_said_are_seen() {
    let changed = in_b(|stay| stay.capture.last_mut().unwrap().bytes[7] ^= 1);
    let promises: Vec<_> = verdict(&changed).broken.iter().map(|broken| broken.promise).collect();
    assert_eq!(promises, [Promise::Complete, Promise::Unchanged]);
    let invented = in_b(|stay| {
        stay.capture.push(Heard { at: at(9000), channel: Channel::Media, bytes: packet(3, Ssrc(8)) });
    });
    assert_eq!(broken(&invented), Promise::Unchanged);
}

#[test]
fn packets_in_another_order_are_seen() {
    assert_eq!(broken(&in_b(|stay| stay.capture.swap(50, 51))), Promise::InOrder);
}

#[test]
fn the_floor_is_told_first_and_as_it_is() {
    assert_eq!(broken(&in_b(|stay| drop(stay.capture.remove(0)))), Promise::FloorTold);
    assert_eq!(broken(&in_b(|stay| stay.capture.swap(0, 1))), Promise::FloorFirst);
    assert_eq!(broken(&in_b(|stay| stay.capture[0] = taken(Ssrc(8), 4399))), Promise::FloorTrue);
    let idle = Message::Idle { message_sequence_number: 1, indicator: None };
    let wrong = in_b(|stay| stay.capture[0] = message(idle, 4399));
    assert_eq!(broken(&wrong), Promise::FloorTrue);
    assert!(!verdict(&wrong).splices[0].floor_right);
    let answered = in_b(|stay| stay.answer.as_mut().unwrap().late_entry.floor.audio_ssrc = Some(8));
    assert_eq!(broken(&answered), Promise::FloorAnswered);
}

#[test]
fn the_floor_was_idle_before_the_first_talker_only() {
    let truth = truth();
    assert_eq!(states(&truth, at(0), at(500)), [None]);
    assert_eq!(states(&truth, at(900), at(1100)).len(), 2);
    assert_eq!(states(&truth, at(1001), at(9000)), [Some(&Holder { user: ANA.into(), ssrc: SSRC })]);
}

#[test]
fn who_is_not_let_in_lacks_everything() {
    let refused = in_b(|stay| {
        stay.answer = Err("403 ticket-spent".into());
        stay.capture.clear();
    });
    let promises: Vec<_> = verdict(&refused).broken.iter().map(|broken| broken.promise).collect();
    assert_eq!(promises, [Promise::Entered, Promise::Complete]);
}
