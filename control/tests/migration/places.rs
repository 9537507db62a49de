//! What fails after the commit costs its group and nothing else (P7), and a call that is full is entered when a place frees (P8).

use serde_json::{Value, json};

use super::{
    host::{Host, until},
    radio::Radio,
    stage::{A, ANA, BEA, BOB, FIRE, MIA, Stage, TOM, WATER},
};

/// The only group of the client's affiliation, as it is shown.
fn shown(host: &Host, radio: &Radio) -> Value {
    host.get(&format!("/v1/affiliations/{}", radio.affiliation)).expect(200)["items"][0].clone()
}

/// Waits until these words are the last that she heard.
fn hears(radio: &Radio, words: &[Vec<u8>]) {
    until("she hears the last word", || {
        radio.is_silent();
        radio.media().ends_with(words)
    });
}

//= TS 23.379 §10.6.2.3.1.1.4 test
#[test]
fn rollback_p8_who_finds_a_call_full_enters_by_itself_when_a_place_frees() {
    let stage = Stage::new();
    stage.put_group(WATER, json!({"limits": {"participants": 2}}));
    let (bob, seat) = stage.talker(BOB, WATER);
    let bea = stage.radio(BEA, &[WATER]);
    stage.b.lists(&seat.call, &[BEA, BOB]);
    let mut mia = stage.radio(MIA, &[]);
    let moved = stage.b.take_over(&mut mia, A, json!([{"group": WATER}]));
    assert_eq!(moved["phase"], "P9", "a call that is full is no reason to go back: {moved}");
    let item = &moved["groups"][0];
    assert_eq!((&item["status"], &item["entered"]), (&json!("affiliated"), &json!(null)), "{item}");
    assert_eq!(item["not_entered"]["code"], "limit-reached", "she is told why: {item}");
    stage.speak(&bob, &seat, 0..5);
    stage.b.leave(&bea);
    stage.b.entered(&mia, WATER);
    stage.b.lists(&seat.call, &[BOB, MIA]);
    assert_eq!(shown(&stage.b, &mia)["not_entered"], json!(null));
    let said = stage.speak_anew(&bob, &seat, 5..15);
    hears(&mia, &said[9..]);
}

/// The home's call is full, and the new system learns it only after it has let her in.
#[test]
fn rollback_p8_whom_the_home_puts_out_enters_by_itself_when_a_place_frees() {
    let stage = Stage::new();
    stage.put_group(FIRE, json!({"limits": {"participants": 2}}));
    let (tom, seat) = stage.talker(TOM, FIRE);
    let ana = stage.radio(ANA, &[FIRE]);
    stage.a.lists(&seat.call, &[ANA, TOM]);
    let mut mia = stage.radio(MIA, &[]);
    let moved = stage.b.take_over(&mut mia, A, json!([{"group": FIRE}]));
    assert_eq!(moved["phase"], "P9", "{moved}");
    until("she is told why", || shown(&stage.b, &mia)["not_entered"]["code"] == "limit-reached");
    stage.a.audited("participant-refused", Some("limit-reached"));
    stage.speak(&tom, &seat, 0..5);
    stage.a.leave(&ana);
    stage.a.lists(&seat.call, &[MIA, TOM]);
    until("she is in", || !shown(&stage.b, &mia)["entered"].is_null());
    let said = stage.speak_anew(&tom, &seat, 5..15);
    hears(&mia, &said[9..]);
    stage.a.lists(&seat.call, &[MIA, TOM]);
}

/// Warnings 113 and 179 of TS 24.379 §4.4.2; the others are in `groups`.
#[test]
fn rollback_p7_no_such_group_and_no_agreement_cost_their_groups_only() {
    let stage = Stage::new();
    // A has an agreement with C, B has none.
    stage.a.put("/v1/partners/c.example", &json!({"address": null})).expect(200);
    let groups = ["sip:none@a.example", FIRE, "sip:far@c.example"];
    stage.put_user(MIA, json!({"groups": groups}));
    let (tom, seat) = stage.talker(TOM, FIRE);
    let mut mia = stage.radio(MIA, &[FIRE]);
    let wanted: Value = groups.iter().map(|group| json!({"group": group})).collect();
    mia.new_leg();
    let moved = stage.b.take_over(&mut mia, A, wanted);
    assert_eq!(moved["phase"], "P9", "{moved}");
    let causes: Vec<&Value> = moved["groups"].as_array().unwrap().iter().map(|item| &item["code"]).collect();
    assert_eq!(causes, [&json!("no-such-group"), &json!(null), &json!("no-agreement")], "{moved}");
    let said = stage.speak(&tom, &seat, 0..10);
    assert_eq!(mia.hear(10), said, "the third group goes on");
    stage.a.audited("affiliation-refused", Some("no-such-group"));
}
