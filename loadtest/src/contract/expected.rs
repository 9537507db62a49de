//! Which packets of a call are promised to one caller (docs/ARCHITECTURE.md, "The life of an entry"), worked out from what the talkers did.

use std::{collections::BTreeMap, sync::Arc};

use relay_core::{
    Ssrc, Time,
    rtp::{Extender, Sequence},
};

use super::{Record, Terms};
use crate::truth::{Spoken, Truth};

/// What is promised about one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// It comes.
    Must,
    /// Whether it comes depends on where the entry lay between question and answer.
    May,
    /// It does not come.
    MustNot,
}

/// A resume point that names an SSRC which the call knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    /// The last packet heard.
    pub(super) heard: Sequence,
    /// Whether that lies beyond what the owner had at the entry.
    pub(super) ahead: bool,
}

/// The promise to one caller.
pub(super) struct Expected<'a> {
    truth: &'a Truth,
    user: Arc<str>,
    /// The entry lay between these.
    asked: Time,
    answered: Time,
    terms: Terms,
    points: BTreeMap<Ssrc, Point>,
    start: Start,
}

/// Where retained media begins.
enum Start {
    /// With what the running burst brought lately.
    Burst,
    /// At a place in the call: surely from `must` on, possibly from `may` on.
    Place { must: usize, may: usize },
    /// Nowhere: live media only.
    Live,
}

impl<'a> Expected<'a> {
    pub(super) fn new(truth: &'a Truth, record: &Record, terms: &Terms) -> Expected<'a> {
        let mut expected = Expected {
            truth,
            user: record.user.clone(),
            asked: record.asked,
            answered: record.answered,
            terms: *terms,
            points: BTreeMap::new(),
            start: Start::Burst,
        };
        for point in &record.resume {
            let ssrc = Ssrc(point.ssrc);
            let Some(newest) = truth.newest(ssrc, record.answered) else { continue };
            let heard = Extender::resume(newest.sequence).extend(Sequence(point.sequence).low16());
            expected.points.insert(ssrc, Point { heard, ahead: heard > newest.sequence });
        }
        if !expected.points.is_empty() {
            expected.start = expected.start();
        }
        expected
    }

    /// The resume points that count.
    pub(super) fn points(&self) -> &BTreeMap<Ssrc, Point> {
        &self.points
    }

    /// Whether a packet was surely at the owner before the entry.
    pub(super) fn is_retained(&self, spoken: &Spoken) -> bool {
        spoken.at + self.terms.slack < self.asked
    }

    /// Whether retention has surely let go of a packet by the entry.
    pub(super) fn is_gone(&self, spoken: &Spoken) -> bool {
        spoken.at + self.terms.slack + self.terms.retention < self.asked
    }

    /// Whether retention surely still holds a packet at the entry, or will.
    pub(super) fn is_kept(&self, spoken: &Spoken) -> bool {
        spoken.at + self.terms.retention >= self.answered
    }

    /// What is promised about the packet at `place`.
    pub(super) fn class(&self, place: usize, spoken: &Spoken) -> Class {
        if spoken.user == self.user {
            return Class::MustNot;
        }
        if let Some(point) = self.points.get(&spoken.ssrc)
            && spoken.sequence <= point.heard
        {
            return if point.ahead { self.class_withheld(spoken) } else { Class::MustNot };
        }
        if spoken.at > self.answered {
            return Class::Must;
        }
        match self.start {
            Start::Burst => self.class_in_burst(spoken),
            Start::Place { must, .. } if place >= must => Class::Must,
            Start::Place { may, .. } if place >= may => Class::May,
            Start::Place { .. } | Start::Live => self.class_on_its_way(spoken),
        }
    }

    /// A packet that the caller says it has heard already, although the owner had not: withheld, but not for ever.
    fn class_withheld(&self, spoken: &Spoken) -> Class {
        if spoken.at > self.answered + self.terms.retention + self.terms.slack {
            Class::Must
        } else if spoken.at + self.terms.slack >= self.asked + self.terms.retention {
            Class::May
        } else {
            Class::MustNot
        }
    }

    /// Without a resume point: what the running burst brought in the last `entry` milliseconds.
    fn class_in_burst(&self, spoken: &Spoken) -> Class {
        let entry = self.terms.entry;
        let end = self.truth.end_of(spoken);
        if spoken.at + entry >= self.answered && end.is_none_or(|(earliest, _)| earliest > self.answered) {
            Class::Must
        } else if spoken.at + entry + self.terms.slack < self.asked
            || end.is_some_and(|(_, latest)| latest < self.asked)
        {
            self.class_on_its_way(spoken)
        } else {
            Class::May
        }
    }

    fn class_on_its_way(&self, spoken: &Spoken) -> Class {
        if self.is_retained(spoken) { Class::MustNot } else { Class::May }
    }

    /// The oldest named point that stands in retention; from the oldest packet if one is older than that.
    fn start(&self) -> Start {
        let spoken = self.truth.spoken();
        let surely_kept = spoken.iter().position(|spoken| self.is_kept(spoken)).unwrap_or(spoken.len());
        let possibly_kept = spoken.iter().position(|spoken| !self.is_gone(spoken)).unwrap_or(spoken.len());
        let starts = self.points.iter().filter(|(_, point)| !point.ahead).map(|(ssrc, point)| {
            let place = self.truth.place(*ssrc, point.heard.low16());
            match place.and_then(|place| Some((place, spoken.get(place)?))) {
                Some((place, at)) if self.is_kept(at) => (place, place),
                Some((place, at)) if !self.is_gone(at) => (surely_kept, place),
                _ => (surely_kept, possibly_kept),
            }
        });
        let first = starts.reduce(|one, other| (one.0.min(other.0), one.1.min(other.1)));
        first.map_or(Start::Live, |(must, may)| Start::Place { must, may })
    }
}
