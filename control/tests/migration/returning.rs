//! Back and forth: return home, and a client that cannot decide (MIG-22, 39).

use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    host::until,
    radio::{Radio, Seat},
    stage::{A, ANA, B, FIRE, MIA, Stage, TOM},
};

//= TS 23.280 §10.6.3 test
#[test]
fn mig_39_she_returns_home() {
    let stage = Stage::new();
    let (tom, seat) = stage.talker(TOM, FIRE);
    let mut mia = stage.radio(MIA, &[FIRE]);
    let mut said = stage.speak(&tom, &seat, 0..10);
    assert_eq!(mia.hear(10), said);
    let groups = mia.resuming(FIRE);
    let moved = stage.b.take_over(&mut mia, A, groups);
    let in_b = Seat::of_item(&moved["groups"][0]);
    said.extend(stage.speak(&tom, &seat, 10..20));
    mia.hear(10);
    // A drives the way home; no ticket is needed where she belongs.
    let there = mia.alias.clone();
    let groups = mia.resuming(FIRE);
    mia.tickets.clear();
    let back = stage.a.take_over(&mut mia, B, groups);
    assert_eq!((&back["phase"], &back["user"]), (&json!("P9"), &json!(MIA)), "{back}");
    said.extend(stage.speak(&tom, &seat, 20..30));
    mia.hear(10);
    assert_eq!(mia.media(), said);
    stage.a.lists(&seat.call, &[MIA, TOM]);
    until("B keeps nothing", || stage.b.calls().is_empty());
    stage.b.get(&format!("/v1/calls/{}", in_b.call)).is_problem(410, "call-ended");
    let body = json!({"user": there, "client": mia.client, "groups": [{"group": FIRE}]});
    stage.b.post("/v1/affiliations", &body).is_problem(403, "identity-superseded");
}

/// She comes home by herself, as if she had never been away, and B learns of it.
fn home_by_herself(stage: &Stage, mia: &mut Radio) {
    let groups = mia.resuming(FIRE);
    mia.new_leg();
    stage.a.authorize(mia);
    stage.a.affiliate(mia, groups);
    stage.a.entered(mia, FIRE);
}

#[test]
fn mig_22_ping_pong_leaves_one_leg_and_the_newest_generation() {
    let stage = Stage::new();
    let (tom, seat) = stage.talker(TOM, FIRE);
    let ana = stage.radio(ANA, &[FIRE]);
    let mut mia = stage.radio(MIA, &[FIRE]);
    let begin = Instant::now();
    let mut said = stage.speak(&tom, &seat, 0..10);
    mia.hear(10);
    let (mut number, mut generations) = (10, Vec::new());
    for hop in 0..3 {
        if hop % 2 == 0 {
            let groups = mia.resuming(FIRE);
            mia.new_leg();
            let moved = stage.b.take_over(&mut mia, A, groups);
            assert_eq!(moved["phase"], "P9", "{moved}");
            generations.push(moved["generation"].as_u64().unwrap());
        } else {
            home_by_herself(&stage, &mut mia);
        }
        said.extend(stage.speak(&tom, &seat, number..number + 10));
        number += 10;
        mia.hear(10);
        stage.a.lists(&seat.call, &[ANA, MIA, TOM]);
        assert_eq!(mia.media(), said, "hop {hop}");
    }
    assert!(begin.elapsed() < Duration::from_secs(10), "A to B to A to B took {:?}", begin.elapsed());
    assert!(generations[1] > generations[0], "{generations:?}");
    assert_eq!(ana.hear(said.len()), said, "nobody else was disturbed");
    let in_b = stage.b.calls();
    assert_eq!((in_b.len(), stage.b.participants(&in_b[0])), (1, vec![MIA.to_owned()]));
    stage.a.audited("migration-superseded", None);
}
