//! A migration that comes to nothing: whatever failed, and wherever, the user hears the old system's call again (MIG-21).

use std::time::{Duration, Instant};

use relay::trunk::Fault;
use serde_json::{Value, json};

use super::{
    host::{is_over, segment, until},
    radio::{Radio, Seat},
    stage::{A, ANA, B, FIRE, MIA, Stage, TOM},
};

/// How long the old system waits for the commit.
const COMMIT: Duration = Duration::from_secs(10);

/// Tom talks, and the radios have heard him.
fn burst(stage: &Stage, radios: &[&Radio]) -> (Radio, Seat, Vec<Vec<u8>>) {
    let (tom, seat) = stage.talker(TOM, FIRE);
    for radio in radios {
        stage.a.entered(radio, FIRE);
    }
    let said = stage.speak(&tom, &seat, 0..10);
    radios.iter().for_each(|radio| assert_eq!(radio.hear(10), said));
    (tom, seat, said)
}

fn passed(phase: &str) -> impl Fn(&Value) -> bool {
    move |shown| shown["phases"].as_array().unwrap().iter().any(|gate| gate["phase"] == phase && gate["result"] == "ok")
}

fn ended_with(shown: &Value, cause: &str) {
    assert_eq!((&shown["phase"], &shown["cause"]["code"]), (&json!("rolled-back"), &json!(cause)), "{shown}");
    for field in ["authorization", "affiliation"] {
        assert_eq!(shown[field], json!(null), "B keeps nothing: {shown}");
    }
}

/// The affiliation, the place in the call and the leg are there as before.
fn is_back(stage: &Stage, mia: &Radio, seat: &Seat, said: &[Vec<u8>]) {
    mia.hear(said.len() - mia.media().len());
    assert_eq!(mia.media(), said, "on the old leg, nothing missing or twice");
    until("she is listed", || stage.a.participants(&seat.call).iter().filter(|user| *user == MIA).count() == 1);
    stage.a.entered(mia, FIRE);
    assert!(stage.b.calls().is_empty());
}

#[test]
fn rollback_p4_no_profile_for_the_partner() {
    let stage = Stage::new();
    let mut mia = stage.radio(MIA, &[]);
    stage.a.affiliate(&mut mia, json!([{"group": FIRE}]));
    let (tom, seat, mut said) = burst(&stage, &[&mia]);
    stage.put_user(MIA, json!({"groups": [FIRE], "partners": []}));
    let groups = mia.resuming(FIRE);
    let migration = stage.b.begin_move(&mia, A, groups);
    let moved = stage.b.watch(&migration, is_over);
    ended_with(&moved, "profile-not-valid-here");
    said.extend(stage.speak_anew(&tom, &seat, 10..20));
    is_back(&stage, &mia, &seat, &said);
    stage.a.audited("migration-rolled-back", None);
    stage.b.audited("migration-gate-failed", Some("profile-not-valid-here"));
    stage.nothing_is_left(FIRE);
}

#[test]
fn rollback_p6_the_primary_refuses() {
    let stage = Stage::new();
    let mia = stage.radio(MIA, &[FIRE]);
    let (tom, seat, mut said) = burst(&stage, &[&mia]);
    stage.a.fault(B, Fault::Delay(Duration::from_millis(900)));
    let groups = mia.resuming(FIRE);
    let migration = stage.b.begin_move(&mia, A, groups);
    stage.b.watch(&migration, passed("P4"));
    // The authorization is asked for, and has not arrived.
    stage.put_user(MIA, json!({"groups": [FIRE], "partners": []}));
    let moved = stage.b.watch(&migration, is_over);
    ended_with(&moved, "profile-not-valid-here");
    assert_eq!(moved["phases"][2]["phase"], "P6", "{moved}");
    stage.a.fault(B, Fault::Heal);
    said.extend(stage.speak_anew(&tom, &seat, 10..20));
    is_back(&stage, &mia, &seat, &said);
    stage.a.audited("migration-refused", Some("profile-not-valid-here"));
}

/// Two cuts, each with two clients of hers: one has just asked to leave, the other stands at P4, or at P6.
#[test]
fn rollback_p1_p4_p6_the_trunk_is_cut() {
    let stage = Stage::new();
    let clients: Vec<Radio> = ["ahead", "behind"]
        .into_iter()
        .map(|client| {
            let mut radio = Radio::with_client(MIA, client);
            stage.a.authorize(&mut radio);
            stage.a.affiliate(&mut radio, json!([{"group": FIRE}]));
            radio
        })
        .collect();
    let (tom, seat, mut said) = burst(&stage, &clients.iter().collect::<Vec<_>>());
    let mut clients = clients;
    for (number, (before, gate)) in (10_u16..).step_by(20).zip([("P1", "P4"), ("P4", "P6")]) {
        stage.a.fault(B, Fault::Delay(Duration::from_millis(900)));
        let begin = |radio: &Radio| stage.b.begin_move(radio, A, radio.resuming(FIRE));
        let ahead = begin(&clients[0]);
        stage.b.watch(&ahead, passed(before));
        let behind = begin(&clients[1]);
        stage.a.fault(B, Fault::Cut);
        for (migration, gate) in [(ahead, gate), (behind, "P1")] {
            let moved = stage.b.watch(&migration, is_over);
            ended_with(&moved, "home-unreachable");
            let last = moved["phases"].as_array().unwrap().last().unwrap().clone();
            assert_eq!((&last["phase"], &last["result"]), (&json!(gate), &json!("home-unreachable")), "{moved}");
        }
        said.extend(stage.speak_anew(&tom, &seat, number..number + 10));
        stage.await_cut();
        stage.a.fault(B, Fault::Heal);
        stage.await_trunk();
        said.extend(stage.speak_anew(&tom, &seat, number + 10..number + 20));
        for client in &mut clients {
            client.hear(20);
            assert_eq!(client.media(), said, "{} at {gate}", client.client);
            stage.a.entered(client, FIRE);
            stage.a.authorize(client);
        }
        stage.a.lists(&seat.call, &[MIA, MIA, TOM]);
    }
    stage.nothing_is_left(FIRE);
}

/// A has committed and B does not know: B gives up what it never had, and she comes back by herself.
#[test]
fn rollback_p6_the_answer_is_lost_after_the_commit() {
    let stage = Stage::new();
    let mut mia = stage.radio(MIA, &[FIRE]);
    let _ana = stage.radio(ANA, &[FIRE]);
    let (tom, seat, mut said) = burst(&stage, &[&mia]);
    stage.b.fault(A, Fault::Delay(Duration::from_millis(900)));
    let groups = mia.resuming(FIRE);
    let migration = stage.b.begin_move(&mia, A, groups);
    stage.b.watch(&migration, passed("P4"));
    stage.a.audited("migration-authorized", None);
    stage.b.fault(A, Fault::Cut);
    let moved = stage.b.watch(&migration, is_over);
    ended_with(&moved, "home-unreachable");
    assert_eq!(moved["phases"][2]["phase"], "P6", "{moved}");
    said.extend(stage.speak_anew(&tom, &seat, 10..20));
    stage.await_cut();
    stage.b.fault(A, Fault::Heal);
    stage.a.audited("migration-given-up", None);
    let groups = mia.resuming(FIRE);
    stage.a.authorize(&mut mia);
    stage.a.affiliate(&mut mia, groups);
    said.extend(stage.speak_anew(&tom, &seat, 20..30));
    mia.hear(20);
    assert_eq!(mia.media(), said);
    stage.a.lists(&seat.call, &[ANA, MIA, TOM]);
    stage.nothing_is_left(FIRE);
}

#[test]
fn mig_21_b_dies_after_p1_and_a_takes_her_back_in_time() {
    let mut stage = Stage::new();
    let mia = stage.radio(MIA, &[FIRE]);
    let ana = stage.radio(ANA, &[FIRE]);
    let (tom, seat, mut said) = burst(&stage, &[&mia, &ana]);
    stage.a.fault(B, Fault::Delay(Duration::from_millis(900)));
    let groups = mia.resuming(FIRE);
    let migration = stage.b.begin_move(&mia, A, groups);
    let begin = Instant::now();
    stage.b.watch(&migration, passed("P1"));
    stage.a.lists(&seat.call, &[ANA, TOM]);
    stage.b.crash(A);
    said.extend(stage.speak_anew(&tom, &seat, 10..20));
    assert_eq!(ana.hear(10), said[10..]);
    // Nobody tells A anything, and she does nothing.
    mia.hear(10);
    assert!(begin.elapsed() < COMMIT + Duration::from_secs(5), "it took {:?}", begin.elapsed());
    assert_eq!(mia.media(), said, "on the old leg, from the last packet that was sent to it");
    stage.a.entered(&mia, FIRE);
    stage.a.lists(&seat.call, &[ANA, MIA, TOM]);
    stage.a.audited("migration-rolled-back", None);
    // B comes back, and has given her up.
    stage.a.fault(B, Fault::Heal);
    stage.b.restart();
    ended_with(&stage.b.get(&format!("/v1/migrations/{migration}")).expect(200), "home-unreachable");
    stage.await_trunk();
    said.extend(stage.speak_anew(&tom, &seat, 20..30));
    mia.hear(10);
    assert_eq!(mia.media(), said, "nobody takes her away again");
    assert_eq!((stage.a.participants(&seat.call).len(), stage.b.calls().len()), (3, 0));
}

#[test]
fn rollback_b_dies_after_p6_and_she_returns_by_herself() {
    let mut stage = Stage::new();
    let mut mia = stage.radio(MIA, &[FIRE]);
    let (tom, seat, mut said) = burst(&stage, &[&mia]);
    let groups = mia.resuming(FIRE);
    mia.new_leg();
    let moved = stage.b.take_over(&mut mia, A, groups);
    assert_eq!(moved["phase"], "P9", "{moved}");
    said.extend(stage.speak_anew(&tom, &seat, 10..20));
    mia.hear(10);
    let in_b = mia.alias.clone();
    stage.b.crash(A);
    said.extend(stage.speak_anew(&tom, &seat, 20..30));
    // A believes that she is in B, and takes her all the same: a greater generation wins.
    let groups = mia.resuming(FIRE);
    mia.new_leg();
    stage.a.authorize(&mut mia);
    stage.a.affiliate(&mut mia, groups);
    mia.hear(10);
    assert_eq!(mia.media(), said);
    stage.b.restart();
    stage.await_trunk();
    let body = json!({"user": in_b, "client": mia.client, "groups": [{"group": FIRE}]});
    until("B has learnt that she is at home", || stage.b.post("/v1/affiliations", &body).status == 403);
    said.extend(stage.speak_anew(&tom, &seat, 30..40));
    mia.hear(10);
    assert_eq!(mia.media(), said);
    until("one leg is left", || stage.a.participants(&seat.call) == [MIA, TOM] && stage.b.calls().is_empty());
    assert_eq!(stage.a.get(&format!("/v1/users/{}", segment(MIA))).status, 200);
}
