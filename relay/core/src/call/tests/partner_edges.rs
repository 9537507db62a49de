//! The edges of a call that spans systems: what comes too early, too late, or for nobody.

use alloc::vec;

use super::{
    span::{Spanning, TRUNK},
    star::{HOME, Star, numbers},
    *,
};
use crate::floor::message::{Message, Track};

const AT0: u16 = 4000;
const AT1: u16 = 5000;

#[test]
fn who_comes_after_the_round_trip_was_measured_has_its_grace_too_and_two_seconds_at_most() {
    let mut star = Star::talking(1);
    star.arrive(HOME, 1, FromTrunk::RoundTrip(Millis(9_000)));
    let who = Participant { priority: 255, ..star.who(HOME, "sip:zoe@a", 4200) };
    star.enter_as(HOME, 2, who);
    star.enter(1, 1, "sip:fay@a", 7000);
    star.run(20);
    star.request(1, 1, 5);
    star.run(50);
    let fay = star.ssrc(1, 7000);
    star.media(1, 1, fay, 0);
    star.run(20);
    star.request(HOME, 2, 255);
    star.talk(1, 1, fay, 1..700);
    let heard = star.heard(HOME, AT0).len();
    assert!((245..=255).contains(&heard), "{heard} packets are not five seconds");
}

#[test]
fn who_leaves_is_gone_at_home_and_so_is_everybody_of_a_partner_that_unsubscribes() {
    let mut star = Star::talking(1);
    star.enter(1, 1, "sip:fay@a", 7000);
    star.run(20);
    assert_eq!(star.systems[HOME].call.participants(), 3);
    star.leave(1, 1);
    star.run(20);
    assert_eq!(star.systems[HOME].call.participants(), 2);
    let unsubscribe = wire::frame::What::Unsubscribe(wire::Unsubscribe { flow: 10 });
    star.arrive(HOME, 1, FromTrunk::Frame(unsubscribe));
    // Whom the trunk calls by which name is forgotten with the subscription; control knows it.
    let departed = star.noted.iter().any(|noted| matches!(noted.1, Spanning::Departed(_)));
    assert!(departed, "{:?}", star.noted);
}

#[test]
fn what_is_asked_before_control_has_let_somebody_in_is_asked_then_unless_it_was_taken_back() {
    for takes_back in [false, true] {
        let mut star = Star::talking(1);
        star.slow_control = true;
        star.enter(1, 1, "sip:fay@a", 7000);
        star.run(20);
        let announced = star.noted.iter().find_map(|noted| match &noted.1 {
            Spanning::Announced(announced) => Some(announced.clone()),
            _ => None,
        });
        let announced = announced.expect("it is announced");
        let say = |star: &mut Star, message| {
            let track = Track::new(true, announced.reference);
            let packet = message::Packet { ssrc: Ssrc(0), acknowledge: false, message, track_info: Some(track.info()) };
            star.arrive(HOME, 1, FromTrunk::Floor { packet, holder: 0, talker: "" });
        };
        let request = Message::Request { priority: Some(5), indicator: None, functional_alias: None, location: None };
        say(&mut star, request);
        if takes_back {
            say(&mut star, Message::Release { indicator: None });
        }
        star.admit(1, &announced);
        assert_eq!(star.systems[HOME].call.floor().1.is_some(), !takes_back);
    }
}

#[test]
fn a_range_that_another_partner_has_ends_the_call_of_who_comes_back_with_it() {
    let mut star = Star::new(2, settings());
    star.connect(1);
    star.run(50);
    star.cut(1);
    let span = Span { flow: 11, generation: 2, range: Range::new(0), home: None };
    star.systems[HOME] = World::new(settings());
    star.systems[HOME].call = Call::new(settings(), Ssrc(0xcafe)).spanning(span);
    star.connect(2);
    star.run(50);
    star.connect(1);
    star.run(50);
    assert_eq!(star.lines[2].range, star.lines[1].range, "the new home cannot know");
    assert_eq!(star.noted_at(1), ["Refused(\"range-taken\")"]);
}

#[test]
fn a_grant_for_nobody_is_given_back() {
    let mut star = Star::talking(1);
    let before = star.systems[HOME].call.counters().misdirected;
    let track = Track::new(true, 77);
    let message = Message::Granted { duration_s: 30, priority: 5, indicator: None, audio_ssrc: None };
    let packet = message::Packet { ssrc: Ssrc(0), acknowledge: false, message, track_info: Some(track.info()) };
    star.arrive(1, 1, FromTrunk::Floor { packet, holder: 77, talker: "" });
    star.run(20);
    assert_eq!(star.systems[HOME].call.counters().misdirected, before + 1, "a release of nobody came");
}

#[test]
fn a_backfill_does_not_go_back_and_its_last_times_count() {
    let mut star = Star::new(1, settings());
    let partner = &mut star.systems[1];
    partner.now = at(60_000);
    partner.tell(Input::Trunk { from: TRUNK, what: FromTrunk::Up });
    let range = Range::new(7);
    let ssrc = range.at(1).0;
    let voice = wire::Voice { ssrc, user: "sip:ana@a".into(), sequence: 9, timestamp: 0, payload_type: 96 };
    let snapshot = Some(wire::Snapshot { voices: vec![voice], bursts: vec![], floor_since: 0 });
    let range = range.wire();
    let what = wire::Subscribed { flow: 20, home_flow: 10, generation: 1, range, snapshot, backfill: 4 };
    partner.tell(Input::Trunk { from: TRUNK, what: FromTrunk::Frame(wire::frame::What::Subscribed(what)) });
    let spacing = wire::Spacing { flow: 20, age: vec![30_000, 20_000, 2_000, 1_000] };
    partner.tell(Input::Trunk { from: TRUNK, what: FromTrunk::Frame(wire::frame::What::Spacing(spacing)) });
    for sequence in 7..10 {
        let bytes = rtp_bytes(ssrc, sequence);
        let packet = rtp::Packet::parse(&bytes).expect("a packet");
        partner.tell(Input::Trunk { from: TRUNK, what: FromTrunk::Backfill(Some(packet)) });
    }
    partner.tell(Input::Trunk { from: TRUNK, what: FromTrunk::Backfill(None) });
    let kept: Vec<_> = partner.call.kept.from(Order(0)).map(|(_, row)| (row.sequence.0, row.arrived)).collect();
    assert_eq!(kept, [(8, at(58_000)), (9, at(59_000))], "the third last is too old to be kept");
    assert_eq!(partner.call.counters().from_trunk, 2);
    assert!(!partner.spanning.iter().any(|said| matches!(said.1, Spanning::Forward(_))));
    assert!(partner.call.bursts.iter().all(|burst| burst.ended.is_some()), "nobody talks: {:?}", partner.call.bursts);
}

#[test]
fn two_bursts_of_one_talker_stay_two() {
    let mut star = Star::new(1, settings());
    star.enter(HOME, 0, "sip:ana@a", AT0);
    star.enter(HOME, 1, "sip:ben@a", 4100);
    for first in [0, 5] {
        star.request(HOME, 0, 5);
        star.talk(HOME, 0, AT0.into(), first..first + 5);
        star.release(HOME, 0);
        star.run(500);
    }
    star.connect(1);
    star.run(50);
    let resume = vec![ResumePoint { ssrc: Ssrc(AT0.into()), sequence: 1 }];
    let who = Participant { resume, ..star.who(1, "sip:eva@a", AT1) };
    star.enter_as(1, 0, who);
    star.run(500);
    let bursts = star.systems[1].facts[&Slot(0)].bursts.iter().map(|burst| (burst.first, burst.last));
    assert_eq!(bursts.collect::<Vec<_>>(), [(2, 4), (5, 9)]);
    assert_eq!(star.heard(1, AT1), numbers(AT0.into(), 2..10));
}

#[test]
fn who_gave_the_floor_back_is_not_heard_here_either_before_the_home_has_said_so() {
    let mut star = Star::talking(1);
    star.enter(1, 1, "sip:fay@a", 7000);
    star.run(20);
    star.request(1, 0, 5);
    star.run(50);
    let talker = star.ssrc(1, AT1);
    star.media(1, 0, talker, 0);
    star.lines[1].delay = Millis(1_000);
    star.release(1, 0);
    star.run(400);
    star.media(1, 0, talker, 1);
    star.run(20);
    assert_eq!(star.heard(1, 7000), numbers(talker, 0..1));
    assert_eq!(star.last(1, AT1), "revoke 3");
}
