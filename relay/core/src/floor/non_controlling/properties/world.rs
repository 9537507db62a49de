//! A home and a partner with a trunk between them, wired as nodes wire them, and what a bystander has seen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::vec::Vec;

use crate::floor::general::{self, Class, General, Request};
use crate::floor::non_controlling::{FromHome, Input, LEASE, NonControlling, Output, ToHome};
use crate::floor::settings::Settings;
use crate::time::{Millis, Time};

/// Participants below are ours; from here on they are the home's own.
pub(super) const HOME: u8 = 10;
const ELSEWHERE: u8 = 99;

#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    Request {
        from: u8,
        class: Class,
        queueing: bool,
    },
    Release(u8),
    Leave(u8),
    Media(u8),
    AskPosition(u8),
    Wait(u32),
    /// Nothing passes the trunk, in either direction, until `Resume`.
    Stall,
    Resume,
    /// The trunk breaks: what is under way is lost, and the home forgets this system's participants.
    Break,
    Mend,
    /// Something from the home that it has no reason to say.
    Stray(FromHome<u8>),
}

#[derive(Clone, Copy, Debug)]
enum Down {
    Heartbeat,
    Word(FromHome<u8>),
}

#[derive(Clone, Copy, Debug)]
enum Up {
    Word(ToHome<u8>),
    Media(u8),
    Left(u8),
}

pub(super) struct World {
    pub(super) home: General<u8>,
    pub(super) partner: NonControlling<u8>,
    now: Time,
    delay: Millis,
    up: VecDeque<(Time, Up)>,
    down: VecDeque<(Time, Down)>,
    stalled: bool,
    broken: bool,
    heartbeat: Time,
    heard: Time,
    here: BTreeSet<u8>,
    /// Whom our gate is open for, and the number of its grant.
    pub(super) gate: Option<u8>,
    last_grant: u64,
    /// Requests of ours that were not answered yet, and who was answered that it waits.
    pub(super) pending: BTreeMap<u8, Time>,
    waiting: BTreeSet<u8>,
}

impl World {
    pub(super) fn new(delay: u32) -> World {
        let settings = Settings { max_burst_s: 5, hang_time_s: 7, queue_limit: 2, ..Settings::default() };
        let now = Time::ZERO + Millis(1000);
        let mut world = World {
            home: General::new(settings),
            partner: NonControlling::new(settings, ELSEWHERE, now),
            now,
            delay: Millis(delay),
            up: VecDeque::new(),
            down: VecDeque::new(),
            stalled: false,
            broken: false,
            heartbeat: now,
            heard: now,
            here: BTreeSet::new(),
            gate: None,
            last_grant: 0,
            pending: BTreeMap::new(),
            waiting: BTreeSet::new(),
        };
        for who in [0, 1, 2, HOME, HOME + 1] {
            world.tell_home(general::Input::Entered(who));
            if who < HOME {
                world.here.insert(who);
                world.tell(Input::Local(general::Input::Entered(who)));
            }
        }
        world.tell_home(general::Input::SetUp { implicit: None });
        world
    }

    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Request { from, class, queueing } => {
                let (receive_only, implicit, priority) = (false, false, 0);
                let extra = Millis(self.delay.0 * 2);
                self.request(Request { from, class, priority, queueing, receive_only, implicit, extra });
            }
            Action::Release(who) if who >= HOME => self.tell_home(general::Input::Release(who)),
            Action::Release(who) => {
                self.forget(who);
                self.tell(Input::Local(general::Input::Release(who)));
            }
            Action::Leave(who) if self.here.remove(&who) => {
                self.forget(who);
                self.tell(Input::Local(general::Input::Left(who)));
                self.send_up(Up::Left(who));
            }
            Action::Media(who) if who >= HOME => self.tell_home(general::Input::Media(who)),
            Action::Media(who) if self.gate == Some(who) => {
                self.tell(Input::Local(general::Input::Media(who)));
                self.send_up(Up::Media(who));
            }
            Action::AskPosition(who) if self.here.contains(&who) => {
                self.tell(Input::Local(general::Input::QueuePositionRequest(who)));
            }
            Action::Wait(length) => self.wait(Millis(length)),
            Action::Stall => self.stalled = true,
            Action::Resume => self.stalled = false,
            Action::Break if !self.broken => self.break_trunk(),
            Action::Mend if self.broken => self.mend(),
            Action::Stray(word) => self.send_down(Down::Word(word)),
            _ => {}
        }
    }

    fn request(&mut self, request: Request<u8>) {
        let from = request.from;
        if from >= HOME {
            return self.tell_home(general::Input::Request(request));
        }
        if self.here.contains(&from) {
            self.waiting.remove(&from);
            self.pending.entry(from).or_insert(self.now);
            self.tell(Input::Local(general::Input::Request(request)));
            assert!(self.partner.is_reachable() || !self.pending.contains_key(&from), "denied at once");
        }
    }

    fn forget(&mut self, who: u8) {
        self.pending.remove(&who);
        self.waiting.remove(&who);
    }

    fn break_trunk(&mut self) {
        self.broken = true;
        self.up.clear();
        self.down.clear();
        self.tell(Input::Lost);
        for who in self.here.clone() {
            self.tell_home(general::Input::Left(who));
        }
    }

    fn mend(&mut self) {
        (self.broken, self.stalled, self.heard) = (false, false, self.now);
        self.tell(Input::Back);
        for who in self.here.clone() {
            self.tell_home(general::Input::Entered(who));
        }
        self.send_down(Down::Word(match self.home.holder() {
            Some(by) => FromHome::Taken { by: (by < HOME).then_some(by) },
            None => FromHome::Idle,
        }));
    }

    /// Everything at its instant: timers, heartbeats, and what comes out of the trunk.
    pub(super) fn wait(&mut self, length: Millis) {
        let until = self.now + length;
        for _ in 0..100_000 {
            let flows = !self.stalled;
            let general::Output::Wake(home) = self.home.poll() else { panic!("the home was not drained") };
            let Output::Wake(partner) = self.partner.poll() else { panic!("the partner was not drained") };
            let events = [
                (self.down.front().filter(|_| flows).map(|next| next.0), 0),
                (self.up.front().filter(|_| flows).map(|next| next.0), 1),
                (home.map(|wake| wake.0), 2),
                (partner.map(|wake| wake.0), 3),
                (Some(self.heartbeat), 4),
            ];
            let next = events.into_iter().filter_map(|(at, what)| at.map(|at| (at, what))).min();
            let Some((at, what)) = next.filter(|(at, _)| *at <= until) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(at);
            match what {
                0 => self.deliver_down(),
                1 => self.deliver_up(),
                2 => self.tell_home(general::Input::Timer),
                3 => self.tell(Input::Local(general::Input::Timer)),
                _ => {
                    self.heartbeat = self.now + Millis(1000);
                    self.send_down(Down::Heartbeat);
                }
            }
            self.check();
        }
        panic!("timers spin");
    }

    fn deliver_down(&mut self) {
        let Some((_, word)) = self.down.pop_front() else { return };
        self.heard = self.now;
        match word {
            Down::Heartbeat => self.tell(Input::Heard),
            Down::Word(word) => self.tell(Input::Home(word)),
        }
    }

    fn deliver_up(&mut self) {
        match self.up.pop_front() {
            Some((_, Up::Word(ToHome::Request(request)))) => self.tell_home(general::Input::Request(request)),
            Some((_, Up::Word(ToHome::Release { from }))) => self.tell_home(general::Input::Release(from)),
            Some((_, Up::Word(ToHome::QueuePositionRequest { from }))) => {
                self.tell_home(general::Input::QueuePositionRequest(from));
            }
            Some((_, Up::Media(from))) => self.tell_home(general::Input::Media(from)),
            Some((_, Up::Left(from))) => self.tell_home(general::Input::Left(from)),
            None => {}
        }
    }

    fn send_down(&mut self, word: Down) {
        if !self.broken {
            self.down.push_back((self.now + self.delay, word));
        }
    }

    fn send_up(&mut self, word: Up) {
        if !self.broken {
            self.up.push_back((self.now + self.delay, word));
        }
    }

    fn tell_home(&mut self, input: general::Input<u8>) {
        self.home.handle(input, self.now);
        loop {
            let ours = |to: u8| (to < HOME).then_some(to);
            let word = match self.home.poll() {
                general::Output::Wake(_) => return,
                general::Output::Taken { by } => Some(FromHome::Taken { by: ours(by) }),
                general::Output::Idle => Some(FromHome::Idle),
                general::Output::Granted { to, duration_s, priority } => {
                    ours(to).map(|to| FromHome::Granted { to, duration_s, priority })
                }
                general::Output::Deny { to, cause } => ours(to).map(|to| FromHome::Deny { to, cause }),
                general::Output::Revoke { to, cause } => ours(to).map(|to| FromHome::Revoke { to, cause }),
                general::Output::Queued { to, position, priority, .. } => {
                    ours(to).map(|to| FromHome::Queued { to, position, priority })
                }
                general::Output::NotQueued { to } => ours(to).map(|to| FromHome::NotQueued { to }),
                general::Output::Talker(_) | general::Output::Inactive => None,
            };
            if let Some(word) = word {
                self.send_down(Down::Word(word));
            }
        }
    }

    fn tell(&mut self, input: Input<u8>) {
        self.partner.handle(input, self.now);
        loop {
            match self.partner.poll() {
                Output::Wake(_) => return,
                Output::Home(word) => {
                    assert!(self.partner.is_reachable(), "{word:?} goes up although the home is not reachable");
                    self.send_up(Up::Word(word));
                }
                Output::Stopped(who) => assert_eq!((self.gate, self.pending.get(&who)), (None, None)),
                Output::Local(output) => self.spread(output),
            }
        }
    }

    fn spread(&mut self, output: general::Output<u8>) {
        match output {
            general::Output::Talker(Some(grant)) => {
                assert!(grant.number() > self.last_grant, "grants are numbered upwards");
                assert!(self.here.contains(&grant.holder()), "a grant for somebody who is not here");
                (self.last_grant, self.gate) = (grant.number(), Some(grant.holder()));
            }
            general::Output::Talker(None) => assert!(self.gate.take().is_some(), "an open gate is closed once"),
            general::Output::Granted { to, .. } => {
                assert_eq!(self.gate, Some(to), "the gate opens before Granted");
                // A repetition by T20 is no answer to what the talker has asked since.
                if !self.partner.is_under_way(to) && !self.partner.waits(to) {
                    self.forget(to);
                }
            }
            general::Output::Deny { to, .. } => {
                let asked = self.pending.remove(&to).is_some() | self.waiting.remove(&to);
                assert!(asked, "{to} is denied what it did not ask for");
            }
            general::Output::Queued { to, .. } => {
                let asked = self.pending.remove(&to).is_some() || self.waiting.contains(&to);
                assert!(asked, "{to} is told that it waits, and did not ask");
                self.waiting.insert(to);
            }
            general::Output::Taken { by } => {
                assert!(self.gate.is_none_or(|gate| gate == by), "the gate closes before Taken");
            }
            general::Output::Idle => {
                assert_eq!(self.gate, None, "the gate closes before Idle");
                self.waiting.clear();
            }
            general::Output::Revoke { to, .. } => assert_eq!(self.gate, Some(to)),
            general::Output::NotQueued { .. } => {}
            general::Output::Inactive | general::Output::Wake(_) => panic!("the home's business"),
        }
    }

    /// What holds between any two inputs.
    pub(super) fn check(&self) {
        assert_eq!(self.gate, self.partner.holder().filter(|holder| *holder != ELSEWHERE));
        if self.broken || self.heard + LEASE < self.now {
            assert_eq!(self.gate, None, "the lease is over");
            assert!(self.pending.is_empty(), "{:?} wait for a home that is not there", self.pending);
        }
        let waiting: Vec<u8> = self.waiting.iter().copied().collect();
        assert!(waiting.iter().all(|who| self.partner.waits(*who)), "{waiting:?} believe that they wait");
        assert_eq!(self.partner.participants() as usize, self.here.len());
    }

    /// The trunk is whole again, and nothing happens but what must.
    pub(super) fn settle(&mut self) {
        self.act(Action::Resume);
        self.act(Action::Mend);
        self.wait(Millis(90_000));
    }
}
