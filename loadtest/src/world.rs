//! Where a scenario happens: the seam between the plan and what plays it.

use thiserror::Error;

use crate::{
    contract::{Record, Terms, Verdict, judge},
    scenario::late_entry::Plan,
    truth::Truth,
};

/// A world that can play a scenario.
pub trait World {
    /// Plays the plan to its end.
    fn play(&mut self, plan: &Plan) -> Result<Outcome, Failure>;

    /// What is promised in this world, and how exact it is.
    fn terms(&self, plan: &Plan) -> Terms;
}

/// What happened while a plan was played.
#[derive(Debug)]
pub struct Outcome {
    /// What the talkers did.
    pub truth: Truth,
    /// One for each caller that entered late, in the order of the plan.
    pub entrants: Vec<Record>,
    /// One for each early participant.
    pub early: Vec<Record>,
}

/// Why a plan could not be played to its end. This is no verdict about late entry.
#[derive(Debug, Error)]
pub enum Failure {
    /// A talker could not say its burst.
    #[error("talker {talker} did not say its burst: {how}")]
    Talker {
        /// Which early participant.
        talker: usize,
        /// What it was told.
        how: String,
    },
    /// The node refused what the scenario needs.
    #[error("the node refused {what}: {how}")]
    Refused {
        /// What was asked.
        what: String,
        /// Its answer.
        how: String,
    },
    /// The node did not start.
    #[error("the node did not start: {0}")]
    Start(String),
    /// The system did not give what a caller needs.
    #[error("{what}: {source}; look at the limits of this machine (ulimit -n)")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Outcome {
    /// Judges every caller: those that entered late, then those that were there.
    pub fn judge(&self, terms: &Terms) -> (Vec<Verdict>, Vec<Verdict>) {
        let all = |records: &[Record]| records.iter().map(|record| judge(&self.truth, record, terms)).collect();
        (all(&self.entrants), all(&self.early))
    }
}
