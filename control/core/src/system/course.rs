//! A migration as the new system drives it: gates in an order that is data (docs/ARCHITECTURE.md, "A migration").

use super::Phase;

/// What becomes of a migration that fails at a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Otherwise {
    /// Everything goes back to the old system.
    RollBack,
    /// It goes on: what failed is shown, and nothing else depends on it.
    GoOn,
}

/// A gate, and what becomes of a migration that fails there.
type Gate = (Phase, Otherwise);

/// TS 23.280 §10.16.2 as it stands: the old system is left first. The commit is behind `Authorize`.
const STRICT: &[Gate] = &[
    (Phase::Leave, Otherwise::RollBack),
    (Phase::Profile, Otherwise::RollBack),
    (Phase::Authorize, Otherwise::RollBack),
    (Phase::Affiliate, Otherwise::GoOn),
    (Phase::Enter, Otherwise::GoOn),
];

/// A user comes home: the primary system decides alone, and the partner that it leaves need not even be there.
const HOMEWARD: &[Gate] = &[
    (Phase::Leave, Otherwise::GoOn),
    (Phase::Authorize, Otherwise::RollBack),
    (Phase::Affiliate, Otherwise::GoOn),
    (Phase::Enter, Otherwise::GoOn),
];

/// What happens at the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It is open.
    Passed,
    /// It stays shut.
    Failed,
    /// Another move of the client came after this one.
    Superseded,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    Nothing,
    /// Go to this gate.
    Go(Phase),
    /// It has ended: well, by a rollback, or because another move counts.
    End(Phase),
}

/// Where a migration stands.
#[derive(Clone, Debug)]
pub(super) struct Course {
    gates: &'static [Gate],
    at: usize,
    end: Option<Phase>,
}

impl Course {
    pub(super) fn strict() -> Course {
        Course { gates: STRICT, at: 0, end: None }
    }

    pub(super) fn homeward() -> Course {
        Course { gates: HOMEWARD, at: 0, end: None }
    }

    /// One that ended before a crash.
    pub(super) fn ended(end: Phase) -> Course {
        Course { gates: STRICT, at: 0, end: Some(end) }
    }

    /// The gate that it stands at, or how it ended.
    pub(super) fn phase(&self) -> Phase {
        let gate = || self.gates.get(self.at).map_or(Phase::Done, |gate| gate.0);
        self.end.unwrap_or_else(gate)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Total: every gate answers every step.
    pub(super) fn step(&mut self, step: Step) -> Effect {
        if self.has_ended() {
            return Effect::Nothing;
        }
        let otherwise = self.gates.get(self.at).map_or(Otherwise::GoOn, |gate| gate.1);
        match (step, otherwise) {
            (Step::Superseded, _) => self.finish(Phase::Superseded),
            (Step::Failed, Otherwise::RollBack) => self.finish(Phase::RolledBack),
            (Step::Passed, _) | (Step::Failed, Otherwise::GoOn) => {
                self.at += 1;
                match self.gates.get(self.at) {
                    Some(gate) => Effect::Go(gate.0),
                    None => self.finish(Phase::Done),
                }
            }
        }
    }

    fn finish(&mut self, end: Phase) -> Effect {
        self.end = Some(end);
        Effect::End(end)
    }
}

#[cfg(test)]
mod tests;
