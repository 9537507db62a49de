//! The late-entry contract in virtual time, over many seeds: every caller of every run is judged.
#![allow(clippy::unwrap_used)]

use loadtest::{
    scenario::late_entry::{Options, Plan},
    sim::Simulated,
    speech::Speech,
    world::World,
};
use relay_core::Millis;

fn check(seed: u64, bursts: &[usize], retention: Millis, entrants: usize) {
    let plan = Plan::new(Options { seed, entrants, bursts: bursts.to_vec(), retention }).unwrap();
    let outcome = Simulated.play(&plan).unwrap();
    let (late, early) = outcome.judge(&Simulated.terms(&plan));
    let said: usize = bursts.iter().map(|burst| Speech::burst(*burst).unwrap().frames()).sum();
    assert_eq!(outcome.truth.spoken().len(), said, "seed {seed}: not everything was said");
    assert_eq!(late.len(), entrants);
    let expected: usize = late.iter().map(|verdict| verdict.counts.expected).sum();
    assert!(expected > entrants * said / 5, "seed {seed}: {expected} packets are too few to prove anything");
    let broken: Vec<_> = late.iter().chain(&early).filter(|verdict| !verdict.is_kept()).collect();
    assert!(broken.is_empty(), "`loadtest sim late-entry --seed {seed}`: {broken:#?}");
}

#[test]
fn the_contract_holds_for_every_caller_of_many_seeds() {
    for seed in 0..20 {
        check(seed, &[2, 5, 3], Millis(3000), 60);
    }
}

#[test]
fn the_contract_holds_with_ten_seconds_of_retention() {
    check(7, &Plan::all_bursts(), Millis(10_000), 60);
}

#[test]
fn a_seed_plays_the_same_run_again() {
    let plan = Plan::new(Options { seed: 3, entrants: 10, bursts: vec![2], retention: Millis(2000) }).unwrap();
    let heard = || Simulated.play(&plan).unwrap().entrants.into_iter().map(|record| record.capture).collect::<Vec<_>>();
    assert_eq!(heard(), heard());
}
