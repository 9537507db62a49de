//! What nodes answer, and what devices do about it.

use control_core::{
    Cause, Refused,
    system::{Answer, Ask, Item, MigrationAnswer, Phase},
};
use relay_core::Millis;

use super::{
    device::State,
    event::{Asker, EnterFor, Entering, Event, Shown, Turn, Why},
    node::{GROUPS, SYSTEMS},
    world::World,
};

impl World {
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
            (Why::Read | Why::ReadMove | Why::Refresh, Err(refused)) if refused.cause == Cause::Draining => {
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

    fn see_migration(&mut self, device: usize, migration: MigrationAnswer<Shown>) {
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
                let cause = migration.cause.map_or("no cause", |refused| refused.cause.code());
                // A client that changes its mind may have given its ticket away.
                if self.faults.are_none() && cause != Cause::TicketMissing.code() {
                    let line =
                        format!("I2: device {device} is not moved to {}: {cause}, although nothing broke", SYSTEMS[to]);
                    return self.judge.broken(line);
                }
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
