//! A caller that got what it was promised, and then each promise broken once.

use relay_core::{
    Ssrc,
    floor::message::{Message, Packet, SIZE_MAX},
    rtp::{self, Header},
};

use super::*;
use crate::{
    answer::{Floor, Media, Missed},
    truth::Holder,
};

const ANA: (&str, Ssrc) = ("sip:ana@a.example", Ssrc(0xa));
const BEN: (&str, Ssrc) = ("sip:ben@a.example", Ssrc(0xb));
const TERMS: Terms = Terms { retention: Millis(1000), entry: Millis(200), slack: Millis(5) };

fn ms(ms: u64) -> Time {
    Time::from_micros(ms * 1000)
}

fn rtp_packet(ssrc: Ssrc, sequence: u16) -> Vec<u8> {
    let header = Header {
        marker: false,
        payload_type: 96.try_into().unwrap(),
        sequence,
        timestamp: u32::from(sequence) * 320,
        ssrc,
    };
    let mut bytes = vec![0; rtp::HEADER_SIZE + 4];
    header.write(&mut bytes).unwrap();
    bytes
}

fn floor_message(number: u16, holder: Option<(&str, Ssrc)>, acknowledge: bool) -> Vec<u8> {
    let message = match holder {
        Some((user, ssrc)) => Message::Taken {
            granted_party: Some(user),
            may_request: Some(true),
            message_sequence_number: number,
            indicator: None,
            audio_ssrc: Some(ssrc),
            functional_alias: None,
            location: None,
        },
        None => Message::Idle { message_sequence_number: number, indicator: None },
    };
    let mut bytes = vec![0; SIZE_MAX];
    let length = Packet { ssrc: Ssrc(1), acknowledge, message, track_info: None }.write(&mut bytes).unwrap();
    bytes.truncate(length);
    bytes
}

/// Ana talks from 100 ms to 900 ms, Ben from 1100 ms to 1500 ms: a packet every 20 ms; Ana's numbers wrap.
fn truth() -> Truth {
    let mut truth = Truth::default();
    for ((user, ssrc), from, until, first) in [(ANA, 100, 900, 65_530u16), (BEN, 1100, 1500, 7)] {
        let user: Arc<str> = user.into();
        truth.ask(ms(from - 2));
        truth.change(Some(Holder { user: user.clone(), ssrc }), ms(from));
        for (number, at) in (from..until).step_by(20).enumerate() {
            let bytes = rtp_packet(ssrc, first.wrapping_add(number as u16));
            truth.speak(&user, &rtp::Packet::parse(&bytes).unwrap(), ms(at));
        }
        truth.ask(ms(until));
        truth.change(None, ms(until + 2));
    }
    truth
}

/// What an honest node tells and sends to a caller that asks at `at` and gets the packets from `place` on.
fn record(truth: &Truth, at: u64, place: usize, resume: &[(Ssrc, u64)]) -> Record {
    let spoken = truth.spoken();
    let retained = |ssrc: Ssrc| spoken.iter().rev().find(|spoken| spoken.ssrc == ssrc && spoken.at <= ms(at));
    let media = [BEN.1, ANA.1].into_iter().filter_map(|ssrc| {
        let newest = retained(ssrc)?.sequence.0;
        let first = spoken.iter().skip(place).find(|spoken| spoken.ssrc == ssrc && spoken.at <= ms(at));
        let resumed_from = first.map(|first| first.sequence.0);
        Some(Media { ssrc: ssrc.0, sequence: newest, rollover: Some(newest >> 16), resumed_from, missed: None })
    });
    let media = media.collect();
    let now = truth.floor().iter().rev().find(|change| change.latest <= ms(at));
    let holder = now.and_then(|change| change.holder.clone());
    let floor = Floor {
        state: if holder.is_some() { "taken" } else { "idle" }.into(),
        talker: holder.as_ref().map(|holder| holder.user.to_string()),
        audio_ssrc: holder.as_ref().map(|holder| holder.ssrc.0),
        message_sequence_number: 1,
    };
    let told = |number, holder: &Option<Holder>| {
        floor_message(number, holder.as_ref().map(|holder| (&*holder.user, holder.ssrc)), true)
    };
    let mut capture = vec![Heard { at: ms(at + 1), channel: Channel::Floor, bytes: told(1, &holder) }];
    // Paced: the first 200 ms at once, the rest four times as fast as it was said.
    let first_at = spoken.get(place).map_or(ms(at), |spoken| spoken.at);
    for spoken in spoken.iter().skip(place) {
        let paced = Time::from_micros(ms(at + 1).as_micros() + spoken.at.micros_since(first_at + Millis(200)) / 4);
        capture.push(Heard { at: spoken.at.max(paced), channel: Channel::Media, bytes: spoken.bytes.clone() });
    }
    for (number, change) in (2..).zip(truth.floor().iter().filter(|change| change.earliest > ms(at))) {
        capture.push(Heard { at: change.latest, channel: Channel::Floor, bytes: told(number, &change.holder) });
    }
    capture.sort_by_key(|heard| heard.at);
    Record {
        name: "eva".into(),
        user: "sip:eva@a.example".into(),
        talks: false,
        acknowledges: true,
        asked: ms(at),
        answered: ms(at + 1),
        resume: resume.iter().map(|(ssrc, sequence)| ResumePoint { ssrc: ssrc.0, sequence: *sequence }).collect(),
        answer: Ok(LateEntry { floor, media }),
        capture,
    }
}

/// Where the packet stands that was said at `at`.
fn place(truth: &Truth, at: u64) -> usize {
    truth.spoken().iter().position(|spoken| spoken.at == ms(at)).unwrap()
}

fn number(truth: &Truth, at: u64) -> u64 {
    truth.spoken()[place(truth, at)].sequence.0
}

fn promises(truth: &Truth, record: &Record) -> Vec<Promise> {
    let mut promises: Vec<_> = judge(truth, record, &TERMS).broken.iter().map(|broken| broken.promise).collect();
    promises.sort();
    promises.dedup();
    promises
}

/// In mid-burst at 490 ms, without resume points: from 300 ms on.
fn honest() -> (Truth, Record) {
    let truth = truth();
    let record = record(&truth, 490, place(&truth, 300), &[]);
    (truth, record)
}

fn check(broken: &[Promise], spoil: impl FnOnce(&mut Record)) {
    let (truth, mut record) = honest();
    assert_eq!(promises(&truth, &record), []);
    spoil(&mut record);
    assert_eq!(promises(&truth, &record), broken);
}

fn answer(record: &mut Record) -> &mut LateEntry {
    record.answer.as_mut().unwrap()
}

fn media_at(record: &Record, nth: usize) -> usize {
    let media = record.capture.iter().enumerate().filter(|(_, heard)| heard.channel == Channel::Media);
    media.map(|(at, _)| at).nth(nth).unwrap()
}

#[test]
fn an_honest_node_is_found_honest_whatever_the_caller_heard() {
    let truth = truth();
    type Case<'a> = (u64, u64, &'a [(Ssrc, u64)]);
    let cases: [Case<'_>; 6] = [
        (490, 300, &[]),
        (490, 300, &[(Ssrc(0xbad), 4)]),
        (490, 380, &[(ANA.1, number(&truth, 360))]),
        (490, 380, &[(ANA.1, number(&truth, 360) & 0xffff)]),
        (1290, 700, &[(ANA.1, number(&truth, 680))]),
        (950, 1100, &[]),
    ];
    for (at, from, resume) in cases {
        let record = record(&truth, at, place(&truth, from), resume);
        let verdict = judge(&truth, &record, &TERMS);
        assert!(verdict.is_kept(), "{at} {resume:?}: {:?}", verdict.broken);
        assert_eq!(verdict.counts.expected, truth.spoken().len() - place(&truth, from), "{at} {resume:?}");
        assert_eq!((verdict.counts.got, verdict.counts.missing), (verdict.counts.expected, 0));
    }
}

#[test]
fn several_points_leave_out_of_each_voice_what_was_heard_of_it() {
    let truth = truth();
    let points = [(BEN.1, number(&truth, 1220)), (ANA.1, number(&truth, 840))];
    let mut record = record(&truth, 1290, place(&truth, 860), &points);
    let heard = |heard: &Heard| {
        let packet = rtp::Packet::parse(&heard.bytes);
        packet.is_ok_and(|packet| packet.ssrc() == BEN.1 && packet.sequence() <= number(&truth, 1220) as u16)
    };
    assert_eq!(promises(&truth, &record), [Promise::OnlyAsked]);
    record.capture.retain(|one| one.channel == Channel::Floor || !heard(one));
    answer(&mut record).media[0].resumed_from = Some(number(&truth, 1240));
    assert_eq!(promises(&truth, &record), []);
}

#[test]
fn a_point_ahead_withholds_its_voice_until_it_has_passed() {
    let truth = truth();
    let mut record = record(&truth, 490, place(&truth, 600), &[(ANA.1, number(&truth, 580))]);
    answer(&mut record).media[0].resumed_from = None;
    assert_eq!(promises(&truth, &record), []);
    let (early, late) = (place(&truth, 560), place(&truth, 620));
    let mut eager = record.clone();
    let bytes = truth.spoken()[early].bytes.clone();
    eager.capture.insert(1, Heard { at: ms(565), channel: Channel::Media, bytes });
    assert_eq!(promises(&truth, &eager), [Promise::OnlyAsked]);
    let bytes = &truth.spoken()[late].bytes;
    record.capture.retain(|heard| heard.bytes != *bytes);
    assert_eq!(promises(&truth, &record), [Promise::Complete]);
}

#[test]
fn a_point_before_retention_gets_all_of_it_and_is_told_what_is_missed() {
    let truth = truth();
    // Asked at 1490 ms: what was said before 490 ms is gone.
    let mut record = record(&truth, 1490, place(&truth, 500), &[(ANA.1, number(&truth, 200))]);
    assert_eq!(promises(&truth, &record), [Promise::MediaAnswered]);
    let missed = Missed { first: number(&truth, 220), last: number(&truth, 480) };
    answer(&mut record).media[1].missed = Some(missed);
    assert_eq!(promises(&truth, &record), []);
    answer(&mut record).media[1].missed = Some(Missed { first: missed.first + 1, ..missed });
    assert_eq!(promises(&truth, &record), [Promise::MediaAnswered]);
}

#[test]
fn nobody_gets_its_own_media() {
    let (truth, mut record) = honest();
    record.user = ANA.0.into();
    assert_eq!(promises(&truth, &record), [Promise::OnlyAsked]);
    record.capture.retain(|heard| rtp::Packet::parse(&heard.bytes).map(|packet| packet.ssrc()) != Ok(ANA.1));
    answer(&mut record).media[0].resumed_from = None;
    assert_eq!(promises(&truth, &record), []);
}

#[test]
fn a_refusal_breaks_the_promise_to_let_in() {
    check(&[Promise::Entered], |record| record.answer = Err("429 participants is full".into()));
}

#[test]
fn a_floor_that_is_never_told_is_noticed() {
    check(&[Promise::FloorTold], |record| record.capture.retain(|heard| heard.channel == Channel::Media));
}

#[test]
fn media_before_the_floor_is_noticed() {
    check(&[Promise::FloorFirst], |record| record.capture.swap(0, 1));
}

#[test]
fn a_floor_without_a_wish_for_an_ack_is_noticed() {
    check(&[Promise::FloorAcknowledged], |record| record.capture[0].bytes = floor_message(1, Some(ANA), false));
}

#[test]
fn a_floor_that_was_not_so_is_noticed() {
    check(&[Promise::FloorTrue, Promise::FloorAnswered], |record| {
        record.capture[0].bytes = floor_message(1, Some(BEN), true);
    });
    // The release at 900 ms is never told.
    check(&[Promise::FloorTrue], |record| {
        let idle = record.capture.iter().skip(1).position(|heard| heard.channel == Channel::Floor).unwrap() + 1;
        record.capture.remove(idle);
    });
}

#[test]
fn wrong_numbers_and_too_many_copies_are_noticed() {
    check(&[Promise::FloorNumbered], |record| {
        let last = record.capture.iter().rposition(|heard| heard.channel == Channel::Floor).unwrap();
        record.capture[last].bytes = floor_message(0, None, true);
    });
    check(&[], |record| {
        let copy = record.capture[0].clone();
        (0..4).for_each(|_| record.capture.insert(1, copy.clone()));
    });
    check(&[Promise::FloorNumbered], |record| {
        let copy = record.capture[0].clone();
        (0..5).for_each(|_| record.capture.insert(1, copy.clone()));
    });
}

#[test]
fn a_state_without_floor_ack_must_be_repeated_and_one_with_it_must_not() {
    let copies = |record: &mut Record, times: &[u64]| {
        let copy = record.capture[0].clone();
        record.capture.extend(times.iter().map(|at| Heard { at: ms(*at), ..copy.clone() }));
        record.capture.sort_by_key(|heard| heard.at);
    };
    // Told at 491 ms, acknowledged at once: a copy at 591 ms may be on its way, one at 791 ms may not.
    check(&[], |record| copies(record, &[591]));
    check(&[Promise::FloorRepeated], |record| copies(record, &[591, 791]));
    // The same without acknowledgement: 591 ms and 791 ms are due before the floor changes at 902 ms.
    let silent = |record: &mut Record, times: &[u64]| {
        record.acknowledges = false;
        // Later states are told to somebody who is known not to answer; nothing is asked of him any more.
        for heard in record.capture.iter_mut().skip(1).filter(|heard| heard.channel == Channel::Floor) {
            heard.bytes[0] &= !0x10;
        }
        copies(record, times);
    };
    check(&[], |record| silent(record, &[591, 791]));
    check(&[Promise::FloorRepeated], |record| silent(record, &[591]));
    check(&[Promise::FloorRepeated], |record| silent(record, &[]));
}

#[test]
fn an_answer_that_differs_from_the_message_is_noticed() {
    check(&[Promise::FloorAnswered], |record| answer(record).floor.message_sequence_number = 2);
    check(&[Promise::FloorAnswered], |record| answer(record).floor.talker = Some(BEN.0.into()));
}

#[test]
fn a_floor_datagram_that_cannot_be_read_is_noticed() {
    check(&[Promise::WellFormed], |record| {
        let junk = Heard { at: ms(600), channel: Channel::Floor, bytes: vec![0x80, 204, 0, 9] };
        record.capture.push(junk);
    });
}

#[test]
fn a_lost_packet_is_noticed_retained_at_the_splice_and_live() {
    for nth in [1, 5, 10, 12, 30, 45] {
        check(&[Promise::Complete], |record| {
            record.capture.remove(media_at(record, nth));
        });
    }
}

#[test]
fn a_packet_that_comes_twice_is_noticed() {
    check(&[Promise::Once], |record| {
        let twice = record.capture[media_at(record, 9)].clone();
        record.capture.insert(media_at(record, 11), twice);
    });
}

#[test]
fn two_packets_in_the_wrong_order_are_noticed() {
    check(&[Promise::InOrder], |record| {
        let (one, other) = (media_at(record, 9), media_at(record, 10));
        record.capture.swap(one, other);
    });
}

#[test]
fn media_that_is_too_old_or_nobodys_is_noticed() {
    let old = truth().spoken()[place(&truth(), 240)].bytes.clone();
    check(&[Promise::OnlyAsked, Promise::MediaAnswered], |record| {
        record.capture.insert(1, Heard { at: ms(491), channel: Channel::Media, bytes: old });
    });
    check(&[Promise::OnlyAsked], |record| {
        let strange = Heard { at: ms(600), channel: Channel::Media, bytes: rtp_packet(Ssrc(0xc), 1) };
        record.capture.push(strange);
    });
}

#[test]
fn a_changed_byte_is_noticed() {
    check(&[Promise::Complete, Promise::Unchanged], |record| {
        let at = media_at(record, 20);
        *record.capture[at].bytes.last_mut().unwrap() ^= 1;
    });
}

#[test]
fn retained_media_that_waits_for_the_next_packet_is_noticed() {
    check(&[Promise::AtOnce], |record| {
        for heard in &mut record.capture {
            heard.at = heard.at.max(ms(500));
        }
    });
}

#[test]
fn retained_media_that_comes_too_fast_is_noticed() {
    let truth = truth();
    let mut record = record(&truth, 890, place(&truth, 120), &[(ANA.1, number(&truth, 100))]);
    assert_eq!(promises(&truth, &record), []);
    for heard in &mut record.capture {
        if heard.at < ms(1050) {
            heard.at = ms(891);
        }
    }
    assert_eq!(promises(&truth, &record), [Promise::Paced]);
}

#[test]
fn an_answer_that_names_another_beginning_is_noticed() {
    check(&[Promise::MediaAnswered], |record| {
        let first = answer(record).media[0].resumed_from.as_mut().unwrap();
        *first += 1;
    });
    check(&[Promise::MediaAnswered], |record| answer(record).media[0].resumed_from = None);
    check(&[Promise::MediaAnswered], |record| answer(record).media[0].rollover = Some(0));
    check(&[Promise::MediaAnswered], |record| answer(record).media[0].sequence += 5);
}
