//! Which frame goes to whom: the partner's to our calls, those of our calls to the partner.

use super::{Link, Role, State, What};
use crate::trunk::wire::Frame;

impl Link {
    /// A frame that came and does not concern the trunk itself.
    pub(super) fn route(&mut self, what: What) {
        match what {
            What::Subscribe(subscribe) => self.partner_subscribes(subscribe),
            What::Unsubscribe(unsubscribe) => self.partner_unsubscribes(unsubscribe),
            What::Announce(announce) => self.partner_announces(announce),
            What::Depart(depart) => self.participant_departs(depart),
            What::Subscribed(subscribed) => self.home_subscribed(subscribed),
            What::Refused(refused) => self.home_refused(refused),
            What::Ended(ended) => self.home_ended(ended),
            What::Floor(ref floor) if matches!(self.role(floor.flow), Some(Role::Home | Role::Partner)) => {
                self.deliver(what);
            }
            What::Expel(ref expel) if self.role(expel.flow) == Some(Role::Partner) => self.deliver(what),
            What::Spacing(ref spacing) if self.role(spacing.flow) == Some(Role::Partner) => self.deliver(what),
            What::Floor(_) | What::Expel(_) | What::Spacing(_) => self.counters.unknown_flow += 1,
            What::Hello(_) | What::Heartbeat(_) | What::Goodbye(_) => self.counters.out_of_place += 1,
        }
    }

    pub(super) fn local(&mut self, frame: Frame) {
        let said = match frame.what {
            _ if self.state != State::Ready => false,
            Some(What::Subscribe(subscribe)) => self.subscribe(subscribe),
            Some(what) => self.say(what),
            None => false,
        };
        if !said {
            self.counters.unsent += 1;
        }
    }

    /// Whether the frame had somebody to go to.
    fn say(&mut self, what: What) -> bool {
        let known = match &what {
            What::Unsubscribe(unsubscribe) => self.partner.end(unsubscribe.flow),
            What::Announce(announce) => self.partner.knows(announce.flow),
            What::Depart(depart) => self.partner.knows(depart.flow),
            What::Floor(floor) => self.partner.knows(floor.flow) || self.home.is_answered(floor.flow),
            What::Subscribed(subscribed) => {
                !self.partner.uses(subscribed.home_flow) && self.home.answer(subscribed.flow, subscribed.home_flow)
            }
            What::Spacing(spacing) => self.home.is_answered(spacing.flow),
            What::Refused(refused) => !self.home.is_answered(refused.flow) && self.home.end(refused.flow),
            What::Ended(ended) => self.home.is_answered(ended.flow) && self.home.end(ended.flow),
            What::Expel(expel) => self.home.expel(expel.flow, expel.reference),
            What::Hello(_) | What::Heartbeat(_) | What::Goodbye(_) | What::Subscribe(_) => false,
        };
        if known {
            self.send(what);
        }
        known
    }
}
