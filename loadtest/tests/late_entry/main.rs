//! The late-entry contract on real sockets: 60 callers enter a call at seeded instants, with resume vectors of every kind.
#![allow(clippy::unwrap_used)]

mod face;

use loadtest::{
    contract::Verdict,
    real::Real,
    scenario::late_entry::{Options, Plan},
    world::World,
};
use relay_core::Millis;

const ENTRANTS: usize = 60;

/// Plays bursts 2 and 5, 6 s of speech, and judges everybody.
fn check(world: &mut Real, seed: u64, retention: Millis) {
    let plan = Plan::new(Options { seed, entrants: ENTRANTS, bursts: vec![2, 5], retention }).unwrap();
    let outcome = world.play(&plan).unwrap();
    let (late, early) = outcome.judge(&world.terms(&plan));
    assert_eq!(late.len(), ENTRANTS);
    let broken: Vec<&Verdict> = late.iter().chain(&early).filter(|verdict| !verdict.is_kept()).collect();
    assert!(broken.is_empty(), "seed {seed}: {broken:#?}");
    let expected: usize = late.iter().map(|verdict| verdict.counts.expected).sum();
    let said = outcome.truth.spoken().len();
    assert!(expected > ENTRANTS * said / 4, "{expected} packets are too few to prove anything");
    assert!(late.iter().filter(|verdict| verdict.retained_first).count() > ENTRANTS / 3, "too few got retained media");
}

#[test]
fn sixty_callers_at_seeded_instants_get_what_they_are_promised_by_the_media_plane() {
    let retention = Millis(2500);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let face = runtime.block_on(face::Face::start(retention));
    check(&mut Real::at(&face.url).unwrap(), 20, retention);
    face.stop();
}
