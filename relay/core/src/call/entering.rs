//! How a participant comes into a call, changes its leg, and goes: always by the same way, late entry.

use alloc::{boxed::Box, vec::Vec};
use core::net::SocketAddr;

use super::{Call, Seat, alarm::Alarm, slices::Gone, telling::Note, work::Work};
use crate::{
    Millis, Order, Slot, Time,
    floor::{
        general::{self, State},
        participant,
    },
    late_entry::{ResumePoint, newcomer::Newcomer, plan::Plan},
    roster,
};

impl<A: Copy + From<SocketAddr>> Call<A> {
    /// A participant enters: the floor first, then what is retained for it, then live media.
    pub(super) fn enter(&mut self, slot: Slot, entry: u64, who: roster::Participant) {
        if self.seat(slot).is_some() {
            self.leave(slot);
        }
        let plan = self.plan(&who);
        let implicit = who.implicit_floor_request;
        self.place(slot, self.newcomer_seat(entry, who));
        self.participants += 1;
        self.arbiter.handle(general::Input::Entered(slot), self.now);
        self.announce(slot);
        let before = self.outbox.len();
        self.set_up_or_ask(slot, implicit);
        self.welcome(slot, before);
        if self.is_behind(slot) {
            // Its partner serves it: the trunk brought floor and media when the partner subscribed.
            self.counters.entered += 1;
            self.outbox.push_back(Work::Entered(slot, entry, Box::new(plan)));
            return self.admitted(slot);
        }
        let newcomer = Newcomer::new(plan, &self.kept, self.now);
        self.serve_from(slot, newcomer);
    }

    /// A participant's leg is replaced: same participant, same floor, same place in the queue; media from its resume points,
    /// or else from the last packet that went to the old leg.
    pub(super) fn replace(&mut self, slot: Slot, entry: u64, who: roster::Participant) {
        // Between a trunk and a leg of its own nothing goes over: its reference and its round trip are another system's.
        if self.is_behind(slot) || who.leg.behind().is_some() {
            return self.enter(slot, entry, who);
        }
        let Some(old) = self.seats.get_mut(slot.index()).and_then(Option::take) else {
            return self.enter(slot, entry, who);
        };
        let mut old = *old;
        let next = self.withdraw(slot, &mut old);
        let plan = if who.resume.is_empty() { None } else { Some(self.plan(&who)) };
        let goes_on = match (plan, old.newcomer.take()) {
            (Some(plan), _) => Newcomer::new(plan, &self.kept, self.now),
            (None, Some(newcomer)) => newcomer.restart(&self.kept, self.now),
            (None, None) => Newcomer::new(Plan::from(next, &who.user, &self.voices), &self.kept, self.now),
        };
        let seat = Seat {
            floor: old.floor,
            why: old.why,
            msn: old.msn,
            asked: old.asked,
            entered: old.entered,
            sent: old.sent,
            overtaken: old.overtaken,
            lost: old.lost,
            held: old.held,
            has_asked: old.has_asked,
            asks_implicitly: old.asks_implicitly,
            ..self.newcomer_seat(entry, who)
        };
        self.place(slot, seat);
        self.drain(slot);
        self.outbox.push_back(match (self.arbiter.state(), self.arbiter.remaining(self.now)) {
            (State::Taken { holder }, Some(rest)) if holder == slot => {
                let priority = self.seat(slot).map_or(0, |seat| seat.request(slot, seat.asked, false).priority);
                let duration_s = rest.0.div_ceil(1000) as u16;
                Work::Note(slot, Note::Granted { duration_s, priority })
            }
            (State::PendingRevoke { holder, cause }, _) if holder == slot => Work::Note(slot, Note::Revoke(cause)),
            _ => Work::Tell(slot),
        });
        self.serve_from(slot, goes_on);
    }

    /// A participant leaves, and is told later what it was sent last: the newest packet of each SSRC. From here on nothing is handed
    /// out for it.
    pub fn take_out(&mut self, slot: Slot, now: Time) -> Vec<ResumePoint> {
        self.now = self.now.max(now);
        let Some(user) = self.seat(slot).map(|seat| seat.who.user.clone()) else { return Vec::new() };
        let next = self.leave(slot);
        let mut points: Vec<ResumePoint> = Vec::new();
        for (ssrc, voice) in self.voices.iter().filter(|(_, voice)| voice.user != user) {
            let mut of_voice = self.kept.from(self.kept.oldest()).filter(|(_, row)| row.ssrc == *ssrc).peekable();
            // What retention no longer has was sent, or is missed: it is not asked for again.
            let before = of_voice.peek().map(|(_, row)| row.sequence.0.wrapping_sub(1));
            let sent = of_voice.take_while(|(order, _)| *order < next).map(|(_, row)| row.sequence.0).max();
            let sequence = sent.or(before).unwrap_or(voice.newest.0);
            points.push(ResumePoint { ssrc: *ssrc, sequence });
        }
        points
    }

    /// A participant leaves: from here on nothing is handed out for it. Answers the first packet that it was not given.
    pub(super) fn leave(&mut self, slot: Slot) -> Order {
        let Some(seat) = self.seat_mut(slot) else { return self.kept.end() };
        seat.floor.handle(participant::Input::Leave, crate::Time::ZERO);
        self.note_own(slot);
        self.drain(slot);
        let Some(mut seat) = self.seats.get_mut(slot.index()).and_then(Option::take) else { return self.kept.end() };
        let live = self.withdraw(slot, &mut seat);
        self.answer(slot, super::Answer::Left);
        self.participants -= 1;
        match seat.who.leg.behind() {
            // Who came back under the same reference meanwhile keeps it.
            Some(behind) => self.behind.retain(|key, at| *at != slot || *key != (behind.trunk, behind.reference)),
            None => self.depart(seat.who.audio_ssrc.0),
        }
        seat.newcomer.map_or(live, |newcomer| newcomer.next())
    }

    fn set_up_or_ask(&mut self, slot: Slot, implicit: bool) {
        let asks = self.seat(slot).filter(|_| implicit);
        let request = asks.map(|seat| seat.request(slot, seat.who.priority, true));
        match (self.arbiter.state(), request) {
            (State::StartStop, implicit) => self.arbiter.handle(general::Input::SetUp { implicit }, self.now),
            (_, Some(request)) => self.arbiter.handle(general::Input::Request(request), self.now),
            (_, None) => return,
        }
        self.settle();
    }

    /// The state of the floor goes before everything else that is said to the newcomer, unless it has the floor itself.
    fn welcome(&mut self, slot: Slot, before: usize) {
        if self.arbiter.holder() != Some(slot) {
            self.outbox.insert(before.min(self.outbox.len()), Work::Tell(slot));
        }
    }

    /// Retained media follows, as far as it may leave at once, then the answer to control.
    fn serve_from(&mut self, slot: Slot, newcomer: Newcomer) {
        self.counters.entered += 1;
        let (now, plan) = (self.now, newcomer.plan().clone());
        let Some(seat) = self.seat_mut(slot) else { return };
        seat.newcomer = Some(Box::new(newcomer));
        let (entry, expiry) = (seat.entry, seat.who.expires.map(|expires| now + expires));
        self.newcomers.push(slot);
        if !self.hold(slot) {
            self.outbox.push_back(Work::Serve(slot));
            self.outbox.push_back(Work::Entered(slot, entry, Box::new(plan)));
        }
        self.set_alarm(slot, Alarm::Expiry, expiry);
    }

    fn plan(&mut self, who: &roster::Participant) -> Plan {
        self.kept.expire(self.now);
        let running = self.bursts.back().filter(|burst| burst.ended.is_none()).map(|burst| burst.began);
        let entry_from = self.now - self.settings.entry;
        let mut plan = Plan::new(&who.resume, &who.user, &self.voices, &self.kept, running, entry_from);
        self.expect_backfill(&who.resume, &mut plan);
        plan
    }

    fn newcomer_seat(&self, entry: u64, who: roster::Participant) -> Seat {
        let taken = self.arbiter.holder().is_some();
        Seat {
            entry,
            floor: participant::Participant::enter(taken, &self.settings.floor.timers),
            why: participant::Why::T8,
            msn: 0,
            told: self.version.wrapping_sub(1),
            confirmed: false,
            waiting: None,
            asked: 0,
            newcomer: None,
            entered: self.now,
            heard: self.now,
            alarms: [None; Alarm::COUNT],
            live_from: None,
            own_since: 0,
            place: None,
            held: None,
            lost: 0,
            sent: 0,
            overtaken: 0,
            has_asked: false,
            asks_implicitly: who.implicit_floor_request,
            extra: Millis(0),
            who,
        }
    }

    fn place(&mut self, slot: Slot, seat: Seat) {
        if self.seats.len() <= slot.index() {
            self.seats.resize_with(slot.index() + 1, || None);
        }
        if let Some(place) = self.seats.get_mut(slot.index()) {
            *place = Some(Box::new(seat));
        }
    }

    /// Takes a leg out of everything that could still send to it. Answers the first packet that it was not given.
    fn withdraw(&mut self, slot: Slot, seat: &mut Seat) -> Order {
        self.alarms.clear(slot, &mut seat.alarms);
        self.newcomers.retain(|newcomer| *newcomer != slot);
        self.newcomers_due.retain(|newcomer| *newcomer != slot);
        self.outbox.retain(|work| !work.concerns(slot));
        let end = self.kept.end();
        let gone = self.let_go(slot, seat.place.take()).unwrap_or(Gone::never(end)).before(end);
        let own = self.own_from(gone.next, seat);
        seat.end_live(gone, own);
        gone.next
    }
}

impl Work {
    fn concerns(&self, slot: Slot) -> bool {
        match self {
            Work::Note(to, _) | Work::Tell(to) | Work::Repeat(to) | Work::Serve(to) => *to == slot,
            Work::Entered(to, ..) | Work::Expired(to, _) => *to == slot,
            Work::Expelled(to, _) => *to == slot,
            Work::Answer(..) | Work::Inactive | Work::TellTrunk(_) | Work::Frame(..) => false,
            Work::Announced(..) | Work::Departed(..) | Work::Ready | Work::Refused(_) => false,
            Work::Missed(..) | Work::Overstepped(..) => false,
        }
    }
}
