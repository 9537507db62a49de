//! The whole machine as a table, every state × every event: `item.table` beside `item.rs`.

use std::{format, string::String};

use super::*;
use crate::{Cause, golden::golden};

type Stands = State<&'static str>;

fn refused() -> Refused {
    Refused::new(Cause::NotAMember, "ana", "")
}

fn states() -> [(&'static str, Stands); 5] {
    [
        ("asked", State::Asked),
        ("waiting", State::Waiting),
        ("entering by 1", State::Entering(1)),
        ("entered", State::Entered("first")),
        ("refused", State::Refused(Refused::new(Cause::NoSuchGroup, "fire", ""))),
    ]
}

fn events() -> [(&'static str, Event<&'static str>); 11] {
    let no_call = Refused::new(Cause::NoSuchCall, "fire", "");
    [
        ("granted", Event::Granted { enter: None }),
        ("granted, a call runs", Event::Granted { enter: Some(2) }),
        ("refused", Event::Refused(refused())),
        ("a call begins", Event::Runs { number: 2, again: false }),
        ("asks again, a call runs", Event::Runs { number: 2, again: true }),
        ("entered by 1", Event::Entered { number: 1, result: Ok("second") }),
        ("entered by an earlier one", Event::Entered { number: 0, result: Ok("second") }),
        ("not entered by 1", Event::Entered { number: 1, result: Err(no_call.clone()) }),
        ("not entered by an earlier one", Event::Entered { number: 0, result: Err(no_call) }),
        ("entered by itself", Event::Came("seat")),
        ("no longer in the call", Event::Gone),
    ]
}

fn describe(item: &Item<&'static str>) -> String {
    let state = match &item.state {
        State::Refused(refused) => format!("refused {}", refused.cause.code()),
        other => format!("{other:?}").to_lowercase().replace('"', ""),
    };
    let why =
        item.not_entered.as_ref().map_or(String::new(), |refused| format!(", not entered {}", refused.cause.code()));
    format!("{state}{why}")
}

fn table() -> String {
    let mut table = String::from("Item of an affiliation: every state x every event -> effect | state after it.\n");
    for (name, state) in states() {
        table.push_str(&format!("\n## {name}\n"));
        for (at, (event_name, _)) in events().iter().enumerate() {
            let mut item = Item::new(ItemRow::default(), state.clone());
            item.row.asked = matches!(item.state, State::Asked);
            let before = describe(&item);
            let effect = item.step(events()[at].1.clone());
            assert_eq!(item.row.asked, matches!(item.state, State::Asked), "a crash tells the asked ones apart");
            let after = describe(&item);
            let cell = if before == after { "same".into() } else { after };
            table.push_str(&format!("{event_name:<30} -> {:<8} | {cell}\n", format!("{effect:?}").to_lowercase()));
        }
    }
    table
}

#[test] //= TS 23.379 §10.6.2.3.1.1.4 test
fn the_table_is_the_reviewed_one() {
    golden("system/item.table", &table());
}
