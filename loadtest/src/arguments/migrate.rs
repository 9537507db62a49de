//! `loadtest run migrate`: two nodes of this machine, and users that move between them.

use std::{error::Error, net::SocketAddr, path::PathBuf};

use clap::Args;
use loadtest::migrate::{
    nodes::{Nodes, Place, find},
    plan::{Options, Plan},
    play,
};
use relay_core::Millis;

use super::say;

#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// Users that move, 1 to 200.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
    users: u16,
    /// How often each goes to the partner, 1 to 100; between two times it comes home.
    #[arg(long, value_name = "R", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Moves that begin in one second, 1 to 200.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=200))]
    per_second: u32,
    /// How long a user stays where it is, at least. Milliseconds, 500 to 60000.
    #[arg(long, value_name = "MS", default_value_t = 3000, value_parser = clap::value_parser!(u32).range(500..=60_000))]
    stay_ms: u32,
    /// Everything random comes from it; without it a new one is drawn. It is printed first.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// The executable of a node; without it the one beside this program.
    #[arg(long, value_name = "PATH", conflicts_with = "a")]
    control: Option<PathBuf>,
    /// A running node of the users' system, such as http://127.0.0.1:8080; without it two nodes are started.
    #[arg(long, value_name = "URL", requires = "b")]
    a: Option<String>,
    /// A running node of its partner.
    #[arg(long, value_name = "URL", requires = "a")]
    b: Option<String>,
    /// Trunk of the running node A; without it B must know its partner already.
    #[arg(long, value_name = "ADDR", requires = "a")]
    a_trunk: Option<SocketAddr>,
    /// Trunk of the running node B; without it A must know its partner already.
    #[arg(long, value_name = "ADDR", requires = "b")]
    b_trunk: Option<SocketAddr>,
    /// Writes the verdicts there too, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Migrate {
    /// Plays it. How many promises were broken.
    pub(super) fn run(self) -> Result<usize, Box<dyn Error>> {
        // Short enough to be typed again.
        let seed = self.seed.unwrap_or_else(|| rand::random_range(0..1_000_000));
        let plan = Plan::new(Options {
            seed,
            users: self.users.into(),
            rounds: self.rounds.into(),
            per_second: self.per_second,
            stay: Millis(self.stay_ms),
        })?;
        say(&format!("seed {seed}: {} moves in {} s\n", plan.moves_len(), plan.end.0 / 1000))?;
        let mut nodes = match (self.a, self.b) {
            (Some(a), Some(b)) => {
                Nodes::at(Place { url: a, trunk: self.a_trunk }, Place { url: b, trunk: self.b_trunk })
            }
            _ => Nodes::start(&find(self.control)?)?,
        };
        let report = play::play(&mut nodes, &plan)?;
        say(&report.table())?;
        if let Some(path) = self.json {
            let text = serde_json::to_string_pretty(&report)? + "\n";
            std::fs::write(&path, text).map_err(|error| format!("{} not written: {error}", path.display()))?;
        }
        Ok(report.broken)
    }
}
