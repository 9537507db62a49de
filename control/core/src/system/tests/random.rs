//! Random sequences of moves, cuts, crashes and changes of mind: a client is served by one system at a time, as every group's home sees
//! it, and when all is quiet the systems agree on where it is.

use std::{println, string::String};

use relay_core::Millis;

use super::{
    super::{Answer, Ask, ClientKey, Scope},
    moves::{AMBU, CHAT, FIRE, world},
    world::{A, ANA, B, World},
};

/// A small generator: the same seed makes the same sequence.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

impl World {
    pub(super) fn authorized(&self, at: &str, user: &str, client: &str) -> bool {
        self.nodes[at].system.authorization_of(&ClientKey::new(user, client)).is_some()
    }

    /// I1, as the home of a group sees it: it counts a client in at most one serving system.
    fn homes_agree(&self) {
        for (home, name) in [(A, FIRE), (A, CHAT), (B, AMBU)] {
            let system = &self.nodes[home].system;
            let key = ClientKey::new(ANA, "radio");
            let away = system.homed_to(name).filter(|(homed, _)| homed.user == ANA && homed.client == "radio").count();
            let here = usize::from(system.is_affiliated(&key, name));
            assert!(away + here <= 1, "{name} at {home}: {here} here, {away} in partners");
        }
    }
}

fn step(world: &mut World, dice: &mut Dice, ticket: &mut Option<String>) {
    let groups = [FIRE, CHAT, AMBU];
    match dice.roll(12) {
        0..=2 => {
            let used = if dice.roll(4) == 0 { ticket.clone() } else { ticket.take() };
            world.send(B, World::migrate_ask(ANA, "radio", A, used.as_deref(), &groups));
        }
        3 | 4 => {
            world.send(A, World::migrate_ask(ANA, "radio", B, None, &groups));
        }
        5 | 6 => *ticket = world.authorize(A, ANA, "radio").1.remove(B),
        7 => {
            let ask = World::affiliate_ask(ANA, "radio", &groups, true);
            world.send(A, ask);
        }
        8 => {
            let at = if dice.roll(2) == 0 { A } else { B };
            let of = world.nodes[at].system.affiliated.get(&ClientKey::new(ANA, "radio")).cloned();
            if let Some(affiliation) = of {
                world.send(at, Ask::Deaffiliate { affiliation, scope: Scope::Client });
            }
        }
        9 => {
            let at = if dice.roll(2) == 0 { A } else { B };
            let of = world.nodes[at].system.authorized.get(&ClientKey::new(ANA, "radio")).cloned();
            if let Some(authorization) = of {
                world.send(at, Ask::Deauthorize { authorization });
            }
        }
        10 => {
            let at = if dice.roll(2) == 0 { A } else { B };
            world.crash(at);
            if at == A {
                world.call(A, FIRE, true);
            } else {
                world.call(B, AMBU, true);
            }
        }
        _ => {
            world.trunk(false);
            world.pass(Millis(u32::try_from(dice.roll(6_000)).unwrap_or_default()));
            world.trunk(true);
        }
    }
}

fn play(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (mut world, first) = world();
    let mut ticket = Some(first);
    for _ in 0..30 {
        step(&mut world, &mut dice, &mut ticket);
        world.homes_agree();
        world.pass(Millis(u32::try_from(dice.roll(200)).unwrap_or_default()));
        world.homes_agree();
    }
    // All is quiet: letters are answered, commits have come or are given up.
    world.trunk(true);
    world.pass(Millis(30_000));
    let authorized = (world.authorized(A, ANA, "radio"), world.authorized(B, ANA, "radio"));
    assert_ne!(authorized, (true, true), "authorised in two systems");
    for name in [FIRE, CHAT, AMBU] {
        assert!(world.serving(name, ANA, "radio").len() <= 1, "{name} in two systems");
    }
    assert!(world.in_call(FIRE, ANA, "radio").len() <= 1);
    let away = world.nodes[A].system.away(&ClientKey::new(ANA, "radio")).is_some();
    assert_eq!(away, authorized.1, "the primary system knows whether B serves the client");
    let owed: usize = world.nodes.values().map(|node| node.system.letters.len()).sum();
    assert_eq!(owed, 0, "every letter is answered");
    assert!(world.nodes.values().all(|node| node.system.under_way.is_empty()));
    // Whatever happened: the client can go on at home.
    world.authorize(A, ANA, "radio");
    world.affiliate(A, ANA, "radio", &[FIRE]);
    world.pass(Millis(200));
    assert_eq!((world.serving(FIRE, ANA, "radio"), world.in_call(FIRE, ANA, "radio")), ([A].into(), [A].into()));
    assert!(matches!(world.ask(A, Ask::User { user: ANA.into() }), Ok(Answer::User { .. })));
}

#[test]
fn a_client_is_served_by_one_system_whatever_happens() {
    let seeds = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(200);
    for seed in 0..seeds {
        println!("seed {seed}");
        play(seed);
    }
}
