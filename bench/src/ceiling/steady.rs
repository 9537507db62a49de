//! R11: one worker at 70 % of the ceiling of this run, for a minute: what does not arrive was lost by somebody, and nobody may.
//!
//! The talker sends at a fixed rate and does not wait for anybody. Deliveries that are due are its packets times the
//! participants; what the sink process did not receive is lost, wherever it went.

use std::time::Duration;

use super::{
    Must, Row, Run,
    rate::PARTICIPANTS,
    stage::{Stage, unlimited},
};
use crate::raw;

/// Part of the ceiling.
const LOAD: f64 = 0.7;

/// How often it is tried, if the sinks drop something.
const TRIES: usize = 3;

pub(super) fn measure(run: &mut Run<'_>) -> Vec<Row> {
    let meaning = "lost at 70 % of the measured ceiling, N = 512, in one long run";
    let rate = LOAD * run.ceiling() / PARTICIPANTS as f64;
    let length = Duration::from_secs(if run.options.short { 5 } else { 60 });
    let mut stage = Stage::set(&raw::targets(PARTICIPANTS, run.sink.ports()), unlimited());
    let mut found = None;
    for _ in 0..TRIES {
        let before = (run.sink.count(), stage.sent);
        stage.talk_at(rate, length, |_, _| {});
        let outcome = stage.outcome(&mut run.sink, before);
        if outcome.dropped == 0 {
            found = Some(outcome);
            break;
        }
    }
    stage.relay.stop();
    let Some(outcome) = found else {
        let why = format!("the sinks dropped something in each of {TRIES} runs");
        return vec![Row::unmeasured("R11", meaning, "packets", Must::AtMost(0.0), why)];
    };
    let note = format!("{} deliveries were due in {} s", outcome.due, length.as_secs());
    vec![Row::single("R11", meaning, outcome.lost() as f64, "packets", Must::AtMost(0.0)).noting(note)]
}
