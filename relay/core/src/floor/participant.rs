//! One participant as the server sees it: 'basic floor control operation towards the floor participant', TS 24.380 §6.3.5.
//!
//! One machine per participant, small enough to have a hundred thousand of them. It hears what the general machine says
//! to its participant and what the participant sends, and decides what media is worth. Granted, Taken, Idle, Deny and
//! Queue Position Info go on the wire as the general machine said them; a Floor Revoke goes when this machine says so,
//! because it repeats it.

mod repeat;

use arrayvec::ArrayVec;

use super::cause::RevokeCause;
use super::settings::Timers;
use crate::time::{Millis, Time};
use repeat::Repeat;

/// What the machine is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The general machine speaks to this participant.
    Told(Told),
    /// Floor Request came.
    Request,
    /// Floor Release came.
    Release {
        /// It asks for a Floor Ack.
        acknowledge: bool,
    },
    /// An RTP packet came.
    Media,
    /// Floor Queue Position Request came.
    QueuePositionRequest,
    /// The time that the last `Wake` named has come.
    Timer,
    /// The participant leaves.
    Leave,
}

/// What the general machine says to a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It may talk, or may go on.
    Granted,
    /// Somebody else talks.
    Taken,
    /// Nobody talks.
    Idle,
    /// Its request is refused.
    Deny,
    /// Its request waits, or its position was told.
    Queued,
    /// It has to stop.
    Revoke(RevokeCause),
}

/// What the machine wants done, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Floor Ack for the Release that asked for one.
    Acknowledge,
    /// Hand this to the general machine, and what it says back to the participants, before polling on.
    ToGeneral(Asked),
    /// Send this participant the current Floor Idle or Floor Taken.
    Current,
    /// Send Floor Revoke, for the first time or again.
    Revoke(RevokeCause),
    /// The packet is distributed; the general machine gets `Media`.
    Distribute,
    /// The packet is dropped.
    Drop(Reason),
    /// The participant does not stop: Floor Revoke was repeated to its limit. Said once per offence.
    GaveUp,
    /// Nothing else is left to do until then.
    Wake(Option<(Time, Why)>),
}

/// What a participant asks of the general machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The floor.
    Request,
    /// To give back the floor or its place in the queue.
    Release,
    /// Its position.
    QueuePositionRequest,
    /// To leave.
    Left,
}

/// Why a packet is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It was in flight when the floor ended: no offence.
    Tail,
    /// The participant has no permission.
    NoPermission,
    /// The participant is leaving.
    Leaving,
}

/// The timer that asks to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// A participant that sent media without permission has been silent for 2 × T8.
    Silence,
    /// Floor Revoke again.
    T8,
}

/// State of a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// 'not permitted and Floor Idle' (§6.3.5.3).
    NotPermittedIdle,
    /// 'not permitted and Floor Taken' (§6.3.5.4).
    NotPermittedTaken,
    /// 'permitted' (§6.3.5.5).
    Permitted,
    /// 'pending Floor Revoke' (§6.3.5.6).
    PendingRevoke,
    /// 'not permitted but sends media' (§6.3.5.7).
    SendsMedia,
    /// 'Releasing' (§6.3.5.9).
    Releasing,
}

/// The machine of one participant.
#[derive(Debug)]
pub struct Participant {
    phase: Phase,
    /// Until then media without permission is no offence.
    quiet_until: Time,
    t8: Millis,
    media_tail: Millis,
    quiet_tail: Millis,
    t8_repeats: u8,
    outputs: ArrayVec<Effect, 4>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Until `tail_until` the ex-talker's media still leaves.
    NotPermittedIdle {
        tail_until: Time,
    },
    NotPermittedTaken,
    Permitted {
        tail_until: Time,
    },
    PendingRevoke {
        cause: RevokeCause,
        repeat: Repeat,
        t8: Time,
        tail_until: Time,
    },
    SendsMedia {
        taken: bool,
        repeat: Repeat,
        t8: Time,
        heard: Time,
    },
    Releasing,
}

/// An output that waits; without `Wake`, so that it stays two bytes.
#[derive(Clone, Copy, Debug)]
enum Effect {
    Acknowledge,
    ToGeneral(Asked),
    Current,
    Revoke(RevokeCause),
    Distribute,
    Drop(Reason),
    GaveUp,
}

impl Participant {
    /// A participant that enters while the floor is taken or idle. It has no permission yet.
    pub fn enter(taken: bool, timers: &Timers) -> Participant {
        Participant {
            phase: Phase::not_permitted(taken, Time::ZERO),
            quiet_until: Time::ZERO,
            t8: timers.t8,
            media_tail: timers.media_tail,
            quiet_tail: timers.quiet_tail,
            t8_repeats: timers.t8_repeats,
            outputs: ArrayVec::new(),
        }
    }

    /// Tells the machine something. Total: what has no procedure in the current state is discarded (§6.3.5.1).
    ///
    /// The caller drains `poll` after each input.
    pub fn handle(&mut self, input: Input, now: Time) {
        if matches!(self.phase, Phase::Releasing) {
            if input == Input::Media {
                self.say(Effect::Drop(Reason::Leaving));
            }
            return;
        }
        match input {
            Input::Media => self.media(now),
            Input::Told(told) => self.told(told, now),
            Input::Request => self.say(Effect::ToGeneral(Asked::Request)),
            Input::Release { acknowledge } => self.release(acknowledge, now),
            Input::QueuePositionRequest => self.ask_position(),
            Input::Timer => self.expire_due(now),
            Input::Leave => {
                self.phase = Phase::Releasing;
                self.say(Effect::ToGeneral(Asked::Left));
            }
        }
    }

    /// The next thing to do; `Wake` once nothing is left, as often as asked.
    pub fn poll(&mut self) -> Output {
        match self.outputs.pop_at(0) {
            Some(Effect::Acknowledge) => Output::Acknowledge,
            Some(Effect::ToGeneral(asked)) => Output::ToGeneral(asked),
            Some(Effect::Current) => Output::Current,
            Some(Effect::Revoke(cause)) => Output::Revoke(cause),
            Some(Effect::Distribute) => Output::Distribute,
            Some(Effect::Drop(reason)) => Output::Drop(reason),
            Some(Effect::GaveUp) => Output::GaveUp,
            None => Output::Wake(self.next()),
        }
    }

    /// State of the participant.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::NotPermittedIdle { .. } => State::NotPermittedIdle,
            Phase::NotPermittedTaken => State::NotPermittedTaken,
            Phase::Permitted { .. } => State::Permitted,
            Phase::PendingRevoke { .. } => State::PendingRevoke,
            Phase::SendsMedia { .. } => State::SendsMedia,
            Phase::Releasing => State::Releasing,
        }
    }

    //= TS 24.380 §6.3.5.3.8  media without permission is not distributed and is answered with Floor Revoke
    //= TS 24.380 §6.3.5.4.6  also while somebody else talks
    //= TS 24.380 §6.3.5.6  media of a participant that has to stop still leaves
    fn media(&mut self, now: Time) {
        let taken = match &mut self.phase {
            Phase::Permitted { .. } | Phase::PendingRevoke { .. } => return self.say(Effect::Distribute),
            Phase::SendsMedia { heard, .. } => {
                *heard = now;
                return self.say(Effect::Drop(Reason::NoPermission));
            }
            Phase::NotPermittedIdle { tail_until } if now < *tail_until => {
                return self.say(Effect::Distribute);
            }
            Phase::NotPermittedIdle { .. } => false,
            Phase::NotPermittedTaken => true,
            Phase::Releasing => return,
        };
        if now < self.quiet_until {
            return self.say(Effect::Drop(Reason::Tail));
        }
        let repeat = Repeat::Left(self.t8_repeats);
        self.phase = Phase::SendsMedia { taken, repeat, t8: now + self.t8, heard: now };
        self.say(Effect::Drop(Reason::NoPermission));
        self.say(Effect::Revoke(RevokeCause::NoPermissionToSend));
    }

    fn told(&mut self, told: Told, now: Time) {
        match told {
            Told::Granted => self.phase = Phase::Permitted { tail_until: Time::ZERO },
            Told::Taken => self.lose(true, now),
            Told::Idle => self.lose(false, now),
            Told::Revoke(cause) => self.revoke(cause, now),
            Told::Deny | Told::Queued => {}
        }
    }

    //= TS 24.380 §6.3.5.6.7  Idle or Taken end the repetition of Floor Revoke
    fn lose(&mut self, floor_taken: bool, now: Time) {
        match &mut self.phase {
            // Who still sends media goes on being told to stop: Floor Idle comes once a second and would start T8 afresh.
            Phase::SendsMedia { taken, .. } => *taken = floor_taken,
            Phase::Permitted { tail_until } | Phase::PendingRevoke { tail_until, .. } => {
                let tail_until = *tail_until;
                self.quiet_until = now + self.quiet_tail;
                self.phase = Phase::not_permitted(floor_taken, tail_until);
            }
            Phase::NotPermittedIdle { tail_until } => {
                let tail_until = *tail_until;
                self.phase = Phase::not_permitted(floor_taken, tail_until);
            }
            Phase::NotPermittedTaken => self.phase = Phase::not_permitted(floor_taken, Time::ZERO),
            Phase::Releasing => {}
        }
    }

    //= TS 24.380 §6.3.5.6  Floor Revoke is repeated by T8
    fn revoke(&mut self, cause: RevokeCause, now: Time) {
        if let Phase::Permitted { tail_until } = self.phase {
            let repeat = Repeat::Left(self.t8_repeats);
            self.phase = Phase::PendingRevoke { cause, repeat, t8: now + self.t8, tail_until };
            self.say(Effect::Revoke(cause));
        }
    }

    //= TS 24.380 §6.3.5.3.7  a release without the floor is acknowledged, ends the waiting and is answered with the state
    //= TS 24.380 §6.3.5.7  a release ends the offence of sending without permission
    fn release(&mut self, acknowledge: bool, now: Time) {
        self.quiet_until = now + self.quiet_tail;
        let tail = now + self.media_tail;
        if acknowledge {
            self.say(Effect::Acknowledge);
        }
        self.say(Effect::ToGeneral(Asked::Release));
        match &mut self.phase {
            Phase::Permitted { tail_until } | Phase::PendingRevoke { tail_until, .. } => *tail_until = tail,
            Phase::SendsMedia { taken, .. } => {
                self.phase = Phase::not_permitted(*taken, Time::ZERO);
                self.say(Effect::Current);
            }
            Phase::NotPermittedIdle { .. } | Phase::NotPermittedTaken => self.say(Effect::Current),
            Phase::Releasing => {}
        }
    }

    /// The clause knows the position request only while somebody else talks; who talks or hears Idle does not wait.
    fn ask_position(&mut self) {
        match self.phase {
            Phase::NotPermittedTaken | Phase::PendingRevoke { .. } | Phase::SendsMedia { .. } => {
                self.say(Effect::ToGeneral(Asked::QueuePositionRequest));
            }
            Phase::NotPermittedIdle { .. } | Phase::Permitted { .. } | Phase::Releasing => {}
        }
    }

    fn say(&mut self, effect: Effect) {
        self.outputs.push(effect);
    }
}

impl Phase {
    fn not_permitted(taken: bool, tail_until: Time) -> Phase {
        if taken { Phase::NotPermittedTaken } else { Phase::NotPermittedIdle { tail_until } }
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
