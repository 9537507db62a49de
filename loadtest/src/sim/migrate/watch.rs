//! What is watched at every moment: where clients are, whether calls end because of a move, and how it all settles.

use relay_core::{
    Millis, Time,
    trunk::wire::{Frame, frame::What},
};

use super::{
    calls::GRACE,
    device::State,
    event::Say,
    node::{GROUPS, SYSTEMS},
    world::World,
};

/// How long a client may stay affiliated where it counts no longer while the trunk stands: the letter, a write, an answer.
const LETTER_MAX: Millis = Millis(500);

/// A lease (docs/ARCHITECTURE.md, "The trunk").
const LEASE: Millis = Millis(3_000);

/// Since when one client has the floor of each group through two legs.
#[derive(Default)]
pub(super) struct Twice([Option<Time>; GROUPS.len()]);

/// Who has the floor in each of the two systems: user and client.
type Talkers = [Option<(String, String)>; SYSTEMS.len()];

impl Twice {
    /// Whether the talkers of both systems, user and client, have been the same client for longer than `longest`, which is as
    /// long as what takes the floor from it may be on its way.
    fn lasts(&mut self, group: usize, talkers: &Talkers, now: Time, longest: Millis) -> bool {
        let since = &mut self.0[group];
        if talkers[0].is_none() || talkers[0] != talkers[1] {
            *since = None;
            return false;
        }
        now.since(*since.get_or_insert(now)) > longest
    }
}

impl World {
    /// I1: a client is affiliated to a group in one system; in a second one only until that has heard that it counts no longer.
    pub(super) fn watch(&mut self) {
        let joined = self.nodes.iter().all(|node| node.ready) && self.wire.cut.is_none();
        for device in 0..self.devices.len() {
            let of = &self.devices[device];
            let (home, partner) = (of.home, 1 - of.home);
            for (group, (name, _)) in GROUPS.iter().enumerate() {
                let at_home = self.nodes[home].system.serves(&of.user, &of.client, name);
                let away = self.nodes[partner].system.serves(&of.user, &of.client, name);
                let given = self.nodes[home].system.given_to(&of.user, &of.client);
                let authorised = away.is_some() && given.map(|given| given.1) == away;
                if at_home.is_some() && (authorised || given.is_some()) {
                    let (user, client) = (&of.user, &of.client);
                    let line = format!("I1: {client} of {user} is affiliated to {name} at home and given to a partner");
                    return self.judge.broken(line);
                }
                if away.is_none() || authorised || !joined {
                    self.unauthorised.remove(&(device, group));
                    continue;
                }
                // From the moment at which it was seen first: before that, nothing may have happened for long.
                let since = *self.unauthorised.entry((device, group)).or_insert(self.now);
                let longest = Millis(LETTER_MAX.0 + 2 * self.wire.delay_max().0);
                if self.now.since(since) > longest {
                    let (user, client) = (&of.user, &of.client);
                    let line = format!("I1: {client} of {user} stays affiliated to {name} where it counts no longer");
                    return self.judge.broken(line);
                }
            }
        }
    }

    /// I4: nobody has the floor of a group through a leg at its home and, at the same time, through one behind the trunk.
    pub(super) fn watch_floor(&mut self) {
        let joined = self.nodes.iter().all(|node| node.ready) && self.wire.cut.is_none();
        let longest = Millis(self.wire.delay_max().0 + 5);
        for (group, (name, home)) in GROUPS.iter().enumerate() {
            let talker = |node: usize| {
                let running = self.calls.get(&self.call_of(node, group)?)?;
                let slot = running.call.floor().1?;
                let seat = running.seats.iter().find(|seat| seat.slot == slot && seat.leg.udp().is_some())?;
                Some((seat.user.clone(), seat.client.clone()))
            };
            let talkers = [*home, 1 - home].map(|node| talker(node).filter(|_| joined));
            if self.twice.lasts(group, &talkers, self.now, longest) {
                return self.judge.broken(format!("I4: one client has the floor of {name} through two legs"));
            }
        }
    }

    /// I3: a call of this home is about to be released because nobody is in it.
    pub(super) fn judge_release(&mut self, node: usize, group: usize) {
        // Where nothing breaks and there is nobody else, it can be empty only because the one client moves.
        if let [device] = &*self.devices
            && self.faults.are_none()
            && matches!(device.state, State::Moving { .. })
        {
            let line = format!("I3: the call of {} is released while its only participant moves", GROUPS[group].0);
            return self.judge.broken(line);
        }
        for device in &self.devices {
            let moves = match device.state {
                State::Moving { .. } | State::Leaving => device.at == node,
                _ => false,
            };
            let Some(entry) = device.entry[group].filter(|entry| !self.is_in(*entry)) else { continue };
            // Whoever leaves at this moment has no time of leaving yet.
            let left = self.judge.left_at(entry).unwrap_or(self.now);
            if moves && self.now.since(left) < GRACE && !self.judge.is_crashed(node, left) {
                let (user, client, group) = (&device.user, &device.client, GROUPS[group].0);
                let line = format!("I3: the call of {group} is released while {client} of {user} moves");
                return self.judge.broken(line);
            }
        }
    }

    /// I5, and one reference in a floor message: whoever is asked is the home.
    pub(super) fn judge_frame(&mut self, to: usize, frame: &Frame) {
        if let Some(What::Subscribe(ask)) = &frame.what
            && GROUPS[super::node::group_of(&ask.group)].1 != to
        {
            self.judge.broken(format!("I5: {} is asked for {}, which it does not define", SYSTEMS[to], ask.group));
        }
    }

    /// What a call took, against who may speak there.
    pub(super) fn judge_taken(&mut self, number: u64, say: &Say, took: u64, dropped: u64) {
        let now = self.now;
        let is_home = self.calls.get(&number).is_some_and(|running| running.home.is_none());
        match say {
            Say::Carried(_) if is_home => self.judge.counts.cut_at_home += dropped,
            _ => self.judge.counts.dropped += dropped,
        }
        if let Say::Frame(what) = say {
            self.judge.told(number, what, now);
        }
        match say {
            Say::Media(_, bytes) if took > 0 => {
                self.judge.accepted(number, bytes, now, true);
                let Some(running) = self.calls.get(&number) else { return };
                let Some(cut) = self.wire.cut.filter(|_| running.home.is_some()) else { return };
                self.judge.counts.on_lease += 1;
                if now > cut + LEASE + self.wire.delay_max() + Millis(5) {
                    let line = format!("call {number} takes its own talker {} ms after the cut", now.since(cut).0);
                    self.judge.broken(line);
                }
            }
            Say::Carried(bytes) => match is_home {
                true if took > 0 => self.judge.accepted(number, bytes, now, false),
                false if dropped == 0 => self.judge.delivered(number, bytes, now),
                _ => {}
            },
            Say::Backfill(Some(bytes)) if dropped == 0 => self.judge.filled(number, bytes, now),
            Say::Frame(What::Subscribe(ask)) => self.judge.subscribing(number, ask, now),
            Say::Frame(What::Subscribed(_)) => self.judge.up(number, true, now),
            Say::Frame(What::Unsubscribe(_)) | Say::Lost => self.judge.up(number, false, now),
            _ => {}
        }
    }

    /// I2, and everything that has to be true once all is quiet.
    pub(super) fn settle(&mut self) {
        for device in 0..self.devices.len() {
            let of = &self.devices[device];
            let who = format!("{} of {}", of.client, of.user);
            if of.state == State::Paused {
                continue;
            }
            if of.state != State::Here {
                return self.judge.broken(format!("I2: {who} has not come to rest: {:?}", of.state));
            }
            for (group, (name, _)) in GROUPS.iter().enumerate() {
                let serves = |node: &usize| self.nodes[*node].system.serves(&of.user, &of.client, name).is_some();
                let serving: Vec<usize> = (0..SYSTEMS.len()).filter(serves).collect();
                if serving != [of.at] && (of.told[group].is_none() || !serving.is_empty()) {
                    let told = of.told[group];
                    let line =
                        format!("I2: {who} is affiliated to {name} in {serving:?}, believes {}, told {told:?}", of.at);
                    return self.judge.broken(line);
                }
                // What nothing disturbed succeeds.
                if let Some(cause) = of.told[group].filter(|_| self.faults.are_none()) {
                    return self.judge.broken(format!("I2: {who} is told {cause} for {name} although nothing broke"));
                }
            }
        }
        self.judge.settle(self.now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Millis = Millis(120);

    fn client(name: &str) -> Option<(String, String)> {
        Some(("sip:eva@a.example".into(), name.into()))
    }

    /// I4 is broken by one client that has the floor through both legs for longer than a Revoke may travel, and by nothing less.
    #[test]
    fn a_client_with_the_floor_twice_is_found() {
        let (radio, car) = (client("radio"), client("car"));
        let both = [radio.clone(), radio.clone()];
        let home_only = [radio.clone(), None];
        let look = |talkers: &[(&Talkers, u32)]| {
            let mut twice = Twice::default();
            talkers
                .iter()
                .map(|(talkers, at)| twice.lasts(0, talkers, Time::ZERO + Millis(*at), LONGEST))
                .collect::<Vec<_>>()
        };
        assert_eq!(look(&[(&both, 7), (&both, 127), (&both, 128)]), [false, false, true]);
        assert_eq!(
            look(&[(&[radio.clone(), car.clone()], 7), (&[radio, car], 999)]),
            [false; 2],
            "two clients of one user"
        );
        assert_eq!(look(&[(&home_only, 7), (&home_only, 999)]), [false; 2], "one leg");
        let apart = look(&[(&both, 7), (&home_only, 100), (&both, 120), (&both, 240), (&both, 241)]);
        assert_eq!(apart, [false, false, false, false, true], "what ended in between begins anew");
        let mut twice = Twice::default();
        assert!(!twice.lasts(0, &both, Time::ZERO, LONGEST));
        assert!(!twice.lasts(1, &both, Time::ZERO + Millis(500), LONGEST), "each group for itself");
    }
}
