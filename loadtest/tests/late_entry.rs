//! The late-entry contract on real sockets: 60 callers enter a call of a whole node at seeded instants, with resume vectors of every
//! kind.
#![allow(clippy::unwrap_used)]

use loadtest::{
    contract::Verdict,
    real::Real,
    scenario::late_entry::{Options, Plan},
    world::World,
};
use relay_core::Millis;

const ENTRANTS: usize = 60;

#[test]
fn sixty_callers_at_seeded_instants_get_what_they_are_promised() {
    let seed = 20;
    let plan = Plan::new(Options { seed, entrants: ENTRANTS, bursts: vec![2, 5], retention: Millis(2500) }).unwrap();
    let mut world = Real::in_process().unwrap();
    let outcome = world.play(&plan).unwrap();
    let (late, early) = outcome.judge(&world.terms(&plan));
    world.stop();
    assert_eq!(late.len(), ENTRANTS);
    let broken: Vec<&Verdict> = late.iter().chain(&early).filter(|verdict| !verdict.is_kept()).collect();
    assert!(broken.is_empty(), "seed {seed}: {broken:#?}");
    let expected: usize = late.iter().map(|verdict| verdict.counts.expected).sum();
    let said = outcome.truth.spoken().len();
    assert!(expected > ENTRANTS * said / 4, "{expected} packets are too few to prove anything");
    assert!(late.iter().filter(|verdict| verdict.retained_first).count() > ENTRANTS / 3, "too few got retained media");
}
