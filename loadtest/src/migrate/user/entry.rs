//! One entry into a call, and what answers say about it.

use relay_core::{Ssrc, Time};
use serde_json::Value;

use super::super::{
    plan::System,
    record::{Phase, Stay},
};
use crate::{
    answer::{Answer, ResumePoint},
    capture::Heard,
    http::Failure,
};

/// A question to be in a call, and its answer.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) group: usize,
    pub(super) asked: Time,
    pub(super) answered: Time,
    pub(super) resume: Vec<ResumePoint>,
    pub(super) answer: Result<Answer, String>,
}

impl Entry {
    /// Who sends the floor messages of this call.
    pub(super) fn floor_ssrc(&self) -> Option<Ssrc> {
        self.answer.as_ref().ok().map(|answer| Ssrc(answer.leg.floor_ssrc))
    }

    /// The stay that began with it.
    pub(super) fn stay(&self, system: System, left: Time, capture: Vec<Heard>) -> Stay {
        let Entry { asked, answered, .. } = *self;
        Stay { system, asked, answered, left, resume: self.resume.clone(), answer: self.answer.clone(), capture }
    }
}

/// The answer to an enter.
pub(super) fn read(answer: &Value) -> Result<Answer, String> {
    serde_json::from_value(answer.clone()).map_err(|error| format!("unreadable answer: {error}: {answer}"))
}

/// What became of one group of an affiliation.
pub(super) fn of_item(item: &Value) -> Result<Answer, String> {
    match item.get("entered") {
        Some(entered) if !entered.is_null() => read(entered),
        Some(_) => {
            let why = item.get("not_entered").map_or("no reason is told".into(), problem);
            Err(format!("affiliated, but not entered into the running call: {why}"))
        }
        None => Err(problem(item)),
    }
}

fn problem(problem: &Value) -> String {
    let text = |name| problem.get(name).and_then(Value::as_str).unwrap_or("-");
    format!("{}: {}", text("code"), text("detail"))
}

/// Whether every group of an affiliation is entered or refused.
pub(super) fn affiliated(items: Option<&Value>) -> bool {
    let waits = |item: &Value| item.get("entered").is_some_and(Value::is_null) && item.get("not_entered").is_none();
    items.and_then(Value::as_array).is_some_and(|items| !items.iter().any(waits))
}

/// The phases that a migration has passed.
pub(super) fn phases(migration: &Value) -> Vec<Phase> {
    let phases = migration.get("phases").and_then(Value::as_array).into_iter().flatten();
    let read = |phase: &Value| {
        let text = |name| phase.get(name).and_then(Value::as_str);
        let exact = phase.get("us").and_then(Value::as_f64).map(|us| us / 1000.0);
        let ms = exact.or_else(|| phase.get("ms").and_then(Value::as_f64))?;
        Some(Phase { phase: text("phase")?.into(), ms, result: text("result").unwrap_or("-").into() })
    };
    phases.filter_map(read).collect()
}

/// Whether a list of participants holds this one.
pub(super) fn lists(participants: &Value, participant: &str) -> bool {
    let items = participants.get("items").and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| item.get("participant").and_then(Value::as_str)).any(|id| id == participant)
}

/// A refusal as one line.
pub(super) fn failure(failure: Failure) -> String {
    failure.to_string()
}

pub(super) fn milliseconds(now: Time, since: Time) -> f64 {
    now.micros_since(since) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_item_is_an_entry_or_says_why_not() {
        let entered = json!({
            "call": "c", "participant": "p", "group": "g",
            "leg": {"rtp": "127.0.0.1:1", "floor": null, "audio_ssrc": 1, "floor_ssrc": 2},
            "late_entry": {"floor": {"state": "idle", "talker": null, "audio_ssrc": null,
                "message_sequence_number": 0}, "media": []},
        });
        let whole = json!({"group": "g", "status": "affiliated", "entered": entered});
        assert_eq!(of_item(&whole).unwrap().participant, "p");
        let waiting = json!({"group": "g", "status": "affiliated", "entered": null});
        assert!(of_item(&waiting).unwrap_err().contains("not entered"));
        let refused = json!({"group": "g", "code": "not-a-member", "detail": "no"});
        assert_eq!(of_item(&refused).unwrap_err(), "not-a-member: no");
        let full = json!({"group": "g", "status": "affiliated", "entered": null,
            "not_entered": {"code": "limit-reached", "detail": "2001 exceed 2000"}});
        assert!(of_item(&full).unwrap_err().ends_with("limit-reached: 2001 exceed 2000"));
        assert!(affiliated(Some(&json!([whole, refused, full]))));
        assert!(!affiliated(Some(&json!([whole, waiting]))));
        assert!(!affiliated(None));
    }

    #[test]
    fn phases_are_read_in_order() {
        let migration = json!({"phases": [{"phase": "P1", "ms": 3, "result": "ok"},
            {"phase": "P4", "ms": 2.5, "result": "no-such-profile"}, {"phase": "P6"}]});
        let phases = phases(&migration);
        assert_eq!(phases.len(), 2, "{phases:?}");
        assert_eq!((phases[1].phase.as_str(), phases[1].ms, phases[1].result.as_str()), ("P4", 2.5, "no-such-profile"));
    }

    #[test]
    fn a_participant_is_listed_or_not() {
        let list = json!({"items": [{"participant": "1"}, {"participant": "2"}], "next": null});
        assert!(lists(&list, "2") && !lists(&list, "3") && !lists(&Value::Null, "2"));
    }
}
