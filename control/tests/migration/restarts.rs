//! Systems that restart, and a trunk that is cut, in the middle of a call.

use super::{
    host::until,
    radio::{Radio, Seat},
    stage::{ANA, B, BEA, BOB, FIRE, Stage, TOM},
};
use relay::trunk::Fault;
use serde_json::json;

/// Tom talks in A, and Bea has heard him in B.
fn burst(stage: &Stage) -> (Radio, Seat, Radio, Vec<Vec<u8>>) {
    let (tom, seat) = stage.talker(TOM, FIRE);
    let bea = stage.radio(BEA, &[FIRE]);
    stage.b.entered(&bea, FIRE);
    let said = stage.speak(&tom, &seat, 0..10);
    assert_eq!(bea.hear(10), said);
    (tom, seat, bea, said)
}

#[test]
fn after_a_restart_of_b_its_clients_come_back_with_what_they_missed() {
    let mut stage = Stage::new();
    let (tom, seat, mut bea, mut said) = burst(&stage);
    let in_b = stage.b.entered(&bea, FIRE);
    stage.b.stop();
    bea.new_leg();
    said.extend(stage.speak(&tom, &seat, 10..20));
    stage.b.restart();
    let path = format!("/v1/calls/{}/participants/{}/leg", in_b.call, in_b.participant);
    stage.b.put(&path, &bea.leg()).is_problem(404, "no-such-call");
    stage.await_trunk();
    let groups = bea.resuming(FIRE);
    stage.b.affiliate(&mut bea, groups);
    let again = stage.b.entered(&bea, FIRE);
    bea.hear(10);
    said.extend(stage.speak(&tom, &seat, 20..30));
    bea.hear(10);
    assert_eq!(bea.media(), said);
    assert_ne!(again.call, in_b.call);
    until("one participant is left of her", || stage.a.participants(&seat.call) == [BEA, TOM]);
    stage.nothing_is_left(FIRE);
}

#[test]
fn after_a_restart_of_a_the_call_begins_anew_and_b_keeps_its_participants() {
    let mut stage = Stage::new();
    let (tom, seat, bea, mut said) = burst(&stage);
    let bob = stage.radio(BOB, &[FIRE]);
    let before = (stage.b.entered(&bea, FIRE), stage.b.entered(&bob, FIRE));
    bob.hear(1);
    until("what late entry brings is there", || bob.is_silent());
    let heard = bob.media().len();
    stage.a.stop();
    stage.a.restart();
    stage.await_trunk();
    until("B has the group's call started again", || stage.a.calls().len() == 1);
    assert_ne!(stage.a.calls()[0], seat.call);
    // Tom is affiliated as before, with his leg: the server has him in the call.
    until("everybody is in it", || stage.a.participants(&stage.a.calls()[0]) == [BEA, BOB, TOM]);
    let anew = stage.a.entered(&tom, FIRE);
    assert_eq!(stage.a.calls(), std::slice::from_ref(&anew.call), "one call");
    let more = stage.speak(&tom, &anew, 100..120);
    said.extend(more.clone());
    assert_eq!((bea.hear(20), bob.hear(20)), (more.clone(), more));
    assert_eq!((bea.media(), bob.media().len()), (said, heard + 20), "each once");
    let after = (stage.b.entered(&bea, FIRE), stage.b.entered(&bob, FIRE));
    for (before, after) in [(&before.0, &after.0), (&before.1, &after.1)] {
        let place = |seat: &Seat| (seat.call.clone(), seat.participant.clone(), seat.ssrc, seat.rtp);
        assert_eq!(place(before), place(after), "B's participants keep call, id, leg and SSRC");
    }
    stage.nothing_is_left(FIRE);
}

#[test]
fn after_a_cut_what_was_said_meanwhile_follows_in_order() {
    let stage = Stage::new();
    // However long it takes until the trunk stands again on this machine, A still has it.
    let media = json!({"retention_ms": 60_000, "packets_per_s": 5000, "bytes_per_s": 5_000_000});
    stage.put_group(FIRE, json!({"media": media}));
    let (tom, seat, bea, mut said) = burst(&stage);
    let ana = stage.radio(ANA, &[FIRE]);
    let before = stage.b.entered(&bea, FIRE);
    stage.a.fault(B, Fault::Cut);
    said.extend(stage.speak_anew(&tom, &seat, 10..60));
    stage.await_cut();
    assert!(bea.is_silent());
    said.extend(stage.speak_anew(&tom, &seat, 60..110));
    stage.a.fault(B, Fault::Heal);
    bea.hear(100);
    said.extend(stage.speak_anew(&tom, &seat, 110..120));
    bea.hear(10);
    assert_eq!(bea.media(), said, "in order, nothing missing or twice");
    assert_eq!(stage.b.entered(&bea, FIRE).participant, before.participant);
    stage.a.lists(&seat.call, &[ANA, BEA, TOM]);
    ana.hear(120);
    assert_eq!(ana.media(), said, "where nothing was cut nothing was late");
    stage.nothing_is_left(FIRE);
}
