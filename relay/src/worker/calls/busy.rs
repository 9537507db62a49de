//! Calls that have something to hand out, in turn: those of an emergency before all others.

use std::collections::VecDeque;

/// Pieces of emergency calls in a row, after which another call gets one. What emergencies may send is bounded by their talkers'
/// rate limits; this bounds what they can make others wait for, if there are very many of them.
const URGENT_IN_A_ROW: usize = 64;

/// Two queues: each in the order in which calls, or slices of them, came in.
#[derive(Debug)]
pub(super) struct Busy<P> {
    urgent: VecDeque<P>,
    others: VecDeque<P>,
    /// Pieces of emergency calls since another call had one.
    in_a_row: usize,
}

impl<P> Default for Busy<P> {
    fn default() -> Self {
        Busy { urgent: VecDeque::new(), others: VecDeque::new(), in_a_row: 0 }
    }
}

impl<P> Busy<P> {
    /// A call that is not in it has something to hand out.
    pub(super) fn push(&mut self, piece: P, urgent: bool) {
        if urgent { self.urgent.push_back(piece) } else { self.others.push_back(piece) }
    }

    /// The call whose turn it is.
    pub(super) fn pop(&mut self) -> Option<P> {
        if (self.in_a_row < URGENT_IN_A_ROW || self.others.is_empty())
            && let Some(piece) = self.urgent.pop_front()
        {
            self.in_a_row += 1;
            return Some(piece);
        }
        self.in_a_row = 0;
        self.others.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 1;
    const EMERGENCY: usize = 2;

    #[test]
    fn an_emergency_goes_before_the_next_chunk_of_a_large_call() {
        let mut busy = Busy::default();
        busy.push(LARGE, false);
        assert_eq!(busy.pop(), Some(LARGE), "nobody else has anything");
        // The large call has more, and before its next chunk an emergency's packet comes.
        busy.push(LARGE, false);
        busy.push(EMERGENCY, true);
        assert_eq!([busy.pop(), busy.pop(), busy.pop()], [Some(EMERGENCY), Some(LARGE), None]);
    }

    #[test]
    fn calls_of_one_kind_take_turns() {
        let mut busy = Busy::default();
        for urgent in [false, true] {
            busy.push(3, urgent);
            busy.push(4, urgent);
            assert_eq!([busy.pop(), busy.pop()], [Some(3), Some(4)]);
        }
    }

    #[test]
    fn an_emergency_that_never_ends_leaves_something_for_others() {
        let mut busy = Busy::default();
        busy.push(LARGE, false);
        for _ in 0..URGENT_IN_A_ROW {
            busy.push(EMERGENCY, true);
            assert_eq!(busy.pop(), Some(EMERGENCY));
        }
        busy.push(EMERGENCY, true);
        assert_eq!([busy.pop(), busy.pop()], [Some(LARGE), Some(EMERGENCY)]);
        // And alone it waits for nobody.
        for _ in 0..2 * URGENT_IN_A_ROW {
            busy.push(EMERGENCY, true);
            assert_eq!(busy.pop(), Some(EMERGENCY));
        }
    }
}
