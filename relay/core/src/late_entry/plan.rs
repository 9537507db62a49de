//! Which retained media an entering participant gets: where it starts, what it skips, what it missed.

use alloc::{collections::BTreeMap, vec::Vec};

use super::ResumePoint;
use crate::{
    Order, Ssrc, Time,
    retention::{Kept, Retention},
    rtp::Sequence,
    voice::Voice,
};

/// What a newcomer gets out of retention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The first order number that is looked at.
    pub start: Order,
    /// What is left out, per SSRC.
    pub skips: Vec<Skip>,
    /// First and last number that a resume point lacks and retention does not have.
    pub missed: Vec<(Ssrc, Sequence, Sequence)>,
}

/// One SSRC of which a newcomer does not get everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// Its own: never.
    Own(Ssrc),
    /// What stands at or before this place was heard.
    Heard(Ssrc, Order),
    /// The client is ahead of us: nothing until this number has passed.
    Withheld(Ssrc, Sequence),
}

impl Plan {
    /// Reads the resume points against what is kept (docs/ARCHITECTURE.md, "The life of an entry"). `running` is the order number
    /// at which the running burst began; without a usable point, that burst's packets since `entry_from` are sent.
    pub fn new(
        resume: &[ResumePoint],
        user: &str,
        voices: &BTreeMap<Ssrc, Voice>,
        kept: &Retention,
        running: Option<Order>,
        entry_from: Time,
    ) -> Plan {
        let mut plan = Plan::from(kept.end(), user, voices);
        let mut named = false;
        for point in resume {
            let Some(voice) = voices.get(&point.ssrc) else { continue };
            named = true;
            plan.read(point, voice, kept);
        }
        if !named && let Some(began) = running {
            let recent = |(_, row): &(Order, &Kept)| row.arrived >= entry_from;
            plan.start = kept.from(began).find(recent).map_or(kept.end(), |(order, _)| order);
        }
        plan
    }

    /// Everything from `start` on but the user's own.
    pub fn from(start: Order, user: &str, voices: &BTreeMap<Ssrc, Voice>) -> Plan {
        let own = voices.iter().filter(|(_, voice)| &*voice.user == user).map(|(ssrc, _)| Skip::Own(*ssrc));
        Plan { start, skips: own.collect(), missed: Vec::new() }
    }

    /// Whether the newcomer gets this packet.
    pub fn wants(&self, order: Order, row: &Kept) -> bool {
        self.skips.iter().all(|skip| match *skip {
            Skip::Own(ssrc) => row.ssrc != ssrc,
            Skip::Heard(ssrc, until) => row.ssrc != ssrc || order > until,
            Skip::Withheld(ssrc, _) => row.ssrc != ssrc,
        })
    }

    /// A voice of its own user has begun.
    pub fn leave_out(&mut self, own: Ssrc) {
        self.skips.push(Skip::Own(own));
    }

    /// Whether the newcomer may get this packet by the time it is reached.
    pub fn may_want(&self, order: Order, row: &Kept) -> bool {
        self.skips.iter().all(|skip| match *skip {
            Skip::Own(ssrc) => row.ssrc != ssrc,
            Skip::Heard(ssrc, until) => row.ssrc != ssrc || order > until,
            Skip::Withheld(ssrc, until) => row.ssrc != ssrc || !row.sequence.is_behind(until),
        })
    }

    /// Withholds an SSRC of which nothing is known yet, until this number has passed.
    pub fn withhold(&mut self, ssrc: Ssrc, until: Sequence) {
        self.skips.push(Skip::Withheld(ssrc, until));
    }

    /// Whether an SSRC is withheld: the newcomer cannot be served with everybody else yet.
    pub fn withholds(&self) -> bool {
        self.skips.iter().any(|skip| matches!(skip, Skip::Withheld(..)))
    }

    /// Notes that `row` passes by: an SSRC that has caught up with its resume point is withheld no longer.
    pub fn pass(&mut self, order: Order, row: &Kept) {
        self.skips.retain_mut(|skip| match *skip {
            Skip::Withheld(ssrc, until) if ssrc == row.ssrc && !row.sequence.is_behind(until) => {
                // The point itself was heard; a packet beyond it (the point's own was lost) was not.
                *skip = Skip::Heard(ssrc, order);
                row.sequence == until
            }
            _ => true,
        });
    }

    /// Stops withholding: the packets that a resume point promised did not come in time.
    pub fn give_up_withholding(&mut self) {
        self.skips.retain(|skip| !matches!(skip, Skip::Withheld(..)));
    }

    /// Forgets what lies behind `order`, so that the rest can be served with everybody else.
    pub fn is_done_before(&self, order: Order) -> bool {
        self.skips.iter().all(|skip| match *skip {
            Skip::Own(_) => true,
            Skip::Heard(_, until) => until < order,
            Skip::Withheld(..) => false,
        })
    }

    fn read(&mut self, point: &ResumePoint, voice: &Voice, kept: &Retention) {
        let ahead = (point.sequence as u16).wrapping_sub(voice.newest.low16()) as i16;
        let heard = match u64::try_from(ahead) {
            Ok(ahead @ 1..) => {
                self.skips.push(Skip::Withheld(point.ssrc, Sequence(voice.newest.0 + ahead)));
                return;
            }
            _ => Sequence(voice.newest.0.saturating_sub(u64::from(ahead.unsigned_abs()))),
        };
        let of_voice = || kept.from(kept.oldest()).filter(|(_, row)| row.ssrc == point.ssrc);
        let oldest = of_voice().map(|(_, row)| row.sequence).min();
        let stands = of_voice().filter(|(_, row)| row.sequence <= heard).max_by_key(|(_, row)| row.sequence);
        match (stands, oldest) {
            (Some((order, _)), _) => {
                self.start = self.start.min(order);
                self.skips.push(Skip::Heard(point.ssrc, order));
                let next = Sequence(heard.0 + 1);
                let follows = of_voice().map(|(_, row)| row.sequence).filter(|kept| *kept > heard).min();
                let last = voice.lacks(next).map(|last| follows.map_or(last, |kept| last.min(Sequence(kept.0 - 1))));
                self.missed.extend(last.filter(|last| next <= *last).map(|last| (point.ssrc, next, last)));
            }
            (None, Some(oldest)) => {
                self.start = kept.oldest();
                if heard.0 + 1 < oldest.0 {
                    self.missed.push((point.ssrc, Sequence(heard.0 + 1), Sequence(oldest.0 - 1)));
                }
            }
            // Nothing of it is kept any more: either it was heard to its end, or its end is missed.
            (None, None) if heard < voice.newest => {
                self.start = kept.oldest();
                self.missed.push((point.ssrc, Sequence(heard.0 + 1), voice.newest));
            }
            (None, None) => self.start = kept.oldest(),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;

    use super::*;
    use crate::{
        Millis,
        retention::Limits,
        rtp::{Header, Packet, PayloadType},
    };

    #[test]
    fn what_a_point_lacks_and_nobody_keeps_is_missed_to_its_end() {
        let payload_type = PayloadType::try_from(96).expect("seven bits");
        let header = Header { marker: false, payload_type, sequence: 9, timestamp: 0, ssrc: Ssrc(1) };
        let mut bytes = [0; 12];
        header.write(&mut bytes).expect("room");
        let voice = Voice::begin(Arc::from("sip:ana@a"), &Packet::parse(&bytes).expect("a packet"), Time::ZERO);
        let voices = BTreeMap::from([(Ssrc(1), voice)]);
        let kept = Retention::new(Limits { age: Millis(1_000), bytes: 2_048, packets: 10 });
        let missed = |sequence| {
            let point = ResumePoint { ssrc: Ssrc(1), sequence };
            Plan::new(&[point], "sip:eva@a", &voices, &kept, None, Time::ZERO).missed
        };
        assert_eq!(missed(7), [(Ssrc(1), Sequence(8), Sequence(9))]);
        assert_eq!(missed(9), []);
    }
}
