//! The call as data: what an entering participant, a reader of the API and the status row are told.

use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use core::net::SocketAddr;

use super::Call;
use crate::{
    Millis, Order, Slot, Ssrc, Time,
    floor::general::State,
    late_entry::{
        Facts,
        facts::{BurstFacts, FloorFacts, FloorState, MediaFacts},
        plan::Plan,
    },
    roster::Attachment,
    voice::Burst,
};

/// A participant as the owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantFacts {
    /// Its place.
    pub slot: Slot,
    /// Number of its entry.
    pub entry: u64,
    /// Whether it has answered its late-entry floor message.
    pub floor_confirmed: bool,
    /// Media packets handed out for it.
    pub sent: u64,
    /// Packets that did not fit into the mail of the worker that sends to it.
    pub lost: u64,
    /// Packets that retention let go of before they could be sent to it.
    pub overtaken: u64,
    /// Time since it entered.
    pub age: Millis,
}

impl<A: Copy + From<SocketAddr>> Call<A> {
    /// Floor and media as a stranger would be told.
    pub fn describe(&self) -> Facts {
        self.facts(None, None)
    }

    /// One participant.
    pub fn participant(&self, slot: Slot) -> Option<ParticipantFacts> {
        let seat = self.seat(slot)?;
        let (next, lost) = self.handed_until(seat);
        let own = seat.own_since.saturating_sub(self.own_from(next, seat));
        let live = seat.live_from.map_or(0, |from| next.0.saturating_sub(from.0).saturating_sub(own));
        Some(ParticipantFacts {
            slot,
            entry: seat.entry,
            floor_confirmed: seat.confirmed,
            sent: seat.sent + live.saturating_sub(lost),
            lost: seat.lost + lost,
            overtaken: seat.overtaken,
            age: self.now.since(seat.entered),
        })
    }

    /// Who is served at a slot: its entry number, leg and SSRC.
    pub fn bound(&self, slot: Slot) -> Option<(u64, Attachment, Ssrc)> {
        self.seat(slot).map(|seat| (seat.entry, seat.who.leg, seat.who.audio_ssrc))
    }

    /// Slots are below this.
    pub fn slots_end(&self) -> usize {
        self.seats.len()
    }

    /// State of the floor and who talks.
    pub fn floor(&self) -> (FloorState, Option<Slot>, Time) {
        let (state, talker) = match self.arbiter.state() {
            State::Taken { holder } => (FloorState::Taken, Some(holder)),
            State::PendingRevoke { holder, .. } => (FloorState::PendingRevoke, Some(holder)),
            State::StartStop | State::Idle | State::Releasing => (FloorState::Idle, None),
        };
        let since = self.arbiter.since();
        let really = self.uplink.as_ref().and_then(|uplink| uplink.really_since);
        (state, talker, really.filter(|really| really.0 == since).map_or(since, |really| really.1))
    }

    /// Who talks in another system, and under which SSRC; `None`: nobody does, or it was not said yet who.
    pub fn talker_elsewhere(&self) -> Option<&(Arc<str>, Ssrc)> {
        self.uplink.as_ref()?.elsewhere.as_ref()
    }

    /// Whether the talker's identity is withheld.
    pub fn is_private(&self) -> bool {
        self.settings.privacy
    }

    /// Requests that wait for the floor.
    pub fn queue_length(&self) -> u32 {
        self.arbiter.queue_length()
    }

    /// The retained SSRC whose packet came last. Costs no pass over retention: `retained` counts from the oldest packet of any.
    pub fn newest(&self) -> Option<MediaFacts> {
        let newest = self.kept.newest()?;
        let voice = self.voices.get(&newest.ssrc)?;
        let oldest = self.kept.kept(self.kept.oldest())?.arrived;
        Some(MediaFacts {
            ssrc: newest.ssrc,
            payload_type: voice.payload_type,
            sequence: voice.newest.0,
            timestamp: voice.timestamp,
            retained: voice.arrived.since(oldest),
            resumed_from: None,
            missed: None,
        })
    }

    /// The facts for a participant with its plan, or for a stranger.
    pub(super) fn facts(&self, slot: Option<Slot>, plan: Option<&Plan>) -> Facts {
        Facts {
            order: self.kept.end(),
            floor: self.floor_facts(slot),
            media: self.media_facts(plan),
            bursts: plan.map_or(Vec::new(), |plan| self.burst_facts(plan)),
        }
    }

    fn floor_facts(&self, slot: Option<Slot>) -> FloorFacts {
        let (state, _, since) = self.floor();
        let talker = self.present_talker();
        let seat = slot.and_then(|slot| self.seat(slot));
        FloorFacts {
            state,
            audio_ssrc: talker.as_ref().map(|talker| talker.1),
            talker: talker.filter(|_| !self.settings.privacy).map(|talker| talker.0),
            may_request: seat.is_none_or(|seat| !seat.who.receive_only),
            message_sequence_number: seat.map_or(0, |seat| seat.msn),
            since: self.now.since(since),
            queue_length: self.arbiter.queue_length(),
        }
    }

    fn media_facts(&self, plan: Option<&Plan>) -> Vec<MediaFacts> {
        // One pass: when the oldest packet of each SSRC came, and which of its packets is the first that will be sent.
        let mut retained: BTreeMap<Ssrc, (Time, Option<u64>)> = BTreeMap::new();
        for (order, row) in self.kept.from(self.kept.oldest()) {
            // Retention lets go of what is too old when the next packet comes, which may be never.
            if self.now.micros_since(row.arrived) > self.kept.age_max().as_micros() {
                continue;
            }
            let first = retained.entry(row.ssrc).or_insert((row.arrived, None));
            if first.1.is_none() && plan.is_some_and(|plan| order >= plan.start && plan.wants(order, row)) {
                first.1 = Some(row.sequence.0);
            }
        }
        // Somebody names a point in media of which nothing is kept: it is told that it missed its end.
        for (ssrc, ..) in plan.iter().flat_map(|plan| &plan.missed) {
            if let Some(voice) = self.voices.get(ssrc) {
                retained.entry(*ssrc).or_insert((voice.arrived, None));
            }
        }
        let facts = |(ssrc, (oldest, resumed_from)): (Ssrc, (Time, Option<u64>))| {
            let voice = self.voices.get(&ssrc)?;
            let missed = plan.and_then(|plan| plan.missed.iter().find(|missed| missed.0 == ssrc));
            let media = MediaFacts {
                ssrc,
                payload_type: voice.payload_type,
                sequence: voice.newest.0,
                timestamp: voice.timestamp,
                retained: voice.arrived.since(oldest),
                resumed_from,
                missed: missed.map(|(_, first, last)| (first.0, last.0)),
            };
            Some((voice.arrived, media))
        };
        let mut media: Vec<(Time, MediaFacts)> = retained.into_iter().filter_map(facts).collect();
        media.sort_by_key(|(arrived, _)| core::cmp::Reverse(*arrived));
        media.into_iter().map(|(_, media)| media).collect()
    }

    /// Finished bursts of which something will be sent.
    fn burst_facts(&self, plan: &Plan) -> Vec<BurstFacts> {
        let sent = |burst: &Burst| {
            let (ended, last) = (burst.ended?, burst.last?);
            let from: Order = burst.began.max(plan.start);
            let mut rows = self.kept.from(from).take_while(|(order, _)| *order < burst.until);
            let first = rows.find(|(order, row)| row.ssrc == burst.ssrc && plan.wants(*order, row))?;
            Some(BurstFacts {
                ssrc: burst.ssrc,
                talker: (!self.settings.privacy).then(|| burst.talker.clone()),
                first: first.1.sequence.0,
                last: last.0,
                ended,
            })
        };
        self.bursts.iter().filter_map(sent).collect()
    }
}
