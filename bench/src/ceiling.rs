//! The figures that the project promises, each beside its raw counterpart.

mod entry;
mod memory;
mod others;
mod rate;
mod row;

use std::{path::PathBuf, process::ExitCode};

pub use row::{Must, Row};
use serde_json::json;

/// How much to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Rounds of the rate measurement, after one that warms up.
    #[arg(long, default_value_t = 8, value_name = "ROUNDS")]
    pub rounds: usize,
    /// Length of each half of a round. Milliseconds.
    #[arg(long, default_value_t = 1000, value_name = "MS")]
    pub round_ms: u64,
    /// Late entries, each beside one bare UDP echo.
    #[arg(long, default_value_t = 1000, value_name = "ENTRIES")]
    pub entries: usize,
    /// Write the rows as JSON, too.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Measures, prints, and says whether every promise is kept.
pub fn run(options: &Options) -> ExitCode {
    crate::allocations::unwatch_this_thread();
    let (mut rows, chunk_us) = rate::measure(options);
    rows.extend(entry::measure(options, chunk_us));
    rows.extend(memory::measure());
    rows.extend(others::measure(options));
    print(&rows);
    if let Some(file) = &options.json
        && let Err(error) = std::fs::write(file, to_json(&rows))
    {
        eprintln!("{} not written: {error}", file.display());
        return ExitCode::from(2);
    }
    if rows.iter().all(Row::met) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::print_stdout, reason = "the table is what the command is for")]
fn print(rows: &[Row]) {
    println!("{:<4} {:<66} {:>12} {:>25}  {:<12} must", "id", "meaning", "median", "min … max", "unit");
    for row in rows {
        let must = row.must.to_string();
        let verdict = if row.met() { "" } else { "  MISSED" };
        let spread = format!("{:.2} … {:.2}", row.spread.0, row.spread.1);
        println!(
            "{:<4} {:<66} {:>12.2} {spread:>25}  {:<12} {must}{verdict}",
            row.id, row.meaning, row.value, row.unit
        );
    }
}

fn to_json(rows: &[Row]) -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default().trim().to_owned();
    let cpu = read("/proc/cpuinfo");
    let cpu =
        cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("").trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let environment = json!({"cpu": cpu, "cores": cores, "kernel": read("/proc/sys/kernel/osrelease")});
    json!({"environment": environment, "rows": rows.iter().map(Row::to_json).collect::<Vec<_>>()}).to_string()
}

/// Keeps this thread on one core, if the system allows it.
fn pin(number: usize) {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if let Some(core) = cores.get(number % cores.len().max(1)) {
        core_affinity::set_for_current(*core);
    }
}
