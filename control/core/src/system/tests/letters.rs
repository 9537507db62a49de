//! What fits into a letter, from both sides.

use std::{format, string::String, vec::Vec};

use relay_core::{Millis, trunk::frame};

use super::{
    super::{Answer, LETTER_GROUPS_MAX, Phase, Scope},
    asks::{group, lines},
    moves::{FIRE, world},
    world::{A, ANA, B, World},
};
use crate::group::{Codec, Group, ID_OCTETS_MAX, Model};

/// Ids of groups of B, as long as an id may be.
fn long_names(count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|at| format!("sip:{at:0>241}@b.example")).collect();
    assert!(names.iter().all(|name| name.len() == ID_OCTETS_MAX));
    names
}

fn strs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

#[test]
fn a_letter_names_so_many_groups_and_the_next_one_goes_into_another() {
    let (mut world, _) = world();
    // The letters have to fit into frames, and so do the answers.
    let names = long_names(LETTER_GROUPS_MAX + 1);
    world.put_user(A, ANA, &strs(&names), &[B], 500);
    for (client, count, letters) in [("car", LETTER_GROUPS_MAX, 1), ("tablet", LETTER_GROUPS_MAX + 1, 2)] {
        world.authorize(A, ANA, client);
        world.pass(Millis(100));
        let token = world.send(A, World::affiliate_ask(ANA, client, &strs(&names[..count]), false));
        assert_eq!(world.node(A).system.letters.len(), letters, "{count} groups");
        world.pass(Millis(100));
        let Some(Ok(Answer::Affiliation { items, .. })) = world.node(A).answers.remove(&token) else { panic!() };
        let answered = lines(&items).iter().filter(|line| line.ends_with("no-such-group")).count();
        assert_eq!(answered, count, "every group has its answer");
    }
}

#[test]
fn a_client_of_many_groups_is_taken_out_of_all_of_them() {
    let (mut world, _) = world();
    let names = long_names(frame::GROUPS_MAX + 1);
    world.put_user(A, ANA, &strs(&names), &[B], 500);
    for name in &names {
        world.put_group(B, name, group(Model::Prearranged, &[ANA]));
    }
    world.authorize(A, ANA, "car");
    let (affiliation, items) = world.affiliate(A, ANA, "car", &strs(&names));
    assert!(items.iter().all(|item| item.ends_with(" affiliated")), "{items:?}");
    assert_eq!(world.node(B).system.homed.len(), names.len());
    world.deaffiliate(A, &affiliation, Scope::Client);
    world.pass(Millis(100));
    assert!(world.node(B).system.homed.is_empty());
    assert!(world.node(A).system.letters.is_empty() && world.node(A).full.is_empty());
}

#[test]
fn a_profile_that_fits_into_no_letter_is_refused_to_the_new_system_and_the_client_stays() {
    for (groups, end, cause) in
        [(frame::GROUPS_MAX, Phase::Done, None), (frame::GROUPS_MAX + 1, Phase::RolledBack, Some("limit-reached"))]
    {
        let (mut world, _) = world();
        let mut names: Vec<String> = (1..groups).map(|at| format!("sip:g{at}@a.example")).collect();
        names.push(FIRE.into());
        world.put_user(A, ANA, &strs(&names), &[B], 8);
        let (_, tickets) = world.authorize(A, ANA, "radio");
        let id = world.migrate(B, A, Some(&tickets[B]), &[FIRE]);
        world.pass(Millis(1_000));
        let migration = world.migration(B, &id);
        let refused = migration.cause.map(|refused| refused.cause.code());
        assert_eq!((migration.phase, refused), (end, cause), "{groups} groups");
        let (serving, full) = if cause.is_none() { (B, 0) } else { (A, 1) };
        assert_eq!((world.in_call(FIRE, ANA, "radio"), world.nodes[A].full.len()), ([serving].into(), full));
    }
}

#[test]
fn a_document_that_is_too_large_for_a_letter_costs_its_group_only() {
    let with = |count: usize, fmtp: usize| {
        let mut document: Group = group(Model::Prearranged, &[ANA]);
        let codec = |at: usize| Codec { name: "x".into(), payload_type: 96 + at as u8, fmtp: "x".repeat(fmtp) };
        document.media.codecs = (0..count).map(codec).collect();
        document
    };
    let groups = [
        ("sip:many@b.example", with(frame::CODECS_MAX, 1)),
        ("sip:too-many@b.example", with(frame::CODECS_MAX + 1, 1)),
        ("sip:large@b.example", with(1, 900)),
        ("sip:too-large@b.example", with(1, 1_020)),
    ];
    let names = groups.clone().map(|(name, _)| name);
    let (mut world, _) = world();
    for (name, document) in groups {
        world.put_group(B, name, document);
    }
    world.put_user(A, ANA, &names, &[B], 8);
    world.authorize(A, ANA, "car");
    let (_, items) = world.affiliate(A, ANA, "car", &names);
    let expected = [
        "sip:many@b.example affiliated",
        "sip:too-many@b.example limit-reached",
        "sip:large@b.example affiliated",
        "sip:too-large@b.example limit-reached",
    ];
    assert_eq!(items, expected);
    assert_eq!(world.node(B).full, ["partner.document_octets", "partner.document_octets"]);
}
