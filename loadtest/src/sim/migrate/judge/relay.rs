//! What one call of one relay took, who may speak there, and what it gave to the trunk.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use relay_core::{
    Millis, Ssrc, Time,
    call::BACKFILL_MAX,
    floor::message::{self, Item, Message},
    rtp,
    trunk::{
        Range,
        wire::{Frame, Subscribe, frame::What},
    },
};

use super::Judge;
use crate::sim::migrate::calls::RETENTION;

/// Media still taken after the floor went idle (DESIGN: the tail of a Release).
const TAIL: Millis = Millis(100);

/// What stands at the edge of retention may go or stay.
const EDGE: Millis = Millis(20);

/// One call of one relay.
#[derive(Debug, Default)]
pub(super) struct Relay {
    pub(super) is_home: bool,
    /// When each packet came to this call, by its place in what was said.
    pub(super) log: BTreeMap<usize, Time>,
    /// What came by backfill: its age is the home's.
    pub(super) filled: BTreeSet<usize>,
    /// Who has the floor, as this relay has told it.
    talker: Option<Ssrc>,
    /// Who had it last, and when that ended.
    last: Option<(Ssrc, Time)>,
    /// Whether the other system takes part, and the SSRCs that are its own.
    up: bool,
    behind: Option<Range>,
    /// Since when.
    up_since: Time,
    /// What has to be given to the trunk next, in this order.
    owed: VecDeque<usize>,
    /// What a backfill has to bring yet.
    backfill: BTreeSet<usize>,
    /// Since when it knows who speaks under an SSRC of the home.
    pub(super) knows: BTreeMap<u32, Time>,
    /// Whether anything ever came by backfill.
    pub(super) was_filled: bool,
}

impl Judge {
    pub(in crate::sim::migrate) fn opened(&mut self, call: u64, _node: usize, _group: usize, is_home: bool) {
        self.relays.insert(call, Relay { is_home, ..Relay::default() });
    }

    /// A relay took a packet of its own participant, or, at the home, of one behind the trunk.
    pub(in crate::sim::migrate) fn accepted(&mut self, call: u64, bytes: &[u8], now: Time, own: bool) {
        let Some(place) = self.place(bytes) else {
            return self.broken(format!("call {call} took a packet that nobody said"));
        };
        let ssrc = self.spoken[place].ssrc;
        let Some(relay) = self.relays.get_mut(&call) else { return };
        let tail = relay.talker.is_none() && relay.last.is_some_and(|last| last.0 == ssrc && now.since(last.1) <= TAIL);
        let holder = relay.talker;
        if holder != Some(ssrc) && !tail {
            let line = format!("call {call} took a packet of {:#x}, the floor is with {holder:?}", ssrc.0);
            return self.broken(line);
        }
        relay.log.insert(place, now);
        let goes = match relay.is_home {
            true => relay.up && !relay.behind.is_some_and(|range| range.contains(ssrc)),
            false => relay.up && own,
        };
        if goes {
            relay.owed.push_back(place);
        }
    }

    /// A live packet of the home has come to a partner's call.
    pub(in crate::sim::migrate) fn delivered(&mut self, call: u64, bytes: &[u8], now: Time) {
        let Some(place) = self.place(bytes) else {
            return self.broken(format!("call {call} was given a packet that nobody said"));
        };
        if let Some(relay) = self.relays.get_mut(&call) {
            relay.log.entry(place).or_insert(now);
        }
    }

    /// A packet of a backfill has come to a partner's call.
    pub(in crate::sim::migrate) fn filled(&mut self, call: u64, bytes: &[u8], now: Time) {
        let Some(relay) = self.relays.get_mut(&call) else { return };
        relay.was_filled = true;
        if now < relay.up_since + BACKFILL_MAX {
            self.delivered(call, bytes, now);
            let place = self.place(bytes);
            let relay = self.relays.get_mut(&call);
            if let Some((place, relay)) = place.zip(relay).filter(|(place, relay)| relay.log.get(place) == Some(&now)) {
                relay.filled.insert(place);
            }
        } else {
            self.counts.late_fill += 1;
        }
    }

    /// A floor message leaves a relay towards one of its own participants.
    pub(in crate::sim::migrate) fn floor_sent(&mut self, call: u64, bytes: &[u8], now: Time) {
        let Some(relay) = self.relays.get_mut(&call) else { return };
        for item in message::read(bytes) {
            let Ok(Item::Packet(packet)) = item else { continue };
            match packet.message {
                Message::Granted { audio_ssrc: Some(ssrc), .. } | Message::Taken { audio_ssrc: Some(ssrc), .. }
                    if relay.talker != Some(ssrc) =>
                {
                    relay.talker = Some(ssrc);
                    relay.last = None;
                }
                Message::Idle { .. } => {
                    if let Some(talker) = relay.talker.take() {
                        relay.last = Some((talker, now));
                    }
                }
                _ => {}
            }
        }
    }

    /// A frame leaves a call.
    pub(in crate::sim::migrate) fn frame_sent(&mut self, call: u64, frame: &Frame, now: Time) {
        match &frame.what {
            Some(What::Floor(floor)) => {
                let references = message::read(&floor.message).filter_map(|item| match item {
                    Ok(Item::Packet(packet)) => packet.track_info.map(|track| track.references.len()),
                    _ => None,
                });
                if references.max().unwrap_or_default() > 1 {
                    return self.broken(format!("I5: call {call} writes a floor message with two references"));
                }
                self.floor_sent(call, &floor.message, now);
            }
            Some(What::Subscribed(subscribed)) => {
                let Some(relay) = self.relays.get_mut(&call) else { return };
                relay.behind = Range::from_wire(subscribed.range);
                relay.up = true;
                if subscribed.backfill == 0 && !relay.backfill.is_empty() {
                    let lacks = relay.backfill.len();
                    self.broken(format!("call {call} sends no backfill and owes {lacks} packets"));
                }
            }
            _ => {}
        }
    }

    /// A partner subscribes: what retention has, behind its points, follows as backfill.
    pub(in crate::sim::migrate) fn subscribing(&mut self, call: u64, ask: &Subscribe, now: Time) {
        let point = |point: &relay_core::trunk::wire::Point| {
            let place = self.places.get(&(point.ssrc, point.sequence as u16))?;
            Some((Ssrc(point.ssrc), *place))
        };
        let points: Vec<(Ssrc, usize)> = ask.last.iter().filter_map(point).collect();
        let Some(relay) = self.relays.get_mut(&call) else { return };
        let spoken = &self.spoken;
        let is_heard = |place: usize| {
            let heard = points.iter().find(|point| point.0 == spoken[place].ssrc);
            heard.is_some_and(|heard| place <= heard.1)
        };
        let kept = relay.log.iter().filter(|(_, at)| now < **at + Millis(RETENTION.0 - EDGE.0));
        relay.backfill = kept.map(|(place, _)| *place).filter(|place| !is_heard(*place)).collect();
        relay.owed.clear();
    }

    pub(in crate::sim::migrate) fn backfilled(&mut self, call: u64, bytes: &[u8]) {
        let place = self.place(bytes);
        let Some(relay) = self.relays.get_mut(&call) else { return };
        match place.filter(|place| relay.log.contains_key(place)) {
            Some(place) => _ = relay.backfill.remove(&place),
            None => self.broken(format!("call {call} fills a partner with a packet that it never took")),
        }
    }

    pub(in crate::sim::migrate) fn backfill_done(&mut self, call: u64) {
        let lacks = self.relays.get_mut(&call).map_or(0, |relay| std::mem::take(&mut relay.backfill).len());
        if lacks > 0 {
            self.broken(format!("the backfill of call {call} lacks {lacks} packets"));
        }
    }

    /// Whether the other system takes part.
    pub(in crate::sim::migrate) fn up(&mut self, call: u64, up: bool, now: Time) {
        if let Some(relay) = self.relays.get_mut(&call) {
            (relay.up, relay.up_since) = (up, now);
            relay.owed.clear();
        }
    }

    /// One copy of each packet, in order, and no other.
    pub(in crate::sim::migrate) fn forwarded(&mut self, call: u64, bytes: &[u8]) {
        let place = self.place(bytes);
        let Some(relay) = self.relays.get_mut(&call) else { return };
        let owed = relay.owed.pop_front();
        if owed != place || place.is_none() {
            let number = rtp::Packet::parse_protected(bytes).map(|packet| (packet.ssrc().0, packet.sequence()));
            self.broken(format!("call {call} gives the trunk packet {number:?}, owed was {owed:?}, not {place:?}"));
        }
    }

    /// A partner's call learns who speaks.
    pub(in crate::sim::migrate) fn told(&mut self, call: u64, what: &What, now: Time) {
        let Some(relay) = self.relays.get_mut(&call) else { return };
        let mut know = |ssrc: u32| _ = relay.knows.entry(ssrc).or_insert(now);
        match what {
            What::Subscribed(subscribed) => {
                let voices = subscribed.snapshot.iter().flat_map(|snapshot| &snapshot.voices);
                voices.for_each(|voice| know(voice.ssrc));
            }
            What::Floor(floor) => {
                for item in message::read(&floor.message) {
                    if let Ok(Item::Packet(packet)) = item
                        && let Message::Taken { audio_ssrc: Some(ssrc), .. } = packet.message
                    {
                        know(ssrc.0);
                    }
                }
            }
            _ => {}
        }
    }

    /// Everything that was owed to the trunk has been given to it.
    pub(in crate::sim::migrate) fn check_owed(&mut self, call: u64) {
        let owed = self.relays.get(&call).map_or(0, |relay| relay.owed.len());
        if owed > 0 {
            self.broken(format!("call {call} keeps {owed} packets from the trunk"));
        }
    }

    /// Packets that no system has any more.
    pub(in crate::sim::migrate) fn missed(&mut self, _call: u64, _ssrc: Ssrc, first: u64, last: u64) {
        self.counts.missed += last.saturating_sub(first) + 1;
    }
}
