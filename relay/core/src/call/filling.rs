//! What a partner's call holds back until the home's retention has come: the backfill, and the live packets behind it.

use alloc::{collections::VecDeque, vec::Vec};

use crate::{Ssrc, Time, rtp};

/// A backfill on its way.
#[derive(Debug)]
pub(super) struct Filling {
    pub(super) until: Time,
    pub(super) ages: VecDeque<Time>,
    pub(super) packets: VecDeque<Vec<u8>>,
    /// Live packets behind it.
    pub(super) held: VecDeque<Vec<u8>>,
    pub(super) done: bool,
    /// The newest number of each SSRC before the trunk broke.
    pub(super) before: Vec<(Ssrc, u64)>,
    pub(super) newest: Vec<(Ssrc, u64)>,
}

impl Filling {
    /// What neither we have nor the home still has, per SSRC, in the home's numbers.
    pub(super) fn missed(&self) -> Vec<(Ssrc, u64, u64)> {
        let first_of = |ssrc: Ssrc| {
            let parsed = self.packets.iter().filter_map(|bytes| rtp::Packet::parse_protected(bytes).ok());
            parsed.filter(|packet| packet.ssrc() == ssrc).map(|packet| packet.sequence()).next()
        };
        let lacks = |(ssrc, before): &(Ssrc, u64)| {
            let newest = self.newest.iter().find(|newest| newest.0 == *ssrc)?.1;
            let at_home = |low16: u16| rtp::Extender::resume(rtp::Sequence(newest)).extend(low16).0;
            let first = at_home((*before & 0xffff) as u16) + 1;
            let last = first_of(*ssrc).map_or(newest, |sequence| at_home(sequence).saturating_sub(1));
            (first <= last).then_some((*ssrc, first, last))
        };
        self.before.iter().filter_map(lacks).collect()
    }
}
