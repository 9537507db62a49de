//! The floor of a whole call: what participants are told, and whose media leaves.

use super::*;
use crate::call::Drop;

const ANA: u16 = 1000;
const BEN: u16 = 2000;
const EVA: u16 = 3000;

fn three(settings: Settings) -> World {
    let mut world = World::new(settings);
    for (slot, (user, port)) in [("sip:ana@a", ANA), ("sip:ben@a", BEN), ("sip:eva@a", EVA)].into_iter().enumerate() {
        world.enter(slot as u32, participant(user, port));
        world.acknowledge(slot as u32, port);
    }
    world
}

fn dropped(world: &World, cause: Drop) -> u64 {
    world.call.counters().dropped[cause.index()]
}

#[test]
fn a_burst_is_granted_told_and_ended() {
    let mut world = three(settings());
    world.request(0, ANA, 0);
    world.media(0, ANA.into(), 1);
    world.release(0, ANA);
    assert_eq!(world.told(ANA), ["idle! 1", "granted 30", "idle 2"]);
    assert_eq!(world.told(BEN), ["idle! 1", "taken(sip:ana@a) 2", "idle 3"]);
    assert_eq!((world.heard(BEN), world.heard(ANA)), (alloc::vec![(ANA.into(), 1)], alloc::vec![]));
}

//= TS 24.380 §6.3.5.3.8 test
#[test]
fn media_without_the_floor_never_leaves_and_is_answered_with_revoke_3() {
    let mut world = three(settings());
    world.media(1, BEN.into(), 1);
    world.request(0, ANA, 0);
    world.media(1, BEN.into(), 2);
    world.media(0, ANA.into(), 1);
    assert_eq!(world.heard(EVA), [(ANA.into(), 1)]);
    assert_eq!(world.told(BEN), ["idle! 1", "revoke 3", "taken(sip:ana@a) 2"]);
    assert_eq!(dropped(&world, Drop::NoPermission), 2);
    world.run_until(at(1_000));
    assert_eq!(world.told(BEN).iter().filter(|text| *text == "revoke 3").count(), 2, "repeated by T8");
}

#[test]
fn the_tail_of_a_burst_leaves_for_100_ms_and_is_no_offence_for_300() {
    let mut world = three(settings());
    world.request(0, ANA, 0);
    world.media(0, ANA.into(), 1);
    world.release(0, ANA);
    for (ms, sequence) in [(99, 2), (100, 3), (299, 4)] {
        world.run_until(at(ms));
        world.media(0, ANA.into(), sequence);
    }
    assert_eq!(world.heard(BEN), [(ANA.into(), 1), (ANA.into(), 2)]);
    assert_eq!(world.told(ANA), ["idle! 1", "granted 30", "idle 2"]);
    world.run_until(at(301));
    world.media(0, ANA.into(), 5);
    assert_eq!(world.told(ANA).last().map(String::as_str), Some("revoke 3"));
    assert_eq!(world.heard(BEN).len(), 2);
    assert_eq!((dropped(&world, Drop::Tail), dropped(&world, Drop::NoPermission)), (2, 1));
}

#[test]
fn the_tail_of_a_burst_ends_when_somebody_else_has_the_floor() {
    let mut world = three(settings());
    world.request(0, ANA, 0);
    world.media(0, ANA.into(), 1);
    world.request(1, BEN, 0);
    world.release(0, ANA);
    world.media(0, ANA.into(), 2);
    world.media(1, BEN.into(), 1);
    assert_eq!(world.heard(EVA), [(ANA.into(), 1), (BEN.into(), 1)]);
    assert_eq!(world.told(BEN), ["idle! 1", "taken(sip:ana@a) 2", "queued 1", "granted 30"]);
    assert_eq!(world.told(EVA), ["idle! 1", "taken(sip:ana@a) 2", "taken(sip:ben@a) 3"], "no idle between talkers");
}

#[test]
fn a_higher_priority_takes_the_floor_after_the_grace() {
    let mut world = three(settings());
    world.request(0, ANA, 1);
    world.media(0, ANA.into(), 1);
    world.request(1, BEN, 2);
    assert_eq!(world.told(ANA).last().map(String::as_str), Some("revoke 4"));
    world.media(0, ANA.into(), 2);
    assert_eq!(world.heard(EVA).len(), 2, "media still leaves during T3");
    world.run_until(at(3_000));
    world.media(0, ANA.into(), 3);
    assert_eq!(world.heard(EVA).len(), 2);
    assert_eq!(world.told(BEN).last().map(String::as_str), Some("granted 30"));
    assert_eq!(world.told(EVA).last().map(String::as_str), Some("taken(sip:ben@a) 3"));
}

#[test]
fn the_api_is_answered_once_and_the_leg_hears_the_same() {
    let mut world = three(settings());
    let asks = [(0, Action::Request(9)), (1, Action::Request(5)), (1, Action::Release), (0, Action::Release)];
    for (token, (slot, action)) in asks.into_iter().enumerate() {
        world.tell(Input::Ask { slot: Slot(slot), token: token as u64, action });
    }
    world.tell(Input::Ask { slot: Slot(2), token: 4, action: Action::Release });
    world.tell(Input::Ask { slot: Slot(7), token: 5, action: Action::Request(0) });
    let mut answers = world.answers.clone();
    answers.sort_by_key(|(token, _)| *token);
    let answers: Vec<Answer> = answers.into_iter().map(|(_, answer)| answer).collect();
    let released = Answer::Released;
    assert_eq!(answers, [Answer::Granted(30), Answer::Queued(1), released, released, released, Answer::Left]);
    assert_eq!(world.told(ANA), ["idle! 1", "granted 30", "idle 2"]);
    assert_eq!(world.told(EVA), ["idle! 1", "taken(sip:ana@a) 2", "idle 3"], "a release without effect tells nobody");
}

#[test]
fn the_only_participant_is_denied_unless_it_sets_the_call_up() {
    let mut world = World::new(settings());
    world.enter(0, participant("sip:ana@a", ANA));
    world.request(0, ANA, 0);
    assert_eq!(world.told(ANA), ["idle! 1", "deny 3"]);
    let mut world = World::new(settings());
    world.enter(0, Participant { implicit_floor_request: true, ..participant("sip:ana@a", ANA) });
    assert_eq!(world.told(ANA), ["granted 30"]);
}

#[test]
fn an_implicit_request_into_a_taken_floor_is_told_the_talker_first() {
    let mut world = three(settings());
    world.request(0, ANA, 5);
    let asks = |queueing| Participant { implicit_floor_request: true, queueing, ..participant("sip:zoe@a", 4000) };
    world.enter(3, asks(true));
    assert_eq!(world.told(4000), ["taken(sip:ana@a)! 1", "queued 1"]);
    world.leave(3);
    world.enter(3, Participant { leg: leg(4100).into(), ..asks(false) });
    assert_eq!(world.told(4100), ["taken(sip:ana@a)! 1"], "not denied: it is told who talks");
}

#[test]
fn privacy_hides_who_talks() {
    let mut world = three(Settings { privacy: true, ..settings() });
    world.request(0, ANA, 0);
    world.enter(3, participant("sip:zoe@a", 4000));
    assert_eq!(world.told(4000), ["taken(-)! 1"]);
    assert_eq!(world.facts[&Slot(3)].floor.talker, None);
    world.media(0, ANA.into(), 7);
    world.media(0, ANA.into(), 8);
    world.release(0, ANA);
    let resume = alloc::vec![ResumePoint { ssrc: Ssrc(ANA.into()), sequence: 7 }];
    world.enter(4, Participant { resume, ..participant("sip:leo@a", 5000) });
    let bursts = &world.facts[&Slot(4)].bursts;
    assert_eq!((bursts.len(), &bursts[0].talker), (1, &None));
}

#[test]
fn a_talkers_rate_is_reached_and_one_more_is_dropped() {
    let mut world = three(Settings { packets_per_s: 10, ..settings() });
    world.request(0, ANA, 0);
    (0..10).for_each(|n| world.media(0, ANA.into(), n));
    assert_eq!((world.heard(BEN).len(), dropped(&world, Drop::PacketRate)), (10, 0));
    world.media(0, ANA.into(), 10);
    assert_eq!((world.heard(BEN).len(), dropped(&world, Drop::PacketRate)), (10, 1));
    world.run_until(at(100));
    world.media(0, ANA.into(), 11);
    assert_eq!(world.heard(BEN).len(), 11);
    // Silence saves up no more than a second.
    world.run_until(at(3_500));
    (12..24).for_each(|n| world.media(0, ANA.into(), n));
    assert_eq!((world.heard(BEN).len(), dropped(&world, Drop::PacketRate)), (21, 3));
    // Two packets of 32 bytes are 64 bytes.
    let mut world = three(Settings { bytes_per_s: 64, ..settings() });
    world.request(0, ANA, 0);
    (0..3).for_each(|n| world.media(0, ANA.into(), n));
    assert_eq!((world.heard(BEN).len(), dropped(&world, Drop::ByteRate)), (2, 1));
}

#[test]
fn a_packet_that_the_network_brings_twice_leaves_once() {
    let mut world = three(settings());
    world.request(0, ANA, 0);
    [5, 6, 6, 5, 4, 4, 7].into_iter().for_each(|n| world.media(0, ANA.into(), n));
    let heard: Vec<u16> = world.heard(BEN).into_iter().map(|(_, sequence)| sequence).collect();
    assert_eq!((heard.as_slice(), dropped(&world, Drop::Duplicate)), (&[5, 6, 4, 7][..], 3));
}

#[test]
fn new_settings_count_from_the_next_burst() {
    let mut world = three(settings());
    world.request(0, ANA, 0);
    world.tell(Input::Configure(Settings { packets_per_s: 1, ..settings() }));
    (0..3).for_each(|n| world.media(0, ANA.into(), n));
    assert_eq!(world.heard(BEN).len(), 3);
    world.release(0, ANA);
    world.request(0, ANA, 0);
    (3..6).for_each(|n| world.media(0, ANA.into(), n));
    assert_eq!(world.heard(BEN).len(), 4);
}

#[test]
fn the_hang_time_runs_out_only_while_nobody_talks() {
    let mut world = three(settings());
    world.run_until(at(29_999));
    assert_eq!(world.inactive, 0);
    world.run_until(at(30_000));
    assert_eq!(world.inactive, 1);
    world.request(0, ANA, 0);
    for n in 0..200u16 {
        world.run_until(at(30_000 + u32::from(n) * 140));
        world.media(0, ANA.into(), n);
    }
    assert_eq!(world.inactive, 1);
}

#[test]
fn floor_messages_that_only_a_server_sends_are_counted_and_change_nothing() {
    let mut world = three(settings());
    let idle = message::Message::Idle { message_sequence_number: 1, indicator: None };
    world.floor(1, BEN, idle, false);
    assert_eq!(world.call.counters().misdirected, 1);
    assert_eq!(world.told(BEN), ["idle! 1"]);
}

#[test]
fn a_call_of_thousands_hands_out_live_media_between_the_floors_news() {
    let mut world = World::new(settings());
    for slot in 0..3_000u32 {
        world.enter(slot, Participant { audio_ssrc: Ssrc(slot + 1), ..participant("sip:u@a", 1) }.named(slot));
    }
    let seen = |world: &World| world.seen.values().map(Vec::len).sum::<usize>();
    let before = seen(&world);
    world.call.handle(Input::Ask { slot: Slot(0), token: 1, action: Action::Request(0) }, world.now);
    world.offer(0, 1, 0);
    // Three chunks of media, and between them no more than half a chunk of news each.
    world.pump(3 + 3 + 2 * 64);
    let media = world.seen.values().flatten().filter(|(_, _, seen)| matches!(seen, Seen::Media(..))).count();
    assert!(media >= 3 * CHUNK, "media does not wait: {media}");
    world.pump(usize::MAX);
    assert_eq!(seen(&world) - before, 1 + 2_999 + 2_999, "one is granted, everybody else is told and hears");
}

#[test]
fn what_is_described_is_no_older_than_retention() {
    let mut world = three(settings());
    world.request(0, ANA, 0);
    world.media(0, ANA.into(), 1);
    world.release(0, ANA);
    let retained = |world: &mut World, ms| {
        world.run_until(at(ms));
        world.tell(Input::Timer);
        world.call.describe().media.len()
    };
    assert_eq!((retained(&mut world, 10_000), retained(&mut world, 10_001)), (1, 0));
    assert_eq!(
        world.call.describe().floor.since,
        Millis(10_001),
        "the age of the floor grows, its repetition is no news"
    );
}

#[test]
fn a_priority_above_what_was_negotiated_does_not_count() {
    let mut world = three(settings());
    world.request(0, ANA, 5);
    world.request(1, BEN, 9);
    world.tell(Input::Ask { slot: Slot(2), token: 1, action: Action::Request(9) });
    assert_eq!(world.told(ANA), ["idle! 1", "granted 30"], "nobody outranks her");
    assert_eq!(world.told(BEN).last().map(String::as_str), Some("queued 1"));
    assert_eq!(world.answers, [(1, Answer::Queued(2))], "who asked first is first");
}

#[test]
fn news_that_come_while_the_last_are_told_reach_everybody() {
    for outputs in 0..6 {
        let mut world = three(settings());
        world.call.handle(Input::Ask { slot: Slot(0), token: 1, action: Action::Request(0) }, world.now);
        world.pump(outputs);
        world.call.handle(Input::Ask { slot: Slot(0), token: 2, action: Action::Release }, world.now);
        world.pump(usize::MAX);
        for port in [ANA, BEN, EVA] {
            let told = world.told(port);
            assert!(
                told.last().is_some_and(|text| text.starts_with("idle")),
                "{port} after {outputs} outputs: {told:?}"
            );
        }
    }
}

#[test]
fn who_asks_hears_its_own_answer_and_not_that_of_whom_it_displaces() {
    let floor = crate::floor::settings::Settings { queue_limit: 1, ..settings().floor };
    let mut world = three(Settings { floor, ..settings() });
    world.request(0, ANA, 1);
    world.request(2, EVA, 0);
    world.request(1, BEN, 3);
    world.enter(3, participant("sip:zoe@a", 4000));
    world.tell(Input::Ask { slot: Slot(3), token: 1, action: Action::Request(5) });
    assert_eq!(world.answers, [(1, Answer::Queued(1))]);
    assert_eq!(world.told(EVA).last().map(String::as_str), Some("deny 7"), "the queue is full without her");
}

#[test]
fn a_packet_that_retention_lets_go_of_before_everybody_had_it_is_counted_for_each() {
    let mut world = three(Settings { packets_per_s: 2, retention: Millis(500), ..settings() });
    world.request(0, ANA, 0);
    (1..3).for_each(|n| world.offer(0, ANA.into(), n));
    world.pump(usize::MAX);
    assert_eq!((world.heard(BEN), world.call.counters().overrun), (alloc::vec![(ANA.into(), 2)], 2));
}

#[test]
fn who_may_only_listen_is_told_so_and_denied() {
    let mut world = three(settings());
    world.request(0, ANA, 0);
    world.enter(3, Participant { receive_only: true, ..participant("sip:leo@a", 4000) });
    world.request(3, 4000, 5);
    assert_eq!(world.told(4000), ["taken(sip:ana@a)! 1 listen only", "deny 5"]);
    assert!(!world.facts[&Slot(3)].floor.may_request);
}
