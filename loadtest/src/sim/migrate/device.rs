//! The clients: one device each, with an ear for every participation, and what it does about what it is told.

use std::net::SocketAddr;

use control_core::system::{Ask, LegRequest, Mode, Scope, Service, Wanted};
use relay_core::{Millis, Ssrc, Time, late_entry::ResumePoint, roster::Leg};

use super::{
    event::{Event, Why},
    node::{GROUPS, SYSTEMS},
    world::World,
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
    pub(super) reading: bool,
    pub(super) look_again: bool,
    /// By group: the newest packet of each SSRC, and when it came.
    pub(super) heard: [Vec<(Ssrc, u16, Time)>; GROUPS.len()],
    /// By group: where it listens and talks.
    pub(super) entry: [Option<u64>; GROUPS.len()],
    /// By group: why it is not affiliated.
    pub(super) told: [Option<&'static str>; GROUPS.len()],
    pub(super) delay: Millis,
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

    pub(super) fn wanted(&self, now: Time) -> Vec<Wanted> {
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
    pub(super) fn new_leg(&mut self, device: usize) -> LegRequest {
        let of = &mut self.devices[device];
        of.legs = of.legs.wrapping_add(1);
        let at = |port| SocketAddr::from(([10, 0, device as u8, of.legs], port));
        let leg = Leg { rtp: at(5_000), floor: Some(at(5_001)) };
        LegRequest { leg, queueing: true, priority: 3, expires: None }
    }

    pub(super) fn ask_as(&mut self, device: usize, node: usize, why: Why, ask: Ask) {
        let turn = self.devices[device].turn;
        let at = self.now + self.devices[device].delay;
        self.queue.put(at, Event::Ask { node, device, turn, why, ask });
    }

    /// A change of mind: what was asked before no longer counts.
    pub(super) fn turn_to(&mut self, device: usize, state: State) {
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
}
