//! A client moves from A to B and back (TS 23.280 §10.16.2): what it has where, and what the others see.

use std::{string::String, vec::Vec};

use relay_core::Millis;

use super::{
    super::{Ask, Input, Phase, Scope},
    asks::{group, lines},
    world::{A, ANA, ANA_AT_B, B, World},
};
use crate::group::Model;

pub(super) const FIRE: &str = "sip:fire@a.example";
pub(super) const AMBU: &str = "sip:ambu@b.example";
pub(super) const CHAT: &str = "sip:chat@a.example";

/// Ana is a user of A who may go to B; FIRE and CHAT are A's, AMBU is B's; calls run in all three; ana is in them in A.
pub(super) fn world() -> (World, String) {
    let mut world = World::new(&[A, B]);
    world.put_partner(A, B);
    world.put_partner(B, A);
    world.trunk(true);
    world.put_user(A, ANA, &[FIRE, CHAT, AMBU], &[B], 8);
    let members = [ANA, "sip:ben@a.example"];
    world.put_group(A, FIRE, group(Model::Prearranged, &members));
    world.put_group(A, CHAT, group(Model::Chat, &members));
    world.put_group(B, AMBU, group(Model::Prearranged, &members));
    for (at, name) in [(A, FIRE), (A, CHAT), (B, AMBU)] {
        world.call(at, name, true);
    }
    let (_, tickets) = world.authorize(A, ANA, "radio");
    let (_, items) = world.affiliate(A, ANA, "radio", &[FIRE, CHAT, AMBU]);
    assert_eq!(items[0], "sip:fire@a.example call of sip:fire@a.example at a.example");
    (world, tickets[B].clone())
}

#[test] //= TS 23.280 §10.16.2 test
fn mig_01_a_client_goes_on_in_the_new_system_and_has_nothing_left_in_the_old_one() {
    let (mut world, ticket) = world();
    let id = world.migrate(B, A, Some(&ticket), &[FIRE, CHAT, AMBU]);
    world.pass(Millis(1_000));
    let migration = world.migration(B, &id);
    assert_eq!((migration.phase, migration.cause.clone()), (Phase::Done, None));
    assert_eq!(migration.user.as_deref(), Some(ANA_AT_B));
    assert_eq!(migration.generation, Some(1));
    let phases: Vec<(Phase, &str)> = migration.phases.iter().map(|phase| (phase.phase, phase.result)).collect();
    let gates = [Phase::Leave, Phase::Profile, Phase::Authorize, Phase::Affiliate, Phase::Enter];
    assert_eq!(phases, gates.map(|gate| (gate, "ok")));
    let expected = [
        "sip:fire@a.example call of sip:fire@a.example at b.example",
        "sip:chat@a.example affiliated",
        "sip:ambu@b.example call of sip:ambu@b.example at b.example",
    ];
    assert_eq!(lines(&migration.groups), expected);
    for name in [FIRE, CHAT, AMBU] {
        assert_eq!(world.serving(name, ANA, "radio"), [B]);
    }
    assert_eq!(world.in_call(FIRE, ANA, "radio"), [B]);
    assert!(world.nodes[A].moving.contains(&(FIRE.into(), true)), "the call waits for whoever moves");
    // The home knows it, so that calls that begin later reach it.
    world.call(A, FIRE, false);
    world.node(B).calls.clear();
    world.give(B, Input::Call { group: FIRE.into(), runs: false });
    world.call(A, FIRE, true);
    world.pass(Millis(100));
    assert_eq!(world.in_call(FIRE, ANA, "radio"), [B]);
}

#[test]
fn mig_23_the_second_device_stays_and_keeps_its_calls() {
    let (mut world, ticket) = world();
    world.authorize(A, ANA, "car");
    world.affiliate(A, ANA, "car", &[FIRE]);
    let id = world.migrate(B, A, Some(&ticket), &[FIRE]);
    world.pass(Millis(1_000));
    assert_eq!(world.migration(B, &id).phase, Phase::Done);
    assert_eq!((world.serving(FIRE, ANA, "car"), world.in_call(FIRE, ANA, "car")), ([A].into(), [A].into()));
    assert_eq!((world.serving(FIRE, ANA, "radio"), world.in_call(FIRE, ANA, "radio")), ([B].into(), [B].into()));
}

#[test]
fn mig_39_a_client_comes_home_and_nothing_is_left_in_the_partner() {
    let (mut world, ticket) = world();
    world.migrate(B, A, Some(&ticket), &[FIRE, AMBU]);
    world.pass(Millis(1_000));
    let id = world.migrate(A, B, None, &[FIRE, CHAT, AMBU]);
    world.pass(Millis(1_000));
    let migration = world.migration(A, &id);
    assert_eq!((migration.phase, migration.generation), (Phase::Done, Some(2)));
    assert_eq!(migration.user.as_deref(), Some(ANA));
    for name in [FIRE, CHAT, AMBU] {
        assert_eq!(world.serving(name, ANA, "radio"), [A]);
    }
    assert_eq!(world.in_call(FIRE, ANA, "radio"), [A]);
    let kept: Vec<String> = world.leftovers(B).into_iter().filter(|row| !row.starts_with("migrations to")).collect();
    assert_eq!(kept, ["affiliations homed a.example sip:ana@a.example radio sip:ambu@b.example"]);
}

#[test]
fn mig_39_home_does_not_wait_for_a_partner_that_is_silent() {
    let (mut world, ticket) = world();
    world.migrate(B, A, Some(&ticket), &[FIRE]);
    world.pass(Millis(1_000));
    world.lose = |what| matches!(what, relay_core::trunk::wire::letter::What::Superseded(_));
    let id = world.migrate(A, B, None, &[FIRE]);
    world.pass(Millis(2_900));
    assert_eq!(world.migration(A, &id).phase, Phase::Leave);
    world.pass(Millis(200));
    let migration = world.migration(A, &id);
    assert_eq!((migration.phase, migration.phases[0].result), (Phase::Done, "home-unreachable"));
    assert_eq!(world.serving(FIRE, ANA, "radio"), [A, B], "B does not know yet");
    // The letter is repeated when the trunk comes up.
    world.lose = |_| false;
    world.trunk(false);
    world.trunk(true);
    world.pass(Millis(100));
    assert_eq!(world.serving(FIRE, ANA, "radio"), [A]);
    assert_eq!(world.in_call(FIRE, ANA, "radio"), [A]);
}

#[test]
fn a_client_that_authorises_at_home_again_is_no_longer_served_by_the_partner() {
    let (mut world, ticket) = world();
    world.migrate(B, A, Some(&ticket), &[FIRE]);
    world.pass(Millis(1_000));
    world.authorize(A, ANA, "radio");
    world.pass(Millis(100));
    assert!(world.serving(FIRE, ANA, "radio").is_empty() && world.in_call(FIRE, ANA, "radio").is_empty());
    let ask = World::affiliate_ask(ANA_AT_B, "radio", &[FIRE], true);
    let refused = world.ask(B, ask).expect_err("the id no longer counts");
    assert_eq!(refused.cause.code(), "identity-superseded");
}

#[test]
fn mig_22_a_client_moves_there_and_back_and_there_again_within_ten_seconds() {
    let (mut world, mut ticket) = world();
    for round in 0..4 {
        let id = world.migrate(B, A, Some(&ticket), &[FIRE]);
        world.pass(Millis(1_000));
        let migration = world.migration(B, &id);
        assert_eq!((migration.phase, migration.generation), (Phase::Done, Some(2 * round + 1)));
        assert_eq!((world.serving(FIRE, ANA, "radio"), world.in_call(FIRE, ANA, "radio")), ([B].into(), [B].into()));
        let id = world.migrate(A, B, None, &[FIRE]);
        world.pass(Millis(1_000));
        assert_eq!(world.migration(A, &id).phase, Phase::Done);
        assert_eq!((world.serving(FIRE, ANA, "radio"), world.in_call(FIRE, ANA, "radio")), ([A].into(), [A].into()));
        ticket = world.authorize(A, ANA, "radio").1[B].clone();
        assert_eq!(world.serving(FIRE, ANA, "radio"), [A], "a second authorisation keeps the affiliation");
    }
}

#[test]
fn mig_06_each_group_has_its_own_answer_and_the_others_go_on() {
    let (mut world, ticket) = world();
    world.put_user(A, ANA, &[FIRE, CHAT, AMBU, "sip:x@a.example", "sip:y@a.example", "sip:z@b.example"], &[B], 9);
    world.put_group(A, "sip:x@a.example", group(Model::Prearranged, &[]));
    let disabled = crate::group::Group { enabled: false, ..group(Model::Prearranged, &[ANA]) };
    world.put_group(A, "sip:y@a.example", disabled);
    let wanted = ["sip:x@a.example", FIRE, "sip:y@a.example", "sip:z@b.example", "sip:w@a.example", AMBU];
    let id = world.migrate(B, A, Some(&ticket), &wanted);
    world.pass(Millis(1_000));
    let migration = world.migration(B, &id);
    assert_eq!(migration.phase, Phase::Done, "after the commit the groups are no reason to go back");
    let expected = [
        "sip:x@a.example not-a-member",
        "sip:fire@a.example call of sip:fire@a.example at b.example",
        "sip:y@a.example group-disabled",
        "sip:z@b.example no-such-group",
        "sip:w@a.example group-not-in-profile",
        "sip:ambu@b.example call of sip:ambu@b.example at b.example",
    ];
    assert_eq!(lines(&migration.groups), expected);
}

#[test]
fn mig_07_n2_of_the_profile_counts_in_the_new_system_too() {
    let (mut world, ticket) = world();
    world.put_user(A, ANA, &[FIRE, CHAT, AMBU], &[B], 2);
    let id = world.migrate(B, A, Some(&ticket), &[AMBU, CHAT, FIRE]);
    world.pass(Millis(1_000));
    let expected = [
        "sip:ambu@b.example call of sip:ambu@b.example at b.example",
        "sip:chat@a.example affiliated",
        "sip:fire@a.example n2-exceeded",
    ];
    assert_eq!(lines(&world.migration(B, &id).groups), expected);
}

#[test] //= TS 24.379 §9.1 test
fn mig_05_into_a_chat_group_the_client_comes_by_itself() {
    let (mut world, ticket) = world();
    world.migrate(B, A, Some(&ticket), &[]);
    world.pass(Millis(1_000));
    assert!(world.in_call(CHAT, ANA, "radio").is_empty());
    let (user, client, group) = (ANA_AT_B.into(), "radio".into(), CHAT.into());
    let answer = world.ask(B, Ask::EnterByClient { user, client, group });
    let Ok(super::super::Answer::MayEnter { user, home, document: Some(document), standing }) = answer else {
        panic!("it may enter: {answer:?}")
    };
    assert_eq!((&*user, home.as_deref(), standing.priority), (ANA, Some(A), 3));
    assert_eq!((document.model, world.serving(CHAT, ANA, "radio")), (Model::Chat, Vec::from([B])));
}

#[test] //= TS 24.379 §9.2.2.2.14 test
fn an_entry_into_a_partners_chat_call_that_fails_is_undone_at_its_home_too() {
    let (mut world, ticket) = world();
    world.migrate(B, A, Some(&ticket), &[]);
    world.pass(Millis(1_000));
    let (client, group) = (String::from("radio"), String::from(CHAT));
    let knock = Ask::EnterByClient { user: ANA_AT_B.into(), client: client.clone(), group: group.clone() };
    world.ask(B, knock).expect("it may enter");
    let homed =
        |world: &World| world.nodes[A].rows.keys().any(|(_, key)| key.starts_with("homed") && key.ends_with(CHAT));
    world.pass(Millis(100));
    assert_eq!((homed(&world), world.serving(CHAT, ANA, "radio")), (true, Vec::from([B])));
    world.ask(B, Ask::EntryFailed { user: ANA.into(), client, group }).expect("it is undone");
    world.pass(Millis(100));
    assert_eq!((homed(&world), world.serving(CHAT, ANA, "radio")), (false, Vec::new()));
    let kept = world.nodes[B].system.affiliated.len();
    assert_eq!(kept, 1, "the affiliation that the migration gave stays, without groups");
}

#[test]
fn a_client_may_leave_the_old_system_by_itself() {
    let (mut world, ticket) = world();
    let (authorization, tickets) = world.authorize(A, ANA, "radio");
    assert_ne!(ticket, tickets[B], "a second authorisation has tickets of its own");
    let (affiliation, _) = world.affiliate(A, ANA, "radio", &[FIRE]);
    world.deaffiliate(A, &affiliation, Scope::Client);
    world.ask(A, Ask::Deauthorize { authorization }).expect("it is its own");
    assert!(world.nodes[A].moving.contains(&(FIRE.into(), true)));
    let id = world.migrate(B, A, Some(&tickets[B]), &[FIRE]);
    world.pass(Millis(1_000));
    assert_eq!(world.migration(B, &id).phase, Phase::Done);
    assert_eq!(world.serving(FIRE, ANA, "radio"), [B]);
}

#[test]
fn calls_wait_for_a_client_that_goes_home() {
    for by_migration in [true, false] {
        let (mut world, ticket) = world();
        world.migrate(B, A, Some(&ticket), &[FIRE, AMBU]);
        world.pass(Millis(1_000));
        world.node(A).moving.clear();
        // The participant behind the trunk.
        world.node(A).calls.insert((FIRE.into(), ANA.into(), "radio".into()), Vec::new());
        match by_migration {
            true => _ = world.migrate(A, B, None, &[FIRE, AMBU]),
            false => _ = world.authorize(A, ANA, "radio"),
        }
        world.pass(Millis(100));
        assert!(world.nodes[B].moving.contains(&(AMBU.into(), true)), "the group of the system that it leaves");
        assert!(world.nodes[A].moving.contains(&(FIRE.into(), true)), "the group of the system that it comes to");
    }
}

#[test]
fn a_migrated_client_that_deauthorises_is_given_up() {
    let (mut world, ticket) = world();
    let id = world.migrate(B, A, Some(&ticket), &[FIRE]);
    world.pass(Millis(1_000));
    let authorization = world.migration(B, &id).authorization.expect("it has one");
    world.ask(B, Ask::Deauthorize { authorization }).expect("it is its own");
    world.pass(Millis(100));
    assert!(world.serving(FIRE, ANA, "radio").is_empty());
    assert_eq!(world.audited(A, "migration-given-up"), [None]);
    let rows = world.leftovers(A);
    assert!(!rows.iter().any(|row| row.starts_with("affiliations")), "{rows:?}");
}

#[test]
fn into_a_partners_prearranged_call_nobody_comes_without_affiliation() {
    let (mut world, ticket) = world();
    world.migrate(B, A, Some(&ticket), &[]);
    world.pass(Millis(1_000));
    let ask = Ask::EnterByClient { user: ANA_AT_B.into(), client: "radio".into(), group: FIRE.into() };
    assert_eq!(world.ask(B, ask.clone()).expect_err("it is refused").cause.code(), "not-affiliated");
    world.pass(Millis(100));
    assert!(world.serving(FIRE, ANA, "radio").is_empty());
    let rows = world.leftovers(A);
    assert!(!rows.iter().any(|row| row.contains("homed")), "what asking made is undone: {rows:?}");
    world.affiliate(B, ANA_AT_B, "radio", &[FIRE]);
    assert!(world.ask(B, ask).is_ok());
}

#[test]
fn two_clients_of_a_user_share_its_id_in_the_partner_and_the_last_one_takes_it_away() {
    let (mut world, ticket) = world();
    world.migrate(B, A, Some(&ticket), &[FIRE]);
    let (_, tickets) = world.authorize(A, ANA, "car");
    let ask = World::migrate_ask(ANA, "car", A, Some(&tickets[B]), &[FIRE]);
    world.ask(B, ask).expect("it begins");
    world.pass(Millis(1_000));
    assert_eq!((world.serving(FIRE, ANA, "radio"), world.serving(FIRE, ANA, "car")), ([B].into(), [B].into()));
    world.authorize(A, ANA, "radio");
    world.pass(Millis(100));
    assert_eq!((world.serving(FIRE, ANA, "radio"), world.serving(FIRE, ANA, "car")), ([].into(), [B].into()));
    world.authorize(A, ANA, "car");
    world.pass(Millis(100));
    let rows = world.leftovers(B);
    assert!(!rows.iter().any(|row| row.starts_with("identities") || row.starts_with("authorizations")), "{rows:?}");
}
