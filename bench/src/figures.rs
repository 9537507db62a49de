//! The figures that the project promises, each beside its raw counterpart.

mod entry;
mod memory;
mod rate;

use std::{path::PathBuf, process::ExitCode};

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

/// One figure.
#[derive(Clone, Debug)]
pub struct Row {
    /// Stable id.
    pub id: &'static str,
    /// What it says.
    pub meaning: &'static str,
    /// Median, or the one value.
    pub value: f64,
    /// Least and greatest of the rounds.
    pub spread: (f64, f64),
    /// Unit.
    pub unit: &'static str,
    /// What is promised.
    pub must: Must,
}

/// A promise.
#[derive(Clone, Copy, Debug)]
pub enum Must {
    /// At least.
    AtLeast(f64),
    /// At most.
    AtMost(f64),
    /// None: the value explains another row.
    Print,
}

impl Row {
    /// One value without spread.
    pub fn single(id: &'static str, meaning: &'static str, value: f64, unit: &'static str, must: Must) -> Row {
        Row { id, meaning, value, spread: (value, value), unit, must }
    }

    /// Median and spread of rounds.
    pub fn of(id: &'static str, meaning: &'static str, rounds: &[f64], unit: &'static str, must: Must) -> Row {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let median = sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN);
        let spread = (sorted.first().copied().unwrap_or(f64::NAN), sorted.last().copied().unwrap_or(f64::NAN));
        Row { id, meaning, value: median, spread, unit, must }
    }

    fn met(&self) -> bool {
        match self.must {
            Must::AtLeast(least) => self.value >= least,
            Must::AtMost(most) => self.value <= most,
            Must::Print => true,
        }
    }
}

/// Measures, prints, and says whether every promise is kept.
pub fn run(options: &Options) -> ExitCode {
    crate::allocations::unwatch_this_thread();
    let (mut rows, chunk_us) = rate::measure(options);
    rows.extend(entry::measure(options, chunk_us));
    rows.extend(memory::measure());
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
        let must = match row.must {
            Must::AtLeast(least) => format!(">= {least}"),
            Must::AtMost(most) => format!("<= {most:.1}"),
            Must::Print => String::from("print"),
        };
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
    let row = |row: &Row| {
        let must = match row.must {
            Must::AtLeast(value) | Must::AtMost(value) => Some(value),
            Must::Print => None,
        };
        json!({"id": row.id, "meaning": row.meaning, "median": row.value, "min": row.spread.0, "max": row.spread.1,
               "unit": row.unit, "must": must, "met": row.met()})
    };
    let cpu = read("/proc/cpuinfo");
    let cpu =
        cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("").trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let environment = json!({"cpu": cpu, "cores": cores, "kernel": read("/proc/sys/kernel/osrelease")});
    json!({"environment": environment, "rows": rows.iter().map(row).collect::<Vec<_>>()}).to_string()
}

/// Keeps this thread on one core, if the system allows it.
fn pin(number: usize) {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if let Some(core) = cores.get(number % cores.len().max(1)) {
        core_affinity::set_for_current(*core);
    }
}
