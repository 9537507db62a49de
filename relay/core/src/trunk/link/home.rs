//! Calls of this system in which the partner takes part: what it has subscribed, and whom it has announced.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
};

use super::{Link, Output, What};
use crate::trunk::{
    Overstep,
    wire::{Announce, Depart, Expel, Frame, Refused, Subscribe, Unsubscribe},
};

/// What the partner has here.
#[derive(Debug, Default)]
pub(super) struct Home {
    /// By the partner's number of the call.
    calls: BTreeMap<u32, Subscription>,
    /// From our number of an answered one to the partner's.
    numbers: BTreeMap<u32, u32>,
    participants: u32,
}

#[derive(Debug)]
struct Subscription {
    group: String,
    /// Our number of the call; `None`: our calls have not answered.
    own: Option<u32>,
    references: BTreeSet<u32>,
}

impl Home {
    pub(super) fn partner_flow(&self, own: u32) -> Option<u32> {
        self.numbers.get(&own).copied()
    }

    pub(super) fn subscriptions(&self) -> usize {
        self.calls.len()
    }

    pub(super) fn participants(&self) -> u32 {
        self.participants
    }

    pub(super) fn uses(&self, flow: u32) -> bool {
        self.calls.contains_key(&flow)
    }

    pub(super) fn announced(&self, own: u32, reference: u32) -> bool {
        let call = self.partner_flow(own).and_then(|flow| self.calls.get(&flow));
        call.is_some_and(|call| call.references.contains(&reference))
    }

    /// Whether the subscription that the partner numbers `flow` was granted.
    pub(super) fn is_answered(&self, flow: u32) -> bool {
        self.calls.get(&flow).is_some_and(|call| call.own.is_some())
    }

    /// Notes that the partner's subscription is granted for our call `own`; false: it is not open, or the call has another one.
    pub(super) fn answer(&mut self, flow: u32, own: u32) -> bool {
        let Some(call) = self.calls.get_mut(&flow).filter(|call| call.own.is_none()) else { return false };
        if self.numbers.contains_key(&own) {
            return false;
        }
        call.own = Some(own);
        self.numbers.insert(own, flow);
        true
    }

    /// Forgets the subscription that the partner numbers `flow`; false: there is none.
    pub(super) fn end(&mut self, flow: u32) -> bool {
        let Some(call) = self.calls.remove(&flow) else { return false };
        if let Some(own) = call.own {
            self.numbers.remove(&own);
        }
        self.participants -= u32::try_from(call.references.len()).unwrap_or(0);
        true
    }

    /// Forgets a participant of the subscription that the partner numbers `flow`; false: it is not announced.
    pub(super) fn expel(&mut self, flow: u32, reference: u32) -> bool {
        let known = self.calls.get_mut(&flow).is_some_and(|call| call.references.remove(&reference));
        self.participants -= u32::from(known);
        known
    }

    fn announce(&mut self, flow: u32, reference: u32) {
        let new = self.calls.get_mut(&flow).is_some_and(|call| call.references.insert(reference));
        self.participants += u32::from(new);
    }
}

impl Link {
    pub(super) fn partner_subscribes(&mut self, subscribe: Subscribe) {
        let flow = subscribe.flow;
        if self.home.uses(flow) || self.partner.knows(flow) {
            self.counters.out_of_place += 1;
        } else if self.home.calls.values().any(|call| call.group == subscribe.group) {
            self.counters.subscribed_twice += 1;
            self.refuse(
                flow,
                "already-subscribed",
                format!("this trunk carries the call of {} already", subscribe.group),
            );
        } else if self.home.calls.len() >= usize::try_from(self.limits.calls).unwrap_or(usize::MAX) {
            self.counters.calls_refused += 1;
            let most = self.limits.calls;
            self.refuse(flow, "limit-reached", format!("{most} calls are subscribed over this trunk (trunk.calls)"));
        } else {
            let call = Subscription { group: subscribe.group.clone(), own: None, references: BTreeSet::new() };
            self.home.calls.insert(flow, call);
            self.deliver(What::Subscribe(subscribe));
        }
    }

    pub(super) fn partner_unsubscribes(&mut self, unsubscribe: Unsubscribe) {
        match self.home.partner_flow(unsubscribe.flow) {
            Some(flow) => {
                self.home.end(flow);
                self.deliver(What::Unsubscribe(unsubscribe));
            }
            None => self.counters.unknown_flow += 1,
        }
    }

    pub(super) fn partner_announces(&mut self, announce: Announce) {
        let (own, reference) = (announce.flow, announce.reference);
        let Some(flow) = self.home.partner_flow(own) else {
            self.counters.unknown_flow += 1;
            return;
        };
        if self.home.expel(flow, reference) {
            // Expel says that nobody has this reference any more, so whoever had it goes too: both sides stay of one mind.
            self.counters.references_forged += 1;
            let detail = format!("reference {reference:#x} was announced twice in call {own}; nobody has it now");
            self.tell_expelled(flow, reference, "forged-reference", detail);
            let depart = What::Depart(Depart { flow: own, reference });
            self.outputs.push_back(Output::Deliver(Frame { what: Some(depart) }));
        } else if self.home.participants >= self.limits.participants {
            self.counters.participants_refused += 1;
            let most = self.limits.participants;
            let detail = format!("{most} participants are announced over this trunk (trunk.participants)");
            self.tell_expelled(flow, reference, "limit-reached", detail);
        } else {
            self.home.announce(flow, reference);
            self.deliver(What::Announce(announce));
        }
    }

    pub(super) fn participant_departs(&mut self, depart: Depart) {
        match self.home.partner_flow(depart.flow) {
            None => self.counters.unknown_flow += 1,
            Some(flow) if self.home.expel(flow, depart.reference) => self.deliver(What::Depart(depart)),
            Some(_) => self.counters.unknown_reference += 1,
        }
    }

    fn refuse(&mut self, flow: u32, cause: &'static str, detail: String) {
        self.send(What::Refused(Refused { flow, cause: cause.into(), detail: detail.clone() }));
        self.overstepped(Overstep::Subscription, cause, detail);
    }

    fn tell_expelled(&mut self, flow: u32, reference: u32, cause: &'static str, detail: String) {
        self.send(What::Expel(Expel { flow, reference, cause: cause.into() }));
        self.overstepped(Overstep::Participant, cause, detail);
    }
}
