//! How participants go and calls end: at once, unless somebody is on its way to another system.

use control_core::system::Input;
use relay_core::{roster::Attachment, trunk::link};

use super::{
    calls::{GRACE, ended},
    event::{Deed, Event, Say},
    node::{GROUPS, SYSTEMS},
    world::World,
};

/// How often an entry looks for the running call again that ended before it was entered, as in a node.
const ATTEMPTS: u8 = 3;

impl World {
    pub(super) fn take_out(&mut self, number: u64, entry: u64, moving: bool) {
        let now = self.now;
        let Some(running) = self.calls.get_mut(&number) else { return };
        let Some(at) = running.seats.iter().position(|seat| seat.entry == entry) else { return };
        let seat = running.seats.remove(at);
        if moving && running.home.is_none() {
            running.grace = Some(now + GRACE);
            self.queue.put(now + GRACE, Event::GraceOver(number));
        }
        let group = running.group;
        if let Some((to, opened)) = seat.pending {
            let node = running.node;
            self.finish_for(node, &(seat.user, seat.client, group), to, opened, Err(ended(group)));
        }
        self.deeds.push_back(Deed::Call(number, Say::Leave(seat.slot)));
    }

    /// A participant that left by itself, or whose home does not want it.
    pub(super) fn take_out_gone(&mut self, number: u64, entry: u64) {
        let Some(running) = self.calls.get(&number) else { return };
        let (node, group) = (running.node, GROUPS[running.group].0.into());
        let Some(seat) = running.seats.iter().find(|seat| seat.entry == entry) else { return };
        let gone = Input::Gone { user: seat.user.clone(), client: seat.client.clone(), group };
        self.take_out(number, entry, false);
        self.deeds.push_back(Deed::System(node, gone));
        self.end_if_empty(number);
    }

    /// Who is behind the trunk goes: one by its reference, or everybody.
    pub(super) fn leave_behind(&mut self, at: usize, call: Option<u64>, reference: Option<u32>) {
        let calls = self.calls.iter().filter(|(number, running)| {
            running.node == at && running.home.is_none() && call.is_none_or(|call| call == **number)
        });
        for number in calls.map(|(number, _)| *number).collect::<Vec<_>>() {
            let Some(running) = self.calls.get_mut(&number) else { continue };
            for (admitting, gone) in &mut running.admitting {
                *gone |= reference.is_none_or(|reference| reference == *admitting);
            }
            let meant = |leg: &Attachment| {
                leg.behind().is_some_and(|behind| reference.is_none_or(|reference| reference == behind.reference))
            };
            let gone = running.seats.iter().filter(|seat| meant(&seat.leg)).map(|seat| seat.entry);
            for entry in gone.collect::<Vec<_>>() {
                self.take_out(number, entry, true);
            }
            self.end_if_empty(number);
        }
    }

    pub(super) fn expect_somebody(&mut self, number: u64) {
        let until = self.now + GRACE;
        if let Some(running) = self.calls.get_mut(&number) {
            running.grace = running.grace.max(Some(until));
            self.queue.put(until, Event::GraceOver(number));
        }
    }

    pub(super) fn end_if_empty(&mut self, number: u64) {
        let Some(running) = self.calls.get(&number) else { return };
        let expected = running.grace.is_some_and(|until| self.now < until);
        if running.seats.is_empty() && running.waiting.is_empty() && running.admitting.is_empty() && !expected {
            let (node, group, is_home) = (running.node, running.group, running.home.is_none());
            if is_home {
                self.judge_release(node, group);
            }
            self.end(number, "nobody takes part");
        }
    }

    pub(super) fn end(&mut self, number: u64, why: &str) {
        let Some(running) = self.calls.remove(&number) else { return };
        let (at, group) = (running.node, running.group);
        self.tell(format!("{} ends its call {number} of {}: {why}", SYSTEMS[at], GROUPS[group].0));
        for (_, frame) in running.call.farewell() {
            self.deeds.push_back(Deed::Link(at, link::Input::Local(frame)));
        }
        if running.home.is_some() {
            self.deeds.push_back(Deed::Link(at, link::Input::Withdraw(running.flow)));
        }
        self.judge.closed(number, self.now);
        for seat in running.seats {
            if let Some((to, opened)) = seat.pending {
                self.finish_for(at, &(seat.user, seat.client, group), to, opened, Err(ended(group)));
            }
        }
        self.deeds.push_back(Deed::System(at, Input::Call { group: GROUPS[group].0.into(), runs: false }));
        for (client, mut entering) in running.waiting {
            entering.attempts += 1;
            match entering.attempts < ATTEMPTS {
                true => self.start(at, client, entering),
                false => self.finish(at, &client, &entering, Err(ended(group))),
            }
        }
    }

    /// The process has gone, with all its calls.
    pub(super) fn end_all(&mut self, at: usize) {
        let now = self.now;
        let of = self.calls.iter().filter(|(_, running)| running.node == at).map(|(number, _)| *number);
        for number in of.collect::<Vec<_>>() {
            self.calls.remove(&number);
            self.judge.closed(number, now);
        }
    }
}
