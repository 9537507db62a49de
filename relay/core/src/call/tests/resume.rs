//! Resume points at the edges: their packet is lost, or long gone, or nothing of their SSRC is kept any more.

use alloc::vec;

use super::*;

const ANA: u16 = 1000;
const BEN: u16 = 2000;
const EVA: u16 = 3000;

/// A second of retention; Ben has spoken the packets 0 to 4, and Ana begins after `pause_ms`.
fn after_ben(pause_ms: u32) -> World {
    let mut world = World::new(Settings { retention: Millis(1_000), ..settings() });
    world.enter(0, participant("sip:ana@a", ANA));
    world.enter(1, participant("sip:ben@a", BEN));
    world.request(1, BEN, 0);
    (0..5).for_each(|n| world.media(1, BEN.into(), n));
    world.release(1, BEN);
    world.run_until(at(pause_ms));
    world.request(0, ANA, 0);
    world
}

fn enter_with(world: &mut World, ssrc: u16, sequence: u64) {
    let resume = vec![ResumePoint { ssrc: Ssrc(ssrc.into()), sequence }];
    world.enter(2, Participant { resume, ..participant("sip:eva@a", EVA) });
}

fn of_ana(numbers: core::ops::Range<u16>) -> Vec<(u32, u16)> {
    numbers.map(|n| (u32::from(ANA), n)).collect()
}

#[test]
fn a_point_whose_packet_is_lost_is_passed_by_the_next_one() {
    let mut world = after_ben(0);
    world.media(0, ANA.into(), 10);
    enter_with(&mut world, ANA, 13);
    [11, 12, 14, 15].into_iter().for_each(|n| world.media(0, ANA.into(), n));
    assert_eq!(world.heard(EVA), of_ana(14..16));
}

#[test]
fn who_heard_the_last_talker_to_its_end_gets_all_of_the_next_however_long_ago_that_was() {
    for pause_ms in [0, 999, 1_001, 9_000] {
        let mut world = after_ben(pause_ms);
        for n in 0..40u16 {
            world.run_until(at(pause_ms + u32::from(n) * 20));
            world.media(0, ANA.into(), n);
        }
        enter_with(&mut world, BEN, 4);
        world.run_until(at(pause_ms + 3_000));
        assert_eq!(world.heard(EVA), of_ana(0..40), "{pause_ms} ms after");
    }
}

#[test]
fn packets_swapped_at_the_begin_of_a_voice_confuse_no_newcomer() {
    let mut world = World::new(settings());
    world.enter(0, participant("sip:ana@a", ANA));
    world.enter(1, participant("sip:ben@a", BEN));
    world.request(0, ANA, 0);
    [0, 65_535, 1, 2].into_iter().for_each(|n| world.media(0, ANA.into(), n));
    world.release(0, ANA);
    enter_with(&mut world, ANA, 0);
    let facts = &world.facts[&Slot(2)];
    assert_eq!((facts.media[0].sequence, facts.bursts[0].last), (2, 2));
    assert_eq!(world.heard(EVA), [65_535, 1, 2].map(|n| (u32::from(ANA), n)));
}

#[test]
fn who_is_taken_out_at_any_moment_hears_the_rest_when_it_comes_back() {
    for talked in [0u16, 1, 60, 90] {
        let mut world = World::new(settings());
        world.enter(0, participant("sip:ana@a", ANA));
        world.enter(1, participant("sip:ben@a", BEN));
        world.request(0, ANA, 0);
        let talk = |world: &mut World, numbers: core::ops::Range<u16>| {
            for n in numbers {
                world.media(0, ANA.into(), n);
                world.run_until(at((u32::from(n) + 1) * 20));
            }
        };
        talk(&mut world, 0..50);
        // Eva is served from retention, paced, while Ana goes on; after 60 or 90 packets she has caught up, or not yet.
        enter_with(&mut world, ANA, 9);
        talk(&mut world, 50..50 + talked);
        let before = world.heard(EVA);
        let resume = world.call.take_out(Slot(2), world.now);
        world.pump(usize::MAX);
        talk(&mut world, 50 + talked..200);
        assert_eq!(world.heard(EVA), before, "nothing is sent to who was taken out");
        assert_eq!(
            resume,
            [ResumePoint { ssrc: Ssrc(ANA.into()), sequence: before.last().map_or(9, |last| last.1.into()) }]
        );
        world.enter(2, Participant { resume, ..participant("sip:eva@a", EVA) });
        world.run_until(at(6_000));
        assert_eq!(world.heard(EVA), of_ana(10..200), "{talked} packets after she came");
    }
}
