//! What a worker sends: live packets to many, retained packets to one, floor messages one by one but handed over together.

use std::ops::Range;

use relay_core::{Slot, floor::message};

use super::sockets::Sockets;
use crate::{
    metrics::{Count, Counters},
    udp::{Address, BATCH, Batch, Failure, Socket},
};

/// Sends for all calls of a worker.
#[derive(Debug)]
pub(super) struct Outgoing {
    batch: Batch,
    /// Floor messages that leave with the next flush: they are small, few, and different for everybody.
    floor: Vec<(Address, Range<usize>)>,
    text: Vec<u8>,
}

impl Outgoing {
    pub(super) fn new() -> Outgoing {
        let text = Vec::with_capacity(BATCH * message::SIZE_MAX);
        Outgoing { batch: Batch::new(), floor: Vec::with_capacity(BATCH), text }
    }

    /// Keeps a floor message for the next flush; true if that is due.
    pub(super) fn keep_floor(&mut self, to: Address, message: &[u8]) -> bool {
        let start = self.text.len();
        self.text.extend_from_slice(message);
        self.floor.push((to, start..self.text.len()));
        self.floor.len() == BATCH
    }

    /// Hands the kept floor messages to the kernel.
    pub(super) fn flush_floor(&mut self, sockets: &Sockets, counters: &Counters) {
        if self.floor.is_empty() {
            return;
        }
        let messages = self.floor.iter().map(|(to, range)| (to, &self.text[range.clone()]));
        let failed = |_, failure| counter(counters, failure).add(1);
        let calls = self.batch.send_each(&sockets.floor, messages, failed);
        counters.floor_sent.add(self.floor.len() as u64);
        counters.send_calls.add(calls as u64);
        self.floor.clear();
        self.text.clear();
    }

    /// Sends one packet to many from `socket`. `failed` hears whom the kernel refused it, and why.
    pub(super) fn distribute(
        &mut self,
        socket: &Socket,
        counters: &Counters,
        packet: &[u8],
        targets: &[Address],
        mut failed: impl FnMut(usize, Failure),
    ) {
        let mut lost = 0;
        let calls = self.batch.send_same(socket, packet, targets, |at, failure| {
            lost += 1;
            counter(counters, failure).add(1);
            failed(at, failure);
        });
        count(counters, targets.len() - lost, packet.len(), calls);
    }

    /// Sends many packets to one.
    pub(super) fn replay<'a>(
        &mut self,
        sockets: &Sockets,
        counters: &Counters,
        to: &Address,
        packets: impl Iterator<Item = &'a [u8]>,
        mut failed: impl FnMut(Failure),
    ) {
        let (mut sent, mut bytes) = (0usize, 0usize);
        let packets = packets.inspect(|packet| {
            sent += 1;
            bytes += packet.len();
        });
        let mut lost = 0;
        let calls = self.batch.send_each(&sockets.rtp, packets.map(|packet| (to, packet)), |_, failure| {
            lost += 1;
            counter(counters, failure).add(1);
            failed(failure);
        });
        counters.media_sent.add((sent - lost) as u64);
        counters.bytes_sent.add(bytes as u64);
        counters.send_calls.add(calls as u64);
    }
}

fn count(counters: &Counters, sent: usize, length: usize, calls: usize) {
    counters.media_sent.add(sent as u64);
    counters.bytes_sent.add((sent * length) as u64);
    counters.send_calls.add(calls as u64);
}

fn counter(counters: &Counters, failure: Failure) -> &Count {
    match failure {
        Failure::Full => &counters.send_full,
        Failure::Forbidden => &counters.send_forbidden,
        Failure::Unreachable => &counters.send_unreachable,
        Failure::TooLarge => &counters.send_too_large,
        Failure::Other => &counters.send_other,
    }
}

/// Packets that the kernel did not take for a participant, by cause.
#[derive(Debug, Default)]
pub(super) struct Refused(Vec<(Slot, Failure, u64)>);

impl Refused {
    pub(super) fn add(&mut self, slot: Slot, failure: Failure, number: u64) {
        match self.0.iter_mut().find(|row| row.0 == slot && row.1 == failure) {
            Some(row) => row.2 += number,
            None => self.0.push((slot, failure, number)),
        }
    }

    pub(super) fn forget(&mut self, slot: Slot) {
        self.0.retain(|row| row.0 != slot);
    }

    /// Everything that was refused for `slot`.
    pub(super) fn of(&self, slot: Slot) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().filter(move |row| row.0 == slot).map(|(_, failure, number)| {
            let word = Failure::TABLE.iter().find(|row| row.0 == *failure).map_or("other", |row| row.1);
            (word, *number)
        })
    }
}
