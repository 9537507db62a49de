//! The floor of a call whose arbiter is in the other system (MIG-30, without local filtering).

use serde_json::{Value, json};

use super::{
    radio::{Seat, Word},
    stage::{A, ANA, BEA, FIRE, MIA, Stage, TOM},
};

fn members(ranks: &[(&str, u8)]) -> Value {
    ranks.iter().map(|(user, priority)| json!({"user": user, "priority": priority})).collect()
}

//= TS 23.379 §10.9.1.4 test
#[test]
fn mig_30_the_home_arbitrates_for_who_moved() {
    let stage = Stage::new();
    stage.put_group(FIRE, json!({"members": members(&[(TOM, 7), (ANA, 1), (MIA, 3), (BEA, 3)])}));
    let (tom, seat) = stage.talker(TOM, FIRE);
    let bea = stage.radio(BEA, &[FIRE]);
    let ana = stage.radio(ANA, &[FIRE]);
    let mut mia = stage.radio(MIA, &[FIRE]);
    let moved = stage.b.take_over(&mut mia, A, json!([{"group": FIRE}]));
    let in_b = Seat::of_item(&moved["groups"][0]);
    let in_b_of_bea = stage.b.entered(&bea, FIRE);
    // There and back: the home grants, and everybody is told who talks, under which SSRC.
    assert_eq!(stage.b.floor(&in_b, "request", 3), "granted");
    mia.told(|word| *word == Word::Granted);
    for listening in [&tom, &ana, &bea] {
        let by_mia = Word::Taken { talker: Some(MIA.into()), ssrc: Some(in_b.ssrc) };
        listening.told(|word| *word == by_mia);
    }
    // Who asks either system who talks is told the same, whether about one call or about all.
    for host in [&stage.a, &stage.b] {
        let listed = &host.get("/v1/calls").expect(200)["items"][0];
        assert_eq!((&listed["floor"]["talker"], &listed["floor"]["audio_ssrc"]), (&json!(MIA), &json!(in_b.ssrc)));
    }
    let said = mia.say(&in_b, 0..20);
    assert_eq!((tom.hear(20), ana.hear(20), bea.hear(20)), (said.clone(), said.clone(), said));
    assert!(mia.is_silent(), "nobody hears itself");
    assert_eq!(stage.b.metric("carryover_trunk_packets_sent_total"), 20);
    assert_eq!(stage.a.metric("carryover_trunk_packets_sent_total"), 0, "never back where it came from");
    // A request of the same rank waits in the home's queue; one of a higher rank takes the floor.
    assert_eq!(stage.b.floor(&in_b_of_bea, "request", 3), "queued");
    assert_eq!(stage.a.floor(&seat, "request", 7), "queued");
    mia.told(|word| *word == Word::Revoke(4));
    assert_eq!(stage.b.floor(&in_b, "release", 3), "released");
    tom.told(|word| *word == Word::Granted);
    for listening in [&mia, &ana, &bea] {
        listening.told(|word| *word == Word::Taken { talker: Some(TOM.into()), ssrc: Some(seat.ssrc) });
    }
    let listed = &stage.b.get("/v1/calls").expect(200)["items"][0];
    assert_eq!(listed["floor"]["talker"], TOM, "he talks in the other system: {listed}");
    let said = tom.say(&seat, 0..20);
    assert_eq!((mia.hear(20), ana.hear(20), bea.hear(20)), (said.clone(), said.clone(), said));
    // What is said without the floor goes nowhere.
    bea.say(&in_b_of_bea, 90..95);
    bea.told(|word| *word == Word::Revoke(3));
    assert_eq!(stage.a.floor(&seat, "release", 7), "released");
    bea.told(|word| *word == Word::Granted);
    let said = bea.say(&in_b_of_bea, 0..10);
    assert_eq!((tom.hear(10), ana.hear(10), mia.hear(10)), (said.clone(), said.clone(), said));
}
