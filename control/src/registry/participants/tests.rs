//! What requests that meet each other leave behind.

use std::{
    pin::pin,
    task::{Context, Waker},
};

use control_core::{
    ended::Ended,
    group::{Group, Member, Model},
};
use relay::Relay;

use relay_core::roster::Leg;

use super::*;
use crate::registry::Registry;

fn group(members: &[&str]) -> Group {
    let member = |user: &&str| Member { user: (*user).into(), priority: 0, receive_only: false };
    Group { members: members.iter().map(member).collect(), ..Group::new(Model::Chat) }
}

fn entry(user: &str, port: u16) -> Entry {
    Entry {
        user: user.into(),
        client: "radio".into(),
        leg: Leg { rtp: ([127, 0, 0, 1], port).into(), floor: None }.into(),
        ssrc: None,
        queueing: true,
        priority: 0,
        resume: Vec::new(),
        implicit_floor_request: false,
        expires: None,
    }
}

/// A registry with a group of Ana, Ben and Eva, and its call.
async fn stage() -> (Registry, Arc<CallRecord>) {
    let media = "127.0.0.1:0".parse().expect("an address");
    let (relay, _) = Relay::start(relay::Config { media, workers: 1, calls_max: 4 }).expect("loopback is there");
    let registry = Registry::new(relay);
    registry.put_group("fire", group(&["ana", "ben", "eva"])).await.expect("a right document");
    let (call, _) = registry.call_to_enter("fire", None).expect("a call");
    (registry, call)
}

async fn enter(registry: &Registry, call: &Arc<CallRecord>, user: &str, port: u16) -> Result<String, Cause> {
    let standing =
        registry.group(&call.group).and_then(|stored| stored.standing(user)).map_err(|refused| refused.cause)?;
    let entered = registry.enter(call, entry(user, port), standing).await;
    entered.map(|seat| seat.participant.id.clone()).map_err(|refused| refused.cause)
}

async fn stop(registry: Registry) {
    tokio::task::spawn_blocking(move || registry.relay.stop()).await.expect("the relay stops");
}

/// Runs until it waits for somebody.
fn begin<F: Future>(future: std::pin::Pin<&mut F>) {
    assert!(future.poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[tokio::test]
async fn an_address_that_was_asked_for_while_its_client_left_is_free() {
    let (registry, call) = stage().await;
    let ana = enter(&registry, &call, "ana", 40_000).await.expect("a place");
    enter(&registry, &call, "eva", 40_002).await.expect("a place");
    {
        let record = registry.participant(&call, &ana).expect("she is there");
        let busy = record.placed_owned().await;
        let mut leaving = pin!(registry.leave(&call, &ana));
        begin(leaving.as_mut());
        let mut replacing = pin!(enter(&registry, &call, "ana", 40_004));
        begin(replacing.as_mut());
        drop(busy);
        leaving.await.expect("she leaves");
        assert_ne!(replacing.await.expect("and enters anew"), ana);
    }
    assert_eq!(enter(&registry, &call, "ben", 40_004).await, Err(Cause::LegInUse));
    assert!(enter(&registry, &call, "ben", 40_000).await.is_ok());
    stop(registry).await;
}

/// The roster gives a slot on as soon as the owner has let go of it, before control has heard of that.
#[tokio::test]
async fn a_slot_that_was_given_on_stays_with_its_new_holder() {
    let (registry, call) = stage().await;
    enter(&registry, &call, "eva", 40_002).await.expect("a place");
    let ana = enter(&registry, &call, "ana", 40_000).await.expect("a place");
    let record = registry.participant(&call, &ana).expect("she is there");
    let here = record.placed_owned().await.take().expect("she is served");
    call.media.leave(here.slot, here.entry).await.expect("the owner lets go of her");
    let ben = enter(&registry, &call, "ben", 40_004).await.expect("a place");
    let slot = registry.placed(&call, &ben).await.expect("he is there").slot;
    assert_eq!(slot, here.slot, "the slot that she had");
    registry.forget(&call, &record, (None, here.asked.leg.rtp()), Some(&here), false);
    assert_eq!(call.at_slot(slot).map(|record| record.id.clone()), Some(ben));
    assert_eq!(call.len(), 2);
    stop(registry).await;
}

/// Where more ended than can be remembered, the call itself is not forgotten first.
#[tokio::test]
async fn an_ended_call_is_remembered_before_its_participants_are_forgotten() {
    let (registry, call) = stage().await;
    for (user, port) in [("ana", 40_000), ("ben", 40_002), ("eva", 40_004)] {
        enter(&registry, &call, user, port).await.expect("a place");
    }
    *registry.ended.lock().expect("nobody panicked") = Ended::new(3);
    registry.end(&call).await.expect("it ends");
    assert!(registry.has_ended(&call.id));
    stop(registry).await;
}
