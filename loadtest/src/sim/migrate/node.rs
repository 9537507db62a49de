//! One system: the rules, what is stored of them, and the link to the partner.

use std::{collections::BTreeMap, sync::Arc};

use control_core::{
    Cause, Refused,
    group::{Group, Member, Model},
    system::{Ask, Input, Output, System},
};
use rand::RngExt;
use relay_core::{
    Millis, Time,
    trunk::{
        Range,
        link::{Limits, Link},
        wire::Letter,
    },
};

use super::{
    event::{Asker, ClientOf, Deed, EnterFor, Entering, Event, Shown, Turn},
    world::World,
};

/// The longest that a write takes. Milliseconds.
const WRITE_MS_MAX: u32 = 6;

/// The groups of the world: id, and which system defines it.
pub(super) const GROUPS: [(&str, usize); 3] =
    [("sip:fire@a.example", 0), ("sip:ambu@b.example", 1), ("sip:duo@a.example", 0)];

/// The systems of the world.
pub(super) const SYSTEMS: [&str; 2] = ["a.example", "b.example"];

/// A system with its shell.
pub(super) struct Node {
    /// Grows with every start of the process.
    pub(super) life: u64,
    pub(super) system: System<Shown>,
    pub(super) system_wake: Option<Time>,
    /// What survives a crash.
    rows: BTreeMap<(String, String), Vec<u8>>,
    /// When the last write is durable: writes are made so in their order.
    written: Time,
    pub(super) link: Link,
    pub(super) link_wake: Option<Time>,
    pub(super) ready: bool,
    /// Letters that came before the greeting.
    pub(super) early: Vec<Letter>,
    /// When the calls were told last that their home lives.
    pub(super) heard: Time,
    /// The SSRCs of its own calls.
    pub(super) range: Range,
    pub(super) asks: BTreeMap<u64, Asker>,
    pub(super) turns: BTreeMap<ClientOf, std::collections::VecDeque<Turn>>,
    pub(super) tokens: u64,
}

impl Node {
    pub(super) fn new(at: usize) -> Node {
        Node {
            life: 1,
            system: System::new(SYSTEMS[at]),
            system_wake: None,
            rows: BTreeMap::new(),
            written: Time::ZERO,
            link: link(at, 1),
            link_wake: None,
            ready: false,
            early: Vec::new(),
            heard: Time::ZERO,
            range: range(at, 1),
            asks: BTreeMap::new(),
            turns: BTreeMap::new(),
            tokens: 0,
        }
    }

    fn store(&mut self, records: Vec<control_core::system::Record>) {
        for record in records {
            let key = (record.table.to_owned(), record.key);
            match record.value {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
    }
}

fn link(at: usize, life: u64) -> Link {
    Link::new(SYSTEMS[at], SYSTEMS[1 - at], life, Limits::default())
}

fn range(at: usize, life: u64) -> Range {
    Range::new(100 + 1_000 * at as u16 + 7 * life as u16)
}

/// How calls of a group are run.
pub(super) fn document(group: usize, members: &[String]) -> Arc<Group> {
    let member = |user: &String| Member { user: user.clone(), priority: 3, receive_only: false };
    let mut document = Group { members: members.iter().map(member).collect(), ..Group::new(Model::Prearranged) };
    document.floor.hang_time_s = 0;
    document.floor.queueing = group != 2;
    Arc::new(document)
}

impl World {
    /// A question of a device, or of this node's own media plane.
    pub(super) fn ask(&mut self, at: usize, asker: Asker, ask: Ask) {
        self.entropy += 1;
        let mut entropy = [0; 64];
        entropy[..8].copy_from_slice(&self.entropy.to_be_bytes());
        let node = &mut self.nodes[at];
        node.tokens += 1;
        let token = node.tokens;
        node.asks.insert(token, asker);
        self.deeds.push_back(Deed::System(at, Input::Ask { token, ask, entropy }));
    }

    pub(super) fn tell_system(&mut self, at: usize, input: Input<Shown>) {
        let now = self.now;
        self.nodes[at].system.handle(input, now);
        loop {
            let node = &mut self.nodes[at];
            match node.system.poll() {
                Output::Wake(wake) => {
                    node.system_wake = wake.map(|(time, _)| time);
                    return;
                }
                Output::Answer { token, answer } => {
                    if let Some(asker) = node.asks.remove(&token) {
                        self.answered(at, asker, answer);
                    }
                }
                Output::Letter { to, letter } => {
                    if SYSTEMS[1 - at] == to {
                        self.send_letter(at, letter);
                    }
                }
                Output::Store { number, records } => {
                    let length = Millis(self.dice.random_range(1..=WRITE_MS_MAX));
                    let node = &mut self.nodes[at];
                    node.written = node.written.max(now + length);
                    let (life, due) = (node.life, node.written);
                    self.queue.put(due, Event::Stored { node: at, life, number, records });
                }
                Output::Enter(enter) => {
                    let group = group_of(&enter.group);
                    let entering = Entering {
                        to: Some(EnterFor::Rules(enter.number)),
                        home: enter.home.as_deref().map(system_of),
                        leg: enter.leg.leg.into(),
                        ssrc: None,
                        priority: enter.leg.priority,
                        queueing: enter.leg.queueing,
                        resume: enter.resume,
                        standing: enter.standing,
                        start: enter.start,
                        attempts: 0,
                        opened: false,
                    };
                    self.take_turn(at, (enter.user, enter.client, group), Turn::Enter(Box::new(entering)));
                }
                Output::Leave { number, user, client, group, moving } => {
                    self.take_turn(at, (user, client, group_of(&group)), Turn::Leave { number, moving });
                }
                Output::Changed { id } => self.changed(at, &id),
                Output::Audit(audit) => {
                    let cause = audit.cause.unwrap_or_default();
                    self.tell(format!("{} audits {} {cause} {}", SYSTEMS[at], audit.event, audit.detail));
                }
                Output::Full { limit } => self.tell(format!("{} is full: {limit}", SYSTEMS[at])),
                Output::Partner { .. } => {}
            }
        }
    }

    pub(super) fn stored(&mut self, at: usize, life: u64, number: u64, records: Vec<control_core::system::Record>) {
        let node = &mut self.nodes[at];
        if node.life == life {
            node.store(records);
            self.deeds.push_back(Deed::System(at, Input::Stored { number }));
        }
    }

    /// The process of a system ends and starts again: calls, legs and what was not durable are gone.
    pub(super) fn crash(&mut self, at: usize) {
        self.tell(format!("{} crashes", SYSTEMS[at]));
        self.judge.counts.crashes += 1;
        self.judge.crashed(at, self.now);
        self.end_all(at);
        let now = self.now;
        let node = &mut self.nodes[at];
        node.life += 1;
        let rows = std::mem::take(&mut node.rows);
        let stored = rows.iter().map(|((table, key), value)| (table.clone(), key.clone(), value.clone()));
        node.system = match System::restore(SYSTEMS[at], stored) {
            Ok(system) => system,
            Err(unreadable) => {
                self.judge.broken(format!("{} cannot restart: {unreadable}", SYSTEMS[at]));
                return;
            }
        };
        *node = Node {
            life: node.life,
            system: std::mem::replace(&mut node.system, System::new(SYSTEMS[at])),
            rows,
            written: now,
            link: link(at, node.life),
            range: range(at, node.life),
            asks: std::mem::take(&mut node.asks),
            ..Node::new(at)
        };
        let lost = std::mem::take(&mut node.asks);
        for asker in lost.into_values() {
            if let Asker::Device { .. } = asker {
                let gone = Refused::new(Cause::Draining, SYSTEMS[at], "the node has crashed");
                self.answered(at, asker, Err(gone));
            }
        }
        self.put_groups(at);
        self.deeds.push_back(Deed::System(at, Input::Timer));
        self.lost_connection(at);
        self.devices_lost(at);
    }

    pub(super) fn put_groups(&mut self, at: usize) {
        let members: Vec<String> = self.devices.iter().map(|device| device.user.clone()).collect();
        let mut members = members;
        members.sort();
        members.dedup();
        for (number, (group, home)) in GROUPS.iter().enumerate() {
            if *home == at {
                let document = Some(document(number, &members));
                self.deeds.push_back(Deed::System(at, Input::Group { group: (*group).into(), document }));
            }
        }
    }
}

/// Which group this is.
pub(super) fn group_of(group: &str) -> usize {
    GROUPS.iter().position(|(name, _)| *name == group).expect("the world has no other group")
}

/// Which system this is.
pub(super) fn system_of(system: &str) -> usize {
    SYSTEMS.iter().position(|name| *name == system).expect("the world has no other system")
}
