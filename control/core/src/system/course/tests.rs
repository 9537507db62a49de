//! The whole machine as a table, every gate × every step, in both orders: `course.table` beside `course.rs`.

use std::{format, string::String};

use super::*;
use crate::golden::golden;

const STEPS: [(&str, Step); 3] = [("passed", Step::Passed), ("failed", Step::Failed), ("superseded", Step::Superseded)];

fn table() -> String {
    let mut table = String::from("A migration as the new system drives it: every gate x every step -> effect.\n");
    for (name, new) in [("strict", Course::strict as fn() -> Course), ("homeward", Course::homeward)] {
        for passed in 0..=new().gates.len() {
            let reach = || {
                let mut course = new();
                (0..passed).for_each(|_| {
                    course.step(Step::Passed);
                });
                course
            };
            table.push_str(&format!("\n## {name}: {:?}\n", reach().phase()));
            for (step_name, step) in STEPS {
                let mut course = reach();
                let effect = course.step(step);
                let ends = matches!(effect, Effect::End(_)) || passed == new().gates.len();
                assert_eq!(course.has_ended(), ends);
                table.push_str(&format!("{step_name:<10} -> {effect:?}\n"));
            }
        }
    }
    table
}

#[test] //= TS 23.280 §10.16.2 test
fn the_table_is_the_reviewed_one() {
    golden("system/course.table", &table());
}

#[test]
fn what_has_ended_stays_so() {
    for end in [Phase::Done, Phase::RolledBack, Phase::Superseded] {
        let mut course = Course::ended(end);
        for (_, step) in STEPS {
            assert_eq!((course.step(step), course.phase()), (Effect::Nothing, end));
        }
    }
}

/// A row names a phase by its number.
#[test]
fn every_phase_stands_at_its_number() {
    let numbers: std::vec::Vec<u32> = Phase::ALL.iter().map(|phase| *phase as u32).collect();
    assert_eq!(numbers, (0..8).collect::<std::vec::Vec<u32>>());
}
