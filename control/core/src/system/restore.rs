//! A system after a restart: what was answered is there again, and what was half done is undone.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use prost::Message;
use relay_core::Millis;

use super::{
    ClientKey, Output, Phase, System,
    affiliations::Affiliation,
    alarms::Alarm,
    authorizations::{KEPT_MS, TICKET_MS, TICKET_REMEMBERED_MS},
    homed::HomedKey,
    item::{Item, State},
    legs, letters,
    new::{Migration, SHOWN_MS},
    old::{COMMIT_MS_MAX, Origin},
    outbox::ROW_VERSION,
    partners, rows, users,
};

/// A row that cannot be read: another version wrote it, or the store is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its table.
    pub table: String,
    /// Its key.
    pub key: String,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "row {:?} of table {} cannot be read: {}; start the version that wrote it",
            self.key, self.table, self.why
        )
    }
}

impl core::error::Error for Unreadable {}

/// One row as the store has it.
struct Stored<'a> {
    table: &'a str,
    key: &'a str,
    value: &'a [u8],
}

impl Stored<'_> {
    fn wrong(&self, why: &str) -> Unreadable {
        Unreadable { table: self.table.into(), key: self.key.into(), why: why.into() }
    }

    fn read<M: Message + Default>(&self) -> Result<M, Unreadable> {
        match self.value.split_first() {
            Some((&ROW_VERSION, row)) => M::decode(row).map_err(|error| self.wrong(&error.to_string())),
            Some((version, _)) => Err(self.wrong(&alloc::format!("version {version}, not {ROW_VERSION}"))),
            None => Err(self.wrong("it is empty")),
        }
    }
}

impl<E: Clone> System<E> {
    /// The system that wrote these rows, `(table, key, value)`, after a restart. Hand in every group as `Input::Group` first: with the
    /// first other input, a `Timer` for example, times begin anew and what was half done is undone. A migration to this system that was under way is rolled back, and what a client was leaving for is given back to it.
    ///
    /// # Errors
    /// A row that cannot be read.
    pub fn restore(
        system: &str,
        rows: impl Iterator<Item = (String, String, Vec<u8>)>,
    ) -> Result<System<E>, Unreadable> {
        let mut restored = System::new(system);
        restored.cold = true;
        for (table, key, value) in rows {
            restored.restore_row(&Stored { table: &table, key: &key, value: &value })?;
        }
        Ok(restored)
    }

    fn restore_row(&mut self, row: &Stored<'_>) -> Result<(), Unreadable> {
        let (kind, id) = row.key.split_once(' ').unwrap_or(("", row.key));
        match (row.table, kind) {
            (rows::USERS, _) => {
                let entry = users::read(row.read()?);
                self.revision = self.revision.max(entry.revision);
                self.users.insert(row.key.into(), entry);
            }
            (rows::PARTNERS, _) => {
                let entry = partners::read(&row.read()?).ok_or_else(|| row.wrong("its address is none"))?;
                self.revision = self.revision.max(entry.revision);
                self.partners.insert(row.key.into(), entry);
            }
            (rows::AUTHORIZATIONS, _) => {
                let authorization: rows::Authorization = row.read()?;
                let key = ClientKey::new(&authorization.user, &authorization.client);
                self.authorized.insert(key, authorization.id.clone());
                self.authorizations.insert(authorization.id.clone(), authorization);
            }
            (rows::AFFILIATIONS, "own") => self.restore_affiliation(row.read()?),
            (rows::AFFILIATIONS, "homed") => {
                let key = HomedKey::read(row.key).ok_or_else(|| row.wrong("its key names no client"))?;
                let homed: rows::HomedRow = row.read()?;
                self.homed.insert(key, homed.generation);
            }
            (rows::IDENTITIES, "of") => {
                let (user, client) = id.split_once(' ').ok_or_else(|| row.wrong("its key names no client"))?;
                let origin = Origin { row: row.read()?, ..Origin::default() };
                self.origins.insert(ClientKey::new(user, client), origin);
            }
            (rows::IDENTITIES, "as") => {
                self.identities.insert(id.into(), row.read()?);
            }
            (rows::MIGRATIONS, "to") => self.restore_migration(id, row.read()?),
            (rows::MIGRATIONS, "owed") => {
                let to = letters::read_owed_key(row.key).ok_or_else(|| row.wrong("its key names no partner"))?;
                self.restore_owed(&to, row.read()?);
            }
            // Rows of other parts of the node.
            _ => {}
        }
        Ok(())
    }

    fn restore_affiliation(&mut self, row: rows::AffiliationRow) {
        let key = ClientKey::new(&row.user, &row.client);
        let items = row.items.into_iter().map(|row| {
            let state = if row.asked { State::Asked } else { State::Waiting };
            Item::new(row, state)
        });
        let affiliation = Affiliation {
            id: row.id.clone(),
            key: key.clone(),
            generation: row.generation,
            leg: row.leg.as_ref().and_then(legs::read),
            expires: row.expires.map(Millis),
            items: items.collect(),
            revision: 0,
            waiting: Vec::new(),
        };
        self.by_group.extend(affiliation.items.iter().map(|item| (item.row.group.clone(), row.id.clone())));
        self.affiliated.insert(key, row.id.clone());
        self.affiliations.insert(row.id, affiliation);
    }

    fn restore_migration(&mut self, id: &str, row: rows::MigrationRow) {
        let ends = [Phase::Done, Phase::RolledBack, Phase::Superseded];
        // One that had not ended is finished with the first input.
        let end = ends.into_iter().find(|end| *end as u32 == row.end).unwrap_or(Phase::RolledBack);
        self.migrations.insert(id.into(), Migration::restored(row, end));
    }

    /// The first input after a restart: the clock is known, and what was half done is undone.
    pub(super) fn warm_up(&mut self) {
        if !core::mem::take(&mut self.cold) {
            return;
        }
        for (system, entry) in &self.partners {
            let partner = Some(entry.document.clone());
            self.outbox.now(Output::Partner { system: system.clone(), partner });
        }
        self.restore_times();
        self.finish_migrations();
        let silent = crate::Refused::new(crate::Cause::HomeUnreachable, self.name.clone(), "this system was restarted");
        for (id, home, groups) in self.asked_before() {
            self.home_silent(&id, &groups, &home, &silent);
        }
        for (key, origin) in self.origins.clone() {
            if matches!(origin.row.place, Some(rows::Place::Leaving(_))) {
                self.commit_late(&key);
            }
        }
    }

    fn restore_times(&mut self) {
        let now = self.now;
        for (key, origin) in &mut self.origins {
            if !origin.row.tickets.is_empty() {
                origin.tickets_until = now + TICKET_MS;
                self.alarms.set(Alarm::Tickets(key.clone()), now + TICKET_MS + TICKET_REMEMBERED_MS);
            }
            if origin.row.kept.is_some() {
                self.alarms.set(Alarm::Kept(key.clone()), now + KEPT_MS);
            }
            if matches!(origin.row.place, Some(rows::Place::Leaving(_))) {
                self.alarms.set(Alarm::Commit(key.clone()), now + COMMIT_MS_MAX);
            }
        }
        for affiliation in self.affiliations.values() {
            if let Some(expires) = affiliation.expires {
                self.alarms.set(Alarm::Affiliation(affiliation.id.clone()), now + expires);
            }
        }
        for id in self.migrations.keys() {
            self.alarms.set(Alarm::Migration(id.clone()), now + SHOWN_MS);
        }
    }

    /// Homes that were asked when the system went down: nobody knows what they think.
    fn asked_before(&self) -> Vec<(String, String, Vec<String>)> {
        let mut asked: Vec<(String, String, Vec<String>)> = Vec::new();
        for affiliation in self.affiliations.values() {
            for item in affiliation.items.iter().filter(|item| matches!(item.state, State::Asked)) {
                let (home, group) = (item.row.home.clone(), item.row.group.clone());
                match asked.iter_mut().find(|(id, at, _)| *id == affiliation.id && *at == home) {
                    Some((_, _, groups)) => groups.push(group),
                    None => asked.push((affiliation.id.clone(), home, Vec::from([group]))),
                }
            }
        }
        asked
    }
}
