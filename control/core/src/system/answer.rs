//! What a system answers.

use alloc::{string::String, sync::Arc, vec::Vec};

use relay_core::Millis;

use super::Partner;
use crate::{
    Refused,
    group::{Group, Standing},
    user::User,
};

/// The answer to an `Ask`.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer<E> {
    /// A stored user.
    User {
        /// Primary MC service ID.
        user: String,
        /// The document.
        document: User,
        /// Grows with every change of any document.
        revision: u64,
    },
    /// A stored partner.
    Partner {
        /// MC system id.
        system: String,
        /// The document.
        document: Partner,
        /// Grows with every change of any document.
        revision: u64,
        /// Whether its trunk stands.
        up: bool,
    },
    /// It is done, and there is nothing to show.
    Done,
    /// A client is authorised.
    Authorized {
        /// Id of the authorization.
        authorization: String,
        /// MC service ID as this system knows the user.
        user: String,
        /// One per partner that the profile is good for.
        tickets: Vec<Ticket>,
    },
    /// An affiliation, new or as it stands.
    Affiliation {
        /// Its id.
        affiliation: String,
        /// One item per group.
        items: Vec<Item<E>>,
        /// Grows with every change of this affiliation.
        revision: u64,
    },
    /// A migration has begun; it goes on by itself.
    Migrating {
        /// Its id.
        migration: String,
    },
    /// A migration as it stands.
    Migration(MigrationAnswer<E>),
    /// This client may enter.
    MayEnter {
        /// Primary MC service ID: the key from here on.
        user: String,
        /// The system that defines the group; `None`: this one.
        home: Option<String>,
        /// How the home runs calls of this group; `None`: the group is defined here.
        document: Option<Arc<Group>>,
        /// What the user is in the group.
        standing: Standing,
    },
}

/// What lets a client move: the right to be asked for by one partner, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// MC system id of the partner.
    pub system: String,
    /// 256 bits, hexadecimal. Shown once; only its hash is kept.
    pub ticket: String,
    /// How long it lives from now on.
    pub expires: Millis,
}

/// What became of one group of an affiliation.
#[derive(Clone, Debug, PartialEq)]
pub struct Item<E> {
    /// Group id.
    pub group: String,
    /// Affiliated, and in its running call if one runs and there is a leg; or why not.
    pub result: Result<Option<E>, Refused>,
    /// The client is affiliated but could not be entered into the running call, and why.
    pub not_entered: Option<Refused>,
}

/// A migration as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct MigrationAnswer<E> {
    /// Its id.
    pub migration: String,
    /// The MC service ID under which this system knows the user; `None`: it has none yet.
    pub user: Option<String>,
    /// The primary system's number of this move; `None`: not authorised yet.
    pub generation: Option<u64>,
    /// The gate it stands at, as the digest names it.
    pub phase: Phase,
    /// The gates it has passed, in order.
    pub phases: Vec<PhaseResult>,
    /// One item per group, once they are known.
    pub groups: Vec<Item<E>>,
    /// The authorization and the affiliation that the client has here now.
    pub authorization: Option<String>,
    /// See `authorization`.
    pub affiliation: Option<String>,
    /// Why it failed; the client has been given back to the old system.
    pub cause: Option<Refused>,
    /// Grows with every change of this migration.
    pub revision: u64,
}

/// A gate of §10.16.2, by the digest's numbers. Rows hold the order: a new one comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// P1: de-affiliate and de-authorise in the old system.
    Leave,
    /// P4: the profile for use here.
    Profile,
    /// P6: migration service authorisation.
    Authorize,
    /// P7: affiliation.
    Affiliate,
    /// P8: late entry.
    Enter,
    /// P9: the user is told.
    Done,
    /// It failed, and was rolled back.
    RolledBack,
    /// Another move of the same client came after it.
    Superseded,
}

impl Phase {
    /// Every phase, by its number in rows.
    pub(super) const ALL: [Phase; 8] = [
        Phase::Leave,
        Phase::Profile,
        Phase::Authorize,
        Phase::Affiliate,
        Phase::Enter,
        Phase::Done,
        Phase::RolledBack,
        Phase::Superseded,
    ];
}

/// A gate that was passed or failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseResult {
    /// Which.
    pub phase: Phase,
    /// How long it took.
    pub took: core::time::Duration,
    /// `ok`, or the cause's code.
    pub result: &'static str,
}
