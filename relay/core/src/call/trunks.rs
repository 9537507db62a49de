//! The call at the home of its group, towards the partners that take part: one copy of each packet per trunk, floor messages by
//! Track Info, and the whole retention once for a partner that comes.

use alloc::{format, string::String, vec::Vec};
use core::net::SocketAddr;

use super::{
    Call,
    overstepping::{FORGED_REFERENCE, SSRC_OUT_OF_RANGE},
    telling::Note,
    work::Work,
};
use crate::{
    Millis, Order, Slot, Ssrc, Time, TrunkId,
    floor::message::{Packet, Track},
    retention::{Kept, Retention},
    rtp::{Extender, Sequence},
    trunk::{
        Overstep, Range,
        wire::{self, frame::What},
    },
    voice::Voice,
};

/// The most that a round trip lengthens T1 and T3 of a holder behind a trunk.
pub const ROUND_TRIP_MAX: Millis = Millis(2_000);

/// Arrival times in one `Spacing` frame.
const AGES_PER_FRAME: usize = 4_096;

/// Voices and bursts that a snapshot tells of, each: with the longest ids it still fits into one frame.
pub(super) const SNAPSHOT_MAX: usize = 100;

/// A participant as a partner announces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// What the partner calls it in Track Info.
    pub reference: u32,
    /// Primary MC service ID.
    pub user: String,
    /// Its client.
    pub client: String,
    /// What it speaks under.
    pub audio_ssrc: Ssrc,
    /// Whether it queues.
    pub queueing: bool,
    /// The highest floor priority that it asks for.
    pub priority: u8,
}

/// A partner that subscribed.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) trunk: TrunkId,
    /// Its number of the call.
    pub(super) flow: u32,
    pub(super) range: Range,
    /// The version of the floor that it was told.
    pub(super) told: u32,
    pub(super) msn: u16,
    /// The first packet that was not sent to it.
    next: Order,
    backfill: Option<Backfill>,
    round_trip: Millis,
    /// Announcements that control has not answered, with the floor message that came meanwhile.
    pending: Vec<(u32, Option<Held>)>,
    /// When it was said last that its media are not its own.
    pub(super) accused: Option<Time>,
}

/// A floor message of a participant that is being entered.
#[derive(Clone, Copy, Debug)]
enum Held {
    Request(Option<u8>),
    Release,
}

/// What a subscriber still gets out of retention.
#[derive(Debug)]
struct Backfill {
    next: Order,
    end: Order,
    heard: Vec<(Ssrc, Sequence)>,
}

impl Backfill {
    fn wants(&self, row: &Kept) -> bool {
        !self.heard.iter().any(|(ssrc, heard)| *ssrc == row.ssrc && row.sequence <= *heard)
    }

    fn rows<'a>(&'a self, kept: &'a Retention) -> impl Iterator<Item = (Order, &'a Kept)> {
        kept.from(self.next).take_while(|(order, _)| *order < self.end).filter(|(_, row)| self.wants(row))
    }
}

impl<A: Copy + From<SocketAddr>> Call<A> {
    pub(super) fn subscriber(&mut self, trunk: TrunkId) -> Option<&mut Subscriber> {
        self.trunks.iter_mut().find(|subscriber| subscriber.trunk == trunk)
    }

    /// A partner wants floor and media of this call. Who subscribes again begins anew.
    pub(super) fn subscribe(&mut self, trunk: TrunkId, ask: &wire::Subscribe) {
        self.kept.expire(self.now);
        self.forget_partner(trunk);
        self.unsubscribe(trunk);
        let range = self.range_for(trunk, Range::from_wire(ask.range));
        let heard = ask.last.iter().filter_map(|point| self.heard(point)).collect();
        let backfill = Backfill { next: self.kept.oldest(), end: self.kept.end(), heard };
        let ages: Vec<u32> = backfill.rows(&self.kept).map(|(_, row)| self.now.since(row.arrived).0).collect();
        let subscribed = wire::Subscribed {
            flow: ask.flow,
            home_flow: self.flow,
            generation: self.generation,
            range: range.wire(),
            snapshot: Some(self.snapshot()),
            backfill: ages.len() as u32,
        };
        self.trunks.push(Subscriber {
            trunk,
            flow: ask.flow,
            range,
            told: self.version.wrapping_sub(1),
            msn: 0,
            next: self.kept.end(),
            backfill: (!ages.is_empty()).then_some(backfill),
            round_trip: Millis(0),
            pending: Vec::new(),
            accused: None,
        });
        self.frame(trunk, What::Subscribed(subscribed));
        for ages in ages.chunks(AGES_PER_FRAME) {
            self.frame(trunk, What::Spacing(wire::Spacing { flow: ask.flow, age: ages.to_vec() }));
        }
        self.outbox.push_back(Work::TellTrunk(trunk));
    }

    /// A partner takes part no longer; control takes its participants out.
    pub(super) fn unsubscribe(&mut self, trunk: TrunkId) {
        self.trunks.retain(|subscriber| subscriber.trunk != trunk);
        // It may announce the same references anew before control has taken the old ones out.
        self.behind.retain(|(behind, _), _| *behind != trunk);
        self.outbox.retain(|work| !matches!(work, Work::TellTrunk(to) | Work::Frame(to, _) if *to == trunk));
    }

    /// Control takes out whom the partner has announced.
    fn forget_partner(&mut self, trunk: TrunkId) {
        let gone = self.behind.keys().filter(|behind| behind.0 == trunk);
        self.outbox.extend(gone.map(|behind| Work::Departed(trunk, behind.1)));
    }

    /// The range that a partner asks for if no other partner was given it in this call, else one that nobody was given: a partner
    /// that is away for a while finds its own again, and one that starts anew has no old voices in its new one.
    fn range_for(&mut self, trunk: TrunkId, wanted: Option<Range>) -> Range {
        let given = |range: Range, except: Option<TrunkId>| {
            let others = self.ranges.iter().filter(|(to, _)| Some(**to) != except);
            range == self.range || others.into_iter().any(|(_, given)| *given == range)
        };
        let wanted = wanted.filter(|wanted| !given(*wanted, Some(trunk)));
        let mut range = wanted.unwrap_or(self.range.next());
        while wanted != Some(range) && given(range, None) {
            range = range.next();
        }
        self.ranges.insert(trunk, range);
        range
    }

    fn heard(&self, point: &wire::Point) -> Option<(Ssrc, Sequence)> {
        let voice = self.voices.get(&Ssrc(point.ssrc))?;
        Some((Ssrc(point.ssrc), Extender::resume(voice.newest).extend((point.sequence & 0xffff) as u16)))
    }

    fn snapshot(&self) -> wire::Snapshot {
        let voice = |(ssrc, voice): (&Ssrc, &Voice)| wire::Voice {
            ssrc: ssrc.0,
            user: voice.user.as_ref().into(),
            sequence: voice.newest.0,
            timestamp: voice.timestamp,
            payload_type: voice.payload_type.into(),
        };
        let ago = |time: Time| self.now.since(time).0;
        let bursts = self.bursts.iter().skip(self.bursts.len().saturating_sub(SNAPSHOT_MAX));
        wire::Snapshot {
            voices: self.voices.iter().map(voice).take(SNAPSHOT_MAX).collect(),
            bursts: bursts
                .map(|burst| wire::Burst {
                    ssrc: burst.ssrc.0,
                    talker: burst.talker.as_ref().into(),
                    began: self.kept.kept(burst.began).map_or(0, |row| ago(row.arrived)),
                    ended: burst.ended.map_or(0, ago),
                    running: burst.ended.is_none(),
                    last: burst.last.map_or(0, |last| last.0 + 1),
                })
                .collect(),
            floor_since: ago(self.arbiter.since()),
        }
    }

    /// Puts a frame into the order of everything else that is said.
    pub(super) fn frame(&mut self, to: TrunkId, what: What) {
        self.outbox.push_back(Work::Frame(to, alloc::boxed::Box::new(wire::Frame { what: Some(what) })));
    }

    /// A frame of a partner that takes part in this call.
    pub(super) fn frame_from_partner(&mut self, trunk: TrunkId, what: What) {
        match what {
            What::Subscribe(ask) => self.subscribe(trunk, &ask),
            What::Unsubscribe(_) => {
                self.forget_partner(trunk);
                self.unsubscribe(trunk);
            }
            What::Announce(announce) => self.announced(trunk, announce),
            What::Depart(depart) => {
                if let Some(subscriber) = self.subscriber(trunk) {
                    subscriber.pending.retain(|pending| pending.0 != depart.reference);
                    self.outbox.push_back(Work::Departed(trunk, depart.reference));
                }
            }
            _ => self.counters.misdirected += 1,
        }
    }

    fn announced(&mut self, trunk: TrunkId, announce: wire::Announce) {
        let known = self.behind.contains_key(&(trunk, announce.reference));
        let ssrc = Ssrc(announce.audio_ssrc);
        let Some(subscriber) = self.subscriber(trunk) else { return };
        let flow = subscriber.flow;
        let taken = known || subscriber.pending.iter().any(|pending| pending.0 == announce.reference);
        if taken || !subscriber.range.contains(ssrc) {
            let cause = if taken { FORGED_REFERENCE } else { SSRC_OUT_OF_RANGE };
            let wire::Announce { reference, user, .. } = announce;
            self.frame(trunk, What::Expel(wire::Expel { flow, reference, cause: cause.into() }));
            let detail = format!("{user} was announced as {reference:#x} with SSRC {:#010x}", ssrc.0);
            return self.overstepped(trunk, Overstep::Participant, cause, detail);
        }
        subscriber.pending.push((announce.reference, None));
        let announced = Announced {
            reference: announce.reference,
            user: announce.user,
            client: announce.client,
            audio_ssrc: ssrc,
            queueing: announce.queueing,
            priority: u8::try_from(announce.priority).unwrap_or(u8::MAX),
        };
        self.outbox.push_back(Work::Announced(trunk, alloc::boxed::Box::new(announced)));
    }

    /// Control does not let an announced participant in, or takes it out.
    pub(super) fn expel(&mut self, trunk: TrunkId, reference: u32, cause: &str) {
        let Some(subscriber) = self.subscriber(trunk) else { return };
        subscriber.pending.retain(|pending| pending.0 != reference);
        let flow = subscriber.flow;
        self.frame(trunk, What::Expel(wire::Expel { flow, reference, cause: cause.into() }));
    }

    /// An announced participant has entered: what it asked meanwhile is asked now.
    pub(super) fn admitted(&mut self, slot: Slot) {
        let Some(behind) = self.seat(slot).and_then(|seat| seat.who.leg.behind()) else { return };
        self.behind.insert((behind.trunk, behind.reference), slot);
        let Some(subscriber) = self.subscriber(behind.trunk) else { return };
        let round_trip = subscriber.round_trip;
        let at = subscriber.pending.iter().position(|pending| pending.0 == behind.reference);
        let held = at.and_then(|at| subscriber.pending.remove(at).1);
        if let Some(seat) = self.seat_mut(slot) {
            seat.extra = round_trip;
        }
        match held {
            Some(Held::Request(priority)) => self.request_floor(slot, priority),
            Some(Held::Release) | None => {}
        }
    }

    /// A floor message of a participant behind a trunk: the last reference says whose.
    pub(super) fn floor_from_partner(&mut self, trunk: TrunkId, packet: &Packet<'_>) {
        let [reference] = packet.track_info.as_ref().map_or(&[][..], |track| track.references) else {
            self.counters.misdirected += 1;
            return;
        };
        let reference = u32::from_be_bytes(*reference);
        if let Some(slot) = self.behind.get(&(trunk, reference)).copied() {
            return self.floor_message(slot, packet);
        }
        let held = match packet.message {
            crate::floor::message::Message::Request { priority, .. } => Held::Request(priority),
            crate::floor::message::Message::Release { .. } => Held::Release,
            _ => return,
        };
        let pending = self
            .subscriber(trunk)
            .and_then(|subscriber| subscriber.pending.iter_mut().find(|pending| pending.0 == reference));
        match pending {
            Some(pending) => pending.1 = Some(held),
            None => self.counters.misdirected += 1,
        }
    }

    pub(super) fn round_trip(&mut self, trunk: TrunkId, round_trip: Millis) {
        let round_trip = round_trip.min(ROUND_TRIP_MAX);
        let Some(subscriber) = self.subscriber(trunk) else { return };
        subscriber.round_trip = round_trip;
        for seat in self.seats.iter_mut().flatten() {
            if seat.who.leg.behind().is_some_and(|behind| behind.trunk == trunk) {
                seat.extra = round_trip;
            }
        }
    }

    /// The next packet that a trunk was not given: to whom, under which flow, and which.
    pub(super) fn choose_forward(&mut self) -> Option<(TrunkId, u32, Order)> {
        let (oldest, end) = (self.kept.oldest(), self.kept.end());
        for subscriber in &mut self.trunks {
            if subscriber.next < oldest {
                self.counters.trunk_overtaken += oldest.0 - subscriber.next.0;
                subscriber.next = oldest;
            }
            while subscriber.next < end {
                let order = subscriber.next;
                subscriber.next = order.next();
                // Never back where it came from.
                if self.kept.kept(order).is_some_and(|row| !subscriber.range.contains(row.ssrc)) {
                    self.counters.forwarded += 1;
                    return Some((subscriber.trunk, subscriber.flow, order));
                }
            }
        }
        None
    }

    /// Fills `orders` with the next part of some subscriber's backfill; true in the answer with the last one.
    pub(super) fn choose_backfill(&mut self, most: usize) -> Option<(TrunkId, u32, bool)> {
        let subscriber = self.trunks.iter_mut().find(|subscriber| subscriber.backfill.is_some())?;
        let backfill = subscriber.backfill.as_mut()?;
        self.orders.clear();
        self.orders.extend(backfill.rows(&self.kept).map(|(order, _)| order).take(most));
        let next = self.orders.last().map_or(backfill.end, |last| last.next());
        backfill.next = next;
        let done = backfill.rows(&self.kept).next().is_none();
        let to = (subscriber.trunk, subscriber.flow, done);
        self.counters.backfilled += self.orders.len() as u64;
        if done {
            subscriber.backfill = None;
        }
        Some(to)
    }

    /// Writes what the floor says to one participant behind a trunk, and answers where it goes.
    pub(super) fn write_note_behind(&mut self, slot: Slot, note: Note) -> Option<(TrunkId, wire::Floor)> {
        let seat = super::at(&self.seats, slot)?;
        let behind = seat.who.leg.behind()?;
        let flow = self.trunks.iter().find(|subscriber| subscriber.trunk == behind.trunk)?.flow;
        let track = Track::new(seat.who.queueing, behind.reference);
        let message = self.message_of(note, seat.who.audio_ssrc);
        let packet = Packet { ssrc: self.floor_ssrc, acknowledge: false, message, track_info: Some(track.info()) };
        let mut datagram = [0; crate::floor::message::SIZE_MAX];
        let length = packet.write(&mut datagram).ok()?;
        let message = datagram.get(..length)?.to_vec();
        Some((behind.trunk, wire::Floor { flow, message, holder: behind.reference, talker: String::new() }))
    }

    /// Writes the present state of the floor for everybody behind a trunk; `None` if it knows.
    pub(super) fn write_state_trunk(&mut self, trunk: TrunkId) -> Option<wire::Floor> {
        let version = self.version;
        let talker = self.present_talker();
        let subscriber = self.subscriber(trunk)?;
        if subscriber.told == version {
            return None;
        }
        subscriber.told = version;
        subscriber.msn = subscriber.msn.wrapping_add(1);
        let (flow, number) = (subscriber.flow, subscriber.msn);
        let holder = self.arbiter.holder().and_then(|holder| self.seat(holder)).and_then(|seat| seat.who.leg.behind());
        let holder = holder.filter(|behind| behind.trunk == trunk).map_or(0, |behind| behind.reference);
        let message = self.state_message(talker.as_ref(), number, true);
        let packet = Packet { ssrc: self.floor_ssrc, acknowledge: false, message, track_info: None };
        let mut datagram = [0; crate::floor::message::SIZE_MAX];
        let length = packet.write(&mut datagram).ok()?;
        let message = datagram.get(..length)?.to_vec();
        let talker = talker.map_or(String::new(), |talker| talker.0.as_ref().into());
        Some(wire::Floor { flow, message, holder, talker })
    }
}
