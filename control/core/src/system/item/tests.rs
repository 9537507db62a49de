//! The whole machine as a table, every state × every event: `item.table` beside `item.rs`.

use std::{format, string::String, vec::Vec};

use super::*;
use crate::{Cause, golden::golden};

type Stands = State<&'static str>;

fn refused() -> Refused {
    Refused::new(Cause::NotAMember, "ana", "")
}

fn states() -> [(&'static str, Stands); 7] {
    [
        ("asked", State::Asked),
        ("waiting", State::Waiting),
        ("entering by 1", State::Entering(1)),
        ("waiting, not entered", State::Waiting),
        ("entering by 1, tried again", State::Entering(1)),
        ("entered", State::Entered("first")),
        ("refused", State::Refused(Refused::new(Cause::NoSuchGroup, "fire", ""))),
    ]
}

fn events() -> [(&'static str, Event<&'static str>); 15] {
    let full = Refused::new(Cause::LimitReached, "participants", "");
    let bad_leg = Refused::new(Cause::LegAddress, "leg", "");
    [
        ("granted", Event::Granted { enter: None }),
        ("granted, a call runs", Event::Granted { enter: Some(2) }),
        ("refused", Event::Refused(refused())),
        ("a call begins", Event::Runs { number: 2, again: false }),
        ("asks again, a call runs", Event::Runs { number: 2, again: true }),
        ("entered by 1", Event::Entered { number: 1, result: Ok("second") }),
        ("entered by an earlier one", Event::Entered { number: 0, result: Ok("second") }),
        ("not entered by 1", Event::Entered { number: 1, result: Err(full.clone()) }),
        ("not entered by an earlier one", Event::Entered { number: 0, result: Err(full.clone()) }),
        ("not entered by 1 for good", Event::Entered { number: 1, result: Err(bad_leg.clone()) }),
        ("time to try again", Event::Again(2)),
        ("entered by itself", Event::Came("seat")),
        ("no longer in the call", Event::Gone),
        ("put out by the home", Event::Expelled(full)),
        ("put out by the home for good", Event::Expelled(bad_leg)),
    ]
}

fn describe(item: &Item<&'static str>) -> String {
    let state = match &item.state {
        State::Refused(refused) => format!("refused {}", refused.cause.code()),
        other => format!("{other:?}").to_lowercase().replace('"', ""),
    };
    let why =
        item.not_entered.as_ref().map_or(String::new(), |refused| format!(", not entered {}", refused.cause.code()));
    let tries = if item.tries > 0 { format!(", tried again {}", item.tries) } else { String::new() };
    format!("{state}{why}{tries}")
}

fn table() -> String {
    let mut table = String::from("Item of an affiliation: every state x every event -> effect | state after it.\n");
    for (name, state) in states() {
        table.push_str(&format!("\n## {name}\n"));
        for (at, (event_name, _)) in events().iter().enumerate() {
            let mut item = Item::new(ItemRow::default(), state.clone());
            if name.contains("not entered") || name.contains("again") {
                item.not_entered = Some(Refused::new(Cause::LimitReached, "participants", ""));
                item.tries = u32::from(name.contains("again"));
            }
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

/// One second, doubling to half a minute, however often.
#[test]
fn the_back_off_doubles_up_to_its_limit() {
    let mut item: Item<&'static str> = Item::new(ItemRow::default(), State::Entering(0));
    let mut waited = Vec::new();
    for number in 0..40 {
        let result = Err(Refused::new(Cause::LimitReached, "participants", ""));
        assert_eq!(item.step(Event::Entered { number, result }), Effect::Retry);
        waited.push(item.back_off().0);
        assert_eq!(item.step(Event::Again(number + 1)), Effect::Enter);
        if number % 2 == 0 {
            // Let in, and put out by the home: that is one try too.
            assert_eq!(item.step(Event::Entered { number: number + 1, result: Ok("here") }), Effect::Changed);
            assert_eq!(item.step(Event::Gone), Effect::Changed);
            let refused = Refused::new(Cause::LimitReached, "participants", "");
            assert_eq!(item.step(Event::Expelled(refused)), Effect::Retry);
            item.state = State::Entering(number + 1);
        }
    }
    assert_eq!(waited[..7], [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    assert_eq!(waited[39], RETRY_MS_MAX.0);
}

#[test] //= TS 23.379 §10.6.2.3.1.1.4 test
fn the_table_is_the_reviewed_one() {
    golden("system/item.table", &table());
}
