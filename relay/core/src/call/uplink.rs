//! The call in a system that is not the home of its group: the trunk to the home, what is mirrored from there, and what goes up.

use alloc::{collections::VecDeque, string::String, sync::Arc, vec::Vec};
use core::{net::SocketAddr, ops::Range};

use super::{Call, backfill::Filling, work::Work};
use crate::{
    Millis, Order, Slot, Ssrc, Time, TrunkId,
    floor::{
        cause::{DenyCause, RevokeCause},
        message::{Indicator, Message, Packet, Track},
        non_controlling::{self, FromHome, ToHome},
    },
    retention::Kept,
    trunk::{
        Range as SsrcRange,
        wire::{self, frame::What},
    },
};

/// SSRCs named in a subscription: the newest.
pub(super) const POINTS_MAX: usize = 64;

/// Talkers elsewhere that are remembered before their media has come.
pub(super) const NAMED_MAX: usize = 64;

/// The trunk to the home of the group.
#[derive(Debug)]
pub(super) struct Uplink {
    pub(super) trunk: TrunkId,
    group: String,
    start: bool,
    /// The home has forgotten the call, which goes on here: it is started there anew.
    anew: bool,
    /// The home's number of the call, while the trunk carries it.
    pub(super) home_flow: Option<u32>,
    generation: u64,
    range: Option<SsrcRange>,
    /// Who talks elsewhere.
    pub(super) elsewhere: Option<(Arc<str>, Ssrc)>,
    /// Who talked elsewhere lately: their first packets may come when others talk already.
    named: VecDeque<(Arc<str>, Ssrc)>,
    /// The first packet that was not looked at for sending it up.
    next: Order,
    /// What is on its way from the home's retention, from the moment of asking.
    pub(super) filling: Option<Filling>,
    /// What the last backfill brought: it came from the home and does not go back.
    pub(super) backfilled: Range<Order>,
    /// Since when the floor of the snapshot is as it is, until the home has said how.
    told_since: Option<Time>,
    /// When that floor was mirrored here, and since when it really is so.
    pub(super) really_since: Option<(Time, Time)>,
    /// Where bursts of the home ended, so that backfill is cut there: SSRC and last number.
    pub(super) ends: Vec<(Ssrc, u64)>,
}

impl Uplink {
    pub(super) fn new(trunk: TrunkId, group: &str, start: bool) -> Uplink {
        Uplink {
            trunk,
            group: group.into(),
            start,
            anew: false,
            home_flow: None,
            generation: 0,
            range: None,
            elsewhere: None,
            named: VecDeque::new(),
            next: Order(0),
            filling: None,
            backfilled: Order(0)..Order(0),
            told_since: None,
            really_since: None,
            ends: Vec::new(),
        }
    }

    /// The SSRCs that this system's participants have in the call.
    pub(super) fn range(&self) -> Option<SsrcRange> {
        self.range
    }

    /// Somebody has the floor elsewhere.
    pub(super) fn name(&mut self, user: Arc<str>, ssrc: Ssrc) {
        self.named.retain(|named| named.1 != ssrc);
        if self.named.len() >= NAMED_MAX {
            self.named.pop_front();
        }
        self.named.push_back((user.clone(), ssrc));
        self.elsewhere = Some((user, ssrc));
    }

    /// Who was said to talk under this SSRC.
    pub(super) fn user_of(&self, ssrc: Ssrc) -> Option<Arc<str>> {
        self.named.iter().find(|named| named.1 == ssrc).map(|named| named.0.clone())
    }

    pub(super) fn wake(&self) -> Option<Time> {
        self.filling.as_ref().and_then(Filling::until)
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
        let (flow, range) = (self.flow, uplink.range.map_or(0, SsrcRange::wire));
        let start = uplink.start || uplink.anew;
        let subscribe = wire::Subscribe { flow, group: uplink.group.clone(), start, range, last };
        if let Some(uplink) = self.uplink.as_mut() {
            uplink.filling = Some(Filling::default());
        }
        self.frame(trunk, What::Subscribe(subscribe));
    }

    /// The home lost the call with everything else; whoever is in it here did not leave it.
    pub(super) fn home_restarted(&mut self, trunk: TrunkId) {
        if let Some(uplink) = self.uplink.as_mut().filter(|uplink| uplink.trunk == trunk) {
            // A call that the home has never taken in is started only by who may start it.
            uplink.anew |= uplink.generation != 0;
        }
    }

    /// The trunk is down. At the home: the partner's subscription ends. In a partner: nobody decides until it is back.
    pub(super) fn trunk_lost(&mut self, trunk: TrunkId) {
        self.unsubscribe(trunk);
        let Some(uplink) = self.uplink.as_mut().filter(|uplink| uplink.trunk == trunk) else { return };
        uplink.home_flow = None;
        self.break_off_filling();
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
            What::Spacing(spacing) => self.spacing_from_home(&spacing.age),
            _ => self.counters.misdirected += 1,
        }
    }

    /// The home takes us in: the call as it stands there.
    fn subscribed(&mut self, subscribed: &wire::Subscribed) {
        let (now, end) = (self.now, self.kept.end());
        let Some(uplink) = self.uplink.as_mut() else { return };
        // One answer to each question.
        let Some(filling) = uplink.filling.as_mut().filter(|filling| filling.until().is_none()) else {
            self.counters.misdirected += 1;
            return;
        };
        let range = SsrcRange::from_wire(subscribed.range);
        if range.is_none() || uplink.range.is_some_and(|own| Some(own) != range) {
            // Our participants speak under SSRCs that the home has given to another partner meanwhile.
            return self.outbox.push_back(Work::Refused("range-taken".into()));
        }
        let none = wire::Snapshot::default();
        let snapshot = subscribed.snapshot.as_ref().unwrap_or(&none);
        filling.answered(snapshot, subscribed.backfill, now);
        uplink.range = range;
        uplink.anew = false;
        uplink.home_flow = Some(subscribed.home_flow);
        uplink.generation = subscribed.generation;
        // What our talkers said while nobody could hear it at home stays here.
        let (kept, next) = (&self.kept, core::mem::replace(&mut uplink.next, end));
        let own = |row: &Kept| range.is_some_and(|range| range.contains(row.ssrc));
        self.counters.unheard += kept.from(next).filter(|(_, row)| own(row)).count() as u64;
        uplink.told_since = Some(now - Millis(snapshot.floor_since));
        let finished = snapshot.bursts.iter().filter(|burst| !burst.running && burst.last > 0);
        uplink.ends = finished.map(|burst| (Ssrc(burst.ssrc), burst.last - 1)).collect();
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
        if let (FromHome::Taken { .. } | FromHome::Idle, Some(uplink)) = (says, self.uplink.as_mut()) {
            uplink.really_since = uplink.told_since.take().map(|since| (self.arbiter.since(), since));
        }
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
            let came_down = uplink.backfilled.contains(&order);
            if !came_down && self.kept.kept(order).is_some_and(|row| range.contains(row.ssrc)) {
                self.counters.forwarded += 1;
                return Some((uplink.trunk, flow, order));
            }
        }
        None
    }
}
