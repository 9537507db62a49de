//! The whole machine as a table, every place × every step: `moving.table` beside `moving.rs`.

use std::{format, string::String, vec};

use super::*;
use crate::golden::golden;

const TICKET: &[u8] = b"ticket";
const TOKEN: &[u8] = b"token";
const C_TOKEN: &[u8] = b"c's token";

fn leave(to: &'static str, token: &[u8]) -> Step<'static> {
    Step::Leave { to, token: token.into(), ticket: secrets::hash(&[TICKET]), saved: Box::default() }
}

fn commit<'a>(by: &'a str, token: &'a [u8]) -> Step<'a> {
    Step::Commit { by, token, partner_user: "ana at b", profile: 1 }
}

fn states() -> [(&'static str, vec::Vec<Step<'static>>); 6] {
    let away = [leave("b", TOKEN), Step::Quiet { token: TOKEN }, commit("b", TOKEN)];
    let returned = [&away[..], &[Step::Authorises]].concat();
    let further = [&away[..], &[leave("c", C_TOKEN), Step::Quiet { token: C_TOKEN }]].concat();
    [
        ("here", vec![]),
        ("leaving for b, still in its calls", vec![leave("b", TOKEN)]),
        ("leaving for b, quiet", vec![leave("b", TOKEN), Step::Quiet { token: TOKEN }]),
        ("in b under generation 1", away.to_vec()),
        ("here again, after generation 1", returned),
        ("in b under generation 1, leaving for c, quiet", further),
    ]
}

fn steps() -> [(&'static str, Step<'static>); 18] {
    [
        ("b asks with a ticket", leave("b", b"token 2")),
        ("c asks with a ticket", leave("c", b"token 3")),
        ("quiet", Step::Quiet { token: TOKEN }),
        ("quiet for an earlier one", Step::Quiet { token: b"?" }),
        ("b asks for the profile", Step::Permit { by: "b", token: TOKEN }),
        ("b asks with another token", Step::Permit { by: "b", token: b"?" }),
        ("c asks for the profile", Step::Permit { by: "c", token: TOKEN }),
        ("b asks to authorise", commit("b", TOKEN)),
        ("b authorises, other token", commit("b", b"?")),
        ("c authorises, b's token", commit("c", TOKEN)),
        ("c authorises, c's token", commit("c", C_TOKEN)),
        ("b gives up by token", Step::GiveUp { by: "b", token: TOKEN, generation: 0 }),
        ("b gives up by ticket", Step::GiveUp { by: "b", token: TICKET, generation: 0 }),
        ("b gives up generation 1", Step::GiveUp { by: "b", token: b"", generation: 1 }),
        ("b gives up generation 9", Step::GiveUp { by: "b", token: b"", generation: 9 }),
        ("c gives up generation 1", Step::GiveUp { by: "c", token: TOKEN, generation: 1 }),
        ("no commit in time", Step::Late),
        ("authorises here", Step::Authorises),
    ]
}

fn describe(origin: &OriginRow) -> String {
    let away = |away: &Away| format!("in {} under {}", away.system, away.generation);
    let place = match &origin.place {
        None => "here".into(),
        Some(Place::Away(there)) => away(there),
        Some(Place::Leaving(leaving)) => {
            let was = leaving.was.as_ref().map_or(String::new(), |was| format!(", was {}", away(was)));
            format!("leaving for {}{}{was}", leaving.to, if leaving.quiet { ", quiet" } else { "" })
        }
    };
    format!("{place}, generation {}", origin.generation)
}

fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Nothing => String::new(),
        Effect::Refuse(cause) => format!("refuse {}", cause.code()),
        Effect::Quieten => "leave its calls".into(),
        Effect::TellLeft => "tell that it left".into(),
        Effect::Permitted => "permit".into(),
        Effect::Committed { generation, before: None } => format!("authorise {generation}"),
        Effect::Committed { generation, before: Some(before) } => {
            format!("authorise {generation}, supersede {} of {}", before.generation, before.system)
        }
        Effect::Restore(_) => "restore".into(),
        Effect::Cleared(away) => format!("{} of {} is given up", away.generation, away.system),
        Effect::Supersede(away) => format!("supersede {} of {}", away.generation, away.system),
    }
}

fn table() -> String {
    let mut table =
        String::from("A client as its primary system sees it: every place x every step -> effect | place after it.\n");
    for (name, path) in states() {
        table.push_str(&format!("\n## {name}\n"));
        for (step_name, step) in steps() {
            let mut origin = OriginRow::default();
            for step in &path {
                origin.step(step.clone());
            }
            let before = origin.clone();
            let said = effect(&origin.step(step));
            assert!(origin.generation >= before.generation, "a generation only grows");
            let cell = if before == origin { "same".into() } else { describe(&origin) };
            table.push_str(&format!("{step_name:<26} -> {said:<28} | {cell}\n"));
        }
    }
    table
}

#[test] //= TS 23.280 §10.16.2 test
fn the_table_is_the_reviewed_one() {
    golden("system/moving.table", &table());
}
