//! The floor message that a newcomer has to acknowledge, and how often it is repeated. The schedule is ours: the clause (TS 24.380
//! §6.3.5.2.2) neither asks for repetition nor forbids it.

use crate::{Millis, Time};

/// Waits between the sends of one late-entry floor message: at most five sends.
pub const SCHEDULE: [Millis; 5] = [Millis(100), Millis(200), Millis(400), Millis(1000), Millis(1000)];

/// A floor message that waits for its Floor Ack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    sent: u8,
    due: Time,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing before then.
    At(Time),
    /// Send the current state again.
    Repeat,
    /// Five sends and no answer.
    Unconfirmed,
}

impl Acknowledgement {
    /// The message was sent for the first time.
    pub fn new(now: Time) -> Acknowledgement {
        Acknowledgement { sent: 1, due: now + SCHEDULE.first().copied().unwrap_or_default() }
    }

    /// What is to be done at `now`; after `Repeat` the next wait has begun.
    pub fn advance(&mut self, now: Time) -> Due {
        if now < self.due {
            return Due::At(self.due);
        }
        match SCHEDULE.get(usize::from(self.sent)) {
            Some(wait) => {
                self.sent += 1;
                self.due = now + *wait;
                Due::Repeat
            }
            None => Due::Unconfirmed,
        }
    }

    /// When something is to be done.
    pub fn due(&self) -> Time {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn five_sends_then_unconfirmed() {
        let mut waiting = Acknowledgement::new(Time::ZERO);
        let mut sends = alloc::vec![0u64];
        for ms in 0..10_000u32 {
            match waiting.advance(Time::ZERO + Millis(ms)) {
                Due::At(_) => {}
                Due::Repeat => sends.push(u64::from(ms)),
                Due::Unconfirmed => {
                    assert_eq!(sends, Vec::from([0, 100, 300, 700, 1700]));
                    assert_eq!(ms, 2700);
                    return;
                }
            }
        }
        panic!("the schedule has no end");
    }
}
