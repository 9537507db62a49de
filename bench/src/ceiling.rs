//! The figures that the project promises, each beside its raw counterpart in the same run.
//!
//! Both halves of a ratio alternate, round by round, on the same core, towards the same sinks, which are a process of their own. The
//! first round warms up and is discarded, and so is a round in which the sinks dropped something: then they were
//! measured, and not what sends to them. A figure with too few good rounds is "not measured", which is never "met".

mod beside;
mod churn;
mod copies;
mod echo;
mod entry;
mod http;
mod memory;
mod others;
mod path;
mod profile;
mod rate;
mod report;
mod residence;
mod row;
mod scaling;
mod stage;
mod steady;

use std::{path::PathBuf, process::ExitCode, time::Duration};

pub use row::{Must, ROUNDS_LEAST, Row, SHORT_SLACK};

use crate::sink::Sink;

/// How much to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Rounds of each measurement; the first warms up.
    #[arg(long, default_value_t = 8, value_name = "ROUNDS")]
    pub rounds: usize,
    /// Only rows whose id is one of these, or begins with one and a letter: R1,L2.
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    pub only: Vec<String>,
    /// Fewer and shorter rounds, as a check that nothing is broken: a promise fails only if it is missed by more than a half, and
    /// percentiles are shown only.
    #[arg(long)]
    pub short: bool,
    /// Write environment and rows as JSON, too.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Keep the run: writes DIR/DATE-CPU/result.json and table.md.
    #[arg(long, value_name = "DIR")]
    pub runs: Option<PathBuf>,
}

/// One run: what its measurements share.
pub(crate) struct Run<'a> {
    pub(crate) options: &'a Options,
    /// Where participants' legs end.
    pub(crate) sink: Sink,
    /// What one worker delivered at most. Packets per second.
    ceiling: Option<f64>,
    /// What the raw loop delivered. Packets per second.
    raw: Option<f64>,
}

/// A measurement and the rows that it makes.
type Subject = (&'static [&'static str], fn(&mut Run<'_>) -> Vec<Row>);

/// In this order they are measured and printed.
const SUBJECTS: &[Subject] = &[
    (&["R1", "R2"], rate::measure),
    (&["R3", "R4", "R5"], path::measure),
    (&["R6"], churn::measure),
    (&["R7"], residence::measure),
    (&["R10"], scaling::measure),
    (&["R11"], steady::measure),
    (&["L2"], entry::measure),
    (&["M1"], memory::measure),
    (&["L1", "J1"], http::measure),
    (&["P1"], others::measure),
    (&["F1", "F2"], beside::measure),
];

/// Measures, prints, and says whether every promise is kept.
pub fn run(options: &Options) -> ExitCode {
    crate::allocations::unwatch_this_thread();
    // The worker has core 0, or core 0 and core 1; the harness never disturbs the first.
    crate::raw::pin(1);
    let sink = match Sink::start() {
        Ok(sink) => sink,
        Err(error) => {
            eprintln!("nothing measured: the sink process did not start: {error}");
            return ExitCode::from(2);
        }
    };
    let mut run = Run { options, sink, ceiling: None, raw: None };
    let mut rows = Vec::new();
    for (ids, measure) in SUBJECTS {
        if ids.iter().any(|id| options.wants(id)) {
            let measured = measure(&mut run).into_iter().filter(|row| options.wants(row.id));
            measured.for_each(|row| {
                report::print(&row);
                rows.push(row);
            });
        }
    }
    if let Err(error) = report::write(options, &rows) {
        eprintln!("the report was not written: {error}");
        return ExitCode::from(2);
    }
    let kept = |row: &Row| match options.short {
        true => row.passes_short(),
        false => row.met() || row.must == Must::Print,
    };
    if rows.iter().all(kept) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Options {
    /// Whether a row is asked for: its id, or what stands before a letter at its end.
    pub(crate) fn wants(&self, id: &str) -> bool {
        let belongs = |only: &String| {
            id.strip_prefix(only.as_str()).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_lowercase()))
                || only.strip_prefix(id).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_lowercase()))
        };
        self.only.is_empty() || self.only.iter().any(belongs)
    }

    /// Rounds, the one that warms up included.
    pub(crate) fn rounds(&self) -> usize {
        if self.short { self.rounds.min(ROUNDS_LEAST + 1) } else { self.rounds }
    }

    /// Length of each half of a round.
    pub(crate) fn half(&self) -> Duration {
        Duration::from_millis(if self.short { 200 } else { 1_000 })
    }
}

impl Run<'_> {
    /// Plays rounds until `rounds` good ones are there after one that warms up, or half as many more were played. Answers the good
    /// ones and how many were discarded.
    pub(crate) fn rounds<T>(&mut self, mut round: impl FnMut(&mut Self) -> Option<T>) -> (Vec<T>, usize) {
        let wanted = self.options.rounds().saturating_sub(1).max(1);
        round(self);
        let (mut good, mut played) = (Vec::new(), 0);
        while good.len() < wanted && played < wanted + wanted.div_ceil(2) {
            good.extend(round(self));
            played += 1;
        }
        let discarded = played - good.len();
        (good, discarded)
    }

    /// What one worker delivers at most, in packets per second, as R1 finds it.
    pub(crate) fn ceiling(&mut self) -> f64 {
        if self.ceiling.is_none() {
            rate::measure(self);
        }
        self.ceiling.expect("one good round of R1: give this machine rest, its sinks or its worker do not keep up")
    }

    /// What the raw loop delivers on the worker's core, in packets per second, as R1 finds it.
    pub(crate) fn raw(&mut self) -> f64 {
        self.ceiling();
        self.raw.expect("one good round of R1: give this machine rest, its sinks or its worker do not keep up")
    }
}

/// A word about rounds that were worth nothing.
pub(crate) fn discarded(number: usize) -> String {
    format!("{number} rounds discarded in which the sinks dropped or the relay lost something")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_wanted_by_its_id_or_by_what_it_belongs_to() {
        let wants = |only: &[&str], id| {
            let only = only.iter().map(|id| (*id).to_owned()).collect();
            Options { rounds: 8, only, short: false, json: None, runs: None }.wants(id)
        };
        assert!(wants(&[], "R1") && wants(&["R1"], "R1") && wants(&["R1"], "R1a") && wants(&["L2", "R1"], "R1"));
        assert!(wants(&["R5c"], "R5"), "the measurement that makes the row");
        assert!(!wants(&["R1"], "R10") && !wants(&["R10"], "R1") && !wants(&["R2"], "R1"));
    }
}
