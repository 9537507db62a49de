//! The new system's side of a migration (TS 23.280 §10.16.2): it asks the old one gate by gate, and serves the client once the
//! primary system has authorised it. What a gate is worth, and in which order they stand, is `course`'s.

use alloc::{format, string::String, vec::Vec};

use relay_core::{
    Millis, Time,
    trunk::{frame::SECRET_OCTETS_MAX, wire},
};

use super::{
    Answer, ClientKey, LegRequest, MigrationAnswer, Phase, PhaseResult, System, Wanted,
    affiliations::{self, Affiliation, Asker, GROUPS_MAX},
    alarms::Alarm,
    course::{Course, Effect, Step},
    item::{Item, State},
    letters::Purpose,
    rows::{self, MigrationRow, PhaseRow},
    secrets::{self, Entropy},
    users::check_index,
};
use crate::{Cause, Refused, group::check_id};

/// How long the old system may take at one gate. Milliseconds.
pub const GATE_MS_MAX: Millis = Millis(3_000);
/// How long a migration is shown after its end. Milliseconds.
pub const SHOWN_MS: Millis = Millis(10 * 60 * 1000);
/// Migrations that are under way or shown.
pub const MIGRATIONS_MAX: usize = 100_000;

/// The word of a gate that was passed.
pub(super) const OK: &str = "ok";

/// A migration of a client to this system.
#[derive(Clone, Debug)]
pub(super) struct Migration {
    pub(super) row: MigrationRow,
    pub(super) course: Course,
    pub(super) revision: u64,
    /// What was asked; empty once it has ended.
    pub(super) groups: Vec<Wanted>,
    pub(super) leg: Option<LegRequest>,
    pub(super) index: u32,
    pub(super) granted: Option<wire::Profile>,
    pub(super) gate_since: Time,
    refused: Option<Refused>,
}

/// What is asked of a new system.
pub(super) struct Move {
    pub(super) key: ClientKey,
    pub(super) from: String,
    pub(super) ticket: Option<String>,
    pub(super) profile: Option<u32>,
    pub(super) groups: Vec<Wanted>,
    pub(super) leg: Option<LegRequest>,
}

impl Migration {
    pub(super) fn key(&self) -> ClientKey {
        ClientKey::new(&self.row.user, &self.row.client)
    }

    pub(super) fn refuse_with(&mut self, refused: Refused) {
        self.refused = Some(refused);
    }

    /// One that ended before a crash, or with it.
    pub(super) fn restored(row: MigrationRow, end: Phase) -> Migration {
        let cause = Cause::of_code(&row.cause);
        let refused = cause.map(|cause| Refused::new(cause, row.user.clone(), row.detail.clone()));
        Migration {
            row,
            course: Course::ended(end),
            revision: 0,
            groups: Vec::new(),
            leg: None,
            index: 0,
            granted: None,
            gate_since: Time::ZERO,
            refused,
        }
    }
}

impl<E: Clone> System<E> {
    pub(super) fn migrate(&mut self, asked: Move, entropy: &Entropy) -> Result<Answer<E>, Refused> {
        check_id("user", &asked.key.user)?;
        check_id("client", &asked.key.client)?;
        asked.profile.map_or(Ok(()), |index| check_index("profile", index))?;
        let homeward = self.users.contains_key(&asked.key.user);
        if let Err(refused) = self.may_migrate(&asked, homeward) {
            self.outbox.audit("migration-refused", &asked.from, &asked.key.user, Some(&refused));
            return Err(refused);
        }
        let id = secrets::id("migration", entropy);
        let row = MigrationRow {
            user: asked.key.user,
            client: asked.key.client,
            from: asked.from,
            token: asked.ticket.as_deref().map(secrets::bytes).unwrap_or_default(),
            authorization: secrets::id("authorization", entropy),
            affiliation: secrets::id("affiliation", entropy),
            homeward,
            ..MigrationRow::default()
        };
        let course = if homeward { Course::homeward() } else { Course::strict() };
        let migration = Migration {
            row,
            course,
            revision: self.revise(),
            groups: asked.groups,
            leg: asked.leg,
            index: asked.profile.unwrap_or_default(),
            granted: None,
            gate_since: self.now,
            refused: None,
        };
        self.under_way.insert(migration.key(), id.clone());
        self.outbox.audit("migration-begun", &migration.row.from, &migration.row.user, None);
        self.migrations.insert(id.clone(), migration);
        self.write_migration(&id);
        self.go(&id, Phase::Leave);
        Ok(Answer::Migrating { migration: id })
    }

    fn may_migrate(&self, asked: &Move, homeward: bool) -> Result<(), Refused> {
        let ClientKey { user, client } = &asked.key;
        let limit = |name: &str, most: usize, detail: String| {
            Err(Refused::new(Cause::LimitReached, name, format!("{detail}; the limit is {most}")))
        };
        if asked.groups.len() > GROUPS_MAX {
            return limit("groups", GROUPS_MAX, format!("{} groups are named", asked.groups.len()));
        }
        if self.migration_of(&asked.key).is_some() || self.is_leaving(&asked.key) {
            let detail = format!("{client} of {user} is on its way already");
            return Err(Refused::new(Cause::MigrationUnderWay, user.clone(), detail));
        }
        if self.migrations.len() >= MIGRATIONS_MAX {
            return limit("migrations", MIGRATIONS_MAX, format!("{} migrations are kept", self.migrations.len()));
        }
        self.has_place(&asked.key)?;
        if homeward {
            return self.profile(user, asked.profile).map(|_| ());
        }
        if asked.ticket.as_deref().is_some_and(|ticket| secrets::bytes(ticket).len() > SECRET_OCTETS_MAX) {
            let detail = format!("a ticket has at most {SECRET_OCTETS_MAX} octets, in hexadecimal digits");
            return Err(Refused::new(Cause::TicketUnknown, "ticket", detail));
        }
        let most = self.partner(&asked.from)?.document.migrated_users_max as usize;
        self.reachable(&asked.from)?;
        let served = self.identities.values().filter(|identity| identity.system == asked.from);
        let mut users: Vec<&String> = served.map(|identity| &identity.user).collect();
        let coming = self.under_way.values().filter_map(|id| self.migrations.get(id));
        users.extend(coming.filter(|other| other.row.from == asked.from).map(|other| &other.row.user));
        users.sort();
        users.dedup();
        if !users.contains(&user) && users.len() >= most {
            return limit("partners.migrated_users", most, format!("{} users of {} are here", users.len(), asked.from));
        }
        Ok(())
    }

    /// The migration of a client that has not ended.
    pub(super) fn migration_of(&self, key: &ClientKey) -> Option<&Migration> {
        self.under_way.get(key).and_then(|id| self.migrations.get(id))
    }

    /// An item of the migrated client's affiliation has moved on.
    pub(super) fn affiliation_moved(&mut self, id: &str, affiliation: &str) {
        let Some(migration) = self.migrations.get_mut(id) else { return };
        migration.row.affiliation = affiliation.into();
        let phase = migration.course.phase();
        let Some(items) = self.affiliations.get(affiliation).map(|affiliation| &affiliation.items) else { return };
        let answered = !items.iter().any(|item| matches!(item.state, State::Asked));
        let settled = items.iter().all(Item::is_settled);
        match phase {
            Phase::Affiliate if answered => self.step_migration(id, Step::Passed, OK),
            Phase::Enter if settled => self.step_migration(id, Step::Passed, OK),
            _ => self.show_migration(id),
        }
    }

    /// The old system refuses.
    pub(super) fn gate_refused(&mut self, id: &str, refused: Refused) {
        let left = self.migrations.get(id).is_some_and(|migration| migration.course.phase() != Phase::Leave);
        self.fail_gate(id, refused, left);
    }

    /// The old system does not answer: nobody knows what it did.
    pub(super) fn gate_failed(&mut self, id: &str, refused: Refused) {
        self.fail_gate(id, refused, true);
    }

    /// The system that had a client that comes home does not answer: it goes on without.
    pub(super) fn gate_late(&mut self, id: &str) {
        let Some(from) = self.migrations.get(id).map(|migration| migration.row.from.clone()) else { return };
        let detail = format!("{from} did not answer in time");
        self.gate_failed(id, Refused::new(Cause::HomeUnreachable, from, detail));
    }

    pub(super) fn fail_gate(&mut self, id: &str, refused: Refused, tell: bool) {
        let Some(migration) = self.migrations.get_mut(id) else { return };
        let word = refused.cause.code();
        let row = migration.row.clone();
        self.outbox.audit("migration-gate-failed", &row.from, &row.user, Some(&refused));
        migration.refused = Some(refused);
        self.step_migration(id, Step::Failed, word);
        let Some(migration) = self.migrations.get_mut(id) else { return };
        if migration.course.phase() != Phase::RolledBack {
            migration.refused = None;
        } else if tell && !row.homeward {
            self.give_back(&row, word);
        }
    }

    /// The old system is told that the client is its own again.
    pub(super) fn give_back(&mut self, row: &MigrationRow, word: &str) {
        let give_up = wire::GiveUp {
            user: row.user.clone(),
            client: row.client.clone(),
            generation: row.generation,
            migration: row.token.clone(),
            cause: word.into(),
        };
        self.owe(&row.from, wire::letter::What::GiveUp(give_up), Purpose::Owed);
    }

    /// The client has another way now: this one no longer counts.
    pub(super) fn supersede_migration(&mut self, key: &ClientKey) {
        if let Some(id) = self.under_way.get(key).cloned() {
            self.step_migration(&id, Step::Superseded, Cause::Superseded.code());
        }
    }

    pub(super) fn step_migration(&mut self, id: &str, step: Step, result: &'static str) {
        let now = self.now;
        let Some(migration) = self.migrations.get_mut(id) else { return };
        let phase = migration.course.phase();
        let effect = migration.course.step(step);
        if effect == Effect::Nothing {
            return;
        }
        let took_us = now.micros_since(migration.gate_since);
        migration.row.phases.push(PhaseRow { phase: phase as u32, took_us, result: result.into() });
        match effect {
            Effect::Go(phase) => {
                self.write_migration(id);
                self.go(id, phase);
            }
            Effect::End(end) => self.end_migration(id, end),
            Effect::Nothing => {}
        }
    }

    fn end_migration(&mut self, id: &str, end: Phase) {
        self.forget_gate(id);
        self.alarms.clear(&Alarm::Gate(id.into()));
        self.alarms.set(Alarm::Migration(id.into()), self.now + SHOWN_MS);
        let Some(migration) = self.migrations.get_mut(id) else { return };
        let (key, row) = (migration.key(), &mut migration.row);
        row.end = end as u32;
        // As secret as the ticket was, and of no use any more.
        row.token = Vec::new();
        if let Some(refused) = &migration.refused {
            row.cause = refused.cause.code().into();
            row.detail = refused.detail.clone();
        }
        migration.groups = Vec::new();
        let from = row.from.clone();
        self.under_way.remove(&key);
        if let Some(affiliation) = self.affiliated.get(&key).cloned()
            && let Some(affiliation) = self.affiliations.get_mut(&affiliation)
        {
            affiliation.waiting.retain(|asker| *asker != Asker::Migration(id.into()));
        }
        let event = match end {
            Phase::Done => "migration-done",
            Phase::RolledBack => "migration-failed",
            _ => "migration-superseded",
        };
        self.outbox.audit(event, &from, &key.user, None);
        self.write_migration(id);
    }

    fn show_migration(&mut self, id: &str) {
        let revision = self.revise();
        if let Some(migration) = self.migrations.get_mut(id) {
            migration.revision = revision;
            self.outbox.changed(id);
        }
    }

    pub(super) fn write_migration(&mut self, id: &str) {
        self.show_migration(id);
        if let Some(migration) = self.migrations.get(id) {
            self.outbox.put(rows::MIGRATIONS, to_key(id), &migration.row);
        }
    }

    pub(super) fn forget_migration(&mut self, id: &str) {
        if self.migrations.remove(id).is_some() {
            self.outbox.delete(rows::MIGRATIONS, to_key(id));
        }
    }

    pub(super) fn read_migration(&self, id: &str) -> Result<Answer<E>, Refused> {
        let why =
            || Refused::new(Cause::NoSuchMigration, id, format!("no migration {id} is under way or ended lately"));
        let migration = self.migrations.get(id).ok_or_else(why)?;
        let row = &migration.row;
        let affiliation = self.affiliations.get(&row.affiliation);
        let authorized = self.authorizations.contains_key(&row.authorization);
        Ok(Answer::Migration(MigrationAnswer {
            migration: id.into(),
            user: match (row.homeward, row.partner_user.is_empty()) {
                (true, _) => Some(row.user.clone()),
                (false, true) => None,
                (false, false) => Some(row.partner_user.clone()),
            },
            generation: (row.generation > 0).then_some(row.generation),
            phase: migration.course.phase(),
            phases: row.phases.iter().filter_map(passed).collect(),
            groups: affiliation.map(affiliations::items).unwrap_or_default(),
            authorization: authorized.then(|| row.authorization.clone()),
            affiliation: affiliation.map(|affiliation: &Affiliation<E>| affiliation.id.clone()),
            cause: migration.refused.clone(),
            revision: migration.revision,
        }))
    }
}

/// A gate as a face shows it; `None`: a build that knows more gates wrote it.
fn passed(row: &PhaseRow) -> Option<PhaseResult> {
    let phase = *Phase::ALL.get(usize::try_from(row.phase).ok()?)?;
    let cause = || Cause::of_code(&row.result).unwrap_or(Cause::RefusedByPartner).code();
    let result = if row.result == OK { OK } else { cause() };
    Some(PhaseResult { phase, took: core::time::Duration::from_micros(row.took_us), result })
}

/// Key of a migration to this system.
pub(super) fn to_key(id: &str) -> String {
    format!("to {id}")
}
