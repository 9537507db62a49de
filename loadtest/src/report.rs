//! What a run came to: a table for people, JSON for programs.

use std::fmt::Write;

use serde::Serialize;

use crate::{contract::Verdict, scenario::late_entry::Plan};

/// The verdicts of one run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What the run was made from.
    pub seed: u64,
    /// `sim` or `run`.
    pub world: &'static str,
    /// How many callers got less, more or something else than promised.
    pub broken: usize,
    /// Callers that entered late, in the order of their entry.
    pub entrants: Vec<Row>,
    /// Participants that were there from the start.
    pub early: Vec<Verdict>,
}

/// One caller that entered late.
#[derive(Debug, Serialize)]
pub struct Row {
    /// When it asked, on the plan's clock. Milliseconds.
    pub at_ms: u32,
    /// What kind of resume vector it brought.
    pub resume: &'static str,
    /// What became of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

impl Report {
    /// Puts verdicts beside the plan that they belong to.
    pub fn new(world: &'static str, plan: &Plan, (late, early): (Vec<Verdict>, Vec<Verdict>)) -> Report {
        let rows = plan.entrants.iter().zip(late);
        let row = |(entrant, verdict): (&crate::scenario::late_entry::Entrant, Verdict)| Row {
            at_ms: entrant.at.0,
            resume: entrant.wish.word(),
            verdict,
        };
        let entrants: Vec<Row> = rows.map(row).collect();
        let all = entrants.iter().map(|row| &row.verdict).chain(&early);
        let broken = all.filter(|verdict| !verdict.is_kept()).count();
        Report { seed: plan.options.seed, world, broken, entrants, early }
    }

    /// An aligned table: one line per caller, then what was broken, then the sum.
    pub fn table(&self) -> String {
        let mut text = String::from(
            "caller      at ms  resume       floor ms  media ms  expected    got  missing  twice  disorder  foreign  contract\n",
        );
        let early = self.early.iter().map(|verdict| (None, "-", verdict));
        let late = self.entrants.iter().map(|row| (Some(row.at_ms), row.resume, &row.verdict));
        for (at_ms, resume, verdict) in early.chain(late) {
            let Verdict { name, counts, .. } = verdict;
            let at = at_ms.map_or("-".into(), |at| at.to_string());
            let ms = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.1}"));
            let (floor, media) = (ms(verdict.floor_ms), ms(verdict.media_ms));
            let kept = if verdict.is_kept() { "kept" } else { "BROKEN" };
            let numbers = format!(
                "{:>8} {:>6} {:>8} {:>6} {:>9} {:>8}",
                counts.expected, counts.got, counts.missing, counts.twice, counts.out_of_order, counts.foreign
            );
            let line = format!("{name:<10} {at:>6}  {resume:<11} {floor:>9} {media:>9}  {numbers}  {kept}");
            text.push_str(&line);
            text.push('\n');
            for broken in &verdict.broken {
                // A string takes everything.
                let _ = writeln!(text, "           {broken}");
            }
        }
        text.push_str(&self.sum());
        text
    }

    /// The last line of the table: how many, how fast, and whether the contract held.
    pub fn sum(&self) -> String {
        let spread = |pick: fn(&Verdict) -> Option<f64>| {
            let mut values: Vec<f64> = self.entrants.iter().filter_map(|row| pick(&row.verdict)).collect();
            values.sort_by(f64::total_cmp);
            let at = |share: usize| values.get((values.len() * share / 100).min(values.len().saturating_sub(1)));
            let word = |value: Option<&f64>| value.map_or("-".into(), |value| format!("{value:.1}"));
            format!("p50 {} p95 {} max {}", word(at(50)), word(at(95)), word(values.last()))
        };
        let floor = spread(|verdict| verdict.floor_ms);
        let retained = spread(|verdict| verdict.media_ms.filter(|_| verdict.retained_first));
        let (count, kept) = (self.entrants.len() + self.early.len(), if self.broken == 0 { "kept" } else { "BROKEN" });
        format!(
            "seed {}: {count} callers, contract {kept} for {}; from request to floor {floor} ms, to retained media {retained} ms\n",
            self.seed,
            count - self.broken,
        )
    }
}
