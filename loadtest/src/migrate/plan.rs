//! Who moves when, and who drives it.

use std::fmt;

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use relay_core::Millis;
use serde::Serialize;
use thiserror::Error;

/// How long a run may last. Milliseconds; what talkers say and what affiliations live covers it.
pub const LENGTH_MAX: Millis = Millis::from_secs(840);

/// What the user may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Everything random comes from it.
    pub seed: u64,
    /// Users that move, at least 1.
    pub users: usize,
    /// How often each goes there; between two times it comes back. At least 1.
    pub rounds: usize,
    /// Moves that begin in one second, at least 1.
    pub per_second: u32,
    /// How long a user stays where it is, at least.
    pub stay: Millis,
}

/// One of the two systems. A is the users' primary one, B its partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum System {
    /// Where the users are defined.
    A,
    /// Where they go.
    B,
}

/// Who does what a move takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Driver {
    /// The client leaves the old system itself, then asks the new one; home it goes without a migration.
    Client,
    /// The client asks the new system to do all.
    System,
}

/// One move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// When, counted from the begin of the run.
    pub at: Millis,
    /// Where to.
    pub to: System,
}

/// A run: everything that happens, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What it was made from.
    pub options: Options,
    /// The moves of each user, in order. The last one goes to B.
    pub moves: Vec<Vec<Move>>,
    /// When every user has stayed long enough after its last move.
    pub end: Millis,
}

/// Why there is no such run.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// It would last too long.
    #[error("the run would last {0} s, at most {max} s are possible; take fewer users or rounds", max = LENGTH_MAX.0 / 1000)]
    Long(u64),
    /// Nobody would move.
    #[error("nobody moves; take at least one user, one round and one move per second")]
    Empty,
}

impl Plan {
    /// Makes the run. The same options make the same one.
    pub fn new(options: Options) -> Result<Plan, Refused> {
        let Options { seed, users, rounds, per_second, stay } = options;
        if users == 0 || rounds == 0 || per_second == 0 {
            return Err(Refused::Empty);
        }
        let gap = u64::from((1000 / per_second).max(1));
        let wave = (gap * users as u64).max(u64::from(stay.0));
        let length = wave.saturating_mul(2 * rounds as u64);
        let end = u32::try_from(length).ok().map(Millis).filter(|end| *end <= LENGTH_MAX);
        let end = end.ok_or(Refused::Long(length / 1000))?;
        let mut random = StdRng::seed_from_u64(seed);
        let mut turns: Vec<u64> = (0..users as u64).collect();
        turns.shuffle(&mut random);
        // The first wave leaves room for everybody to have heard something.
        let instant = |random: &mut StdRng, turn: u64, number: u64| {
            let at = wave / 2 + number * wave + turn * gap + random.random_range(0..gap);
            Millis(u32::try_from(at).unwrap_or(u32::MAX))
        };
        let moves = turns.into_iter().map(|turn| {
            let to = |number| if number % 2 == 0 { System::B } else { System::A };
            (0..2 * rounds as u64 - 1)
                .map(|number| Move { at: instant(&mut random, turn, number), to: to(number) })
                .collect()
        });
        let moves = moves.collect();
        Ok(Plan { options, moves, end })
    }

    /// Who drives a user's moves: they take turns.
    pub fn driver(user: usize) -> Driver {
        if user.is_multiple_of(2) { Driver::Client } else { Driver::System }
    }

    /// How many moves there are.
    pub fn moves_len(&self) -> usize {
        self.moves.iter().map(Vec::len).sum()
    }
}

impl System {
    /// The other one.
    pub fn partner(self) -> System {
        match self {
            System::A => System::B,
            System::B => System::A,
        }
    }

    /// Its place in a pair.
    pub fn index(self) -> usize {
        match self {
            System::A => 0,
            System::B => 1,
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            System::A => "A",
            System::B => "B",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(seed: u64) -> Options {
        Options { seed, users: 20, rounds: 10, per_second: 10, stay: Millis(3000) }
    }

    #[test]
    fn the_same_seed_makes_the_same_plan_and_another_seed_another() {
        assert_eq!(Plan::new(options(7)), Plan::new(options(7)));
        assert_ne!(Plan::new(options(7)), Plan::new(options(8)));
    }

    #[test]
    fn every_user_goes_there_and_back_and_stays_long_enough() {
        let plan = Plan::new(options(1)).unwrap();
        assert_eq!(plan.moves_len(), 20 * 19);
        for moves in &plan.moves {
            assert_eq!(moves.last().unwrap().to, System::B, "the run ends with everybody in B");
            for pair in moves.windows(2) {
                assert_ne!(pair[0].to, pair[1].to);
                let stay = pair[1].at.0 - pair[0].at.0;
                assert!((2900..3100).contains(&stay), "a stay of {stay} ms");
            }
            assert!(moves.last().unwrap().at.0 < plan.end.0);
        }
    }

    #[test]
    fn no_second_sees_more_moves_than_wanted() {
        let plan = Plan::new(options(3)).unwrap();
        for second in 0..plan.end.0 / 1000 {
            let within = |movement: &&Move| movement.at.0 / 1000 == second;
            let count = plan.moves.iter().flatten().filter(within).count();
            assert!(count <= 11, "second {second}: {count} moves");
        }
    }

    #[test]
    fn a_run_without_moves_or_without_end_is_refused() {
        for empty in [
            Options { users: 0, ..options(1) },
            Options { rounds: 0, ..options(1) },
            Options { per_second: 0, ..options(1) },
        ] {
            assert_eq!(Plan::new(empty), Err(Refused::Empty));
        }
        let of_rounds = |rounds| Plan::new(Options { rounds, ..options(1) });
        assert!(of_rounds(140).is_ok(), "280 stays of 3 s are 840 s");
        assert_eq!(of_rounds(141), Err(Refused::Long(846)));
    }
}
