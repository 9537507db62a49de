//! The whole machine as a table, every state × every input: `link.table` beside `link.rs`.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::tests::{drain, input, link};
use super::{Counters, Link, Output, State};
use crate::floor::script;
use crate::time::{Millis, Time};

/// Name of a state and the events that lead there.
const STATES: [(&str, &[&str]); 10] = [
    ("down", &[]),
    ("greeting", &["up"]),
    ("ready", &["up", "hello"]),
    ("b has asked for fire", &["up", "hello", "b subscribe 7 fire"]),
    (
        "b takes part in fire with one participant",
        &["up", "hello", "b subscribe 7 fire", "a subscribed 7 4711", "b announce 4711 1"],
    ),
    (
        "b takes part in as much as it may",
        &[
            "up",
            "hello",
            "b subscribe 7 fire",
            "a subscribed 7 4711",
            "b announce 4711 1",
            "b subscribe 6 earth",
            "a subscribed 6 4710",
            "b announce 4710 1",
        ],
    ),
    ("we have asked for water", &["up", "hello", "a subscribe 12 water"]),
    ("we have withdrawn water", &["up", "hello", "a subscribe 12 water", "withdraw 12"]),
    ("we take part in water", &["up", "hello", "a subscribe 12 water", "b subscribed 12 90"]),
    ("closing", &["up", "hello", "b subscribe 7 fire", "end"]),
];

const INPUTS: [&str; 44] = [
    "up",
    "down",
    "end",
    "malformed",
    "nothing",
    "hello",
    "hello b.example v2",
    "hello c.example v1",
    "heartbeat 700 0 0",
    "heartbeat 700 1 0",
    "heartbeat 700 9999 0",
    "goodbye moving",
    "b subscribe 7 fire",
    "b subscribe 8 fire",
    "b subscribe 8 air",
    "b subscribe 90 air",
    "b unsubscribe 4711",
    "b announce 4711 1",
    "b announce 4711 2",
    "b depart 4711 1",
    "b depart 4711 2",
    "b floor 4711",
    "b floor 12",
    "b subscribed 12 90",
    "b subscribed 12 7",
    "b refused 12 x",
    "b expel 12 1",
    "b spacing 12",
    "b ended 12",
    "a subscribe 12 water",
    "a unsubscribe 90",
    "withdraw 12",
    "a announce 90 3",
    "a depart 90 3",
    "a floor 90",
    "a floor 7",
    "a subscribed 7 4711",
    "a refused 7 x",
    "a expel 7 1",
    "a spacing 7",
    "a ended 7",
    "a hello",
    "Heartbeat",
    "Silence",
];

/// Nothing happens for the names of timers that do not run, as for every other input that means nothing.
fn apply(link: &mut Link, event: &str, now: Time) -> Vec<String> {
    let Output::Wake(wake) = link.poll() else { panic!("everything was drained") };
    match (event, wake) {
        ("Heartbeat", _) if link.state() == State::Ready => link.beat(now),
        ("Silence", Some(_)) => link.fall_silent(now),
        ("Heartbeat" | "Silence", _) => {}
        (event, _) => link.handle(input(event), now),
    }
    drain(link)
}

fn describe(link: &Link) -> String {
    let roles = [4711, 12].map(|own| link.role(own).map_or_else(String::new, |role| format!(" {own} {role:?}")));
    let (subscriptions, participants) = (link.subscriptions(), link.participants());
    format!("{:?}, subscriptions {subscriptions} participants {participants}{}", link.state(), roles.concat())
}

/// What was counted between the two, but that a frame came.
fn counted(before: &Counters, after: &Counters) -> String {
    let rows = before.rows().zip(after.rows());
    let changed = rows.filter(|(before, after)| before != after && before.0 != "frames");
    changed.map(|(_, (name, _))| format!(" [{name}]")).collect()
}

fn table() -> String {
    let mut table =
        String::from("Link: every state x every input -> outputs [what is counted] | state and tables after it.\n");
    table.push_str("b: the partner says. a: our calls say. Two calls and two participants are the limits.\n");
    table.push_str("A dot: nothing is said and nothing changes.\n");
    for (name, path) in STATES {
        table.push_str(&format!("\n## {name}\n"));
        for event in INPUTS {
            let mut link = link();
            for step in path {
                apply(&mut link, step, Time::ZERO);
            }
            let (before, counters) = (describe(&link), *link.counters());
            let said = apply(&mut link, event, Time::ZERO + Millis(1500)).join(", ");
            let after = describe(&link);
            let said = format!("{said}{}", counted(&counters, link.counters()));
            let said = if said.is_empty() { "." } else { said.trim_start() };
            let row = if before == after {
                format!("{event:<20} -> {said}\n")
            } else {
                format!("{event:<20} -> {said:<72} | {after}\n")
            };
            table.push_str(&row);
        }
    }
    table
}

#[test]
fn the_table_is_the_reviewed_one() {
    script::golden("../trunk/link.table", &table());
}
