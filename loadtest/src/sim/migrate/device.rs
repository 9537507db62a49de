//! The clients: one device each, with an ear for every participation, and what it does about what it is told.

use std::net::SocketAddr;

use control_core::{
    Refused,
    system::{Answer, Ask, Item, LegRequest, Mode, Phase, Scope, Service, Wanted},
};
use relay_core::{Millis, Ssrc, Time, late_entry::ResumePoint, roster::Leg};

use super::{
    event::{Asker, EnterFor, Entering, Event, Shown, Turn, Why},
    node::{GROUPS, SYSTEMS},
    world::World,
};
use crate::{
    capture::Channel,
    handset::{Handset, Input, Output},
};

/// A device waits so long for what it asked, then it begins anew at home.
const PATIENCE: Millis = Millis(20_000);

/// Where a device stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Authorizing,
    Affiliating,
    Here,
    /// It leaves its system by itself, to be served by another one.
    Leaving,
    Moving {
        to: usize,
        id: Option<String>,
    },
    /// It wants no calls for a while.
    Paused,
}

/// A client of a user.
pub(super) struct Device {
    pub(super) user: String,
    pub(super) client: String,
    pub(super) home: usize,
    /// Whether it goes to the partner at all.
    pub(super) moves: bool,
    /// The system that it believes to be served by, and what it is called there.
    pub(super) at: usize,
    pub(super) called: String,
    pub(super) authorization: Option<String>,
    pub(super) affiliation: Option<String>,
    pub(super) ticket: Option<String>,
    pub(super) state: State,
    /// Grows with every change of mind: older answers mean nothing.
    pub(super) turn: u64,
    legs: u8,
    reading: bool,
    look_again: bool,
    /// By group: the newest packet of each SSRC, and when it came.
    pub(super) heard: [Vec<(Ssrc, u16, Time)>; GROUPS.len()],
    /// By group: where it listens and talks.
    pub(super) entry: [Option<u64>; GROUPS.len()],
    /// By group: why it is not affiliated.
    pub(super) told: [Option<&'static str>; GROUPS.len()],
    delay: Millis,
}

/// One participation of a device.
pub(super) struct Ear {
    pub(super) device: usize,
    pub(super) call: u64,
    pub(super) group: usize,
    pub(super) handset: Handset,
    pub(super) wake: Option<Time>,
    /// Whether the device has been told that it is in the call.
    pub(super) known: bool,
    /// Whether it still uses it.
    pub(super) open: bool,
    pub(super) delay: Millis,
    up_free: Time,
    pub(super) down_free: Time,
}

impl Device {
    pub(super) fn new(user: &str, client: &str, home: usize, moves: bool, delay: Millis) -> Device {
        Device {
            user: user.into(),
            client: client.into(),
            home,
            moves,
            at: home,
            called: user.into(),
            authorization: None,
            affiliation: None,
            ticket: None,
            state: State::Authorizing,
            turn: 0,
            legs: 0,
            reading: false,
            look_again: false,
            heard: Default::default(),
            entry: [None; GROUPS.len()],
            told: [None; GROUPS.len()],
            delay,
        }
    }

    fn wanted(&self, now: Time) -> Vec<Wanted> {
        let resume = |group: usize| {
            let heard = self.heard[group].iter().filter(|heard| now.since(heard.2) < super::calls::RETENTION);
            heard.map(|heard| ResumePoint { ssrc: heard.0, sequence: heard.1.into() }).collect()
        };
        let wanted = |(group, name): (usize, &(&str, usize))| Wanted { group: name.0.into(), resume: resume(group) };
        GROUPS.iter().enumerate().map(wanted).collect()
    }
}

impl World {
    /// Addresses that nobody else has: the device opens new ones.
    fn new_leg(&mut self, device: usize) -> LegRequest {
        let of = &mut self.devices[device];
        of.legs = of.legs.wrapping_add(1);
        let at = |port| SocketAddr::from(([10, 0, device as u8, of.legs], port));
        let leg = Leg { rtp: at(5_000), floor: Some(at(5_001)) };
        LegRequest { leg, queueing: true, priority: 3, expires: None }
    }

    fn ask_as(&mut self, device: usize, node: usize, why: Why, ask: Ask) {
        let turn = self.devices[device].turn;
        let at = self.now + self.devices[device].delay;
        self.queue.put(at, Event::Ask { node, device, turn, why, ask });
    }

    /// A change of mind: what was asked before no longer counts.
    fn turn_to(&mut self, device: usize, state: State) {
        let of = &mut self.devices[device];
        of.turn += 1;
        of.state = state;
        of.reading = false;
        let turn = of.turn;
        self.queue.put(self.now + PATIENCE, Event::Impatient { device, turn });
    }

    /// The client authorises at home and affiliates there, whatever was before.
    pub(super) fn begin_anew(&mut self, device: usize) {
        self.turn_to(device, State::Authorizing);
        let of = &self.devices[device];
        let (user, client, home) = (of.user.clone(), of.client.clone(), of.home);
        let ask = Ask::Authorize { user, client, profile: None, service: Service::Mcptt };
        self.ask_as(device, home, Why::Authorize, ask);
    }

    pub(super) fn ask_tickets(&mut self, device: usize) {
        let of = &self.devices[device];
        let (user, client, home) = (of.user.clone(), of.client.clone(), of.home);
        let ask = Ask::Authorize { user, client, profile: None, service: Service::Mcptt };
        self.ask_as(device, home, Why::Tickets, ask);
    }

    pub(super) fn affiliate(&mut self, device: usize) {
        let leg = Some(self.new_leg(device));
        let of = &self.devices[device];
        let (user, client, groups, at) = (of.called.clone(), of.client.clone(), of.wanted(self.now), of.at);
        let ask = Ask::Affiliate { user, client, groups, leg, expires: None, service: Service::Mcptt };
        self.ask_as(device, at, Why::Affiliate, ask);
    }

    /// Asks the other system to move it there.
    pub(super) fn migrate(&mut self, device: usize, to: usize) {
        self.judge.counts.migrations += 1;
        self.turn_to(device, State::Moving { to, id: None });
        let leg = Some(self.new_leg(device));
        let of = &mut self.devices[device];
        let (user, client, from) = (of.user.clone(), of.client.clone(), SYSTEMS[1 - to].into());
        let (ticket, groups) = (of.ticket.take(), of.wanted(self.now));
        let (profile, mode, service) = (None, Mode::Strict, Service::Mcptt);
        let ask = Ask::Migrate { user, client, from, ticket, profile, mode, groups, leg, service };
        self.tell(format!("device {device} wants to move to {}", SYSTEMS[to]));
        self.ask_as(device, to, Why::Migrate, ask);
    }

    /// Gives its affiliation up by itself; what follows depends on `why`.
    pub(super) fn deaffiliate(&mut self, device: usize, why: Why) {
        let Some(affiliation) = self.devices[device].affiliation.clone() else { return self.begin_anew(device) };
        let state = if why == Why::Pause { State::Paused } else { State::Leaving };
        self.turn_to(device, state);
        let at = self.devices[device].at;
        self.ask_as(device, at, why, Ask::Deaffiliate { affiliation, scope: Scope::Client });
    }

    pub(super) fn refresh(&mut self, device: usize) {
        let of = &self.devices[device];
        let Some(affiliation) = of.affiliation.clone() else { return };
        self.ask_as(device, of.at, Why::Refresh, Ask::Refresh { affiliation });
    }

    pub(super) fn start_call(&mut self, device: usize, group: usize) {
        let of = &self.devices[device];
        let (user, client) = (of.called.clone(), of.client.clone());
        let ask = Ask::EnterByClient { user, client, group: GROUPS[group].0.into() };
        self.ask_as(device, of.at, Why::Start(group), ask);
    }

    /// What it waits for may have changed.
    pub(super) fn look(&mut self, device: usize) {
        let of = &mut self.devices[device];
        if std::mem::replace(&mut of.reading, true) {
            of.look_again = true;
            return;
        }
        match (&of.state, &of.affiliation) {
            (State::Moving { to, id: Some(migration) }, _) => {
                let (to, migration) = (*to, migration.clone());
                self.ask_as(device, to, Why::ReadMove, Ask::Migration { migration });
            }
            (State::Here, Some(affiliation)) => {
                let (at, affiliation) = (of.at, affiliation.clone());
                self.ask_as(device, at, Why::Read, Ask::Affiliation { affiliation });
            }
            _ => of.reading = false,
        }
    }

    /// Something that devices may watch has changed at a node.
    pub(super) fn changed(&mut self, at: usize, id: &str) {
        for device in 0..self.devices.len() {
            let of = &self.devices[device];
            let watches = match &of.state {
                State::Moving { to, id: Some(migration) } => *to == at && migration == id,
                State::Here => of.at == at && of.affiliation.as_deref() == Some(id),
                _ => false,
            };
            if watches {
                self.look(device);
            }
        }
    }

    /// A node has crashed: whoever was served there looks when it is back.
    pub(super) fn devices_lost(&mut self, at: usize) {
        for device in 0..self.devices.len() {
            let of = &mut self.devices[device];
            let concerned = of.at == at || matches!(of.state, State::Moving { to, .. } if to == at);
            if concerned {
                of.reading = false;
                let turn = of.turn;
                self.queue.put(self.now + Millis(300), Event::Look { device, turn });
            }
        }
    }

    /// The rules of a node have answered.
    pub(super) fn answered(&mut self, at: usize, asker: Asker, answer: Result<Answer<Shown>, Refused>) {
        match asker {
            Asker::Subscribe { line, ask } => self.may_subscribe(at, line, ask, answer.map(|_| ())),
            Asker::Announce { call, line, announced } if line == self.wire.line => {
                self.may_announce(call, *announced, answer);
            }
            Asker::Announce { call, announced, .. } => {
                if let Some(running) = self.calls.get_mut(&call) {
                    running.admitting.remove(&announced.reference);
                    self.end_if_empty(call);
                }
            }
            Asker::Device { device, turn, why: Why::Start(group) } if answer.is_ok() => {
                let Ok(Answer::MayEnter { user, home, standing, .. }) = answer else {
                    return self.judge.broken("the rules did not say whether a client may enter".into());
                };
                let leg = self.new_leg(device);
                let entering = Entering {
                    to: Some(EnterFor::Device(device, turn)),
                    home: home.as_deref().map(super::node::system_of),
                    leg: leg.leg.into(),
                    ssrc: None,
                    priority: leg.priority,
                    queueing: leg.queueing,
                    resume: self.devices[device].wanted(self.now).swap_remove(group).resume,
                    standing,
                    start: true,
                    attempts: 0,
                    opened: false,
                };
                let client = (user, self.devices[device].client.clone(), group);
                self.take_turn(at, client, Turn::Enter(Box::new(entering)));
            }
            // Whoever stored documents does not listen.
            Asker::Device { device, .. } if device >= self.devices.len() => {}
            Asker::Device { device, turn, why } => {
                let due = self.now + self.devices[device].delay;
                let answer = Box::new(answer);
                self.queue.put(due, Event::Answered { device, turn, why, answer });
            }
        }
    }

    /// A device that enters by itself hears what became of it.
    pub(super) fn started(&mut self, device: usize, turn: u64, group: usize, result: Result<Shown, Refused>) {
        let Some(ear) = result.as_ref().ok().and_then(|shown| self.entries.get(&shown.entry)) else { return };
        let (due, group) = (self.now + ear.delay, GROUPS[group].0.into());
        let items = vec![Item { group, result: result.map(Some), not_entered: None }];
        let answer = Box::new(Ok(Answer::Affiliation { affiliation: String::new(), items, revision: 0 }));
        self.queue.put(due, Event::Answered { device, turn, why: Why::Start(0), answer });
    }

    /// A client has a seat: its device listens there.
    pub(super) fn seated(&mut self, entry: u64, call: u64, group: usize, ssrc: Ssrc, (user, client): (String, String)) {
        let device = self.devices.iter().position(|device| device.user == user && device.client == client);
        let device = device.expect("nobody else takes part");
        let delay = self.devices[device].delay;
        let sequence = self.judge.next_sequence(ssrc);
        let mut handset = Handset::new(user.into(), sequence, true);
        handset.begin(self.now);
        let (up_free, down_free) = (self.now, self.now);
        let (wake, known, open) = (None, false, true);
        let ear = Ear { device, call, group, handset, wake, known, open, delay, up_free, down_free };
        self.entries.insert(entry, ear);
    }

    pub(super) fn arrive_down(&mut self, entry: u64, channel: Channel, bytes: &[u8]) {
        let now = self.now;
        let Some(ear) = self.entries.get(&entry) else { return };
        let (device, group) = (ear.device, ear.group);
        if let Some((ssrc, sequence)) = self.judge.heard(entry, channel, bytes, now) {
            let heard = &mut self.devices[device].heard[group];
            match heard.iter_mut().find(|heard| heard.0 == ssrc) {
                Some(heard) if sequence.wrapping_sub(heard.1).cast_signed() > 0 => *heard = (ssrc, sequence, now),
                Some(heard) => heard.2 = now,
                None => heard.push((ssrc, sequence, now)),
            }
        }
        self.tell_ear(entry, Input::Heard { channel, bytes });
    }

    pub(super) fn tell_ear(&mut self, entry: u64, input: Input<'_>) {
        let now = self.now;
        let Some(ear) = self.entries.get_mut(&entry) else { return };
        ear.handset.handle(input, now);
        loop {
            let (channel, bytes) = match ear.handset.poll() {
                Output::Wake(wake) => {
                    ear.wake = wake.filter(|_| ear.open);
                    return;
                }
                Output::Send(channel, bytes) => (channel, bytes),
                Output::Speak(bytes) => (Channel::Media, bytes),
                Output::Asks | Output::Floor(_) | Output::Failed(_) => continue,
            };
            if !ear.open {
                continue;
            }
            if channel == Channel::Media {
                self.judge.spoken(&self.devices[ear.device].user, ear.group, &bytes, now);
            }
            ear.up_free = ear.up_free.max(now + ear.delay);
            self.queue.put(ear.up_free, Event::Up { entry, channel, bytes });
        }
    }

    /// What a device is shown of its groups.
    fn show(&mut self, device: usize, items: Vec<Item<Shown>>) {
        for item in items {
            let group = super::node::group_of(&item.group);
            self.devices[device].told[group] = item.result.as_ref().err().map(|refused| refused.cause.code());
            let Ok(Some(shown)) = item.result else { continue };
            for (entry, ear) in &mut self.entries {
                if ear.device == device && ear.group == group && *entry != shown.entry {
                    ear.open = false;
                    ear.wake = None;
                }
            }
            self.devices[device].entry[group] = Some(shown.entry);
            let Some(ear) = self.entries.get_mut(&shown.entry).filter(|ear| !ear.known) else { continue };
            ear.known = true;
            ear.open = true;
            self.tell_ear(shown.entry, Input::Entered(shown.ssrc));
        }
    }

    pub(super) fn hear_answer(&mut self, device: usize, turn: u64, why: Why, answer: Result<Answer<Shown>, Refused>) {
        if self.devices[device].turn != turn {
            return;
        }
        let of = &mut self.devices[device];
        if matches!(why, Why::Read | Why::ReadMove) {
            of.reading = false;
            if std::mem::take(&mut of.look_again) {
                self.queue.put(self.now, Event::Look { device, turn });
            }
        }
        match (why, answer) {
            (Why::Authorize, Ok(Answer::Authorized { authorization, user, tickets })) => {
                let of = &mut self.devices[device];
                (of.at, of.called, of.state) = (of.home, user, State::Affiliating);
                of.authorization = Some(authorization);
                of.ticket = tickets.into_iter().next().map(|ticket| ticket.ticket);
                self.affiliate(device);
            }
            (Why::Tickets, Ok(Answer::Authorized { authorization, tickets, .. })) => {
                let of = &mut self.devices[device];
                of.authorization = Some(authorization);
                of.ticket = tickets.into_iter().next().map(|ticket| ticket.ticket);
            }
            (Why::Affiliate | Why::Read | Why::Refresh, Ok(Answer::Affiliation { affiliation, items, .. })) => {
                let of = &mut self.devices[device];
                of.state = State::Here;
                of.affiliation = Some(affiliation);
                self.show(device, items);
            }
            (Why::Start(_), Ok(Answer::Affiliation { items, .. })) => self.show(device, items),
            (Why::Migrate, Ok(Answer::Migrating { migration })) => {
                if let State::Moving { id, .. } = &mut self.devices[device].state {
                    *id = Some(migration);
                }
                self.look(device);
            }
            (Why::ReadMove, Ok(Answer::Migration(migration))) => self.see_migration(device, migration),
            (Why::Deaffiliate, Ok(_)) => match self.devices[device].authorization.clone() {
                Some(authorization) => {
                    let at = self.devices[device].at;
                    self.ask_as(device, at, Why::Deauthorize, Ask::Deauthorize { authorization });
                }
                None => self.begin_anew(device),
            },
            (Why::Deauthorize, Ok(_)) => {
                let to = 1 - self.devices[device].at;
                self.migrate(device, to);
            }
            (Why::Pause, Ok(_)) | (Why::Start(_) | Why::Tickets, _) => {}
            (Why::Read | Why::ReadMove | Why::Refresh, Err(refused))
                if refused.cause == control_core::Cause::Draining =>
            {
                self.queue.put(self.now + Millis(400), Event::Look { device, turn });
            }
            (why, answer) => {
                let word = answer.err().map_or("an odd answer", |refused| refused.cause.code());
                self.tell(format!("device {device} is told {word} for {why:?}, and begins anew"));
                let of = &mut self.devices[device];
                of.told = [Some(word); GROUPS.len()];
                of.state = State::Authorizing;
                self.queue.put(self.now + Millis(700), Event::Impatient { device, turn });
            }
        }
    }

    fn see_migration(&mut self, device: usize, migration: control_core::system::MigrationAnswer<Shown>) {
        let State::Moving { to, .. } = self.devices[device].state else { return };
        match migration.phase {
            Phase::Done => {
                self.tell(format!("device {device} is served by {}", SYSTEMS[to]));
                self.judge.counts.moved += 1;
                self.turn_to(device, State::Here);
                let of = &mut self.devices[device];
                of.at = to;
                of.called = migration.user.unwrap_or_default();
                of.authorization = migration.authorization;
                of.affiliation = migration.affiliation;
                match of.affiliation.is_some() {
                    true => self.look(device),
                    false => self.affiliate(device),
                }
                self.show(device, migration.groups);
            }
            Phase::RolledBack => {
                self.judge.counts.rollbacks += 1;
                self.turn_to(device, State::Here);
                match self.devices[device].affiliation.is_some() {
                    true => {
                        self.queue.put(self.now + Millis(500), Event::Look { device, turn: self.devices[device].turn })
                    }
                    false => self.begin_anew(device),
                }
            }
            Phase::Superseded => self.begin_anew(device),
            _ => self.show(device, migration.groups),
        }
    }
}
