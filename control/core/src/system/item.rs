//! One group of an affiliation: from the question to its home, over the call, to the end (TS 23.280 §10.8.3).

use relay_core::late_entry::ResumePoint;

use super::rows::ItemRow;
use crate::Refused;

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
    /// Take the client out of the call: it may have entered by itself, so this does not depend on what is known.
    Leave,
}

/// A group with its state.
#[derive(Clone, Debug)]
pub(super) struct Item<E> {
    pub(super) row: ItemRow,
    pub(super) state: State<E>,
    pub(super) not_entered: Option<Refused>,
}

impl<E> Item<E> {
    pub(super) fn new(row: ItemRow, state: State<E>) -> Item<E> {
        Item { row, state, not_entered: None }
    }

    pub(super) fn is_affiliated(&self) -> bool {
        !matches!(self.state, State::Asked | State::Refused(_))
    }

    pub(super) fn is_refused(&self) -> bool {
        matches!(self.state, State::Refused(_))
    }

    /// Whether a reader need not wait for anything.
    pub(super) fn is_settled(&self) -> bool {
        !matches!(self.state, State::Asked | State::Entering(_))
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
                Ok(entered) => self.become_now(State::Entered(entered)),
                Err(refused) => {
                    self.state = State::Waiting;
                    self.not_entered = Some(refused);
                    Effect::Changed
                }
            },
            (Event::Entered { .. }, _) => Effect::Nothing,
            (Event::Came(entered), State::Waiting | State::Entering(_) | State::Entered(_)) => {
                self.become_now(State::Entered(entered))
            }
            (Event::Came(_), _) => Effect::Nothing,
            (Event::Gone, State::Entered(_)) => self.become_now(State::Waiting),
            (Event::Gone, _) => Effect::Nothing,
        }
    }

    fn enter(&mut self, number: u64) -> Effect {
        self.become_now(State::Entering(number));
        Effect::Enter
    }

    fn become_now(&mut self, state: State<E>) -> Effect {
        self.row.asked = matches!(state, State::Asked);
        self.state = state;
        self.not_entered = None;
        Effect::Changed
    }
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
