//! What becomes of a migration that does not come to its end, row by row of the rollback matrix: the client is in exactly one system, or
//! it was told that it is in none.

use std::{string::String, vec::Vec};

use relay_core::{
    Millis, Time,
    trunk::wire::{self, letter::What},
};

use super::{
    super::{Answer, Ask, COMMIT_MS_MAX, GATE_MS_MAX, Input, MigrationAnswer, Output, Phase, System},
    moves::{AMBU, CHAT, FIRE, world},
    world::{A, ANA, B, DELAY, Shown, World},
};

fn lose(what: fn(&What) -> bool) -> (World, MigrationAnswer<Shown>) {
    let (mut world, ticket) = world();
    world.lose = what;
    let id = world.migrate(B, A, Some(&ticket), &[FIRE, AMBU]);
    world.pass(Millis(GATE_MS_MAX.0 + 500));
    let migration = world.migration(B, &id);
    (world, migration)
}

/// The client has everything again, on its leg, from the last packet that it was sent.
fn is_back(world: &World) {
    for name in [FIRE, CHAT, AMBU] {
        assert_eq!(world.serving(name, ANA, "radio"), [A], "{name}");
    }
    for name in [FIRE, AMBU] {
        assert_eq!(world.in_call(name, ANA, "radio"), [A], "{name}");
    }
    let key = (String::from(FIRE), String::from(ANA), String::from("radio"));
    let resume = &world.nodes[A].calls[&key];
    assert!(resume.iter().all(|point| point.sequence == 70_000));
    let rows = world.leftovers(B);
    let kept = |row: &&String| !row.starts_with("migrations to") && !row.starts_with("affiliations homed");
    assert_eq!(rows.iter().find(kept), None, "nothing is left in B");
}

#[test]
fn p1_the_old_system_is_not_reached_and_nothing_happens() {
    let (world, migration) = lose(|what| matches!(what, What::Leave(_)));
    assert_eq!(migration.phase, Phase::RolledBack);
    assert_eq!(migration.cause.map(|refused| refused.cause.code()), Some("home-unreachable"));
    assert_eq!(migration.phases.len(), 1);
    is_back(&world);
}

#[test]
fn p1_the_answer_is_lost_and_the_client_is_given_back_by_its_ticket() {
    let (world, migration) = lose(|what| matches!(what, What::Left(_)));
    assert_eq!(migration.phase, Phase::RolledBack);
    assert_eq!(world.audited(A, "migration-rolled-back"), [None]);
    is_back(&world);
    let key = (String::from(FIRE), String::from(ANA), String::from("radio"));
    assert_eq!(world.nodes[A].calls[&key].len(), 1, "from the last packet that it was sent");
}

#[test]
fn p4_no_profile_comes_and_the_client_is_given_back() {
    let (world, migration) = lose(|what| matches!(what, What::Profile(_) | What::ProfileAnswer(_)));
    assert_eq!((migration.phase, migration.generation), (Phase::RolledBack, None));
    is_back(&world);
}

#[test]
fn p6_the_request_is_lost_and_the_client_is_given_back() {
    let (world, migration) = lose(|what| matches!(what, What::Authorize(_)));
    assert_eq!((migration.phase, migration.generation), (Phase::RolledBack, None));
    assert_eq!(migration.phases.last().map(|phase| phase.phase), Some(Phase::Authorize));
    is_back(&world);
}

#[test]
fn p6_the_commit_is_stored_but_its_answer_is_lost_and_the_client_is_told_that_it_is_nowhere() {
    let (mut world, migration) = lose(|what| matches!(what, What::Authorization(_)));
    assert_eq!(migration.phase, Phase::RolledBack);
    assert_eq!(world.audited(A, "migration-given-up"), [None]);
    assert!(world.serving(FIRE, ANA, "radio").is_empty());
    // It authorises at home again, and goes on.
    world.lose = |_| false;
    let (_, tickets) = world.authorize(A, ANA, "radio");
    world.affiliate(A, ANA, "radio", &[FIRE]);
    assert_eq!(world.in_call(FIRE, ANA, "radio"), [A]);
    let id = world.migrate(B, A, Some(&tickets[B]), &[FIRE]);
    world.pass(Millis(500));
    let migration = world.migration(B, &id);
    assert_eq!((migration.phase, migration.generation), (Phase::Done, Some(2)));
}

#[test]
fn p7_a_silent_home_costs_its_groups_and_nothing_else() {
    let (mut world, ticket) = world();
    world.lose = |what| matches!(what, What::Affiliation(_));
    let id = world.migrate(B, A, Some(&ticket), &[FIRE, AMBU]);
    world.pass(Millis(6_000));
    let migration = world.migration(B, &id);
    assert_eq!(migration.phase, Phase::Done);
    let expected =
        ["sip:fire@a.example home-unreachable", "sip:ambu@b.example call of sip:ambu@b.example at b.example"];
    assert_eq!(super::asks::lines(&migration.groups), expected);
    let rows = world.leftovers(A);
    assert!(!rows.iter().any(|row| row.contains("homed")), "the home forgets what nobody heard of: {rows:?}");
}

#[test]
fn mig_21_the_new_system_dies_and_the_old_one_takes_the_client_back_by_itself() {
    let (mut world, ticket) = world();
    world.migrate(B, A, Some(&ticket), &[FIRE]);
    world.pass(Millis(60));
    assert!(world.in_call(FIRE, ANA, "radio").is_empty(), "it has left A");
    world.trunk(false);
    world.pass(Millis(COMMIT_MS_MAX.0 - 200));
    assert!(world.in_call(FIRE, ANA, "radio").is_empty(), "a commit may come yet");
    world.pass(Millis(200));
    assert_eq!((world.serving(FIRE, ANA, "radio"), world.in_call(FIRE, ANA, "radio")), ([A].into(), [A].into()));
    // What the new system asks for afterwards is superseded.
    world.crash(B);
    world.trunk(true);
    world.pass(Millis(1_000));
    assert_eq!(world.in_call(FIRE, ANA, "radio"), [A]);
}

#[test]
fn a_commit_counts_until_the_old_system_has_taken_the_client_back() {
    for (after, commits) in [(COMMIT_MS_MAX.0 - 1, true), (COMMIT_MS_MAX.0, false)] {
        let (mut world, ticket) = world();
        let (user, client) = (String::from(ANA), String::from("radio"));
        let key = super::super::ClientKey::new(&user, &client);
        let ticket = super::super::secrets::bytes(&ticket);
        let leave = wire::Leave { ticket, user: user.clone(), client: client.clone() };
        let letter = |what| Input::Letter { from: B.into(), letter: wire::Letter { id: 9, what: Some(what) } };
        world.give(A, letter(What::Leave(leave)));
        let place = world.nodes[A].system.origins[&key].row.place.clone();
        let Some(super::super::rows::Place::Leaving(leaving)) = place else { panic!("it leaves") };
        world.pass(Millis(after));
        let (migration, partner_user) = (leaving.token.clone(), String::from("sip:x@b.example"));
        let authorize = wire::AuthorizationRequest { migration, user, client, partner_user, index: 0 };
        world.give(A, letter(What::Authorize(authorize)));
        assert_eq!(world.authorized(A, ANA, "radio"), !commits);
        assert_eq!(world.in_call(FIRE, ANA, "radio") == [A], !commits);
        let refused: &[Option<&str>] = if commits { &[] } else { &[Some("superseded")] };
        assert_eq!(world.audited(A, "migration-refused"), refused);
        world.pass(Millis(20_000));
        assert_eq!(world.authorized(A, ANA, "radio"), !commits, "after a commit A takes nothing back by itself");
    }
}

#[test]
fn a_crash_of_the_old_system_before_the_commit_restores_the_client() {
    let (mut world, ticket) = world();
    let id = world.migrate(B, A, Some(&ticket), &[FIRE]);
    world.pass(Millis(60));
    world.crash(A);
    world.call(A, FIRE, true);
    world.pass(Millis(1_000));
    assert_eq!((world.serving(FIRE, ANA, "radio"), world.in_call(FIRE, ANA, "radio")), ([A].into(), [A].into()));
    assert_eq!(world.migration(B, &id).phase, Phase::RolledBack);
}

#[test]
fn a_crash_of_the_old_system_after_the_commit_changes_nothing() {
    let (mut world, ticket) = world();
    world.migrate(B, A, Some(&ticket), &[FIRE]);
    world.pass(Millis(1_000));
    world.crash(A);
    world.pass(Millis(15_000));
    assert_eq!(world.serving(FIRE, ANA, "radio"), [B]);
    world.authorize(A, ANA, "radio");
    world.pass(Millis(100));
    assert!(world.serving(FIRE, ANA, "radio").is_empty(), "and its generation still counts");
}

#[test]
fn a_client_may_come_home_although_the_new_system_died() {
    let (mut world, ticket) = world();
    world.migrate(B, A, Some(&ticket), &[FIRE]);
    world.pass(Millis(1_000));
    world.trunk(false);
    let id = world.migrate(A, B, None, &[FIRE]);
    world.pass(Millis(10));
    let migration = world.migration(A, &id);
    assert_eq!((migration.phase, migration.phases[0].result), (Phase::Done, "home-unreachable"));
    assert_eq!(world.in_call(FIRE, ANA, "radio").first(), Some(&A));
    world.crash(B);
    world.trunk(true);
    world.pass(Millis(100));
    assert_eq!(world.serving(FIRE, ANA, "radio"), [A]);
}

#[test]
fn what_a_partner_has_to_know_survives_a_crash() {
    let (mut world, ticket) = world();
    world.migrate(B, A, Some(&ticket), &[FIRE]);
    world.pass(Millis(1_000));
    world.trunk(false);
    world.authorize(A, ANA, "radio");
    world.crash(A);
    assert_eq!(world.serving(FIRE, ANA, "radio"), [B]);
    world.trunk(true);
    world.pass(Millis(100));
    assert!(world.serving(FIRE, ANA, "radio").is_empty());
    assert!(!world.authorized(B, ANA, "radio"), "B was told, not only refused");
}

#[test]
fn what_a_client_left_by_itself_comes_back_with_the_migration_that_follows_and_not_without() {
    for (pause, moves, back) in [(100, true, true), (9_900, true, true), (10_100, true, false), (100, false, false)] {
        let (mut world, _) = world();
        let (authorization, tickets) = world.authorize(A, ANA, "radio");
        let (affiliation, _) = world.affiliate(A, ANA, "radio", &[FIRE]);
        world.deaffiliate(A, &affiliation, super::super::Scope::Client);
        world.ask(A, super::super::Ask::Deauthorize { authorization }).expect("it is its own");
        world.pass(Millis(pause));
        world.lose = |what| matches!(what, What::Authorize(_));
        if moves {
            world.migrate(B, A, Some(&tickets[B]), &[FIRE]);
        }
        world.pass(Millis(20_000));
        assert_eq!(world.in_call(FIRE, ANA, "radio") == [A], back, "after {pause} ms, migration: {moves}");
        assert_eq!(world.authorized(A, ANA, "radio"), back);
    }
}

/// What breaks, and for how long.
type Break = (&'static str, fn(&mut World));

#[test]
fn whatever_breaks_at_whatever_moment_the_client_is_in_one_system_or_knows_that_it_is_in_none() {
    let breaks: [Break; 4] = [
        ("the trunk is cut for 1 s", |world| {
            world.trunk(false);
            world.pass(Millis(1_000));
            world.trunk(true);
        }),
        ("the trunk is cut for 15 s", |world| {
            world.trunk(false);
            world.pass(Millis(15_000));
            world.trunk(true);
        }),
        ("A is restarted", |world| {
            world.crash(A);
            world.call(A, FIRE, true);
        }),
        ("B is restarted", |world| world.crash(B)),
    ];
    let mut ends = Vec::new();
    for (name, broken) in breaks {
        for at in (0..320).step_by(3) {
            let (mut world, ticket) = world();
            let id = world.migrate(B, A, Some(&ticket), &[FIRE, AMBU]);
            world.pass(Millis(at));
            broken(&mut world);
            world.pass(Millis(20_000));
            let phase = world.migration(B, &id).phase;
            let serving = world.serving(FIRE, ANA, "radio");
            match (phase, &serving[..]) {
                (Phase::Done, [B]) | (Phase::RolledBack, [A]) => {}
                // After the commit a lost home is shown per group.
                (Phase::Done, []) => assert!(world.authorized(B, ANA, "radio"), "{name} at {at} ms"),
                (Phase::RolledBack, []) => {
                    assert_eq!(world.audited(A, "migration-given-up"), [None], "{name} at {at} ms")
                }
                other => panic!("{name} at {at} ms: {other:?}"),
            }
            assert!(!(world.authorized(A, ANA, "radio") && world.authorized(B, ANA, "radio")), "{name} at {at} ms");
            ends.push((phase, serving.len()));
        }
    }
    for seen in [(Phase::Done, 1), (Phase::RolledBack, 1)] {
        assert!(ends.contains(&seen), "the sweep reaches {seen:?}");
    }
}

/// The gates with their times and results are what was answered, too.
#[test]
fn a_migration_shows_its_phases_after_a_crash_as_before() {
    let gates = |world: &mut World, id: &str| world.migration(B, id).phases;
    let (mut world, ticket) = world();
    let failed = world.migrate(B, A, Some("00"), &[FIRE]);
    world.pass(Millis(500));
    let done = world.migrate(B, A, Some(&ticket), &[FIRE]);
    world.pass(Millis(1_000));
    let before = (gates(&mut world, &failed), gates(&mut world, &done));
    assert_eq!((before.0[0].result, before.0.len(), before.1.len()), ("ticket-unknown", 1, 5));
    assert!(before.1[0].took.as_millis() >= u128::from(2 * DELAY.0));
    world.crash(B);
    assert_eq!((gates(&mut world, &failed), gates(&mut world, &done)), before);
    // One that was under way shows the gates that it had passed.
    let (mut world, ticket) = super::moves::world();
    let id = world.migrate(B, A, Some(&ticket), &[FIRE]);
    while world.migration(B, &id).phase != Phase::Authorize {
        world.pass(Millis(1));
    }
    let before = gates(&mut world, &id);
    world.crash(B);
    let shown = world.migration(B, &id);
    assert_eq!((shown.phase, shown.phases, before.len()), (Phase::RolledBack, before, 2));
}

/// Version 1 without the phases: what a build wrote that did not store them.
#[test]
fn a_migration_of_an_older_build_is_shown_without_phases() {
    let row = [b"\x01\x0a\x01u\x12\x01c\x1a\x01a\x58", &[Phase::Done as u8][..]].concat();
    let rows = [("migrations".into(), "to m".into(), row)];
    let mut system = System::<String>::restore(B, rows.into_iter()).expect("it can be read");
    let ask = Ask::Migration { migration: "m".into() };
    system.handle(Input::Ask { token: 1, ask, entropy: [0; 64] }, Time::ZERO);
    let shown = loop {
        match system.poll() {
            Output::Answer { answer: Ok(Answer::Migration(shown)), .. } => break shown,
            Output::Wake(_) => panic!("it is not answered"),
            _ => {}
        }
    };
    assert_eq!((shown.phase, shown.phases), (Phase::Done, Vec::new()));
}
