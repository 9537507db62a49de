//! One call in two systems: two machines with a trunk between them that delays, loses and breaks.

use alloc::{boxed::Box, collections::VecDeque};

use super::*;
use crate::{
    TrunkId,
    roster::{Attachment, Behind},
    trunk::{Overstep, Range, wire},
};

/// The one trunk, in either system's numbering.
pub(super) const TRUNK: TrunkId = TrunkId(0);

/// An output that concerns a trunk.
#[derive(Clone, Debug)]
pub(super) enum Spanning {
    Frame(Box<wire::Frame>),
    Forward(Vec<u8>),
    Backfill(Vec<Vec<u8>>, bool),
    Announced(Box<Announced>),
    Departed(u32),
    Ready(Range),
    Refused(String),
    Expelled(Slot),
    Missed(Ssrc, u64, u64),
    Overstepped(Overstep, &'static str),
}

impl Spanning {
    /// What is said, and to or about which trunk; what names none is about the home's.
    pub(super) fn of(output: Output<'_, SocketAddr>) -> (TrunkId, Spanning) {
        match output {
            Output::Frame { to, frame } => (to, Spanning::Frame(frame)),
            Output::Forward { to, packet, .. } => (to, Spanning::Forward(packet.to_vec())),
            Output::Backfill { to, orders, kept, done, .. } => {
                let packets = orders.iter().map(|order| kept.packet(*order).expect("it is kept").to_vec());
                (to, Spanning::Backfill(packets.collect(), done))
            }
            Output::Announced { trunk, announced } => (trunk, Spanning::Announced(announced)),
            Output::Departed { trunk, reference } => (trunk, Spanning::Departed(reference)),
            Output::Ready { range } => (TRUNK, Spanning::Ready(range)),
            Output::Refused { cause } => (TRUNK, Spanning::Refused(cause)),
            Output::Expelled { slot, .. } => (TRUNK, Spanning::Expelled(slot)),
            Output::Missed { ssrc, first, last } => (TRUNK, Spanning::Missed(ssrc, first, last)),
            Output::Overstepped { trunk, what, cause, .. } => (trunk, Spanning::Overstepped(what, cause)),
            output => panic!("nothing of a trunk: {output:?}"),
        }
    }
}

/// The home and a partner.
pub(super) struct Pair {
    pub(super) home: World,
    pub(super) partner: World,
    /// What is on its way: when it arrives, and whether at the partner.
    wire: VecDeque<(Time, bool, Spanning)>,
    pub(super) delay: Millis,
    pub(super) up: bool,
    pub(super) now: Time,
    /// Packets that crossed, towards the partner and back.
    pub(super) crossed: (usize, usize),
    /// What the partner could not get any more.
    pub(super) missed: Vec<(u32, u64, u64)>,
    pub(super) range: Option<Range>,
    next_slot: u32,
}

impl Pair {
    /// A home without participants, and a partner that has not subscribed.
    pub(super) fn new() -> Pair {
        let span = |flow, home| Span { flow, generation: 1, range: Range::new(0), home };
        let home = Home { trunk: TRUNK, group: "fire".into(), start: true };
        let world = |span| {
            let mut world = World::new(settings());
            world.call = Call::new(settings(), Ssrc(0xcafe)).spanning(span);
            world
        };
        Pair {
            home: world(span(10, None)),
            partner: world(span(20, Some(home))),
            wire: VecDeque::new(),
            delay: Millis(5),
            up: false,
            now: Time::ZERO,
            crossed: (0, 0),
            missed: Vec::new(),
            range: None,
            next_slot: 100,
        }
    }

    /// A partner whose call was opened for somebody who may not start one.
    pub(super) fn entering_only() -> Pair {
        let mut pair = Pair::new();
        let home = Home { trunk: TRUNK, group: "fire".into(), start: false };
        let span = Span { flow: 20, generation: 1, range: Range::new(0), home: Some(home) };
        pair.partner.call = Call::new(settings(), Ssrc(0xcafe)).spanning(span);
        pair
    }

    /// What the partner asks for when its trunk stands again: whether the home shall start a call.
    pub(super) fn asks_again(&mut self, home_restarted: bool) -> bool {
        self.cut();
        if home_restarted {
            self.partner.tell(Input::Trunk { from: TRUNK, what: FromTrunk::Restarted });
        }
        self.partner.tell(Input::Trunk { from: TRUNK, what: FromTrunk::Up });
        let start = self.partner.spanning.iter().find_map(|said| {
            let (_, Spanning::Frame(frame)) = said else { return None };
            let Some(wire::frame::What::Subscribe(subscribe)) = &frame.what else { return None };
            Some(subscribe.start)
        });
        start.expect("it subscribes")
    }

    /// The trunk comes up.
    pub(super) fn connect(&mut self) {
        self.up = true;
        self.trunk_at_both(|| FromTrunk::Up);
    }

    /// The trunk breaks: what is on its way is lost; both relays hear of it.
    pub(super) fn cut(&mut self) {
        self.up = false;
        self.wire.clear();
        let gone: Vec<Slot> = self.home.call.behind.values().copied().collect();
        self.trunk_at_both(|| FromTrunk::Lost);
        gone.into_iter().for_each(|slot| self.home.leave(slot.0));
        self.collect();
    }

    fn trunk_at_both(&mut self, what: impl Fn() -> FromTrunk<'static>) {
        self.home.tell(Input::Trunk { from: TRUNK, what: what() });
        self.partner.tell(Input::Trunk { from: TRUNK, what: what() });
        self.collect();
    }

    /// Lets time pass in both systems and on the trunk.
    pub(super) fn run(&mut self, passes: Millis) {
        let until = self.now + passes;
        let mut heartbeat = self.now;
        loop {
            let next = self.wire.iter().map(|carried| carried.0).min().filter(|at| *at <= until);
            let at = [next, self.home.wake, self.partner.wake, self.up.then_some(heartbeat)];
            let Some(at) = at.into_iter().flatten().min().filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            if self.up && heartbeat <= self.now {
                heartbeat = heartbeat + Millis(1_000);
                if self.delay < Millis(1_000) {
                    self.trunk_at_both(|| FromTrunk::Heard);
                }
            }
            self.home.run_until(self.now);
            self.partner.run_until(self.now);
            self.collect();
            while let Some(at) = self.wire.iter().position(|carried| carried.0 <= self.now) {
                let (_, to_partner, what) = self.wire.remove(at).expect("it stands there");
                self.deliver(to_partner, what);
                self.collect();
            }
        }
        self.now = until;
        self.home.run_until(until);
        self.partner.run_until(until);
        self.collect();
    }

    /// Takes what both say, and plays control for them.
    fn collect(&mut self) {
        loop {
            let said: Vec<_> = self.home.spanning.drain(..).map(|said| (true, said.1)).collect();
            let more = self.partner.spanning.drain(..).map(|said| (false, said.1));
            let said: Vec<_> = said.into_iter().chain(more).collect();
            if said.is_empty() {
                return;
            }
            said.into_iter().for_each(|(from_home, said)| self.follow(from_home, said));
        }
    }

    fn follow(&mut self, from_home: bool, said: Spanning) {
        match said {
            Spanning::Frame(_) | Spanning::Forward(..) | Spanning::Backfill(..) => {
                match (&said, from_home) {
                    (Spanning::Forward(..), true) => self.crossed.0 += 1,
                    (Spanning::Forward(..), false) => self.crossed.1 += 1,
                    _ => {}
                }
                if self.up {
                    self.wire.push_back((self.now + self.delay, from_home, said));
                }
            }
            Spanning::Announced(announced) => {
                let behind = Behind { trunk: TRUNK, reference: announced.reference };
                let who = Participant {
                    priority: announced.priority,
                    queueing: announced.queueing,
                    leg: Attachment::Trunk(behind),
                    ..Participant::new(&announced.user, &announced.client, leg(1), announced.audio_ssrc)
                };
                self.next_slot += 1;
                self.home.now = self.home.now.max(self.now);
                self.home.enter(self.next_slot, who);
            }
            Spanning::Departed(reference) => {
                if let Some(slot) = self.home.call.behind.get(&(TRUNK, reference)).copied() {
                    self.home.leave(slot.0);
                }
            }
            Spanning::Ready(range) => self.range = Some(range),
            Spanning::Missed(ssrc, first, last) => self.missed.push((ssrc.0, first, last)),
            Spanning::Refused(cause) => panic!("refused: {cause}"),
            Spanning::Overstepped(what, cause) => panic!("nobody oversteps: {what:?} {cause}"),
            Spanning::Expelled(slot) => self.partner.leave(slot.0),
        }
    }

    fn deliver(&mut self, to_partner: bool, what: Spanning) {
        let world = if to_partner { &mut self.partner } else { &mut self.home };
        let mut tell = |what| world.tell(Input::Trunk { from: TRUNK, what });
        match what {
            Spanning::Frame(frame) => match frame.what.expect("a frame says something") {
                wire::frame::What::Floor(floor) => {
                    let Some(Ok(message::Item::Packet(packet))) = message::read(&floor.message).next() else {
                        panic!("no floor message");
                    };
                    tell(FromTrunk::Floor { packet, holder: floor.holder, talker: &floor.talker });
                }
                what => tell(FromTrunk::Frame(what)),
            },
            Spanning::Forward(bytes) => {
                tell(FromTrunk::Media(rtp::Packet::parse(&bytes).expect("a packet")));
            }
            Spanning::Backfill(packets, done) => {
                for bytes in &packets {
                    tell(FromTrunk::Backfill(Some(rtp::Packet::parse(bytes).expect("a packet"))));
                }
                if done {
                    tell(FromTrunk::Backfill(None));
                }
            }
            said => panic!("this does not cross: {said:?}"),
        }
    }

    /// The SSRC at a place of the partner's range.
    pub(super) fn ssrc(&self, place: u32) -> u32 {
        self.range.expect("the partner is ready").at(place).0
    }

    /// A participant of the partner, named by its port.
    pub(super) fn enter_partner(&mut self, slot: u32, user: &str, port: u16, resume: &[(u32, u64)]) {
        let resume = resume.iter().map(|(ssrc, sequence)| ResumePoint { ssrc: Ssrc(*ssrc), sequence: *sequence });
        let audio_ssrc = Ssrc(self.ssrc(port.into()));
        let who = Participant { audio_ssrc, resume: resume.collect(), ..participant(user, port) };
        self.partner.now = self.partner.now.max(self.now);
        self.partner.enter(slot, who);
        self.collect();
    }

    pub(super) fn enter_home(&mut self, slot: u32, user: &str, port: u16) {
        self.home.now = self.home.now.max(self.now);
        self.home.enter(slot, participant(user, port));
        self.collect();
    }

    /// One packet of a talker at home, every 20 ms.
    pub(super) fn talk_home(&mut self, slot: u32, ssrc: u32, sequences: core::ops::Range<u16>) {
        for sequence in sequences {
            self.home.media(slot, ssrc, sequence);
            self.collect();
            self.run(Millis(20));
        }
    }

    pub(super) fn talk_partner(&mut self, slot: u32, ssrc: u32, sequences: core::ops::Range<u16>) {
        for sequence in sequences {
            self.partner.media(slot, ssrc, sequence);
            self.collect();
            self.run(Millis(20));
        }
    }

    pub(super) fn request_home(&mut self, slot: u32, port: u16) {
        self.home.request(slot, port, 5);
        self.collect();
    }

    pub(super) fn ask_partner(&mut self, slot: u32, message: message::Message<'_>) {
        let packet = message::Packet { ssrc: Ssrc(0), acknowledge: false, message, track_info: None };
        self.partner.tell(Input::Floor { slot: Slot(slot), packet });
        self.collect();
    }

    pub(super) fn request_partner(&mut self, slot: u32) {
        let message =
            message::Message::Request { priority: Some(5), indicator: None, functional_alias: None, location: None };
        self.ask_partner(slot, message);
    }
}
