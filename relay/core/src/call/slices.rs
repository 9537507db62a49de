//! Slices: which worker sends a call's live packets to whom.
//!
//! The owner sends to its own slice, its distributor. Every other worker may be a *part* that sends to another slice, of which only
//! the owner decides who is in it. A part is told changes and handed packets in one order, and does them in that order. So a
//! participant of a part gets exactly the packets that were handed to it between the change that brought it and the one
//! that took it away, and what it was sent is known here without asking. What is not known here is *when*: that a part has let go of
//! a participant it says itself, and until then nobody else sends to that participant.

mod portions;

use alloc::{boxed::Box, vec::Vec};
use core::net::SocketAddr;

use super::{
    Call, Seat,
    work::{Chosen, Work},
};
use crate::{Order, Slot, distributor::SliceEpoch};
pub(super) use portions::{Gone, Held, Place, Said, Slices};

/// Participants that the owner sends to before another worker takes any: for fewer, the mail costs more than it saves.
pub const SLICE_MIN: usize = 256;

/// Parts that a call may have beside its owner.
pub const PARTS_MAX: usize = 255;

/// Packets that a part may be ahead of the owner's own slice. The rest waits in retention, where it costs no copy and no mail.
const AHEAD: usize = 4;

/// A worker, other than the owner, that sends a part of a call's live packets; counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part(pub u8);

/// What changes in a part's slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a, A> {
    /// A participant gets every packet that is handed from now on. The floor messages that were handed out before go first.
    Enter {
        /// Its place.
        slot: Slot,
        /// Number of its entry.
        entry: u64,
        /// Where its media goes.
        target: A,
        /// The first packet that it gets.
        from: Order,
    },
    /// A participant gets nothing that is handed from now on.
    Leave {
        /// Its place.
        slot: Slot,
    },
    /// Who does not get what is handed from now on, because it is its own media.
    Own(&'a [Slot]),
}

impl<A: Copy + From<SocketAddr>> Call<A> {
    /// The same call in a node of which `parts` other workers can send for it.
    pub fn sliced(mut self, parts: u8) -> Call<A> {
        self.slices.add(parts);
        self
    }

    /// Departures that a part was told of, or will be, since the call began. Once it is [through](super::Input::Through) with
    /// that many, it sends nothing to anybody who has left by now.
    pub fn leaves(&self, part: Part) -> u64 {
        self.slices.at(part).map_or(0, |portion| portion.leaves)
    }

    /// Parts that have, or had, something to send: they have to hear that the call ends.
    pub fn parts(&self) -> impl Iterator<Item = Part> {
        let used =
            self.slices.portions.iter().enumerate().filter(|(_, portion)| portion.epoch != SliceEpoch::default());
        used.map(|(at, _)| Part(at as u8))
    }

    /// How many participants a part sends to, or will.
    pub fn part_size(&self, part: Part) -> usize {
        self.slices.at(part).map_or(0, |portion| portion.size)
    }

    /// A packet is ready for everybody who gets live media.
    pub(super) fn offer(&mut self, order: Order) {
        self.distributor.offer(order);
        if self.slices.is_used() {
            self.slices.pending.push_back(order);
        }
    }

    /// A participant gets live packets from `from` on, by whoever has the smallest slice.
    pub(super) fn go_live(&mut self, slot: Slot, target: A, from: Order) {
        let Some(part) = self.slices.choose(self.distributor.len()) else {
            return self.distributor.enter(slot, target, from);
        };
        if let Some(portion) = self.slices.at_mut(part) {
            portion.size += 1;
        }
        self.slices.coming.push_back((from, slot));
        if let Some(seat) = super::at_mut(&mut self.seats, slot) {
            seat.place = Some(Place::new(part));
        }
    }

    /// A participant gets no live packets any more; `None`: it got none.
    pub(super) fn let_go(&mut self, slot: Slot, place: Option<Place>) -> Option<Gone> {
        let Some(place) = place else { return self.distributor.leave(slot).map(Gone::never) };
        let next = self.slices.next(place.part, self.kept.end());
        let portion = self.slices.at_mut(place.part)?;
        portion.size -= 1;
        let Some(lost_before) = place.lost_before() else {
            let at = self.slices.coming.iter().position(|coming| coming.1 == slot)?;
            return self.slices.coming.remove(at).map(|coming| Gone::never(coming.0));
        };
        portion.here -= 1;
        portion.leaves += 1;
        let held = Held { part: place.part, leaves: portion.leaves, answers: false };
        let gone = Gone { next, lost: portion.lost - lost_before, held: Some(held) };
        self.slices.leaving.push_back((place.part, slot));
        Some(gone)
    }

    /// Until where a participant was given live packets, and how many of them were lost.
    pub(super) fn handed_until(&self, seat: &Seat) -> (Order, u64) {
        let end = self.kept.end();
        let Some(place) = seat.place else { return (self.distributor.next_order().unwrap_or(end), 0) };
        let lost = |before| self.slices.at(place.part).map_or(0, |portion| portion.lost - before);
        match place.lost_before() {
            Some(before) => (self.slices.next(place.part, end), lost(before)),
            None => (Order(0), 0),
        }
    }

    /// Whether a part may still send to the participant; then it has entered, and gets what is retained, once that no longer can.
    pub(super) fn hold(&mut self, slot: Slot) -> bool {
        let held = super::at_mut(&mut self.seats, slot).and_then(|seat| seat.held.as_mut());
        held.map(|held| held.answers = true).is_some()
    }

    /// What a part is told or handed next: first who leaves, then who comes, then packets.
    pub(super) fn choose_slices(&mut self) -> Option<Chosen> {
        if self.slices.portions.is_empty() {
            return None;
        }
        if let Some((part, slot)) = self.slices.leaving.pop_front() {
            self.slices.at_mut(part)?.epoch.0 += 1;
            return Some(Chosen::Slice(part, Said::Leave(slot)));
        }
        loop {
            let first = self.slices.pending.front().copied();
            if let Some((from, slot)) = self.slices.coming.front().copied()
                && first.is_none_or(|first| from <= first)
            {
                self.slices.coming.pop_front();
                return self.bring(slot, from);
            }
            let ahead = self.distributor.backlog().saturating_sub(self.slices.pending.len());
            let order = first.filter(|_| ahead < AHEAD)?;
            if let Some(chosen) = self.choose_part(order) {
                return Some(chosen);
            }
            self.slices.pending.pop_front();
            self.slices.handed = 0;
        }
    }

    fn bring(&mut self, slot: Slot, from: Order) -> Option<Chosen> {
        let seat = super::at_mut(&mut self.seats, slot)?;
        let (entry, target, place) = (seat.entry, seat.who.leg.rtp()?, seat.place.as_mut()?);
        let portion = self.slices.at_mut(place.part)?;
        portion.here += 1;
        portion.epoch.0 += 1;
        place.tell(portion.lost);
        Some(Chosen::Slice(place.part, Said::Enter(slot, entry, target, from)))
    }

    /// The next part that is handed this packet, or told before whose it is.
    fn choose_part(&mut self, order: Order) -> Option<Chosen> {
        while let Some(portion) = self.slices.portions.get(self.slices.handed) {
            let part = Part(self.slices.handed as u8);
            if portion.here == 0 || self.kept.packet(order).is_none() {
                self.counters.overrun += portion.here as u64;
                self.slices.handed += 1;
                continue;
            }
            if self.tell_own(part, order) {
                return Some(Chosen::Slice(part, Said::Own));
            }
            self.slices.handed += 1;
            return Some(Chosen::Hand(part, order, self.slices.at(part)?.epoch));
        }
        None
    }

    /// Whether the part has to be told anew whom it leaves out.
    fn tell_own(&mut self, part: Part, order: Order) -> bool {
        self.find_own(order);
        let seats = &self.seats;
        let is_here = |slot: &&Slot| {
            let place = super::at(seats, **slot).and_then(|seat| seat.place);
            place.is_some_and(|place| place.part == part && place.lost_before().is_some())
        };
        let own = self.own.as_ref().map_or(&[][..], |own| &own.1).iter().filter(is_here);
        let Some(portion) = self.slices.portions.get_mut(usize::from(part.0)) else { return false };
        if own.clone().eq(&portion.own) {
            return false;
        }
        portion.own = own.copied().collect();
        true
    }

    /// The packet handed last did not fit: everybody in the slice lacks it, but for whom it was not meant.
    pub(super) fn lose(&mut self, part: Part) {
        let Some(portion) = self.slices.at_mut(part) else { return };
        portion.lost += 1;
        self.counters.worker_full += portion.here.saturating_sub(portion.own.len()) as u64;
        for slot in &portion.own {
            if let Some(seat) = super::at_mut(&mut self.seats, *slot)
                && let Some(place) = seat.place.as_mut()
            {
                place.lose_own();
            }
        }
    }

    /// A part has let go of everybody who left before: what is retained for them may follow.
    pub(super) fn pass(&mut self, part: Part, leaves: u64) {
        let Some(portion) = self.slices.at_mut(part) else { return };
        portion.through = portion.through.max(leaves);
        let through = portion.through;
        for at in 0..self.newcomers.len() {
            let Some(slot) = self.newcomers.get(at).copied() else { break };
            let Some(seat) = super::at_mut(&mut self.seats, slot) else { continue };
            let Some(held) = seat.held.take_if(|held| held.part == part && held.leaves <= through) else { continue };
            let (entry, plan) = (seat.entry, seat.newcomer.as_ref().map(|newcomer| newcomer.plan().clone()));
            self.outbox.push_back(Work::Serve(slot));
            if let (true, Some(plan)) = (held.answers, plan) {
                self.outbox.push_back(Work::Entered(slot, entry, Box::new(plan)));
            }
        }
    }

    /// A part's worker has ended. Who was in its slice is served from retention, and then by others.
    pub(super) fn give_up(&mut self, part: Part) {
        let Some(portion) = self.slices.at_mut(part) else { return };
        portion.gone = true;
        self.slices.leaving.retain(|leaving| leaving.0 != part);
        let mut stopped = Vec::new();
        for at in 0..self.seats.len() {
            let slot = Slot(at as u32);
            let Some(seat) = super::at_mut(&mut self.seats, slot) else { continue };
            let Some(place) = seat.place.take_if(|place| place.part == part) else { continue };
            let Some(gone) = self.let_go(slot, Some(place)) else { continue };
            let own = self.own_since(slot, gone.next);
            if let Some(seat) = super::at_mut(&mut self.seats, slot) {
                seat.end_live(gone, own);
            }
            stopped.push((slot, gone.next));
        }
        self.resume_paced(stopped);
        self.slices.leaving.retain(|leaving| leaving.0 != part);
        self.pass(part, u64::MAX);
    }
}
