//! The machine and the home's general machine at both ends of a trunk, under every order of inputs, delays and cuts.

mod world;

use proptest::prelude::*;

use super::{FromHome, LEASE};
use crate::floor::cause::{DenyCause, RevokeCause};
use crate::floor::general::{Class, State};
use crate::time::Millis;
use world::{Action, HOME, World};

fn strays() -> impl Strategy<Value = FromHome<u8>> {
    prop_oneof![
        (0..4u8).prop_map(|to| FromHome::Granted { to, duration_s: 5, priority: 0 }),
        prop::option::of(0..4u8).prop_map(|by| FromHome::Taken { by }),
        Just(FromHome::Idle),
        (0..4u8).prop_map(|to| FromHome::Deny { to, cause: DenyCause::QueueFull }),
        (0..4u8).prop_map(|to| FromHome::Revoke { to, cause: RevokeCause::Preempted }),
        (0..4u8).prop_map(|to| FromHome::Queued { to, position: 1, priority: 0 }),
        (0..4u8).prop_map(|to| FromHome::NotQueued { to }),
    ]
}

fn whose() -> impl Strategy<Value = u8> {
    prop_oneof![3 => 0..3u8, 1 => HOME..HOME + 2]
}

fn actions() -> impl Strategy<Value = Action> {
    let class = prop_oneof![6 => Just(Class::Normal), 1 => Just(Class::Emergency)];
    prop_oneof![
        8 => (whose(), class, prop::bool::weighted(0.7))
            .prop_map(|(from, class, queueing)| Action::Request { from, class, queueing }),
        5 => whose().prop_map(Action::Release),
        1 => (0..3u8).prop_map(Action::Leave),
        6 => whose().prop_map(Action::Media),
        1 => (0..3u8).prop_map(Action::AskPosition),
        8 => prop_oneof![1..40u32, 60..400u32, 900..4000u32].prop_map(Action::Wait),
        1 => Just(Action::Stall),
        2 => Just(Action::Resume),
        1 => prop_oneof![Just(Action::Break), Just(Action::Mend)],
    ]
}

fn play(delay: u32, actions: &[Action]) -> World {
    let mut world = World::new(delay);
    for action in actions {
        world.act(*action);
        world.check();
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// The gate is a lease, a request has one answer, nothing goes up to a home that is not there; then both ends agree.
    #[test] //= TS 24.380 §6.5.5 test
    fn two_ends_of_a_trunk_keep_one_floor(
        delay in prop_oneof![Just(0u32), 1..200u32, 500..1000u32],
        actions in prop::collection::vec(actions(), 1..80),
    ) {
        let mut world = play(delay, &actions);
        world.settle();
        prop_assert_eq!(world.partner.state(), State::Idle);
        prop_assert_eq!(world.home.state(), State::Idle);
        prop_assert!(world.pending.is_empty(), "{:?} were never answered", world.pending);
        prop_assert_eq!((world.partner.queue_len(), world.home.queue().len()), (0, 0));
    }

    /// A home that talks nonsense breaks no promise that can be kept without it.
    #[test]
    fn whatever_the_home_says_the_gate_is_a_lease_for_one(
        actions in prop::collection::vec(prop_oneof![3 => actions(), 2 => strays().prop_map(Action::Stray)], 1..80),
    ) {
        let mut world = play(20, &actions);
        world.act(Action::Resume);
        world.act(Action::Mend);
        world.wait(Millis(500));
        world.act(Action::Stall);
        world.wait(LEASE);
        prop_assert_eq!((world.gate, world.partner.state()), (None, State::Idle));
    }
}
