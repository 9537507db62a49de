//! What a worker sends for other owners: slices of their large calls, out of the owner's socket, whose address participants know.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use relay_core::distributor::slice::{Handed, Slice};

use super::{
    outgoing::Outgoing,
    packets::Packet,
    ways::{Refusal, Said, Share, Ways},
};
use crate::{metrics::Counters, udp::Address};

/// The slices that this worker sends, by owner and by the owner's row.
#[derive(Default)]
pub(super) struct Slices {
    held: Vec<Vec<Option<Box<Held>>>>,
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
    urgent: bool,
}

/// What an owner has handed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Came {
    /// It is a packet.
    pub(super) packet: bool,
    /// The slice had nothing to do before.
    pub(super) begins: bool,
    /// It is of an emergency call.
    pub(super) urgent: bool,
}

impl Slices {
    pub(super) fn new(owners: usize) -> Slices {
        Slices { held: (0..owners).map(|_| Vec::new()).collect() }
    }

    /// Takes in what owners hand: so many packets as may be on their way, and changes, of which the roster has so many. `came` hears of each for which slice it is.
    pub(super) fn take(&mut self, ways: &mut Ways, mut came: impl FnMut(usize, usize, Came)) {
        for owner in 0..ways.theirs.len() {
            while let Some(Share { row, urgent, handed }) = ways.theirs[owner].take() {
                let (rows, row) = (&mut self.held[owner], row as usize);
                if rows.len() <= row {
                    rows.resize_with(row + 1, || None);
                }
                let held = rows[row].get_or_insert_default();
                held.urgent = urgent;
                let packet = matches!(handed, Handed::Packet { .. });
                let before = held.slice.packets() + usize::from(packet);
                held.slice.hand(handed);
                // The end of a call takes its packets with it.
                done(&ways.unsent[owner], before - held.slice.packets());
                let begins = !std::mem::replace(&mut held.queued, true);
                came(owner, row, Came { packet, begins, urgent });
            }
        }
    }

    /// Whether a slice is of an emergency call.
    pub(super) fn is_urgent(&self, owner: usize, row: usize) -> bool {
        self.held[owner].get(row).and_then(Option::as_ref).is_some_and(|held| held.urgent)
    }

    /// Sends at most `chunk` packets of a slice and tells the owner what is done; false once there is nothing more to do.
    pub(super) fn send(
        &mut self,
        (owner, row): (usize, usize),
        chunk: usize,
        ways: &mut Ways,
        outgoing: &mut Outgoing,
        counters: &Counters,
    ) -> bool {
        let Some(held) = self.held[owner].get_mut(row).and_then(Option::as_mut) else { return false };
        let before = held.slice.packets();
        let mut failed = Vec::new();
        let more = match held.slice.step(chunk) {
            Some(piece) => {
                let packet = piece.packet.bytes();
                let refused = |at: usize, why| failed.push((piece.slots[at], why));
                outgoing.distribute(&ways.sockets[owner], counters, packet, piece.targets, refused);
                counters.sliced.add(piece.targets.len() as u64);
                true
            }
            None => false,
        };
        done(&ways.unsent[owner], before - held.slice.packets());
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

/// So many packets fewer are on their way.
fn done(unsent: &AtomicUsize, packets: usize) {
    if packets > 0 {
        unsent.fetch_sub(packets, Ordering::Relaxed);
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
