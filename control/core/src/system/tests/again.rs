//! A client that could not be entered into a running call is tried again, with back-off, while the call lasts (P8).

use std::vec::Vec;

use relay_core::Millis;

use super::{
    super::{Ask, RETRY_MS_MAX, Scope},
    moves::{FIRE, world},
    world::{A, ANA, B, World},
};
use crate::Cause;

/// Ana has moved to B, where nobody is entered for this cause; her affiliation. It was tried once.
fn shut_out(cause: Cause) -> (World, std::string::String) {
    let (mut world, ticket) = world();
    world.node(B).shut = Some(cause);
    let id = world.migrate(B, A, Some(&ticket), &[FIRE]);
    world.pass(Millis(500));
    let shown = world.migration(B, &id);
    assert_eq!(shown.phase, super::super::Phase::Done, "a call that is full is no reason to go back");
    let why = shown.groups[0].not_entered.as_ref().map(|refused| refused.cause);
    assert_eq!((shown.groups[0].result.clone(), why), (Ok(None), Some(cause)));
    assert_eq!(world.nodes[B].enters.len(), 1);
    (world, shown.affiliation.expect("it has one"))
}

/// Milliseconds between the tries.
fn gaps(world: &World) -> Vec<u64> {
    world.nodes[B].enters.windows(2).map(|pair| pair[1].micros_since(pair[0]) / 1_000).collect()
}

#[test] //= TS 23.379 §10.6.2.3.1.1.4 test
fn rollback_p8_who_found_a_call_full_is_tried_again_with_back_off() {
    let (mut world, affiliation) = shut_out(Cause::LimitReached);
    world.pass(Millis(100_000));
    assert_eq!(gaps(&world), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    let shown = |world: &mut World| match world.ask(B, Ask::Affiliation { affiliation: affiliation.clone() }) {
        Ok(super::super::Answer::Affiliation { items, .. }) => super::asks::lines(&items),
        other => panic!("{other:?}"),
    };
    assert_eq!(shown(&mut world), ["sip:fire@a.example affiliated, not entered: limit-reached"]);
    world.node(B).shut = None;
    world.pass(RETRY_MS_MAX);
    assert_eq!(world.in_call(FIRE, ANA, "radio"), [B], "nobody asked");
    assert_eq!(shown(&mut world), ["sip:fire@a.example call of sip:fire@a.example at b.example"]);
    let tries = world.nodes[B].enters.len();
    world.pass(Millis(100_000));
    assert_eq!(world.nodes[B].enters.len(), tries, "it is in");
}

#[test]
fn nobody_is_tried_again_who_left_or_whose_call_ended_or_who_is_refused_for_good() {
    let (mut world, affiliation) = shut_out(Cause::LimitReached);
    world.deaffiliate(B, &affiliation, Scope::Client);
    world.pass(Millis(100_000));
    assert_eq!(gaps(&world), [0; 0], "she left");

    let (mut world, _) = shut_out(Cause::LimitReached);
    world.node(B).shut = Some(Cause::NoSuchCall);
    world.pass(Millis(100_000));
    assert_eq!(gaps(&world), [1_000], "the home says that the call has ended");

    let (mut world, _) = shut_out(Cause::LimitReached);
    world.migrate(A, B, None, &[]);
    world.pass(Millis(500));
    world.node(A).shut = Some(Cause::OwnerSilent);
    world.affiliate(A, ANA, "radio", &[FIRE]);
    world.pass(Millis(500));
    world.call(A, FIRE, false);
    let tries = world.nodes[A].enters.len();
    world.pass(Millis(100_000));
    assert_eq!(world.nodes[A].enters.len(), tries, "the call of an own group has ended");

    let (mut world, _) = shut_out(Cause::LegAddress);
    world.pass(Millis(100_000));
    assert_eq!(gaps(&world), [0; 0], "the same leg is not allowed later either");
}
