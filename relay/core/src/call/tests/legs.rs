//! Legs replaced and participants gone in the middle of a burst.

use alloc::vec;

use super::*;

const ANA: u16 = 1000;
const BEN: u16 = 2000;
const EVA: u16 = 3000;
const MOVED: u16 = 5000;

/// Ana has sent that many packets, one every 20 ms; Ben hears her.
fn talking(packets: u16) -> World {
    let mut world = World::new(settings());
    world.enter(0, participant("sip:ana@a", ANA));
    world.enter(1, participant("sip:ben@a", BEN));
    world.acknowledge(1, BEN);
    world.request(0, ANA, 0);
    for n in 0..packets {
        world.run_until(at(u32::from(n) * 20));
        world.media(0, ANA.into(), n);
    }
    world
}

fn moved(user: &str, ssrc: u16) -> Participant {
    Participant { leg: leg(MOVED).into(), ..participant(user, ssrc) }
}

fn of_ana(numbers: core::ops::Range<u16>) -> Vec<(u32, u16)> {
    numbers.map(|n| (u32::from(ANA), n)).collect()
}

#[test]
fn a_replaced_leg_goes_on_where_the_old_one_stopped() {
    for packets in 0..30 {
        let mut world = talking(packets);
        world.replace(1, moved("sip:ben@a", BEN));
        let before = world.heard(BEN);
        (packets..packets + 5).for_each(|n| world.media(0, ANA.into(), n));
        assert_eq!(world.heard(BEN), before, "the old leg is silent");
        let both: Vec<_> = before.into_iter().chain(world.heard(MOVED)).collect();
        assert_eq!(both, of_ana(0..packets + 5));
        assert_eq!(world.told(MOVED), ["taken(sip:ana@a)! 3"]);
    }
}

#[test]
fn a_leg_replaced_while_packets_are_on_their_way_loses_and_doubles_nothing() {
    for outputs in 0..6 {
        let mut world = talking(3);
        (3..6).for_each(|n| world.offer(0, ANA.into(), n));
        world.pump(outputs);
        world.replace(1, moved("sip:ben@a", BEN));
        world.pump(usize::MAX);
        let both: Vec<_> = world.heard(BEN).into_iter().chain(world.heard(MOVED)).collect();
        assert_eq!(both, of_ana(0..6), "after {outputs} outputs");
    }
}

#[test]
fn a_newcomer_whose_leg_is_replaced_in_mid_replay_loses_and_doubles_nothing() {
    for later_ms in 0..150 {
        let mut world = talking(50);
        let resume = vec![ResumePoint { ssrc: Ssrc(ANA.into()), sequence: 0 }];
        world.enter(2, Participant { resume, ..participant("sip:eva@a", EVA) });
        world.run_until(at(980 + later_ms));
        world.replace(2, moved("sip:eva@a", EVA));
        let before = world.heard(EVA);
        world.run_until(at(3_000));
        (50..55).for_each(|n| world.media(0, ANA.into(), n));
        assert_eq!(world.heard(EVA), before, "the old leg is silent");
        let both: Vec<_> = before.into_iter().chain(world.heard(MOVED)).collect();
        assert_eq!(both, of_ana(1..55), "replaced {later_ms} ms later");
    }
}

#[test]
fn a_replaced_leg_with_resume_points_is_served_from_them() {
    let mut world = talking(20);
    let resume = vec![ResumePoint { ssrc: Ssrc(ANA.into()), sequence: 14 }];
    world.replace(1, Participant { resume, ..moved("sip:ben@a", BEN) });
    assert_eq!(world.heard(MOVED), of_ana(15..20));
}

#[test]
fn a_talker_whose_leg_is_replaced_goes_on_talking() {
    let mut world = talking(10);
    world.replace(0, moved("sip:ana@a", ANA));
    assert_eq!(world.told(MOVED), ["granted 30"], "it is told that it still has the floor");
    (10..15).for_each(|n| world.media(0, ANA.into(), n));
    assert_eq!(world.heard(BEN), of_ana(0..15));
    assert_eq!(world.heard(MOVED), []);
    // T1 runs on: four seconds after the last packet the floor is idle.
    world.run_until(at(180 + 3_999));
    assert_eq!(world.told(BEN).last().map(String::as_str), Some("taken(sip:ana@a) 2"));
    world.run_until(at(180 + 4_000));
    assert_eq!(world.told(BEN).last().map(String::as_str), Some("idle 3"));
}

#[test]
fn a_queued_participant_keeps_its_place_when_its_leg_is_replaced() {
    let mut world = talking(3);
    world.enter(2, participant("sip:eva@a", EVA));
    world.request(1, BEN, 0);
    world.request(2, EVA, 0);
    world.replace(1, moved("sip:ben@a", BEN));
    world.release(0, ANA);
    assert_eq!(world.told(MOVED).last().map(String::as_str), Some("granted 30"));
}

#[test]
fn after_leaving_nothing_is_handed_out() {
    for outputs in 0..8 {
        let mut world = talking(20);
        let resume = vec![ResumePoint { ssrc: Ssrc(ANA.into()), sequence: 0 }];
        let eva = Participant { resume, ..participant("sip:eva@a", EVA) };
        world.call.handle(Input::Enter { slot: Slot(2), entry: 9, participant: eva }, world.now);
        world.offer(0, ANA.into(), 20);
        world.pump(outputs);
        world.call.handle(Input::Leave { slot: Slot(2) }, world.now);
        let seen = (world.told(EVA), world.heard(EVA));
        world.pump(usize::MAX);
        (21..25).for_each(|n| world.media(0, ANA.into(), n));
        world.release(0, ANA);
        world.run_until(at(20_000));
        assert_eq!((world.told(EVA), world.heard(EVA)), seen, "left after {outputs} outputs");
        assert_eq!(world.heard(BEN), of_ana(0..25));
    }
}

#[test]
fn what_was_sent_is_counted_from_order_numbers() {
    let mut world = talking(10);
    let sent = |world: &World, slot| world.call.participant(Slot(slot)).expect("it is here").sent;
    assert_eq!((sent(&world, 0), sent(&world, 1)), (0, 10));
    let resume = vec![ResumePoint { ssrc: Ssrc(ANA.into()), sequence: 5 }];
    world.enter(2, Participant { resume, ..participant("sip:eva@a", EVA) });
    (10..13).for_each(|n| world.media(0, ANA.into(), n));
    world.release(0, ANA);
    world.request(2, EVA, 0);
    (0..4).for_each(|n| world.media(2, EVA.into(), n));
    assert_eq!((sent(&world, 0), sent(&world, 1), sent(&world, 2)), (4, 17, 7));
    world.replace(1, moved("sip:ben@a", BEN));
    world.media(2, EVA.into(), 4);
    assert_eq!(sent(&world, 1), 18);
}

#[test]
fn a_silent_leg_expires_and_a_heard_one_does_not() {
    let mut world = World::new(settings());
    let expiring = |user, port| Participant { expires: Some(Millis(1_000)), ..participant(user, port) };
    world.enter(0, expiring("sip:ana@a", ANA));
    world.enter(1, expiring("sip:ben@a", BEN));
    world.run_until(at(999));
    world.tell(Input::Heard { slot: Slot(0) });
    assert_eq!(world.expired, []);
    world.run_until(at(1_000));
    assert_eq!(world.expired, [(Slot(1), 2)]);
    world.run_until(at(1_998));
    assert_eq!(world.expired.len(), 1);
    world.run_until(at(1_999));
    assert_eq!(world.expired, [(Slot(1), 2), (Slot(0), 1)]);
    world.leave(0);
    world.run_until(at(11_000));
    assert_eq!(world.expired.len(), 3, "who does not leave is reported again");
}

#[test]
fn a_talker_who_has_to_stop_is_told_so_on_its_new_leg() {
    let mut world = talking(10);
    world.request(1, BEN, 5);
    world.replace(0, moved("sip:ana@a", ANA));
    assert_eq!(world.told(MOVED), ["revoke 4"]);
    world.media(0, ANA.into(), 10);
    assert_eq!(world.heard(BEN), of_ana(0..11), "its media leaves as long as on the old leg");
    world.run_until(at(180 + 3_000));
    assert_eq!(world.told(BEN).last().map(String::as_str), Some("granted 30"));
    assert_eq!(world.told(MOVED).last().map(String::as_str), Some("taken(sip:ben@a)! 2"));
}

#[test]
fn a_slot_that_is_taken_again_hears_nothing_of_its_predecessor() {
    for outputs in 0..4 {
        let mut world = talking(20);
        let resume = vec![ResumePoint { ssrc: Ssrc(ANA.into()), sequence: 0 }];
        let eva = Participant { resume, ..participant("sip:eva@a", EVA) };
        let zoe = moved("sip:zoe@a", EVA + 1);
        world.call.handle(Input::Enter { slot: Slot(2), entry: 8, participant: eva }, world.now);
        world.pump(outputs);
        world.call.handle(Input::Leave { slot: Slot(2) }, world.now);
        world.call.handle(Input::Enter { slot: Slot(2), entry: 9, participant: zoe }, world.now);
        world.pump(usize::MAX);
        assert_eq!(world.told(MOVED), ["taken(sip:ana@a)! 1"], "Eva left after {outputs} outputs");
        assert_eq!(world.heard(MOVED), of_ana(9..20), "the last 200 ms, not what Eva asked for");
        world.run_until(at(480));
        assert_eq!(world.told(MOVED), ["taken(sip:ana@a)! 1"; 2], "repeated by its own schedule");
    }
}

#[test]
fn a_talker_that_leaves_frees_the_floor_and_who_waits_leaves_the_queue() {
    let mut world = talking(3);
    world.enter(2, participant("sip:eva@a", EVA));
    world.request(2, EVA, 0);
    world.leave(2);
    world.leave(0);
    assert_eq!(world.told(BEN).last().map(String::as_str), Some("idle 3"), "nobody waits any more");
    world.enter(2, moved("sip:zoe@a", MOVED));
    world.request(1, BEN, 0);
    assert_eq!(world.told(BEN).last().map(String::as_str), Some("granted 30"));
    world.request(2, MOVED, 0);
    world.leave(1);
    assert_eq!(world.told(MOVED).last().map(String::as_str), Some("granted 30"), "who waits is next");
}

#[test]
fn who_takes_the_slot_of_the_talkers_other_client_hears_the_talker() {
    let mut world = talking(3);
    world.enter(2, participant("sip:ana@a", EVA));
    world.media(0, ANA.into(), 3);
    world.leave(2);
    world.enter(2, moved("sip:zoe@a", MOVED));
    world.media(0, ANA.into(), 4);
    assert_eq!((world.heard(EVA), world.heard(MOVED).last()), (vec![], Some(&(u32::from(ANA), 4))));
    assert_eq!(world.call.participant(Slot(2)).expect("Zoe is here").sent, 5);
}

#[test]
fn media_without_the_floor_and_any_floor_message_keep_a_leg_alive() {
    let mut world = World::new(settings());
    for (slot, port) in [ANA, BEN, EVA].into_iter().enumerate() {
        world.enter(slot as u32, Participant { expires: Some(Millis(1_000)), ..participant("sip:u@a", port) });
    }
    world.run_until(at(500));
    world.media(0, ANA.into(), 1);
    world.acknowledge(1, BEN);
    world.run_until(at(1_499));
    assert_eq!(world.expired, [(Slot(2), 3)]);
    world.run_until(at(1_500));
    assert_eq!(world.expired.len(), 3);
}
