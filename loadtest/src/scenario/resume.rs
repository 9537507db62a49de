//! What a caller says it heard: wishes that a plan holds, made into resume points when the caller asks.

use relay_core::{Millis, Ssrc, Time};

use crate::{answer::ResumePoint, truth::Truth};

/// A voice is named only this long after its first packet: before, the node may not know it, and nothing could be promised.
const SETTLED: Millis = Millis(100);

/// What kind of resume vector a caller brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// It heard nothing.
    Nothing,
    /// It heard the newest voice up to so many packets ago.
    Inside {
        /// 0: everything so far.
        back: u16,
    },
    /// It heard the last few voices, each up to another point.
    Several {
        /// Of the newest voice; of the others 0.
        back: u16,
    },
    /// It heard something that retention no longer holds, as far as there is such a thing; else the oldest packet.
    Before,
    /// It heard more than the node has yet.
    Ahead {
        /// By so many packets.
        by: u16,
    },
    /// It heard a voice that this call does not know.
    Unknown {
        /// Which.
        ssrc: u32,
    },
    /// As `Unknown`, and the newest voice too.
    UnknownToo {
        /// Which.
        ssrc: u32,
        /// As in `Inside`.
        back: u16,
    },
}

impl Wish {
    /// A word for the report.
    pub fn word(self) -> &'static str {
        match self {
            Wish::Nothing => "nothing",
            Wish::Inside { .. } => "inside",
            Wish::Several { .. } => "several",
            Wish::Before => "before",
            Wish::Ahead { .. } => "ahead",
            Wish::Unknown { .. } => "unknown",
            Wish::UnknownToo { .. } => "unknown-too",
        }
    }

    /// The resume points that stand for this wish at `now`. Where nobody has talked yet there is little to name.
    pub fn points(self, truth: &Truth, retention: Millis, now: Time) -> Vec<ResumePoint> {
        let first_by = now - SETTLED;
        let settled = |ssrc: &Ssrc| truth.spoken().iter().any(|spoken| spoken.ssrc == *ssrc && spoken.at <= first_by);
        let voices: Vec<Ssrc> = truth.voices().into_iter().filter(settled).collect();
        let newest = voices.first().copied();
        let strange = |ssrc| ResumePoint { ssrc, sequence: 4711 };
        match self {
            Wish::Nothing => Vec::new(),
            Wish::Inside { back } => newest.and_then(|ssrc| heard(truth, ssrc, back, now)).into_iter().collect(),
            Wish::Several { back } => {
                let backs = std::iter::once(back).chain(std::iter::repeat(0));
                voices.iter().zip(backs).filter_map(|(ssrc, back)| heard(truth, *ssrc, back, now)).collect()
            }
            Wish::Before => before(truth, retention, now).into_iter().collect(),
            Wish::Ahead { by } => {
                let ahead = |ssrc: Ssrc| {
                    let newest = truth.newest(ssrc, now)?.sequence.0;
                    Some(ResumePoint { ssrc: ssrc.0, sequence: newest + u64::from(by) })
                };
                newest.and_then(ahead).into_iter().collect()
            }
            Wish::Unknown { ssrc } => vec![strange(ssrc)],
            Wish::UnknownToo { ssrc, back } => {
                let known = newest.and_then(|ssrc| heard(truth, ssrc, back, now));
                std::iter::once(strange(ssrc)).chain(known).collect()
            }
        }
    }
}

/// The packet `back` packets before the newest of `ssrc`, or its first.
fn heard(truth: &Truth, ssrc: Ssrc, back: u16, now: Time) -> Option<ResumePoint> {
    let mut last = None;
    for spoken in truth.spoken().iter().rev().filter(|spoken| spoken.ssrc == ssrc && spoken.at <= now) {
        last = Some(ResumePoint { ssrc: ssrc.0, sequence: spoken.sequence.0 });
        if truth.newest(ssrc, now)?.sequence.0 >= spoken.sequence.0 + u64::from(back) {
            break;
        }
    }
    last
}

/// The newest packet that is at least half a second too old for retention, or the oldest there is.
fn before(truth: &Truth, retention: Millis, now: Time) -> Option<ResumePoint> {
    let too_old = now - retention - Millis(500);
    let oldest = truth.spoken().first().filter(|spoken| spoken.at + SETTLED <= now);
    let spoken = truth.spoken().iter().rev().find(|spoken| spoken.at < too_old).or(oldest)?;
    Some(ResumePoint { ssrc: spoken.ssrc.0, sequence: spoken.sequence.0 })
}
