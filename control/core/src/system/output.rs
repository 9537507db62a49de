//! What a system wants done.

use alloc::{string::String, sync::Arc, vec::Vec};

use relay_core::{Time, late_entry::ResumePoint, trunk::wire};

use super::{Answer, LegRequest};
use crate::{
    Refused,
    group::{Group, Standing},
};

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output<E> {
    /// Answer to an `Ask`.
    Answer {
        /// As it came.
        token: u64,
        /// What to say.
        answer: Result<Answer<E>, Refused>,
    },
    /// Write to a partner.
    Letter {
        /// MC system id of the partner.
        to: String,
        /// What to write.
        letter: wire::Letter,
    },
    /// Make these durable, in one commit, and say `Stored`.
    Store {
        /// Grows by one with every `Store`.
        number: u64,
        /// What to write.
        records: Vec<Record>,
    },
    /// Enter a client into the call of a group, opening it here if its home is a partner or if it is to start; answer `Entered`.
    Enter(Enter),
    /// Take a client out of the call of a group, if it is in it; answer `Left` in any case.
    Leave {
        /// Comes back in `Left`.
        number: u64,
        /// Primary MC service ID.
        user: String,
        /// Its client.
        client: String,
        /// The group of the call.
        group: String,
        /// Whether it moves to another system: the call outlives it for the group's migration grace.
        moving: bool,
    },
    /// What a waiting reader of this authorization, affiliation or migration would see has changed.
    Changed {
        /// Its id.
        id: String,
    },
    /// The media plane's list of partners follows.
    Partner {
        /// MC system id.
        system: String,
        /// `None`: its trunk is closed at once.
        partner: Option<Partner>,
    },
    /// A line for the audit trail: a decision that crosses systems, or a refusal of one.
    Audit(Audit),
    /// A limit refused something that no `Ask` wanted: the faces, which count what they refuse, do not see it.
    Full {
        /// Which limit.
        limit: &'static str,
    },
    /// Nothing else is left to do until then.
    Wake(Option<(Time, Why)>),
}

/// A client that has to be in the call of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Enter {
    /// Comes back in `Entered`.
    pub number: u64,
    /// The group of the call.
    pub group: String,
    /// The system that defines the group; `None`: this one.
    pub home: Option<String>,
    /// How the home runs calls of this group; `None`: the group is defined here.
    pub document: Option<Arc<Group>>,
    /// Primary MC service ID.
    pub user: String,
    /// Its client.
    pub client: String,
    /// Where its media goes.
    pub leg: LegRequest,
    /// What it heard last, per SSRC.
    pub resume: Vec<ResumePoint>,
    /// What the user is in the group.
    pub standing: Standing,
    /// Whether a call is started if none runs.
    pub start: bool,
}

/// One row of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which table: `users`, `partners`, `authorizations`, `affiliations`, `identities`, `migrations`.
    pub table: &'static str,
    /// Key within the table.
    pub key: String,
    /// The encoded value, its version first; `None`: the row goes.
    pub value: Option<Vec<u8>>,
}

/// A partner system (API 'partners').
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partner {
    /// Where its trunk is, as `ip:port`; `None`: it dials us.
    pub address: Option<core::net::SocketAddr>,
    /// Participants behind its trunk, at once.
    pub participants_max: u32,
    /// Users of its that are served here, at once.
    pub migrated_users_max: u32,
}

/// One decision that crosses systems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// What was decided, as a stable word: `migration-authorized`, `ticket-refused`, …
    pub event: &'static str,
    /// The partner system.
    pub system: String,
    /// Primary MC service ID, if the decision is about a user.
    pub user: Option<String>,
    /// The cause of a refusal, as its stable word.
    pub cause: Option<&'static str>,
    /// What exactly.
    pub detail: String,
}

/// The timer that asks to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// An affiliation has not been refreshed.
    Affiliation,
    /// A client that could not be entered into a running call is tried again.
    Entry,
    /// A ticket or a finished migration is forgotten.
    Ticket,
    /// A phase of a migration lasts too long.
    Phase,
    /// A migration has no commit: what the client had here is restored.
    Commit,
    /// A partner does not answer.
    Partner,
}
