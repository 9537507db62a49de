//! Random lives of a call in three systems: whatever people do and trunks suffer, nobody hears anything twice, out of order or of
//! itself, and no relay has its gate open for two.

use super::{
    span::Spanning,
    star::{HOME, Star},
    *,
};

/// Seeds that `cargo test` plays.
const SEEDS: u64 = 200;

/// A user per system and client; `both` has one in each.
const USERS: [&str; 4] = ["sip:u0@a", "sip:u1@a", "sip:u2@a", "sip:both@a"];

/// A small generator: the same seed is the same life.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

struct Life {
    star: Star,
    dice: Dice,
    /// Who is in: its user, port and next sequence number, by system and slot.
    inside: BTreeMap<(usize, u32), (usize, u16, u16)>,
    /// Whose packets an SSRC are.
    owners: BTreeMap<u32, usize>,
    /// Every port that was given, to whom, in which system.
    ports: Vec<(usize, u16, usize)>,
    next_port: u16,
    /// Whether frames come late too: media overtakes Floor Taken then, and nobody knows yet whose it is.
    unnamed: bool,
}

impl Life {
    fn new(seed: u64, unnamed: bool) -> Life {
        let mut star = Star::new(2, settings());
        for partner in [1, 2] {
            star.connect(partner);
        }
        star.run(50);
        let dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
        Life {
            star,
            dice,
            inside: BTreeMap::new(),
            owners: BTreeMap::new(),
            ports: Vec::new(),
            next_port: 4_000,
            unnamed,
        }
    }

    fn step(&mut self) {
        let system = self.dice.below(3) as usize;
        let slot = self.dice.below(3) as u32;
        match self.dice.below(16) {
            0 | 1 => self.enter(system, slot),
            2 => {
                if self.inside.remove(&(system, slot)).is_some() {
                    self.star.leave(system, slot);
                }
            }
            3..=5 => {
                let priority = self.dice.below(8) as u8;
                self.star.request(system, slot, priority);
            }
            6 => self.star.release(system, slot),
            7..=12 => self.talk(),
            13 => self.suffer(1 + self.dice.0 as usize % 2),
            14 => {
                let line = &mut self.star.lines[1 + slot as usize % 2];
                let mut late = |end| Millis(self.dice.below(end) as u32);
                (line.late_media, line.late_backfill) = (late(150), late(400));
                line.late_frames = if self.unnamed { late(200) } else { Millis(0) };
            }
            _ => {
                let ms = self.dice.below(1_500) as u32;
                self.star.run(ms);
            }
        }
        let ms = self.dice.below(60) as u32;
        self.star.run(ms);
        self.one_talker();
    }

    fn enter(&mut self, system: usize, slot: u32) {
        // Only a call that the home has taken in lets somebody in.
        if self.star.systems[system].call.bound(Slot(slot)).is_some()
            || system != HOME && self.star.lines[system].range.is_none()
        {
            return;
        }
        let user = if self.dice.below(4) == 0 { 3 } else { system };
        let port = self.next_port;
        self.next_port += 2;
        let ssrc = self.star.ssrc(system, port);
        let resume = self.owners.keys().filter(|ssrc| **ssrc % 3 == 0);
        let resume = resume.map(|ssrc| ResumePoint { ssrc: Ssrc(*ssrc), sequence: self.dice.0 % 40 }).collect();
        let who = Participant {
            resume,
            implicit_floor_request: self.dice.below(4) == 0,
            queueing: self.dice.below(3) != 0,
            ..self.star.who(system, USERS[user], port)
        };
        self.owners.insert(ssrc, user);
        self.ports.push((system, port, user));
        self.inside.insert((system, slot), (user, port, 0));
        self.star.enter_as(system, slot, who);
    }

    /// Everybody who believes to have the floor sends a few packets, and so does somebody who has not.
    fn talk(&mut self) {
        let seats: Vec<_> = self.inside.keys().copied().collect();
        for _ in 0..1 + self.dice.below(6) {
            for (system, slot) in &seats {
                let holds = self.star.systems[*system].call.floor().1 == Some(Slot(*slot));
                if !holds && self.dice.below(12) != 0 {
                    continue;
                }
                let Some((_, port, next)) = self.inside.get_mut(&(*system, *slot)) else { continue };
                let (port, sequence) = (*port, *next);
                *next += 1;
                let ssrc = self.star.ssrc(*system, port);
                self.star.media(*system, *slot, ssrc, sequence);
            }
            self.star.run(20);
        }
    }

    fn suffer(&mut self, partner: usize) {
        match (self.star.lines[partner].up, self.dice.below(3)) {
            (true, 0) => self.star.silence(partner),
            (true, _) => self.star.cut(partner),
            (false, _) => {
                let ms = self.dice.below(300) as u32;
                self.star.lines[partner].delay = Millis(ms + 1);
                // A silence that nobody noticed ends in a broken trunk.
                self.star.cut(partner);
                self.star.connect(partner);
            }
        }
    }

    /// Each relay's gate is open for at most one, and the home's arbiter knows whom.
    fn one_talker(&self) {
        for (system, world) in self.star.systems.iter().enumerate() {
            let open = world.call.bursts.iter().filter(|burst| burst.ended.is_none()).count();
            assert!(open <= 1, "system {system} has {open} bursts that run");
        }
    }

    fn judge(&self) {
        for (system, port, user) in &self.ports {
            let mut newest: BTreeMap<u32, u16> = BTreeMap::new();
            for (ssrc, sequence) in self.star.heard(*system, *port) {
                let who = format!("{} on {port} in system {system}, SSRC {ssrc:#x}, packet {sequence}", USERS[*user]);
                assert!(self.unnamed || self.owners.get(&ssrc) != Some(user), "own words: {who}");
                let last = newest.insert(ssrc, sequence);
                assert!(last.is_none_or(|last| last < sequence), "{last:?} before: {who}");
            }
        }
        let refused = self.star.noted.iter().filter(|noted| matches!(noted.1, Spanning::Refused(_))).count();
        assert_eq!(refused, 0, "{:?}", self.star.noted);
        let overstepped = self.star.noted.iter().any(|noted| matches!(noted.1, Spanning::Overstepped(..)));
        assert!(!overstepped, "an honest partner is accused: {:?}", self.star.noted);
    }

    /// Once trunks hold, everybody hears who talks, everywhere.
    fn heal(&mut self) {
        for partner in [1, 2] {
            let line = &mut self.star.lines[partner];
            (line.late_media, line.late_backfill, line.late_frames) = (Millis(0), Millis(0), Millis(0));
            line.delay = Millis(5);
            self.star.cut(partner);
            self.star.connect(partner);
        }
        self.star.run(8_000);
        for (system, slot) in self.inside.keys().copied().collect::<Vec<_>>() {
            self.star.release(system, slot);
        }
        self.star.run(8_000);
        let Some(((system, slot), (user, port, next))) = self.inside.iter().next().map(|(at, who)| (*at, *who)) else {
            return;
        };
        if self.inside.len() < 2 {
            return;
        }
        self.star.request(system, slot, 7);
        self.star.run(200);
        assert_eq!(self.star.systems[system].call.floor().1, Some(Slot(slot)), "{:?}", self.star.told(system, port));
        let ssrc = self.star.ssrc(system, port);
        self.star.talk(system, slot, ssrc, next..next + 5);
        self.star.run(4_000);
        for ((system, _), (other, port, _)) in &self.inside {
            let heard =
                self.star.heard(*system, *port).into_iter().filter(|packet| packet.0 == ssrc && packet.1 >= next);
            let expected = if *other == user { 0 } else { 5 };
            assert_eq!(heard.count(), expected, "{} on {port} in system {system}", USERS[*other]);
        }
    }
}

fn live(seed: u64, unnamed: bool) {
    std::eprintln!("seed {seed}");
    let mut life = Life::new(seed, unnamed);
    for _ in 0..120 {
        life.step();
    }
    life.judge();
    life.heal();
    life.judge();
}

#[test]
fn whatever_happens_nobody_hears_anything_twice_out_of_order_or_of_itself() {
    (0..SEEDS).for_each(|seed| live(seed, false));
}

#[test]
fn nothing_comes_twice_or_out_of_order_although_frames_are_late() {
    (0..SEEDS).for_each(|seed| live(seed, true));
}
