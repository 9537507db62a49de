//! Plain-text scenarios of the floor machines: `time ms  events -> outputs`, one line per step.

use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, println};

use crate::time::{Millis, Time};

/// Plays every line and compares all of it with what the machine did.
///
/// `play` is given the time of the line and its events, and answers with the outputs in words.
pub(crate) fn check(text: &'static str, mut play: impl FnMut(Time, &[&'static str]) -> Vec<String>) {
    let mut expected = Vec::new();
    let mut actual = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (time, rest) = line.split_once(" ms").expect("a line starts with `<number> ms`");
        let (events, outputs) = rest.split_once("->").expect("a line has an arrow");
        let events: Vec<&'static str> = events.split(',').map(str::trim).filter(|event| !event.is_empty()).collect();
        let time = time.trim().parse().expect("milliseconds");
        let played = play(Time::ZERO + Millis(time), &events).join(", ");
        let step = |outputs: &str| format!("{time} ms  {} -> {outputs}", events.join(", "));
        expected.push(step(&words(outputs)));
        actual.push(step(&words(&played)));
    }
    if expected != actual {
        for (expected, actual) in expected.iter().zip(&actual).filter(|(expected, actual)| expected != actual) {
            println!("- {expected}\n+ {actual}");
        }
        panic!("the scenario went another way, see above");
    }
    assert!(!expected.is_empty(), "a scenario has lines");
}

fn words(text: &str) -> String {
    let text: Vec<&str> = text.split_whitespace().collect();
    text.join(" ").to_string()
}

/// Compares a table with the committed file; `GOLDEN=write` rewrites the file instead.
pub(crate) fn golden(file: &str, actual: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/floor").join(file);
    if std::env::var("GOLDEN").is_ok_and(|mode| mode == "write") {
        std::fs::write(&path, actual).expect("the table can be written");
    }
    let expected = std::fs::read_to_string(&path).expect("the table is there; GOLDEN=write makes it");
    let mut changed = 0;
    let lines = expected.lines().count().max(actual.lines().count());
    for number in 0..lines {
        let (before, now) = (expected.lines().nth(number), actual.lines().nth(number));
        if before != now {
            changed += 1;
            println!("- {}\n+ {}", before.unwrap_or(""), now.unwrap_or(""));
        }
    }
    assert_eq!(
        changed, 0,
        "{file}: cells changed, see above; if that is meant, run with GOLDEN=write and have it reviewed"
    );
}
