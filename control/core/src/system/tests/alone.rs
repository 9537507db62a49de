//! One system: its users, their affiliation to its own groups, and who enters which call.

use std::{string::String, vec::Vec};

use relay_core::Millis;

use super::{
    super::{Answer, Ask, Input, Output, Scope, System},
    asks::{group, lines},
    world::{A, ANA, Shown, World},
};
use crate::{Cause, group::Model};

const FIRE: &str = "sip:fire@a.example";
const CHAT: &str = "sip:chat@a.example";

fn world() -> World {
    let mut world = World::new(&[A]);
    world.put_user(A, ANA, &[FIRE, CHAT, "sip:other@a.example", "sip:nowhere@a.example"], &[], 2);
    world.put_group(A, FIRE, group(Model::Prearranged, &[ANA]));
    world.put_group(A, CHAT, group(Model::Chat, &[ANA]));
    world.put_group(A, "sip:other@a.example", group(Model::Prearranged, &["sip:ben@a.example"]));
    world
}

fn cause(answer: Result<Answer<Shown>, crate::Refused>) -> &'static str {
    answer.expect_err("it is refused").cause.code()
}

#[test]
fn a_client_is_authorised_under_a_profile_of_a_user_who_is_not_blocked() {
    let mut world = world();
    let ask = |user: &str, profile| Ask::Authorize {
        user: user.into(),
        client: "radio".into(),
        profile,
        service: super::super::Service::Mcptt,
    };
    assert_eq!(cause(world.ask(A, ask("sip:eva@a.example", None))), "no-such-user");
    assert_eq!(cause(world.ask(A, ask(ANA, Some(2)))), "no-such-profile");
    assert!(world.ask(A, ask(ANA, Some(1))).is_ok());
    let document = crate::user::User { profiles: Vec::new(), blocked: true };
    world.ask(A, Ask::PutUser { user: ANA.into(), document }).expect("stored");
    assert_eq!(cause(world.ask(A, ask(ANA, None))), "user-blocked");
}

#[test] //= TS 23.280 §10.8.3.1 test
fn every_group_has_its_own_answer() {
    let mut world = world();
    let ask = World::affiliate_ask(ANA, "radio", &[FIRE], true);
    assert_eq!(cause(world.ask(A, ask)), "not-authorized");
    world.authorize(A, ANA, "radio");
    let groups = ["sip:unlisted@a.example", "sip:other@a.example", "sip:nowhere@a.example", FIRE, CHAT];
    let (_, items) = world.affiliate(A, ANA, "radio", &groups);
    let expected = [
        "sip:unlisted@a.example group-not-in-profile",
        "sip:other@a.example not-a-member",
        "sip:nowhere@a.example no-such-group",
        "sip:fire@a.example affiliated",
        "sip:chat@a.example affiliated",
    ];
    assert_eq!(items, expected);
}

#[test] //= TS 24.379 §6.3.6 test
fn n2_counts_the_groups_of_all_clients_in_the_order_they_were_named() {
    let mut world = world();
    let members: Vec<String> = (0..5).map(|at| std::format!("sip:g{at}@a.example")).collect();
    let names: Vec<&str> = members.iter().map(String::as_str).collect();
    world.put_user(A, ANA, &names, &[], 3);
    for name in &names {
        world.put_group(A, name, group(Model::Prearranged, &[ANA]));
    }
    world.authorize(A, ANA, "radio");
    world.authorize(A, ANA, "car");
    let (first, items) = world.affiliate(A, ANA, "radio", &[names[1], names[0]]);
    assert_eq!(items, ["sip:g1@a.example affiliated", "sip:g0@a.example affiliated"]);
    let (_, items) = world.affiliate(A, ANA, "car", &[names[4], names[0], names[2]]);
    let expected = ["sip:g4@a.example affiliated", "sip:g0@a.example affiliated", "sip:g2@a.example n2-exceeded"];
    assert_eq!(items, expected, "a group that another client has costs nothing");
    world.deaffiliate(A, &first, Scope::Client);
    let (_, items) = world.affiliate(A, ANA, "car", &[names[2]]);
    assert_eq!(items.last().map(String::as_str), Some("sip:g2@a.example affiliated"));
}

#[test] //= TS 23.379 §10.6.2.3.1.1.4 test
fn the_server_enters_who_is_affiliated_when_a_call_runs_or_begins() {
    let mut world = world();
    world.authorize(A, ANA, "radio");
    world.call(A, FIRE, true);
    let (affiliation, items) = world.affiliate(A, ANA, "radio", &[FIRE, CHAT]);
    assert_eq!(items, ["sip:fire@a.example call of sip:fire@a.example at a.example", "sip:chat@a.example affiliated"]);
    world.call(A, FIRE, false);
    let read = |world: &mut World| match world.ask(A, Ask::Affiliation { affiliation: affiliation.clone() }) {
        Ok(Answer::Affiliation { items, .. }) => lines(&items),
        other => panic!("{other:?}"),
    };
    assert_eq!(read(&mut world), ["sip:fire@a.example affiliated", "sip:chat@a.example affiliated"]);
    world.call(A, FIRE, true);
    world.call(A, CHAT, true);
    assert_eq!(world.in_call(FIRE, ANA, "radio"), [A]);
    assert!(world.in_call(CHAT, ANA, "radio").is_empty(), "into a chat group clients come by themselves");
    world.deaffiliate(A, &affiliation, Scope::Client);
    assert!(world.in_call(FIRE, ANA, "radio").is_empty());
    assert_eq!(cause(world.ask(A, Ask::Affiliation { affiliation })), "no-such-affiliation");
}

#[test] //= TS 23.280 §10.8.2.6 test
fn a_deaffiliation_concerns_this_client_or_all() {
    let mut world = world();
    for scope in [Scope::Client, Scope::User] {
        world.authorize(A, ANA, "radio");
        world.authorize(A, ANA, "car");
        let (radio, _) = world.affiliate(A, ANA, "radio", &[FIRE]);
        world.affiliate(A, ANA, "car", &[FIRE, CHAT]);
        let ended = world.deaffiliate(A, &radio, scope);
        let all: &[&str] = if scope == Scope::User { &[FIRE, CHAT] } else { &[FIRE] };
        assert_eq!(ended, all, "the named one first, and every group once");
        assert!(world.serving(FIRE, ANA, "radio").is_empty());
        assert_eq!(world.serving(FIRE, ANA, "car").len(), usize::from(scope == Scope::Client));
        world.deaffiliate(A, &radio, scope);
    }
}

#[test]
fn an_affiliation_lives_as_long_as_it_is_refreshed() {
    let mut world = world();
    world.authorize(A, ANA, "radio");
    let mut ask = World::affiliate_ask(ANA, "radio", &[FIRE], true);
    if let Ask::Affiliate { expires, .. } = &mut ask {
        *expires = Some(Millis(1_000));
    }
    let Ok(Answer::Affiliation { affiliation, .. }) = world.ask(A, ask) else { panic!("not affiliated") };
    world.call(A, FIRE, true);
    for _ in 0..3 {
        world.pass(Millis(900));
        world.ask(A, Ask::Refresh { affiliation: affiliation.clone() }).expect("it is still there");
    }
    assert_eq!(world.in_call(FIRE, ANA, "radio"), [A]);
    world.pass(Millis(1_001));
    assert!(world.in_call(FIRE, ANA, "radio").is_empty() && world.serving(FIRE, ANA, "radio").is_empty());
}

#[test]
fn what_is_answered_was_stored_first() {
    let mut world = world();
    world.node(A).stuck = true;
    let ask = Ask::Authorize { user: ANA.into(), client: "radio".into(), profile: None, service: Default::default() };
    let token = world.send(A, ask);
    world.pass(Millis(5_000));
    assert!(!world.node(A).answers.contains_key(&token), "nothing is durable yet");
    world.node(A).stuck = false;
    world.pass(Millis(10));
    assert!(world.node(A).answers.contains_key(&token));
}

#[test] //= TS 24.379 §9.2.2.2.14 test
fn an_entry_that_fails_undoes_the_affiliation_that_it_caused_and_no_other() {
    let mut world = world();
    world.authorize(A, ANA, "radio");
    let (user, client, group) = (String::from(ANA), String::from("radio"), String::from(CHAT));
    let knock = Ask::EnterByClient { user: user.clone(), client: client.clone(), group: group.clone() };
    let failed = Ask::EntryFailed { user: user.clone(), client: client.clone(), group: group.clone() };
    let ask = |world: &mut World, ask: &Ask| world.ask(A, ask.clone()).expect("it is answered");
    let serving = |world: &World| world.serving(CHAT, ANA, "radio").len();
    ask(&mut world, &knock);
    assert_eq!(serving(&world), 1);
    ask(&mut world, &failed);
    assert_eq!(serving(&world), 0);
    world.pass(Millis(10));
    let rows = world.leftovers(A);
    assert!(!rows.iter().any(|row| row.starts_with("affiliations")), "not even an empty one: {rows:?}");
    // Of two at once one failed: the other may succeed.
    ask(&mut world, &knock);
    ask(&mut world, &knock);
    ask(&mut world, &failed);
    assert_eq!(serving(&world), 1);
    ask(&mut world, &failed);
    assert_eq!(serving(&world), 0);
    // An affiliation that was there stays, without the group.
    world.affiliate(A, ANA, "radio", &[FIRE]);
    ask(&mut world, &knock);
    ask(&mut world, &failed);
    assert_eq!((serving(&world), world.serving(FIRE, ANA, "radio").len()), (0, 1));
    // What was asked for meanwhile stays, and so does what led into the call.
    ask(&mut world, &knock);
    world.affiliate(A, ANA, "radio", &[CHAT]);
    ask(&mut world, &failed);
    assert_eq!(serving(&world), 1);
    ask(&mut world, &knock);
    ask(&mut world, &failed);
    assert_eq!(serving(&world), 1, "it was affiliated before");
    let (id, _) = world.affiliate(A, ANA, "radio", &[]);
    world.deaffiliate(A, &id, Scope::Client);
    ask(&mut world, &knock);
    world.give(A, Input::Came { user, client, group, entered: "in".into() });
    ask(&mut world, &failed);
    assert_eq!(serving(&world), 1, "another request of a participant failed");
}

#[test]
fn a_removed_member_leaves_and_a_blocked_user_has_nothing() {
    let mut world = world();
    world.authorize(A, ANA, "radio");
    world.call(A, FIRE, true);
    world.affiliate(A, ANA, "radio", &[FIRE]);
    world.put_group(A, FIRE, group(Model::Prearranged, &[]));
    assert!(world.in_call(FIRE, ANA, "radio").is_empty());
    world.put_group(A, FIRE, group(Model::Prearranged, &[ANA]));
    world.affiliate(A, ANA, "radio", &[FIRE]);
    assert_eq!(world.in_call(FIRE, ANA, "radio"), [A]);
    let document = crate::user::User { profiles: Vec::new(), blocked: true };
    world.ask(A, Ask::PutUser { user: ANA.into(), document }).expect("stored");
    assert!(world.in_call(FIRE, ANA, "radio").is_empty());
    world.pass(Millis(10));
    assert_eq!(world.leftovers(A), ["identities of sip:ana@a.example radio"], "the generation stays");
}

#[test]
fn a_client_enters_by_itself_as_far_as_it_is_affiliated() {
    let mut world = world();
    let knock = |group: &str| Ask::EnterByClient { user: ANA.into(), client: "radio".into(), group: group.into() };
    assert_eq!(cause(world.ask(A, knock(CHAT))), "not-authorized");
    world.authorize(A, ANA, "radio");
    assert_eq!(cause(world.ask(A, knock(FIRE))), "not-affiliated");
    assert!(matches!(world.ask(A, knock(CHAT)), Ok(Answer::MayEnter { home: None, .. })));
    assert_eq!(world.serving(CHAT, ANA, "radio"), [A], "joining a chat group affiliates");
    world.affiliate(A, ANA, "radio", &[FIRE]);
    assert!(matches!(world.ask(A, knock(FIRE)), Ok(Answer::MayEnter { .. })));
    // Nobody has told the system about this one: the group's list decides.
    world.put_group(A, CHAT, group(Model::Chat, &["sip:app@a.example"]));
    let knock = |user: &str| Ask::EnterByClient { user: user.into(), client: "x".into(), group: CHAT.into() };
    assert!(matches!(world.ask(A, knock("sip:app@a.example")), Ok(Answer::MayEnter { .. })));
    assert_eq!(cause(world.ask(A, knock("sip:eva@a.example"))), "not-a-member");
}

#[test]
fn after_a_crash_everything_that_was_answered_is_there() {
    let mut world = world();
    let (authorization, _) = world.authorize(A, ANA, "radio");
    let (affiliation, _) = world.affiliate(A, ANA, "radio", &[FIRE]);
    world.crash(A);
    world.call(A, FIRE, true);
    assert_eq!(world.in_call(FIRE, ANA, "radio"), [A], "affiliated, with its leg");
    assert!(world.ask(A, Ask::Refresh { affiliation }).is_ok());
    assert_eq!(world.ask(A, Ask::Deauthorize { authorization }), Ok(Answer::Done));
    assert!(world.in_call(FIRE, ANA, "radio").is_empty());
}

#[test]
fn wake_comes_last_and_names_its_timer() {
    let mut system: System<Shown> = System::new(A);
    assert_eq!(system.poll(), Output::Wake(None));
    system.handle(Input::Timer, relay_core::Time::ZERO);
    assert_eq!(system.poll(), Output::Wake(None));
    assert_eq!(Cause::N2Exceeded.sip().map(|sip| sip.status), Some(486));
}
