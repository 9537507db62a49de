//! The world: two systems, the trunk between them, the devices, and the time.

use std::collections::{BTreeMap, VecDeque};

use control_core::{
    system::{Ask, Input, Partner},
    user::{Profile, User},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use relay_core::{Millis, Time, trunk::link};

use super::{
    calls::Running,
    chance::Faults,
    device::Device,
    ears::Ear,
    event::{Asker, Deed, Event, Say, Why},
    judge::Judge,
    node::{GROUPS, Node, SYSTEMS},
    watch::Twice,
    wire::Wire,
};
use crate::{handset, sim::queue::Queue};

/// Lines that a story keeps: the last ones.
const STORY_MAX: usize = 60;

/// One run of so many has one client only.
const LONELY: u64 = 13;

/// A device that is not there: whoever asks for documents.
const NOBODY: usize = usize::MAX;

pub(super) struct World {
    pub(super) now: Time,
    pub(super) queue: Queue<Event>,
    pub(super) deeds: VecDeque<Deed>,
    pub(super) nodes: Vec<Node>,
    pub(super) wire: Wire,
    pub(super) calls: BTreeMap<u64, Running>,
    pub(super) devices: Vec<Device>,
    /// By the number of the entry.
    pub(super) entries: BTreeMap<u64, Ear>,
    pub(super) judge: Judge,
    pub(super) dice: StdRng,
    pub(super) faults: Faults,
    /// The last number that was given to a call or an entry.
    pub(super) numbers: u64,
    /// The last place of a range that was given to a participant.
    pub(super) places: u32,
    pub(super) entropy: u64,
    /// When the last random step is made, and when the run ends.
    pub(super) steps_end: Time,
    end: Time,
    /// Since when each device is served by a system that its primary one has not authorised, by group.
    pub(super) unauthorised: BTreeMap<(usize, usize), Time>,
    /// Since when one client has the floor twice, by group.
    pub(super) twice: Twice,
    story: VecDeque<String>,
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        let mut dice = StdRng::seed_from_u64(seed ^ 0x0a11_ce5e);
        let faults = Faults::new(&mut dice);
        let steps_end = Time::ZERO + Millis(2_000 + dice.random_range(12_000..40_000));
        let wire = Wire::new(Millis(dice.random_range(1..120)), dice.random_range(0..30), faults.loss);
        let mut delay = || Millis(dice.random_range(0..8));
        let devices = [
            ("sip:ben@a.example", "desk", 0, false),
            ("sip:bob@b.example", "desk", 1, false),
            ("sip:ana@a.example", "radio", 0, true),
            ("sip:ana@a.example", "car", 0, true),
            ("sip:eva@a.example", "radio", 0, true),
            ("sip:ivo@b.example", "radio", 1, true),
        ];
        // In some runs there is one client: its calls are empty whenever it moves.
        let is_lonely = seed % LONELY == LONELY - 1;
        let devices = devices.into_iter().filter(|device| !is_lonely || device.0 == "sip:eva@a.example");
        let devices = devices.map(|(user, client, home, moves)| Device::new(user, client, home, moves, delay()));
        World {
            now: Time::ZERO,
            queue: Queue::default(),
            deeds: VecDeque::new(),
            nodes: (0..SYSTEMS.len()).map(Node::new).collect(),
            wire,
            calls: BTreeMap::new(),
            devices: devices.collect(),
            entries: BTreeMap::new(),
            judge: Judge::default(),
            dice,
            faults,
            numbers: 0,
            places: 0,
            entropy: seed,
            steps_end,
            end: steps_end + Millis(45_000),
            unauthorised: BTreeMap::new(),
            twice: Twice::default(),
            story: VecDeque::new(),
        }
    }

    /// A line of the story.
    pub(super) fn tell(&mut self, line: String) {
        if self.story.len() == STORY_MAX {
            self.story.pop_front();
        }
        let at = self.now.as_micros();
        self.story.push_back(format!("{:>6}.{:03} ms  {line}", at / 1000, at % 1000));
    }

    pub(super) fn into_story(self) -> (Judge, Vec<String>) {
        (self.judge, self.story.into())
    }

    fn prepare(&mut self) {
        for at in 0..SYSTEMS.len() {
            let document = Partner { address: None, participants_max: 1_000, migrated_users_max: 100 };
            let asker = Asker::Device { device: NOBODY, turn: 0, why: Why::Tickets };
            self.ask(at, asker, Ask::PutPartner { system: SYSTEMS[1 - at].into(), document });
            self.put_groups(at);
            let users = self.devices.iter().filter(|device| device.home == at).map(|device| device.user.clone());
            for user in users.collect::<Vec<_>>() {
                let groups = GROUPS.iter().map(|group| group.0.into()).collect();
                let partners = vec![SYSTEMS[1 - at].into()];
                let profiles = vec![Profile { index: 1, partners, groups, n2: 8 }];
                let asker = Asker::Device { device: NOBODY, turn: 0, why: Why::Tickets };
                self.ask(at, asker, Ask::PutUser { user, document: User { profiles, blocked: false } });
            }
            self.work();
        }
        self.queue.put(Time::ZERO + Millis(20), Event::Dial);
        for device in 0..self.devices.len() {
            let turn = 0;
            self.queue.put(Time::ZERO + Millis(1_000 + 10 * device as u32), Event::Impatient { device, turn });
        }
        self.queue.put(Time::ZERO + Millis(2_000), Event::Step);
    }

    /// Plays until the end, or until something is broken.
    pub(super) fn play(&mut self) {
        self.prepare();
        while !self.judge.is_broken() {
            let next = self.next();
            if next >= self.end {
                return self.settle();
            }
            self.now = self.now.max(next);
            while let Some(event) = self.queue.take(self.now) {
                self.happen(event);
                self.work();
            }
            self.carry();
            self.wake();
            self.watch();
            self.watch_floor();
        }
    }

    fn next(&self) -> Time {
        let nodes = self.nodes.iter().flat_map(|node| [node.system_wake, node.link_wake]);
        let calls = self.calls.values().map(|running| running.wake);
        let ears = self.entries.values().map(|ear| ear.wake);
        let own = [self.queue.next_at(), self.wire.next_at(), Some(self.end)];
        nodes.chain(calls).chain(ears).chain(own).flatten().min().unwrap_or(self.end)
    }

    fn wake(&mut self) {
        let now = self.now;
        let due = |wake: Option<Time>| wake.is_some_and(|at| at <= now);
        for at in 0..self.nodes.len() {
            if due(self.nodes[at].system_wake) {
                self.deeds.push_back(Deed::System(at, Input::Timer));
            }
            if due(self.nodes[at].link_wake) {
                self.deeds.push_back(Deed::Link(at, link::Input::Timer));
            }
        }
        let calls = self.calls.iter().filter(|(_, running)| due(running.wake));
        self.deeds.extend(calls.map(|(number, _)| Deed::Call(*number, Say::Timer)));
        self.work();
        let ears = self.entries.iter().filter(|(_, ear)| due(ear.wake)).map(|(entry, _)| *entry);
        for entry in ears.collect::<Vec<_>>() {
            self.tell_ear(entry, handset::Input::Timer);
        }
    }

    /// Does everything that has to be done now.
    pub(super) fn work(&mut self) {
        while let Some(deed) = self.deeds.pop_front() {
            match deed {
                Deed::System(at, input) => self.tell_system(at, input),
                Deed::Call(number, say) => self.tell_call(number, say),
                Deed::Link(at, input) => self.tell_link(at, input),
                Deed::Turn(at, client) => self.begin_turn(at, &client),
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Step => self.step(),
            Event::Ask { node, device, turn, why, ask } => self.ask(node, Asker::Device { device, turn, why }, ask),
            Event::Answered { device, turn, why, answer } => self.hear_answer(device, turn, why, *answer),
            Event::Stored { node, life, number, records } => self.stored(node, life, number, records),
            Event::Up { entry, channel, bytes } => self.arrive_up(entry, channel, bytes),
            Event::Down { entry, channel, bytes } => self.arrive_down(entry, channel, &bytes),
            Event::JoinLate(call) => self.join_late(call),
            Event::GraceOver(call) => self.end_if_empty(call),
            Event::Dial => self.dial(),
            Event::Heal => self.heal(),
            Event::Impatient { device, turn } => {
                let of = &self.devices[device];
                if of.turn == turn && of.state != super::device::State::Here {
                    self.begin_anew(device);
                }
            }
            Event::Look { device, turn } => {
                if self.devices[device].turn == turn {
                    self.look(device);
                }
            }
        }
    }
}
