//! The call in a system that is not the home of its group: the trunk to the home, what is mirrored from there, and what goes up.

use alloc::{collections::VecDeque, string::String, sync::Arc, vec::Vec};
use core::net::SocketAddr;

use super::{Call, Drop, filling::Filling, work::Work};
use crate::{
    Millis, Order, Slot, Ssrc, Time, TrunkId,
    floor::{
        cause::{DenyCause, RevokeCause},
        message::{Indicator, Message, Packet, Track},
        non_controlling::{self, FromHome, ToHome},
    },
    rtp,
    trunk::{
        Range,
        wire::{self, frame::What},
    },
};

/// How long live media waits for the end of a backfill.
pub const BACKFILL_MAX: Millis = Millis(1_000);

/// Live packets that wait for the end of a backfill: a second of a talker at the highest rate a group may allow.
const HELD_MAX: usize = 10_000;

/// SSRCs named in a subscription: the newest.
const POINTS_MAX: usize = 64;

/// The trunk to the home of the group.
#[derive(Debug)]
pub(super) struct Uplink {
    pub(super) trunk: TrunkId,
    group: String,
    start: bool,
    /// The home's number of the call, while the trunk carries it.
    pub(super) home_flow: Option<u32>,
    generation: u64,
    range: Option<Range>,
    /// Who talks elsewhere.
    pub(super) elsewhere: Option<(Arc<str>, Ssrc)>,
    /// The first packet that was not looked at for sending it up.
    next: Order,
    /// Where the last backfill stands in the ring: it came from the home, also what our talkers had said.
    filled: core::ops::Range<Order>,
    filling: Option<Filling>,
    /// Live packets that were quicker than the answer to the subscription.
    early: VecDeque<Vec<u8>>,
    /// Where bursts of the home ended, so that backfill is cut there: SSRC and last number.
    pub(super) ends: Vec<(Ssrc, u64)>,
}

impl Uplink {
    pub(super) fn new(trunk: TrunkId, group: &str, start: bool) -> Uplink {
        Uplink {
            trunk,
            group: group.into(),
            start,
            home_flow: None,
            generation: 0,
            range: None,
            elsewhere: None,
            next: Order(0),
            filled: Order(0)..Order(0),
            filling: None,
            early: VecDeque::new(),
            ends: Vec::new(),
        }
    }

    /// The SSRCs that this system's participants have in the call.
    pub(super) fn range(&self) -> Option<Range> {
        self.range
    }

    pub(super) fn wake(&self) -> Option<Time> {
        self.filling.as_ref().map(|filling| filling.until)
    }
}

impl<A: Copy + From<SocketAddr>> Call<A> {
    /// The trunk to the home stands: ask for floor and media, from where we are.
    pub(super) fn trunk_up(&mut self, trunk: TrunkId) {
        let Some(uplink) = self.uplink.as_ref().filter(|uplink| uplink.trunk == trunk) else { return };
        let mut voices: Vec<_> = self.voices.iter().collect();
        voices.sort_by_key(|(_, voice)| core::cmp::Reverse(voice.arrived));
        let last = voices.iter().take(POINTS_MAX);
        let last = last.map(|(ssrc, voice)| wire::Point { ssrc: ssrc.0, sequence: voice.newest.0 }).collect();
        let (flow, range) = (self.flow, uplink.range.map_or(0, Range::wire));
        let subscribe = wire::Subscribe { flow, group: uplink.group.clone(), start: uplink.start, range, last };
        self.frame(trunk, What::Subscribe(subscribe));
    }

    /// The trunk is down. At the home: the partner's subscription ends. In a partner: nobody decides until it is back.
    pub(super) fn trunk_lost(&mut self, trunk: TrunkId) {
        self.unsubscribe(trunk);
        let Some(uplink) = self.uplink.as_mut().filter(|uplink| uplink.trunk == trunk) else { return };
        uplink.home_flow = None;
        uplink.early.clear();
        if uplink.filling.is_some() {
            self.finish_filling();
        }
        self.arbiter.about_home(non_controlling::Input::Lost, self.now);
        self.settle();
    }

    /// Anything came over the trunk: the home lives.
    pub(super) fn trunk_heard(&mut self, trunk: TrunkId) {
        if self.uplink.as_ref().is_some_and(|uplink| uplink.trunk == trunk && uplink.home_flow.is_some()) {
            self.arbiter.about_home(non_controlling::Input::Heard, self.now);
            self.settle();
        }
    }

    /// A frame of the home.
    pub(super) fn frame_from_home(&mut self, what: What) {
        match what {
            What::Subscribed(subscribed) => self.subscribed(&subscribed),
            What::Refused(refused) => self.outbox.push_back(Work::Refused(refused.cause)),
            What::Ended(ended) => self.outbox.push_back(Work::Refused(ended.cause)),
            What::Expel(expel) => {
                if let Some(slot) = self.slot_of(expel.reference) {
                    self.outbox.push_back(Work::Expelled(slot, expel.cause));
                }
            }
            What::Spacing(spacing) => {
                let now = self.now;
                if let Some(filling) = self.uplink.as_mut().and_then(|uplink| uplink.filling.as_mut()) {
                    filling.ages.extend(spacing.age.iter().map(|age| now - Millis(*age)));
                }
                self.finish_if_filled();
            }
            _ => self.counters.misdirected += 1,
        }
    }

    /// The home takes us in: the call as it stands there.
    fn subscribed(&mut self, subscribed: &wire::Subscribed) {
        let (now, end) = (self.now, self.kept.end());
        let newest = self.voices.iter().map(|(ssrc, voice)| (*ssrc, voice.newest.0)).collect();
        let Some(uplink) = self.uplink.as_mut() else { return };
        let range = Range::from_wire(subscribed.range);
        if uplink.range.is_some() && uplink.range != range {
            // Our participants speak under SSRCs that the home has given to another partner meanwhile.
            return self.outbox.push_back(Work::Refused("range-taken".into()));
        }
        uplink.range = range;
        uplink.home_flow = Some(subscribed.home_flow);
        uplink.generation = subscribed.generation;
        // What our talkers said while nobody could hear it at home stays here.
        uplink.next = end;
        let snapshot = subscribed.snapshot.clone().unwrap_or_default();
        let finished = snapshot.bursts.iter().filter(|burst| !burst.running && burst.last > 0);
        uplink.ends = finished.map(|burst| (Ssrc(burst.ssrc), burst.last - 1)).collect();
        uplink.filling = Some(Filling {
            until: now + BACKFILL_MAX,
            ages: VecDeque::new(),
            packets: VecDeque::new(),
            held: core::mem::take(&mut uplink.early),
            done: subscribed.backfill == 0,
            before: newest,
            newest: snapshot.voices.iter().map(|voice| (Ssrc(voice.ssrc), voice.sequence)).collect(),
        });
        for voice in &snapshot.voices {
            self.know_voice(voice);
        }
        self.arbiter.about_home(non_controlling::Input::Back, now);
        self.settle();
        let here: Vec<Slot> = (0..self.seats.len()).map(|at| Slot(at as u32)).collect();
        here.into_iter().for_each(|slot| self.announce(slot));
        self.finish_if_filled();
    }

    /// A participant of ours is announced to the home, once the home knows the call.
    pub(super) fn announce(&mut self, slot: Slot) {
        let Some(seat) = self.seat(slot) else { return };
        let Some((trunk, flow)) = self.home() else { return };
        let announce = wire::Announce {
            flow,
            reference: seat.who.audio_ssrc.0,
            user: seat.who.user.as_ref().into(),
            client: seat.who.client.as_ref().into(),
            audio_ssrc: seat.who.audio_ssrc.0,
            queueing: seat.who.queueing,
            priority: seat.who.priority.into(),
        };
        self.frame(trunk, What::Announce(announce));
    }

    /// A participant of ours has left.
    pub(super) fn depart(&mut self, reference: u32) {
        if let Some((trunk, flow)) = self.home() {
            self.frame(trunk, What::Depart(wire::Depart { flow, reference }));
        }
    }

    fn home(&self) -> Option<(TrunkId, u32)> {
        let uplink = self.uplink.as_ref()?;
        Some((uplink.trunk, uplink.home_flow?))
    }

    /// Who of ours is meant by a reference. It is the participant's SSRC: unique in the call, and tells nobody who it is.
    fn slot_of(&self, reference: u32) -> Option<Slot> {
        let at =
            self.seats.iter().position(|seat| seat.as_ref().is_some_and(|seat| seat.who.audio_ssrc.0 == reference))?;
        Some(Slot(at as u32))
    }

    /// A floor message of the home: to one of ours by Track Info, or to everybody.
    pub(super) fn floor_from_home(&mut self, packet: &Packet<'_>, holder: u32, talker: &str) {
        let to = match packet.track_info.as_ref().map(|track| track.references) {
            None | Some([]) => None,
            Some([reference]) => match self.slot_of(u32::from_be_bytes(*reference)) {
                Some(slot) => Some(slot),
                // It left while the message was on its way; a grant to it is given back.
                None => return self.return_grant(packet, u32::from_be_bytes(*reference)),
            },
            // The way back has one hop: anything longer has been here before.
            Some(_) => {
                self.counters.misdirected += 1;
                return;
            }
        };
        let says = match (packet.message, to) {
            (Message::Granted { duration_s, priority, .. }, Some(to)) => FromHome::Granted { to, duration_s, priority },
            (Message::Deny { cause, .. }, Some(to)) => FromHome::Deny { to, cause: DenyCause::from_code(cause) },
            (Message::Revoke { cause, .. }, Some(to)) => FromHome::Revoke { to, cause: RevokeCause::from_code(cause) },
            (Message::QueuePositionInfo { position: super::telling::NOT_QUEUED, .. }, Some(to)) => {
                FromHome::NotQueued { to }
            }
            (Message::QueuePositionInfo { position, priority, .. }, Some(to)) => {
                FromHome::Queued { to, position, priority }
            }
            (Message::Taken { audio_ssrc, .. }, None) => {
                let by = self.slot_of(holder);
                if by.is_none() {
                    self.taken_elsewhere(talker, audio_ssrc);
                }
                FromHome::Taken { by }
            }
            (Message::Idle { .. }, None) => {
                self.idle_elsewhere();
                FromHome::Idle
            }
            _ => {
                self.counters.misdirected += 1;
                return;
            }
        };
        self.arbiter.home_says(says, self.now);
        self.settle();
    }

    fn return_grant(&mut self, packet: &Packet<'_>, reference: u32) {
        if matches!(packet.message, Message::Granted { .. }) {
            self.send_up(reference, true, Message::Release { indicator: None });
        }
    }

    /// What the floor machine says to the home.
    pub(super) fn tell_home(&mut self, what: ToHome<Slot>) {
        let (from, message) = match what {
            ToHome::Request(request) => {
                let message = Message::Request {
                    priority: Some(request.priority),
                    indicator: Some(Indicator::NORMAL),
                    functional_alias: None,
                    location: None,
                };
                (request.from, message)
            }
            ToHome::Release { from } => (from, Message::Release { indicator: None }),
            ToHome::QueuePositionRequest { from } => (from, Message::QueuePositionRequest),
        };
        let Some(seat) = self.seat(from) else { return };
        let (reference, queueing) = (seat.who.audio_ssrc.0, seat.who.queueing);
        self.send_up(reference, queueing, message);
    }

    fn send_up(&mut self, reference: u32, queueing: bool, message: Message<'_>) {
        let Some((trunk, flow)) = self.home() else { return };
        let track = Track::new(queueing, reference);
        let packet = Packet { ssrc: Ssrc(reference), acknowledge: false, message, track_info: Some(track.info()) };
        let mut datagram = [0; crate::floor::message::SIZE_MAX];
        let Some(message) = packet.write(&mut datagram).ok().and_then(|length| datagram.get(..length)) else { return };
        let message = message.to_vec();
        self.frame(trunk, What::Floor(wire::Floor { flow, message, holder: 0, talker: String::new() }));
    }

    /// The next packet of one of our talkers that the home was not given.
    pub(super) fn choose_up(&mut self) -> Option<(TrunkId, u32, Order)> {
        let (oldest, end) = (self.kept.oldest(), self.kept.end());
        let uplink = self.uplink.as_mut()?;
        let (flow, range) = (uplink.home_flow?, uplink.range?);
        uplink.next = uplink.next.max(oldest);
        while uplink.next < end {
            let order = uplink.next;
            uplink.next = order.next();
            if uplink.filled.contains(&order) {
                uplink.next = uplink.filled.end.max(uplink.next);
                continue;
            }
            if self.kept.kept(order).is_some_and(|row| range.contains(row.ssrc)) {
                self.counters.forwarded += 1;
                return Some((uplink.trunk, flow, order));
            }
        }
        None
    }

    /// Media of the home: given out as it comes, unless a backfill is on its way before it, or the answer that says so.
    pub(super) fn media_from_home(&mut self, packet: &rtp::Packet<'_>) {
        let Some(uplink) = self.uplink.as_mut() else { return };
        if uplink.range.is_some_and(|range| range.contains(packet.ssrc())) {
            return self.count(Drop::Injected);
        }
        let held = match &mut uplink.filling {
            Some(filling) => Some(&mut filling.held),
            None if uplink.home_flow.is_none() => Some(&mut uplink.early),
            None => None,
        };
        match held {
            Some(held) if held.len() < HELD_MAX => held.push_back(packet.bytes().to_vec()),
            Some(_) => self.count(Drop::Held),
            None => {
                let now = self.now;
                self.keep_from_home(packet, now, true);
            }
        }
    }

    /// A packet of the backfill, or its end.
    pub(super) fn backfill_from_home(&mut self, packet: Option<&rtp::Packet<'_>>) {
        let Some(filling) = self.uplink.as_mut().and_then(|uplink| uplink.filling.as_mut()) else { return };
        match packet {
            Some(packet) if filling.packets.len() < HELD_MAX => filling.packets.push_back(packet.bytes().to_vec()),
            Some(_) => self.count(Drop::Held),
            None => filling.done = true,
        }
        self.finish_if_filled();
    }

    fn finish_if_filled(&mut self) {
        let filling = self.uplink.as_ref().and_then(|uplink| uplink.filling.as_ref());
        if filling.is_some_and(|filling| filling.done && filling.ages.len() >= filling.packets.len()) {
            self.finish_filling();
        }
    }

    /// The backfill is complete, or late: it goes into the ring, then what came behind it. Participants get it by late entry.
    pub(super) fn finish_filling(&mut self) {
        let Some(mut filling) = self.uplink.as_mut().and_then(|uplink| uplink.filling.take()) else { return };
        let missed = filling.missed();
        for (ssrc, first, last) in missed {
            self.counters.backfill_missed += last - first + 1;
            self.outbox.push_back(Work::Missed(ssrc, first, last));
        }
        let resumed = if filling.packets.is_empty() { Vec::new() } else { self.stop_live() };
        let now = self.now;
        let began = self.kept.end();
        while let Some(bytes) = filling.packets.pop_front() {
            let arrived = filling.ages.pop_front().unwrap_or(now);
            if let Ok(packet) = rtp::Packet::parse_protected(&bytes) {
                self.counters.backfilled += 1;
                self.keep_from_home(&packet, arrived, false);
            }
        }
        if let Some(uplink) = self.uplink.as_mut() {
            uplink.filled = began..self.kept.end();
        }
        self.resume_paced(resumed);
        self.align_burst();
        for bytes in filling.held {
            if let Ok(packet) = rtp::Packet::parse_protected(&bytes) {
                self.keep_from_home(&packet, now, true);
            }
        }
        self.outbox.push_back(Work::Ready);
    }
}
