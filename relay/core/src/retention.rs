//! Retention: the tail of a call's media, every packet as it came, in the order that the owner gave it.
//!
//! One byte ring and one row per packet. An idle call has none of either. From the first burst on both grow in steps to what a call
//! really keeps, which is far below its limits; a call that has talked for as long as media is kept allocates nothing more.

use alloc::{collections::VecDeque, vec, vec::Vec};

use crate::{Millis, Order, Ssrc, Time, rtp::Sequence};

/// The least by which the ring grows, in bytes, and the rows, in packets; a large one grows by a part of what it is.
const BYTES_STEP: usize = 4096;
const ROWS_STEP: usize = 64;
const GROWTH: usize = 8;

/// What retention may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Packets older than this are let go.
    pub age: Millis,
    /// Bytes of packets at once; the oldest make room.
    pub bytes: usize,
    /// Packets at once; the oldest make room.
    pub packets: usize,
}

/// The kept tail of a call's media.
#[derive(Debug)]
pub struct Retention {
    limits: Limits,
    ring: Vec<u8>,
    write: usize,
    packets: VecDeque<Kept>,
    oldest: Order,
}

/// What is known of a kept packet without looking into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Whose media.
    pub ssrc: Ssrc,
    /// Its number, rollover included.
    pub sequence: Sequence,
    /// When it reached the owner.
    pub arrived: Time,
    offset: u32,
    length: u16,
}

impl Retention {
    /// An empty retention; memory is taken as packets come.
    pub fn new(limits: Limits) -> Retention {
        Retention { limits, ring: Vec::new(), write: 0, packets: VecDeque::new(), oldest: Order(0) }
    }

    /// Gives `packet` the next order number and keeps it. The one copy that a received packet costs.
    ///
    /// A packet larger than the whole ring is not kept: it still gets its order number, and `packet` answers `None` for it.
    pub fn append(&mut self, packet: &[u8], ssrc: Ssrc, sequence: Sequence, now: Time) -> Order {
        self.expire(now);
        if self.packets.len() >= self.limits.packets {
            self.drop_oldest();
        }
        let order = self.end();
        let kept = match (self.make_room(packet.len()), u16::try_from(packet.len())) {
            (Some(offset), Ok(length)) => Kept { ssrc, sequence, arrived: now, offset: offset as u32, length },
            _ => Kept { ssrc, sequence, arrived: now, offset: 0, length: 0 },
        };
        if kept.length > 0
            && let Some(place) = self.ring.get_mut(kept.range())
        {
            place.copy_from_slice(packet);
            self.write = kept.range().end;
        }
        if self.packets.len() == self.packets.capacity() {
            let step = ROWS_STEP.max(self.packets.len() / GROWTH);
            self.packets.reserve_exact(step);
        }
        self.packets.push_back(kept);
        order
    }

    /// New limits; what is kept stays as far as they allow. Memory is taken anew at the next packet.
    pub fn limit(&mut self, limits: Limits) {
        if limits == self.limits {
            return;
        }
        let mut next = Retention { oldest: self.oldest, ..Retention::new(limits) };
        for (order, row) in self.from(self.oldest) {
            next.append(self.packet(order).unwrap_or(&[]), row.ssrc, row.sequence, row.arrived);
        }
        next.oldest = next.oldest.max(Order(self.end().0 - next.packets.len() as u64));
        *self = next;
    }

    /// Lets go of what is older than the limit.
    pub fn expire(&mut self, now: Time) {
        while self.packets.front().is_some_and(|kept| now.micros_since(kept.arrived) > self.limits.age.as_micros()) {
            self.drop_oldest();
        }
    }

    /// The order number that the next packet will get.
    pub fn end(&self) -> Order {
        Order(self.oldest.0 + self.packets.len() as u64)
    }

    /// The oldest order number still kept; equal to `end` if nothing is.
    pub fn oldest(&self) -> Order {
        self.oldest
    }

    /// What is known of the newest packet.
    pub fn newest(&self) -> Option<&Kept> {
        self.packets.back()
    }

    /// What is known of the packet at `order`.
    pub fn kept(&self, order: Order) -> Option<&Kept> {
        self.packets.get(usize::try_from(order.0.checked_sub(self.oldest.0)?).ok()?)
    }

    /// The bytes of the packet at `order`.
    pub fn packet(&self, order: Order) -> Option<&[u8]> {
        self.kept(order).filter(|kept| kept.length > 0).and_then(|kept| self.ring.get(kept.range()))
    }

    /// Everything kept from `start` on, oldest first.
    pub fn from(&self, start: Order) -> impl Iterator<Item = (Order, &Kept)> {
        let skip = usize::try_from(start.0.saturating_sub(self.oldest.0)).unwrap_or(usize::MAX);
        let first = self.oldest.0.max(start.0);
        self.packets
            .range(skip.min(self.packets.len())..)
            .enumerate()
            .map(move |(at, kept)| (Order(first + at as u64), kept))
    }

    /// How long media is kept.
    pub fn age_max(&self) -> Millis {
        self.limits.age
    }

    fn drop_oldest(&mut self) {
        if self.packets.pop_front().is_some() {
            self.oldest = self.oldest.next();
        }
    }

    /// Where the next packet stands: behind the newest one, or at the start of the ring.
    fn place(&self, length: usize) -> usize {
        if self.write + length <= self.ring.len() { self.write } else { 0 }
    }

    /// Whether the next packet has room without any other making some.
    fn has_room(&self, length: usize) -> bool {
        let offset = self.place(length);
        let mut standing = self.packets.iter().filter(|kept| kept.length > 0);
        length <= self.ring.len()
            && standing.next().is_none_or(|oldest| {
                let skipped = offset == 0 && self.write != 0 && oldest.offset as usize >= self.write;
                !skipped && !oldest.overlaps(offset, length)
            })
    }

    /// Takes a larger ring, as far as the limit allows, in which everything stands from the start on.
    fn grow(&mut self, length: usize) {
        let step = BYTES_STEP.max(self.ring.len() / GROWTH).max(length);
        let mut ring = vec![0; self.limits.bytes.min(self.ring.len() + step)];
        let mut write = 0;
        for kept in &mut self.packets {
            let from = kept.range();
            let until = write + from.len();
            if let (Some(old), Some(new)) = (self.ring.get(from), ring.get_mut(write..until)) {
                new.copy_from_slice(old);
            }
            kept.offset = write as u32;
            write = until;
        }
        (self.ring, self.write) = (ring, write);
    }

    /// Finds `length` bytes in one piece. The ring grows to its limit; then the oldest make room.
    fn make_room(&mut self, length: usize) -> Option<usize> {
        if length > self.limits.bytes {
            return None;
        }
        while !self.has_room(length) && self.ring.len() < self.limits.bytes {
            self.grow(length);
        }
        let offset = self.place(length);
        if offset == 0 && self.write != 0 {
            // The rest of the ring is skipped: whatever still stands there is older than what stands at its start.
            while self.packets.front().is_some_and(|kept| kept.length == 0 || kept.offset as usize >= self.write) {
                self.drop_oldest();
            }
        }
        while self.packets.front().is_some_and(|kept| kept.length == 0 || kept.overlaps(offset, length)) {
            self.drop_oldest();
        }
        Some(offset)
    }
}

impl Kept {
    fn range(&self) -> core::ops::Range<usize> {
        self.offset as usize..self.offset as usize + self.length as usize
    }

    fn overlaps(&self, offset: usize, length: usize) -> bool {
        let own = self.range();
        own.start < offset + length && offset < own.end
    }
}

#[cfg(test)]
mod tests;
