//! The late-entry contract in virtual time, over many seeds: every caller of every run is judged.

use loadtest::{
    scenario::late_entry::{Options, Plan},
    sim::Simulated,
    world::World,
};
use relay_core::Millis;

fn check(seed: u64, bursts: &[usize], retention: Millis, entrants: usize) {
    let plan = Plan::new(Options { seed, entrants, bursts: bursts.to_vec(), retention }).unwrap();
    let outcome = Simulated.play(&plan).unwrap();
    let (late, early) = outcome.judge(&Simulated.terms(&plan));
    assert_eq!(late.len(), entrants);
    let said: usize = bursts.iter().map(|burst| loadtest::speech::Speech::burst(*burst).unwrap().frames()).sum();
    assert_eq!(outcome.truth.spoken().len(), said, "seed {seed}: not everything was said");
    for verdict in late.iter().chain(&early).filter(|verdict| !verdict.is_kept()) {
        println!("seed {seed}: {} {:#?}", verdict.name, verdict.broken);
        let number = verdict.name.strip_prefix("late-").map(|n| n.parse::<usize>().unwrap());
        if let Some(n) = number {
            println!("{:?}", plan.entrants[n]);
            let r = &outcome.entrants[n];
            println!("{:?} {:?} {:x?} {:#?}", r.asked, r.answered, r.resume, r.answer);
        }
    }
    let broken = late.iter().chain(&early).filter(|verdict| !verdict.is_kept()).count();
    assert_eq!(broken, 0, "seed {seed}: `loadtest sim late-entry --seed {seed}` shows it");
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
