//! What the owner keeps of the slices of a call beside its own.

use alloc::{collections::VecDeque, vec::Vec};
use core::net::SocketAddr;

use super::{Part, SLICE_MIN};
use crate::{Order, Slot, distributor::SliceEpoch};

/// The slices of a call beside the owner's own.
#[derive(Debug)]
pub(in crate::call) struct Slices {
    pub(super) portions: Vec<Portion>,
    /// Participants that the owner sends to before another worker takes any.
    pub(in crate::call) least: usize,
    /// Departures that no part was told yet.
    pub(super) leaving: VecDeque<(Part, Slot)>,
    /// Who comes into a part once the packets before its first one are handed.
    pub(super) coming: VecDeque<(Order, Slot)>,
    /// Packets to be handed, and how many parts were handed the first of them.
    pub(super) pending: VecDeque<Order>,
    pub(super) handed: usize,
}

/// What the owner knows of a part.
#[derive(Debug, Default)]
pub(super) struct Portion {
    /// Participants, those included that come.
    pub(super) size: usize,
    /// Participants that it was told of.
    pub(super) here: usize,
    pub(super) epoch: SliceEpoch,
    /// Whom it leaves out.
    pub(super) own: Vec<Slot>,
    /// Packets that did not fit into its mail.
    pub(super) lost: u64,
    pub(super) leaves: u64,
    pub(super) through: u64,
    pub(super) gone: bool,
}

/// A participant's place in a part's slice.
#[derive(Clone, Copy, Debug)]
pub(in crate::call) struct Place {
    pub(super) part: Part,
    is_told: bool,
    lost_before: u64,
}

impl Place {
    /// One of which the part was not told yet.
    pub(super) fn new(part: Part) -> Place {
        Place { part, is_told: false, lost_before: 0 }
    }

    /// The part is told, which has lost so many packets by now.
    pub(super) fn tell(&mut self, lost: u64) {
        (self.is_told, self.lost_before) = (true, lost);
    }

    /// What the part had lost when it was told; `None`: it was not.
    pub(super) fn lost_before(self) -> Option<u64> {
        self.is_told.then_some(self.lost_before)
    }

    /// One of the packets that the part lost was its own.
    pub(super) fn lose_own(&mut self) {
        self.lost_before += u64::from(self.is_told);
    }
}

/// A participant that a part may still send to.
#[derive(Clone, Copy, Debug)]
pub(in crate::call) struct Held {
    pub(super) part: Part,
    /// Departures that the part has to have done.
    pub(super) leaves: u64,
    /// Whether somebody waits until it has entered.
    pub(super) answers: bool,
}

/// How live media ended for a participant.
#[derive(Clone, Copy, Debug)]
pub(in crate::call) struct Gone {
    /// The first packet that it was not given.
    pub(in crate::call) next: Order,
    /// Packets before that which were lost.
    pub(in crate::call) lost: u64,
    pub(in crate::call) held: Option<Held>,
}

/// What a part is told next.
#[derive(Clone, Copy, Debug)]
pub(in crate::call) enum Said {
    /// Whom, under which entry, where to, and from which packet on.
    Enter(Slot, u64, SocketAddr, Order),
    Leave(Slot),
    Own,
}

impl Default for Slices {
    fn default() -> Slices {
        Slices {
            portions: Vec::new(),
            least: SLICE_MIN,
            leaving: VecDeque::new(),
            coming: VecDeque::new(),
            pending: VecDeque::new(),
            handed: 0,
        }
    }
}

impl Slices {
    pub(in crate::call) fn add(&mut self, parts: u8) {
        self.portions.resize_with(usize::from(parts), Portion::default);
    }

    pub(super) fn at(&self, part: Part) -> Option<&Portion> {
        self.portions.get(usize::from(part.0))
    }

    pub(super) fn at_mut(&mut self, part: Part) -> Option<&mut Portion> {
        self.portions.get_mut(usize::from(part.0))
    }

    pub(super) fn is_used(&self) -> bool {
        self.portions.iter().any(|portion| portion.size > 0)
    }

    /// Whom a part leaves out.
    pub(in crate::call) fn own(&self, part: Part) -> &[Slot] {
        self.at(part).map_or(&[], |portion| &portion.own)
    }

    /// The smallest slice that is smaller than the owner's own of `own` participants; `None`: the owner's own.
    pub(super) fn choose(&self, own: usize) -> Option<Part> {
        if own < self.least {
            return None;
        }
        let there = self.portions.iter().enumerate().filter(|(_, portion)| !portion.gone);
        let (at, portion) = there.min_by_key(|(_, portion)| portion.size)?;
        (portion.size < own).then_some(Part(at as u8))
    }

    /// The first packet that the part was not handed, before `end`.
    pub(super) fn next(&self, part: Part, end: Order) -> Order {
        match self.pending.front() {
            Some(first) if usize::from(part.0) < self.handed => first.next(),
            Some(first) => *first,
            None => end,
        }
    }
}

impl Gone {
    /// It got nothing live.
    pub(in crate::call) fn never(next: Order) -> Gone {
        Gone { next, lost: 0, held: None }
    }

    /// The same, if nothing was offered from `end` on.
    pub(in crate::call) fn before(self, end: Order) -> Gone {
        Gone { next: self.next.min(end), ..self }
    }
}
