//! Whose a datagram is: (source address, SSRC) names a leg. Looked up before anything else is thought about a datagram.

use std::net::SocketAddr;

use hashbrown::HashMap;
use relay_core::{Slot, Ssrc, Time, roster::Leg};

/// Floor messages that one leg may send in a second; a client that repeats everything by its timers sends fewer than ten.
pub(crate) const FLOOR_MESSAGES_PER_S: u32 = 50;

/// Every leg that this worker serves.
#[derive(Debug, Default)]
pub(super) struct Legs {
    media: HashMap<(SocketAddr, Ssrc), Bound>,
    floor: HashMap<(SocketAddr, Ssrc), (Bound, Allowance)>,
    /// By RTP address, whatever the SSRC: an address may serve several calls.
    addresses: HashMap<SocketAddr, Vec<Bound>>,
}

/// A participant of a call of this worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) call: usize,
    pub(super) slot: Slot,
}

/// How many floor messages a leg may still send.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    millionths: u64,
    since: Time,
}

/// What a floor message is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Floor {
    /// It came from this leg.
    From(Bound),
    /// It came from a leg that sends too many.
    TooMany,
    /// It came from nowhere that is bound.
    Stranger,
}

impl Legs {
    pub(super) fn bind(&mut self, bound: Bound, leg: Leg, ssrc: Ssrc, now: Time) {
        self.media.insert((leg.rtp, ssrc), bound);
        self.addresses.entry(leg.rtp).or_default().push(bound);
        if let Some(floor) = leg.floor {
            self.floor.insert((floor, ssrc), (bound, Allowance::full(now)));
        }
    }

    pub(super) fn unbind(&mut self, bound: Bound, leg: Leg, ssrc: Ssrc) {
        self.media.remove(&(leg.rtp, ssrc));
        if let Some(floor) = leg.floor {
            self.floor.remove(&(floor, ssrc));
        }
        if let Some(here) = self.addresses.get_mut(&leg.rtp) {
            here.retain(|other| *other != bound);
            if here.is_empty() {
                self.addresses.remove(&leg.rtp);
            }
        }
    }

    /// Whose media this is.
    pub(super) fn media(&self, from: SocketAddr, ssrc: Ssrc) -> Option<Bound> {
        self.media.get(&(from, ssrc)).copied()
    }

    /// Whether any leg has this RTP address.
    pub(super) fn knows(&self, from: SocketAddr) -> bool {
        self.addresses.contains_key(&from)
    }

    /// Whose floor message this is.
    pub(super) fn floor(&mut self, from: SocketAddr, ssrc: Ssrc, now: Time) -> Floor {
        match self.floor.get_mut(&(from, ssrc)) {
            None => Floor::Stranger,
            Some((bound, allowance)) => {
                if allowance.take(now) {
                    Floor::From(*bound)
                } else {
                    Floor::TooMany
                }
            }
        }
    }

    /// Whose RTCP this is: it comes from the RTP address or from the port above it, under any SSRC.
    pub(super) fn rtcp(&self, from: SocketAddr) -> &[Bound] {
        let below = SocketAddr::new(from.ip(), from.port().wrapping_sub(1));
        self.addresses.get(&from).or_else(|| self.addresses.get(&below)).map_or(&[], Vec::as_slice)
    }
}

impl Allowance {
    const FULL: u64 = FLOOR_MESSAGES_PER_S as u64 * 1_000_000;

    fn full(now: Time) -> Allowance {
        Allowance { millionths: Self::FULL, since: now }
    }

    fn take(&mut self, now: Time) -> bool {
        let grown = now.micros_since(self.since).saturating_mul(u64::from(FLOOR_MESSAGES_PER_S));
        self.since = now;
        self.millionths = Self::FULL.min(self.millionths.saturating_add(grown));
        match self.millionths.checked_sub(1_000_000) {
            Some(rest) => self.millionths = rest,
            None => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_leg_is_an_address_and_an_ssrc() {
        let mut legs = Legs::default();
        let leg = Leg { rtp: address("127.0.0.1:4000"), floor: Some(address("127.0.0.1:4002")) };
        let (ana, ben) = (Bound { call: 1, slot: Slot(0) }, Bound { call: 2, slot: Slot(5) });
        legs.bind(ana, leg, Ssrc(7), Time::ZERO);
        legs.bind(ben, leg, Ssrc(8), Time::ZERO);
        assert_eq!(legs.media(leg.rtp, Ssrc(7)), Some(ana));
        assert_eq!(legs.media(leg.rtp, Ssrc(8)), Some(ben));
        assert_eq!(legs.media(leg.rtp, Ssrc(9)), None);
        assert_eq!(legs.media(address("127.0.0.1:4001"), Ssrc(7)), None);
        assert_eq!(legs.rtcp(address("127.0.0.1:4001")), [ana, ben]);
        legs.unbind(ana, leg, Ssrc(7));
        assert_eq!(legs.media(leg.rtp, Ssrc(7)), None);
        assert_eq!(legs.floor(address("127.0.0.1:4002"), Ssrc(7), Time::ZERO), Floor::Stranger);
        assert!(legs.knows(leg.rtp));
        legs.unbind(ben, leg, Ssrc(8));
        assert!(!legs.knows(leg.rtp));
    }

    #[test]
    fn the_floor_rate_of_a_leg_is_reached_and_one_more_is_too_many() {
        let mut legs = Legs::default();
        let leg = Leg { rtp: address("127.0.0.1:4000"), floor: Some(address("127.0.0.1:4002")) };
        let ana = Bound { call: 1, slot: Slot(0) };
        legs.bind(ana, leg, Ssrc(7), Time::ZERO);
        let mut send =
            |at_ms: u32| legs.floor(address("127.0.0.1:4002"), Ssrc(7), Time::ZERO + relay_core::Millis(at_ms));
        (0..FLOOR_MESSAGES_PER_S).for_each(|_| assert_eq!(send(0), Floor::From(ana)));
        assert_eq!(send(0), Floor::TooMany);
        assert_eq!(send(19), Floor::TooMany);
        assert_eq!(send(20), Floor::From(ana));
    }
}
