//! Late entry: a call whose talkers take turns, and callers that enter before, between and in the middle of bursts.

use std::sync::Arc;

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use relay_core::Millis;
use thiserror::Error;

use super::resume::Wish;
use crate::speech::{BURSTS, Speech};

/// What the user may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Everything random comes from it.
    pub seed: u64,
    /// Callers that enter late.
    pub entrants: usize,
    /// Bursts in the order in which they are said, 1 to 5.
    pub bursts: Vec<usize>,
    /// How long the group keeps media.
    pub retention: Millis,
}

/// A scenario: everything that happens, and when. Times count from the moment at which the early participants are in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What it was made from.
    pub options: Options,
    /// The participants that are there from the start, by the number of their first packet.
    pub early: Vec<u16>,
    /// Who talks when.
    pub turns: Vec<Turn>,
    /// Who enters when, in this order.
    pub entrants: Vec<Entrant>,
    /// When everything is over.
    pub end: Millis,
}

/// One talk burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// When the button is pressed.
    pub at: Millis,
    /// Which early participant talks.
    pub talker: usize,
    /// What it says: burst 1 to 5.
    pub burst: usize,
}

/// One caller that enters late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entrant {
    /// When it asks.
    pub at: Millis,
    /// What it says it heard.
    pub wish: Wish,
    /// Another client of this early participant's user; `None`: a user of its own.
    pub client_of: Option<usize>,
    /// Whether floor and media reach it on one socket, which alone gives them one order.
    pub one_port: bool,
    /// Whether it answers with Floor Ack.
    pub acknowledges: bool,
}

/// Why there is no such scenario.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// Nothing would be said.
    #[error("no bursts given; name some of 1 to 5")]
    Silent,
    /// There is no such burst.
    #[error("burst {0} does not exist; name some of 1 to 5")]
    NoBurst(usize),
}

/// Pause between the end of a burst and the next press. Milliseconds; long enough to enter in it.
const PAUSE: u32 = 600;

/// After the last burst callers still enter for this long. Milliseconds.
const LATEST: u32 = 450;

/// What the last caller needs at the end beside its paced media: for its answer, and for the last Floor Idle. Milliseconds.
const CLOSE: u32 = 500;

/// How much faster than it was said retained media comes.
const SPEED_UP: u32 = 4;

/// Early participants: each burst has another talker than the one before.
const TALKERS: usize = 3;

impl Plan {
    /// Makes the scenario. The same options make the same one.
    pub fn new(options: Options) -> Result<Plan, Refused> {
        let mut random = StdRng::seed_from_u64(options.seed);
        if options.bursts.is_empty() {
            return Err(Refused::Silent);
        }
        let mut at = PAUSE;
        let (mut turns, mut pauses) = (Vec::new(), vec![0]);
        for (number, burst) in options.bursts.iter().enumerate() {
            let speech = Speech::burst(*burst).ok_or(Refused::NoBurst(*burst))?;
            turns.push(Turn { at: Millis(at), talker: number % TALKERS, burst: *burst });
            at += speech.length_ms();
            pauses.push(at);
            at += PAUSE;
        }
        let latest = at - PAUSE + LATEST;
        let end = latest + options.retention.0 / SPEED_UP + CLOSE;
        // The first talker's numbers wrap within its first second, the others' start anywhere below.
        let early = (0..TALKERS).map(|talker| match talker {
            0 => 65_536u32.wrapping_sub(random.random_range(5..50)) as u16,
            _ => random.random_range(0..60_000),
        });
        let early = early.collect();
        let mut entrants: Vec<Entrant> = Vec::new();
        let mut wishes = Vec::new();
        for number in 0..options.entrants {
            if wishes.is_empty() {
                wishes = draw_wishes(&mut random);
            }
            entrants.push(Entrant {
                at: Millis(instant(&mut random, number, &pauses, latest)),
                wish: wishes.pop().unwrap_or(Wish::Nothing),
                client_of: random.random_ratio(1, 12).then(|| random.random_range(0..TALKERS)),
                one_port: random.random_bool(0.5),
                acknowledges: random.random_ratio(7, 8),
            });
        }
        entrants.sort_by_key(|entrant| entrant.at);
        Ok(Plan { options, early, turns, entrants, end: Millis(end) })
    }

    /// The user of a participant: the early ones come first, then those that enter late.
    pub fn user(&self, participant: usize) -> Arc<str> {
        let late = participant.checked_sub(self.early.len()).map(|late| (late, self.entrants.get(late)));
        match late {
            None => format!("sip:early-{participant}@loadtest.example").into(),
            Some((_, Some(Entrant { client_of: Some(early), .. }))) => self.user(*early),
            Some((late, _)) => format!("sip:late-{late}@loadtest.example").into(),
        }
    }

    /// What the report calls a participant; also its client.
    pub fn name(&self, participant: usize) -> String {
        match participant.checked_sub(self.early.len()) {
            None => format!("early-{participant}"),
            Some(late) => format!("late-{late}"),
        }
    }

    /// Every burst, once, in order.
    pub fn all_bursts() -> Vec<usize> {
        (1..=BURSTS).collect()
    }
}

/// When a caller enters: one in four in a pause or at its edge, the others anywhere while the call lasts.
fn instant(random: &mut StdRng, number: usize, pauses: &[u32], latest: u32) -> u32 {
    match (number % 4, pauses.get(number / 4 % pauses.len().max(1))) {
        (0, Some(pause)) => (pause + random.random_range(0..PAUSE)).min(latest),
        _ => random.random_range(0..latest),
    }
}

/// Every kind of wish once, in a random order.
fn draw_wishes(random: &mut StdRng) -> Vec<Wish> {
    let ssrc = random.random();
    let mut wishes = vec![
        Wish::Nothing,
        Wish::Nothing,
        Wish::Inside { back: random.random_range(0..100) },
        Wish::Inside { back: random.random_range(0..20) },
        Wish::Several { back: random.random_range(0..100) },
        Wish::Before,
        Wish::Ahead { by: random.random_range(5..60) },
        Wish::Unknown { ssrc },
        Wish::UnknownToo { ssrc, back: random.random_range(0..100) },
    ];
    wishes.shuffle(random);
    wishes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn options(seed: u64) -> Options {
        Options { seed, entrants: 60, bursts: Plan::all_bursts(), retention: Millis(10_000) }
    }

    #[test]
    fn the_same_seed_makes_the_same_plan_and_another_seed_another() {
        assert_eq!(Plan::new(options(7)), Plan::new(options(7)));
        assert_ne!(Plan::new(options(7)), Plan::new(options(8)));
    }

    #[test]
    fn callers_enter_before_between_and_within_bursts_with_every_wish() {
        for seed in 0..20 {
            let plan = Plan::new(options(seed)).unwrap();
            let length = |turn: &Turn| Speech::burst(turn.burst).unwrap().length_ms();
            let within =
                |at: Millis| plan.turns.iter().any(|turn| (turn.at.0..turn.at.0 + length(turn)).contains(&at.0));
            let first = plan.turns[0].at;
            let last = plan.turns.last().unwrap();
            let words: BTreeSet<_> = plan.entrants.iter().map(|entrant| entrant.wish.word()).collect();
            assert_eq!(words.len(), 7, "seed {seed}: {words:?}");
            assert!(plan.entrants.iter().any(|entrant| entrant.at < first), "seed {seed}: nobody is early");
            assert!(plan.entrants.iter().filter(|entrant| within(entrant.at)).count() > 20, "seed {seed}");
            let between = |at: Millis| at > first && at < last.at && !within(at);
            assert!(plan.entrants.iter().any(|entrant| between(entrant.at)), "seed {seed}: nobody comes in a pause");
            assert!(plan.entrants.iter().all(|entrant| entrant.at < plan.end));
            assert!(plan.turns.windows(2).all(|pair| pair[0].talker != pair[1].talker));
        }
    }

    #[test]
    fn a_run_fits_into_45_seconds() {
        assert!(Plan::new(options(1)).unwrap().end < Millis::from_secs(40));
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        assert_eq!(Plan::new(Options { bursts: vec![], ..options(1) }), Err(Refused::Silent));
        assert_eq!(Plan::new(Options { bursts: vec![1, 6], ..options(1) }), Err(Refused::NoBurst(6)));
    }
}
