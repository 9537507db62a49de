//! What one partner may ask for, and what was counted of it.

use alloc::format;

use super::{Link, State};
use crate::{
    time::{Millis, Time},
    trunk::Overstep,
};

/// That media are beyond their limits is said so often.
const TOLD_EVERY: Millis = Millis(1_000);

/// What one partner may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `trunk.frames_per_s`: frames in a second, and at once after a quiet one. More of them end the connection, because a frame
    /// left out would leave the two sides of one mind no more.
    pub frames_per_s: u32,
    /// `trunk.letters_per_s`: letters of the partner's control plane in a second, and at once after a quiet one. More of them end
    /// the connection: whoever waits for the answer to a letter left out would wait in vain.
    pub letters_per_s: u32,
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
    /// 500 talkers at 50 packets a second, each of 250 octets, fill the media's limits. A partner that comes back may owe 10,000
    /// letters, and writes them at once.
    fn default() -> Limits {
        Limits {
            frames_per_s: 5_000,
            letters_per_s: 10_000,
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
    /// Letters within the limit.
    pub letters: u64,
    /// Letters beyond `trunk.letters_per_s`: each has ended a connection.
    pub letters_flooded: u64,
    /// Letters that came when the connection was given up already.
    pub letters_late: u64,
    /// Media packets within the limits.
    pub media_allowed: u64,
    /// Media packets beyond `trunk.packets_per_s` or `trunk.bytes_per_s`, or of a trunk that is not in use.
    pub media_refused: u64,
}

impl Counters {
    /// What the partner asked and did not get, each with its cause: a limit, or a word.
    pub fn refusals(&self) -> [(&'static str, u64); 10] {
        [
            ("trunk.calls", self.calls_refused),
            ("trunk.participants", self.participants_refused),
            ("trunk.frames_per_s", self.flooded),
            ("trunk.letters_per_s", self.letters_flooded),
            ("trunk.media_per_s", self.media_refused),
            ("forged-reference", self.references_forged),
            ("unknown-flow", self.unknown_flow),
            ("unknown-reference", self.unknown_reference),
            ("already-subscribed", self.subscribed_twice),
            ("out-of-place", self.out_of_place),
        ]
    }

    /// Every counter with its name, in one order.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let others = [
            ("frames", self.frames),
            ("link", self.link),
            ("delivered", self.delivered),
            ("unwanted", self.unwanted),
            ("malformed", self.malformed),
            ("late", self.late),
            ("echoes-refused", self.echoes_refused),
            ("unsent", self.unsent),
            ("letters", self.letters),
            ("letters-late", self.letters_late),
            ("media-allowed", self.media_allowed),
        ];
        others.into_iter().chain(self.refusals())
    }
}

impl Link {
    /// Whether a letter of the partner is within its quota. Asked once for every letter; the first one beyond ends the
    /// connection, as what is polled next says.
    pub fn allows_letter(&mut self, now: Time) -> bool {
        if !self.is_open() {
            self.counters.letters_late += 1;
            return false;
        }
        let allowed = self.rates.letters.has(1, now);
        if allowed {
            self.rates.letters.take(1);
            self.counters.letters += 1;
        } else {
            self.counters.letters_flooded += 1;
            let most = self.limits.letters_per_s;
            self.close("flood", format!("more than {most} letters in a second (trunk.letters_per_s)"));
        }
        allowed
    }

    /// Whether a media packet of the partner, of so many octets, is within its quota. Asked once for every packet.
    pub fn allows_media(&mut self, octets: usize, now: Time) -> bool {
        let octets = u64::try_from(octets).unwrap_or(u64::MAX);
        let ready = self.state == State::Ready;
        let allowed = ready && self.rates.packets.has(1, now) && self.rates.octets.has(octets, now);
        if allowed {
            self.rates.packets.take(1);
            self.rates.octets.take(octets);
            self.counters.media_allowed += 1;
        } else {
            self.counters.media_refused += 1;
        }
        // No text is made for each of them.
        if ready && !allowed && self.rates.media_told.is_none_or(|told| now.since(told) >= TOLD_EVERY) {
            self.rates.media_told = Some(now);
            let Limits { packets_per_s, bytes_per_s, .. } = self.limits;
            let detail = format!("media exceed {packets_per_s} packets or {bytes_per_s} octets in a second");
            self.overstepped(Overstep::Media, "limit-reached", detail);
        }
        allowed
    }
}

/// The rates that one partner may use up.
#[derive(Debug)]
pub(super) struct Rates {
    pub(super) frames: Bucket,
    letters: Bucket,
    packets: Bucket,
    octets: Bucket,
    media_told: Option<Time>,
}

impl Rates {
    pub(super) fn full(limits: &Limits) -> Rates {
        let full = |per_s: u32| Bucket::full(per_s.into());
        Rates {
            frames: full(limits.frames_per_s),
            letters: full(limits.letters_per_s),
            packets: full(limits.packets_per_s),
            octets: full(limits.bytes_per_s),
            media_told: None,
        }
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
    fn full(per_s: u64) -> Bucket {
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
