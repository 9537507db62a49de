//! Where a client stands, and how long it waits there.

use relay_core::{Millis, Ssrc, Time};

use super::Why;

/// Timers and limits of a client (TS 24.380 §11.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Floor Release is repeated after this.
    pub t100: Millis,
    /// Floor Request is repeated after this.
    pub t101: Millis,
    /// Without media for this long a burst is over.
    pub t103: Millis,
    /// Floor Queue Position Request is repeated after this.
    pub t104: Millis,
    /// The user must take a grant from the queue within this.
    pub t132: Millis,
    /// How often each of the three is sent (C100, C101, C104).
    pub sends_max: u8,
}

impl Default for Timers {
    fn default() -> Timers {
        let second = Millis::from_secs(1);
        Timers {
            t100: second,
            t101: second,
            t103: Millis::from_secs(4),
            t104: second,
            t132: Millis::from_secs(2),
            sends_max: 3,
        }
    }
}

/// Where a client stands (TS 24.380 §6.2.4.2 to §6.2.4.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not in the call.
    StartStop,
    /// 'U: has no permission'.
    NoPermission,
    /// 'U: pending Request'.
    PendingRequest(Repeat),
    /// 'U: has permission'.
    Permission,
    /// 'U: pending Release'.
    PendingRelease(Repeat),
    /// 'U: queued'.
    Queued(Waiting),
}

/// A message that is sent again until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    sends: u8,
    due: Time,
}

/// What goes on while a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Nothing.
    Quietly,
    /// The place was asked for.
    Asking(Repeat),
    /// The floor was granted; the user must take it by then.
    Offered {
        /// When the offer ends.
        until: Time,
        /// Under which SSRC to talk.
        audio_ssrc: Option<Ssrc>,
    },
}

impl State {
    /// When this state wants to be looked at again, and why.
    pub fn due(&self) -> Option<(Time, Why)> {
        match *self {
            State::PendingRequest(repeat) => Some((repeat.due, Why::T101)),
            State::PendingRelease(repeat) => Some((repeat.due, Why::T100)),
            State::Queued(Waiting::Asking(repeat)) => Some((repeat.due, Why::T104)),
            State::Queued(Waiting::Offered { until, .. }) => Some((until, Why::T132)),
            State::Queued(Waiting::Quietly) | State::StartStop | State::NoPermission | State::Permission => None,
        }
    }
}

impl Repeat {
    /// Sent once; again at `due`.
    pub(super) fn first(due: Time) -> Repeat {
        Repeat { sends: 1, due }
    }

    /// Sent once more, or `None` if `sends_max` is reached.
    pub(super) fn again(self, due: Time, sends_max: u8) -> Option<Repeat> {
        (self.sends < sends_max).then_some(Repeat { sends: self.sends + 1, due })
    }
}
