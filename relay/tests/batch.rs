//! Many enter at once: one publication, one letter, an answer for each.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use relay::{
    Call, CallSettings, Config, Entering, Exhausted, Relay,
    call::{EnterError, Entered},
};
use relay_core::{Slot, roster};

fn start() -> Relay {
    let config = Config { media: "127.0.0.1:0".parse().unwrap(), workers: 1, calls_max: 4 };
    Relay::start(config).expect("loopback is there").0
}

fn open(relay: &Relay, participants_max: u32) -> Call {
    relay.open_call(Arc::from("call"), CallSettings { participants_max, ..CallSettings::default() }).unwrap()
}

fn somebody(call: &Call, number: u32) -> roster::Participant {
    let rtp: SocketAddr = (Ipv4Addr::from(0x7f02_0000 + number), 4000).into();
    let leg = roster::Leg { rtp, floor: None };
    roster::Participant::new(&format!("sip:{number}@a"), "radio", leg, call.assign_ssrc().unwrap())
}

fn newcomers(call: &Call, numbers: std::ops::Range<u32>) -> Vec<Entering> {
    numbers.map(|number| Entering { slot: None, participant: somebody(call, number) }).collect()
}

fn refusals(answers: &[Result<Entered, EnterError>]) -> Vec<EnterError> {
    answers.iter().filter_map(|answer| answer.clone().err()).collect()
}

#[tokio::test]
async fn a_batch_is_one_publication_and_answers_in_its_order() {
    let relay = start();
    let call = open(&relay, 2000);
    let before = call.epoch();
    let answers = call.enter_many(newcomers(&call, 0..1000)).await;
    assert_eq!(call.epoch(), before + 1);
    let entered: Vec<Entered> = answers.into_iter().map(Result::unwrap).collect();
    assert!(entered.iter().enumerate().all(|(at, entered)| entered.slot == Slot(at as u32)));
    assert_eq!(call.participants(None, 2000).await.unwrap().len(), 1000);
    // Replaced legs and newcomers mix; a slot that nobody has is that item's trouble only.
    let moved = somebody(&call, 5000);
    let mixed = vec![
        Entering { slot: Some(Slot(7)), participant: moved.clone() },
        Entering { slot: Some(Slot(1500)), participant: moved.clone() },
        Entering { slot: None, participant: somebody(&call, 5001) },
    ];
    let answers = call.enter_many(mixed).await;
    let moved = answers[0].as_ref().unwrap();
    assert_eq!(moved.slot, Slot(7));
    assert_ne!(moved.entry, entered[7].entry, "a new leg, a new entry");
    assert_eq!(answers[1].as_ref().unwrap_err(), &EnterError::Left);
    assert_eq!(answers[2].as_ref().unwrap().slot, Slot(1000));
    assert!(call.enter_many(Vec::new()).await.is_empty());
    relay.stop();
}

#[tokio::test]
async fn a_call_takes_as_many_of_a_batch_as_it_has_room_for() {
    let relay = start();
    let call = open(&relay, 3);
    let answers = call.enter_many(newcomers(&call, 0..5)).await;
    let full = EnterError::Exhausted(Exhausted { limit: "participants", value: 3 });
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, true, false, false]);
    assert_eq!(refusals(&answers), [full.clone(), full]);
    assert_eq!(call.participants(None, 9).await.unwrap().len(), 3);
    call.close().await.unwrap();
    assert_eq!(refusals(&call.enter_many(newcomers(&call, 5..7)).await), [EnterError::Ended, EnterError::Ended]);
    relay.stop();
}

#[tokio::test]
async fn a_batch_that_its_owner_does_not_answer_costs_two_seconds_and_no_more() {
    let relay = start();
    let call = open(&relay, 2000);
    // A worker that has ended is a worker that is stuck for good.
    relay.stop();
    let begin = Instant::now();
    let answers = call.enter_many(newcomers(&call, 0..1000)).await;
    assert_eq!(refusals(&answers), vec![EnterError::Unanswered; 1000]);
    let waited = begin.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(4)).contains(&waited), "{waited:?}");
}

/// However many enter, a batch is one letter: there is room for it where there is room for one.
#[tokio::test]
async fn a_batch_fits_where_one_letter_fits() {
    let relay = start();
    let call = open(&relay, 1000);
    call.participants(None, 1).await.unwrap();
    relay.stop();
    let limit = relay.limits().into_iter().find(|limit| limit.name == "worker.mail").unwrap().value;
    (1..limit).for_each(|_| call.configure(&CallSettings::default()).unwrap());
    // The last place is its letter's; nobody reads it, and there is none left to ask for its withdrawal.
    let answers = call.enter_many(newcomers(&call, 0..1000)).await;
    assert_eq!(refusals(&answers), vec![EnterError::Unanswered; 1000]);
    let full = EnterError::Exhausted(Exhausted { limit: "worker.mail", value: limit });
    // Whoever was refused holds no place: the next are refused for the same reason, and not because the call is full.
    for _ in 0..2 {
        let answers = call.enter_many(newcomers(&call, 1000..2000)).await;
        assert_eq!(refusals(&answers), vec![full.clone(); 1000]);
    }
}
