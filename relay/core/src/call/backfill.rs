//! What a partner's call takes from the home's retention: the backfill first, then the live packets that waited for it.
//!
//! The answer to the subscription, the backfill and live packets take three ways and overtake each other: from the moment of
//! asking whatever comes is held until it can be put into order.

use alloc::{collections::VecDeque, vec::Vec};
use core::net::SocketAddr;

use super::{Call, Drop, work::Work};
use crate::{
    Millis, Time,
    late_entry::{ResumePoint, plan::Plan},
    retention::Limits,
    rtp::{self, Extender, Sequence},
    trunk::wire,
};

/// How long live media waits for the end of a backfill.
pub const BACKFILL_MAX: Millis = Millis(1_000);

/// Live packets that wait for the end of a backfill: a second of a talker at the highest rate a group may allow.
pub(super) const HELD_MAX: usize = 10_000;

/// Numbers of a home beyond this are no count of packets that anybody sent; it keeps sums far from their end.
const SEQUENCE_MAX: u64 = 1 << 48;

/// A backfill on its way.
#[derive(Debug, Default)]
pub(super) struct Filling {
    /// How long it is waited for, once the home has answered.
    until: Option<Time>,
    /// Packets that the home said it sends.
    promised: u64,
    ages: VecDeque<Time>,
    packets: Packets,
    /// Live packets behind it.
    held: Packets,
    complete: bool,
    /// The voices of the home's snapshot.
    told: Vec<wire::Voice>,
}

/// Packets in the order in which they came, and how many bytes they are.
#[derive(Debug, Default)]
struct Packets {
    queue: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Packets {
    /// False: there is no room.
    fn push(&mut self, packet: &rtp::Packet<'_>, most: usize, bytes: usize) -> bool {
        let after = self.bytes + packet.bytes().len();
        if self.queue.len() >= most || after > bytes {
            return false;
        }
        self.bytes = after;
        self.queue.push_back(packet.bytes().to_vec());
        true
    }
}

impl Filling {
    pub(super) fn until(&self) -> Option<Time> {
        self.until
    }

    /// The home has answered: the backfill has so long from now on.
    pub(super) fn answered(&mut self, snapshot: &wire::Snapshot, promised: u32, now: Time) {
        self.until = Some(now + BACKFILL_MAX);
        self.promised = promised.into();
        self.complete |= promised == 0;
        self.told.clone_from(&snapshot.voices);
        self.told.iter_mut().for_each(|voice| voice.sequence = voice.sequence.min(SEQUENCE_MAX));
    }

    fn is_filled(&self) -> bool {
        self.until.is_some() && self.complete && self.ages.len() >= self.packets.queue.len()
    }

    /// The first number of an SSRC that the backfill brought, as the home counts.
    fn brought(&self, told: &wire::Voice) -> Option<u64> {
        let parsed = self.packets.queue.iter().filter_map(|bytes| rtp::Packet::parse_protected(bytes).ok());
        parsed.filter(|packet| packet.ssrc().0 == told.ssrc).map(|packet| extend(told, packet.sequence())).min()
    }

    /// The voices of the home's snapshot.
    pub(super) fn told(&self) -> &[wire::Voice] {
        &self.told
    }

    /// How many packets did not come although the home said so.
    pub(super) fn lacks(&self) -> u64 {
        self.promised.saturating_sub(self.packets.queue.len() as u64)
    }

    /// The numbers of an SSRC that came, up to the newest of the snapshot, as the home counts: lowest first. Live packets that came
    /// in another order than they were sent are among them.
    pub(super) fn numbers(&self, told: &wire::Voice) -> Vec<u64> {
        let all = self.packets.queue.iter().chain(&self.held.queue);
        let parsed = all.filter_map(|bytes| rtp::Packet::parse_protected(bytes).ok());
        let own = parsed.filter(|packet| packet.ssrc().0 == told.ssrc);
        let mut numbers: Vec<u64> = own.map(|packet| extend(told, packet.sequence())).collect();
        numbers.retain(|number| *number <= told.sequence);
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Packets, bytes and arrival times that wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> (usize, usize, usize) {
        let packets = self.packets.queue.len() + self.held.queue.len();
        (packets, self.packets.bytes + self.held.bytes, self.ages.len())
    }
}

/// The number of a packet as the home counts.
pub(super) fn extend(told: &wire::Voice, low16: u16) -> u64 {
    Extender::resume(Sequence(told.sequence)).extend(low16).0
}

impl<A: Copy + From<SocketAddr>> Call<A> {
    /// What a backfill may hold: what retention may.
    fn filling_limits(&self) -> Limits {
        let (now, next) = (self.settings.limits(), self.next_settings.unwrap_or(self.settings).limits());
        Limits { age: now.age, bytes: now.bytes.max(next.bytes), packets: now.packets.max(next.packets) }
    }

    /// Media of the home: given out as it comes, unless a backfill is on its way before it.
    pub(super) fn media_from_home(&mut self, packet: &rtp::Packet<'_>) {
        let limits = self.filling_limits();
        let Some(uplink) = self.uplink.as_mut() else { return };
        if uplink.range().is_some_and(|range| range.contains(packet.ssrc())) {
            return self.count(Drop::Injected);
        }
        let standing = uplink.home_flow.is_some();
        let held = match uplink.filling.as_mut() {
            Some(filling) => filling.held.push(packet, HELD_MAX, limits.bytes),
            None if standing => {
                let now = self.now;
                return self.keep_from_home(packet, now, true);
            }
            None => false,
        };
        if !held {
            self.count(Drop::Held);
        }
    }

    /// A packet of the backfill, or its end.
    pub(super) fn backfill_from_home(&mut self, packet: Option<&rtp::Packet<'_>>) {
        let limits = self.filling_limits();
        let filling = self.uplink.as_mut().and_then(|uplink| uplink.filling.as_mut());
        let taken = match (filling, packet) {
            (Some(filling), Some(packet)) => filling.packets.push(packet, limits.packets, limits.bytes),
            (Some(filling), None) => {
                filling.complete = true;
                true
            }
            (None, packet) => packet.is_none(),
        };
        if !taken {
            self.count(Drop::Held);
        }
        self.finish_if_filled();
    }

    /// How long ago each of the next packets of the backfill came to the home.
    pub(super) fn spacing_from_home(&mut self, ages: &[u32]) {
        let (now, most) = (self.now, self.filling_limits().packets);
        if let Some(filling) = self.uplink.as_mut().and_then(|uplink| uplink.filling.as_mut()) {
            let room = most.saturating_sub(filling.ages.len());
            filling.ages.extend(ages.iter().take(room).map(|age| now - Millis(*age)));
        }
        self.finish_if_filled();
    }

    pub(super) fn finish_if_filled(&mut self) {
        if self.uplink.as_ref().and_then(|uplink| uplink.filling.as_ref()).is_some_and(Filling::is_filled) {
            self.finish_filling();
        }
    }

    /// The backfill is complete, or late: it goes into the ring, then what came behind it. Participants get it by late entry.
    pub(super) fn finish_filling(&mut self) {
        let Some(mut filling) = self.uplink.as_mut().and_then(|uplink| uplink.filling.take()) else { return };
        let gaps = self.report_gaps(&filling);
        self.append(&mut filling, true);
        self.note_gaps(&gaps);
        let now = self.now;
        for bytes in filling.held.queue {
            if let Ok(packet) = rtp::Packet::parse_protected(&bytes) {
                self.keep_from_home(&packet, now, true);
            }
        }
        self.outbox.push_back(Work::Ready);
    }

    /// The trunk broke meanwhile. What came of the backfill is kept; what came behind it would leave a hole, and is still in the
    /// home's retention when the trunk is back.
    pub(super) fn break_off_filling(&mut self) {
        if let Some(mut filling) = self.uplink.as_mut().and_then(|uplink| uplink.filling.take())
            && filling.until.is_some()
        {
            self.append(&mut filling, false);
        }
    }

    fn append(&mut self, filling: &mut Filling, all: bool) {
        let (now, before) = (self.now, self.kept.end());
        let resumed = if filling.packets.queue.is_empty() { Vec::new() } else { self.stop_live() };
        for told in &filling.told {
            let brought = filling.brought(told);
            if all || brought.is_some() {
                self.know_voice(told, brought);
            }
        }
        // Retention at home may have let go of the oldest before they were sent: the times that are too many are theirs.
        let more = if filling.complete { filling.ages.len().saturating_sub(filling.packets.queue.len()) } else { 0 };
        filling.ages.drain(..more);
        while let Some(bytes) = filling.packets.queue.pop_front() {
            let arrived = filling.ages.pop_front().unwrap_or(now);
            if let Ok(packet) = rtp::Packet::parse_protected(&bytes) {
                self.counters.backfilled += 1;
                self.keep_from_home(&packet, arrived, false);
            }
        }
        if let Some(uplink) = self.uplink.as_mut() {
            uplink.backfilled = before..self.kept.end();
        }
        self.restart_newcomers();
        self.resume_paced(resumed);
        self.align_burst();
    }

    /// A point in media that is still to come from the home counts when that media comes.
    pub(super) fn expect_backfill(&self, resume: &[ResumePoint], plan: &mut Plan) {
        if self.uplink.is_none() {
            return;
        }
        for point in resume.iter().filter(|point| !self.voices.contains_key(&point.ssrc)) {
            plan.withhold(point.ssrc, Sequence(point.sequence & 0xffff));
        }
    }
}
