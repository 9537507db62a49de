//! Who listens goes on listening, wherever the group is at home (MIG-01, 02, 03, 05).

use serde_json::json;

use super::{
    host::until,
    radio::Seat,
    stage::{A, ANA, B, BEA, BOB, CHAT, FIRE, MIA, Stage, TOM, WATER},
};

//= TS 23.280 §10.16.2 test
#[test]
fn mig_01_b_empty_user_goes_on_listening() {
    let stage = Stage::new();
    let (tom, seat) = stage.talker(TOM, FIRE);
    let ana = stage.radio(ANA, &[FIRE]);
    let mut mia = stage.radio(MIA, &[FIRE]);
    let of_mia = stage.a.entered(&mia, FIRE);
    assert_eq!(stage.a.floor(&of_mia, "request", 5), "granted");
    let own = mia.say(&of_mia, 500..510);
    assert_eq!(stage.a.floor(&of_mia, "release", 5), "released");
    assert_eq!(ana.hear(10), own);
    let mut said = stage.speak(&tom, &seat, 0..20);
    assert_eq!(mia.hear(20), said);
    // Nobody serves her while this is said, and B has nothing of the call.
    stage.a.leave(&mia);
    said.extend(stage.speak(&tom, &seat, 20..70));
    assert_eq!(ana.hear(70), said);
    assert!(stage.b.calls().is_empty());
    mia.new_leg();
    let groups = mia.resuming(FIRE);
    let moved = stage.b.take_over(&mut mia, A, groups);
    assert_eq!(moved["phase"], "P9", "{moved}");
    Seat::of_item(&moved["groups"][0]);
    said.extend(stage.speak(&tom, &seat, 70..80));
    mia.hear(60);
    assert_eq!(mia.media(), said, "nothing is missing or twice, and her own words are not among it");
    assert_eq!(ana.hear(10), said[70..]);
    assert_eq!((stage.a.calls(), stage.b.calls().len()), (vec![seat.call.clone()], 1), "the same call goes on");
    stage.a.lists(&seat.call, &[ANA, MIA, TOM]);
    assert!(mia.is_silent() && ana.is_silent());
    stage.nothing_is_left(FIRE);
}

#[test]
fn mig_01_b_drives_every_phase() {
    let stage = Stage::new();
    let (tom, seat) = stage.talker(TOM, FIRE);
    let mut mia = stage.radio(MIA, &[FIRE]);
    let mut said = stage.speak(&tom, &seat, 0..20);
    assert_eq!(mia.hear(20), said);
    let groups = mia.resuming(FIRE);
    let moved = stage.b.take_over(&mut mia, A, groups);
    let phases: Vec<&str> =
        moved["phases"].as_array().unwrap().iter().map(|gate| gate["phase"].as_str().unwrap()).collect();
    assert_eq!(phases, ["P1", "P4", "P6", "P7", "P8"], "the order of the clause: {moved}");
    assert_eq!((&moved["phase"], &moved["generation"]), (&json!("P9"), &json!(1)), "{moved}");
    assert_ne!(mia.alias, MIA, "B serves her under an id of its own");
    said.extend(stage.speak(&tom, &seat, 20..30));
    mia.hear(10);
    assert_eq!(mia.media(), said);
    stage.a.lists(&seat.call, &[MIA, TOM]);
}

#[test]
fn mig_02_b_has_participants_already() {
    let stage = Stage::new();
    let (tom, seat) = stage.talker(TOM, FIRE);
    let bea = stage.radio(BEA, &[FIRE]);
    let in_b = stage.b.entered(&bea, FIRE);
    let mut mia = stage.radio(MIA, &[FIRE]);
    let mut said = stage.speak(&tom, &seat, 0..20);
    assert_eq!((mia.hear(20), bea.hear(20)), (said.clone(), said.clone()));
    let groups = mia.resuming(FIRE);
    let moved = stage.b.take_over(&mut mia, A, groups);
    assert_eq!(Seat::of_item(&moved["groups"][0]).call, in_b.call, "she enters the call that B carries");
    said.extend(stage.speak(&tom, &seat, 20..40));
    assert_eq!((mia.hear(20), bea.hear(20)), (said[20..].to_vec(), said[20..].to_vec()));
    assert_eq!((mia.media(), bea.media()), (said.clone(), said));
    stage.a.lists(&seat.call, &[BEA, MIA, TOM]);
    stage.b.lists(&in_b.call, &[BEA, MIA]);
    assert_eq!((stage.a.calls().len(), stage.b.calls().len()), (1, 1));
    assert_eq!(stage.a.metric("carryover_trunk_packets_sent_total"), 40, "one copy per packet");
}

#[test]
fn mig_03_the_group_is_at_home_in_b() {
    let stage = Stage::new();
    let (bob, seat) = stage.talker(BOB, WATER);
    let bea = stage.radio(BEA, &[WATER]);
    let mut mia = stage.radio(MIA, &[WATER]);
    stage.a.entered(&mia, WATER);
    let mut said = stage.speak(&bob, &seat, 0..20);
    assert_eq!((mia.hear(20), bea.hear(20)), (said.clone(), said.clone()));
    let groups = mia.resuming(WATER);
    let moved = stage.b.take_over(&mut mia, A, groups);
    assert_eq!(Seat::of_item(&moved["groups"][0]).call, seat.call);
    said.extend(stage.speak(&bob, &seat, 20..40));
    mia.hear(20);
    bea.hear(20);
    assert_eq!((mia.media(), bea.media()), (said.clone(), said));
    stage.b.lists(&seat.call, &[BEA, BOB, MIA]);
    until("A, which has nobody in it any more, drops out", || stage.a.calls().is_empty());
    assert_eq!(stage.b.metric("carryover_trunk_packets_sent_total"), 20, "nothing more is sent to A");
}

//= TS 23.379 §10.6.2.3.1.2.5 test
#[test]
fn mig_05_a_chat_group_is_entered_by_the_client() {
    let stage = Stage::new();
    let (tom, seat) = stage.talker(TOM, CHAT);
    let mut mia = stage.radio(MIA, &[CHAT]);
    stage.a.call(&mia, CHAT, json!([]));
    let mut said = stage.speak(&tom, &seat, 0..10);
    assert_eq!(mia.hear(10), said);
    let groups = mia.resuming(CHAT);
    let moved = stage.b.take_over(&mut mia, A, groups);
    assert_eq!((&moved["phase"], &moved["groups"][0]["entered"]), (&json!("P9"), &json!(null)), "{moved}");
    said.extend(stage.speak(&tom, &seat, 10..20));
    stage.a.lists(&seat.call, &[TOM]);
    assert!(mia.is_silent(), "without entering nothing arrives");
    let points = mia.points();
    let in_b = stage.b.call(&mia, CHAT, points);
    mia.hear(10);
    said.extend(stage.speak(&tom, &seat, 20..30));
    mia.hear(10);
    assert_eq!(mia.media(), said);
    stage.b.lists(&in_b.call, &[MIA]);
    stage.a.lists(&seat.call, &[MIA, TOM]);
    assert_eq!(stage.b.get("/v1/partners/a.example").body["up"], true, "{B}");
}
