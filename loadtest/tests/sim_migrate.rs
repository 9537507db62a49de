//! Two whole systems in virtual time: every seed that ever broke a promise, and a few others.
#![allow(clippy::unwrap_used)]

use loadtest::sim::migrate::{Counts, play};

/// Seeds that nobody has chosen for what they do.
const FRESH: std::ops::Range<u64> = 1_000..1_008;

fn check(seed: u64) -> Counts {
    let verdict = play(seed);
    let story = verdict.story.join("\n");
    assert_eq!(verdict.broken, None, "{story}\n`loadtest sim migrate --seed {seed}`");
    verdict.counts
}

fn committed() -> Vec<u64> {
    let lines = include_str!("../seeds/migrate.txt").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect()
}

#[test]
fn every_promise_holds_for_the_seeds_that_once_broke_one() {
    let seeds = committed();
    assert!(seeds.len() >= 6);
    for seed in seeds {
        let counts = check(seed);
        assert!(counts.moved > 0 && counts.expected > 1_000, "seed {seed} proves nothing: {counts:?}");
    }
}

#[test]
fn every_promise_holds_for_seeds_of_every_kind_of_fault() {
    let mut sum = Counts::default();
    FRESH.for_each(|seed| sum.add(&check(seed)));
    let none = [sum.moved, sum.cuts, sum.crashes, sum.lost_on_trunk, sum.on_lease].contains(&0);
    assert!(!none, "something never happened: {sum:?}");
}

#[test]
fn a_seed_plays_the_same_run_again() {
    let (one, other) = (play(FRESH.start), play(FRESH.start));
    assert_eq!((one.counts, one.story), (other.counts, other.story));
}
