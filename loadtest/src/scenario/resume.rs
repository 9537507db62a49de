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

#[cfg(test)]
mod tests {
    use super::*;
    use relay_core::rtp;

    const ANA: Ssrc = Ssrc(1);
    const BEN: Ssrc = Ssrc(2);

    /// Ana says packets 65,530 to 65,579 in the first second, Ben 0 to 49 in the second.
    fn truth() -> Truth {
        let mut truth = Truth::default();
        for (ssrc, from, first) in [(ANA, 0, 65_530u16), (BEN, 1000, 0)] {
            for number in 0..50 {
                let header = rtp::Header {
                    marker: false,
                    payload_type: 96.try_into().unwrap(),
                    sequence: first.wrapping_add(number),
                    timestamp: 0,
                    ssrc,
                };
                let mut bytes = [0; rtp::HEADER_SIZE];
                header.write(&mut bytes).unwrap();
                let at = Time::ZERO + Millis(from + 20 * u32::from(number));
                truth.speak(&"sip:x@a.example".into(), &rtp::Packet::parse(&bytes).unwrap(), at);
            }
        }
        truth
    }

    fn points(wish: Wish, now_ms: u32) -> Vec<(u32, u64)> {
        let points = wish.points(&truth(), Millis(1000), Time::ZERO + Millis(now_ms));
        points.iter().map(|point| (point.ssrc, point.sequence)).collect()
    }

    #[test]
    fn each_wish_names_what_its_word_says() {
        assert_eq!(points(Wish::Nothing, 1500), []);
        assert_eq!(points(Wish::Inside { back: 0 }, 1500), [(2, 25)]);
        assert_eq!(points(Wish::Inside { back: 10 }, 1500), [(2, 15)]);
        assert_eq!(points(Wish::Inside { back: 99 }, 1500), [(2, 0)], "no further than its first packet");
        assert_eq!(points(Wish::Several { back: 5 }, 1500), [(2, 20), (1, 65_579)]);
        assert_eq!(points(Wish::Ahead { by: 7 }, 1500), [(2, 32)]);
        assert_eq!(points(Wish::Unknown { ssrc: 9 }, 1500), [(9, 4711)]);
        assert_eq!(points(Wish::UnknownToo { ssrc: 9, back: 1 }, 1500), [(9, 4711), (2, 24)]);
        assert_eq!(points(Wish::Before, 1900), [(1, 65_530 + 19)], "said before 400 ms: half a second too old");
    }

    #[test]
    fn a_voice_that_has_just_begun_is_not_named() {
        assert_eq!(points(Wish::Inside { back: 0 }, 1099), [(1, 65_579)]);
        assert_eq!(points(Wish::Inside { back: 0 }, 1100), [(2, 5)]);
        assert_eq!(points(Wish::Before, 99), []);
    }
}
