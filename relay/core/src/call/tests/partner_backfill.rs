//! What a partner gets of the home's retention, however late, broken or large it comes.

use alloc::vec;

use super::{
    span::{Spanning, TRUNK},
    star::{HOME, Star, numbers},
    *,
};

const AT0: u16 = 4000;
const AT1: u16 = 5000;

pub(super) fn resume(star: &Star, port: u16, user: &str, points: &[(u32, u64)]) -> Participant {
    let points = points.iter().map(|(ssrc, sequence)| ResumePoint { ssrc: Ssrc(*ssrc), sequence: *sequence });
    Participant { resume: points.collect(), ..star.who(1, user, port) }
}

/// The home with a talker that has said so many packets; the partner comes now.
pub(super) fn after(packets: u16) -> Star {
    let mut star = Star::new(1, settings());
    star.enter(HOME, 0, "sip:at0@a", AT0);
    star.enter(HOME, 1, "sip:ben@a", 4100);
    star.request(HOME, 0, 5);
    star.talk(HOME, 0, AT0.into(), 0..packets);
    star
}

#[test] //= DESIGN §7 test
fn live_packets_and_backfill_that_overtake_the_answer_wait_for_it() {
    for (frames, backfill, media) in [(0, 0, 0), (100, 0, 0), (100, 50, 0), (0, 100, 0), (0, 0, 100), (100, 0, 50)] {
        let mut star = after(100);
        let line = &mut star.lines[1];
        (line.late_frames, line.late_backfill, line.late_media) = (Millis(frames), Millis(backfill), Millis(media));
        star.connect(1);
        star.talk(HOME, 0, AT0.into(), 100..150);
        let who = resume(&star, AT1, "sip:eva@a", &[(AT0.into(), 29)]);
        star.enter_as(1, 0, who);
        star.talk(HOME, 0, AT0.into(), 150..200);
        star.run(500);
        assert_eq!(
            star.heard(1, AT1),
            numbers(AT0.into(), 30..200),
            "frames {frames}, backfill {backfill}, media {media}"
        );
        assert_eq!(star.noted_at(1), Vec::<String>::new());
    }
}

#[test]
fn live_packets_wait_a_second_for_a_backfill_and_what_lacks_then_is_missed() {
    let mut star = Star::talking(1);
    star.request(HOME, 0, 5);
    star.talk(HOME, 0, AT0.into(), 0..50);
    star.cut(1);
    star.talk(HOME, 0, AT0.into(), 50..100);
    star.connect(1);
    // 64 packets a turn: only the first turn arrives in time.
    star.lines[1].late_backfill = Millis(5_000);
    star.run(20);
    star.talk(HOME, 0, AT0.into(), 100..140);
    assert_eq!(star.heard(1, AT1), numbers(AT0.into(), 0..50), "held for a second");
    star.talk(HOME, 0, AT0.into(), 140..160);
    let mut expected = numbers(AT0.into(), 0..50);
    expected.extend(numbers(AT0.into(), 100..160));
    star.run(20);
    assert_eq!(star.heard(1, AT1), expected);
    let Some(Spanning::Missed(ssrc, first, last)) = star.noted.first().map(|noted| noted.1.clone()) else {
        panic!("{:?}", star.noted)
    };
    assert_eq!((ssrc.0, first, last), (AT0.into(), 50, 99));
    // What comes after all disturbs nothing.
    let before = star.dropped(1, media::Drop::Held);
    star.run(5_000);
    assert_eq!(star.heard(1, AT1), expected);
    assert_eq!(star.dropped(1, media::Drop::Held), before + 50, "it is counted");
}

#[test]
fn a_backfill_of_which_a_part_is_late_is_kept_and_the_rest_is_missed() {
    let mut star = Star::talking(1);
    star.request(HOME, 0, 5);
    star.talk(HOME, 0, AT0.into(), 0..50);
    star.cut(1);
    star.run(1_000);
    let mut star = again(star, &[50..60, 60..70], false);
    star.run(2_000);
    let mut expected = numbers(AT0.into(), 0..70);
    expected.extend(numbers(AT0.into(), 100..101));
    assert_eq!(star.heard(1, AT1), expected);
    let Some(Spanning::Missed(ssrc, first, last)) = star.noted.first().map(|noted| noted.1.clone()) else {
        panic!("{:?}", star.noted)
    };
    assert_eq!((ssrc.0, first, last), (AT0.into(), 70, 99));
}

/// The partner subscribes once more, by hand, and gets these of the fifty packets of a backfill; `done`: it has an end.
pub(super) fn again(mut star: Star, brought: &[core::ops::Range<u16>], done: bool) -> Star {
    let voice =
        wire::Voice { ssrc: AT0.into(), user: "sip:at0@a".into(), sequence: 99, timestamp: 99 * 320, payload_type: 96 };
    let partner = &mut star.systems[1];
    let range = partner.call.uplink.as_ref().and_then(Uplink::range).expect("it is ready").wire();
    for frame in [FromTrunk::Lost, FromTrunk::Up] {
        partner.tell(Input::Trunk { from: TRUNK, what: frame });
    }
    partner.spanning.clear();
    let snapshot = wire::Snapshot { voices: vec![voice], bursts: vec![], floor_since: 0 };
    let subscribed =
        wire::Subscribed { flow: 20, home_flow: 10, generation: 1, range, snapshot: Some(snapshot), backfill: 50 };
    partner.tell(Input::Trunk { from: TRUNK, what: FromTrunk::Frame(wire::frame::What::Subscribed(subscribed)) });
    let age = (0..50).rev().map(|at| at * 20).collect();
    let spacing = wire::frame::What::Spacing(wire::Spacing { flow: 20, age });
    partner.tell(Input::Trunk { from: TRUNK, what: FromTrunk::Frame(spacing) });
    for sequence in brought.iter().cloned().flatten() {
        let bytes = rtp_bytes(AT0.into(), sequence);
        let packet = rtp::Packet::parse(&bytes).expect("a packet");
        partner.tell(Input::Trunk { from: TRUNK, what: FromTrunk::Backfill(Some(packet)) });
    }
    if done {
        partner.tell(Input::Trunk { from: TRUNK, what: FromTrunk::Backfill(None) });
    }
    let bytes = rtp_bytes(AT0.into(), 100);
    let packet = rtp::Packet::parse(&bytes).expect("a packet");
    partner.tell(Input::Trunk { from: TRUNK, what: FromTrunk::Media(packet) });
    star.collect();
    star
}

#[test]
fn who_enters_while_a_backfill_runs_gets_it_once_and_lacks_nothing() {
    for points in [&[(AT0.into(), 29)][..], &[]] {
        let mut star = Star::talking(1);
        star.enter(HOME, 1, "sip:ben@a", 4100);
        star.cut(1);
        star.request(HOME, 0, 5);
        star.talk(HOME, 0, AT0.into(), 0..100);
        star.lines[1].late_backfill = Millis(300);
        star.connect(1);
        star.run(100);
        let who = resume(&star, 7000, "sip:eva@a", points);
        star.enter_as(1, 1, who);
        let facts = star.systems[1].facts[&Slot(1)].clone();
        assert!(facts.media.iter().all(|media| media.missed.is_none()), "{facts:?}");
        assert_eq!(facts.floor.talker.as_deref(), Some("sip:at0@a"));
        star.talk(HOME, 0, AT0.into(), 100..150);
        star.run(1_000);
        let heard = star.heard(1, 7000);
        let first = heard.first().map_or(0, |packet| packet.1);
        assert_eq!(heard, numbers(AT0.into(), first..150));
        assert!(points.is_empty() || first == 30, "{first}");
        assert_eq!(star.heard(1, AT1), numbers(AT0.into(), 0..150));
    }
}

#[test]
fn a_backfill_is_paced_also_to_who_entered_before_it_came() {
    let mut star = after(400);
    star.cut(1);
    let mut star = {
        star.lines[1].late_backfill = Millis(300);
        star.connect(1);
        star.run(10);
        star
    };
    let range = star.systems[1].call.uplink.as_ref().and_then(Uplink::range);
    star.lines[1].range = range;
    let who = resume(&star, AT1, "sip:eva@a", &[(AT0.into(), 0)]);
    star.enter_as(1, 0, who);
    star.run(300);
    let at_once = star.heard(1, AT1).len();
    assert!((1..=30).contains(&at_once), "{at_once} packets of eight seconds at once");
    star.run(1_000);
    assert!((150..=230).contains(&star.heard(1, AT1).len()), "{} after a second", star.heard(1, AT1).len());
    star.run(1_500);
    assert_eq!(star.heard(1, AT1), numbers(AT0.into(), 1..400));
}

#[test]
fn a_trunk_that_breaks_during_a_backfill_brings_the_rest_when_it_is_back() {
    let mut star = after(200);
    star.lines[1].late_backfill = Millis(400);
    star.connect(1);
    star.run(100);
    star.talk(HOME, 0, AT0.into(), 200..210);
    star.cut(1);
    star.talk(HOME, 0, AT0.into(), 210..260);
    star.lines[1].late_backfill = Millis(0);
    star.connect(1);
    star.run(100);
    let who = resume(&star, AT1, "sip:eva@a", &[(AT0.into(), 9)]);
    star.enter_as(1, 0, who);
    star.talk(HOME, 0, AT0.into(), 260..300);
    star.run(1_000);
    assert_eq!(star.heard(1, AT1), numbers(AT0.into(), 10..300));
    assert_eq!(star.noted_at(1), Vec::<String>::new());
}

#[test]
fn a_whole_retention_of_a_minute_at_the_highest_rate_arrives() {
    let long = Settings { retention: Millis(60_000), bytes_per_s: 16_000, ..settings() };
    let mut star = Star::new(1, long);
    star.enter(HOME, 0, "sip:at0@a", AT0);
    star.enter(HOME, 1, "sip:ben@a", 4100);
    star.request(HOME, 0, 5);
    for burst in 0..3u16 {
        star.request(HOME, 0, 5);
        for sequence in 0..4_000 {
            star.media(HOME, 0, AT0.into(), burst * 4_000 + sequence);
            star.run(5);
        }
        star.release(HOME, 0);
        star.run(400);
    }
    star.connect(1);
    star.run(100);
    let kept = |star: &Star, system: usize| {
        let kept = &star.systems[system].call.kept;
        kept.from(kept.oldest()).map(|(_, row)| row.sequence.0).collect::<Vec<_>>()
    };
    let (home, partner) = (kept(&star, HOME), kept(&star, 1));
    assert!(home.len() > 11_000, "{}", home.len());
    assert_eq!((partner.len(), partner.last()), (home.len(), home.last()));
    assert_eq!(partner, home);
    assert_eq!(star.dropped(1, media::Drop::Held), 0);
}

#[test]
fn what_waits_for_a_backfill_is_bounded_in_packets_bytes_and_times() {
    let mut star = after(10);
    star.lines[1].late_backfill = Millis(10_000);
    star.connect(1);
    star.run(20);
    let large = vec![0x80; 1_400];
    let limits = settings().limits();
    let mut packet = rtp_bytes(0x10, 0);
    packet.extend(large);
    let media = rtp::Packet::parse(&packet).expect("a packet");
    for _ in 0..2_000 {
        star.systems[1].call.handle(Input::Trunk { from: TRUNK, what: FromTrunk::Backfill(Some(media)) }, star.now);
        star.systems[1].call.handle(Input::Trunk { from: TRUNK, what: FromTrunk::Media(media) }, star.now);
        let age = vec![0; 4_096];
        let spacing = wire::frame::What::Spacing(wire::Spacing { flow: 20, age });
        star.systems[1].call.handle(Input::Trunk { from: TRUNK, what: FromTrunk::Frame(spacing) }, star.now);
    }
    let (packets, bytes, ages) = star.systems[1]
        .call
        .uplink
        .as_ref()
        .and_then(|uplink| uplink.filling.as_ref())
        .map(|filling| filling.waiting())
        .expect("it waits");
    assert!(packets <= 2 * limits.packets && bytes <= 2 * limits.bytes, "{packets} packets, {bytes} bytes");
    assert!(ages <= limits.packets, "{ages} arrival times");
    assert!(star.dropped(1, media::Drop::Held) > 0);
}

#[test]
fn a_home_that_starts_anew_keeps_the_partners_participants_and_their_ssrcs() {
    let mut star = Star::talking(1);
    let before = star.ssrc(1, AT1);
    star.request(1, 0, 5);
    star.run(50);
    star.talk(1, 0, before, 0..20);
    star.cut(1);
    let mut home = World::new(settings());
    home.call = Call::new(settings(), Ssrc(0xcafe)).spanning(Span {
        flow: 11,
        generation: 2,
        range: Range::new(0),
        home: None,
    });
    star.systems[HOME] = home;
    star.run(100);
    star.connect(1);
    star.run(100);
    assert_eq!(star.ssrc(1, AT1), before);
    assert_eq!(star.systems[HOME].call.participants(), 1);
    star.enter(HOME, 0, "sip:at0@a", AT0);
    star.request(1, 0, 5);
    star.run(50);
    assert_eq!(star.last(1, AT1), "granted 30");
    star.talk(1, 0, before, 20..30);
    star.run(50);
    assert_eq!(star.heard(HOME, AT0), numbers(before, 20..30));
    assert_eq!(star.noted_at(1), Vec::<String>::new());
}

#[test]
fn a_partner_that_starts_anew_is_not_sent_its_own_talkers_words_for_nothing() {
    let mut star = Star::talking(2);
    let talker = star.ssrc(1, AT1);
    star.request(1, 0, 5);
    star.run(50);
    star.talk(1, 0, talker, 0..20);
    star.release(1, 0);
    star.run(50);
    star.cut(1);
    let mut partner = World::new(settings());
    let home = Some(Home { trunk: TRUNK, group: "fire".into(), start: true });
    let span = Span { flow: 21, generation: 2, range: Range::new(0), home };
    partner.call = Call::new(settings(), Ssrc(0xcafe)).spanning(span);
    star.systems[1] = partner;
    star.crossed.clear();
    star.connect(1);
    star.run(100);
    assert_eq!(star.crossed.get(&(1, HOME)), None, "nothing of the backfill goes back");
    assert_eq!(star.dropped(HOME, media::Drop::Injected), 0);
    let who = resume(&star, AT1, "sip:eva@a", &[(talker, 4)]);
    star.enter_as(1, 0, who);
    star.run(200);
    assert_eq!(star.heard(1, AT1), numbers(talker, 5..20));
}

#[test]
fn a_partner_that_was_away_finds_its_range_again_although_another_came() {
    let mut star = Star::new(2, settings());
    star.enter(HOME, 0, "sip:at0@a", AT0);
    star.connect(1);
    star.run(50);
    star.enter(1, 0, "sip:at1@a", AT1);
    let before = star.lines[1].range;
    star.cut(1);
    star.connect(2);
    star.run(50);
    star.connect(1);
    star.run(50);
    assert_eq!(star.noted_at(1), Vec::<String>::new());
    assert_eq!(star.lines[1].range, before);
    assert_ne!(star.lines[2].range, before);
}

#[test]
fn a_partner_that_is_back_before_control_took_out_its_participants_announces_them_anew() {
    let mut star = Star::talking(1);
    star.slow_control = true;
    star.cut(1);
    star.connect(1);
    star.run(50);
    assert_eq!(star.noted_at(1).iter().filter(|noted| noted.contains("Expelled")).count(), 0, "{:?}", star.noted);
    let announced = star.noted.iter().find_map(|noted| match &noted.1 {
        Spanning::Announced(announced) => Some(announced.clone()),
        _ => None,
    });
    let old = star.systems[HOME]
        .call
        .seats
        .iter()
        .position(|seat| seat.as_deref().is_some_and(|seat| seat.who.leg.behind().is_some()));
    star.slow_control = false;
    star.admit(1, &announced.expect("it is announced anew"));
    star.leave(HOME, old.expect("the old one is there") as u32);
    star.request(1, 0, 5);
    star.run(50);
    assert_eq!(star.last(1, AT1), "granted 30");
}
