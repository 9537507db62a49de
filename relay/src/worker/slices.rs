//! What a worker sends for other owners: slices of their large calls, out of the owner's socket, whose address participants know.

use std::sync::Arc;

use relay_core::{call::CHUNK, distributor::slice::Slice};

use super::{
    outgoing::Outgoing,
    packets::Packet,
    ways::{Refusal, Said, Share, Ways},
};
use crate::{metrics::Counters, udp::Address};

/// Packets that a worker takes in for others before it has sent them. The rest waits in their mail, which is bounded.
const TAKEN_MAX: usize = 64;

/// The slices that this worker sends, by owner and by the owner's row.
#[derive(Default)]
pub(super) struct Slices {
    held: Vec<Vec<Option<Box<Held>>>>,
    /// Packets taken in and not sent to everybody.
    packets: usize,
}

/// A slice of a call that another worker owns.
#[derive(Debug, Default)]
struct Held {
    slice: Slice<Address, Arc<Packet>>,
    /// What the owner was told.
    said: u64,
    /// Whom the kernel refused packets, until the owner is told.
    refusals: Vec<Refusal>,
    queued: bool,
}

impl Slices {
    pub(super) fn new(owners: usize) -> Slices {
        Slices { held: (0..owners).map(|_| Vec::new()).collect(), packets: 0 }
    }

    /// Whether something could be taken in.
    pub(super) fn waits(&self, ways: &Ways) -> bool {
        self.packets < TAKEN_MAX && ways.theirs.iter().any(|chute| !chute.is_empty())
    }

    /// Takes in what owners hand, as far as there is room. `begin` hears which slices have something to do again.
    pub(super) fn take(&mut self, ways: &mut Ways, mut begin: impl FnMut(usize, usize)) {
        for owner in 0..ways.theirs.len() {
            while self.packets < TAKEN_MAX
                && let Some(Share { row, handed }) = ways.theirs[owner].take()
            {
                let (rows, row) = (&mut self.held[owner], row as usize);
                if rows.len() <= row {
                    rows.resize_with(row + 1, || None);
                }
                let held = rows[row].get_or_insert_default();
                let before = held.slice.packets();
                held.slice.hand(handed);
                self.packets = self.packets + held.slice.packets() - before;
                if !std::mem::replace(&mut held.queued, true) {
                    begin(owner, row);
                }
            }
        }
    }

    /// Sends one chunk of a slice and tells the owner what is done; false once there is nothing more to do.
    pub(super) fn send(
        &mut self,
        (owner, row): (usize, usize),
        ways: &mut Ways,
        outgoing: &mut Outgoing,
        counters: &Counters,
    ) -> bool {
        let Some(held) = self.held[owner].get_mut(row).and_then(Option::as_mut) else { return false };
        let before = held.slice.packets();
        let mut failed = Vec::new();
        let more = match held.slice.step(CHUNK) {
            Some(piece) => {
                let packet = piece.packet.bytes();
                let refused = |at: usize, why| failed.push((piece.slots[at], why));
                outgoing.distribute(&ways.sockets[owner], counters, packet, piece.targets, refused);
                counters.sliced.add(piece.targets.len() as u64);
                true
            }
            None => false,
        };
        self.packets = self.packets + held.slice.packets() - before;
        for (slot, why) in failed {
            let entry = held.slice.entry(slot).unwrap_or(0);
            let known = held.refusals.iter_mut().find(|row| (row.slot, row.entry, row.why) == (slot, entry, why));
            match known {
                Some(known) => known.number += 1,
                None => held.refusals.push(Refusal { slot, entry, why, number: 1 }),
            }
        }
        held.tell(row as u32, &mut ways.say[owner]);
        held.queued = more;
        more
    }
}

impl Held {
    fn tell(&mut self, row: u32, say: &mut relay_table::Feed<Said, crossbeam::queue::ArrayQueue<Said>>) {
        if !self.refusals.is_empty() {
            let refusals = std::mem::take(&mut self.refusals);
            if let Err(Said::Refused { refusals, .. }) = say.offer(Said::Refused { row, refusals }) {
                self.refusals = refusals;
            }
        }
        let leaves = self.slice.through();
        if self.said != leaves {
            self.said = leaves;
            // At most one for each departure, and those are bounded by the roster.
            say.keep(Said::Through { row, leaves });
        }
    }
}
