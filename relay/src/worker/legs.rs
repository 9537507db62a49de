//! Whose a datagram is: (source address, SSRC) names a leg. Looked up before anything else is thought about a datagram.

use std::net::SocketAddr;

use hashbrown::HashMap;
use relay_core::{Slot, Ssrc, Time, roster::Attachment};

/// Floor messages that one leg may send in a second; a client that repeats everything by its timers sends fewer than ten.
pub(crate) const FLOOR_MESSAGES_PER_S: u32 = 50;

/// Every leg that this worker serves. An SSRC is unique in the node, so it finds the participant; whether the datagram comes
/// from its leg is then asked of the participant itself.
#[derive(Debug, Default)]
pub(super) struct Legs {
    participants: HashMap<Ssrc, (Bound, Allowance)>,
    /// By RTP address, whatever the SSRC: an address may serve several calls.
    addresses: HashMap<SocketAddr, Holders>,
}

/// A participant of a call of this worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) call: u32,
    pub(super) slot: Slot,
}

/// Whose an address is: nearly always one participant's.
#[derive(Debug)]
enum Holders {
    One(Bound),
    Many(Vec<Bound>),
}

/// How many floor messages a leg may still send.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    thousandths: u32,
    since_ms: u32,
}

impl Legs {
    pub(super) fn bind(&mut self, bound: Bound, leg: Attachment, ssrc: Ssrc, now: Time) {
        // Nothing comes from a participant behind a trunk but what its trunk brings.
        let Some(rtp) = leg.rtp() else { return };
        self.participants.insert(ssrc, (bound, Allowance::full(now)));
        self.addresses.entry(rtp).and_modify(|holders| holders.add(bound)).or_insert(Holders::One(bound));
    }

    pub(super) fn unbind(&mut self, bound: Bound, leg: Attachment, ssrc: Ssrc) {
        let Some(rtp) = leg.rtp() else { return };
        self.participants.remove(&ssrc);
        if self.addresses.get_mut(&rtp).is_some_and(|holders| holders.remove(bound)) {
            self.addresses.remove(&rtp);
        }
    }

    /// Who was given this SSRC.
    pub(super) fn participant(&self, ssrc: Ssrc) -> Option<Bound> {
        self.participants.get(&ssrc).map(|(bound, _)| *bound)
    }

    /// Whether any leg has this RTP address.
    pub(super) fn knows(&self, from: SocketAddr) -> bool {
        self.addresses.contains_key(&from)
    }

    /// Takes one floor message out of what the participant with this SSRC may send; false if it sends too many.
    pub(super) fn allows_floor(&mut self, ssrc: Ssrc, now: Time) -> bool {
        self.participants.get_mut(&ssrc).is_some_and(|(_, allowance)| allowance.take(now))
    }

    /// Whose RTCP this is: it comes from the RTP address or from the port above it, under any SSRC.
    pub(super) fn rtcp(&self, from: SocketAddr) -> &[Bound] {
        let below = SocketAddr::new(from.ip(), from.port().wrapping_sub(1));
        match self.addresses.get(&from).or_else(|| self.addresses.get(&below)) {
            None => &[],
            Some(Holders::One(bound)) => std::slice::from_ref(bound),
            Some(Holders::Many(bound)) => bound,
        }
    }
}

impl Holders {
    fn add(&mut self, bound: Bound) {
        match self {
            Holders::One(first) => *self = Holders::Many(vec![*first, bound]),
            Holders::Many(all) => all.push(bound),
        }
    }

    /// True if nobody is left.
    fn remove(&mut self, bound: Bound) -> bool {
        match self {
            Holders::One(only) => *only == bound,
            Holders::Many(all) => {
                all.retain(|other| *other != bound);
                all.is_empty()
            }
        }
    }
}

impl Allowance {
    const FULL: u32 = FLOOR_MESSAGES_PER_S * 1000;

    fn full(now: Time) -> Allowance {
        Allowance { thousandths: Self::FULL, since_ms: now.since(Time::ZERO).0 }
    }

    fn take(&mut self, now: Time) -> bool {
        let now_ms = now.since(Time::ZERO).0;
        let grown = now_ms.wrapping_sub(self.since_ms).saturating_mul(FLOOR_MESSAGES_PER_S);
        self.since_ms = now_ms;
        self.thousandths = Self::FULL.min(self.thousandths.saturating_add(grown));
        match self.thousandths.checked_sub(1000) {
            Some(rest) => self.thousandths = rest,
            None => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use relay_core::roster::Leg;

    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_ssrc_names_a_participant_and_an_address_all_of_its_holders() {
        let mut legs = Legs::default();
        let leg = Leg { rtp: address("127.0.0.1:4000"), floor: None };
        let (ana, ben) = (Bound { call: 1, slot: Slot(0) }, Bound { call: 2, slot: Slot(5) });
        legs.bind(ana, leg.into(), Ssrc(7), Time::ZERO);
        assert_eq!(legs.rtcp(address("127.0.0.1:4000")), [ana]);
        legs.bind(ben, leg.into(), Ssrc(8), Time::ZERO);
        assert_eq!(legs.participant(Ssrc(7)), Some(ana));
        assert_eq!(legs.participant(Ssrc(8)), Some(ben));
        assert_eq!(legs.participant(Ssrc(9)), None);
        assert_eq!(legs.rtcp(address("127.0.0.1:4001")), [ana, ben]);
        assert_eq!(legs.rtcp(address("127.0.0.1:4002")), []);
        legs.unbind(ana, leg.into(), Ssrc(7));
        assert_eq!(legs.participant(Ssrc(7)), None);
        assert!(!legs.allows_floor(Ssrc(7), Time::ZERO));
        assert!(legs.knows(leg.rtp));
        legs.unbind(ben, leg.into(), Ssrc(8));
        assert!(!legs.knows(leg.rtp));
    }

    #[test]
    fn the_floor_rate_of_a_leg_is_reached_and_one_more_is_too_many() {
        let mut legs = Legs::default();
        let leg = Leg { rtp: address("127.0.0.1:4000"), floor: Some(address("127.0.0.1:4002")) };
        legs.bind(Bound { call: 1, slot: Slot(0) }, leg.into(), Ssrc(7), Time::ZERO);
        let mut send = |at_ms: u32| legs.allows_floor(Ssrc(7), Time::ZERO + relay_core::Millis(at_ms));
        (0..FLOOR_MESSAGES_PER_S).for_each(|_| assert!(send(0)));
        assert!(!send(0));
        assert!(!send(19));
        assert!(send(20));
    }
}
