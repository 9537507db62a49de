//! What a system writes down. A row is what the machines hold in memory too, as far as it outlives a crash; times are not in it,
//! because the clock of a core starts anew with the process.

use alloc::{boxed::Box, string::String, vec::Vec};

use prost::Message;
use relay_core::trunk::wire;

/// Documents of users.
pub(super) const USERS: &str = "users";
/// Documents of partners.
pub(super) const PARTNERS: &str = "partners";
/// Authorised clients.
pub(super) const AUTHORIZATIONS: &str = "authorizations";
/// Affiliations of clients that are served here, and of partners' clients to groups of this system.
pub(super) const AFFILIATIONS: &str = "affiliations";
/// Where clients of own users are, and under which ids users of partners are here.
pub(super) const IDENTITIES: &str = "identities";
/// Migrations to this system, and letters that a partner has to answer yet.
pub(super) const MIGRATIONS: &str = "migrations";

#[derive(Clone, PartialEq, Message)]
pub(super) struct UserRow {
    #[prost(uint64, tag = "1")]
    pub(super) revision: u64,
    #[prost(bool, tag = "2")]
    pub(super) blocked: bool,
    #[prost(message, repeated, tag = "3")]
    pub(super) profiles: Vec<ProfileRow>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ProfileRow {
    #[prost(uint32, tag = "1")]
    pub(super) index: u32,
    #[prost(string, repeated, tag = "2")]
    pub(super) partners: Vec<String>,
    #[prost(string, repeated, tag = "3")]
    pub(super) groups: Vec<String>,
    #[prost(uint32, tag = "4")]
    pub(super) n2: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PartnerRow {
    #[prost(uint64, tag = "1")]
    pub(super) revision: u64,
    /// Empty: it dials us.
    #[prost(string, tag = "2")]
    pub(super) address: String,
    #[prost(uint32, tag = "3")]
    pub(super) participants_max: u32,
    #[prost(uint32, tag = "4")]
    pub(super) migrated_users_max: u32,
}

/// A client that may use the service here.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Authorization {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    /// Primary MC service ID.
    #[prost(string, tag = "2")]
    pub(super) user: String,
    #[prost(string, tag = "3")]
    pub(super) client: String,
    #[prost(uint32, tag = "4")]
    pub(super) profile: u32,
    /// The user's primary system; empty: this one.
    #[prost(string, tag = "5")]
    pub(super) system: String,
    /// Of the migration that brought it; 0: it is at home.
    #[prost(uint64, tag = "6")]
    pub(super) generation: u64,
    /// The MC service ID that this system gave it; empty: it is at home.
    #[prost(string, tag = "7")]
    pub(super) partner_user: String,
    /// What the primary system permits a migrated user.
    #[prost(message, optional, tag = "8")]
    pub(super) granted: Option<wire::Profile>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AffiliationRow {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(string, tag = "2")]
    pub(super) user: String,
    #[prost(string, tag = "3")]
    pub(super) client: String,
    /// Milliseconds without a refresh.
    #[prost(uint32, optional, tag = "4")]
    pub(super) expires: Option<u32>,
    #[prost(message, optional, tag = "5")]
    pub(super) leg: Option<LegRow>,
    #[prost(message, repeated, tag = "6")]
    pub(super) items: Vec<ItemRow>,
    /// Of the migration under which the client is served here; 0: it is at home.
    #[prost(uint64, tag = "7")]
    pub(super) generation: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct LegRow {
    #[prost(string, tag = "1")]
    pub(super) rtp: String,
    #[prost(string, tag = "2")]
    pub(super) floor: String,
    #[prost(bool, tag = "3")]
    pub(super) queueing: bool,
    #[prost(uint32, tag = "4")]
    pub(super) priority: u32,
    #[prost(uint32, optional, tag = "5")]
    pub(super) expires: Option<u32>,
}

/// One group of an affiliation.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ItemRow {
    #[prost(string, tag = "1")]
    pub(super) group: String,
    /// The system that defines the group; empty: this one.
    #[prost(string, tag = "2")]
    pub(super) home: String,
    /// The home was asked and has not answered yet: after a crash nobody knows what it thinks.
    #[prost(bool, tag = "3")]
    pub(super) asked: bool,
    #[prost(message, optional, tag = "4")]
    pub(super) document: Option<wire::GroupDocument>,
    #[prost(uint32, tag = "5")]
    pub(super) priority: u32,
    #[prost(bool, tag = "6")]
    pub(super) receive_only: bool,
    /// What the client heard of it last.
    #[prost(message, repeated, tag = "7")]
    pub(super) resume: Vec<wire::Point>,
}

/// A partner's client, affiliated to a group of this system.
#[derive(Clone, PartialEq, Message)]
pub(super) struct HomedRow {
    #[prost(uint64, tag = "1")]
    pub(super) generation: u64,
}

/// What this system, the primary one, knows of a client of an own user.
#[derive(Clone, PartialEq, Message)]
pub(super) struct OriginRow {
    /// Of the client's moves; it only grows.
    #[prost(uint64, tag = "1")]
    pub(super) generation: u64,
    #[prost(message, repeated, tag = "2")]
    pub(super) tickets: Vec<TicketRow>,
    /// `None`: here, if anywhere.
    #[prost(oneof = "Place", tags = "3, 4")]
    pub(super) place: Option<Place>,
    /// What the client gave up by itself a moment ago.
    #[prost(message, optional, tag = "5")]
    pub(super) kept: Option<Saved>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TicketRow {
    #[prost(string, tag = "1")]
    pub(super) target: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) hash: Vec<u8>,
    #[prost(bool, tag = "3")]
    pub(super) spent: bool,
}

/// Where a client is.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Place {
    #[prost(message, boxed, tag = "3")]
    Leaving(Box<Leaving>),
    #[prost(message, tag = "4")]
    Away(Away),
}

/// A client that another system asked for; this one has not committed to it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Leaving {
    #[prost(string, tag = "1")]
    pub(super) to: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) token: Vec<u8>,
    /// Hash of the ticket that was spent for it.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) ticket: Vec<u8>,
    /// What comes back if nothing becomes of it.
    #[prost(message, optional, tag = "4")]
    pub(super) saved: Option<Saved>,
    /// Where it was, if it was not here.
    #[prost(message, optional, tag = "5")]
    pub(super) was: Option<Away>,
    /// Nothing more is sent to it here: the other system has its answer.
    #[prost(bool, tag = "6")]
    pub(super) quiet: bool,
}

/// A client that another system serves.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Away {
    #[prost(string, tag = "1")]
    pub(super) system: String,
    #[prost(uint64, tag = "2")]
    pub(super) generation: u64,
    #[prost(string, tag = "3")]
    pub(super) partner_user: String,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) token: Vec<u8>,
    #[prost(uint32, tag = "5")]
    pub(super) profile: u32,
}

/// What a client had here.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Saved {
    #[prost(message, optional, tag = "1")]
    pub(super) authorization: Option<Authorization>,
    #[prost(message, optional, tag = "2")]
    pub(super) affiliation: Option<AffiliationRow>,
}

/// Who stands behind an id that this system gave.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct IdentityRow {
    #[prost(string, tag = "1")]
    pub(super) user: String,
    #[prost(string, tag = "2")]
    pub(super) system: String,
}

/// A migration to this system.
#[derive(Clone, PartialEq, Message)]
pub(super) struct MigrationRow {
    #[prost(string, tag = "1")]
    pub(super) user: String,
    #[prost(string, tag = "2")]
    pub(super) client: String,
    #[prost(string, tag = "3")]
    pub(super) from: String,
    /// What the old system knows it by: its token, before that the ticket.
    #[prost(bytes = "vec", tag = "4")]
    pub(super) token: Vec<u8>,
    #[prost(string, tag = "5")]
    pub(super) partner_user: String,
    /// 0: not committed.
    #[prost(uint64, tag = "6")]
    pub(super) generation: u64,
    #[prost(string, tag = "7")]
    pub(super) authorization: String,
    #[prost(string, tag = "8")]
    pub(super) affiliation: String,
    #[prost(string, tag = "9")]
    pub(super) cause: String,
    #[prost(string, tag = "10")]
    pub(super) detail: String,
    /// How it ended, as the number of the end; 0: it goes on.
    #[prost(uint32, tag = "11")]
    pub(super) end: u32,
    /// It brings a user of this system home.
    #[prost(bool, tag = "12")]
    pub(super) homeward: bool,
    /// The gates that were passed or failed, in their order. A row without them is of a build that did not store them.
    #[prost(message, repeated, tag = "13")]
    pub(super) phases: Vec<PhaseRow>,
}

/// A gate of a migration.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct PhaseRow {
    /// The number of the phase.
    #[prost(uint32, tag = "1")]
    pub(super) phase: u32,
    /// How long it took. Microseconds.
    #[prost(uint64, tag = "2")]
    pub(super) took_us: u64,
    /// `ok`, or the cause's code.
    #[prost(string, tag = "3")]
    pub(super) result: String,
}
