//! The whole machine as a table, every state × every input: `participant.table` beside `participant.rs`.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::tests::{drain, input};
use super::{Participant, Phase, Repeat, Why};
use crate::floor::script;
use crate::floor::settings::Timers;
use crate::time::{Millis, Time};

/// Name of a state, whether the floor was taken on entering, the inputs that lead there, and when the input comes (ms).
const STATES: [(&str, bool, &[&str], u32); 13] = [
    ("not permitted and Floor Idle", false, &[], 1000),
    ("not permitted and Floor Idle, 50 ms after its release", false, &["granted", "release", "idle"], 50),
    ("not permitted and Floor Idle, 200 ms after its release", false, &["granted", "release", "idle"], 200),
    ("not permitted and Floor Taken", true, &[], 1000),
    ("not permitted and Floor Taken, 50 ms after its release", true, &["granted", "release", "taken"], 50),
    ("permitted", false, &["granted"], 1000),
    ("permitted, has released", false, &["granted", "release"], 0),
    ("pending Floor Revoke", false, &["granted", "revoked"], 1000),
    ("pending Floor Revoke, given up", false, &["granted", "revoked", "T8", "T8", "T8", "T8", "T8", "T8"], 1000),
    ("not permitted but sends media, floor idle", false, &["media"], 1000),
    ("not permitted but sends media, floor taken", true, &["media"], 1000),
    ("not permitted but sends media, given up", true, &["media", "T8", "T8", "T8", "T8", "T8", "T8"], 1000),
    ("releasing", false, &["granted", "leave"], 1000),
];

const INPUTS: [&str; 14] = [
    "request",
    "release",
    "release!",
    "media",
    "ask-position",
    "granted",
    "taken",
    "idle",
    "deny",
    "queued",
    "revoked",
    "leave",
    "T8",
    "Silence",
];

fn running(participant: &Participant) -> Vec<Why> {
    match participant.phase {
        Phase::PendingRevoke { repeat: Repeat::Left(_), .. } => std::vec![Why::T8],
        Phase::SendsMedia { repeat: Repeat::Left(_), .. } => std::vec![Why::T8, Why::Silence],
        Phase::SendsMedia { repeat: Repeat::GaveUp, .. } => std::vec![Why::Silence],
        _ => std::vec![],
    }
}

/// None: the input is a timer that does not run in this state.
fn apply(participant: &mut Participant, event: &str, now: Time) -> Option<Vec<String>> {
    let why = match event {
        "T8" => Why::T8,
        "Silence" => Why::Silence,
        other => {
            participant.handle(input(other), now);
            return Some(drain(participant));
        }
    };
    running(participant).contains(&why).then(|| {
        participant.expire(why, now);
        drain(participant)
    })
}

fn describe(participant: &Participant) -> String {
    format!("{:?} timers {:?}", participant.state(), running(participant))
}

fn table() -> String {
    let mut table = String::from("Participant: every state x every input -> outputs | state and timers after it.\n");
    table.push_str("release! asks for an acknowledgement. A dot: nothing seen, or the timer does not run.\n");
    for (name, taken, path, delay) in STATES {
        table.push_str(&format!("\n## {name}\n"));
        for event in INPUTS {
            let start = Time::ZERO + Millis(60_000);
            let mut participant = Participant::enter(taken, &Timers::default());
            for step in path {
                apply(&mut participant, step, start).expect("the path leads to the state");
            }
            let before = describe(&participant);
            let said = apply(&mut participant, event, start + Millis(delay)).unwrap_or_default().join(", ");
            let after = describe(&participant);
            let cell = match (said.is_empty(), before == after) {
                (true, true) => String::from("."),
                (false, true) => format!("{said:<44} | same"),
                _ => format!("{said:<44} | {after}"),
            };
            table.push_str(&format!("{event:<13} -> {cell}\n"));
        }
    }
    table
}

#[test]
fn the_table_is_the_reviewed_one() {
    script::golden("participant.table", &table());
}
