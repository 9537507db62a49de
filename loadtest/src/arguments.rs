//! What the command line says, checked, and done.

mod migrate;
mod together;

use std::{error::Error, io::Write, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use loadtest::{
    real::Real,
    report::Report,
    scenario::late_entry::{Options, Plan},
    sim::Simulated,
    world::World,
};
use relay_core::Millis;

/// Synthetic callers that play real speech and judge what reaches them. Exit 0: every promise was kept; 1: one was broken;
/// 2: the scenario could not be played.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    world: Worlds,
}

#[derive(Debug, Subcommand)]
enum Worlds {
    /// On real sockets, in real time, against a node in this process or a running one.
    Run {
        #[command(subcommand)]
        scenario: Run,
    },
    /// In virtual time, against pure cores.
    Sim {
        #[command(subcommand)]
        scenario: Sim,
    },
}

#[derive(Debug, Subcommand)]
enum Run {
    /// Talkers take turns; callers enter before, between and in the middle of their bursts.
    LateEntry {
        #[command(flatten)]
        choice: Choice,
        /// A running node, such as http://127.0.0.1:8080; without it one is started in this process.
        #[arg(long, value_name = "URL")]
        node: Option<String>,
    },
    /// Users move between two systems in running calls, there and back.
    Migrate(migrate::Migrate),
}

#[derive(Debug, Subcommand)]
enum Sim {
    /// Talkers take turns; callers enter before, between and in the middle of their bursts.
    LateEntry {
        #[command(flatten)]
        choice: Choice,
        /// How many seeds to play, from `--seed` on.
        #[arg(long, value_name = "N", default_value_t = 1)]
        seeds: u64,
    },
    /// Users move between two whole systems while trunks break and processes crash.
    Migrate(together::Together),
}

#[derive(Debug, Args)]
struct Choice {
    /// Everything random comes from it; without it a new one is drawn. It is printed first.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Callers that enter late, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..=1000))]
    entrants: u16,
    /// Which bursts are said, in this order, 1 to 5; all five last 28 s.
    #[arg(long, value_name = "B,…", value_delimiter = ',', default_value = "1,2,3,4,5")]
    bursts: Vec<usize>,
    /// How long the group keeps media. Milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(500..=10_000))]
    retention_ms: u32,
    /// Writes the verdicts there too, one JSON document per run.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Arguments {
    /// Plays what was asked for. How many callers did not get what they were promised.
    pub(crate) fn run(self) -> Result<usize, Box<dyn Error>> {
        match self.world {
            Worlds::Run { scenario: Run::LateEntry { choice, node } } => {
                let seed = choice.seed();
                say(&format!("seed {seed}\n"))?;
                let mut world = node.map_or_else(Real::in_process, |url| Real::at(&url))?;
                let report = choice.play("run", &mut world, seed)?;
                say(&report.table())?;
                world.stop();
                choice.finish(&[report])
            }
            Worlds::Run { scenario: Run::Migrate(migrate) } => migrate.run(),
            Worlds::Sim { scenario: Sim::Migrate(together) } => together.run(),
            Worlds::Sim { scenario: Sim::LateEntry { choice, seeds } } => {
                let mut reports = Vec::new();
                let first = choice.seed();
                for seed in (0..seeds).map(|number| first.wrapping_add(number)) {
                    say(&format!("seed {seed}\n"))?;
                    reports.push(choice.play("sim", &mut Simulated, seed)?);
                    // Of many runs only those are shown whole in which something was broken.
                    let Some(report) = reports.last() else { continue };
                    let whole = seeds == 1 || report.broken > 0;
                    say(&if whole { report.table() } else { report.sum() })?;
                }
                choice.finish(&reports)
            }
        }
    }
}

impl Choice {
    fn seed(&self) -> u64 {
        // Short enough to be typed again.
        self.seed.unwrap_or_else(|| rand::random_range(0..1_000_000))
    }

    fn play(&self, name: &'static str, world: &mut dyn World, seed: u64) -> Result<Report, Box<dyn Error>> {
        let plan = Plan::new(Options {
            seed,
            entrants: usize::from(self.entrants),
            bursts: self.bursts.clone(),
            retention: Millis(self.retention_ms),
        })?;
        let verdicts = world.play(&plan)?.judge(&world.terms(&plan));
        Ok(Report::new(name, &plan, verdicts))
    }

    fn finish(&self, reports: &[Report]) -> Result<usize, Box<dyn Error>> {
        if let Some(path) = &self.json {
            let text = match reports {
                [report] => serde_json::to_string_pretty(report)?,
                reports => serde_json::to_string_pretty(reports)?,
            };
            std::fs::write(path, text + "\n").map_err(|error| format!("{} not written: {error}", path.display()))?;
        }
        Ok(reports.iter().map(|report| report.broken).sum())
    }
}

fn say(text: &str) -> std::io::Result<()> {
    std::io::stdout().lock().write_all(text.as_bytes())
}
