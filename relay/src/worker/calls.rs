//! The calls that a worker owns: what comes in goes to the core of its call, what the core says is done.

mod busy;
mod company;
mod incoming;
mod letters;
mod reporting;
mod sharing;
mod spanning;
mod strangers;

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc, time::Instant};

use hashbrown::HashMap;
use relay_core::{
    Order, Slot, Time, TrunkId,
    call::{self, Answer, Input, Output},
    roster::Participant,
};
use relay_table::{Change, Look, Row};
use tokio::sync::{mpsc, oneshot, watch};

use busy::Busy;
use company::Company;
use strangers::Strangers;

use super::{
    handing::Handing,
    legs::{Bound, Legs},
    outgoing::{Outgoing, Refused},
    packets::Packet,
    slices::Slices,
    sockets::Sockets,
    ways::Ways,
};
use crate::{
    Event,
    clock::Clock,
    exchange::Exchange,
    expecting::Expecting,
    mail::Joined,
    metrics::Counters,
    status::{Snapshot, StatusWords},
    trunk::BackfillSender,
    udp::{Address, BATCH, Received},
};

pub(super) struct Calls {
    pub(super) sockets: Sockets,
    pub(super) counters: Arc<Counters>,
    clock: Clock,
    now: Time,
    events: mpsc::Sender<Event>,
    exchange: Arc<Exchange>,
    received: Option<Box<Received>>,
    outgoing: Outgoing,
    pub(super) ways: Ways,
    pub(super) handing: Handing,
    slices: Slices,
    legs: Legs,
    /// By row.
    running: Vec<Option<Box<Running>>>,
    /// What has something to hand out, in turn.
    busy: Busy<Piece>,
    company: Company<Piece>,
    wakes: BinaryHeap<Reverse<(Time, usize)>>,
    strangers: Strangers,
}

/// What takes a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    /// A call of this worker.
    Call(usize),
    /// A slice of another owner's call: whose, and its row there.
    Slice(usize, usize),
}

/// A call that runs here.
struct Running {
    id: Arc<str>,
    call: call::Call<Address>,
    epoch: u64,
    /// Participants that the gauge of the worker holds for this call.
    participants: usize,
    /// Who waits for the facts of an entry.
    expecting: HashMap<u64, Expecting>,
    asking: HashMap<u64, oneshot::Sender<Answer>>,
    next_token: u64,
    status: StatusWords,
    refused: Refused,
    counted: call::Counters,
    /// When the heap of wakes names this call next.
    scheduled: Option<Time>,
    queued: bool,
    /// It is an emergency: its work goes before that of others.
    urgent: bool,
    /// The call's number on trunks.
    flow: Option<u32>,
    /// Where it tells that its home has taken it in.
    joined: Option<watch::Sender<Joined>>,
    /// Backfills on their way, by trunk.
    backfills: Vec<(TrunkId, BackfillSender)>,
    /// The packet that parts are handed now.
    copy: Option<(Order, Arc<Packet>)>,
}

impl Calls {
    pub(super) fn new(
        sockets: Sockets,
        clock: Clock,
        counters: Arc<Counters>,
        (events, exchange): (mpsc::Sender<Event>, Arc<Exchange>),
        mut ways: Ways,
    ) -> Calls {
        // Further workers send nothing for calls of this one.
        ways.shares.truncate(call::PARTS_MAX);
        Calls {
            sockets,
            counters,
            clock,
            now: clock.now(),
            events,
            exchange,
            received: Some(Box::default()),
            outgoing: Outgoing::new(),
            handing: Handing::new(ways.shares.len()),
            slices: Slices::new(ways.theirs.len()),
            ways,
            legs: Legs::default(),
            running: Vec::new(),
            busy: Busy::default(),
            company: Company::default(),
            wakes: BinaryHeap::new(),
            strangers: Strangers::default(),
        }
    }

    /// Reads the clock: once per turn and per piece of work.
    pub(super) fn tick(&mut self) {
        self.now = self.clock.now();
    }

    /// When a call wants to be looked at again, on the clock that sleeps.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.wakes.peek().map(|Reverse((at, _))| self.clock.instant(*at))
    }

    /// Tells calls whose time has come.
    pub(super) fn expire(&mut self) {
        while let Some(Reverse((at, index))) = self.wakes.peek().copied()
            && at <= self.now
        {
            self.wakes.pop();
            let Some(running) = self.running.get_mut(index).and_then(Option::as_mut) else { continue };
            if running.scheduled == Some(at) {
                running.scheduled = None;
                running.call.handle(Input::Timer, self.now);
                self.mark(index);
            }
        }
    }

    /// One change of a roster.
    pub(super) fn change(&mut self, row: Row, change: Change<'_, Participant>) {
        let (index, now) = (row.index(), self.now);
        let Some(running) = self.running.get_mut(index).and_then(Option::as_mut) else { return };
        let (input, slot, present) = match change {
            Change::Left { slot, .. } => (Input::Leave { slot: Slot(slot) }, slot, None),
            Change::Entered { slot, entry, value } => {
                (Input::Enter { slot: Slot(slot), entry, participant: value.clone() }, slot, Some(value))
            }
            Change::Replaced { slot, entry, value } => {
                (Input::Replace { slot: Slot(slot), entry, participant: value.clone() }, slot, Some(value))
            }
        };
        let bound = Bound { call: index as u32, slot: Slot(slot) };
        if let Some((entry, leg, ssrc)) = running.call.bound(bound.slot) {
            self.legs.unbind(bound, leg, ssrc);
            running.expecting.remove(&entry);
        }
        match present {
            Some(participant) => self.legs.bind(bound, participant.leg, participant.audio_ssrc, now),
            None => running.refused.forget(bound.slot),
        }
        running.call.handle(input, now);
    }

    /// A roster was looked at: newcomers are served at once, before anything that was due anyway.
    pub(super) fn looked(&mut self, row: Row, look: Look) {
        let index = row.index();
        if look.closed {
            if let Some(mut running) = self.running.get_mut(index).and_then(Option::take) {
                running.count_participants(&self.counters);
                running.farewell(&self.exchange);
                self.handing.end(&mut self.ways, index, &running.call);
                self.counters.calls.set(self.counters.calls.read().saturating_sub(1));
            }
            return;
        }
        if let Some(running) = self.running.get_mut(index).and_then(Option::as_mut) {
            running.epoch = look.epoch.number();
            running.count_participants(&self.counters);
            if self.step(index) {
                self.mark(index);
            }
        }
    }

    /// Hands out one piece of work of the call or slice whose turn it is. False if none has any.
    pub(super) fn work(&mut self) -> bool {
        let Some(piece) = self.busy.pop() else { return false };
        match piece {
            Piece::Slice(owner, row) => {
                if self.send_slice(owner, row) {
                    self.busy.push(piece, self.slices.is_urgent(owner, row));
                }
            }
            Piece::Call(index) => {
                if let Some(running) = self.running.get_mut(index).and_then(Option::as_mut) {
                    running.queued = false;
                    if self.step(index) {
                        self.mark(index);
                    }
                }
            }
        }
        true
    }

    /// Whether several calls have live media, so that none may have the worker for long.
    pub(super) fn in_company(&self) -> bool {
        self.company.is_there(self.now)
    }

    /// The call has, or may have, something to hand out.
    fn mark(&mut self, index: usize) {
        if let Some(running) = self.running.get_mut(index).and_then(Option::as_mut)
            && !running.queued
        {
            running.queued = true;
            self.busy.push(Piece::Call(index), running.urgent);
        }
    }

    /// Does what a call says: at most one live chunk, or as much of other things. True if there is more.
    fn step(&mut self, index: usize) -> bool {
        let Some(running) = self.running.get_mut(index).and_then(Option::as_mut) else { return false };
        let (sockets, counters, outgoing) = (&self.sockets, &*self.counters, &mut self.outgoing);
        let exchange = &*self.exchange;
        running.call.in_company(self.company.is_there(self.now));
        let mut done = 0;
        let more = loop {
            match running.call.poll() {
                Output::Floor { to, message } => {
                    done += 1;
                    if outgoing.keep_floor(to, message) {
                        break true;
                    }
                }
                Output::Replay { slot, to, orders, kept } => {
                    outgoing.flush_floor(sockets, counters);
                    let packets = orders.iter().filter_map(|order| kept.packet(*order));
                    outgoing.replay(sockets, counters, &to, packets, |why| running.refused.add(slot, why, 1));
                    done += orders.len();
                }
                Output::Distribute { packet, targets, slots, .. } => {
                    outgoing.flush_floor(sockets, counters);
                    let refused = &mut running.refused;
                    let failed = |at: usize, why| refused.add(slots[at], why, 1);
                    outgoing.distribute(&sockets.rtp, counters, packet, targets, failed);
                    break true;
                }
                output @ (Output::Slice { .. } | Output::Hand { .. }) => {
                    outgoing.flush_floor(sockets, counters);
                    if let Some(part) =
                        self.handing.hand(&mut self.ways, (index, running.urgent), &mut running.copy, output)
                    {
                        running.call.handle(Input::Lost { part }, self.now);
                    }
                }
                Output::Entered { entry, facts, .. } => {
                    outgoing.flush_floor(sockets, counters);
                    running.has_entered(entry, facts, counters);
                }
                Output::Answer { token, answer } => {
                    outgoing.flush_floor(sockets, counters);
                    running.has_answered(token, answer, counters);
                }
                output @ (Output::Inactive | Output::Expired { .. }) => {
                    reporting::report(&self.events, counters, (&running.id, running.epoch), &output);
                }
                Output::Forward { to, flow, packet } => {
                    exchange.forward(to, flow, packet);
                    done += 1;
                }
                Output::Backfill { to, flow, orders, kept, done: last } => {
                    let packets = orders.iter().filter_map(|order| kept.packet(*order));
                    spanning::backfill(&mut running.backfills, exchange, (to, flow), packets, last);
                    break true;
                }
                Output::Wake(wake) => {
                    running.schedule(index, wake.map(|(at, _)| at), &mut self.wakes);
                    break false;
                }
                output => spanning::follow(&running.id, running.joined.as_ref(), exchange, output),
            }
            if done >= BATCH {
                break true;
            }
        };
        outgoing.flush_floor(sockets, counters);
        running.publish(counters);
        more
    }
}

impl Running {
    /// Sees to it that the call is woken at `at`, or earlier: an early wake costs a look, and most timers only move away.
    fn schedule(&mut self, index: usize, at: Option<Time>, wakes: &mut BinaryHeap<Reverse<(Time, usize)>>) {
        if let Some(at) = at
            && self.scheduled.is_none_or(|scheduled| at < scheduled)
        {
            self.scheduled = Some(at);
            wakes.push(Reverse((at, index)));
        }
    }

    /// Brings the gauge of participants up to date: by what changed here, whatever other calls there are.
    fn count_participants(&mut self, counters: &Counters) {
        let before = std::mem::replace(&mut self.participants, self.call.participants());
        counters.participants.set(counters.participants.read() + self.participants as u64 - before as u64);
    }

    /// Publishes the status row and adds what the call counted since.
    fn publish(&mut self, counters: &Counters) {
        let (state, talker, since) = self.call.floor();
        self.status.name(self.call.talker_elsewhere());
        self.status.publish(&Snapshot {
            state: Some(state),
            talker,
            private: self.call.is_private(),
            since,
            queue_length: self.call.queue_length(),
            newest: self.call.newest(),
        });
        let now = *self.call.counters();
        let before = std::mem::replace(&mut self.counted, now);
        if now == before {
            return;
        }
        counters.media_received.add(now.media - before.media);
        counters.overrun.add(now.overrun - before.overrun);
        counters.worker_full.add(now.worker_full - before.worker_full);
        counters.overtaken.add(now.overtaken - before.overtaken);
        counters.unconfirmed.add(now.unconfirmed - before.unconfirmed);
        counters.unheeded.add(now.unheeded - before.unheeded);
        counters.misdirected.add(now.misdirected - before.misdirected);
        counters.entered.add(now.entered - before.entered);
        counters.forwarded.add(now.forwarded - before.forwarded);
        counters.from_trunk.add(now.from_trunk - before.from_trunk);
        counters.backfilled.add(now.backfilled - before.backfilled);
        counters.trunk_overtaken.add(now.trunk_overtaken - before.trunk_overtaken);
        counters.unheard.add(now.unheard - before.unheard);
        counters.backfill_missed.add(now.backfill_missed - before.backfill_missed);
        let dropped = [
            &counters.drop_no_permission,
            &counters.drop_tail,
            &counters.drop_packet_rate,
            &counters.drop_byte_rate,
            &counters.drop_duplicate,
            &counters.drop_too_large,
            &counters.drop_injected,
            &counters.drop_held,
        ];
        for (at, counter) in dropped.iter().enumerate() {
            counter.add(now.dropped[at] - before.dropped[at]);
        }
    }
}
