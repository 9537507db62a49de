//! What the home says over each trunk, frame by frame, and what a partner's call keeps to itself.

use super::{
    span::Spanning,
    star::{HOME, Star, numbers},
    *,
};
use crate::{
    floor::message::{Kind, Message, Source, Track},
    roster::{Attachment, Behind},
    trunk::{Range, wire},
};

const AT1: u16 = 5000;

/// What every partner here calls its participant: numbers of different partners may be alike.
const REFERENCE: u32 = 77;

/// A home by itself; ana is in its call at slot 0, partners 1 and 2 have subscribed.
fn home() -> World {
    let mut world = World::new(settings());
    let span = Span { flow: 10, generation: 1, range: Range::new(0), home: None };
    world.call = Call::new(settings(), Ssrc(0xcafe)).spanning(span);
    world.enter(0, participant("sip:ana@a", 4000));
    for partner in [1, 2] {
        let subscribe = wire::Subscribe { flow: 20 + partner, group: "fire".into(), ..wire::Subscribe::default() };
        let what = FromTrunk::Frame(wire::frame::What::Subscribe(subscribe));
        world.tell(Input::Trunk { from: TrunkId(partner), what });
    }
    world
}

/// A participant behind the trunk of a partner.
fn behind(world: &World, partner: u32, priority: u8) -> Participant {
    let range = world.call.ranges[&TrunkId(partner)];
    let user = format!("sip:at{partner}@b");
    let leg = Attachment::Trunk(Behind { trunk: TrunkId(partner), reference: REFERENCE });
    Participant { leg, priority, ..Participant::new(&user, "radio", super::leg(1), range.at(1)) }
}

fn enter_behind(world: &mut World, partner: u32, priority: u8, queueing: bool) {
    let who = Participant { queueing, ..behind(world, partner, priority) };
    world.enter(partner, who);
}

fn say(world: &mut World, partner: u32, message: Message<'_>) {
    let track = Track::new(true, REFERENCE);
    let packet = message::Packet { ssrc: Ssrc(1), acknowledge: false, message, track_info: Some(track.info()) };
    let what = FromTrunk::Floor { packet, holder: 0, talker: "" };
    world.tell(Input::Trunk { from: TrunkId(partner), what });
}

fn request(world: &mut World, partner: u32, priority: u8) {
    let priority = Some(priority);
    say(world, partner, Message::Request { priority, indicator: None, functional_alias: None, location: None });
}

fn pass(world: &mut World, ms: u32) {
    world.run_until(world.now + Millis(ms));
}

/// The floor messages that a partner was sent, in words, each with the holder that it names.
fn said(world: &World, partner: u32) -> Vec<(String, u32)> {
    let floor = |said: &(TrunkId, Spanning)| match said {
        (to, Spanning::Frame(frame)) if *to == TrunkId(partner) => match &frame.what {
            Some(wire::frame::What::Floor(floor)) => Some((words(&floor.message), floor.holder)),
            _ => None,
        },
        _ => None,
    };
    world.spanning.iter().filter_map(floor).collect()
}

fn count(world: &World, partner: u32, with: &str) -> usize {
    said(world, partner).iter().filter(|(said, _)| said.starts_with(with)).count()
}

#[test]
fn a_partner_is_told_the_holder_s_reference_only_if_it_is_its_own() {
    let mut world = home();
    enter_behind(&mut world, 1, 5, true);
    enter_behind(&mut world, 2, 5, true);
    request(&mut world, 1, 5);
    let holder = |partner| {
        let said = said(&world, partner);
        said.into_iter().rfind(|(said, _)| said.starts_with("taken(sip:at1@b)")).map(|(_, holder)| holder)
    };
    assert_eq!((holder(1), holder(2)), (Some(REFERENCE), Some(0)));
}

#[test]
fn a_grant_crosses_a_trunk_once_and_is_repeated_behind_it() {
    let mut world = home();
    enter_behind(&mut world, 1, 5, true);
    world.request(0, 4000, 5);
    request(&mut world, 1, 5);
    world.release(0, 4000);
    pass(&mut world, 3_500);
    assert_eq!(world.call.floor().1, Some(Slot(1)));
    assert_eq!(count(&world, 1, "granted"), 1, "{:?}", said(&world, 1));
    // Who asks once more while it has the floor is answered once more.
    request(&mut world, 1, 5);
    assert_eq!(count(&world, 1, "granted"), 2);
}

#[test]
fn a_partner_learns_that_its_participant_waits_also_if_nobody_tells_that_one() {
    let mut world = home();
    enter_behind(&mut world, 1, 255, false);
    world.request(0, 4000, 5);
    request(&mut world, 1, 255);
    assert_eq!(count(&world, 1, "queued 1"), 1, "{:?}", said(&world, 1));
}

#[test]
fn a_revoke_crosses_a_trunk_once_and_is_repeated_behind_it() {
    let mut world = home();
    world.enter(3, Participant { priority: 255, ..participant("sip:zoe@a", 4200) });
    enter_behind(&mut world, 1, 5, true);
    request(&mut world, 1, 5);
    let talk = |world: &mut World, sequence| {
        let ssrc = world.call.ranges[&TrunkId(1)].at(1);
        let bytes = rtp_bytes(ssrc.0, sequence);
        let what = FromTrunk::Media(rtp::Packet::parse(&bytes).expect("a packet"));
        world.tell(Input::Trunk { from: TrunkId(1), what });
    };
    talk(&mut world, 0);
    world.request(3, 4200, 255);
    for sequence in 1..100 {
        pass(&mut world, 20);
        talk(&mut world, sequence);
    }
    assert_eq!(count(&world, 1, "revoke 4"), 1, "{:?}", said(&world, 1));
}

#[test]
fn who_comes_home_from_behind_a_trunk_has_nothing_of_it_left() {
    let mut world = home();
    enter_behind(&mut world, 1, 5, true);
    world.tell(Input::Trunk { from: TrunkId(1), what: FromTrunk::RoundTrip(Millis(2_000)) });
    world.replace(1, participant("sip:at1@b", 4300));
    let before = world.call.counters().misdirected;
    request(&mut world, 1, 5);
    assert_eq!((world.call.counters().misdirected, world.call.floor().1.is_none()), (before + 1, true));
    world.request(1, 4300, 5);
    assert!(world.told(4300).iter().any(|said| said == "granted 30"), "{:?}", world.told(4300));
    // Its silence is as long as anybody's here.
    pass(&mut world, 4_100);
    assert!(world.told(4000).last().is_some_and(|said| said.starts_with("idle")), "{:?}", world.told(4000));
    assert_eq!(world.call.participants(), 2);
}

#[test]
fn what_is_said_while_no_trunk_stands_does_not_go_up_later() {
    let mut star = Star::talking(1);
    star.enter(1, 1, "sip:fay@a", 7000);
    star.run(20);
    star.request(1, 0, 5);
    star.run(50);
    let talker = star.ssrc(1, AT1);
    star.talk(1, 0, talker, 0..5);
    star.release(1, 0);
    star.cut(1);
    // The tail of its media is still heard here.
    star.talk(1, 0, talker, 5..8);
    star.connect(1);
    star.run(500);
    assert_eq!(star.heard(1, 7000), numbers(talker, 0..8));
    assert_eq!(star.heard(HOME, 4000), numbers(talker, 0..5));
    assert_eq!(star.crossed[&(1, HOME)], 5);
    assert_eq!(star.systems[1].call.counters().unheard, 3);
}

#[test]
fn media_that_comes_before_its_talker_is_named_is_not_given_to_the_talker_s_user_afterwards() {
    let mut star = Star::talking(1);
    star.enter(HOME, 1, "sip:ana@a", 9000);
    star.enter(1, 1, "sip:ana@a", 7000);
    star.run(50);
    star.lines[1].late_frames = Millis(100);
    star.request(HOME, 1, 5);
    star.talk(HOME, 1, 9000, 0..40);
    star.run(200);
    assert_eq!(star.heard(1, AT1), numbers(9000, 0..40));
    let own = star.heard(1, 7000);
    assert!((1..=6).contains(&own.len()), "what came in 100 ms and not more: {own:?}");
    assert_eq!(own, numbers(9000, 0..own.len() as u16));
}

#[test] //= TS 24.380 §8.2.3.12 test
fn a_floor_ack_says_which_function_took_the_release() {
    let star = Star::talking(1);
    let [mut home, mut partner] = <[World; 2]>::try_from(star.systems).map_err(|_| ()).expect("two systems");
    for (world, source) in [(&mut home, Source::ControllingFunction), (&mut partner, Source::NonControllingFunction)] {
        let message = Message::Release { indicator: None };
        let packet = message::Packet { ssrc: Ssrc(0), acknowledge: true, message, track_info: None };
        world.call.handle(Input::Floor { slot: Slot(0), packet }, world.now);
        let mut acknowledged = Vec::new();
        loop {
            match world.call.poll() {
                Output::Floor { message, .. } => {
                    let Some(Ok(message::Item::Packet(packet))) = message::read(message).next() else {
                        panic!("no floor message")
                    };
                    if let Message::Ack { source, acknowledged: kind } = packet.message {
                        acknowledged.push((source, kind));
                    }
                }
                Output::Wake(_) => break,
                _ => {}
            }
        }
        assert_eq!(acknowledged, [(source, Kind::Release)]);
    }
}
