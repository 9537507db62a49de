//! Every limit, from both sides.

use std::{format, string::String, vec::Vec};

use relay_core::{Millis, trunk::wire};

use super::{
    super::{
        Answer, Ask, GROUPS_MAX, Input, MIGRATIONS_MAX, OWED_MAX, PARTNER_AFFILIATIONS_MAX, PARTNERS_MAX,
        PROFILE_ENTRIES_MAX, PROFILES_MAX, Partner, Phase, SHOWN_MS, Scope, Service, homed::HomedKey, new::Migration,
        rows::MigrationRow,
    },
    asks::lines,
    moves::{AMBU, FIRE, world},
    world::{A, ANA, ANA_AT_B, B, Shown, World},
};
use crate::{
    Refused,
    user::{Profile, User},
};

fn limit(answer: Result<Answer<Shown>, Refused>) -> Option<String> {
    answer.err().filter(|refused| refused.cause.code() == "limit-reached").map(|refused| refused.subject)
}

#[test]
fn a_user_has_so_many_profiles_with_so_many_groups() {
    let mut world = World::new(&[A]);
    let mut put = |profiles: usize, groups: usize| {
        let groups: Vec<String> = (0..groups).map(|at| format!("sip:g{at}@a")).collect();
        let profile = |index| Profile { index, partners: Vec::new(), groups: groups.clone(), n2: 1 };
        let profiles = (1..).take(profiles).map(profile).collect();
        limit(world.ask(A, Ask::PutUser { user: ANA.into(), document: User { profiles, blocked: false } }))
    };
    assert_eq!(put(PROFILES_MAX, 1), None);
    assert_eq!(put(PROFILES_MAX + 1, 1), Some("profiles".into()));
    assert_eq!(put(1, PROFILE_ENTRIES_MAX), None);
    assert_eq!(put(1, PROFILE_ENTRIES_MAX + 1), Some("profile.groups".into()));
}

#[test]
fn a_request_names_so_many_groups() {
    let (mut world, _) = world();
    let names: Vec<String> = (0..=GROUPS_MAX).map(|at| format!("sip:g{at}@a.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut ask = |count: usize| world.ask(A, World::affiliate_ask(ANA, "radio", &names[..count], false));
    let Ok(Answer::Affiliation { items, .. }) = ask(GROUPS_MAX) else { panic!("it is answered") };
    assert!(lines(&items).iter().filter(|line| line.ends_with("group-not-in-profile")).count() == GROUPS_MAX);
    assert_eq!(limit(ask(GROUPS_MAX + 1)), Some("groups".into()));
}

#[test]
fn a_system_has_so_many_partners() {
    let mut world = World::new(&[A]);
    let mut put = |at: usize| {
        let document = Partner { address: None, participants_max: 1, migrated_users_max: 1 };
        limit(world.ask(A, Ask::PutPartner { system: format!("p{at}"), document }))
    };
    assert!((0..PARTNERS_MAX).all(|at| put(at).is_none()));
    assert_eq!(put(PARTNERS_MAX), Some("partners".into()));
    assert_eq!(put(0), None, "one that is there is no new one");
}

#[test]
fn a_partner_has_so_many_affiliations_here() {
    let (mut world, _) = world();
    let homed = &mut world.node(A).system.homed;
    homed.extend((1..PARTNER_AFFILIATIONS_MAX).map(|at| {
        let user = format!("sip:u{at}@b.example");
        (HomedKey { group: "sip:x@a.example".into(), user, client: "radio".into(), system: B.into() }, 0)
    }));
    let members = ["sip:one@b.example", "sip:two@b.example"];
    world.put_group(A, FIRE, super::asks::group(crate::group::Model::Prearranged, &members));
    for (user, refusals) in [("sip:one@b.example", 0), ("sip:two@b.example", 1), ("sip:one@b.example", 1)] {
        let request = wire::AffiliationRequest {
            user: user.into(),
            partner_user: String::new(),
            client: "radio".into(),
            generation: 0,
            groups: [FIRE.into()].into(),
        };
        let letter = wire::Letter { id: 5, what: Some(wire::letter::What::Affiliate(request)) };
        world.give(A, Input::Letter { from: B.into(), letter });
        assert_eq!(world.audited(A, "affiliation-refused").len(), refusals, "{user}");
    }
    assert_eq!(world.audited(A, "affiliation-refused"), [Some("limit-reached")]);
    assert_eq!(world.node(A).full, ["partner.affiliations"]);
}

#[test]
fn a_system_has_so_many_users() {
    let mut world = World::new(&[A]);
    world.node(A).system.limits.users = 3;
    let mut put = |at: usize, blocked: bool| {
        let document = User { profiles: Vec::new(), blocked };
        limit(world.ask(A, Ask::PutUser { user: format!("sip:u{at}@a"), document }))
    };
    assert!((0..3).all(|at| put(at, false).is_none()));
    assert_eq!(put(3, false), Some("users".into()));
    assert_eq!(put(0, true), None, "one that is there is no new one");
    world.ask(A, Ask::DeleteUser { user: "sip:u1@a".into() }).expect("it is there");
    world.put_user(A, "sip:u3@a", &[], &[], 1);
    assert!(world.ask(A, Ask::User { user: "sip:u2@a".into() }).is_ok(), "the others are there");
}

#[test]
fn a_system_has_so_many_authorised_clients_however_they_came() {
    let (mut world, ticket) = world();
    world.node(A).system.limits.authorizations = 2;
    world.node(B).system.limits.authorizations = 0;
    world.authorize(A, ANA, "car");
    let ask = |client: &str| Ask::Authorize {
        user: ANA.into(),
        client: client.into(),
        profile: None,
        service: Service::default(),
    };
    assert_eq!(limit(world.ask(A, ask("tablet"))), Some("authorizations".into()));
    let (_, tickets) = world.authorize(A, ANA, "car");
    assert_eq!(world.serving(FIRE, ANA, "radio"), [A], "who is there stays");
    // B has no place: nothing happens to what the client has in A, and its ticket still counts.
    let migrate = World::migrate_ask(ANA, "radio", A, Some(&ticket), &[FIRE]);
    assert_eq!(limit(world.ask(B, migrate)), Some("authorizations".into()));
    world.pass(Millis(1_000));
    assert_eq!(world.in_call(FIRE, ANA, "radio"), [A]);
    world.node(B).system.limits.authorizations = 1;
    world.migrate(B, A, Some(&ticket), &[FIRE]);
    world.pass(Millis(1_000));
    assert_eq!(world.in_call(FIRE, ANA, "radio"), [B]);
    let migrate = World::migrate_ask(ANA, "car", A, Some(&tickets[B]), &[FIRE]);
    assert_eq!(limit(world.ask(B, migrate)), Some("authorizations".into()));
}

#[test]
fn so_many_migrations_are_under_way_or_shown() {
    let (mut world, ticket) = world();
    let ended = |at: usize| {
        let row = MigrationRow { user: format!("sip:u{at}@a.example"), ..MigrationRow::default() };
        (format!("m{at}"), Migration::restored(row, Phase::Done))
    };
    world.node(B).system.migrations = (0..MIGRATIONS_MAX).map(ended).collect();
    let migrate = World::migrate_ask(ANA, "radio", A, Some(&ticket), &[FIRE]);
    assert_eq!(limit(world.ask(B, migrate.clone())), Some("migrations".into()));
    assert_eq!(world.in_call(FIRE, ANA, "radio"), [A]);
    world.node(B).system.migrations.remove("m0");
    let Ok(Answer::Migrating { migration }) = world.ask(B, migrate) else { panic!("the last place is its own") };
    world.pass(Millis(1_000));
    assert_eq!(world.migration(B, &migration).phase, Phase::Done);
    let home = World::migrate_ask(ANA_AT_B, "radio", A, None, &[FIRE]);
    assert_eq!(limit(world.ask(B, home.clone())), Some("migrations".into()));
    world.pass(SHOWN_MS);
    assert_eq!(world.node(B).system.migrations.len(), MIGRATIONS_MAX - 1, "what is no longer shown makes place");
    assert_eq!(limit(world.ask(B, home)), None);
}

#[test]
fn a_partner_is_owed_so_many_letters() {
    let (mut world, _) = world();
    world.authorize(A, ANA, "car");
    let (car, _) = world.affiliate(A, ANA, "car", &[AMBU]);
    let (radio, _) = world.affiliate(A, ANA, "radio", &[]);
    world.trunk(false);
    let (user, client) = ("sip:nobody@a.example".into(), "radio".into());
    let nothing = wire::DeaffiliationRequest { user, client, ..wire::DeaffiliationRequest::default() };
    let nothing = wire::letter::What::Deaffiliate(nothing);
    for id in (1_000_000..).take(OWED_MAX - 1) {
        world.node(A).system.restore_owed(B, wire::Letter { id, what: Some(nothing.clone()) });
    }
    world.deaffiliate(A, &radio, Scope::Client);
    assert!(world.audited(A, "letter-dropped").is_empty());
    world.deaffiliate(A, &car, Scope::Client);
    assert_eq!(world.audited(A, "letter-dropped"), [Some("limit-reached")]);
    assert_eq!(world.node(A).full, ["partner.letters"]);
    assert!(world.serving(AMBU, ANA, "car").is_empty(), "here it has ended all the same");
    world.trunk(true);
    world.pass(Millis(200));
    assert!(world.node(A).system.letters.is_empty(), "every letter that was owed is answered");
    let homed = |client: &str| {
        let key = HomedKey { group: AMBU.into(), user: ANA.into(), client: client.into(), system: A.into() };
        world.nodes[B].system.homed.contains_key(&key)
    };
    assert_eq!((homed("radio"), homed("car")), (false, true), "only the dropped letter is missing");
}
