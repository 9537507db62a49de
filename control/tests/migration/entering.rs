//! Entering late in the new system: what comes first, what comes at all, and what it costs (MIG-10, 11).

use std::time::{Duration, Instant};

use relay::trunk::Fault;
use serde_json::json;

use super::{
    host::until,
    radio::{Heard, Radio, Seat, Word},
    stage::{A, ANA, B, BEA, FIRE, MIA, Stage, TOM},
};

fn taken_by_tom(seat: &Seat) -> Word {
    Word::Taken { talker: Some(TOM.into()), ssrc: Some(seat.ssrc) }
}

/// Moves Mia while a burst runs; what her new leg heard first.
fn moves_into_a_burst(stage: &Stage) -> (Seat, Vec<Heard>) {
    let (tom, seat) = stage.talker(TOM, FIRE);
    let _ana = stage.radio(ANA, &[FIRE]);
    let mut mia = stage.radio(MIA, &[FIRE]);
    let said = stage.speak(&tom, &seat, 0..20);
    assert_eq!(mia.hear(20), said);
    let groups = mia.resuming(FIRE);
    let before = mia.all().len();
    mia.new_leg();
    let migration = stage.b.begin_move(&mia, A, groups);
    let moved = stage.b.watch(&migration, super::host::is_over);
    assert_eq!(moved["phase"], "P9", "{moved}");
    let floor = Seat::of_item(&moved["groups"][0]).late_entry["floor"].clone();
    assert_eq!((&floor["state"], &floor["talker"]), (&json!("taken"), &json!(TOM)), "{floor}");
    stage.speak(&tom, &seat, 20..30);
    mia.hear(10);
    (seat, mia.all()[before..].to_vec())
}

//= TS 24.380 §6.3.5.2 test
#[test]
fn mig_10_floor_taken_comes_before_media_where_b_is_empty() {
    let stage = Stage::new();
    let (seat, heard) = moves_into_a_burst(&stage);
    assert!(matches!(&heard[0], Heard::Floor(_, word) if *word == taken_by_tom(&seat)), "{:?}", &heard[..3]);
}

#[test]
fn mig_10_floor_taken_comes_before_media_where_b_carries_the_call() {
    let stage = Stage::new();
    let bea = stage.radio(BEA, &[]);
    let mut bea = bea;
    stage.b.affiliate(&mut bea, json!([{"group": FIRE}]));
    let (seat, heard) = moves_into_a_burst(&stage);
    assert!(matches!(&heard[0], Heard::Floor(_, word) if *word == taken_by_tom(&seat)), "{:?}", &heard[..3]);
    assert_eq!(bea.hear(30).len(), 30);
}

//= TS 24.380 §6.3.5.2 test
#[test]
fn mig_11_who_comes_in_between_two_bursts_is_told_that_the_floor_is_idle() {
    let stage = Stage::new();
    let (tom, seat) = stage.talker(TOM, FIRE);
    let mut mia = stage.radio(MIA, &[FIRE]);
    let said = stage.speak(&tom, &seat, 0..5);
    assert_eq!(mia.hear(5), said);
    assert_eq!(stage.a.floor(&seat, "release", 5), "released");
    mia.told(|word| *word == Word::Idle);
    let before = mia.all().len();
    mia.new_leg();
    let moved = stage.b.take_over(&mut mia, A, json!([{"group": FIRE}]));
    let floor = Seat::of_item(&moved["groups"][0]).late_entry["floor"].clone();
    assert_eq!((&floor["state"], &floor["talker"]), (&json!("idle"), &json!(null)), "{floor}");
    mia.told(|word| *word == Word::Idle);
    assert!(mia.is_silent(), "nobody talks, and nothing was asked for");
    assert!(!mia.all()[before..].iter().any(|heard| matches!(heard, Heard::Floor(_, Word::Taken { .. }))));
}

#[test]
fn fifty_participants_behind_the_trunk_cost_one_copy_per_packet() {
    let stage = Stage::new();
    let (tom, seat) = stage.talker(TOM, FIRE);
    let clients: Vec<Radio> = (0..50)
        .map(|number| {
            let mut radio = Radio::with_client(BEA, &format!("radio-{number}"));
            stage.b.authorize(&mut radio);
            stage.b.affiliate(&mut radio, json!([{"group": FIRE}]));
            stage.b.entered(&radio, FIRE);
            radio
        })
        .collect();
    let ana = stage.radio(ANA, &[FIRE]);
    until("the home knows all of them", || stage.a.participants(&seat.call).len() == 52);
    let said = stage.speak(&tom, &seat, 0..100);
    assert_eq!(ana.hear(100), said);
    for client in &clients {
        assert_eq!(client.hear(100), said, "byte for byte, as in the home");
    }
    assert_eq!(stage.a.metric("carryover_trunk_packets_sent_total"), 100);
    assert_eq!(stage.b.metric("carryover_trunk_packets_sent_total"), 0, "nothing comes back");
}

/// The system that carries the call has all that an entry needs.
#[test]
fn an_entry_does_not_wait_for_a_slow_trunk() {
    const DELAY: Duration = Duration::from_secs(2);
    let stage = Stage::new();
    let (tom, seat) = stage.talker(TOM, FIRE);
    let mut bea = stage.radio(BEA, &[FIRE]);
    let in_b = stage.b.entered(&bea, FIRE);
    // Affiliated, and not in the call: she has not said where.
    let mut second = Radio::with_client(BEA, "second");
    stage.b.authorize(&mut second);
    let body = json!({"user": BEA, "client": "second", "groups": [{"group": FIRE}]});
    stage.b.post("/v1/affiliations", &body).expect(200);
    let said = stage.speak(&tom, &seat, 0..10);
    assert_eq!(bea.hear(10), said);
    stage.b.fault(A, Fault::Delay(DELAY));
    let path = format!("/v1/calls/{}/participants", in_b.call);
    let begin = Instant::now();
    let body = json!({"user": BEA, "client": "second", "leg": second.leg(),
        "resume": [{"ssrc": seat.ssrc, "sequence": 4}]});
    let entered = Seat::read(&stage.b.post(&path, &body).expect(201));
    assert_eq!(second.hear(5), said[5..], "from the retention of B");
    let points = bea.points();
    bea.new_leg();
    let body = json!({"user": BEA, "client": "radio", "leg": bea.leg(), "resume": points});
    let replaced = Seat::read(&stage.b.post(&path, &body).expect(200));
    bea.told(|word| *word == taken_by_tom(&seat));
    assert!(begin.elapsed() < DELAY, "nobody waited for the trunk: {:?}", begin.elapsed());
    assert_eq!((replaced.participant, replaced.ssrc), (in_b.participant, in_b.ssrc));
    assert_eq!(entered.late_entry["floor"]["talker"], TOM);
    // What is said now comes later, to both, and nothing of it is lost.
    let more = stage.speak(&tom, &seat, 10..15);
    assert_eq!((second.hear(5), bea.hear(5)), (more.clone(), more));
    assert!(begin.elapsed() >= DELAY, "the trunk was slow");
    stage.b.fault(A, Fault::Heal);
    assert_eq!(stage.a.get("/v1/partners/b.example").body["up"], true, "{B}");
}
