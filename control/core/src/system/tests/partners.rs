//! Groups of a partner (TS 23.280 §10.8.3.2, §10.8.4.3): what the home knows of its partners' clients, and what it tells them.

use std::string::String;

use relay_core::Millis;

use super::{
    super::{ANSWER_MS_MAX, Answer, Ask, Scope},
    asks::{group, lines},
    moves::{AMBU, FIRE, world},
    world::{A, ANA, B, World},
};
use crate::group::Model;

fn subscribe(world: &mut World) -> Result<(), &'static str> {
    let ask = Ask::MaySubscribe { system: A.into(), group: AMBU.into() };
    world.ask(B, ask).map(|_| ()).map_err(|refused| refused.cause.code())
}

#[test] //= TS 23.280 §10.8.4.3 test
fn the_home_knows_who_is_affiliated_until_it_is_told_otherwise() {
    let (mut world, _) = world();
    assert_eq!(world.in_call(AMBU, ANA, "radio"), [A]);
    assert_eq!(subscribe(&mut world), Ok(()));
    let announce = Ask::MayAnnounce { system: A.into(), group: AMBU.into(), user: ANA.into(), client: "radio".into() };
    assert!(matches!(world.ask(B, announce.clone()), Ok(Answer::MayEnter { .. })));
    let (affiliation, _) = world.affiliate(A, ANA, "radio", &[]);
    world.deaffiliate(A, &affiliation, Scope::Client);
    world.pass(Millis(100));
    assert_eq!(subscribe(&mut world), Err("not-affiliated"));
    assert_eq!(world.ask(B, announce).expect_err("no longer").cause.code(), "not-affiliated");
}

#[test] //= TS 23.280 §10.8.3.2 test
fn a_home_that_cannot_be_asked_costs_its_groups_only() {
    let (mut world, _) = world();
    world.authorize(A, ANA, "car");
    world.trunk(false);
    let (_, items) = world.affiliate(A, ANA, "car", &[AMBU, FIRE]);
    assert_eq!(items[0], "sip:ambu@b.example home-unreachable");
    assert!(items[1].starts_with("sip:fire@a.example call"));
    world.trunk(true);
    world.lose = |_| true;
    let token = world.send(A, World::affiliate_ask(ANA, "car", &[AMBU, FIRE], true));
    world.pass(Millis(ANSWER_MS_MAX.0 - 100));
    assert!(!world.node(A).answers.contains_key(&token));
    world.pass(Millis(200));
    let Some(Ok(Answer::Affiliation { items, .. })) = world.node(A).answers.remove(&token) else { panic!("no answer") };
    assert!(lines(&items).contains(&String::from("sip:ambu@b.example home-unreachable")));
    // A document here may name a home that is no partner.
    let lost = crate::group::Group { home: Some("c.example".into()), ..group(Model::Chat, &[]) };
    world.put_group(A, "sip:lost@c.example", lost);
    world.put_user(A, ANA, &[FIRE, AMBU, "sip:lost@c.example"], &[B], 8);
    let (_, items) = world.affiliate(A, ANA, "car", &["sip:lost@c.example"]);
    assert!(items.contains(&String::from("sip:lost@c.example no-agreement")), "{items:?}");
}

#[test]
fn a_member_that_the_home_removes_leaves_and_so_does_everybody_of_a_deleted_group() {
    for deleted in [false, true] {
        let (mut world, _) = world();
        match deleted {
            true => world.give(B, super::super::Input::Group { group: AMBU.into(), document: None }),
            false => world.put_group(B, AMBU, group(Model::Prearranged, &[])),
        }
        world.pass(Millis(200));
        assert!(world.serving(AMBU, ANA, "radio").is_empty() && world.in_call(AMBU, ANA, "radio").is_empty());
        assert_eq!(subscribe(&mut world), Err("not-affiliated"));
        assert_eq!(world.serving(FIRE, ANA, "radio"), [A]);
    }
}

#[test]
fn a_removed_partner_has_nothing_here_any_more() {
    let (mut world, ticket) = world();
    world.migrate(B, A, Some(&ticket), &[FIRE, AMBU]);
    world.pass(Millis(1_000));
    world.ask(B, Ask::DeletePartner { system: A.into() }).expect("it was one");
    world.pass(Millis(10));
    assert!(world.serving(FIRE, ANA, "radio").is_empty() && world.in_call(AMBU, ANA, "radio").is_empty());
    let rows = world.leftovers(B);
    assert!(rows.iter().all(|row| row.starts_with("migrations to")), "{rows:?}");
    let answer = world.ask(B, Ask::DeletePartner { system: A.into() });
    assert_eq!(answer.expect_err("it is gone").cause.code(), "no-such-partner");
}

#[test]
fn a_partners_call_that_begins_during_a_cut_is_entered_when_the_trunk_is_back() {
    let (mut world, _) = world();
    world.call(B, AMBU, false);
    world.node(A).calls.retain(|key, _| key.0 != AMBU);
    world.give(A, super::super::Input::Call { group: AMBU.into(), runs: false });
    world.trunk(false);
    world.call(B, AMBU, true);
    assert!(world.in_call(AMBU, ANA, "radio").is_empty());
    world.trunk(true);
    world.pass(Millis(100));
    assert_eq!(world.in_call(AMBU, ANA, "radio"), [A]);
}

#[test]
fn a_member_that_the_home_removes_during_a_cut_leaves_when_the_trunk_is_back() {
    let (mut world, _) = world();
    world.trunk(false);
    world.put_group(B, AMBU, group(Model::Prearranged, &[]));
    world.pass(Millis(1_000));
    assert_eq!(world.in_call(AMBU, ANA, "radio"), [A], "A does not know yet");
    world.trunk(true);
    world.pass(Millis(100));
    assert!(world.serving(AMBU, ANA, "radio").is_empty() && world.in_call(AMBU, ANA, "radio").is_empty());
}

#[test]
fn after_a_restart_the_media_plane_learns_its_partners_again() {
    let (mut world, _) = world();
    world.node(A).partners.clear();
    world.crash(A);
    assert_eq!(world.nodes[A].partners, [String::from(B)]);
}
