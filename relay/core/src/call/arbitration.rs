//! What participants ask, what the floor answers, and who has to hear it: the general machine and the participants' machines
//! (TS 24.380 §6.3.4, §6.3.5) put together as function calls, so that none of them can believe yesterday's floor.

use core::net::SocketAddr;

use super::{Action, Answer, Call, alarm::Alarm, telling::Note, work::Work};
use crate::{
    Slot, Time,
    floor::{
        cause::DenyCause,
        general::{self, Output},
        message::{Message, Packet},
        non_controlling,
        participant::{self, Asked, Told},
    },
};

impl<A: Copy + From<SocketAddr>> Call<A> {
    /// A floor message came on a participant's leg, under its own SSRC.
    pub(super) fn floor_message(&mut self, slot: Slot, packet: &Packet<'_>) {
        self.hear(slot);
        self.confirm(slot);
        let input = match packet.message {
            Message::Request { priority, .. } => return self.request_floor(slot, priority),
            Message::Release { .. } => participant::Input::Release { acknowledge: packet.acknowledge },
            Message::QueuePositionRequest => participant::Input::QueuePositionRequest,
            Message::Ack { .. } => return,
            _ => {
                self.counters.misdirected += 1;
                return;
            }
        };
        let now = self.now;
        let released = matches!(packet.message, Message::Release { .. });
        let Some(seat) = self.seat_mut(slot) else { return };
        seat.floor.handle(input, now);
        self.drain(slot);
        if released {
            self.answer(slot, Answer::Released);
        }
    }

    /// A participant asks for the floor by a message.
    pub(super) fn request_floor(&mut self, slot: Slot, priority: Option<u8>) {
        let now = self.now;
        let Some(seat) = self.seat_mut(slot) else { return };
        seat.asked = priority.unwrap_or(0);
        seat.has_asked = true;
        seat.asks_implicitly = false;
        seat.floor.handle(participant::Input::Request, now);
        self.drain(slot);
    }

    /// A participant asks through the API.
    pub(super) fn ask(&mut self, slot: Slot, token: u64, action: Action) {
        if self.seat(slot).is_none() {
            return self.outbox.push_back(Work::Answer(token, Answer::Left));
        }
        let input = match action {
            Action::Request(priority) => {
                self.asking.push((slot, token));
                if let Some(seat) = self.seat_mut(slot) {
                    seat.asked = priority;
                }
                participant::Input::Request
            }
            Action::Release => {
                let waits = self.arbiter.waits(slot);
                self.outbox.push_back(Work::Answer(token, Answer::Released));
                self.answer(slot, Answer::Released);
                if self.arbiter.holder() != Some(slot) && !waits && !self.arbiter.is_under_way(slot) {
                    return;
                }
                participant::Input::Release { acknowledge: false }
            }
        };
        let now = self.now;
        let Some(seat) = self.seat_mut(slot) else { return };
        seat.floor.handle(input, now);
        self.drain(slot);
        // What is under way to the home is answered when the home has answered.
        if !self.arbiter.is_under_way(slot) {
            self.answer(slot, Answer::Denied(DenyCause::InternalError));
        }
    }

    /// Does what a participant's machine says until it has nothing more to say.
    pub(super) fn drain(&mut self, slot: Slot) {
        loop {
            let Some(seat) = self.seat_mut(slot) else { return };
            match seat.floor.poll() {
                participant::Output::Wake(wake) => return self.wake_participant(slot, wake),
                output => self.obey(slot, output),
            }
        }
    }

    pub(super) fn wake_participant(&mut self, slot: Slot, wake: Option<(Time, participant::Why)>) {
        if let Some((_, why)) = wake
            && let Some(seat) = self.seat_mut(slot)
        {
            seat.why = why;
        }
        self.set_alarm(slot, Alarm::Participant, wake.map(|(at, _)| at));
    }

    /// Does one thing that a participant's machine says.
    pub(super) fn obey(&mut self, slot: Slot, output: participant::Output) {
        let now = self.now;
        match output {
            // The partner acknowledges its own participants, and repeats to them what has to be repeated.
            participant::Output::Acknowledge | participant::Output::Current | participant::Output::Revoke(_)
                if self.is_behind(slot) => {}
            participant::Output::Acknowledge => self.outbox.push_back(Work::Note(slot, Note::Acknowledge)),
            participant::Output::Current => self.outbox.push_back(Work::Tell(slot)),
            participant::Output::Revoke(cause) => self.outbox.push_back(Work::Note(slot, Note::Revoke(cause))),
            participant::Output::GaveUp => self.counters.unheeded += 1,
            participant::Output::ToGeneral(asked) => {
                let Some(seat) = self.seat(slot) else { return };
                let input = match asked {
                    Asked::Request => general::Input::Request(seat.request(slot, seat.asked, false)),
                    Asked::Release => general::Input::Release(slot),
                    Asked::QueuePositionRequest => general::Input::QueuePositionRequest(slot),
                    Asked::Left => general::Input::Left(slot),
                };
                self.arbiter.handle(input, now);
                self.settle();
            }
            participant::Output::Distribute | participant::Output::Drop(_) | participant::Output::Wake(_) => {}
        }
    }

    /// Does what the general machine says until it has nothing more to say.
    pub(super) fn settle(&mut self) {
        loop {
            let output = match self.arbiter.poll() {
                non_controlling::Output::Local(output) => output,
                non_controlling::Output::Home(what) => {
                    self.tell_home(what);
                    continue;
                }
                // The others hear nothing before the home has said what comes next.
                non_controlling::Output::Stopped(slot) => {
                    self.tell(slot, Told::Idle);
                    continue;
                }
                non_controlling::Output::Wake(wake) => {
                    self.arbiter_wake = wake;
                    return;
                }
            };
            match output {
                Output::Talker(Some(grant)) => self.open(grant),
                Output::Talker(None) => self.close(),
                Output::Granted { to, .. } if self.is_behind(to) && !self.has_asked(to) => {}
                Output::Granted { to, duration_s, priority } => {
                    self.note(to, Told::Granted, Note::Granted { duration_s, priority });
                    self.answer(to, Answer::Granted(duration_s));
                }
                Output::Taken { by } => self.tell_all(Told::Taken, Some(by)),
                Output::Idle => self.tell_all(Told::Idle, None),
                Output::Deny { to, cause } => {
                    // TS 24.380 §6.3.5.2.2: an implicit request that cannot be granted is answered by Floor Taken alone.
                    match self.asks_implicitly(to) && cause == DenyCause::AnotherClientHasPermission {
                        true => self.tell(to, Told::Deny),
                        false => self.note(to, Told::Deny, Note::Deny(cause)),
                    }
                    self.answer(to, Answer::Denied(cause));
                }
                Output::Queued { to, position, priority, tell } => {
                    // Whether its own participant is told is the partner's business.
                    if tell || self.is_behind(to) {
                        self.note(to, Told::Queued, Note::Queued { position, priority });
                    }
                    self.answer(to, Answer::Queued(position));
                }
                Output::NotQueued { to } => self.note(to, Told::Queued, Note::NotQueued),
                Output::Revoke { to, cause } if self.is_behind(to) => {
                    self.note(to, Told::Revoke(cause), Note::Revoke(cause));
                }
                Output::Revoke { to, cause } => self.tell(to, Told::Revoke(cause)),
                Output::Inactive => self.outbox.push_back(Work::Inactive),
                // The arbiter says it by itself.
                Output::Wake(_) => return,
            }
        }
    }

    /// The floor has changed for everybody: their machines know at once, the messages follow as fast as they can leave.
    fn tell_all(&mut self, told: Told, except: Option<Slot>) {
        self.version = self.version.wrapping_add(1);
        for at in 0..self.seats.len() {
            let slot = Slot(at as u32);
            if Some(slot) == except {
                let version = self.version;
                if let Some(seat) = self.seat_mut(slot) {
                    seat.told = version;
                }
                continue;
            }
            self.tell(slot, told);
        }
        self.turn.telling = Some(0);
        // What waits unsaid is outdated; said in its place, the newest state would come before the grant that it is about.
        self.outbox.retain(|work| !matches!(work, Work::TellTrunk(_)));
        self.outbox.extend(self.trunks.iter().map(|subscriber| Work::TellTrunk(subscriber.trunk)));
    }

    /// Whether a participant behind a trunk has a request that was not granted yet. A grant crosses once: the partner repeats it
    /// to its participant (T20), and a second one could meet a participant that has given the first one back.
    fn has_asked(&mut self, slot: Slot) -> bool {
        self.seat_mut(slot).is_some_and(|seat| core::mem::take(&mut seat.has_asked))
    }

    /// Whether the first request of a participant, made by entering, was not answered yet.
    fn asks_implicitly(&mut self, slot: Slot) -> bool {
        self.seat_mut(slot).is_some_and(|seat| core::mem::take(&mut seat.asks_implicitly))
    }

    /// Whether a partner serves this participant.
    pub(super) fn is_behind(&self, slot: Slot) -> bool {
        self.seat(slot).is_some_and(|seat| seat.who.leg.behind().is_some())
    }

    fn tell(&mut self, slot: Slot, told: Told) {
        let now = self.now;
        if let Some(seat) = self.seat_mut(slot) {
            seat.floor.handle(participant::Input::Told(told), now);
            self.drain(slot);
        }
    }

    fn note(&mut self, slot: Slot, told: Told, note: Note) {
        self.outbox.push_back(Work::Note(slot, note));
        self.tell(slot, told);
    }

    pub(super) fn answer(&mut self, slot: Slot, answer: Answer) {
        let (outbox, asking) = (&mut self.outbox, &mut self.asking);
        asking.retain(|(who, token)| {
            if *who == slot {
                outbox.push_back(Work::Answer(*token, answer));
            }
            *who != slot
        });
    }

    /// The participant has answered: it need not be reminded any more.
    fn confirm(&mut self, slot: Slot) {
        if let Some(seat) = self.seat_mut(slot) {
            seat.confirmed = true;
            seat.waiting = None;
        }
        self.set_alarm(slot, Alarm::Acknowledgement, None);
    }
}
