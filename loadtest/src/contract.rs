//! The judge of the late-entry contract: what a caller was promised, against what reached it.
//!
//! Pure, and the same in every world. The ground truth is what the talkers did; the node's own facts are judged by it too, never
//! believed. The instant of entry is only known to lie between question and answer: what depends on where exactly it lay may
//! come or not, but once one packet of it came, the rest of that voice must.

mod expected;
mod floor;
mod media;

use std::{fmt, sync::Arc};

use relay_core::{Millis, Time};
use serde::Serialize;

use crate::{
    answer::{LateEntry, ResumePoint},
    capture::{Channel, Heard},
    truth::Truth,
};

/// One caller's participation, as it went.
#[derive(Clone, Debug)]
pub struct Record {
    /// What the scenario calls it.
    pub name: String,
    /// Its user.
    pub user: Arc<str>,
    /// Whether this caller talks in the call: whoever has the floor is granted it, and never told that it is taken.
    pub talks: bool,
    /// Whether this caller answers with Floor Ack.
    pub acknowledges: bool,
    /// When it asked to enter.
    pub asked: Time,
    /// When it had the answer.
    pub answered: Time,
    /// What it said it had heard.
    pub resume: Vec<ResumePoint>,
    /// What it was told, or why it was not let in.
    pub answer: Result<LateEntry, String>,
    /// What reached it, in order, to the end of the call.
    pub capture: Vec<Heard>,
}

/// What a group promises, and how exact the world is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long media is kept.
    pub retention: Millis,
    /// How much of the running burst a caller without resume points gets.
    pub entry: Millis,
    /// How long a packet may be on its way, and how late a caller may look at it.
    pub slack: Millis,
}

/// What became of one caller.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// What the scenario calls it.
    pub name: String,
    /// From question to answer. Milliseconds.
    pub answer_ms: f64,
    /// From question to Floor Taken or Floor Idle. Milliseconds.
    pub floor_ms: Option<f64>,
    /// From question to the first media. Milliseconds.
    pub media_ms: Option<f64>,
    /// Whether that was retained media: nobody had to talk for it.
    pub retained_first: bool,
    /// Packets of media, counted.
    #[serde(flatten)]
    pub counts: Counts,
    /// Every promise that was not kept.
    pub broken: Vec<Break>,
}

/// Packets of media.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Promised to this caller.
    pub expected: usize,
    /// Promised or possible, and there.
    pub got: usize,
    /// Promised and not there.
    pub missing: usize,
    /// There a second time.
    pub twice: usize,
    /// Behind a packet that follows it in the call.
    pub out_of_order: usize,
    /// Not for this caller: its own, heard before, too old, changed, or nobody's.
    pub foreign: usize,
}

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Break {
    /// Which.
    pub promise: Promise,
    /// How, in words.
    pub how: String,
}

/// The promises of late entry, one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promise {
    /// The caller is let in.
    Entered,
    /// A state of the floor reaches it.
    FloorTold,
    /// The state of the floor comes before the first media.
    FloorFirst,
    /// The first state of the floor asks for a Floor Ack.
    FloorAcknowledged,
    /// A state that is not acknowledged is repeated on the schedule; one that is acknowledged is not.
    FloorRepeated,
    /// The floor was as it is told, from the entry to the end.
    FloorTrue,
    /// Message sequence numbers increase; a copy says the same, and comes at most four times.
    FloorNumbered,
    /// The answer says of the floor what the first floor message says.
    FloorAnswered,
    /// Every floor message can be read.
    WellFormed,
    /// Every promised packet comes.
    Complete,
    /// No packet comes twice.
    Once,
    /// Packets come in the order of the call.
    InOrder,
    /// Nothing comes that was not asked for.
    OnlyAsked,
    /// Packets come as they were sent.
    Unchanged,
    /// Retained media does not wait for the talker's next packet.
    AtOnce,
    /// Beyond the first 200 ms retained media comes at most four times as fast as it was said.
    Paced,
    /// The answer says where media begins and what is missed.
    MediaAnswered,
}

/// Judges one caller.
pub fn judge(truth: &Truth, record: &Record, terms: &Terms) -> Verdict {
    let first = |channel| record.capture.iter().find(|heard| heard.channel == channel).map(|heard| heard.at);
    let ms = |at: Time| at.micros_since(record.asked) as f64 / 1000.0;
    let mut verdict = Verdict {
        name: record.name.clone(),
        answer_ms: ms(record.answered),
        floor_ms: first(Channel::Floor).map(ms),
        media_ms: first(Channel::Media).map(ms),
        retained_first: false,
        counts: Counts::default(),
        broken: Vec::new(),
    };
    match &record.answer {
        Ok(answer) => {
            floor::judge(truth, record, answer, terms, &mut verdict.broken);
            verdict.retained_first = answer.media.iter().any(|media| media.resumed_from.is_some());
            verdict.counts = media::judge(truth, record, answer, terms, &mut verdict.broken);
        }
        Err(refusal) => verdict.broken.push(Break::new(Promise::Entered, refusal)),
    }
    verdict
}

impl Verdict {
    /// Whether every promise was kept.
    pub fn is_kept(&self) -> bool {
        self.broken.is_empty()
    }
}

impl Break {
    fn new(promise: Promise, how: impl Into<String>) -> Break {
        Break { promise, how: how.into() }
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.promise, self.how)
    }
}

#[cfg(test)]
mod tests;
