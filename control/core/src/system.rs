//! One MC system as its control plane runs it: who its users are, which profile is good where, who is affiliated to what, who
//! came from a partner and who went to one (TS 23.280 §10.1.4, §10.6, §10.8, §10.16.2).
//!
//! `handle` takes what was asked, what a partner wrote, or what became of something that was wanted; `poll` says what to do,
//! until it answers `Wake`. What is answered was stored first. `E` is what the faces show of a participant that entered.

mod affiliating;
mod affiliations;
mod alarms;
mod answer;
mod ask;
mod authorizations;
mod course;
mod documents;
mod doors;
mod entering;
mod faces;
mod gates;
mod groups;
mod homed;
mod identity;
mod implicit;
mod input;
mod item;
mod legs;
mod letters;
mod limits;
mod moving;
mod new;
mod old;
mod outbox;
mod output;
mod partners;
mod places;
mod restore;
mod rows;
mod secrets;
#[cfg(test)]
mod tests;
mod users;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

pub use affiliating::LETTER_GROUPS_MAX;
pub use affiliations::GROUPS_MAX;
pub use answer::{Answer, Item, MigrationAnswer, Phase, PhaseResult, Ticket};
pub use ask::{Ask, LegRequest, Mode, Scope, Service, Wanted};
pub use authorizations::{AUTHORIZATIONS_MAX, KEPT_MS, TICKET_MS, TICKET_REMEMBERED_MS};
pub use homed::{DOCUMENT_OCTETS_MAX, PARTNER_AFFILIATIONS_MAX};
pub use input::Input;
pub use item::{RETRY_MS, RETRY_MS_MAX};
pub use letters::{ANSWER_MS_MAX, OWED_MAX};
pub use new::{GATE_MS_MAX, MIGRATIONS_MAX, SHOWN_MS};
pub use old::COMMIT_MS_MAX;
pub use output::{Audit, Enter, Output, Partner, Record, Why};
pub use partners::PARTNERS_MAX;
pub use restore::Unreadable;
pub use users::{PROFILE_ENTRIES_MAX, PROFILES_MAX, USERS_MAX};

use relay_core::Time;

use self::{
    affiliations::{Affiliation, Leaves},
    alarms::{Alarm, Alarms},
    groups::GroupEntry,
    homed::HomedKey,
    letters::Sent,
    limits::Limits,
    new::Migration,
    old::Origin,
    outbox::Outbox,
    partners::PartnerEntry,
    rows::{Authorization, IdentityRow},
    users::UserEntry,
};
use crate::{ended::Ended, user::User};

/// Ids that ended lately, as far as they are told apart from ids that never were.
const ENDED_MAX: usize = 100_000;

/// An MC system. `E` is what faces show of a participant that entered.
#[derive(Debug)]
pub struct System<E> {
    name: String,
    limits: Limits,
    now: Time,
    /// It was restored, and the clock is not known yet.
    cold: bool,
    users: BTreeMap<String, UserEntry>,
    partners: BTreeMap<String, PartnerEntry>,
    /// Partners whose trunk stands.
    up: BTreeSet<String>,
    groups: BTreeMap<String, GroupEntry>,
    /// Groups with a running call, here or, as far as this system is told, at their home.
    running: BTreeSet<String>,
    authorizations: BTreeMap<String, Authorization>,
    authorized: BTreeMap<ClientKey, String>,
    affiliations: BTreeMap<String, Affiliation<E>>,
    affiliated: BTreeMap<ClientKey, String>,
    /// Group and affiliation of every item.
    by_group: BTreeSet<(String, String)>,
    /// Partners' clients that are affiliated to groups of this system, with their generation.
    homed: BTreeMap<HomedKey, u64>,
    /// Clients of own users that were ever authorised: where they are.
    origins: BTreeMap<ClientKey, Origin>,
    /// Ids that this system gave to users of partners.
    identities: BTreeMap<String, IdentityRow>,
    /// Ids and clients that were served here under them lately.
    superseded: Ended,
    migrations: BTreeMap<String, Migration>,
    /// Migrations that have not ended.
    under_way: BTreeMap<ClientKey, String>,
    letters: BTreeMap<u64, Sent>,
    /// Affiliation and group of every `Enter` without an answer.
    enters: BTreeMap<u64, (String, String)>,
    leaves: Leaves,
    ended: Ended,
    alarms: Alarms,
    outbox: Outbox<E>,
    /// The last number that was given to a letter, an `Enter` or a `Leave`.
    numbers: u64,
    revision: u64,
    /// Randomness of everything that was asked so far.
    pool: Vec<u8>,
}

/// A client: the key of everything that is kept per client.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ClientKey {
    /// Primary MC service ID.
    user: String,
    client: String,
}

impl ClientKey {
    fn new(user: &str, client: &str) -> ClientKey {
        ClientKey { user: user.into(), client: client.into() }
    }
}

impl<E: Clone> System<E> {
    /// A system that knows nobody yet.
    pub fn new(system: &str) -> System<E> {
        System {
            name: system.into(),
            limits: Limits::default(),
            now: Time::ZERO,
            cold: false,
            users: BTreeMap::new(),
            partners: BTreeMap::new(),
            up: BTreeSet::new(),
            groups: BTreeMap::new(),
            running: BTreeSet::new(),
            authorizations: BTreeMap::new(),
            authorized: BTreeMap::new(),
            affiliations: BTreeMap::new(),
            affiliated: BTreeMap::new(),
            by_group: BTreeSet::new(),
            homed: BTreeMap::new(),
            origins: BTreeMap::new(),
            identities: BTreeMap::new(),
            superseded: Ended::new(ENDED_MAX),
            migrations: BTreeMap::new(),
            under_way: BTreeMap::new(),
            letters: BTreeMap::new(),
            enters: BTreeMap::new(),
            leaves: Leaves::default(),
            ended: Ended::new(ENDED_MAX),
            alarms: Alarms::default(),
            outbox: Outbox::new(),
            numbers: 0,
            revision: 0,
            pool: Vec::new(),
        }
    }

    /// Takes what happened at `now`.
    pub fn handle(&mut self, input: Input<E>, now: Time) {
        self.now = self.now.max(now);
        // Groups come first after a restart: what is given back to a client depends on them.
        if !matches!(input, Input::Group { .. }) {
            self.warm_up();
        }
        self.expire();
        match input {
            Input::Ask { token, ask, entropy } => self.ask(token, ask, &entropy),
            Input::Letter { from, letter } => self.read_letter(&from, letter),
            Input::Trunk { system, up } => self.set_trunk(&system, up),
            Input::Stored { number } => self.outbox.stored(number),
            Input::Group { group, document } => self.set_group(group, document),
            Input::Call { group, runs } => self.set_call(&group, runs),
            Input::Entered { number, result } => self.entered(number, result),
            Input::Left { number, resume } => self.left(number, &resume),
            Input::Came { user, client, group, entered } => self.came(&ClientKey { user, client }, &group, entered),
            Input::Gone { user, client, group } => self.gone(&ClientKey { user, client }, &group),
            Input::Expelled { user, client, group, word } => self.expelled(&ClientKey { user, client }, &group, &word),
            Input::Timer => {}
        }
        self.outbox.close();
    }

    /// What to do next; `Wake`: nothing else.
    pub fn poll(&mut self) -> Output<E> {
        self.outbox.next().unwrap_or_else(|| Output::Wake(self.alarms.next()))
    }

    /// Everything that is due by now.
    fn expire(&mut self) {
        while let Some(alarm) = self.alarms.pop(self.now) {
            match alarm {
                Alarm::Affiliation(id) => self.affiliation_expired(&id),
                Alarm::Entry(id, group) => self.try_again(&id, &group),
                Alarm::Tickets(key) => self.forget_tickets(&key),
                Alarm::Kept(key) => self.forget_kept(&key),
                Alarm::Commit(key) => self.commit_late(&key),
                Alarm::Gate(id) => self.gate_late(&id),
                Alarm::Migration(id) => self.forget_migration(&id),
                Alarm::Letter(id) => self.fail_letter(id, "it took too long"),
            }
        }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn revise(&mut self) -> u64 {
        self.revision += 1;
        self.revision
    }
}
