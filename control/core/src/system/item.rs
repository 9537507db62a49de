//! One group of an affiliation: from the question to its home, over the call, to the end (TS 23.280 §10.8.3).

use relay_core::{Millis, late_entry::ResumePoint};

use super::{implicit::Implicit, rows::ItemRow};
use crate::{Cause, Refused};

/// Back-off of the first try after a client was not entered; it doubles with every further one. Milliseconds.
pub const RETRY_MS: Millis = Millis(1_000);
/// Longest back-off between two tries. Milliseconds.
pub const RETRY_MS_MAX: Millis = Millis(30_000);
/// Further tries do not lengthen the back-off.
const TRIES_COUNTED: u32 = 16;

/// How it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum State<E> {
    /// The group's home was asked.
    Asked,
    /// Affiliated, and not in a call that the server put it into.
    Waiting,
    /// On its way into the running call, by the number of the `Enter`.
    Entering(u64),
    /// In the call.
    Entered(E),
    /// Not affiliated, and why.
    Refused(Refused),
}

/// What happens to it.
#[derive(Clone, Debug)]
pub(super) enum Event<E> {
    /// It may. `enter`: the call runs and the client has a leg, and the `Enter` has this number.
    Granted { enter: Option<u64> },
    /// It may not, or no longer.
    Refused(Refused),
    /// A call runs, or the client asks again with a leg: the `Enter` has this number.
    Runs { number: u64, again: bool },
    /// What became of an `Enter`.
    Entered { number: u64, result: Result<E, Refused> },
    /// It entered the call by itself.
    Came(E),
    /// It is no longer in the call.
    Gone,
    /// The home of the group says why it is not.
    Expelled(Refused),
    /// It is time to try again, and the call runs: the `Enter` has this number.
    Again(u64),
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing that anybody sees.
    Nothing,
    /// Readers see a change.
    Changed,
    /// Enter the client into the call.
    Enter,
    /// Readers see a change, and it is worth trying again, after `Item::back_off`.
    Retry,
    /// Take the client out of the call: it may have entered by itself, so this does not depend on what is known.
    Leave,
}

/// A group with its state.
#[derive(Clone, Debug)]
pub(super) struct Item<E> {
    pub(super) row: ItemRow,
    pub(super) state: State<E>,
    pub(super) not_entered: Option<Refused>,
    /// An entry of the client caused it, and has not ended.
    pub(super) implicit: Option<Implicit>,
    /// How often it was tried again since.
    tries: u32,
}

impl<E> Item<E> {
    pub(super) fn new(row: ItemRow, state: State<E>) -> Item<E> {
        Item { row, state, not_entered: None, implicit: None, tries: 0 }
    }

    pub(super) fn is_affiliated(&self) -> bool {
        !matches!(self.state, State::Asked | State::Refused(_))
    }

    pub(super) fn is_refused(&self) -> bool {
        matches!(self.state, State::Refused(_))
    }

    /// Whether a reader need not wait for anything. Until one of the tries succeeds it is shown why the first did not.
    pub(super) fn is_settled(&self) -> bool {
        !matches!(self.state, State::Asked | State::Entering(_)) || self.not_entered.is_some()
    }

    /// How long to wait before it is tried once more.
    pub(super) fn back_off(&self) -> Millis {
        let doubled = RETRY_MS.0.checked_shl(self.tries).unwrap_or(RETRY_MS_MAX.0);
        Millis(doubled.min(RETRY_MS_MAX.0))
    }

    /// Total: every state answers every event.
    pub(super) fn step(&mut self, event: Event<E>) -> Effect {
        match (event, &self.state) {
            (Event::Granted { enter: Some(number) }, State::Asked | State::Refused(_)) => self.enter(number),
            (Event::Granted { enter: None }, State::Asked | State::Refused(_)) => self.become_now(State::Waiting),
            (Event::Granted { .. }, _) => Effect::Nothing,
            (Event::Refused(refused), _) => {
                let affiliated = self.is_affiliated();
                self.become_now(State::Refused(refused));
                if affiliated { Effect::Leave } else { Effect::Changed }
            }
            //= TS 23.379 §10.6.2.3.1.1.4  the server enters an affiliated member into the running call
            (Event::Runs { number, .. }, State::Waiting) => self.enter(number),
            (Event::Runs { number, again: true }, State::Entering(_) | State::Entered(_)) => self.enter(number),
            (Event::Runs { .. }, _) => Effect::Nothing,
            (Event::Entered { number, result }, State::Entering(expected)) if number == *expected => match result {
                Ok(entered) => self.come_in(entered),
                Err(refused) => self.stay_out(refused),
            },
            (Event::Entered { .. }, _) => Effect::Nothing,
            (Event::Came(entered), State::Waiting | State::Entering(_) | State::Entered(_)) => self.come_in(entered),
            (Event::Came(_), _) => Effect::Nothing,
            (Event::Gone, State::Entered(_)) => {
                self.state = State::Waiting;
                Effect::Changed
            }
            (Event::Gone, _) => Effect::Nothing,
            (Event::Expelled(refused), State::Waiting) => self.stay_out(refused),
            (Event::Expelled(_), _) => Effect::Nothing,
            (Event::Again(number), State::Waiting)
                if self.not_entered.as_ref().is_some_and(|refused| may_pass(refused.cause)) =>
            {
                self.tries = (self.tries + 1).min(TRIES_COUNTED);
                self.state = State::Entering(number);
                Effect::Enter
            }
            (Event::Again(_), _) => Effect::Nothing,
        }
    }

    /// The home of a partner's group may put it out again in a moment: the tries are counted on.
    fn come_in(&mut self, entered: E) -> Effect {
        self.implicit = None;
        self.state = State::Entered(entered);
        self.not_entered = None;
        Effect::Changed
    }

    fn stay_out(&mut self, refused: Refused) -> Effect {
        let effect = if may_pass(refused.cause) { Effect::Retry } else { Effect::Changed };
        self.state = State::Waiting;
        self.not_entered = Some(refused);
        effect
    }

    fn enter(&mut self, number: u64) -> Effect {
        self.become_now(State::Entering(number));
        Effect::Enter
    }

    fn become_now(&mut self, state: State<E>) -> Effect {
        self.row.asked = matches!(state, State::Asked);
        self.state = state;
        self.not_entered = None;
        self.tries = 0;
        Effect::Changed
    }
}

/// Whether a client that was not entered for this cause may be entered later without anybody's asking anew.
fn may_pass(cause: Cause) -> bool {
    // A call that begins later enters everybody by itself.
    !matches!(
        cause,
        Cause::LegAddress
            | Cause::LegFamily
            | Cause::NotAMember
            | Cause::NotAuthorized
            | Cause::GroupDisabled
            | Cause::NoSuchGroup
            | Cause::NoAgreement
            | Cause::IdentitySuperseded
            | Cause::InvalidField
            | Cause::NotYet
            | Cause::NoSuchCall
            | Cause::CallEnded
            | Cause::RefusedByPartner
    )
}

/// What a client heard last, as rows and letters write it.
pub(super) fn points(resume: &[ResumePoint]) -> alloc::vec::Vec<relay_core::trunk::wire::Point> {
    let point = |point: &ResumePoint| relay_core::trunk::wire::Point { ssrc: point.ssrc.0, sequence: point.sequence };
    resume.iter().map(point).collect()
}

/// The reverse.
pub(super) fn resume(points: &[relay_core::trunk::wire::Point]) -> alloc::vec::Vec<ResumePoint> {
    let point = |point: &relay_core::trunk::wire::Point| ResumePoint {
        ssrc: relay_core::Ssrc(point.ssrc),
        sequence: point.sequence,
    };
    points.iter().map(point).collect()
}

#[cfg(test)]
mod tests;
