//! The whole machine as a table, every state × every input: `floor.table` beside this file.

use std::fmt::Write;

use relay_core::{Millis, Time};

use super::{
    Client, Timers,
    tests::{drain, play},
};

/// Name of a state and the events that lead there.
const STATES: [(&str, &[&str]); 8] = [
    ("start-stop", &[]),
    ("has no permission", &["enters"]),
    ("has no permission, somebody talks", &["enters", "taken 1"]),
    ("pending request", &["enters", "presses"]),
    ("has permission", &["enters", "presses", "granted"]),
    ("pending release", &["enters", "presses", "granted", "lets-go"]),
    ("queued, somebody talks", &["enters", "presses", "position 2", "taken 1", "asks"]),
    ("queued, granted", &["enters", "presses", "position 2", "granted"]),
];

const INPUTS: [&str; 22] = [
    "enters",
    "enters implicit",
    "granted",
    "granted!",
    "taken 2",
    "taken 2!",
    "taken 2 dual",
    "taken 1",
    "idle 2",
    "idle 2!",
    "idle 2 dual",
    "deny 7",
    "deny 7!",
    "revoke 4",
    "position 1",
    "position 1!",
    "ack",
    "hears",
    "presses",
    "lets-go",
    "asks",
    "time",
];

fn reach(events: &[&str]) -> Client {
    let mut client = Client::new(Timers::default());
    for event in events {
        play(&mut client, event, Time::ZERO);
        drain(&mut client);
    }
    client
}

/// What a state is called in the table, with what runs in it.
fn name(client: &Client) -> String {
    let t103 = client.t103.map_or(String::new(), |due| format!(" T103 {}", due.since(Time::ZERO).0));
    let due = client.state.due().map_or(String::new(), |(due, why)| format!(" {why:?} {}", due.since(Time::ZERO).0));
    let state = format!("{:?}", client.state);
    format!("{}{due}{t103}", state.split(['(', ' ']).next().unwrap_or_default())
}

fn table() -> String {
    let mut text = String::from(
        "Client: every state x every input -> what it says and [tells] | state and timers after it, in ms.\n\
         States are reached at 0 ms, inputs come at 500 ms, `time` at 10000 ms. `!`: a Floor Ack is asked for.\n",
    );
    for (state, events) in STATES {
        writeln!(text, "\n## {state}: {}", name(&reach(events))).expect("a string takes everything");
        for input in INPUTS {
            let mut client = reach(events);
            let before = name(&client);
            let now = Time::ZERO + Millis(if input == "time" { 10_000 } else { 500 });
            play(&mut client, input, now);
            let outputs = drain(&mut client).join(", ");
            let after = name(&client);
            let cell = match (outputs.is_empty(), after == before) {
                (true, true) => ".".into(),
                (_, true) => format!("{outputs:<44} | same"),
                (_, false) => format!("{outputs:<44} | {after}"),
            };
            writeln!(text, "{input:<16} -> {cell}").expect("a string takes everything");
        }
    }
    text
}

#[test]
fn every_state_answers_every_input_as_the_table_says() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/client/floor.table");
    let actual = table();
    if std::env::var("GOLDEN").is_ok_and(|mode| mode == "write") {
        std::fs::write(&path, &actual).expect("the table can be written");
    }
    let expected = std::fs::read_to_string(&path).expect("the table is there; GOLDEN=write makes it");
    let changed: Vec<_> = expected.lines().zip(actual.lines()).filter(|(before, now)| before != now).collect();
    assert!(
        changed.is_empty() && expected.lines().count() == actual.lines().count(),
        "cells changed: {changed:#?}\nif that is meant, run with GOLDEN=write and have it reviewed"
    );
}
