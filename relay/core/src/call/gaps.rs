//! What a backfill lacked: control is told once, and whoever names a resume point there is told when it enters.

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::{Call, backfill::Filling, work::Work};
use crate::{Ssrc, late_entry::plan::Skip, trunk::wire, voice::GAPS_MAX};

/// Numbers of one SSRC that neither we nor the home has any more, first and last, as the home counts.
pub(super) type Gap = (Ssrc, u64, u64);

/// Between these numbers of one SSRC: from the first one on, up to the newest at home, without those that came. A hole between two
/// that came is one of the backfill only if it `lacks` packets; else nobody ever had them.
fn between(numbers: &[u64], from: Option<u64>, newest: u64, lacks: bool) -> Vec<(u64, u64)> {
    let mut gaps: Vec<(u64, u64)> = Vec::new();
    let mut next = from;
    for (at, number) in numbers.iter().filter(|number| from.is_none_or(|from| from <= **number)).enumerate() {
        if let Some(first) = next.filter(|first| first < number && (at == 0 || lacks)) {
            gaps.push((first, number - 1));
        }
        next = Some(number.saturating_add(1));
    }
    gaps.extend(next.filter(|first| *first <= newest).map(|first| (first, newest)));
    // What is too much for a list is told as one: where it begins and where it ends.
    if let Some(end) = gaps.last().map(|gap| gap.1).filter(|_| gaps.len() > GAPS_MAX) {
        gaps.truncate(GAPS_MAX);
        gaps.last_mut().into_iter().for_each(|gap| gap.1 = end);
    }
    gaps
}

impl<A: Copy + From<SocketAddr>> Call<A> {
    /// Says what neither we have nor the home still has, or did not send in time.
    pub(super) fn report_gaps(&mut self, filling: &Filling) -> Vec<Gap> {
        let mut all = Vec::new();
        for told in filling.told() {
            let numbers = filling.numbers(told);
            let known =
                self.voices.get(&Ssrc(told.ssrc)).map(|voice| super::backfill::extend(told, voice.newest.low16()));
            let known = known.or_else(|| self.named_before(told, numbers.first().copied(), filling.lacks()));
            let from = known.map(|known| known.saturating_add(1));
            let gaps = between(&numbers, from, told.sequence, filling.lacks() > 0);
            all.extend(gaps.into_iter().map(|(first, last)| (Ssrc(told.ssrc), first, last)));
        }
        for (ssrc, first, last) in &all {
            self.counters.backfill_missed += last - first + 1;
            self.outbox.push_back(Work::Missed(*ssrc, *first, *last));
        }
        all
    }

    /// The oldest resume point that is waited for in media of which nothing is known here yet. It counts no further back than the
    /// home has said that packets would come.
    fn named_before(&self, told: &wire::Voice, first: Option<u64>, lacks: u64) -> Option<u64> {
        let plans = self.newcomers.iter().filter_map(|slot| Some(self.seat(*slot)?.newcomer.as_deref()?.plan()));
        let named = plans.flat_map(|plan| &plan.skips).filter_map(|skip| match skip {
            Skip::Withheld(ssrc, point) if ssrc.0 == told.ssrc => Some(super::backfill::extend(told, point.low16())),
            _ => None,
        });
        let until = first.map_or(told.sequence, |first| first.saturating_sub(1));
        named.min().map(|named| named.max(until.saturating_sub(lacks)))
    }

    /// Remembers gaps with the voices that they are of.
    pub(super) fn note_gaps(&mut self, gaps: &[Gap]) {
        for (ssrc, first, last) in gaps {
            if let Some(voice) = self.voices.get_mut(ssrc) {
                voice.lack(*first, *last);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_is_a_gap_only_if_the_backfill_lacks_packets() {
        assert_eq!(between(&[5, 6, 9], Some(5), 9, true), [(7, 8)]);
        assert_eq!(between(&[5, 6, 9], Some(5), 9, false), []);
        assert_eq!(between(&[5, 9], Some(3), 12, false), [(3, 4), (10, 12)], "its ends always are");
        assert_eq!(between(&[5, 9], None, 9, true), [(6, 8)], "nobody knows what was before");
        assert_eq!(between(&[], Some(3), 4, true), [(3, 4)]);
        assert_eq!(between(&[], Some(5), 4, true), []);
        assert_eq!(between(&[], None, 4, true), []);
        assert_eq!(between(&[1, 5], Some(2), 5, false), [(2, 4)], "what was known is no hole");
        assert_eq!(between(&[u64::MAX], Some(0), u64::MAX, true), [(0, u64::MAX - 1), (u64::MAX, u64::MAX)]);
    }

    #[test]
    fn more_gaps_than_a_list_holds_are_told_as_one() {
        let odd = |gaps: usize| (0..=gaps as u64).map(|at| 2 * at).collect::<Vec<u64>>();
        let end = 2 * GAPS_MAX as u64;
        let full = between(&odd(GAPS_MAX), Some(0), end, true);
        assert_eq!((full.len(), full.last()), (GAPS_MAX, Some(&(end - 1, end - 1))));
        let more = between(&odd(GAPS_MAX + 1), Some(0), end + 2, true);
        assert_eq!((more.len(), more.last()), (GAPS_MAX, Some(&(end - 1, end + 1))));
    }
}
