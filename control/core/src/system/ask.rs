//! What faces ask of a system.

use alloc::{string::String, vec::Vec};

use relay_core::{Millis, late_entry::ResumePoint, roster::Leg};

use super::Partner;
use crate::user::User;

/// A mission-critical service. Affiliation and authorization are per service; the others follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Push to talk (TS 23.379).
    #[default]
    Mcptt,
}

/// The order of a migration's gates (docs/ARCHITECTURE.md, "A migration"). Others follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Exactly TS 23.280 §10.16.2: the old system is left first.
    #[default]
    Strict,
}

/// Which clients a de-affiliation concerns (TS 23.280 §10.8.2.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// This client only.
    #[default]
    Client,
    /// Every client of the user.
    User,
}

/// A group that a client wants, with what it heard of it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Group id.
    pub group: String,
    /// What it heard last, per SSRC.
    pub resume: Vec<ResumePoint>,
}

/// A leg as a client asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegRequest {
    /// Where media and floor messages go.
    pub leg: Leg,
    /// Whether the client queues.
    pub queueing: bool,
    /// The highest floor priority that it will ask for.
    pub priority: u8,
    /// The leg ends after this much silence; `None`: it lives for ever.
    pub expires: Option<Millis>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Store a user.
    PutUser {
        /// Primary MC service ID.
        user: String,
        /// The document.
        document: User,
    },
    /// Forget a user; its authorizations and affiliations end.
    DeleteUser {
        /// Primary MC service ID.
        user: String,
    },
    /// Read a user.
    User {
        /// Primary MC service ID.
        user: String,
    },
    /// Store a partner; its trunk is opened.
    PutPartner {
        /// MC system id.
        system: String,
        /// The document.
        document: Partner,
    },
    /// Forget a partner; its trunk is closed at once.
    DeletePartner {
        /// MC system id.
        system: String,
    },
    /// Read a partner.
    Partner {
        /// MC system id.
        system: String,
    },
    /// Authorise a client of an own user (service authorisation, TS 23.280 §10.6).
    Authorize {
        /// Primary MC service ID.
        user: String,
        /// Its client.
        client: String,
        /// Index of the profile; `None`: the user's first.
        profile: Option<u32>,
        /// For which service.
        service: Service,
    },
    /// De-authorise: affiliations and participations of this client end.
    Deauthorize {
        /// Id of the authorization.
        authorization: String,
    },
    /// Affiliate a client to groups (TS 23.280 §10.8.3). Groups that it is affiliated to already stay.
    Affiliate {
        /// MC service ID as this system knows the user: primary of an own user, partner-side of a migrated one.
        user: String,
        /// Its client.
        client: String,
        /// Which groups.
        groups: Vec<Wanted>,
        /// Where media goes when a call runs or starts; `None`: the client enters by itself.
        leg: Option<LegRequest>,
        /// Life of the affiliation without a refresh; `None`: for ever.
        expires: Option<Millis>,
        /// For which service.
        service: Service,
    },
    /// Read an affiliation.
    Affiliation {
        /// Its id.
        affiliation: String,
    },
    /// Refresh an affiliation.
    Refresh {
        /// Its id.
        affiliation: String,
    },
    /// End an affiliation (TS 23.280 §10.8.4).
    Deaffiliate {
        /// Its id.
        affiliation: String,
        /// Which clients.
        scope: Scope,
    },
    /// Move a user here (TS 23.280 §10.16.2). `from` is the old system; a user of this system that comes home needs no ticket.
    Migrate {
        /// Primary MC service ID.
        user: String,
        /// Its client.
        client: String,
        /// MC system id of the old system.
        from: String,
        /// What the primary system gave the client for this system; hexadecimal.
        ticket: Option<String>,
        /// Index of the profile; `None`: the first that is good for this system.
        profile: Option<u32>,
        /// The order of the gates.
        mode: Mode,
        /// Which groups.
        groups: Vec<Wanted>,
        /// Where media goes.
        leg: Option<LegRequest>,
        /// For which service.
        service: Service,
    },
    /// Read a migration.
    Migration {
        /// Its id.
        migration: String,
    },
    /// Who may enter the call of a group by itself: a chat member (implicit affiliation, TS 23.280 §10.8 and 24.379 §9.1), or
    /// anybody who is affiliated. Answered with `Answer::MayEnter`.
    EnterByClient {
        /// MC service ID as this system knows the user.
        user: String,
        /// Its client.
        client: String,
        /// Group id.
        group: String,
    },
    /// An entry that `EnterByClient` allowed came to nothing: the affiliation that it caused, if any, is undone.
    EntryFailed {
        /// Primary MC service ID, as `Answer::MayEnter` gave it.
        user: String,
        /// Its client.
        client: String,
        /// Group id.
        group: String,
    },
    /// A partner's relay subscribes to the call of a group.
    MaySubscribe {
        /// MC system id of the partner.
        system: String,
        /// Group id.
        group: String,
    },
    /// A partner's relay announces a participant. Answered with `Answer::MayEnter`.
    MayAnnounce {
        /// MC system id of the partner.
        system: String,
        /// Group id.
        group: String,
        /// Primary MC service ID.
        user: String,
        /// Its client.
        client: String,
    },
}
