//! The media distributor of a call: who gets the talker's packets live, and how far each packet has come.
//!
//! A packet is offered under its order number and handed out in chunks. Between two chunks participants may come and go:
//! who comes gets the packets from its own order number on, who goes gets nothing more, and no other participant loses or
//! doubles a packet by it. The talker never gets its own.

pub mod slice;

use alloc::{collections::VecDeque, vec::Vec};
use core::ops::Range;

use crate::{Order, Slot};

/// Who gets live packets of one call. `T` is where a participant's media goes.
#[derive(Debug)]
pub struct Distributor<T> {
    targets: Vec<T>,
    slots: Vec<Slot>,
    places: Vec<u32>,
    /// How many places at the end belong to the talker.
    excluded: usize,
    /// Participants that come with a later packet, by order number.
    coming: VecDeque<(Order, Slot, T)>,
    offered: VecDeque<Order>,
    spread: Option<Spread>,
    /// Places that fell empty while a packet is on its way, ascending.
    left: Vec<usize>,
    rotation: usize,
    epoch: SliceEpoch,
}

/// Number of a state of who gets live packets: every splice and every departure advances it. A live packet carries the one under
/// which it began, so that whoever sends a part of it knows for whom it is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SliceEpoch(pub u64);

/// One packet on its way.
#[derive(Debug)]
struct Spread {
    order: Order,
    epoch: SliceEpoch,
    start: usize,
    done: usize,
    total: usize,
}

const NOWHERE: u32 = u32::MAX;

impl<T: Copy> Distributor<T> {
    /// A distributor that serves nobody.
    pub fn new() -> Distributor<T> {
        Distributor {
            targets: Vec::new(),
            slots: Vec::new(),
            places: Vec::new(),
            excluded: 0,
            coming: VecDeque::new(),
            offered: VecDeque::new(),
            spread: None,
            left: Vec::new(),
            rotation: 0,
            epoch: SliceEpoch::default(),
        }
    }

    /// `slot` gets every packet from `from` on, and none before. `from` must not lie before an earlier `enter`'s.
    pub fn enter(&mut self, slot: Slot, target: T, from: Order) {
        self.coming.push_back((from, slot, target));
        self.epoch.0 += 1;
    }

    /// `slot` gets nothing more. Answers the first packet that it was not given, or `None` if it was not served.
    pub fn leave(&mut self, slot: Slot) -> Option<Order> {
        if let Some(at) = self.coming.iter().position(|coming| coming.1 == slot) {
            self.epoch.0 += 1;
            return self.coming.remove(at).map(|coming| coming.0);
        }
        let place = self.place(slot)?;
        self.epoch.0 += 1;
        let next = match &self.spread {
            Some(spread) if !spread.served(place) => Some(spread.order),
            Some(spread) => Some(spread.order.next()),
            None => self.offered.front().copied(),
        };
        self.set_place(slot, NOWHERE);
        match self.spread {
            Some(_) => {
                let at = self.left.partition_point(|left| *left < place);
                self.left.insert(at, place);
            }
            None => self.remove(place),
        }
        Some(next.unwrap_or(Order(u64::MAX)))
    }

    /// A packet is ready to be distributed. Order numbers must ascend.
    pub fn offer(&mut self, order: Order) {
        self.offered.push_back(order);
    }

    /// The packet that `step` hands out next, if any.
    pub fn next_order(&self) -> Option<Order> {
        self.spread.as_ref().map(|spread| spread.order).or(self.offered.front().copied())
    }

    /// Whether the next step is the first of its packet: `begin` must be called before it.
    pub fn at_beginning(&self) -> bool {
        self.spread.is_none() && !self.offered.is_empty()
    }

    /// Starts the next offered packet. `own` are the slots of the user whose packet it is: they do not get it.
    pub fn begin(&mut self, own: &[Slot]) {
        let Some(order) = self.offered.pop_front() else { return };
        while self.coming.front().is_some_and(|coming| coming.0 <= order) {
            let Some((_, slot, target)) = self.coming.pop_front() else { break };
            self.excluded = 0;
            self.set_place(slot, self.targets.len() as u32);
            self.targets.push(target);
            self.slots.push(slot);
        }
        self.exclude(own);
        let total = self.targets.len() - self.excluded;
        self.rotation = if total == 0 { 0 } else { (self.rotation + 1) % total };
        self.spread = Some(Spread { order, epoch: self.epoch, start: self.rotation, done: 0, total });
    }

    /// The next at most `max` places of the packet on its way, or `None` once it is out.
    pub fn step(&mut self, max: usize) -> Option<(Order, SliceEpoch, Range<usize>)> {
        loop {
            let spread = self.spread.as_mut()?;
            if spread.done >= spread.total {
                self.finish();
                return None;
            }
            let mut piece = spread.ahead(max);
            let from = self.left.partition_point(|left| *left < piece.start);
            let mut jumps = 0;
            for left in self.left.get(from..).unwrap_or(&[]) {
                if *left == piece.start && *left < piece.end {
                    piece.start += 1;
                    jumps += 1;
                } else {
                    piece.end = piece.end.min(*left);
                    break;
                }
            }
            spread.done += jumps + piece.len();
            if !piece.is_empty() {
                return Some((spread.order, spread.epoch, piece));
            }
        }
    }

    /// Where the packet goes at these places, and for whom.
    pub fn targets(&self, places: Range<usize>) -> (&[T], &[Slot]) {
        (self.targets.get(places.clone()).unwrap_or(&[]), self.slots.get(places).unwrap_or(&[]))
    }

    /// Gives the packet on its way up for everybody who did not get it yet. Answers how many that are.
    pub fn abandon(&mut self) -> usize {
        let lost = self.spread.as_ref().map_or(0, |spread| spread.total - spread.done);
        self.finish();
        lost
    }

    /// Packets offered and not yet begun.
    pub fn backlog(&self) -> usize {
        self.offered.len()
    }

    /// How many participants get live packets, or will.
    pub fn len(&self) -> usize {
        self.targets.len() - self.left.len() + self.coming.len()
    }

    /// Whether nobody gets live packets.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn finish(&mut self) {
        self.spread = None;
        while let Some(place) = self.left.pop() {
            self.remove(place);
        }
    }

    fn place(&self, slot: Slot) -> Option<usize> {
        self.places.get(slot.index()).filter(|place| **place != NOWHERE).map(|place| *place as usize)
    }

    fn set_place(&mut self, slot: Slot, place: u32) {
        if self.places.len() <= slot.index() {
            self.places.resize(slot.index() + 1, NOWHERE);
        }
        if let Some(entry) = self.places.get_mut(slot.index()) {
            *entry = place;
        }
    }

    /// Takes the place out. The last of its part (served, or excluded) moves into it.
    fn remove(&mut self, place: usize) {
        let boundary = self.targets.len() - self.excluded;
        if place < boundary {
            self.swap(place, boundary - 1);
            self.swap(boundary - 1, self.targets.len() - 1);
        } else {
            self.swap(place, self.targets.len() - 1);
            self.excluded -= 1;
        }
        self.targets.pop();
        self.slots.pop();
    }

    /// Moves the places of `own` to the end.
    fn exclude(&mut self, own: &[Slot]) {
        self.excluded = 0;
        for slot in own {
            if let Some(place) = self.place(*slot) {
                self.excluded += 1;
                self.swap(place, self.targets.len() - self.excluded);
            }
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        if one == other {
            return;
        }
        self.targets.swap(one, other);
        self.slots.swap(one, other);
        for place in [one, other] {
            // A place that fell empty has no slot that points at it any more, or one that points elsewhere.
            if let Some(slot) = self.slots.get(place).copied()
                && self.place(slot).is_some_and(|at| at == one || at == other)
            {
                self.set_place(slot, place as u32);
            }
        }
    }
}

impl<T: Copy> Default for Distributor<T> {
    fn default() -> Self {
        Distributor::new()
    }
}

impl Spread {
    /// The next at most `max` places in one piece. The packet starts at `start` and wraps round.
    fn ahead(&self, max: usize) -> Range<usize> {
        let first_part = self.total - self.start;
        let (from, until) = if self.done < first_part {
            (self.start + self.done, self.total)
        } else {
            (self.done - first_part, self.start)
        };
        from..until.min(from.saturating_add(max))
    }

    /// Whether the place has had its turn (or never gets one: the talker's own).
    fn served(&self, place: usize) -> bool {
        if place >= self.total {
            return true;
        }
        let turn = if place >= self.start { place - self.start } else { self.total - self.start + place };
        turn < self.done
    }
}

#[cfg(test)]
mod tests;
