//! One figure: what was measured, its spread, and what is promised.

use std::fmt;

use serde_json::{Value, json};

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

    /// Whether the promise is kept.
    pub fn met(&self) -> bool {
        match self.must {
            Must::AtLeast(least) => self.value >= least,
            Must::AtMost(most) => self.value <= most,
            Must::Print => true,
        }
    }

    /// As the JSON report shows it.
    pub fn to_json(&self) -> Value {
        let must = match self.must {
            Must::AtLeast(value) | Must::AtMost(value) => Some(value),
            Must::Print => None,
        };
        json!({"id": self.id, "meaning": self.meaning, "median": self.value, "min": self.spread.0, "max": self.spread.1,
               "unit": self.unit, "must": must, "met": self.met()})
    }
}

impl fmt::Display for Must {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Must::AtLeast(least) => write!(f, ">= {least}"),
            Must::AtMost(most) => write!(f, "<= {most:.1}"),
            Must::Print => f.write_str("print"),
        }
    }
}
