//! What waits to be done, and in which order it is handed out.

use alloc::{boxed::Box, string::String};
use core::net::SocketAddr;

use super::{Answer, CHUNK, Call, Change, Output, Part, alarm::Alarm, slices::Said, telling::Note, trunks::Announced};
use crate::{
    Millis, Order, Slot, Ssrc, Time, TrunkId,
    distributor::SliceEpoch,
    late_entry::{Facts, newcomer::TICK, plan::Plan},
    trunk::{
        Overstep, Range,
        wire::{self, frame::What},
    },
};

/// Something for one participant, or for control, that leaves before anything else does.
#[derive(Debug)]
pub(super) enum Work {
    /// A floor message that says one thing.
    Note(Slot, Note),
    /// The current state of the floor, under a new number.
    Tell(Slot),
    /// The current state of the floor once more.
    Repeat(Slot),
    /// Retained media, as far as it may leave now.
    Serve(Slot),
    /// The facts are gathered when it is handed out: behind the media, which is in a hurry.
    Entered(Slot, u64, Box<Plan>),
    Answer(u64, Answer),
    Inactive,
    Expired(Slot, u64),
    /// The state of the floor, for everybody behind a trunk.
    TellTrunk(TrunkId),
    Frame(TrunkId, Box<wire::Frame>),
    Announced(TrunkId, Box<Announced>),
    Departed(TrunkId, u32),
    Ready,
    Refused(String),
    Expelled(Slot, String),
    Missed(Ssrc, u64, u64),
    Overstepped(TrunkId, Overstep, &'static str, String),
}

/// Whose turn it is when several have work: live media, the floor's news for everybody, retained media.
#[derive(Debug, Default)]
pub(super) struct Turn {
    next: Kind,
    /// Where the telling of the floor's news has come; `None`: everybody knows.
    pub(super) telling: Option<usize>,
    told: usize,
}

#[derive(Clone, Copy, Debug, Default)]
enum Kind {
    #[default]
    Live,
    Tell,
    Replay,
}

/// Floor messages, or retained packets, between two live chunks: half of a chunk, so live media has two thirds of a turn.
const SHARE: usize = CHUNK / 2;

/// Works that there is always room for. Thousands come at once, when many who have entered are reminded, and seldom.
pub(super) const OUTBOX_KEPT: usize = 1_024;

/// What `choose` found; it names places, not memory, so that the borrow of the answer starts afterwards.
pub(super) enum Chosen {
    Floor(Slot, usize),
    Distribute(Order, SliceEpoch, core::ops::Range<usize>),
    Slice(Part, Said),
    Hand(Part, Order, SliceEpoch),
    Replay(Slot),
    Entered(Slot, u64, Box<Facts>),
    Answer(u64, Answer),
    Inactive,
    Expired(Slot, u64),
    Trunk(TrunkWork),
    Forward(TrunkId, u32, Order),
    Backfill(TrunkId, u32, bool),
    Nothing,
}

/// What concerns trunks and owns what it says.
pub(super) enum TrunkWork {
    Frame(TrunkId, Box<wire::Frame>),
    Announced(TrunkId, Box<Announced>),
    Departed(TrunkId, u32),
    Ready(Range),
    Refused(String),
    Expelled(Slot, u64, String),
    Missed(Ssrc, u64, u64),
    Overstepped(TrunkId, Overstep, &'static str, String),
}

impl TrunkWork {
    fn output<'a, A>(self) -> Output<'a, A> {
        match self {
            TrunkWork::Frame(to, frame) => Output::Frame { to, frame },
            TrunkWork::Announced(trunk, announced) => Output::Announced { trunk, announced },
            TrunkWork::Departed(trunk, reference) => Output::Departed { trunk, reference },
            TrunkWork::Ready(range) => Output::Ready { range },
            TrunkWork::Refused(cause) => Output::Refused { cause },
            TrunkWork::Expelled(slot, entry, cause) => Output::Expelled { slot, entry, cause },
            TrunkWork::Missed(ssrc, first, last) => Output::Missed { ssrc, first, last },
            TrunkWork::Overstepped(trunk, what, cause, detail) => Output::Overstepped { trunk, what, cause, detail },
        }
    }
}

fn floor_frame(to: TrunkId, floor: wire::Floor) -> Chosen {
    Chosen::Trunk(TrunkWork::Frame(to, Box::new(wire::Frame { what: Some(What::Floor(floor)) })))
}

impl<A: Copy + From<SocketAddr>> Call<A> {
    pub(super) fn next_output(&mut self) -> Output<'_, A> {
        loop {
            match self.choose() {
                Chosen::Floor(slot, length) => {
                    let address = self.seat(slot).and_then(|seat| seat.who.leg.floor());
                    let (Some(to), true) = (address.map(A::from), length > 0) else { continue };
                    return Output::Floor { to, message: self.datagram.get(..length).unwrap_or(&[]) };
                }
                Chosen::Distribute(order, epoch, places) => {
                    if self.kept.packet(order).is_none() {
                        let lost = self.distributor.abandon() + places.len();
                        self.counters.overrun += lost as u64;
                        continue;
                    }
                    let (targets, slots) = self.distributor.targets(places);
                    let packet = self.kept.packet(order).unwrap_or(&[]);
                    return Output::Distribute { order, epoch, packet, targets, slots };
                }
                Chosen::Slice(part, said) => {
                    let change = match said {
                        Said::Enter(slot, entry, to, from) => Change::Enter { slot, entry, target: A::from(to), from },
                        Said::Leave(slot) => Change::Leave { slot },
                        Said::Own => Change::Own(self.slices.own(part)),
                    };
                    return Output::Slice { part, change };
                }
                Chosen::Hand(part, order, epoch) => {
                    let packet = self.kept.packet(order).unwrap_or(&[]);
                    return Output::Hand { part, order, epoch, packet };
                }
                Chosen::Replay(slot) => {
                    let Some(to) = self.seat(slot).and_then(|seat| seat.who.leg.rtp()).map(A::from) else { continue };
                    return Output::Replay { slot, to, orders: &self.orders, kept: &self.kept };
                }
                Chosen::Entered(slot, entry, facts) => return Output::Entered { slot, entry, facts: *facts },
                Chosen::Answer(token, answer) => return Output::Answer { token, answer },
                Chosen::Inactive => return Output::Inactive,
                Chosen::Expired(slot, entry) => return Output::Expired { slot, entry },
                Chosen::Trunk(work) => return work.output(),
                Chosen::Forward(to, flow, order) => {
                    if self.kept.packet(order).is_none() {
                        continue;
                    }
                    return Output::Forward { to, flow, packet: self.kept.packet(order).unwrap_or(&[]) };
                }
                Chosen::Backfill(to, flow, done) => {
                    return Output::Backfill { to, flow, orders: &self.orders, kept: &self.kept, done };
                }
                Chosen::Nothing => return Output::Wake(self.next_wake()),
            }
        }
    }

    fn choose(&mut self) -> Chosen {
        // Before everything that takes the owner long: others begin with their part at once.
        if let Some(chosen) = self.choose_slices() {
            return chosen;
        }
        while let Some(work) = self.outbox.pop_front() {
            if let Some(chosen) = self.choose_work(work) {
                return chosen;
            }
        }
        if self.outbox.capacity() > OUTBOX_KEPT {
            self.outbox.shrink_to(OUTBOX_KEPT);
        }
        if let Some((to, flow, order)) = self.choose_up().or_else(|| self.choose_forward()) {
            return Chosen::Forward(to, flow, order);
        }
        // Each kind once, and once more whichever had its share before the others were asked.
        for _ in 0..4 {
            let chosen = match self.turn.next {
                Kind::Live => self.choose_live(),
                Kind::Tell => self.choose_telling(),
                Kind::Replay => self.choose_replay(),
            };
            if let Some(chosen) = chosen {
                return chosen;
            }
        }
        Chosen::Nothing
    }

    fn choose_work(&mut self, work: Work) -> Option<Chosen> {
        Some(match work {
            Work::Note(slot, note) if self.is_behind(slot) => {
                let (to, floor) = self.write_note_behind(slot, note)?;
                floor_frame(to, floor)
            }
            Work::Note(slot, note) => Chosen::Floor(slot, self.write_note(slot, note)),
            Work::Tell(slot) => Chosen::Floor(slot, self.write_state(slot, true)),
            Work::Repeat(slot) => Chosen::Floor(slot, self.write_state(slot, false)),
            Work::Serve(slot) => {
                if !self.fill(slot) {
                    return None;
                }
                self.outbox.push_front(Work::Serve(slot));
                Chosen::Replay(slot)
            }
            Work::Entered(slot, entry, plan) => {
                let facts = self.facts(Some(slot), Some(&plan));
                Chosen::Entered(slot, entry, Box::new(facts))
            }
            Work::Answer(token, answer) => Chosen::Answer(token, answer),
            Work::Inactive => Chosen::Inactive,
            Work::Expired(slot, entry) => Chosen::Expired(slot, entry),
            Work::TellTrunk(to) => floor_frame(to, self.write_state_trunk(to)?),
            Work::Frame(to, frame) => Chosen::Trunk(TrunkWork::Frame(to, frame)),
            Work::Announced(trunk, announced) => Chosen::Trunk(TrunkWork::Announced(trunk, announced)),
            Work::Departed(trunk, reference) => Chosen::Trunk(TrunkWork::Departed(trunk, reference)),
            Work::Ready => Chosen::Trunk(TrunkWork::Ready(self.uplink.as_ref()?.range()?)),
            Work::Refused(cause) => Chosen::Trunk(TrunkWork::Refused(cause)),
            Work::Expelled(slot, cause) => Chosen::Trunk(TrunkWork::Expelled(slot, self.seat(slot)?.entry, cause)),
            Work::Missed(ssrc, first, last) => Chosen::Trunk(TrunkWork::Missed(ssrc, first, last)),
            Work::Overstepped(trunk, what, cause, detail) => {
                Chosen::Trunk(TrunkWork::Overstepped(trunk, what, cause, detail))
            }
        })
    }

    fn choose_live(&mut self) -> Option<Chosen> {
        self.turn.next = Kind::Tell;
        self.turn.told = 0;
        let chunk = if self.distributor.len() <= CHUNK { CHUNK } else { self.chunk };
        loop {
            if self.distributor.at_beginning() {
                self.begin_packet();
            }
            match self.distributor.step(chunk) {
                Some((order, epoch, places)) => return Some(Chosen::Distribute(order, epoch, places)),
                None if self.distributor.at_beginning() => {}
                None => return None,
            }
        }
    }

    fn choose_telling(&mut self) -> Option<Chosen> {
        while let Some(at) = self.turn.telling {
            if self.turn.told >= SHARE {
                break;
            }
            if at >= self.seats.len() {
                self.turn.telling = None;
                break;
            }
            self.turn.telling = Some(at + 1);
            let slot = Slot(at as u32);
            if self.seat(slot).is_some_and(|seat| seat.told != self.version) {
                let length = self.write_state(slot, true);
                if length > 0 {
                    self.turn.told += 1;
                    return Some(Chosen::Floor(slot, length));
                }
            }
        }
        self.turn.next = Kind::Replay;
        None
    }

    fn choose_replay(&mut self) -> Option<Chosen> {
        self.turn.next = Kind::Live;
        if let Some((to, flow, done)) = self.choose_backfill(SHARE) {
            return Some(Chosen::Backfill(to, flow, done));
        }
        while let Some(slot) = self.newcomers_due.pop_front() {
            if self.fill(slot) {
                self.newcomers_due.push_back(slot);
                return Some(Chosen::Replay(slot));
            }
        }
        None
    }

    /// The next packet for everybody begins: the talker's own participants are left out.
    fn begin_packet(&mut self) {
        if let Some(order) = self.distributor.next_order() {
            self.find_own(order);
        }
        let own = self.own.as_ref().map_or(&[][..], |own| &own.1);
        self.distributor.begin(own);
    }

    /// Looks up who does not get the packet at `order`, unless that is known.
    pub(super) fn find_own(&mut self, order: Order) {
        if let Some(ssrc) = self.kept.kept(order).map(|row| row.ssrc)
            && self.own.as_ref().is_none_or(|own| own.0 != ssrc)
        {
            let slots = self.slots_of(ssrc);
            self.own = Some((ssrc, slots));
        }
    }

    /// Fills `orders` with what may leave now towards a newcomer. If nothing may, it is spliced, or waits.
    fn fill(&mut self, slot: Slot) -> bool {
        self.orders.clear();
        let Some(seat) = super::at_mut(&mut self.seats, slot) else { return false };
        let Some(newcomer) = seat.newcomer.as_deref_mut().filter(|_| seat.held.is_none()) else { return false };
        while self.orders.len() < SHARE {
            let Some(order) = newcomer.advance(&self.kept, self.now) else { break };
            self.orders.push(order);
        }
        seat.sent += self.orders.len() as u64;
        let overtaken = newcomer.take_overtaken();
        seat.overtaken += overtaken;
        self.counters.overtaken += overtaken;
        if !self.orders.is_empty() {
            return true;
        }
        if newcomer.caught_up(&self.kept) {
            self.splice(slot);
        } else if newcomer.waits_for_live(&self.kept) {
            let until = newcomer.withhold_until();
            self.set_alarm(slot, Alarm::Withhold, Some(until));
        } else {
            self.pace();
        }
        false
    }

    /// From here on the participant gets what everybody gets.
    fn splice(&mut self, slot: Slot) {
        let from = self.kept.end();
        self.newcomers.retain(|newcomer| *newcomer != slot);
        self.set_alarm(slot, Alarm::Withhold, None);
        if let Some(seat) = super::at_mut(&mut self.seats, slot) {
            seat.newcomer = None;
            seat.live_from = Some(from);
            seat.own_since = 0;
            if let Some(rtp) = seat.who.leg.rtp() {
                self.go_live(slot, A::from(rtp), from);
            }
            self.note_own(slot);
        }
    }

    /// Newcomers are looked at again at the next tick.
    fn pace(&mut self) {
        let tick = TICK.as_micros();
        let next = Time::from_micros(self.now.as_micros() / tick * tick) + Millis(TICK.0);
        self.replay_wake = Some(self.replay_wake.map_or(next, |at| at.min(next)));
    }

    /// Looks at one newcomer.
    pub(super) fn serve(&mut self, slot: Slot) {
        if !self.newcomers_due.contains(&slot) {
            self.newcomers_due.push_back(slot);
        }
    }

    /// Looks at every newcomer.
    pub(super) fn serve_newcomers(&mut self) {
        self.newcomers_due.clear();
        self.newcomers_due.extend(self.newcomers.iter().copied());
    }
}
