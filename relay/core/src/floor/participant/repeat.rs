//! Floor Revoke said again, until it helps or its limit is reached (T8): TS 24.380 §§ 6.3.5.6 and 6.3.5.7.

use super::{Effect, Participant, Phase, Why};
use crate::floor::cause::RevokeCause;
use crate::time::Time;

/// How often Floor Revoke is still repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    Left(u8),
    GaveUp,
}

impl Participant {
    pub(super) fn next(&self) -> Option<(Time, Why)> {
        match self.phase {
            Phase::PendingRevoke { repeat: Repeat::Left(_), t8, .. } => Some((t8, Why::T8)),
            Phase::SendsMedia { repeat, t8, heard, .. } => {
                let silence = (heard + self.t8 + self.t8, Why::Silence);
                Some(if repeat == Repeat::GaveUp { silence } else { silence.min((t8, Why::T8)) })
            }
            _ => None,
        }
    }

    pub(super) fn expire_due(&mut self, now: Time) {
        if let Some((_, why)) = self.next().filter(|(due, _)| *due <= now) {
            self.expire(why, now);
        }
    }

    //= TS 24.380 §6.3.5.6  T8 repeats Floor Revoke; how often is ours to choose
    pub(super) fn expire(&mut self, why: Why, now: Time) {
        let again = now + self.t8;
        match (&mut self.phase, why) {
            (Phase::SendsMedia { taken, .. }, Why::Silence) => {
                self.phase = Phase::not_permitted(*taken, Time::ZERO);
                self.say(Effect::Current);
            }
            (Phase::SendsMedia { repeat, t8, .. }, Why::T8) => {
                let effect = repeat.once(RevokeCause::NoPermissionToSend);
                *t8 = again;
                self.say(effect);
            }
            (Phase::PendingRevoke { cause, repeat, t8, .. }, Why::T8) => {
                let effect = repeat.once(*cause);
                *t8 = again;
                self.say(effect);
            }
            _ => {}
        }
    }
}

impl Repeat {
    fn once(&mut self, cause: RevokeCause) -> Effect {
        match *self {
            Repeat::Left(left) if left > 0 => {
                *self = Repeat::Left(left - 1);
                Effect::Revoke(cause)
            }
            _ => {
                *self = Repeat::GaveUp;
                Effect::GaveUp
            }
        }
    }
}
