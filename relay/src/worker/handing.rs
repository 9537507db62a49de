//! The owner's side of slices: hands parts what its calls say, hears how far they are, and answers who waits for that.

use std::sync::{Arc, atomic::Ordering};

use relay_core::{
    Order,
    call::{self, Change, Output, Part},
    distributor::slice::Handed,
};
use tokio::sync::oneshot;

use super::{
    packets::{Packet, Packets},
    ways::{SLICE_MAIL_MAX, Share, Ways},
};
use crate::udp::Address;

/// What an owner keeps of its parts.
#[derive(Default)]
pub(super) struct Handing {
    packets: Packets,
    /// By row, then by part; empty: no part has ever heard of the row.
    rows: Vec<Vec<Told>>,
    /// Who waits until nothing more can be sent to who has left.
    waiting: Vec<Waiting>,
    gone: Vec<bool>,
}

/// How far a part is with the departures of a row. They are counted over all calls that the row had, so that a late word about
/// one that has ended is never taken for the next one's.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// Departures before the present call.
    before: u64,
    through: u64,
}

struct Waiting {
    row: usize,
    /// By part.
    leaves: Vec<u64>,
    reply: oneshot::Sender<()>,
}

impl Handing {
    pub(super) fn new(parts: usize) -> Handing {
        Handing { gone: vec![false; parts], ..Handing::default() }
    }

    /// Does what a call says to a part. Answers the part if it did not get a packet that it was handed.
    pub(super) fn hand(
        &mut self,
        ways: &mut Ways,
        (row, urgent): (usize, bool),
        copy: &mut Option<(Order, Arc<Packet>)>,
        output: Output<'_, Address>,
    ) -> Option<Part> {
        match output {
            Output::Slice { part, change } => {
                let handed = match change {
                    Change::Enter { slot, entry, target, from } => Handed::Enter { slot, entry, target, from },
                    Change::Leave { slot } => Handed::Leave { slot },
                    Change::Own(own) => Handed::Own(own.to_vec()),
                };
                ways.shares[usize::from(part.0)].keep(Share { row: row as u32, urgent, handed });
                None
            }
            Output::Hand { part, order, epoch, packet } => {
                if copy.as_ref().is_none_or(|copy| copy.0 != order) {
                    *copy = None;
                    *copy = self.packets.copy(packet).map(|packet| (order, packet));
                }
                let at = usize::from(part.0);
                let Some((_, packet)) = copy else { return Some(part) };
                if ways.handed[at].load(Ordering::Relaxed) >= SLICE_MAIL_MAX {
                    return Some(part);
                }
                let handed = Handed::Packet { order, epoch, packet: Arc::clone(packet) };
                // Counted first: the part may be done with it before this goes on.
                ways.handed[at].fetch_add(1, Ordering::Relaxed);
                if ways.shares[at].offer(Share { row: row as u32, urgent, handed }).is_ok() {
                    return None;
                }
                ways.handed[at].fetch_sub(1, Ordering::Relaxed);
                Some(part)
            }
            _ => None,
        }
    }

    /// A part has done so many departures of a row. Answers how many of them are the present call's.
    pub(super) fn pass(&mut self, row: usize, part: usize, leaves: u64) -> u64 {
        let told = self.told(row, part);
        told.through = told.through.max(leaves);
        let passed = told.through.saturating_sub(told.before);
        self.answer();
        passed
    }

    /// Answers once no part can still send to who has left by now.
    pub(super) fn settle(&mut self, row: usize, call: Option<&call::Call<Address>>, reply: oneshot::Sender<()>) {
        let leaves = |part: usize| call.map_or(0, |call| call.leaves(Part(part as u8)));
        let total = |part: usize| self.rows.get(row).map_or(0, |told| told[part].before) + leaves(part);
        let leaves = (0..self.gone.len()).map(total).collect();
        self.waiting.push(Waiting { row, leaves, reply });
        self.answer();
    }

    /// A call has ended: its parts hear of it.
    pub(super) fn end(&mut self, ways: &mut Ways, row: usize, call: &call::Call<Address>) {
        for part in call.parts() {
            let at = usize::from(part.0);
            let told = self.told(row, at);
            told.before += call.leaves(part) + 1;
            let handed = Handed::End { through: told.before };
            ways.shares[at].keep(Share { row: row as u32, urgent: false, handed });
        }
    }

    /// Sends what had no room before, and answers which parts have gone since it was asked last.
    pub(super) fn flush(&mut self, ways: &mut Ways) -> Vec<Part> {
        ways.say.iter_mut().for_each(|say| _ = say.flush());
        let mut gone = Vec::new();
        for (part, shares) in ways.shares.iter_mut().enumerate() {
            shares.flush();
            if shares.is_closed() && !std::mem::replace(&mut self.gone[part], true) {
                gone.push(Part(part as u8));
            }
        }
        if !gone.is_empty() {
            self.answer();
        }
        gone
    }

    /// The parts that send nothing any more.
    pub(super) fn gone(&self) -> impl Iterator<Item = Part> {
        self.gone.iter().enumerate().filter(|(_, gone)| **gone).map(|(part, _)| Part(part as u8))
    }

    /// By part: departures of calls that ended of which it has not said that they are done.
    #[cfg(test)]
    pub(super) fn unpassed(&self, row: usize) -> Vec<u64> {
        self.rows[row].iter().map(|told| told.before - told.through).collect()
    }

    /// Answers everybody who need not wait any longer.
    fn answer(&mut self) {
        let (rows, gone) = (&self.rows, &self.gone);
        let through = |row: usize, part: usize| rows.get(row).map_or(0, |told| told[part].through);
        let quiet = |waiting: &mut Waiting| {
            let mut parts = waiting.leaves.iter().enumerate();
            parts.all(|(part, leaves)| gone[part] || through(waiting.row, part) >= *leaves)
        };
        for waiting in self.waiting.extract_if(.., quiet) {
            // Whoever asked may have given up waiting.
            _ = waiting.reply.send(());
        }
        self.waiting.retain(|waiting| !waiting.reply.is_closed());
    }

    fn told(&mut self, row: usize, part: usize) -> &mut Told {
        if self.rows.len() <= row {
            let parts = self.gone.len();
            self.rows.resize_with(row + 1, || vec![Told::default(); parts]);
        }
        &mut self.rows[row][part]
    }
}
