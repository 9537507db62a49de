//! What the node keeps in memory: groups, calls, their participants, and what ended a while ago.

mod calls;
mod entering;
mod groups;
mod participants;
mod releases;
mod starts;

use std::sync::{
    Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use control_core::{Cause, Refused, ended::Ended};
use dashmap::DashMap;
use relay::Relay;

use crate::http::LIMITS;

pub(crate) use calls::{CallRecord, Opening};
pub(crate) use groups::StoredGroup;
pub(crate) use participants::{Entry, ParticipantRecord, Placed, Seat};

/// Groups at once.
pub(crate) const GROUPS_MAX: usize = 100_000;
/// Ended calls and participants that are remembered for ten minutes: more than the largest call has participants.
pub(crate) const ENDED_MAX: usize = 200_000;

/// Everything that the faces work on.
pub(crate) struct Registry {
    pub(crate) relay: Relay,
    groups: DashMap<String, StoredGroup>,
    /// Running calls by id.
    calls: DashMap<String, std::sync::Arc<CallRecord>>,
    /// One lock per group: concurrent starts yield one call.
    starts: DashMap<String, std::sync::Arc<tokio::sync::Mutex<()>>>,
    /// The running call of a group.
    by_group: DashMap<String, std::sync::Arc<CallRecord>>,
    ended: Mutex<Ended>,
    revisions: AtomicU64,
    changes: OnceLock<Box<dyn Fn(Change) + Send + Sync>>,
    pub(crate) counters: Counters,
}

/// What happened to a call or a participant that nobody ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The call of a group began, or ended.
    Call { group: String, runs: bool },
    /// A participant is no longer in its call; nobody ordered that from outside.
    Gone { user: String, client: String, group: String },
}

/// Limits that refuse requests here and whose values stand elsewhere: in the media plane, or in what a partner is stored with.
const UNLISTED: [&str; 7] = [
    "calls",
    "ssrcs",
    "worker.mail",
    "trunk.partners",
    "trunk.frames",
    "trunk.message_octets",
    "partners.migrated_users",
];

/// The label of refusals by a limit that is none of ours.
const OTHER: &str = "other";

/// What the control plane counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) calls_started: AtomicU64,
    pub(crate) calls_released: AtomicU64,
    /// Answers by status class, 2xx to 5xx.
    pub(crate) answers: [AtomicU64; 4],
    /// Refusals by limit.
    pub(crate) refused: DashMap<&'static str, u64>,
}

impl Registry {
    pub(crate) fn new(relay: Relay) -> Registry {
        Registry {
            relay,
            groups: DashMap::new(),
            calls: DashMap::new(),
            starts: DashMap::new(),
            by_group: DashMap::new(),
            ended: Mutex::new(Ended::new(ENDED_MAX)),
            revisions: AtomicU64::new(0),
            changes: OnceLock::new(),
            counters: Counters::default(),
        }
    }

    /// Who is told of changes from now on. The first one stays.
    pub(crate) fn tell(&self, follower: impl Fn(Change) + Send + Sync + 'static) {
        let first = self.changes.set(Box::new(follower)).is_ok();
        debug_assert!(first, "changes have one follower");
    }

    fn changed(&self, change: Change) {
        if let Some(follower) = self.changes.get() {
            follower(change);
        }
    }

    fn ended(&self) -> MutexGuard<'_, Ended> {
        // Every edit is complete or not begun.
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, id: &str) {
        let now = self.relay.now();
        if self.ended().remember(id.to_owned(), now) {
            self.counters.refuse("ended");
        }
    }

    pub(crate) fn has_ended(&self, id: &str) -> bool {
        let now = self.relay.now();
        self.ended().has(id, now)
    }
}

impl Counters {
    /// Counts an answer, and which limit it names if a limit refused.
    pub(crate) fn answer(&self, status: u16) {
        let class = usize::from(status / 100).clamp(2, 5) - 2;
        self.answers[class].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a refusal by a limit. What partners say was refused has a name of theirs, which is no label.
    pub(crate) fn refuse(&self, limit: &str) {
        let known = LIMITS.iter().find(|(name, _)| *name == limit).map(|(name, _)| *name);
        let label = known.or_else(|| UNLISTED.iter().find(|name| **name == limit).copied()).unwrap_or(OTHER);
        *self.refused.entry(label).or_default() += 1;
    }
}

/// A limit of the media plane as the API shows it.
pub(crate) fn exhausted(limit: &relay::Exhausted) -> Refused {
    let setting = match limit.limit {
        "participants" => "raise limits.participants of the group",
        "calls" => "end calls that nobody needs, or ask another node",
        _ => "wait a moment and ask again",
    };
    let detail = format!("{} is full at {}", limit.limit, limit.value);
    Refused::new(Cause::LimitReached, limit.limit, detail).advise(setting)
}

/// An opaque id that nobody can guess.
pub(crate) fn mint() -> String {
    format!("{:016x}", rand::random::<u64>())
}

#[cfg(test)]
mod tests;
