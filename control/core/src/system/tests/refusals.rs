//! Nobody is moved who did not ask: what a partner presents, and what it is told.

use std::{string::String, vec::Vec};

use relay_core::{Millis, trunk::wire};

use super::{
    super::{Answer, Ask, GATE_MS_MAX, Input, Phase, TICKET_MS, TICKET_REMEMBERED_MS},
    asks::lines,
    moves::{CHAT, FIRE, world},
    world::{A, ANA, B, DELAY, World},
};

const C: &str = "c.example";

/// The migration fails, nobody is disturbed, and there is one line in the audit trail of A.
fn refused(world: &mut World, ticket: Option<&str>) -> &'static str {
    let before = world.audited(A, "ticket-refused").len();
    let id = world.migrate(B, A, ticket, &[FIRE]);
    world.pass(Millis(500));
    let migration = world.migration(B, &id);
    assert_eq!(migration.phase, Phase::RolledBack);
    assert_eq!((migration.authorization, migration.affiliation, migration.user), (None, None, None));
    assert_eq!(world.in_call(FIRE, ANA, "radio"), [A]);
    assert_eq!(world.serving(FIRE, ANA, "radio"), [A]);
    let kept: Vec<String> = world.leftovers(B).into_iter().filter(|row| !row.starts_with("migrations to")).collect();
    assert!(kept.iter().all(|row| row.starts_with("affiliations homed a.example")), "{kept:?}");
    let lines = world.audited(A, "ticket-refused");
    assert_eq!(lines.len(), before + 1);
    let cause = migration.cause.expect("it has a cause").cause.code();
    assert_eq!(lines.last(), Some(&Some(cause)));
    cause
}

#[test]
fn mig_19_a_ticket_is_this_clients_for_this_system_once_and_for_an_hour() {
    let (mut world, ticket) = world();
    assert_eq!(refused(&mut world, None), "ticket-missing");
    assert_eq!(refused(&mut world, Some("nonsense")), "ticket-unknown");
    assert_eq!(refused(&mut world, Some(&"ab".repeat(64))), "ticket-unknown", "the longest that a trunk takes");
    assert_eq!(refused(&mut world, Some(&"ab".repeat(32))), "ticket-unknown");
    world.put_partner(A, C);
    world.put_user(A, ANA, &[FIRE, CHAT], &[B, C], 8);
    let (_, tickets) = world.authorize(A, ANA, "radio");
    assert_eq!(refused(&mut world, Some(&ticket)), "ticket-unknown", "a second authorisation voids the first ones");
    assert_eq!(refused(&mut world, Some(&tickets[C])), "ticket-foreign");
    let (_, of_another) = world.authorize(A, ANA, "car");
    assert_eq!(refused(&mut world, Some(&of_another[B])), "ticket-unknown");
    world.pass(TICKET_MS);
    assert_eq!(refused(&mut world, Some(&tickets[B])), "ticket-expired");
    world.pass(TICKET_REMEMBERED_MS);
    assert_eq!(refused(&mut world, Some(&tickets[B])), "ticket-unknown");
}

#[test]
fn a_ticket_is_good_until_its_last_millisecond_and_then_spent() {
    let (mut world, _) = world();
    let (_, tickets) = world.authorize(A, ANA, "radio");
    world.pass(Millis(TICKET_MS.0 - 2 * DELAY.0 - 20));
    // It comes to nothing, because the profile is no longer good for B: the ticket is spent all the same.
    world.put_user(A, ANA, &[FIRE], &[], 8);
    let id = world.migrate(B, A, Some(&tickets[B]), &[FIRE]);
    world.pass(Millis(500));
    let migration = world.migration(B, &id);
    let cause = migration.cause.expect("it has one").cause;
    assert_eq!((migration.phase, cause.code()), (Phase::RolledBack, "profile-not-valid-here"));
    assert_eq!(world.in_call(FIRE, ANA, "radio"), [A]);
    assert_eq!(refused(&mut world, Some(&tickets[B])), "ticket-spent");
}

#[test]
fn mig_19_each_reason_of_the_primary_system_has_its_own_cause() {
    let run = |spoil: fn(&mut World), profile: Option<u32>| {
        let (mut world, ticket) = world();
        let mut ask = World::migrate_ask(ANA, "radio", A, Some(&ticket), &[FIRE]);
        if let Ask::Migrate { profile: asked, .. } = &mut ask {
            *asked = profile;
        }
        spoil(&mut world);
        let Ok(Answer::Migrating { migration }) = world.ask(B, ask) else { panic!("it begins") };
        world.pass(Millis(GATE_MS_MAX.0 + 1_000));
        let answer = world.migration(B, &migration);
        assert_eq!(answer.phase, Phase::RolledBack);
        assert!(world.serving(FIRE, ANA, "radio").len() <= 1);
        answer.cause.expect("it has one").cause.code()
    };
    assert_eq!(run(|_| {}, Some(9)), "no-such-profile");
    let block = |world: &mut World| {
        let document = crate::user::User { profiles: Vec::new(), blocked: true };
        world.ask(A, Ask::PutUser { user: ANA.into(), document }).expect("stored");
    };
    assert_eq!(run(block, None), "user-blocked");
    assert_eq!(run(|world| world.lose = |_| true, None), "home-unreachable");
}

/// 0 says on the trunk that none is named: a profile with that index would never be the one that was asked for.
#[test]
fn no_profile_has_index_0_and_none_is_asked_for_by_it() {
    let (mut world, ticket) = world();
    let profile = |index| crate::user::Profile { index, partners: Vec::new(), groups: Vec::new(), n2: 1 };
    let put = |index| {
        let document = crate::user::User { profiles: [profile(1), profile(index)].into(), blocked: false };
        Ask::PutUser { user: "sip:eva@a.example".into(), document }
    };
    let authorize = |index| Ask::Authorize {
        user: ANA.into(),
        client: "radio".into(),
        profile: Some(index),
        service: super::super::Service::default(),
    };
    let migrate = |index| match World::migrate_ask(ANA, "radio", A, Some(&ticket), &[FIRE]) {
        Ask::Migrate { user, client, from, ticket, mode, groups, leg, service, .. } => {
            Ask::Migrate { user, client, from, ticket, profile: Some(index), mode, groups, leg, service }
        }
        other => other,
    };
    for (at, zero, subject) in [
        (A, put(0), "profiles[1].index"),
        (A, authorize(0), "profile"),
        (B, migrate(0), "profile"),
        (A, migrate(0), "profile"),
    ] {
        let refused = world.ask(at, zero).expect_err("0 is no index");
        assert_eq!((refused.cause.code(), refused.subject.as_str()), ("invalid-field", subject));
    }
    assert_eq!(world.in_call(FIRE, ANA, "radio"), [A], "and nobody was moved by it");
    assert!(world.ask(A, put(2)).is_ok() && world.ask(B, migrate(1)).is_ok());
}

#[test]
fn a_migration_is_refused_at_the_door() {
    let (mut world, ticket) = world();
    let code = |world: &mut World, user: &str, from: &str| {
        let ask = World::migrate_ask(user, "radio", from, Some(&ticket), &[FIRE]);
        world.ask(B, ask).expect_err("it is refused").cause.code()
    };
    assert_eq!(code(&mut world, ANA, C), "no-such-partner");
    let longer = World::migrate_ask(ANA, "radio", A, Some(&"ab".repeat(65)), &[FIRE]);
    assert_eq!(world.ask(B, longer).expect_err("no trunk takes it").cause.code(), "ticket-unknown");
    world.trunk(false);
    assert_eq!(code(&mut world, ANA, A), "home-unreachable");
    world.trunk(true);
    world.migrate(B, A, Some(&ticket), &[FIRE]);
    assert_eq!(code(&mut world, ANA, A), "migration-under-way");
    let told = ["no-such-partner", "ticket-unknown", "home-unreachable", "migration-under-way"].map(Some);
    assert_eq!(world.audited(B, "migration-refused"), told, "an agency asks who was sent away, and why");
    let last = world.nodes[B].audit.iter().rfind(|line| line.event == "migration-refused").expect("it was just seen");
    assert_eq!((&*last.system, last.user.as_deref()), (A, Some(ANA)));
}

#[test]
fn a_partner_has_at_most_its_quota_of_users_here() {
    let (mut world, ticket) = world();
    let mut begin = |user: &str| {
        let ask = World::migrate_ask(user, "radio", A, Some(&ticket), &[]);
        world.ask(B, ask).map_err(|refused| (refused.cause.code(), refused.subject))
    };
    assert!(begin(ANA).is_ok() && begin("sip:ben@a.example").is_ok());
    assert_eq!(begin("sip:eva@a.example"), Err(("limit-reached", String::from("partners.migrated_users"))));
    assert_eq!(world.audited(B, "migration-refused"), [Some("limit-reached")]);
}

#[test]
fn a_second_migration_while_the_first_has_no_commit_is_refused() {
    let (mut world, _) = world();
    world.put_partner(A, C);
    world.put_user(A, ANA, &[FIRE], &[B, C], 8);
    let (_, tickets) = world.authorize(A, ANA, "radio");
    let leave = |ticket: &str| {
        let ticket = super::super::secrets::bytes(ticket);
        let (user, client) = (ANA.into(), "radio".into());
        wire::Letter { id: 77, what: Some(wire::letter::What::Leave(wire::Leave { ticket, user, client })) }
    };
    world.give(A, Input::Letter { from: B.into(), letter: leave(&tickets[B]) });
    world.give(A, Input::Letter { from: C.into(), letter: leave(&tickets[C]) });
    assert_eq!(world.audited(A, "migration-refused"), [Some("migration-under-way")]);
    world.pass(Millis(11_000));
    assert_eq!(world.in_call(FIRE, ANA, "radio"), [A], "and nothing came of the first one either");
    // The other ticket was not spent by that.
    world.give(A, Input::Letter { from: C.into(), letter: leave(&tickets[C]) });
    assert_eq!(world.audited(A, "migration-asked").len(), 2);
}

/// TS 23.280 §10.6.3 would allow "unknown user" as a reason: here a partner does not learn from any answer who is a user.
#[test]
fn mig_19_a_partner_does_not_learn_who_is_a_user() {
    use wire::letter::What;
    let (mut world, _) = world();
    world.put_user(A, "sip:eva@a.example", &[], &[], 8);
    let (migration, client, partner_user) = (Vec::from(*b"x"), String::from("radio"), String::from("sip:x@b.example"));
    let mut answers = |user: &str| -> Vec<String> {
        let user = String::from(user);
        let (leave, none) = (|ticket| (ticket, user.clone(), client.clone()), Vec::new());
        let affiliate = |generation| {
            What::Affiliate(wire::AffiliationRequest {
                user: user.clone(),
                partner_user: partner_user.clone(),
                client: client.clone(),
                generation,
                groups: [FIRE.into()].into(),
            })
        };
        let leave = [none, migration.clone()]
            .map(leave)
            .map(|(ticket, user, client)| What::Leave(wire::Leave { ticket, user, client }));
        let (migration, client) = (migration.clone(), client.clone());
        let profile = wire::ProfileRequest { migration, user: user.clone(), client, index: 1 };
        let wire::ProfileRequest { migration, client, .. } = profile.clone();
        let partner_user = partner_user.clone();
        let authorize = wire::AuthorizationRequest { migration, user: user.clone(), client, partner_user, index: 0 };
        let questions = [What::Profile(profile), What::Authorize(authorize), affiliate(0), affiliate(1)];
        let mut answers = Vec::new();
        for what in leave.into_iter().chain(questions) {
            world.give(A, Input::Letter { from: B.into(), letter: wire::Letter { id: 7, what: Some(what) } });
            world.pass(Millis(DELAY.0 - 1));
            let (_, _, _, letter) = world.letters.pop_back().expect("it is answered");
            answers.push(std::format!("{letter:?}").replace(&user, "the user"));
        }
        answers
    };
    let nobody = answers("sip:nobody@a.example");
    assert_eq!(nobody.len(), 6);
    for user in [ANA, "sip:eva@a.example"] {
        assert_eq!(answers(user), nobody, "{user}");
    }
}

#[test]
fn mig_37_a_partner_reaches_nothing_without_the_token_of_the_migration() {
    use wire::letter::What;
    let (mut world, _) = world();
    let (user, client) = (String::from(ANA), String::from("radio"));
    let forged = [
        What::Profile(wire::ProfileRequest {
            migration: b"x".into(),
            user: user.clone(),
            client: client.clone(),
            index: 1,
        }),
        What::Authorize(wire::AuthorizationRequest {
            migration: b"x".into(),
            user: user.clone(),
            client: client.clone(),
            partner_user: "sip:x@b.example".into(),
            index: 1,
        }),
        What::Affiliate(wire::AffiliationRequest {
            user: user.clone(),
            partner_user: "sip:x@b.example".into(),
            client: client.clone(),
            generation: 1,
            groups: [FIRE.into()].into(),
        }),
        What::Affiliate(wire::AffiliationRequest {
            user: user.clone(),
            partner_user: String::new(),
            client: client.clone(),
            generation: 0,
            groups: [FIRE.into()].into(),
        }),
        What::Deaffiliate(wire::DeaffiliationRequest {
            user: user.clone(),
            client: client.clone(),
            generation: 9,
            groups: [].into(),
            all_clients: true,
        }),
        What::GiveUp(wire::GiveUp {
            user: user.clone(),
            client: client.clone(),
            generation: 1,
            migration: [].into(),
            cause: String::new(),
        }),
        What::Superseded(wire::Superseded { user, client, generation: 9 }),
        What::CallStarted(wire::CallStarted { group: FIRE.into() }),
        What::GroupChanged(wire::GroupChanged { group: FIRE.into(), document: None, enabled: false }),
        What::Left(wire::Left { migration: b"x".into() }),
        What::Done(wire::Done {}),
    ];
    for (id, what) in (1..).zip(forged) {
        world.give(A, Input::Letter { from: B.into(), letter: wire::Letter { id, what: Some(what) } });
        world.give(A, Input::Letter { from: C.into(), letter: wire::Letter { id, what: None } });
        world.pass(Millis(100));
        assert_eq!((world.in_call(FIRE, ANA, "radio"), world.serving(FIRE, ANA, "radio")), ([A].into(), [A].into()));
    }
    assert_eq!(world.audited(A, "letter-ignored").len(), 11, "whoever is no partner is not even answered");
    assert_eq!(world.audited(A, "affiliation-refused"), [Some("identity-superseded"); 2]);
    let subscribed = world.ask(A, Ask::MaySubscribe { system: B.into(), group: FIRE.into() });
    assert_eq!(subscribed.expect_err("nobody of B is in it").cause.code(), "not-affiliated");
}

#[test]
fn a_partner_affiliates_a_migrated_client_only_to_what_its_profile_lists() {
    let (mut world, ticket) = world();
    let id = world.migrate(B, A, Some(&ticket), &[FIRE]);
    world.pass(Millis(500));
    assert_eq!(lines(&world.migration(B, &id).groups).len(), 1);
    world.put_user(A, ANA, &[CHAT], &[B], 8);
    let request = wire::AffiliationRequest {
        user: ANA.into(),
        partner_user: "sip:x@b.example".into(),
        client: "radio".into(),
        generation: 1,
        groups: [FIRE.into(), CHAT.into()].into(),
    };
    let letter = wire::Letter { id: 5, what: Some(wire::letter::What::Affiliate(request)) };
    world.give(A, Input::Letter { from: B.into(), letter });
    assert_eq!(world.audited(A, "affiliation-refused"), [Some("group-not-in-profile")]);
    let announce = |group: &str| Ask::MayAnnounce {
        system: B.into(),
        group: group.into(),
        user: ANA.into(),
        client: "radio".into(),
    };
    assert!(matches!(world.ask(A, announce(CHAT)), Ok(Answer::MayEnter { home: None, .. })));
}

#[test]
fn a_generation_that_counts_no_longer_moves_nothing() {
    use wire::letter::What;
    let (mut world, ticket) = world();
    world.migrate(B, A, Some(&ticket), &[FIRE]);
    world.pass(Millis(500));
    let (user, client) = (String::from(ANA), String::from("radio"));
    let affiliate = |generation| wire::AffiliationRequest {
        user: user.clone(),
        partner_user: "sip:x@b.example".into(),
        client: client.clone(),
        generation,
        groups: [FIRE.into()].into(),
    };
    let old = [
        (B, A, What::Affiliate(affiliate(0))),
        (B, A, What::Affiliate(affiliate(2))),
        (
            B,
            A,
            What::Deaffiliate(wire::DeaffiliationRequest {
                user: user.clone(),
                client: client.clone(),
                generation: 0,
                groups: [].into(),
                all_clients: false,
            }),
        ),
        (
            B,
            A,
            What::GiveUp(wire::GiveUp {
                user: user.clone(),
                client: client.clone(),
                generation: 2,
                migration: [].into(),
                cause: String::new(),
            }),
        ),
        (A, B, What::Superseded(wire::Superseded { user: user.clone(), client: client.clone(), generation: 0 })),
    ];
    for (from, to, what) in old {
        world.give(to, Input::Letter { from: from.into(), letter: wire::Letter { id: 9, what: Some(what) } });
        world.pass(Millis(200));
        assert_eq!(world.serving(FIRE, ANA, "radio"), [B]);
        let announce =
            Ask::MayAnnounce { system: B.into(), group: FIRE.into(), user: user.clone(), client: client.clone() };
        assert!(world.ask(A, announce).is_ok());
    }
    assert_eq!(world.audited(A, "affiliation-refused"), [Some("identity-superseded"); 2]);
}

#[test]
fn a_system_that_serves_a_client_does_not_hear_of_it_from_its_old_one() {
    let (mut world, ticket) = world();
    world.migrate(B, A, Some(&ticket), &[super::moves::AMBU]);
    world.pass(Millis(500));
    let request = wire::AffiliationRequest {
        user: ANA.into(),
        partner_user: String::new(),
        client: "radio".into(),
        generation: 0,
        groups: [super::moves::AMBU.into()].into(),
    };
    let letter = wire::Letter { id: 9, what: Some(wire::letter::What::Affiliate(request)) };
    world.give(B, Input::Letter { from: A.into(), letter });
    assert_eq!(world.audited(B, "affiliation-refused"), [Some("identity-superseded")]);
    assert_eq!(world.in_call(super::moves::AMBU, ANA, "radio"), [B]);
}
