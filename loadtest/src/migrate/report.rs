//! What a run came to: tables for people, JSON for programs.

use std::fmt::Write;

use serde::Serialize;

use super::{
    judge::{Break, Promise, Splice, Verdict},
    paired::Pairs,
    plan::System,
    record::Journey,
};

/// The late-entry part is at most so many times as long as a request with one trunk round trip and one commit.
pub const RATIO_MAX: f64 = 3.0;

/// Fewer samples than this say nothing about a ratio of medians.
pub const SAMPLES_MIN: usize = 20;

/// How many breaks of one participant the table shows.
const SHOWN_MAX: usize = 4;

/// The verdicts of one run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What the run was made from.
    pub seed: u64,
    /// How many participants, in how many ways, got something else than promised.
    pub broken: usize,
    /// Every move.
    pub journeys: Vec<Journey>,
    /// The phases of moves.
    pub phases: Vec<PhaseRow>,
    /// Groups, by where their participants went.
    pub groups: Vec<GroupRow>,
    /// What a request costs with one trunk round trip and three commits.
    pub asked_ms: Spread,
    /// What a request costs with one commit, and what one costs without any.
    pub stored_ms: Spread,
    /// The same without any.
    pub bare_ms: Spread,
    /// What a request would cost with one trunk round trip and one commit: the first less two commits, by medians.
    pub base_ms: Option<f64>,
    /// From an affiliation sent to B to the first media, of a group that A defines; measured in turns with those.
    pub late_ms: Spread,
    /// Median of the late-entry part ÷ `base_ms`.
    pub ratio: Option<f64>,
    /// Every participant, by group.
    pub participants: Vec<Row>,
    /// What was broken beside what participants heard.
    pub others: Vec<Break>,
}

/// One participant of one group.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Which group.
    pub group: &'static str,
    /// Whether it is one that moves.
    pub moves: bool,
    /// What became of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// One phase in one direction.
#[derive(Debug, Serialize)]
pub struct PhaseRow {
    /// Where to.
    pub to: System,
    /// `P1` to `P9`.
    pub phase: String,
    /// How long it took.
    pub ms: Spread,
    /// How many had another result than `ok`.
    pub failed: usize,
}

/// One group in one direction.
#[derive(Debug, Serialize)]
pub struct GroupRow {
    /// Which group.
    pub group: &'static str,
    /// Where to.
    pub to: System,
    /// How many entries there were.
    pub entries: usize,
    /// Without a packet of the talker.
    pub interruption_ms: Spread,
    /// From affiliation, or the wish to enter, to the first media.
    pub late_ms: Spread,
    /// Packets that neither system brought at the splice.
    pub lost: usize,
    /// Packets from retention.
    pub resumed: usize,
    /// How many were told the floor wrongly, late or not at all.
    pub floor_wrong: usize,
}

/// How values spread. Milliseconds; `None`: there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// How many values.
    pub count: usize,
    /// Half are at most this.
    pub p50: Option<f64>,
    /// 95 of 100 are.
    pub p95: Option<f64>,
    /// 99 of 100 are.
    pub p99: Option<f64>,
    /// All are.
    pub max: Option<f64>,
}

impl Report {
    /// Sums up.
    pub fn new(
        seed: u64,
        journeys: Vec<Journey>,
        participants: Vec<Row>,
        pairs: &Pairs,
        mut others: Vec<Break>,
    ) -> Report {
        let groups = groups(&participants);
        let spread = |values: &[f64]| Spread::of(values.iter().copied());
        let (asked_ms, stored_ms, bare_ms) =
            (spread(&pairs.asked_ms), spread(&pairs.stored_ms), spread(&pairs.bare_ms));
        let (base_ms, late_ms) = (pairs.base_ms(), spread(&pairs.late_ms));
        // A base that is no time at all is kept by nothing.
        let ratio = late_ms.p50.zip(base_ms).map(|(late, base)| if base > 0.0 { late / base } else { f64::INFINITY });
        if let Some(ratio) = ratio.filter(|ratio| *ratio > RATIO_MAX && late_ms.count >= SAMPLES_MIN) {
            others
                .push(Break::new(Promise::AtOnce, format!("the ratio is {ratio:.2}, at most {RATIO_MAX} is promised")));
        }
        let broken = others.len() + participants.iter().filter(|row| !row.verdict.is_kept()).count();
        let phases = phases(&journeys);
        Report {
            seed,
            broken,
            journeys,
            phases,
            groups,
            asked_ms,
            stored_ms,
            bare_ms,
            base_ms,
            late_ms,
            ratio,
            participants,
            others,
        }
    }

    /// The tables, then what was broken, then the sum.
    pub fn table(&self) -> String {
        let mut text = String::from("phase      to   moves    p50 ms    p95 ms    max ms  failed\n");
        for PhaseRow { to, phase, ms, failed } in &self.phases {
            let spread = ms.columns(&[ms.p50, ms.p95, ms.max]);
            text.push_str(&format!("{phase:<9}  {to}   {:>5} {spread} {failed:>7}\n", ms.count));
        }
        text.push_str(
            "\n                                    interruption ms               late entry ms\n\
             group                 to entries       p50       p95       max       p50       p95       p99       max    lost resumed  floor wrong\n",
        );
        for row in &self.groups {
            let (gap, late) = (row.interruption_ms, row.late_ms);
            let gap = gap.columns(&[gap.p50, gap.p95, gap.max]);
            let late = late.columns(&[late.p50, late.p95, late.p99, late.max]);
            let GroupRow { group, to, entries, lost, resumed, floor_wrong, .. } = row;
            text.push_str(&format!(
                "{group:<21} {to} {entries:>7} {gap} {late} {lost:>7} {resumed:>7} {floor_wrong:>12}\n"
            ));
        }
        text.push('\n');
        for row in self.participants.iter().filter(|row| !row.verdict.is_kept()) {
            broken(&mut text, &format!("{} in {}", row.verdict.name, row.group), &row.verdict.broken);
        }
        if !self.others.is_empty() {
            broken(&mut text, "beside the media", &self.others);
        }
        text.push_str(&self.sum());
        text
    }

    fn sum(&self) -> String {
        let total = |pick: fn(&Verdict) -> usize| self.participants.iter().map(|row| pick(&row.verdict)).sum::<usize>();
        let staying = self.participants.iter().filter(|row| !row.moves);
        let staying_lost: usize = staying.map(|row| row.verdict.counts.lost).sum();
        let word = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.2}"));
        let late = self.late_ms;
        format!(
            "requests, {} times each: one trunk round trip and three commits p50 {} p95 {} ms; one commit p50 {} ms; \
             none p50 {} ms; so one round trip and one commit {} ms\n\
             affiliation sent to first media, {} times: p50 {} p95 {} p99 {} max {} ms; ÷ that: {} (at most {RATIO_MAX})\n\
             seed {}: {} moves, {} rolled back, {} failed; {} packets heard, {} lost, {} twice, {} own, {} changed; \
             who stayed lost {staying_lost}; promises {}\n",
            self.asked_ms.count,
            word(self.asked_ms.p50),
            word(self.asked_ms.p95),
            word(self.stored_ms.p50),
            word(self.bare_ms.p50),
            word(self.base_ms),
            late.count,
            word(late.p50),
            word(late.p95),
            word(late.p99),
            word(late.max),
            word(self.ratio),
            self.seed,
            self.journeys.len(),
            self.journeys.iter().filter(|journey| journey.rolled_back).count(),
            self.journeys.iter().filter(|journey| journey.cause.is_some()).count(),
            total(|verdict| verdict.counts.heard),
            total(|verdict| verdict.counts.lost),
            total(|verdict| verdict.counts.twice),
            total(|verdict| verdict.counts.own),
            total(|verdict| verdict.counts.strange),
            if self.broken == 0 { "kept".into() } else { format!("BROKEN {} times", self.broken) },
        )
    }
}

impl Spread {
    /// Of these values.
    pub fn of(values: impl Iterator<Item = f64>) -> Spread {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |share: usize| values.get((values.len() * share / 100).min(values.len().saturating_sub(1))).copied();
        Spread { count: values.len(), p50: at(50), p95: at(95), p99: at(99), max: values.last().copied() }
    }

    fn columns(&self, values: &[Option<f64>]) -> String {
        let column = |value: &Option<f64>| value.map_or("-".into(), |value| format!("{value:.1}"));
        values.iter().map(|value| format!("{:>9}", column(value))).collect::<Vec<_>>().join(" ")
    }
}

fn broken(text: &mut String, who: &str, breaks: &[Break]) {
    for Break { promise, how } in breaks.iter().take(SHOWN_MAX) {
        // A string takes everything.
        let _ = writeln!(text, "BROKEN  {who}: {promise:?}: {how}");
    }
    if breaks.len() > SHOWN_MAX {
        let _ = writeln!(text, "BROKEN  {who}: and {} more", breaks.len() - SHOWN_MAX);
    }
}

fn phases(journeys: &[Journey]) -> Vec<PhaseRow> {
    let mut rows = Vec::new();
    for to in [System::B, System::A] {
        let of_direction = || journeys.iter().filter(|journey| journey.to == to);
        let mut names: Vec<&str> =
            of_direction().flat_map(|journey| &journey.phases).map(|phase| phase.phase.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let passed = || of_direction().flat_map(|journey| &journey.phases).filter(|phase| phase.phase == name);
            let failed = passed().filter(|phase| phase.result != "ok").count();
            rows.push(PhaseRow { to, phase: name.into(), ms: Spread::of(passed().map(|phase| phase.ms)), failed });
        }
        let total = Spread::of(of_direction().map(|journey| journey.total_ms));
        let failed = of_direction().filter(|journey| journey.cause.is_some()).count();
        rows.push(PhaseRow { to, phase: "total".into(), ms: total, failed });
    }
    rows
}

fn groups(participants: &[Row]) -> Vec<GroupRow> {
    let mut names: Vec<&'static str> = Vec::new();
    for row in participants {
        if !names.contains(&row.group) {
            names.push(row.group);
        }
    }
    let directions = names.iter().flat_map(|group| [System::B, System::A].map(|to| (*group, to)));
    let rows = directions.map(|(group, to)| {
        let of_group = participants.iter().filter(|row| row.group == group);
        let splices: Vec<&Splice> =
            of_group.flat_map(|row| &row.verdict.splices).filter(|splice| splice.to == to).collect();
        GroupRow {
            group,
            to,
            entries: splices.len(),
            interruption_ms: Spread::of(splices.iter().filter_map(|splice| splice.interruption_ms)),
            late_ms: Spread::of(splices.iter().filter_map(|splice| splice.late_ms)),
            lost: splices.iter().map(|splice| splice.lost).sum(),
            resumed: splices.iter().map(|splice| splice.resumed).sum(),
            floor_wrong: splices.iter().filter(|splice| !splice.floor_right).count(),
        }
    });
    rows.filter(|row| row.entries > 0).collect()
}

#[cfg(test)]
mod tests;
