//! One figure: what was measured, its spread, and what is promised.

use std::{borrow::Cow, fmt};

use serde_json::{Value, json};

/// Good rounds that a figure needs, unless one measurement is long enough by itself.
pub const ROUNDS_LEAST: usize = 4;

/// By how much a figure may miss its promise in a short run. A run of seconds on a machine with other work finds what is broken, it
/// does not judge.
pub const SHORT_SLACK: f64 = 1.5;

/// One figure.
#[derive(Clone, Debug)]
pub struct Row {
    /// Stable id.
    pub id: &'static str,
    /// What it says: what is divided by what.
    pub meaning: Cow<'static, str>,
    /// Median, or the one value. Not a number: not measured.
    pub value: f64,
    /// Least and greatest of the rounds.
    pub spread: (f64, f64),
    /// Unit.
    pub unit: &'static str,
    /// What is promised.
    pub must: Must,
    /// What a reader has to know, or why it was not measured.
    pub note: Option<String>,
}

/// A promise.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    pub fn single(
        id: &'static str,
        meaning: impl Into<Cow<'static, str>>,
        value: f64,
        unit: &'static str,
        must: Must,
    ) -> Row {
        Row { id, meaning: meaning.into(), value, spread: (value, value), unit, must, note: None }
    }

    /// Median and spread of rounds. Fewer than `ROUNDS_LEAST` are no figure.
    pub fn of(
        id: &'static str,
        meaning: impl Into<Cow<'static, str>>,
        rounds: &[f64],
        unit: &'static str,
        must: Must,
    ) -> Row {
        if rounds.len() < ROUNDS_LEAST {
            let why = format!("{} good rounds, {ROUNDS_LEAST} are needed; give the machine rest", rounds.len());
            return Row::unmeasured(id, meaning, unit, must, why);
        }
        let (least, middle, most) = spread(rounds);
        Row { spread: (least, most), ..Row::single(id, meaning, middle, unit, must) }
    }

    /// No figure, and why. Never met.
    pub fn unmeasured(
        id: &'static str,
        meaning: impl Into<Cow<'static, str>>,
        unit: &'static str,
        must: Must,
        why: impl Into<String>,
    ) -> Row {
        Row { note: Some(why.into()), ..Row::single(id, meaning, f64::NAN, unit, must) }
    }

    /// The same with a word to the reader.
    #[must_use]
    pub fn noting(self, note: impl Into<String>) -> Row {
        // Why it was not measured matters more.
        let note = self.note.or(Some(note.into()));
        Row { note, ..self }
    }

    /// Whether there is a figure.
    pub fn measured(&self) -> bool {
        self.value.is_finite()
    }

    /// Whether the promise is kept.
    pub fn met(&self) -> bool {
        self.keeps(1.0)
    }

    /// Whether it is kept, if it may be missed by the factor `slack`.
    pub fn keeps(&self, slack: f64) -> bool {
        match self.must {
            _ if !self.measured() => false,
            Must::AtLeast(least) => self.value >= least / slack,
            Must::AtMost(most) => self.value <= most * slack,
            Must::Print => true,
        }
    }

    /// What a table says about the promise.
    pub fn verdict(&self) -> &'static str {
        match self.must {
            _ if !self.measured() => "not measured",
            Must::Print => "",
            _ if self.met() => "met",
            _ => "MISSED",
        }
    }

    /// As the JSON report shows it.
    pub fn to_json(&self) -> Value {
        let must = match self.must {
            Must::AtLeast(value) | Must::AtMost(value) => Some(value),
            Must::Print => None,
        };
        json!({"id": self.id, "meaning": self.meaning, "median": self.value, "min": self.spread.0, "max": self.spread.1,
               "unit": self.unit, "must": must, "met": self.met(), "note": self.note})
    }
}

/// Least, median and greatest; not numbers, if there is none.
pub(super) fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |at: usize| sorted.get(at).copied().unwrap_or(f64::NAN);
    (at(0), at(sorted.len() / 2), at(sorted.len().saturating_sub(1)))
}

impl fmt::Display for Must {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Must::AtLeast(least) => write!(f, ">= {least}"),
            Must::AtMost(most) => write!(f, "<= {most}"),
            Must::Print => f.write_str("print"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_too_few_rounds_is_not_measured_and_not_met() {
        let row = |rounds: &[f64]| Row::of("X", "x", rounds, "ratio", Must::AtMost(1.0));
        assert!(row(&[0.1; ROUNDS_LEAST]).met());
        let few = row(&[0.1; ROUNDS_LEAST - 1]);
        assert!(!few.measured() && !few.met() && !few.keeps(SHORT_SLACK));
        assert_eq!(few.to_json()["median"], Value::Null);
    }

    #[test]
    fn a_promise_is_judged_on_both_sides() {
        let row = |value, must| Row::single("X", "x", value, "ratio", must);
        assert!(row(0.92, Must::AtLeast(0.92)).met() && !row(0.91, Must::AtLeast(0.92)).met());
        assert!(
            row(0.62, Must::AtLeast(0.92)).keeps(SHORT_SLACK) && !row(0.61, Must::AtLeast(0.92)).keeps(SHORT_SLACK)
        );
        assert!(row(3.0, Must::AtMost(3.0)).met() && !row(3.1, Must::AtMost(3.0)).met());
        assert!(row(4.5, Must::AtMost(3.0)).keeps(SHORT_SLACK) && !row(4.6, Must::AtMost(3.0)).keeps(SHORT_SLACK));
        assert!(!row(1.0, Must::AtMost(0.0)).keeps(SHORT_SLACK), "nothing is allowed where nothing is promised");
    }

    #[test]
    fn the_median_stands_between_its_extremes() {
        let row = Row::of("X", "x", &[3.0, 1.0, 9.0, 2.0, 2.5], "us", Must::Print);
        assert_eq!((row.value, row.spread), (2.5, (1.0, 9.0)));
    }
}
