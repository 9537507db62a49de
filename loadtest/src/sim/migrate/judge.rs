//! The judge of the simulated world: what was said, what each relay took of it, and what reached every participant.
//!
//! It believes no machine: who may speak is read from the floor messages that leave a relay, and what has to be heard from what came
//! to that relay.

mod ear;
mod relay;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use relay_core::{Ssrc, Time, rtp};

use self::{ear::Hearing, relay::Relay};

/// What happened, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Moves that were asked for.
    pub migrations: u64,
    /// Moves that succeeded.
    pub moved: u64,
    /// Moves that were rolled back.
    pub rollbacks: u64,
    /// Times at which the trunk was cut.
    pub cuts: u64,
    /// Processes that crashed.
    pub crashes: u64,
    /// Packets that were said.
    pub spoken: u64,
    /// Packets that reached a participant and were judged.
    pub judged: u64,
    /// Packets that have to be heard, were, and were found in their place.
    pub expected: u64,
    /// Packets that the trunk lost while it stood.
    pub lost_on_trunk: u64,
    /// Packets that the trunk lost because it was cut.
    pub lost_in_cut: u64,
    /// Packets of a partner's talker that arrived at the home after its cut: only its own system heard them.
    pub cut_at_home: u64,
    /// Packets that came over the trunk for no call.
    pub for_no_call: u64,
    /// Packets that a relay did not take: no permission, no place.
    pub dropped: u64,
    /// Packets of a talker that were heard behind a cut trunk.
    pub on_lease: u64,
    /// Packets of a user's other client that were heard because they overtook the word whose they are.
    pub overtook: u64,
    /// Packets of a backfill that came when the partner waited for it no longer.
    pub late_fill: u64,
    /// Packets that no system had any more.
    pub missed: u64,
}

impl Counts {
    /// Every counter with what it counts, in one order.
    fn rows(&mut self) -> [(&'static str, &mut u64); 17] {
        [
            ("moves asked for", &mut self.migrations),
            ("moves that succeeded", &mut self.moved),
            ("moves rolled back", &mut self.rollbacks),
            ("cuts of the trunk", &mut self.cuts),
            ("crashes", &mut self.crashes),
            ("packets said", &mut self.spoken),
            ("packets that reached a participant", &mut self.judged),
            ("packets that had to, and did", &mut self.expected),
            ("packets lost on the trunk", &mut self.lost_on_trunk),
            ("packets lost while it was cut", &mut self.lost_in_cut),
            ("packets that the home cut", &mut self.cut_at_home),
            ("packets over the trunk for no call", &mut self.for_no_call),
            ("packets that a relay did not take", &mut self.dropped),
            ("packets of a talker behind a cut", &mut self.on_lease),
            ("own packets that overtook Floor Taken", &mut self.overtook),
            ("packets of a backfill that came late", &mut self.late_fill),
            ("packets that nobody had any more", &mut self.missed),
        ]
    }

    /// Adds what happened in another run.
    pub fn add(&mut self, other: &Counts) {
        let mut other = *other;
        for (own, other) in self.rows().into_iter().zip(other.rows()) {
            *own.1 += *other.1;
        }
    }

    /// As a table, one line each.
    pub fn table(&self, seeds: u64) -> String {
        let mut counts = *self;
        let lines = counts.rows().map(|(name, number)| format!("{number:>12}  {name}\n"));
        format!("{seeds:>12}  seeds, no promise broken\n{}", lines.concat())
    }
}

/// One packet that a device said.
#[derive(Debug)]
struct Spoken {
    ssrc: Ssrc,
    user: String,
    at: Time,
    bytes: Vec<u8>,
}

/// What it knows.
#[derive(Debug, Default)]
pub(super) struct Judge {
    spoken: Vec<Spoken>,
    /// By SSRC and number: which packet that is.
    places: HashMap<(u32, u16), usize>,
    newest: BTreeMap<u32, u16>,
    relays: BTreeMap<u64, Relay>,
    hearings: BTreeMap<u64, Hearing>,
    crashes: Vec<(usize, Time)>,
    pub(super) counts: Counts,
    broken: Option<String>,
}

impl Judge {
    /// A promise is broken; only the first one counts.
    pub(super) fn broken(&mut self, how: String) {
        self.broken.get_or_insert(how);
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    pub(super) fn into_verdict(self) -> (Counts, Option<String>) {
        (self.counts, self.broken)
    }

    /// The number with which whoever speaks under this SSRC goes on.
    pub(super) fn next_sequence(&self, ssrc: Ssrc) -> u16 {
        let first = (ssrc.0.wrapping_mul(0x9e37) >> 3) as u16;
        self.newest.get(&ssrc.0).map_or(first, |newest| newest.wrapping_add(1))
    }

    /// A device says a packet.
    pub(super) fn spoken(&mut self, user: &str, _group: usize, bytes: &[u8], now: Time) {
        let Ok(packet) = rtp::Packet::parse(bytes) else { return };
        if rtp::is_rtcp(bytes) {
            return;
        }
        self.counts.spoken += 1;
        let (ssrc, sequence) = (packet.ssrc(), packet.sequence());
        self.newest.insert(ssrc.0, sequence);
        self.places.insert((ssrc.0, sequence), self.spoken.len());
        self.spoken.push(Spoken { ssrc, user: user.into(), at: now, bytes: bytes.into() });
    }

    pub(super) fn crashed(&mut self, node: usize, now: Time) {
        self.crashes.push((node, now));
    }

    /// Whether the node crashed when, or after, this happened.
    pub(super) fn is_crashed(&self, node: usize, since: Time) -> bool {
        self.crashes.iter().any(|crash| crash.0 == node && crash.1 >= since)
    }

    /// Which packet this is.
    fn place(&self, bytes: &[u8]) -> Option<usize> {
        let packet = rtp::Packet::parse_protected(bytes).ok()?;
        self.places.get(&(packet.ssrc().0, packet.sequence())).copied()
    }

    /// No packet of these may be missing any more.
    pub(super) fn settle(&mut self, now: Time) {
        let entries: Vec<u64> = self.hearings.keys().copied().collect();
        for entry in entries {
            self.judge_hearing(entry, now);
        }
    }
}
