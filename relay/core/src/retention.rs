//! Retention: the tail of a call's media, every packet as it came, in the order that the owner gave it.
//!
//! One byte ring and one row per packet. Both are allocated at the first burst and never grow: an idle call costs nothing,
//! and a talking one allocates nothing per packet.

use alloc::{collections::VecDeque, vec, vec::Vec};

use crate::{Millis, Order, Ssrc, Time, rtp::Sequence};

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
    /// An empty retention; memory is taken at the first packet.
    pub fn new(limits: Limits) -> Retention {
        Retention { limits, ring: Vec::new(), write: 0, packets: VecDeque::new(), oldest: Order(0) }
    }

    /// Gives `packet` the next order number and keeps it. The one copy that a received packet costs.
    ///
    /// A packet larger than the whole ring is not kept: it still gets its order number, and `packet` answers `None` for it.
    pub fn append(&mut self, packet: &[u8], ssrc: Ssrc, sequence: Sequence, now: Time) -> Order {
        if self.ring.is_empty() {
            self.ring = vec![0; self.limits.bytes];
            self.packets.reserve_exact(self.limits.packets);
        }
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

    /// Finds `length` bytes in one piece behind the newest packet, or at the start of the ring; the oldest make room.
    fn make_room(&mut self, length: usize) -> Option<usize> {
        if length > self.ring.len() {
            return None;
        }
        let offset = if self.write + length <= self.ring.len() { self.write } else { 0 };
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
