//! What one partner may ask for, and what was counted of it.

use crate::time::Time;

/// What one partner may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `trunk.frames_per_s`: frames in a second, and at once after a quiet one. More of them end the connection, because a frame
    /// left out would leave the two sides of one mind no more.
    pub frames_per_s: u32,
    /// `trunk.calls`: calls of this system that the partner subscribes at the same time. More are refused one by one.
    pub calls: u32,
    /// `trunk.participants`: participants that the partner announces, in all calls. More are expelled one by one.
    pub participants: u32,
    /// `trunk.packets_per_s`: media packets in a second. More are dropped.
    pub packets_per_s: u32,
    /// `trunk.bytes_per_s`: octets of media in a second. Packets beyond are dropped.
    pub bytes_per_s: u32,
}

impl Default for Limits {
    /// 500 talkers at 50 packets a second, each of 250 octets, fill the media's limits.
    fn default() -> Limits {
        Limits {
            frames_per_s: 5_000,
            calls: 1_024,
            participants: 10_000,
            packets_per_s: 25_000,
            bytes_per_s: 6_250_000,
        }
    }
}

/// What was counted of one partner. Every frame that came is one of those from `link` to `late`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames that came, malformed ones too.
    pub frames: u64,
    /// Greetings, heartbeats and goodbyes.
    pub link: u64,
    /// Handed to the calls.
    pub delivered: u64,
    /// Subscriptions beyond `trunk.calls`.
    pub calls_refused: u64,
    /// Subscriptions of a group that the partner has subscribed already.
    pub subscribed_twice: u64,
    /// Announcements beyond `trunk.participants`.
    pub participants_refused: u64,
    /// References that were announced twice in a call.
    pub references_forged: u64,
    /// Frames for a flow that the partner may not use.
    pub unknown_flow: u64,
    /// Departures of participants that were not announced.
    pub unknown_reference: u64,
    /// Frames that mean nothing where they stand: a second answer, a flow that is in use.
    pub out_of_place: u64,
    /// Answers to subscriptions that nobody wants any more.
    pub unwanted: u64,
    /// Frames beyond `trunk.frames_per_s`: each has ended a connection.
    pub flooded: u64,
    /// Faults of the protocol: each has ended a connection.
    pub malformed: u64,
    /// Frames that came when the connection was given up already.
    pub late: u64,
    /// Heartbeats that echo none of ours.
    pub echoes_refused: u64,
    /// Frames of the own calls that had nobody to go to any more.
    pub unsent: u64,
    /// Media packets within the limits.
    pub media_allowed: u64,
    /// Media packets beyond `trunk.packets_per_s` or `trunk.bytes_per_s`, or of a trunk that is not in use.
    pub media_refused: u64,
}

impl Counters {
    /// Every counter with its name, in one order.
    pub fn rows(&self) -> [(&'static str, u64); 18] {
        [
            ("frames", self.frames),
            ("link", self.link),
            ("delivered", self.delivered),
            ("calls_refused", self.calls_refused),
            ("subscribed_twice", self.subscribed_twice),
            ("participants_refused", self.participants_refused),
            ("references_forged", self.references_forged),
            ("unknown_flow", self.unknown_flow),
            ("unknown_reference", self.unknown_reference),
            ("out_of_place", self.out_of_place),
            ("unwanted", self.unwanted),
            ("flooded", self.flooded),
            ("malformed", self.malformed),
            ("late", self.late),
            ("echoes_refused", self.echoes_refused),
            ("unsent", self.unsent),
            ("media_allowed", self.media_allowed),
            ("media_refused", self.media_refused),
        ]
    }
}

/// A rate: so much in a second, and at most so much at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    per_s: u64,
    /// In millionths of what is counted.
    level: u64,
    filled: Time,
}

const MILLION: u64 = 1_000_000;

impl Bucket {
    pub(super) fn full(per_s: u64) -> Bucket {
        Bucket { per_s, level: per_s.saturating_mul(MILLION), filled: Time::ZERO }
    }

    /// Whether `amount` may be taken now.
    pub(super) fn has(&mut self, amount: u64, now: Time) -> bool {
        let flown = now.micros_since(self.filled).saturating_mul(self.per_s);
        self.level = self.level.saturating_add(flown).min(self.per_s.saturating_mul(MILLION));
        self.filled = self.filled.max(now);
        amount.saturating_mul(MILLION) <= self.level
    }

    pub(super) fn take(&mut self, amount: u64) {
        self.level = self.level.saturating_sub(amount.saturating_mul(MILLION));
    }
}
