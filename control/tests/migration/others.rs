//! Others: the call that is left behind, the second client, and who looks on (MIG-16, 23, 40).

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::{
    host::until,
    radio::{Heard, Radio, Seat, Word},
    stage::{A, ANA, FIRE, MIA, Stage, TOM},
};

/// Mia and Tom are in a call; she is on her way, and he leaves. The call.
fn both_leave(stage: &Stage) -> (Radio, Seat) {
    let (tom, seat) = stage.talker(TOM, FIRE);
    let mia = stage.radio(MIA, &[FIRE]);
    stage.a.entered(&mia, FIRE);
    stage.a.leave(&mia);
    stage.a.leave(&tom);
    (mia, seat)
}

//= TS 23.379 §10.6.2.3.1.1.3 test
#[test]
fn mig_16_a_call_waits_for_its_only_participant_that_moves() {
    let stage = Stage::new();
    let (mut mia, seat) = both_leave(&stage);
    assert_eq!(stage.a.calls(), std::slice::from_ref(&seat.call), "nobody is in it, and it goes on");
    let groups = json!([{"group": FIRE}]);
    let moved = stage.b.take_over(&mut mia, A, groups);
    Seat::of_item(&moved["groups"][0]);
    assert_eq!(stage.a.calls(), std::slice::from_ref(&seat.call));
    stage.a.lists(&seat.call, &[MIA]);
    // Her leaving for good ends it.
    stage.b.leave(&mia);
    until("a call that everybody has left ends", || stage.a.calls().is_empty() && stage.b.calls().is_empty());
}

#[test]
fn mig_16_without_grace_a_call_ends_with_its_last_participant() {
    let stage = Stage::new();
    stage.put_group(FIRE, json!({"migration_grace_s": 0}));
    let (_mia, seat) = both_leave(&stage);
    until("it waits for nobody", || stage.a.calls().is_empty());
    stage.a.get(&format!("/v1/calls/{}", seat.call)).is_problem(410, "call-ended");
}

#[test]
fn mig_17_a_call_that_ends_in_the_gap_ends_cleanly() {
    let stage = Stage::new();
    stage.put_group(FIRE, json!({"floor": {"hang_time_s": 1}}));
    let (_tom, seat) = stage.talker(TOM, FIRE);
    let mut mia = stage.radio(MIA, &[FIRE]);
    stage.a.entered(&mia, FIRE);
    stage.a.leave(&mia);
    until("nobody has spoken for the hang time", || stage.a.calls().is_empty());
    let moved = stage.b.take_over(&mut mia, A, json!([{"group": FIRE}]));
    let item = &moved["groups"][0];
    assert_eq!((&moved["phase"], &item["status"]), (&json!("P9"), &json!("affiliated")), "{moved}");
    assert_eq!(item["entered"], json!(null), "she is told that there is no call: {moved}");
    stage.a.get(&format!("/v1/calls/{}", seat.call)).is_problem(410, "call-ended");
    assert!(stage.a.calls().is_empty() && stage.b.calls().is_empty());
    // The next one has her in it.
    let tom = stage.radio(TOM, &[FIRE]);
    let next = stage.a.call(&tom, FIRE, json!([]));
    stage.b.entered(&mia, FIRE);
    stage.a.lists(&next.call, &[MIA, TOM]);
}

//= TS 23.280 §10.8.2.6 test
#[test]
fn mig_23_the_second_client_stays_in_a() {
    let stage = Stage::new();
    let (tom, seat) = stage.talker(TOM, FIRE);
    let mut mia = stage.radio(MIA, &[FIRE]);
    let mut second = Radio::with_client(MIA, "second");
    stage.a.authorize(&mut second);
    stage.a.affiliate(&mut second, json!([{"group": FIRE}]));
    let place = stage.a.entered(&second, FIRE);
    let mut said = stage.speak(&tom, &seat, 0..10);
    assert_eq!((mia.hear(10), second.hear(10)), (said.clone(), said.clone()));
    let groups = mia.resuming(FIRE);
    let moved = stage.b.take_over(&mut mia, A, groups);
    assert_eq!(moved["phase"], "P9", "{moved}");
    said.extend(stage.speak(&tom, &seat, 10..20));
    mia.hear(10);
    second.hear(10);
    assert_eq!((mia.media(), second.media()), (said.clone(), said));
    stage.a.lists(&seat.call, &[MIA, MIA, TOM]);
    let kept = stage.a.entered(&second, FIRE);
    assert_eq!((kept.participant, kept.ssrc), (place.participant, place.ssrc), "nothing happened to it");
}

#[test]
fn mig_40_observers_see_at_most_one_leaving_and_one_coming() {
    let stage = Stage::new();
    let (tom, seat) = stage.talker(TOM, FIRE);
    let ana = stage.radio(ANA, &[FIRE]);
    let mut mia = stage.radio(MIA, &[FIRE]);
    stage.a.entered(&mia, FIRE);
    let mut said = stage.speak(&tom, &seat, 0..10);
    assert_eq!((ana.hear(10), mia.hear(10)), (said.clone(), said.clone()));
    let told = |radio: &Radio| radio.all().into_iter().filter(|heard| !matches!(heard, Heard::Media(_))).count();
    let before = told(&ana);
    let (over, looked) = (AtomicBool::new(false), AtomicBool::new(false));
    let groups = mia.resuming(FIRE);
    let seen = std::thread::scope(|scope| {
        let observer = scope.spawn(|| {
            let mut seen: Vec<usize> = Vec::new();
            loop {
                let last = over.load(Ordering::SeqCst);
                let there = stage.a.participants(&seat.call).iter().filter(|user| *user == MIA).count();
                if seen.last() != Some(&there) {
                    seen.push(there);
                }
                looked.store(true, Ordering::SeqCst);
                if last {
                    return seen;
                }
            }
        });
        until("somebody looks", || looked.load(Ordering::SeqCst));
        let moved = stage.b.take_over(&mut mia, A, groups);
        stage.a.lists(&seat.call, &[ANA, MIA, TOM]);
        over.store(true, Ordering::SeqCst);
        assert_eq!(moved["phase"], "P9", "{moved}");
        observer.join().unwrap()
    });
    assert!(seen == [1, 0, 1] || seen == [1], "{seen:?}");
    said.extend(stage.speak(&tom, &seat, 10..20));
    assert_eq!(ana.hear(10), said[10..]);
    assert!(ana.is_silent());
    assert_eq!(ana.media(), said, "who stays hears no difference");
    let news = ana.all().into_iter().filter(|heard| !matches!(heard, Heard::Media(_))).skip(before);
    let other =
        |heard: &Heard| !matches!(heard, Heard::Floor(_, Word::Taken { talker: Some(talker), .. }) if talker == TOM);
    assert!(!news.into_iter().any(|heard| other(&heard)), "and the floor stays whose it was");
    mia.hear(10);
    assert_eq!(mia.media(), said);
}
