//! Calls of the partner's system in which this one takes part: what our calls have subscribed.

use alloc::{collections::BTreeMap, string::String};

use super::{Link, Output, Role, What};
use crate::trunk::wire::{Ended, Frame, Refused, Subscribe, Subscribed, Unsubscribe};

/// What our calls have there.
#[derive(Debug, Default)]
pub(super) struct Partner {
    /// By our number of the call.
    calls: BTreeMap<u32, Subscription>,
    /// From the home's number of an answered one to ours.
    numbers: BTreeMap<u32, u32>,
}

#[derive(Clone, Debug)]
enum Subscription {
    /// Not said yet: the home has not answered an earlier one for the same group, which our calls have withdrawn. It would
    /// refuse a second one.
    Waiting(Subscribe),
    /// The home has not answered. `wanted`: our calls still want the answer.
    Asked { group: String, wanted: bool },
    /// The home takes this system in.
    Answered { home_flow: u32 },
}

impl Partner {
    pub(super) fn role(&self, own: u32) -> Option<Role> {
        match self.calls.get(&own)? {
            Subscription::Answered { .. } => Some(Role::Partner),
            Subscription::Asked { wanted: true, .. } => Some(Role::Asked),
            Subscription::Asked { wanted: false, .. } | Subscription::Waiting(_) => None,
        }
    }

    pub(super) fn home_flow(&self, own: u32) -> Option<u32> {
        match self.calls.get(&own)? {
            Subscription::Answered { home_flow } => Some(*home_flow),
            Subscription::Asked { .. } | Subscription::Waiting(_) => None,
        }
    }

    /// Whether the home still has to answer what our calls have withdrawn for `group`.
    fn owes(&self, group: &str) -> bool {
        let owed =
            |call: &Subscription| matches!(call, Subscription::Asked { group: of, wanted: false } if of == group);
        self.calls.values().any(owed)
    }

    /// Whether our number `own` names a subscription.
    pub(super) fn uses(&self, own: u32) -> bool {
        self.calls.contains_key(&own)
    }

    /// Whether the home's number `home_flow` names an answered subscription.
    pub(super) fn knows(&self, home_flow: u32) -> bool {
        self.numbers.contains_key(&home_flow)
    }

    /// Forgets the subscription that the home numbers `home_flow`; false: there is none.
    pub(super) fn end(&mut self, home_flow: u32) -> bool {
        let own = self.numbers.remove(&home_flow);
        own.is_some_and(|own| self.calls.remove(&own).is_some())
    }
}

impl Link {
    /// Whether a Subscribe of our calls is under way now. One that was withdrawn and is wanted again is still under way, and
    /// does not go out twice; one for the same group from another call goes out after the answer to the withdrawn one.
    pub(super) fn subscribe(&mut self, subscribe: Subscribe) -> bool {
        let own = subscribe.flow;
        match self.partner.calls.get_mut(&own) {
            Some(Subscription::Asked { wanted, .. }) if !*wanted => {
                *wanted = true;
                return true;
            }
            Some(_) => return false,
            None if self.home.partner_flow(own).is_some() => return false,
            None => {}
        }
        if self.partner.owes(&subscribe.group) {
            self.partner.calls.insert(own, Subscription::Waiting(subscribe));
        } else {
            self.ask(subscribe);
        }
        true
    }

    fn ask(&mut self, subscribe: Subscribe) {
        let group = subscribe.group.clone();
        self.partner.calls.insert(subscribe.flow, Subscription::Asked { group, wanted: true });
        self.send(What::Subscribe(subscribe));
    }

    /// The home has answered the Subscribe that went out for `group`: whoever waited for that is next.
    fn ask_next(&mut self, group: &str) {
        let waits = |call: &Subscription| matches!(call, Subscription::Waiting(subscribe) if subscribe.group == group);
        let next = self.partner.calls.iter().find_map(|(own, call)| waits(call).then_some(*own));
        if let Some(Subscription::Waiting(subscribe)) = next.and_then(|own| self.partner.calls.remove(&own)) {
            self.ask(subscribe);
        }
    }

    /// An Unsubscribe names the call by the home's number. Before that is known, the withdrawal waits for the answer.
    pub(super) fn withdraw(&mut self, own: u32) {
        match self.partner.calls.get_mut(&own) {
            Some(Subscription::Asked { wanted, .. }) => *wanted = false,
            Some(Subscription::Waiting(_)) => {
                self.partner.calls.remove(&own);
            }
            Some(Subscription::Answered { home_flow }) => {
                let flow = *home_flow;
                self.partner.end(flow);
                self.send(What::Unsubscribe(Unsubscribe { flow }));
            }
            None => {}
        }
    }

    pub(super) fn home_subscribed(&mut self, subscribed: Subscribed) {
        let (own, home_flow) = (subscribed.flow, subscribed.home_flow);
        let in_use = self.partner.knows(home_flow) || self.home.uses(home_flow);
        match self.partner.calls.get(&own).cloned() {
            Some(Subscription::Asked { group, wanted }) if in_use => {
                self.counters.out_of_place += 1;
                self.partner.calls.remove(&own);
                if wanted {
                    let detail = String::from("the home numbers two calls alike");
                    let refused = What::Refused(Refused { flow: own, cause: "flow-in-use".into(), detail });
                    self.outputs.push_back(Output::Deliver(Frame { what: Some(refused) }));
                }
                self.ask_next(&group);
            }
            Some(Subscription::Asked { wanted: true, .. }) => {
                self.partner.calls.insert(own, Subscription::Answered { home_flow });
                self.partner.numbers.insert(home_flow, own);
                self.deliver(What::Subscribed(subscribed));
            }
            Some(Subscription::Asked { group, wanted: false }) => {
                self.partner.calls.remove(&own);
                self.unwanted(home_flow);
                self.ask_next(&group);
            }
            Some(Subscription::Answered { .. } | Subscription::Waiting(_)) => self.counters.out_of_place += 1,
            None if in_use => self.counters.out_of_place += 1,
            None => self.unwanted(home_flow),
        }
    }

    fn unwanted(&mut self, home_flow: u32) {
        self.counters.unwanted += 1;
        self.send(What::Unsubscribe(Unsubscribe { flow: home_flow }));
    }

    pub(super) fn home_refused(&mut self, refused: Refused) {
        match self.partner.calls.get(&refused.flow).cloned() {
            Some(Subscription::Asked { group, wanted }) => {
                self.partner.calls.remove(&refused.flow);
                if wanted {
                    self.deliver(What::Refused(refused));
                } else {
                    self.counters.unwanted += 1;
                }
                self.ask_next(&group);
            }
            Some(Subscription::Answered { .. } | Subscription::Waiting(_)) => self.counters.out_of_place += 1,
            None => self.counters.unknown_flow += 1,
        }
    }

    /// An Ended that meets a subscription without answer speaks of an older one with the same number.
    pub(super) fn home_ended(&mut self, ended: Ended) {
        match self.partner.home_flow(ended.flow) {
            Some(home_flow) => {
                self.partner.end(home_flow);
                self.deliver(What::Ended(ended));
            }
            None if self.partner.uses(ended.flow) => self.counters.out_of_place += 1,
            None => self.counters.unknown_flow += 1,
        }
    }
}
