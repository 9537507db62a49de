//! When a call ends by itself (TS 23.379 §10.6.2.3.1.1.3): its last participant leaves, or nobody has spoken for the hang time. A
//! participant that leaves for another system may be the only one: the call waits for it to come in there.

use relay_core::{Millis, Time};

/// What happens to the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A participant that was not in it entered.
    Entered,
    /// A participant left.
    Left {
        /// It is on its way to another system.
        moving: bool,
    },
    /// Nobody has spoken for the hang time.
    Inactive,
    /// Time has passed.
    Timer,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// End the call. Said once.
    Release(Why),
    /// Nothing else is left to do until then.
    Wake(Option<Time>),
}

/// Why the call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its last participant left.
    LastLeft,
    /// Its last participant went to another system and did not come in there in time.
    NotComeBack,
    /// Nobody has spoken for the hang time, whoever is on the way.
    Inactive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody has been in it yet: whoever started it is entering.
    Starting,
    /// Participants are in it.
    Running { participants: u32 },
    /// Nobody is in it, and somebody may come in through another system.
    Waiting { until: Time },
    /// It ends.
    Released,
}

/// The release rules of one call.
#[derive(Clone, Debug)]
pub struct Release {
    /// How long the call waits for whoever moves.
    grace: Millis,
    state: State,
    /// Until when the one that left for another system last is waited for.
    moving_until: Option<Time>,
    says: Option<Why>,
}

impl Release {
    /// The rules of a call of a group with this migration grace. Seconds.
    pub fn new(migration_grace_s: u32) -> Release {
        let grace = Millis::from_secs(migration_grace_s);
        Release { grace, state: State::Starting, moving_until: None, says: None }
    }

    /// Total: every state answers every input.
    pub fn handle(&mut self, input: Input, now: Time) {
        if let (Input::Left { moving: true }, State::Running { .. }) = (input, self.state) {
            self.moving_until = Some(now + self.grace);
        }
        match (self.state, input) {
            (State::Starting | State::Waiting { .. }, Input::Entered) => {
                self.state = State::Running { participants: 1 }
            }
            (State::Running { participants }, Input::Entered) => {
                self.state = State::Running { participants: participants.saturating_add(1) };
            }
            (State::Running { participants }, Input::Left { .. }) if participants > 1 => {
                self.state = State::Running { participants: participants - 1 };
            }
            (State::Running { .. }, Input::Left { .. }) => match self.moving_until.filter(|until| *until > now) {
                Some(until) => self.state = State::Waiting { until },
                None => self.release(Why::LastLeft),
            },
            (State::Waiting { until }, Input::Timer) if until <= now => self.release(Why::NotComeBack),
            (State::Starting | State::Running { .. } | State::Waiting { .. }, Input::Inactive) => {
                self.release(Why::Inactive);
            }
            (State::Starting | State::Waiting { .. } | State::Released, _) | (State::Running { .. }, Input::Timer) => {}
        }
    }

    /// What to do next; `Wake`: nothing else.
    pub fn poll(&mut self) -> Output {
        let next = self.peek();
        self.says = None;
        next
    }

    /// What `poll` would answer.
    pub fn peek(&self) -> Output {
        match (self.says, self.state) {
            (Some(why), _) => Output::Release(why),
            (None, State::Waiting { until }) => Output::Wake(Some(until)),
            (None, _) => Output::Wake(None),
        }
    }

    fn release(&mut self, why: Why) {
        self.state = State::Released;
        self.says = Some(why);
    }
}

#[cfg(test)]
mod tests {
    use std::{format, string::String};

    use super::*;
    use crate::golden::golden;

    /// An input with its name.
    type Named = (&'static str, Input);

    const ENTERED: Named = ("enters", Input::Entered);
    const LEFT: Named = ("leaves", Input::Left { moving: false });
    const MOVED: Named = ("leaves for another system", Input::Left { moving: true });
    const INPUTS: [Named; 5] = [ENTERED, LEFT, MOVED, ("nobody speaks", Input::Inactive), ("time", Input::Timer)];

    /// Name of a state, what leads there at 0 s, and when the input comes.
    const STATES: [(&str, &[Named], u32); 9] = [
        ("starting", &[], 1),
        ("one participant", &[ENTERED], 1),
        ("two participants", &[ENTERED, ENTERED], 1),
        ("one participant, another one has moved, 9.999 s later", &[ENTERED, ENTERED, MOVED], 9_999),
        ("one participant, another one has moved, 10 s later", &[ENTERED, ENTERED, MOVED], 10_000),
        ("nobody, the last one has moved, 9.999 s later", &[ENTERED, MOVED], 9_999),
        ("nobody, the last one has moved, 10 s later", &[ENTERED, MOVED], 10_000),
        ("nobody, the last but one has moved", &[ENTERED, ENTERED, MOVED, LEFT], 1),
        ("released", &[ENTERED, LEFT], 1),
    ];

    fn reach(path: &[Named]) -> Release {
        let mut release = Release::new(10);
        for (_, input) in path {
            release.handle(*input, Time::ZERO);
            while !matches!(release.poll(), Output::Wake(_)) {}
        }
        release
    }

    fn table() -> String {
        let mut table = String::from("Release: every state x every input -> outputs | state after it. Grace 10 s.\n");
        for (name, path, at) in STATES {
            table.push_str(&format!("\n## {name}\n"));
            for (input_name, input) in INPUTS {
                let mut release = reach(path);
                let before = release.state;
                release.handle(input, Time::ZERO + Millis(at));
                let said = match release.poll() {
                    Output::Release(why) => format!("release, {why:?}"),
                    Output::Wake(None) => String::new(),
                    Output::Wake(Some(until)) => format!("wake {} ms", until.since(Time::ZERO).0),
                };
                let cell = if before == release.state { "same".into() } else { format!("{:?}", release.state) };
                table.push_str(&format!("{input_name:<26} -> {said:<22} | {cell}\n"));
            }
        }
        table
    }

    #[test] //= TS 23.379 §10.6.2.3.1.1.3 test
    fn the_table_is_the_reviewed_one() {
        golden("release.table", &table());
    }

    #[test]
    fn without_grace_the_last_one_ends_the_call_wherever_it_goes() {
        let mut release = Release::new(0);
        release.handle(Input::Entered, Time::ZERO);
        release.handle(Input::Left { moving: true }, Time::ZERO);
        assert_eq!(release.poll(), Output::Release(Why::LastLeft));
        assert_eq!(release.poll(), Output::Wake(None), "it is said once");
    }
}
