//! Alarms of participants: few at any time, so an ordered set of those that are due, not a timer per participant.

use alloc::collections::BTreeSet;

use super::{Call, Why, seat::Seat};
use crate::{Millis, Slot, Time, floor::participant, late_entry::acknowledgement::Due};

/// What a participant may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    Participant,
    Acknowledgement,
    Expiry,
    Withhold,
}

impl Alarm {
    pub(super) const COUNT: usize = 4;
}

/// When each alarm of one participant is due.
pub(super) type Due4 = [Option<Time>; Alarm::COUNT];

/// After this time a leg that is still silent is reported once more: control may have missed it.
const EXPIRED_AGAIN: Millis = Millis(10_000);

#[derive(Debug, Default)]
pub(super) struct Alarms {
    due: BTreeSet<(Time, Slot, Alarm)>,
}

impl Alarms {
    /// Sets, moves or clears one alarm. `own` is the participant's own record of it.
    pub(super) fn set(&mut self, slot: Slot, alarm: Alarm, own: &mut Due4, at: Option<Time>) {
        let Some(current) = own.get_mut(alarm as usize) else { return };
        if *current == at {
            return;
        }
        if let Some(was) = *current {
            self.due.remove(&(was, slot, alarm));
        }
        if let Some(at) = at {
            self.due.insert((at, slot, alarm));
        }
        *current = at;
    }

    pub(super) fn clear(&mut self, slot: Slot, own: &mut Due4) {
        for alarm in [Alarm::Participant, Alarm::Acknowledgement, Alarm::Expiry, Alarm::Withhold] {
            self.set(slot, alarm, own, None);
        }
    }

    fn first(&self) -> Option<(Time, Slot, Alarm)> {
        self.due.first().copied()
    }
}

impl<A: Copy + From<core::net::SocketAddr>> Call<A> {
    /// Everything whose time has come.
    pub(super) fn expire_due(&mut self) {
        if self.arbiter_wake.is_some_and(|(at, _)| at <= self.now) {
            self.arbiter.handle(crate::floor::general::Input::Timer, self.now);
            self.settle();
        }
        if self.replay_wake.is_some_and(|at| at <= self.now) {
            self.replay_wake = None;
            self.serve_newcomers();
        }
        if self.uplink.as_ref().and_then(|uplink| uplink.wake()).is_some_and(|at| at <= self.now) {
            self.finish_filling();
        }
        while let Some((at, slot, alarm)) = self.alarms.first().filter(|(at, ..)| *at <= self.now) {
            let Some(seat) = super::at_mut(&mut self.seats, slot) else {
                self.alarms.due.remove(&(at, slot, alarm));
                continue;
            };
            self.alarms.set(slot, alarm, &mut seat.alarms, None);
            match alarm {
                Alarm::Participant => {
                    seat.floor.handle(participant::Input::Timer, self.now);
                    self.drain(slot);
                }
                Alarm::Acknowledgement => self.remind(slot),
                Alarm::Expiry => self.check_expiry(slot),
                Alarm::Withhold => self.serve(slot),
            }
        }
    }

    /// When the call wants to be told that time has passed.
    pub(super) fn next_wake(&self) -> Option<(Time, Why)> {
        let alarm = self.alarms.first().map(|(at, slot, alarm)| (at, self.why(slot, alarm)));
        let floor = self.arbiter_wake.map(|(at, why)| (at, Why::Floor(why)));
        let replay = self.replay_wake.map(|at| (at, Why::Replay));
        let backfill = self.uplink.as_ref().and_then(|uplink| uplink.wake()).map(|at| (at, Why::Backfill));
        [floor, replay, backfill, alarm].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    pub(super) fn set_alarm(&mut self, slot: Slot, alarm: Alarm, at: Option<Time>) {
        if let Some(seat) = super::at_mut(&mut self.seats, slot) {
            self.alarms.set(slot, alarm, &mut seat.alarms, at);
        }
    }

    fn why(&self, slot: Slot, alarm: Alarm) -> Why {
        match alarm {
            Alarm::Participant => Why::Participant(self.seat(slot).map_or(participant::Why::T8, |seat| seat.why)),
            Alarm::Acknowledgement => Why::Acknowledgement,
            Alarm::Expiry => Why::Expiry,
            Alarm::Withhold => Why::Withhold,
        }
    }

    /// A late-entry floor message has no Floor Ack yet.
    fn remind(&mut self, slot: Slot) {
        let now = self.now;
        let Some(waiting) = self.seat_mut(slot).and_then(|seat| seat.waiting.as_mut()) else { return };
        match waiting.advance(now) {
            Due::At(at) => self.set_alarm(slot, Alarm::Acknowledgement, Some(at)),
            Due::Repeat => {
                let due = waiting.due();
                self.set_alarm(slot, Alarm::Acknowledgement, Some(due));
                self.outbox.push_back(super::Work::Repeat(slot));
            }
            Due::Unconfirmed => {
                self.counters.unconfirmed += 1;
                if let Some(seat) = self.seat_mut(slot) {
                    seat.waiting = None;
                }
            }
        }
    }

    fn check_expiry(&mut self, slot: Slot) {
        let now = self.now;
        let Some(seat) = self.seat(slot) else { return };
        match seat.lives_until() {
            Some(until) if until <= now => {
                let entry = seat.entry;
                self.outbox.push_back(super::Work::Expired(slot, entry));
                self.set_alarm(slot, Alarm::Expiry, Some(now + EXPIRED_AGAIN));
            }
            until => self.set_alarm(slot, Alarm::Expiry, until),
        }
    }

    /// Something valid came on the leg.
    pub(super) fn hear(&mut self, slot: Slot) {
        let now = self.now;
        if let Some(seat) = self.seat_mut(slot) {
            seat.heard = now;
        }
    }
}

impl Seat {
    fn lives_until(&self) -> Option<Time> {
        self.who.expires.map(|expires| self.heard + expires)
    }
}
