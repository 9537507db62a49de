//! `loadtest sim migrate`: two systems of pure cores in virtual time.

use std::error::Error;

use clap::Args;
use loadtest::sim::migrate::{Counts, play};

use super::say;

#[derive(Debug, Args)]
pub(crate) struct Together {
    /// Everything random comes from it; without it a new one is drawn. It is printed first.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// How many seeds to play, from `--seed` on.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seeds: u64,
}

impl Together {
    /// Plays until a promise is broken. How many were.
    pub(super) fn run(&self) -> Result<usize, Box<dyn Error>> {
        // Short enough to be typed again.
        let first = self.seed.unwrap_or_else(|| rand::random_range(0..1_000_000));
        say(&format!("seed {first}{}\n", if self.seeds > 1 { " and on" } else { "" }))?;
        let mut sum = Counts::default();
        for seed in (0..self.seeds).map(|number| first.wrapping_add(number)) {
            let verdict = play(seed);
            sum.add(&verdict.counts);
            if let Some(broken) = verdict.broken {
                let story = verdict.story.join("\n");
                say(&format!("{story}\nseed {seed}: {broken}\nplay it again: loadtest sim migrate --seed {seed}\n"))?;
                return Ok(1);
            }
        }
        say(&sum.table(self.seeds))?;
        Ok(0)
    }
}
