//! What reached one participant: the floor first, every packet once, unchanged and in order, its own words never, and what it must
//! have heard.

use std::collections::{BTreeMap, BTreeSet};

use relay_core::{Millis, Slot, Ssrc, Time, roster::Participant, rtp};

use super::Judge;
use crate::{capture::Channel, sim::migrate::calls::RETENTION};

/// The longest that a packet waits in a relay before it leaves for whoever is live.
const LIVE_MAX: Millis = Millis(50);

/// The same for whoever is served from retention: ten seconds at four times the speed, and a second for a backfill.
const PACED_MAX: Millis = Millis(4_000);

/// What of retention may be gone when a late packet finds its way: a backfill lasts at most a second.
const FILLING_MAX: Millis = Millis(1_500);

/// The longest that a datagram is on its way to a device.
const DOWN_MAX: Millis = Millis(10);

/// What stands at the edge of retention may go or stay.
const EDGE: Millis = Millis(300);

/// One entry of a participant.
#[derive(Debug)]
pub(super) struct Hearing {
    call: u64,
    user: String,
    slot: Option<Slot>,
    entered: Time,
    left: Option<Time>,
    /// What it named as heard: SSRC and place.
    points: Vec<(Ssrc, usize)>,
    knows_floor: bool,
    newest: BTreeMap<u32, usize>,
    got: BTreeSet<usize>,
}

impl Judge {
    pub(in crate::sim::migrate) fn entered(&mut self, entry: u64, call: u64, who: &Participant, now: Time) {
        if who.leg.udp().is_none() {
            return;
        }
        let point = |point: &relay_core::late_entry::ResumePoint| {
            Some((point.ssrc, *self.places.get(&(point.ssrc.0, point.sequence as u16))?))
        };
        let mut points: Vec<(Ssrc, usize)> = who.resume.iter().filter_map(point).collect();
        if let Some(relay) = self.relays.get(&call) {
            // An SSRC that this relay has never met counts as not named (DESIGN §5).
            let spoken = &self.spoken;
            let knows = |ssrc: Ssrc| {
                relay.knows.contains_key(&ssrc.0) || relay.log.keys().any(|place| spoken[*place].ssrc == ssrc)
            };
            points.retain(|named| knows(named.0));
        }
        let hearing = Hearing {
            call,
            user: who.user.to_string(),
            slot: None,
            entered: now,
            left: None,
            points,
            knows_floor: false,
            newest: BTreeMap::new(),
            got: BTreeSet::new(),
        };
        self.hearings.insert(entry, hearing);
    }

    /// A slot of a call has another entry now, or none: whoever sat there has left.
    pub(in crate::sim::migrate) fn sits(&mut self, call: u64, slot: Slot, entry: Option<u64>, now: Time) {
        for (number, hearing) in &mut self.hearings {
            if hearing.call == call && hearing.slot == Some(slot) && entry != Some(*number) {
                hearing.left.get_or_insert(now);
            }
        }
        if let Some(hearing) = entry.and_then(|entry| self.hearings.get_mut(&entry)) {
            hearing.slot = Some(slot);
        }
    }

    /// A call is over.
    pub(in crate::sim::migrate) fn closed(&mut self, call: u64, now: Time) {
        for hearing in self.hearings.values_mut().filter(|hearing| hearing.call == call) {
            hearing.left.get_or_insert(now);
        }
    }

    pub(in crate::sim::migrate) fn left_at(&self, entry: u64) -> Option<Time> {
        self.hearings.get(&entry)?.left
    }

    /// A relay sends something to a participant.
    pub(in crate::sim::migrate) fn sent(&mut self, entry: u64, now: Time) {
        let Some(left) = self.left_at(entry) else { return };
        self.broken(format!("entry {entry} is sent something {} ms after it left", now.since(left).0));
    }

    /// Something reached a participant. Which packet it was, if it was one.
    pub(in crate::sim::migrate) fn heard(
        &mut self,
        entry: u64,
        channel: Channel,
        bytes: &[u8],
        now: Time,
    ) -> Option<(Ssrc, u16)> {
        let hearing = self.hearings.get_mut(&entry)?;
        if channel == Channel::Floor {
            hearing.knows_floor = true;
            return None;
        }
        if !hearing.knows_floor {
            self.broken(format!("entry {entry} heard media before it knew the floor"));
            return None;
        }
        let packet = rtp::Packet::parse_protected(bytes).ok()?;
        let (ssrc, sequence) = (packet.ssrc(), packet.sequence());
        let place = self.places.get(&(ssrc.0, sequence)).copied();
        let Some(place) = place.filter(|place| self.spoken[*place].bytes == bytes) else {
            self.broken(format!("entry {entry} heard a packet of {:#x} that nobody said so", ssrc.0));
            return None;
        };
        let hearing = self.hearings.get_mut(&entry)?;
        // Media never waits for Floor Taken: what overtook it on the trunk is nobody's yet.
        let relay = self.relays.get(&hearing.call)?;
        let is_known = relay.is_home || relay.knows.get(&ssrc.0).is_some_and(|since| *since + DOWN_MAX < now);
        let is_own = self.spoken[place].user == hearing.user;
        self.counts.overtook += u64::from(is_own && !is_known);
        let wrong = if is_own && is_known {
            Some("its own words")
        } else if !hearing.got.insert(place) {
            Some("twice")
        } else if hearing.newest.get(&ssrc.0).is_some_and(|newest| *newest > place) {
            Some("out of order")
        } else if hearing.points.iter().any(|point| point.0 == ssrc && place <= point.1) {
            Some("although it named it as heard")
        } else {
            None
        };
        hearing.newest.insert(ssrc.0, place);
        self.counts.judged += 1;
        if let Some(wrong) = wrong {
            self.broken(format!("entry {entry} heard packet {sequence} of {:#x} {wrong}", ssrc.0));
        }
        Some((ssrc, sequence))
    }

    /// What had to reach a participant has.
    pub(super) fn judge_hearing(&mut self, entry: u64, now: Time) {
        let Some(hearing) = self.hearings.get(&entry) else { return };
        let Some(relay) = self.relays.get(&hearing.call) else { return };
        let left = hearing.left.unwrap_or(now);
        let is_paced = !hearing.points.is_empty() || relay.was_filled;
        let slack = if is_paced { PACED_MAX } else { LIVE_MAX };
        let mut lacks = None;
        let mut found = 0;
        for (place, at) in &relay.log {
            let spoken = &self.spoken[*place];
            if spoken.user == hearing.user || *at > left {
                continue;
            }
            let point = hearing.points.iter().find(|point| point.0 == spoken.ssrc);
            if point.is_some_and(|point| *place <= point.1) {
                continue;
            }
            let since = if relay.filled.contains(place) { spoken.at } else { *at };
            let was_retained = hearing.entered < since + Millis(RETENTION.0 - EDGE.0);
            let is_due = *at > hearing.entered || (point.is_some() && was_retained);
            let is_old = *at > spoken.at + Millis(RETENTION.0 - FILLING_MAX.0);
            if !is_due || is_old {
                continue;
            }
            if hearing.got.contains(place) {
                found += 1;
                continue;
            }
            let is_gap = hearing.newest.get(&spoken.ssrc.0).is_some_and(|newest| newest > place);
            if is_gap || left.since(hearing.entered.max(*at)) > slack {
                lacks = Some((spoken.ssrc, *place, *at));
                break;
            }
        }
        self.counts.expected += found;
        if let Some((ssrc, place, at)) = lacks {
            let line = format!(
                "entry {entry} of {} never heard packet {place} of {:#x}, which its relay had at {} ms",
                hearing.user,
                ssrc.0,
                at.as_micros() / 1000
            );
            self.broken(line);
        }
    }
}
