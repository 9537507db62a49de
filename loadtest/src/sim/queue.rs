//! What is still to happen, in the order of time; at one time, in the order in which it was put there.

use std::collections::BTreeMap;

use relay_core::Time;

/// Events to come.
#[derive(Debug)]
pub(super) struct Queue<E> {
    events: BTreeMap<(Time, u64), E>,
    count: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Queue<E> {
        Queue { events: BTreeMap::new(), count: 0 }
    }
}

impl<E> Queue<E> {
    /// `event` happens at `at`.
    pub(super) fn put(&mut self, at: Time, event: E) {
        self.count += 1;
        self.events.insert((at, self.count), event);
    }

    /// When the next one happens.
    pub(super) fn next_at(&self) -> Option<Time> {
        self.events.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next one, if it happens by `now`.
    pub(super) fn take(&mut self, now: Time) -> Option<E> {
        self.next_at().filter(|at| *at <= now)?;
        self.events.pop_first().map(|(_, event)| event)
    }
}
