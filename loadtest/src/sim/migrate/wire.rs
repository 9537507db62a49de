//! The trunk between the two systems: what is on its way, what is lost, and who still holds the connection.

use std::collections::VecDeque;

use control_core::system::Input as SystemInput;
use rand::RngExt;
use relay_core::{
    Millis, Time,
    trunk::{
        link::{Input, Output, Role},
        wire::{Frame, Letter, frame::What},
    },
};

use super::{
    event::{Asker, Deed, Event, Say},
    node::SYSTEMS,
    world::World,
};

/// Calls are told at most so often that their home lives, as in a node.
const HEARD_EVERY: Millis = Millis(500);

/// What crosses.
#[derive(Debug)]
pub(super) enum Item {
    Frame(Box<Frame>),
    Letter(Box<Letter>),
    Media(u32, Vec<u8>),
    Backfill(u32, Option<Vec<u8>>),
    /// The other end has let go of the connection.
    Reset,
}

impl Item {
    /// Items of one lane do not overtake one another; datagrams are a lane of their own.
    fn lane(&self) -> usize {
        match self {
            Item::Frame(_) | Item::Reset => 0,
            Item::Letter(_) => 1,
            Item::Backfill(..) => 2,
            Item::Media(..) => 3,
        }
    }
}

/// When it arrives, on which connection, and what.
type Carried = (Time, u64, Item);

/// The network between two systems.
#[derive(Debug, Default)]
pub(super) struct Wire {
    pub(super) delay: Millis,
    /// Added to the delay, at random, at most. Milliseconds.
    pub(super) jitter: u32,
    /// Datagrams that are lost, of 1000.
    pub(super) loss: u32,
    /// Since when nothing crosses.
    pub(super) cut: Option<Time>,
    pub(super) line: u64,
    /// Who still holds the connection.
    open: [bool; 2],
    lanes: [[VecDeque<Carried>; 4]; 2],
}

impl Wire {
    pub(super) fn new(delay: Millis, jitter: u32, loss: u32) -> Wire {
        Wire { delay, jitter, loss, ..Wire::default() }
    }

    /// The longest that anything is on its way.
    pub(super) fn delay_max(&self) -> Millis {
        Millis(self.delay.0 + self.jitter)
    }

    pub(super) fn next_at(&self) -> Option<Time> {
        let lanes = self.lanes.iter().flatten().filter_map(|lane| lane.front());
        lanes.map(|carried| carried.0).min().filter(|_| self.cut.is_none())
    }

    fn take(&mut self, now: Time) -> Option<(usize, Item)> {
        let due = |lane: &VecDeque<Carried>| lane.front().map(|carried| carried.0).filter(|at| *at <= now);
        for to in 0..2 {
            for lane in &mut self.lanes[to] {
                if due(lane).is_some() {
                    let (_, line, item) = lane.pop_front()?;
                    return Some((to, item)).filter(|_| line == self.line && self.open[to]).or_else(|| self.take(now));
                }
            }
        }
        None
    }
}

impl World {
    fn send(&mut self, from: usize, item: Item) {
        let to = 1 - from;
        let is_media = matches!(item, Item::Media(..));
        if !self.wire.open[from] && !matches!(item, Item::Reset) {
            return;
        }
        if is_media && self.wire.cut.is_some() {
            self.judge.counts.lost_in_cut += 1;
            return;
        }
        if is_media && self.dice.random_range(0..1000) < self.wire.loss {
            self.judge.counts.lost_on_trunk += 1;
            return;
        }
        let jitter = Millis(self.dice.random_range(0..=self.wire.jitter));
        let lane = &mut self.wire.lanes[to][item.lane()];
        let at = lane.back().map_or(Time::ZERO, |carried| carried.0).max(self.now + self.wire.delay + jitter);
        lane.push_back((at, self.wire.line, item));
    }

    /// Everything that arrives by now.
    pub(super) fn carry(&mut self) {
        while self.wire.cut.is_none()
            && let Some((to, item)) = self.wire.take(self.now)
        {
            match item {
                Item::Frame(frame) => {
                    self.judge_frame(to, &frame);
                    if self.now.since(self.nodes[to].heard) >= HEARD_EVERY {
                        self.nodes[to].heard = self.now;
                        self.mail_all(to, || Say::Lives);
                    }
                    self.deeds.push_back(Deed::Link(to, Input::Frame(*frame)));
                }
                Item::Letter(letter) => match self.nodes[to].ready {
                    true => {
                        let from = SYSTEMS[1 - to].into();
                        self.deeds.push_back(Deed::System(to, SystemInput::Letter { from, letter: *letter }));
                    }
                    // It waits for the greeting.
                    false => self.nodes[to].early.push(*letter),
                },
                Item::Media(flow, bytes) => {
                    let (now, link) = (self.now, &mut self.nodes[to].link);
                    if link.role(flow).is_some() && link.allows_media(bytes.len() + 4, now) {
                        self.mail(to, flow, Say::Carried(bytes));
                    } else {
                        self.judge.counts.for_no_call += 1;
                    }
                }
                Item::Backfill(flow, bytes) => {
                    // It may overtake the answer to the subscription.
                    if matches!(self.nodes[to].link.role(flow), Some(Role::Partner | Role::Asked)) {
                        self.mail(to, flow, Say::Backfill(bytes));
                    }
                }
                Item::Reset => self.let_go(to),
            }
            self.work();
        }
    }

    pub(super) fn forward(&mut self, from: usize, flow: u32, bytes: Vec<u8>) {
        self.send(from, Item::Media(flow, bytes));
    }

    pub(super) fn backfill(&mut self, from: usize, flow: u32, bytes: Option<Vec<u8>>) {
        self.send(from, Item::Backfill(flow, bytes));
    }

    pub(super) fn send_letter(&mut self, from: usize, letter: Letter) {
        if self.nodes[from].ready {
            self.send(from, Item::Letter(Box::new(letter)));
        }
    }

    pub(super) fn tell_link(&mut self, at: usize, input: Input) {
        let now = self.now;
        self.nodes[at].link.handle(input, now);
        loop {
            match self.nodes[at].link.poll() {
                Output::Wake(wake) => {
                    self.nodes[at].link_wake = wake.map(|(time, _)| time);
                    return;
                }
                Output::Send(frame) => self.send(at, Item::Frame(Box::new(frame))),
                Output::Ready { .. } => {
                    self.tell(format!("{} has its trunk up", SYSTEMS[at]));
                    self.nodes[at].ready = true;
                    self.deeds.push_back(Deed::System(at, trunk(at, true)));
                    for letter in std::mem::take(&mut self.nodes[at].early) {
                        let from = SYSTEMS[1 - at].into();
                        self.deeds.push_back(Deed::System(at, SystemInput::Letter { from, letter }));
                    }
                    self.mail_all(at, || Say::Up);
                }
                Output::Lost => {
                    self.tell(format!("{} has lost its trunk", SYSTEMS[at]));
                    self.nodes[at].ready = false;
                    self.deeds.push_back(Deed::System(at, trunk(at, false)));
                    self.mail_all(at, || Say::Lost);
                    self.leave_behind(at, None, None);
                }
                Output::RoundTrip(round_trip) => self.mail_all(at, || Say::RoundTrip(round_trip)),
                Output::Deliver(frame) => self.deliver(at, frame),
                Output::Overstepped { what, cause, detail } => {
                    self.judge
                        .broken(format!("{} accuses an honest partner of {cause} ({what:?}): {detail}", SYSTEMS[at]));
                }
                Output::Close { cause, detail } => {
                    self.tell(format!("{} closes its trunk, {cause}: {detail}", SYSTEMS[at]));
                    if cause != "silent" && cause != "goodbye" {
                        self.judge.broken(format!("{} closed the trunk, {cause}: {detail}", SYSTEMS[at]));
                    }
                    self.let_go(at);
                }
            }
        }
    }

    fn deliver(&mut self, at: usize, frame: Frame) {
        match frame.what {
            Some(What::Subscribe(ask)) => {
                let (system, group) = (SYSTEMS[1 - at].into(), ask.group.clone());
                let asker = Asker::Subscribe { line: self.wire.line, ask };
                self.ask(at, asker, control_core::system::Ask::MaySubscribe { system, group });
            }
            Some(what) => {
                if let Some(flow) = what.flow() {
                    self.mail(at, flow, Say::Frame(what));
                }
            }
            None => {}
        }
    }

    fn mail(&mut self, at: usize, flow: u32, what: Say) {
        let call = self.calls.iter().find(|(_, running)| running.node == at && running.flow == flow);
        if let Some((number, _)) = call {
            self.deeds.push_back(Deed::Call(*number, what));
        }
    }

    fn mail_all(&mut self, at: usize, what: impl Fn() -> Say) {
        for (number, running) in &self.calls {
            if running.node == at && running.uses_trunk {
                self.deeds.push_back(Deed::Call(*number, what()));
            }
        }
    }

    /// One end lets go of the connection, and the other hears of it when it can.
    fn let_go(&mut self, at: usize) {
        if !self.wire.open[at] {
            return;
        }
        self.wire.open[at] = false;
        self.deeds.push_back(Deed::Link(at, Input::Down));
        if self.wire.open[1 - at] {
            self.send(at, Item::Reset);
        }
        self.dial_soon();
    }

    /// The process at one end is gone. The other end hears of it by a reset, or by silence.
    pub(super) fn lost_connection(&mut self, at: usize) {
        if std::mem::replace(&mut self.wire.open[at], false) && self.dice.random_range(0..2) == 0 {
            self.send(at, Item::Reset);
        }
        self.dial_soon();
    }

    fn dial_soon(&mut self) {
        let after = Millis(self.dice.random_range(50..600));
        self.queue.put(self.now + after, Event::Dial);
    }

    pub(super) fn dial(&mut self) {
        if self.wire.cut.is_some() || self.wire.open == [true; 2] {
            self.nodes.iter_mut().for_each(|node| node.early.clear());
            return;
        }
        self.wire.line += 1;
        self.wire.open = [true; 2];
        self.deeds.push_back(Deed::Link(0, Input::Up));
        self.deeds.push_back(Deed::Link(1, Input::Up));
    }

    pub(super) fn cut(&mut self, length: Millis) {
        if self.wire.cut.is_some() {
            return;
        }
        self.tell(format!("the trunk is cut for {} ms", length.0));
        self.judge.counts.cuts += 1;
        self.wire.cut = Some(self.now);
        // Datagrams that are on their way are lost; what is reliable waits.
        for to in 0..2 {
            self.judge.counts.lost_in_cut += self.wire.lanes[to][3].len() as u64;
            self.wire.lanes[to][3].clear();
        }
        self.queue.put(self.now + length, Event::Heal);
    }

    pub(super) fn heal(&mut self) {
        self.tell("the trunk is whole again".into());
        self.wire.cut = None;
        self.dial_soon();
    }
}

fn trunk(at: usize, up: bool) -> SystemInput<super::event::Shown> {
    SystemInput::Trunk { system: SYSTEMS[1 - at].into(), up }
}
