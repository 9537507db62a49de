//! A slice of a call that another worker than the owner sends: what the owner hands it is done strictly in that order.
//!
//! So there is nothing to agree on: a participant gets exactly the packets that were handed between its coming and its going,
//! and once it has gone nothing is sent to it. `T` is where media goes, `P` is a packet.

use alloc::{collections::VecDeque, vec::Vec};

use super::{Distributor, SliceEpoch};
use crate::{Order, Slot};

/// What an owner hands to a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handed<T, P> {
    /// A participant gets every packet that follows.
    Enter {
        /// Its place.
        slot: Slot,
        /// Number of its entry.
        entry: u64,
        /// Where its media goes.
        target: T,
        /// The first packet that it gets.
        from: Order,
    },
    /// A participant gets nothing more.
    Leave {
        /// Its place.
        slot: Slot,
    },
    /// Who does not get the packets that follow, because they are its own.
    Own(Vec<Slot>),
    /// A packet for everybody in the slice.
    Packet {
        /// Its order number.
        order: Order,
        /// The state of the slice for which it is meant.
        epoch: SliceEpoch,
        /// The datagram.
        packet: P,
    },
    /// The call has ended. With it so many departures are done.
    End {
        /// Since the slice was made, those included of which the part was not told.
        through: u64,
    },
}

/// One slice, as the worker keeps it that sends it.
#[derive(Debug)]
pub struct Slice<T, P> {
    distributor: Distributor<T>,
    waiting: VecDeque<Handed<T, P>>,
    /// The packet that is on its way.
    packet: Option<P>,
    own: Vec<Slot>,
    /// By slot.
    entries: Vec<u64>,
    packets: usize,
    through: u64,
}

/// A part of a packet's sends.
#[derive(Debug)]
pub struct Piece<'a, T, P> {
    /// The packet.
    pub packet: &'a P,
    /// Where to.
    pub targets: &'a [T],
    /// Whose addresses these are.
    pub slots: &'a [Slot],
}

impl<T: Copy, P> Slice<T, P> {
    /// A slice in which nobody is.
    pub fn new() -> Slice<T, P> {
        Slice {
            distributor: Distributor::new(),
            waiting: VecDeque::new(),
            packet: None,
            own: Vec::new(),
            entries: Vec::new(),
            packets: 0,
            through: 0,
        }
    }

    /// Takes what the owner hands. The end of a call overtakes everything else: nobody needs what still waits.
    pub fn hand(&mut self, handed: Handed<T, P>) {
        match handed {
            Handed::End { through } => *self = Slice { through, ..Slice::new() },
            handed => {
                self.packets += usize::from(matches!(handed, Handed::Packet { .. }));
                self.waiting.push_back(handed);
            }
        }
    }

    /// The next at most `max` sends; `None` once everything is done that was handed.
    pub fn step(&mut self, max: usize) -> Option<Piece<'_, T, P>> {
        let places = loop {
            if let Some((_, _, places)) = self.distributor.step(max) {
                break places;
            }
            self.packets -= usize::from(self.packet.take().is_some());
            self.next()?;
        };
        let (targets, slots) = self.distributor.targets(places);
        Some(Piece { packet: self.packet.as_ref()?, targets, slots })
    }

    /// Departures and ends that are done, since the slice was made: nothing more is sent to those participants.
    pub fn through(&self) -> u64 {
        self.through
    }

    /// Packets that are not out for everybody.
    pub fn packets(&self) -> usize {
        self.packets
    }

    /// The entry that was served last at a slot.
    pub fn entry(&self, slot: Slot) -> Option<u64> {
        self.entries.get(slot.index()).copied()
    }

    fn next(&mut self) -> Option<()> {
        match self.waiting.pop_front()? {
            Handed::Enter { slot, entry, target, from } => {
                if self.entries.len() <= slot.index() {
                    self.entries.resize(slot.index() + 1, 0);
                }
                if let Some(place) = self.entries.get_mut(slot.index()) {
                    *place = entry;
                }
                self.distributor.enter(slot, target, from);
            }
            Handed::Leave { slot } => {
                self.distributor.leave(slot);
                self.through += 1;
            }
            Handed::Own(own) => self.own = own,
            Handed::Packet { order, epoch, packet } => {
                assert_eq!(self.distributor.epoch, epoch, "a part was told everything that concerns its slice");
                self.distributor.offer(order);
                self.distributor.begin(&self.own);
                self.packet = Some(packet);
            }
            Handed::End { .. } => {}
        }
        Some(())
    }
}

impl<T: Copy, P> Default for Slice<T, P> {
    fn default() -> Self {
        Slice::new()
    }
}
