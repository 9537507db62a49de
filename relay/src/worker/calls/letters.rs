//! Letters from control.

use std::sync::Arc;

use hashbrown::HashMap;
use relay_core::{
    Slot,
    call::{Answer, Call, Counters, FromTrunk, Input},
    late_entry::{Facts, ResumePoint},
};

use super::{Bound, Calls, Running};
use crate::{
    ParticipantFacts,
    expecting::Expecting,
    mail::{Mail, Opening},
    metrics,
    worker::outgoing::Refused,
};

impl Calls {
    /// Reads one letter. What it asks of a call that has ended is dropped, and whoever asked hears that.
    pub(in crate::worker) fn read(&mut self, mail: Mail) {
        let now = self.now;
        match mail {
            Mail::Open(opening) => self.open(*opening),
            Mail::Expect { row, entry, reply } => {
                if let Some(running) = self.at(row.index()) {
                    running.expecting.insert(entry, Expecting::One(reply));
                }
            }
            Mail::ExpectMany { row, entries, reply } => {
                if let Some(running) = self.at(row.index()) {
                    let expected = |entry| (entry, Expecting::Batch(Arc::clone(&reply)));
                    running.expecting.extend(entries.into_iter().map(expected));
                }
            }
            Mail::Ask { row, slot, entry, action, reply } => {
                let Some(running) = self.at(row.index()) else { return };
                if !running.serves(slot, entry) {
                    _ = reply.send(Answer::Left);
                    return;
                }
                let token = running.next_token;
                running.next_token += 1;
                running.asking.insert(token, reply);
                running.call.handle(Input::Ask { slot, token, action }, now);
                self.mark(row.index());
            }
            Mail::TakeOut { row, slot, entry, reply } => {
                _ = reply.send(self.take_out(row.index(), slot, entry));
            }
            Mail::Describe { row, reply } => {
                let Some(running) = self.at_present(row.index()) else { return };
                _ = reply.send(running.call.describe());
            }
            Mail::List { row, after, limit, reply } => {
                let Some(running) = self.at_present(row.index()) else { return };
                _ = reply.send(running.list(after, limit));
            }
            Mail::Configure { row, settings, urgent } => {
                if let Some(running) = self.at(row.index()) {
                    running.urgent = urgent;
                    running.call.handle(Input::Configure(*settings), now);
                    self.mark(row.index());
                }
            }
            Mail::Trunk { row, from, what } => self.trunk_mail(row.index(), from, what),
            Mail::Expel { row, trunk, reference, cause } => {
                if let Some(running) = self.at(row.index()) {
                    running.call.handle(Input::Expel { trunk, reference, cause: &cause }, now);
                    self.mark(row.index());
                }
            }
            // Taken by the worker itself.
            Mail::Settle { .. } | Mail::Stop => {}
        }
    }

    fn open(&mut self, opening: Opening) {
        let index = opening.row.index();
        if self.running.len() <= index {
            self.running.resize_with(index + 1, || None);
        }
        let parts = self.ways.shares.len() as u8;
        let mut call = Call::new(opening.settings, opening.floor_ssrc).sliced(parts);
        for part in self.handing.gone() {
            call.handle(Input::Gone { part }, self.now);
        }
        let flow = opening.span.as_ref().map(|span| span.flow);
        let home = opening.span.as_ref().and_then(|span| span.home.as_ref()).map(|home| home.trunk);
        if let Some(span) = opening.span {
            call = call.spanning(span);
        }
        if let Some(trunk) = home.filter(|trunk| self.exchange.is_ready(*trunk)) {
            call.handle(Input::Trunk { from: trunk, what: FromTrunk::Up }, self.now);
        }
        self.running[index] = Some(Box::new(Running {
            id: opening.id,
            call,
            epoch: 0,
            participants: 0,
            expecting: HashMap::new(),
            asking: HashMap::new(),
            next_token: 0,
            status: opening.status,
            refused: Refused::default(),
            counted: Counters::default(),
            scheduled: None,
            queued: false,
            urgent: opening.urgent,
            flow,
            joined: opening.joined,
            backfills: Vec::new(),
            copy: None,
        }));
        self.counters.calls.add(1);
        self.mark(index);
    }

    fn take_out(&mut self, index: usize, slot: Slot, entry: u64) -> Vec<ResumePoint> {
        let now = self.now;
        let Some(running) = self.running.get_mut(index).and_then(Option::as_mut) else { return Vec::new() };
        let Some((_, leg, ssrc)) = running.call.bound(slot).filter(|bound| bound.0 == entry) else { return Vec::new() };
        self.legs.unbind(Bound { call: index as u32, slot }, leg, ssrc);
        running.expecting.remove(&entry);
        running.refused.forget(slot);
        let points = running.call.take_out(slot, now);
        self.mark(index);
        points
    }

    fn at(&mut self, index: usize) -> Option<&mut Running> {
        self.running.get_mut(index)?.as_deref_mut()
    }

    /// A call that is about to say how old things are: it knows the time only from what it is told.
    fn at_present(&mut self, index: usize) -> Option<&mut Running> {
        let now = self.now;
        self.at(index)?.call.handle(Input::Timer, now);
        self.mark(index);
        self.at(index)
    }
}

impl Running {
    /// Answers who waits for an entry.
    pub(super) fn has_entered(&mut self, entry: u64, facts: Facts, counters: &metrics::Counters) {
        // Whoever is answered may read the status row at once: it is no older than the answer.
        self.publish(counters);
        if let Some(reply) = self.expecting.remove(&entry) {
            reply.answer(entry, facts);
        }
    }

    /// Answers who asked for the floor.
    pub(super) fn has_answered(&mut self, token: u64, answer: Answer, counters: &metrics::Counters) {
        self.publish(counters);
        if let Some(reply) = self.asking.remove(&token) {
            _ = reply.send(answer);
        }
    }

    fn serves(&self, slot: Slot, entry: u64) -> bool {
        self.call.bound(slot).is_some_and(|bound| bound.0 == entry)
    }

    fn list(&self, after: Option<Slot>, limit: usize) -> Vec<ParticipantFacts> {
        let first = after.map_or(0, |slot| slot.index() + 1);
        let slots = (first..self.call.slots_end()).map(|at| Slot(at as u32));
        let facts = slots.filter_map(|slot| self.call.participant(slot)).take(limit);
        facts.map(|facts| self.facts(&facts)).collect()
    }

    fn facts(&self, facts: &relay_core::call::ParticipantFacts) -> ParticipantFacts {
        let mut dropped: Vec<_> = self.refused.of(facts.slot).collect();
        if facts.lost > 0 {
            dropped.push(("worker-full", facts.lost));
        }
        if facts.overtaken > 0 {
            dropped.push(("overtaken", facts.overtaken));
        }
        let refused: u64 = self.refused.of(facts.slot).map(|(_, number)| number).sum();
        ParticipantFacts {
            slot: facts.slot,
            entry: facts.entry,
            floor_confirmed: facts.floor_confirmed,
            sent: facts.sent.saturating_sub(refused),
            dropped,
            age: facts.age,
        }
    }
}
