//! Systems on a virtual network: letters have a delay, what is stored is durable after one, a crash keeps what was durable.

use std::{
    collections::{BTreeMap, VecDeque},
    format, println,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

use relay_core::{Millis, Ssrc, Time, late_entry::ResumePoint, trunk::wire};

use super::super::{Answer, Ask, Audit, Input, Output, System};
use crate::{Cause, Refused, group::Group};

/// How long a letter travels, and how long a write takes.
pub(super) const DELAY: Millis = Millis(20);
pub(super) const WRITE: Millis = Millis(2);

/// What faces show of a participant, here: where it entered.
pub(super) type Shown = String;

pub(super) type Rows = BTreeMap<(String, String), Vec<u8>>;

/// One system with its shell.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) system: System<Shown>,
    /// What survives a crash.
    pub(super) rows: Rows,
    writes: VecDeque<(Time, u64, Vec<super::super::Record>)>,
    /// Group, user, client → the leg's port and the resume points that it entered with.
    pub(super) calls: BTreeMap<(String, String, String), Vec<ResumePoint>>,
    pub(super) groups: BTreeMap<String, Arc<Group>>,
    pub(super) running: Vec<String>,
    pub(super) answers: BTreeMap<u64, Result<Answer<Shown>, Refused>>,
    pub(super) audit: Vec<Audit>,
    pub(super) full: Vec<&'static str>,
    pub(super) moving: Vec<(String, bool)>,
    pub(super) partners: Vec<String>,
    tokens: u64,
    wake: Option<Time>,
    /// Why nobody is entered.
    pub(super) shut: Option<Cause>,
    /// When somebody was to be entered.
    pub(super) enters: Vec<Time>,
    /// Every write stays undone.
    pub(super) stuck: bool,
}

impl Node {
    fn new(name: &str) -> Node {
        Node {
            name: name.into(),
            system: System::new(name),
            rows: Rows::new(),
            writes: VecDeque::new(),
            calls: BTreeMap::new(),
            groups: BTreeMap::new(),
            running: Vec::new(),
            answers: BTreeMap::new(),
            audit: Vec::new(),
            full: Vec::new(),
            moving: Vec::new(),
            partners: Vec::new(),
            tokens: 0,
            wake: None,
            shut: None,
            enters: Vec::new(),
            stuck: false,
        }
    }
}

/// Systems, the trunks between them, and the time.
pub(super) struct World {
    pub(super) now: Time,
    pub(super) nodes: BTreeMap<String, Node>,
    /// When it arrives, from, to, what.
    pub(super) letters: VecDeque<(Time, String, String, wire::Letter)>,
    up: bool,
    /// Letters that are swallowed, by what they say; the trunk stands.
    pub(super) lose: fn(&wire::letter::What) -> bool,
    entropy: u64,
}

pub(super) const A: &str = "a.example";
pub(super) const B: &str = "b.example";
pub(super) const ANA: &str = "sip:ana@a.example";
pub(super) const ANA_AT_B: &str = "sip:ana.a.example@b.example";

impl World {
    /// Systems without documents, and no trunk.
    pub(super) fn new(names: &[&str]) -> World {
        World {
            now: Time::ZERO + Millis(1_000),
            nodes: names.iter().map(|name| (name.to_string(), Node::new(name))).collect(),
            letters: VecDeque::new(),
            up: false,
            lose: |_| false,
            entropy: 0,
        }
    }

    pub(super) fn node(&mut self, at: &str) -> &mut Node {
        self.nodes.get_mut(at).expect("the node is there")
    }

    pub(super) fn give(&mut self, at: &str, input: Input<Shown>) {
        let now = self.now;
        self.node(at).system.handle(input, now);
        self.drain(at);
    }

    fn drain(&mut self, at: &str) {
        loop {
            let (now, up, lose) = (self.now, self.up, self.lose);
            let node = self.node(at);
            match node.system.poll() {
                Output::Wake(wake) => {
                    node.wake = wake.map(|(time, _)| time);
                    return;
                }
                Output::Answer { token, answer } => {
                    assert!(node.answers.insert(token, answer).is_none(), "one answer per ask");
                }
                Output::Letter { to, letter } => {
                    let what = letter.what.as_ref().expect("a letter says something");
                    relay_core::trunk::frame::bytes(&letter).expect("a trunk takes it");
                    if up && !lose(what) && self.nodes.contains_key(&to) {
                        self.letters.push_back((now + DELAY, at.into(), to, letter));
                    }
                }
                Output::Store { number, records } => node.writes.push_back((now + WRITE, number, records)),
                Output::Enter(enter) => {
                    let key = (enter.group.clone(), enter.user, enter.client);
                    node.enters.push(now);
                    let runs = node.running.contains(&enter.group) || enter.home.is_some();
                    let result = match node.shut.or((!runs).then_some(Cause::NoSuchCall)) {
                        None => {
                            node.calls.insert(key, enter.resume);
                            Ok(format!("call of {} at {at}", enter.group))
                        }
                        Some(cause) => Err(Refused::new(cause, enter.group, "it is not entered")),
                    };
                    self.give_now(at, Input::Entered { number: enter.number, result });
                }
                Output::Leave { number, user, client, group, moving } => {
                    let was = node.calls.remove(&(group.clone(), user, client)).is_some();
                    if was {
                        node.moving.push((group, moving));
                    }
                    let heard = ResumePoint { ssrc: Ssrc(7), sequence: 70_000 };
                    let resume = if was { Vec::from([heard]) } else { Vec::new() };
                    self.give_now(at, Input::Left { number, resume });
                }
                Output::Audit(line) => node.audit.push(line),
                Output::Full { limit } => node.full.push(limit),
                Output::Partner { system, partner } => {
                    node.partners.retain(|known| *known != system);
                    node.partners.extend(partner.map(|_| system));
                }
                Output::Changed { .. } => {}
            }
        }
    }

    /// From within a drain.
    fn give_now(&mut self, at: &str, input: Input<Shown>) {
        let now = self.now;
        self.node(at).system.handle(input, now);
    }

    /// Lets time pass, event by event.
    pub(super) fn pass(&mut self, length: Millis) {
        let until = self.now + length;
        while let Some(next) = self.next().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.due();
        }
        self.now = until;
    }

    fn next(&self) -> Option<Time> {
        let letters = self.letters.iter().map(|letter| letter.0);
        let writes = self.nodes.values().filter(|node| !node.stuck);
        let writes = writes.filter_map(|node| node.writes.front().map(|write| write.0));
        let wakes = self.nodes.values().filter_map(|node| node.wake);
        letters.chain(writes).chain(wakes).min()
    }

    fn due(&mut self) {
        let now = self.now;
        for name in self.nodes.keys().cloned().collect::<Vec<_>>() {
            while let Some((_, number, records)) = {
                let node = self.node(&name);
                let due = !node.stuck && node.writes.front().is_some_and(|write| write.0 <= now);
                if due { node.writes.pop_front() } else { None }
            } {
                let node = self.node(&name);
                for record in records {
                    let key = (record.table.to_string(), record.key);
                    match record.value {
                        Some(value) => node.rows.insert(key, value),
                        None => node.rows.remove(&key),
                    };
                }
                self.give(&name, Input::Stored { number });
            }
            if self.node(&name).wake.is_some_and(|wake| wake <= now) {
                self.node(&name).wake = None;
                self.give(&name, Input::Timer);
            }
        }
        while self.letters.front().is_some_and(|letter| letter.0 <= now) {
            let (_, from, to, letter) = self.letters.pop_front().expect("it was there");
            self.give(&to, Input::Letter { from, letter });
        }
    }

    /// The trunks come up, or go down with everything that is on them.
    pub(super) fn trunk(&mut self, up: bool) {
        self.up = up;
        if !up {
            self.letters.clear();
        }
        let names: Vec<String> = self.nodes.keys().cloned().collect();
        for name in &names {
            for other in names.iter().filter(|other| *other != name) {
                self.give(name, Input::Trunk { system: other.clone(), up });
            }
        }
    }

    /// The process of a system ends and starts again: calls and what was not durable are gone.
    pub(super) fn crash(&mut self, at: &str) {
        let was_up = self.up;
        self.trunk(false);
        let node = self.node(at);
        node.writes.clear();
        node.calls.clear();
        node.running.clear();
        node.answers.clear();
        node.stuck = false;
        let rows = node.rows.clone().into_iter().map(|((table, key), value)| (table, key, value));
        node.system = System::restore(at, rows).expect("rows can be read");
        let groups = node.groups.clone();
        for (group, document) in groups {
            self.give(at, Input::Group { group, document: Some(document) });
        }
        self.give(at, Input::Timer);
        if was_up {
            self.trunk(true);
        }
    }

    /// Asks and does not wait.
    pub(super) fn send(&mut self, at: &str, ask: Ask) -> u64 {
        self.entropy += 1;
        let mut entropy = [0; 64];
        entropy[..8].copy_from_slice(&self.entropy.to_be_bytes());
        let node = self.node(at);
        node.tokens += 1;
        let token = node.tokens;
        self.give(at, Input::Ask { token, ask, entropy });
        token
    }

    /// Asks and waits, at most 10 s.
    pub(super) fn ask(&mut self, at: &str, ask: Ask) -> Result<Answer<Shown>, Refused> {
        let token = self.send(at, ask);
        for _ in 0..10_000 {
            if let Some(answer) = self.node(at).answers.remove(&token) {
                return answer;
            }
            self.pass(Millis(1));
        }
        panic!("{at} does not answer");
    }

    /// Where a client is in the call of a group.
    pub(super) fn in_call(&self, group: &str, user: &str, client: &str) -> Vec<&str> {
        let key = (group.to_string(), user.to_string(), client.to_string());
        self.nodes.values().filter(|node| node.calls.contains_key(&key)).map(|node| &*node.name).collect()
    }

    /// Where a client is affiliated to a group, as the serving systems know it.
    pub(super) fn serving(&self, group: &str, user: &str, client: &str) -> Vec<&str> {
        let key = super::super::ClientKey::new(user, client);
        let affiliated = self.nodes.values().filter(|node| node.system.is_affiliated(&key, group));
        affiliated.map(|node| &*node.name).collect()
    }

    pub(super) fn audited(&self, at: &str, event: &str) -> Vec<Option<&'static str>> {
        let lines = self.nodes[at].audit.iter().filter(|line| line.event == event);
        lines.map(|line| line.cause).collect()
    }

    /// Everything that is not a document has gone from a store.
    pub(super) fn leftovers(&self, at: &str) -> Vec<String> {
        let documents = ["users", "partners"];
        let rows = self.nodes[at].rows.keys().filter(|(table, _)| !documents.contains(&&**table));
        let rows: Vec<String> = rows.map(|(table, key)| format!("{table} {key}")).collect();
        if !rows.is_empty() {
            println!("{at} keeps {rows:#?}");
        }
        rows
    }
}
