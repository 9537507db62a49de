//! The calls of both systems, as control runs them: opened once, entered in turns, ended once, with a grace for who moves.

use std::{collections::BTreeMap, net::SocketAddr};

use control_core::{Cause, Refused, system::Input};
use relay_core::{
    Millis, Slot, Ssrc, Time, TrunkId,
    call::{Call, Home, Settings, Span},
    floor,
    late_entry::ResumePoint,
    roster::{Attachment, Participant},
    trunk::Range,
};

use super::{
    event::{ClientOf, Deed, EnterFor, Entering, Event, Say, Shown, Turn},
    node::{GROUPS, SYSTEMS},
    world::World,
};

/// The one trunk, in either system's numbering.
pub(super) const TRUNK: TrunkId = TrunkId(0);

/// How long the home of a group has to take a partner's call in, as in a node.
const JOIN_MAX: Millis = Millis(5_000);

/// How long a home's call outlives who moves: the default of a group.
pub(super) const GRACE: Millis = Millis(10_000);

/// How long media is kept.
pub(super) const RETENTION: Millis = Millis(10_000);

/// A call of one system.
pub(super) struct Running {
    pub(super) node: usize,
    pub(super) group: usize,
    /// The system that arbitrates; `None`: this one.
    pub(super) home: Option<usize>,
    pub(super) flow: u32,
    pub(super) call: Call<SocketAddr>,
    pub(super) wake: Option<Time>,
    /// Whether the trunk's news concern it.
    pub(super) uses_trunk: bool,
    /// The SSRCs of its participants, once the home has told them.
    pub(super) range: Option<Range>,
    pub(super) seats: Vec<Seat>,
    /// Who belongs to an address.
    pub(super) addresses: BTreeMap<SocketAddr, u64>,
    pub(super) waiting: Vec<(ClientOf, Entering)>,
    pub(super) grace: Option<Time>,
    next_slot: u32,
    /// Participants whom a partner announced and about whom the rules were asked, and whether they have gone meanwhile.
    pub(super) admitting: BTreeMap<u32, bool>,
}

/// A participant.
pub(super) struct Seat {
    pub(super) entry: u64,
    pub(super) user: String,
    pub(super) client: String,
    pub(super) slot: Slot,
    pub(super) ssrc: Ssrc,
    pub(super) leg: Attachment,
    /// Who waits for the owner's word.
    pub(super) pending: Option<(EnterFor, bool)>,
}

impl World {
    pub(super) fn take_turn(&mut self, at: usize, client: ClientOf, turn: Turn) {
        let turns = self.nodes[at].turns.entry(client.clone()).or_default();
        turns.push_back(turn);
        if turns.len() == 1 {
            self.deeds.push_back(Deed::Turn(at, client));
        }
    }

    pub(super) fn begin_turn(&mut self, at: usize, client: &ClientOf) {
        match self.nodes[at].turns.get(client).and_then(|turns| turns.front()) {
            Some(Turn::Enter(entering)) => {
                let entering = Entering::clone(entering);
                self.start(at, client.clone(), entering);
            }
            Some(Turn::Leave { number, moving }) => {
                let (number, moving) = (*number, *moving);
                let resume = self.leave(at, client, moving);
                self.deeds.push_back(Deed::System(at, Input::Left { number, resume }));
                self.end_turn(at, client);
            }
            None => {}
        }
    }

    fn end_turn(&mut self, at: usize, client: &ClientOf) {
        let Some(turns) = self.nodes[at].turns.get_mut(client) else { return };
        turns.pop_front();
        if turns.is_empty() {
            self.nodes[at].turns.remove(client);
        } else {
            self.deeds.push_back(Deed::Turn(at, client.clone()));
        }
    }

    pub(super) fn call_of(&self, at: usize, group: usize) -> Option<u64> {
        let of = |running: &Running| running.node == at && running.group == group;
        self.calls.iter().find(|(_, running)| of(running)).map(|(number, _)| *number)
    }

    /// Enters a client into the call of a group, which is opened if it may be.
    pub(super) fn start(&mut self, at: usize, client: ClientOf, mut entering: Entering) {
        let group = client.2;
        let number = match self.call_of(at, group) {
            Some(number) => number,
            None if entering.start || entering.home.is_some() => {
                entering.opened = true;
                self.open(at, group, entering.home, entering.start)
            }
            None => return self.finish(at, &client, &entering, Err(ended(group))),
        };
        let Some(running) = self.calls.get_mut(&number) else { return };
        match running.range {
            Some(_) => self.enter(number, client, entering),
            None => running.waiting.push((client, entering)),
        }
    }

    pub(super) fn open(&mut self, at: usize, group: usize, home: Option<usize>, start: bool) -> u64 {
        self.numbers += 1;
        let number = self.numbers;
        let settings = Settings {
            floor: floor::settings::Settings { queueing: group != 2, hang_time_s: 0, ..Default::default() },
            retention: RETENTION,
            entry: Millis(200),
            packets_per_s: 200,
            bytes_per_s: 65_536,
            privacy: false,
        };
        let flow = number as u32;
        let range = self.nodes[at].range;
        let to_home = home.map(|_| Home { trunk: TRUNK, group: GROUPS[group].0.into(), start });
        let call = Call::new(settings, Ssrc(0xf100_0000 + flow)).spanning(Span {
            flow,
            generation: number,
            range,
            home: to_home,
        });
        let running = Running {
            node: at,
            group,
            home,
            flow,
            call,
            wake: None,
            uses_trunk: home.is_some(),
            range: home.is_none().then_some(range),
            seats: Vec::new(),
            addresses: BTreeMap::new(),
            waiting: Vec::new(),
            grace: None,
            next_slot: 0,
            admitting: BTreeMap::new(),
        };
        self.calls.insert(number, running);
        self.judge.opened(number, at, group, home.is_none());
        if home.is_some() {
            if self.nodes[at].ready {
                self.deeds.push_back(Deed::Call(number, Say::Up));
            }
            self.queue.put(self.now + JOIN_MAX, Event::JoinLate(number));
        }
        self.tell(format!("{} opens its call {number} of {}", SYSTEMS[at], GROUPS[group].0));
        number
    }

    /// Puts a client into a call that takes participants, or gives it another leg there.
    pub(super) fn enter(&mut self, number: u64, client: ClientOf, entering: Entering) {
        let (user, name, _) = client;
        self.numbers += 1;
        self.places += 1;
        let entry = self.numbers;
        let Some(running) = self.calls.get_mut(&number) else { return };
        let Some(range) = running.range else { return };
        let known = running.seats.iter().position(|seat| seat.user == user && seat.client == name);
        let old = known.map(|at| running.seats.remove(at));
        let slot = old.as_ref().map_or(Slot(running.next_slot), |old| old.slot);
        running.next_slot += u32::from(old.is_none());
        let ssrc = old.as_ref().map(|old| old.ssrc).or(entering.ssrc).unwrap_or(range.at(self.places));
        if let Attachment::Udp(leg) = entering.leg {
            running.addresses.insert(leg.rtp, entry);
            running.addresses.extend(leg.floor.map(|floor| (floor, entry)));
        }
        let participant = Participant {
            priority: entering.priority.min(entering.standing.priority),
            queueing: entering.queueing,
            receive_only: entering.standing.receive_only,
            resume: entering.resume,
            ..Participant::new(&user, &name, entering.leg, ssrc)
        };
        let (leg, pending) = (entering.leg, entering.to.map(|to| (to, entering.opened)));
        let who = (user.clone(), name.clone());
        running.seats.push(Seat { entry, user, client: name, slot, ssrc, leg, pending });
        let group = running.group;
        if leg.udp().is_some() {
            self.seated(entry, number, group, ssrc, who);
        }
        let say = match old {
            Some(_) => Say::Replace(slot, entry, Box::new(participant)),
            None => Say::Enter(slot, entry, Box::new(participant)),
        };
        self.deeds.push_back(Deed::Call(number, say));
    }

    /// The owner has entered it.
    pub(super) fn entered(&mut self, number: u64, entry: u64) {
        let Some(running) = self.calls.get_mut(&number) else { return };
        let (node, group) = (running.node, running.group);
        let Some(seat) = running.seats.iter_mut().find(|seat| seat.entry == entry) else { return };
        let Some((to, opened)) = seat.pending.take() else { return };
        let client = (seat.user.clone(), seat.client.clone(), group);
        let shown = Shown { entry, group, ssrc: seat.ssrc };
        self.finish_for(node, &client, to, opened, Ok(shown));
    }

    pub(super) fn finish(&mut self, at: usize, client: &ClientOf, entering: &Entering, result: Result<Shown, Refused>) {
        if let Some(to) = entering.to {
            self.finish_for(at, client, to, entering.opened, result);
        }
    }

    pub(super) fn finish_for(
        &mut self,
        at: usize,
        client: &ClientOf,
        to: EnterFor,
        opened: bool,
        result: Result<Shown, Refused>,
    ) {
        let (user, name, group) = client.clone();
        let word = match &result {
            Ok(shown) => format!("as {}", shown.entry),
            Err(refused) => format!("not: {} {}", refused.cause.code(), refused.detail),
        };
        self.tell(format!("{} enters {name} of {user} into {} {word}", SYSTEMS[at], GROUPS[group].0));
        let is_in = result.is_ok();
        let named = String::from(GROUPS[group].0);
        match to {
            EnterFor::Rules(number) => self.deeds.push_back(Deed::System(at, Input::Entered { number, result })),
            EnterFor::Device(device, turn) => {
                if let Ok(shown) = &result {
                    let came = Input::Came { user, client: name, group: named.clone(), entered: shown.clone() };
                    self.deeds.push_back(Deed::System(at, came));
                }
                self.started(device, turn, group, result);
            }
        }
        if is_in && opened {
            self.deeds.push_back(Deed::System(at, Input::Call { group: named, runs: true }));
        }
        self.end_turn(at, client);
    }

    /// The home has taken the call in, or does not.
    pub(super) fn joined(&mut self, number: u64, range: Result<Range, Refused>) {
        let Some(running) = self.calls.get_mut(&number) else { return };
        let at = running.node;
        let waiting = std::mem::take(&mut running.waiting);
        match range {
            Ok(range) => {
                running.range = Some(range);
                waiting.into_iter().for_each(|(client, entering)| self.enter(number, client, entering));
            }
            Err(refused) => {
                for (client, entering) in waiting {
                    self.finish(at, &client, &entering, Err(refused.clone()));
                }
                self.end(number, "its home does not take it in");
            }
        }
    }

    pub(super) fn join_late(&mut self, number: u64) {
        if self.calls.get(&number).is_some_and(|running| running.range.is_none()) {
            let refused = Refused::new(Cause::HomeUnreachable, "home", "the home did not answer in time");
            self.joined(number, Err(refused));
        }
    }

    /// Takes a client out as the rules ordered. What it heard last, if it moves.
    fn leave(&mut self, at: usize, client: &ClientOf, moving: bool) -> Vec<ResumePoint> {
        let (user, name, group) = client;
        let Some(number) = self.call_of(at, *group) else { return Vec::new() };
        let now = self.now;
        let running = self.calls.get_mut(&number).expect("it was found");
        let Some(entry) = running.seats.iter().find(|seat| seat.user == *user && seat.client == *name) else {
            return Vec::new();
        };
        let entry = entry.entry;
        running.call.handle(relay_core::call::Input::Timer, now);
        let media = if moving { running.call.describe().media } else { Vec::new() };
        // What the timer brought is handed out before the participant goes.
        self.deeds.push_back(Deed::Call(number, Say::Timer));
        self.take_out(number, entry, moving);
        self.end_if_empty(number);
        media.iter().map(|media| ResumePoint { ssrc: media.ssrc, sequence: media.sequence }).collect()
    }
}

pub(super) fn ended(group: usize) -> Refused {
    Refused::new(Cause::CallEnded, GROUPS[group].0, "the call has ended meanwhile")
}
