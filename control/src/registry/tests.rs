//! Races between what the media plane reports and what clients do meanwhile: the report comes late by hand.

use control_core::group::{Group, Model};
use relay_core::roster::Leg;

use super::*;

const GROUP: &str = "sip:fire-1@a";

fn group() -> Group {
    Group { open: true, ..Group::new(Model::Chat) }
}

/// A registry with one call that nobody has entered.
async fn stage() -> (Registry, std::sync::Arc<CallRecord>) {
    let config = relay::Config { media: "127.0.0.1:0".parse().unwrap(), workers: 1, calls_max: 4 };
    let registry = Registry::new(Relay::start(config).expect("loopback is there").0);
    registry.put_group(GROUP, group()).await.unwrap();
    let (call, is_new) = registry.call_to_enter(GROUP, None).unwrap();
    assert!(is_new);
    (registry, call)
}

async fn enter(registry: &Registry, call: &std::sync::Arc<CallRecord>, user: &str, port: u16) -> Placed {
    let entry = Entry {
        user: user.into(),
        client: "radio".into(),
        leg: Leg { rtp: ([127, 0, 0, 1], port).into(), floor: None }.into(),
        ssrc: None,
        queueing: true,
        priority: 5,
        resume: vec![],
        implicit_floor_request: false,
        expires: None,
    };
    let standing = registry.group(&call.group).unwrap().standing(user).unwrap();
    let entered = registry.enter(call, entry, standing).await;
    entered.unwrap_or_else(|refused| panic!("{}", refused.detail)).placed
}

#[tokio::test]
async fn a_silent_leg_that_was_replaced_meanwhile_takes_nobody_along() {
    let (registry, call) = stage().await;
    let old = enter(&registry, &call, "sip:ana@a", 4_000).await;
    let new = enter(&registry, &call, "sip:ana@a", 4_010).await;
    assert_eq!(old.slot, new.slot);
    registry.expire(&call, old.slot, old.entry).await;
    assert_eq!(call.len(), 1);
    registry.expire(&call, new.slot, new.entry).await;
    assert_eq!(call.len(), 0);
    assert!(registry.call(&call.id).is_err(), "the last participant has taken the call along");
}

#[tokio::test]
async fn a_hang_time_that_ran_out_before_somebody_entered_ends_no_call() {
    let (registry, call) = stage().await;
    enter(&registry, &call, "sip:ana@a", 4_000).await;
    let epoch = call.media.epoch();
    enter(&registry, &call, "sip:ben@a", 4_010).await;
    registry.end_at(&call, epoch).await.unwrap();
    assert!(registry.call(&call.id).is_ok(), "Ben keeps it alive");
    registry.end_at(&call, call.media.epoch()).await.unwrap();
    assert!(registry.has_ended(&call.id));
}

#[tokio::test]
async fn the_node_keeps_so_many_groups_and_one_that_goes_makes_room() {
    let (registry, _call) = stage().await;
    for number in 1..GROUPS_MAX {
        registry.put_group(&format!("sip:{number}@a"), group()).await.unwrap();
    }
    let full = registry.put_group("sip:more@a", group()).await;
    let refused = full.err().expect("one more is too many");
    assert_eq!((refused.cause, refused.subject.as_str()), (control_core::Cause::LimitReached, "groups"));
    registry.put_group("sip:1@a", Group { enabled: false, ..group() }).await.unwrap();
    registry.delete_group("sip:2@a").unwrap();
    registry.put_group("sip:more@a", group()).await.unwrap();
}

#[tokio::test]
async fn a_limit_that_a_partner_names_is_no_label_of_a_counter() {
    let (registry, _call) = stage().await;
    let limits = ["groups", "partners.migrated_users", "mobility.letters", "b's own \"} 1", "trunk.b-1", "", "groups"];
    limits.iter().for_each(|limit| registry.counters.refuse(limit));
    let mut counted: Vec<_> = registry.counters.refused.iter().map(|row| (*row.key(), *row.value())).collect();
    counted.sort_unstable();
    assert_eq!(counted, [("groups", 2), ("mobility.letters", 1), ("other", 3), ("partners.migrated_users", 1)]);
}
