//! The whole machine as a table, every state × every input: `general.table` beside `general.rs`.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::tests::{drain, play, settings};
use super::{General, Phase, Why};
use crate::floor::script;
use crate::time::{Millis, Time};

/// Name of a state and the events that lead there; ana, ben and eva take part unless it says otherwise.
const STATES: [(&str, &[&str]); 10] = [
    ("start-stop", &["ana enters", "ben enters", "eva enters"]),
    ("idle", &["ana enters", "ben enters", "eva enters", "set-up"]),
    ("idle, ana is alone", &["ana enters", "set-up"]),
    ("taken by ana", &["ana enters", "ben enters", "eva enters", "set-up ana implicit", "ana sends"]),
    ("taken by ana before its first packet", &["ana enters", "ben enters", "eva enters", "set-up ana implicit"]),
    (
        "taken by ana, ben waits",
        &["ana enters", "ben enters", "eva enters", "set-up ana implicit", "ana sends", "ben requests"],
    ),
    (
        "taken by ana from the queue",
        &["ana enters", "ben enters", "eva enters", "set-up ben implicit", "ana requests", "ben releases"],
    ),
    (
        "pending revoke of ana (2), nobody waits",
        &["ana enters", "ben enters", "eva enters", "set-up ana implicit", "ana sends", "T2"],
    ),
    (
        "pending revoke of ana (4), ben waits",
        &["ana enters", "ben enters", "eva enters", "set-up ana implicit", "ana sends", "ben requests peril"],
    ),
    ("releasing", &["ana enters", "ben enters", "eva enters", "set-up ana implicit", "release-call"]),
];

const INPUTS: [&str; 35] = [
    "set-up",
    "set-up eva implicit",
    "set-up eva listener implicit",
    "tom enters",
    "ana requests",
    "ana requests unqueued",
    "ana requests emergency",
    "ben requests",
    "ben requests emergency",
    "ben requests unqueued",
    "eva requests",
    "eva requests unqueued",
    "eva requests implicit",
    "eva requests listener",
    "eva requests emergency",
    "eva requests emergency unqueued",
    "ana releases",
    "ben releases",
    "eva releases",
    "ana sends",
    "eva sends",
    "ana leaves",
    "ben leaves",
    "eva leaves",
    "ana asks-position",
    "ben asks-position",
    "eva asks-position",
    "configure queueing 20",
    "release-call",
    "T1",
    "T2",
    "T3",
    "T4",
    "T7",
    "T20",
];

const TIMERS: [(&str, Why); 6] =
    [("T1", Why::T1), ("T2", Why::T2), ("T3", Why::T3), ("T4", Why::T4), ("T7", Why::T7), ("T20", Why::T20)];

type Machine = General<&'static str>;

fn running(general: &Machine) -> Vec<Why> {
    let timers = match &general.phase {
        Phase::StartStop | Phase::Releasing => std::vec![],
        Phase::Idle(silence) => std::vec![(silence.t4.is_some(), Why::T4), (silence.t7.is_some(), Why::T7)],
        Phase::Taken(burst) => {
            std::vec![(true, Why::T1), (burst.t2.is_some(), Why::T2), (burst.t20.is_some(), Why::T20)]
        }
        Phase::PendingRevoke(..) => std::vec![(true, Why::T1), (true, Why::T3)],
    };
    timers.into_iter().filter(|(runs, _)| *runs).map(|(_, why)| why).collect()
}

/// None: the input is a timer that does not run in this state.
fn apply(general: &mut Machine, event: &'static str, now: Time) -> Option<Vec<String>> {
    let Some((_, why)) = TIMERS.iter().find(|(name, _)| *name == event) else {
        return Some(play(general, event, now));
    };
    if !running(general).contains(why) {
        return None;
    }
    general.expire(*why, now);
    Some(drain(general))
}

fn describe(general: &Machine) -> String {
    let waiting: Vec<&str> = general.queue().iter().map(|entry| entry.from).collect();
    let (state, count) = (general.state(), general.participants());
    format!("{state:?} of {count} queue {waiting:?} timers {:?}", running(general)).replace('"', "")
}

fn table() -> String {
    let mut table = String::from(
        "General: every state x every input -> outputs | state, participants, queue and timers after it.\n",
    );
    table.push_str("Three participants, queue limit 2, T2 10 s. A dot: nothing seen, or the timer does not run.\n");
    for (name, path) in STATES {
        table.push_str(&format!("\n## {name}\n"));
        for input in INPUTS {
            let mut general = Machine::new(settings());
            for event in path {
                apply(&mut general, event, Time::ZERO).expect("the path leads to the state");
            }
            let before = describe(&general);
            let said = apply(&mut general, input, Time::ZERO + Millis(1500)).unwrap_or_default().join(", ");
            let after = describe(&general);
            let cell = match (said.is_empty(), before == after) {
                (true, true) => String::from("."),
                (false, true) => format!("{said:<60} | same"),
                _ => format!("{said:<60} | {after}"),
            };
            table.push_str(&format!("{input:<32} -> {cell}\n"));
        }
    }
    table
}

#[test]
fn the_table_is_the_reviewed_one() {
    script::golden("general.table", &table());
}
