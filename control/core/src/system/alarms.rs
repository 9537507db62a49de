//! The timers of a system, each with its name: setting one again moves it.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
};

use relay_core::Time;

use super::{ClientKey, Why};

/// Which timer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// An affiliation ends, by its id.
    Affiliation(String),
    /// The tickets of a client are forgotten.
    Tickets(ClientKey),
    /// What a client gave up by itself is no longer kept for a migration.
    Kept(ClientKey),
    /// A client that is leaving has no commit.
    Commit(ClientKey),
    /// A gate of a migration, by its id.
    Gate(String),
    /// A migration that ended is forgotten, by its id.
    Migration(String),
    /// A client that was not entered is tried again, by its affiliation and the group.
    Entry(String, String),
    /// A letter has no answer, by its number.
    Letter(u64),
}

impl Alarm {
    fn why(&self) -> Why {
        match self {
            Alarm::Affiliation(_) => Why::Affiliation,
            Alarm::Entry(..) => Why::Entry,
            Alarm::Tickets(_) | Alarm::Kept(_) | Alarm::Migration(_) => Why::Ticket,
            Alarm::Gate(_) => Why::Phase,
            Alarm::Commit(_) => Why::Commit,
            Alarm::Letter(_) => Why::Partner,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Alarms {
    due: BTreeMap<Alarm, Time>,
    order: BTreeSet<(Time, Alarm)>,
}

impl Alarms {
    pub(super) fn set(&mut self, alarm: Alarm, at: Time) {
        self.clear(&alarm);
        self.due.insert(alarm.clone(), at);
        self.order.insert((at, alarm));
    }

    pub(super) fn clear(&mut self, alarm: &Alarm) {
        if let Some((alarm, at)) = self.due.remove_entry(alarm) {
            self.order.remove(&(at, alarm));
        }
    }

    /// The next one that is due; it is off from then on.
    pub(super) fn pop(&mut self, now: Time) -> Option<Alarm> {
        if self.order.first()?.0 > now {
            return None;
        }
        let (_, alarm) = self.order.pop_first()?;
        self.due.remove(&alarm);
        Some(alarm)
    }

    pub(super) fn next(&self) -> Option<(Time, Why)> {
        self.order.first().map(|(at, alarm)| (*at, alarm.why()))
    }
}
