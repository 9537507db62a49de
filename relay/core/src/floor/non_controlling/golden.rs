//! The whole machine as a table, every state × every input: `non_controlling.table` beside `non_controlling.rs`.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::NonControlling;
use super::tests::{drain, machine, play, timers};
use crate::floor::script;
use crate::time::{Millis, Time};

const THREE: &[&str] = &["ana enters", "ben enters", "eva enters"];

/// Name of a state and the events that lead there from three participants in a call that was just subscribed to.
const STATES: [(&str, &[&str]); 17] = [
    ("start-stop, not told yet how the floor is", &[]),
    ("start-stop, ana's request is held", &["set-up ana implicit"]),
    ("start-stop, home lost", &["lost"]),
    ("idle", &["home-idle"]),
    ("idle, ana's request is under way", &["home-idle", "ana requests"]),
    ("idle, ana gave up", &["home-idle", "ana requests", "ana releases"]),
    ("taken elsewhere", &["home-taken"]),
    ("taken elsewhere, ana waits", &["home-taken", "ana requests", "home-queues ana 1"]),
    ("taken by ana", &["home-idle", "ana requests", "home-grants ana", "ana sends"]),
    ("taken by ana before its first packet", &["home-idle", "ana requests", "home-grants ana"]),
    ("taken by ana, ben waits", &["home-idle", "ana requests", "home-grants ana", "ben requests", "home-queues ben 1"]),
    ("ana has given the floor back", &["home-idle", "ana requests", "home-grants ana", "ana releases"]),
    ("pending revoke of ana", &["home-idle", "ana requests", "home-grants ana", "ana sends", "home-revokes ana 2"]),
    ("home silent, was taken by ana", &["home-idle", "ana requests", "home-grants ana", "wait 3000"]),
    ("home silent, was taken elsewhere", &["home-taken", "wait 3000"]),
    ("home lost and back", &["home-taken", "lost", "back"]),
    ("releasing", &["home-idle", "ana requests", "home-grants ana", "release-call"]),
];

const INPUTS: [&str; 39] = [
    "set-up",
    "set-up eva implicit",
    "tom enters",
    "ana requests",
    "ana requests emergency",
    "ben requests",
    "eva requests unqueued",
    "eva requests implicit",
    "eva requests listener",
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
    "configure unqueued 20",
    "release-call",
    "home-grants ana",
    "home-grants ben",
    "home-taken",
    "home-taken ana",
    "home-taken ben",
    "home-idle",
    "home-denies ana 1",
    "home-denies ben 7",
    "home-revokes ana 4",
    "home-revokes ben 4",
    "home-queues ana 1",
    "home-queues ben 2",
    "home-queues-not ana",
    "heard",
    "lost",
    "back",
    "wait 1000",
    "wait 3000",
];

fn apply(floor: &mut NonControlling<&'static str>, event: &'static str, now: Time) -> Vec<String> {
    match event.strip_prefix("wait ") {
        // The timers that have run out by then, whatever started them.
        Some(length) => {
            floor.handle(super::Input::Local(super::general::Input::Timer), now + Millis(length.parse().expect("ms")));
            drain(floor)
        }
        None => play(floor, event, now),
    }
}

fn describe(floor: &NonControlling<&'static str>) -> String {
    let asked: Vec<String> = floor.asked.iter().map(|(from, asked)| format!("{from} {:?}", asked.stage)).collect();
    let owed: Vec<&str> = floor.owed.iter().copied().collect();
    let home = if floor.is_reachable() { "" } else { " home away" };
    let owes = if owed.is_empty() { String::new() } else { format!(" owes {owed:?}") };
    let gate = if floor.burst().is_some() { " open" } else { "" };
    let (state, count) = (floor.state(), floor.participants());
    format!("{state:?}{gate} of {count} asked {asked:?}{owes}{home} timers {:?}", timers(floor)).replace('"', "")
}

fn table() -> String {
    let mut table = String::from(
        "Non-controlling: every state x every input -> outputs | state, gate, participants, requests and timers after it.\n\
         Three participants. `up` goes to the home system. A dot: nothing seen.\n",
    );
    for (name, path) in STATES {
        table.push_str(&format!("\n## {name}\n"));
        for input in INPUTS {
            let mut floor = machine();
            for event in THREE.iter().chain(path) {
                apply(&mut floor, event, Time::ZERO);
            }
            let before = describe(&floor);
            let said = apply(&mut floor, input, Time::ZERO + Millis(500)).join(", ");
            let after = describe(&floor);
            let cell = match (said.is_empty(), before == after) {
                (true, true) => String::from("."),
                (false, true) => format!("{said:<50} | same"),
                _ => format!("{said:<50} | {after}"),
            };
            table.push_str(&format!("{input:<22} -> {cell}\n"));
        }
    }
    table
}

#[test]
fn the_table_is_the_reviewed_one() {
    script::golden("non_controlling.table", &table());
}
