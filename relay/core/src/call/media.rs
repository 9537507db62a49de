//! Media of a call: whose may leave, how much of it, and under which order number.

use alloc::{
    collections::{BTreeSet, btree_map::Entry},
    vec::Vec,
};
use core::net::SocketAddr;

use super::Call;
use crate::{
    Slot, Ssrc, Time,
    floor::{
        general,
        participant::{self, Reason},
    },
    rtp,
    voice::{Burst, Voice},
};

/// Why a talker's or a participant's media does not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drop {
    /// The participant has no permission; it is answered with Floor Revoke 3.
    NoPermission,
    /// It was in flight when the floor ended.
    Tail,
    /// The talker exceeds `packets_per_s`.
    PacketRate,
    /// The talker exceeds `bytes_per_s`.
    ByteRate,
    /// The network brought the packet twice.
    Duplicate,
    /// The packet is larger than retention.
    TooLarge,
    /// A trunk brought it under an SSRC that its system's talker does not have.
    Injected,
    /// Too much came while a backfill was awaited.
    Held,
}

impl Drop {
    /// How many causes there are.
    pub const COUNT: usize = 8;

    /// Every cause with the word that counters show.
    pub const TABLE: [(Drop, &'static str); Drop::COUNT] = [
        (Drop::NoPermission, "no-permission"),
        (Drop::Tail, "tail"),
        (Drop::PacketRate, "media.packets_per_s"),
        (Drop::ByteRate, "media.bytes_per_s"),
        (Drop::Duplicate, "duplicate"),
        (Drop::TooLarge, "too-large"),
        (Drop::Injected, "injected"),
        (Drop::Held, "held"),
    ];

    /// Place of the cause in `TABLE`.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What a talker may still send: two allowances, each worth one second at most.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rate {
    /// In millionths of a packet.
    packets: u64,
    /// In millionths of a byte.
    bytes: u64,
    since: Time,
}

impl Rate {
    pub(super) fn full(packets_per_s: u32, bytes_per_s: u32, now: Time) -> Rate {
        Rate { packets: u64::from(packets_per_s) * 1_000_000, bytes: u64::from(bytes_per_s) * 1_000_000, since: now }
    }

    /// Takes one packet of `length` bytes out of the allowances, or says which one does not suffice.
    fn take(&mut self, length: usize, packets_per_s: u32, bytes_per_s: u32, now: Time) -> Result<(), Drop> {
        let passed = now.micros_since(self.since);
        self.since = now;
        let full = Rate::full(packets_per_s, bytes_per_s, now);
        self.packets = full.packets.min(self.packets.saturating_add(passed.saturating_mul(u64::from(packets_per_s))));
        self.bytes = full.bytes.min(self.bytes.saturating_add(passed.saturating_mul(u64::from(bytes_per_s))));
        let packets = self.packets.checked_sub(1_000_000).ok_or(Drop::PacketRate)?;
        let bytes = self.bytes.checked_sub(length as u64 * 1_000_000).ok_or(Drop::ByteRate)?;
        (self.packets, self.bytes) = (packets, bytes);
        Ok(())
    }
}

impl<A: Copy + From<SocketAddr>> Call<A> {
    /// RTP came on a participant's leg, under its own SSRC.
    pub(super) fn media(&mut self, slot: Slot, packet: &rtp::Packet<'_>) {
        let now = self.now;
        let Some(seat) = self.seat_mut(slot) else { return };
        seat.heard = now;
        seat.floor.handle(participant::Input::Media, now);
        loop {
            let Some(seat) = self.seat_mut(slot) else { return };
            match seat.floor.poll() {
                participant::Output::Distribute => self.distribute(slot, packet),
                participant::Output::Drop(Reason::NoPermission) => self.count(Drop::NoPermission),
                participant::Output::Drop(Reason::Tail | Reason::Leaving) => self.count(Drop::Tail),
                participant::Output::Wake(wake) => return self.wake_participant(slot, wake),
                output => self.obey(slot, output),
            }
        }
    }

    /// The participant may talk, or has just stopped: its packet gets an order number and leaves.
    fn distribute(&mut self, slot: Slot, packet: &rtp::Packet<'_>) {
        // The grant outlives its burst for the tail; somebody else's tail finds another grant here.
        if self.grant.as_ref().is_none_or(|grant| grant.holder() != slot) {
            return self.count(Drop::Tail);
        }
        if let Err(cause) = self.take_rate(packet.bytes().len()) {
            return self.count(cause);
        }
        let Some(sequence) = self.note_voice(slot, packet) else { return self.count(Drop::Duplicate) };
        let order = self.kept.append(packet.bytes(), packet.ssrc(), sequence, self.now);
        self.counters.media += 1;
        if self.kept.packet(order).is_none() {
            self.count(Drop::TooLarge);
        }
        if let Some(burst) = self.bursts.back_mut()
            && burst.ssrc == packet.ssrc()
        {
            burst.extend(sequence, order);
        }
        self.count_own(packet.ssrc());
        self.offer(order);
        if !self.newcomers.is_empty() {
            self.serve_newcomers();
        }
        self.arbiter.handle(general::Input::Media(slot), self.now);
        self.settle();
    }

    fn take_rate(&mut self, length: usize) -> Result<(), Drop> {
        let (packets, bytes) = (self.settings.packets_per_s, self.settings.bytes_per_s);
        self.rate.take(length, packets, bytes, self.now)
    }

    fn note_voice(&mut self, slot: Slot, packet: &rtp::Packet<'_>) -> Option<rtp::Sequence> {
        match self.voices.entry(packet.ssrc()) {
            Entry::Occupied(mut voice) => voice.get_mut().note(packet, self.now),
            Entry::Vacant(place) => {
                let user = self.seats.get(slot.index())?.as_ref()?.who.user.clone();
                let newest = place.insert(Voice::begin(user.clone(), packet, self.now)).newest;
                self.leave_own_out(packet.ssrc(), &user);
                Some(newest)
            }
        }
    }

    /// A newcomer that begins to talk while it is still served from retention does not hear itself there.
    pub(super) fn leave_own_out(&mut self, ssrc: Ssrc, user: &str) {
        for newcomer in &self.newcomers {
            if let Some(seat) = super::at_mut(&mut self.seats, *newcomer)
                && *seat.who.user == *user
                && let Some(newcomer) = seat.newcomer.as_deref_mut()
            {
                newcomer.leave_out(ssrc);
            }
        }
    }

    pub(super) fn count(&mut self, cause: Drop) {
        if let Some(counter) = self.counters.dropped.get_mut(cause.index()) {
            *counter += 1;
        }
    }

    /// The floor was granted: a burst begins, under the settings that count from here.
    pub(super) fn open(&mut self, grant: general::Grant<Slot>) {
        self.close();
        self.begin_settings();
        self.rate = Rate::full(self.settings.packets_per_s, self.settings.bytes_per_s, self.now);
        if let Some(seat) = self.seat(grant.holder()) {
            let (ssrc, talker) = (seat.who.audio_ssrc, seat.who.user.clone());
            let began = self.kept.end();
            self.bursts.push_back(Burst { ssrc, talker, began, until: began, last: None, ended: None });
        }
        self.grant = Some(grant);
        self.forget();
    }

    /// Settings that wait for a burst count from here.
    pub(super) fn begin_settings(&mut self) {
        if let Some(settings) = self.next_settings.take() {
            self.settings = settings;
            self.kept.limit(settings.limits());
        }
    }

    /// The floor is no longer granted: the burst has ended.
    pub(super) fn close(&mut self) {
        let now = self.now;
        if let Some(burst) = self.bursts.back_mut() {
            burst.ended.get_or_insert(now);
        }
    }

    /// Lets go of bursts that no longer stand in retention, and of voices that cannot come back.
    pub(super) fn forget(&mut self) {
        let oldest = self.kept.oldest();
        while self.bursts.front().is_some_and(|burst| burst.ended.is_some() && burst.until <= oldest) {
            self.bursts.pop_front();
        }
        if self.voices.len() > VOICES_UNCHECKED {
            let here = self.seats.iter().flatten().map(|seat| seat.who.audio_ssrc);
            let wanted: BTreeSet<Ssrc> = here.chain(self.kept.from(oldest).map(|(_, row)| row.ssrc)).collect();
            self.voices.retain(|ssrc, _| wanted.contains(ssrc));
        }
    }

    /// The slots of the user who speaks under `ssrc`.
    pub(super) fn slots_of(&self, ssrc: Ssrc) -> Vec<Slot> {
        let Some(voice) = self.voices.get(&ssrc) else { return Vec::new() };
        let own = |(at, seat): (usize, &Option<_>)| {
            let seat: &super::Seat = seat.as_deref()?;
            (seat.who.user == voice.user).then_some(Slot(at as u32))
        };
        self.seats.iter().enumerate().filter_map(own).collect()
    }

    /// A participant came or went: whose packets it does not get has to be looked up again.
    pub(super) fn note_own(&mut self, slot: Slot) {
        let user = self.seat(slot).map(|seat| seat.who.user.clone());
        let talker = self.own.as_ref().and_then(|own| self.voices.get(&own.0)).map(|voice| voice.user.clone());
        if talker.is_none() || user == talker {
            self.own = None;
        }
    }

    /// Packets of a participant's own user among those kept from `next` on that it counts as such.
    pub(super) fn own_from(&self, next: crate::Order, seat: &super::Seat) -> u64 {
        if seat.own_since == 0 {
            return 0;
        }
        let own = |ssrc| self.voices.get(ssrc).is_some_and(|voice| voice.user == seat.who.user);
        self.kept.from(next).filter(|(_, row)| own(&row.ssrc)).count() as u64
    }

    pub(super) fn own_since(&self, slot: Slot, next: crate::Order) -> u64 {
        self.seat(slot).map_or(0, |seat| self.own_from(next, seat))
    }

    /// One more packet that the participants of its own user do not get.
    pub(super) fn count_own(&mut self, ssrc: Ssrc) {
        if self.own.as_ref().is_none_or(|own| own.0 != ssrc) {
            self.own = Some((ssrc, self.slots_of(ssrc)));
        }
        let Some((_, own)) = &self.own else { return };
        for slot in own {
            if let Some(seat) = super::at_mut(&mut self.seats, *slot)
                && seat.live_from.is_some()
            {
                seat.own_since += 1;
            }
        }
    }
}

/// Voices that a call may have before it looks whether some can be forgotten.
const VOICES_UNCHECKED: usize = 64;
