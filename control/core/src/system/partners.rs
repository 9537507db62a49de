//! Partner systems: their documents, and what ends when one goes.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    Answer, Output, Partner, System,
    affiliations::Then,
    rows::{self, PartnerRow},
};
use crate::{Cause, Refused, group::check_id};

/// Partners of one system: as many as a relay has trunks (`trunk.partners`).
pub const PARTNERS_MAX: usize = 256;

/// A stored partner.
#[derive(Clone, Debug)]
pub(super) struct PartnerEntry {
    pub(super) document: Partner,
    pub(super) revision: u64,
}

impl<E: Clone> System<E> {
    pub(super) fn put_partner(&mut self, system: String, document: Partner) -> Result<Answer<E>, Refused> {
        check_id("system", &system)?;
        if system == self.name {
            return Err(Refused::new(Cause::InvalidField, "system", format!("{system} is this system itself")));
        }
        if !self.partners.contains_key(&system) && self.partners.len() >= PARTNERS_MAX {
            let detail = format!("{PARTNERS_MAX} partners are stored");
            return Err(Refused::new(Cause::LimitReached, "partners", detail));
        }
        if let Some(entry) = self.partners.get(&system).filter(|entry| entry.document == document) {
            let revision = entry.revision;
            return Ok(Answer::Partner { up: self.up.contains(&system), system, document, revision });
        }
        let revision = self.revise();
        self.outbox.put(rows::PARTNERS, system.clone(), &write(&document, revision));
        self.partners.insert(system.clone(), PartnerEntry { document: document.clone(), revision });
        self.outbox.now(Output::Partner { system: system.clone(), partner: Some(document.clone()) });
        self.outbox.audit("partner-stored", &system, "", None);
        Ok(Answer::Partner { up: self.up.contains(&system), system, document, revision })
    }

    /// Trust ends at once: what the partner's clients have here goes, and its users who are served here.
    pub(super) fn delete_partner(&mut self, system: &str) -> Result<Answer<E>, Refused> {
        self.partner(system)?;
        self.partners.remove(system);
        self.outbox.delete(rows::PARTNERS, system.into());
        self.outbox.now(Output::Partner { system: system.into(), partner: None });
        self.outbox.audit("partner-removed", system, "", None);
        self.set_trunk(system, false);
        self.forget_owed(system);
        self.drop_homed(|key, _| key.system == system, false);
        let served = self.authorizations.values().filter(|authorization| authorization.system == system);
        let served: Vec<String> = served.map(|authorization| authorization.id.clone()).collect();
        for id in served {
            self.end_authorization(&id, Then::Nothing);
        }
        let gone = || Refused::new(Cause::NoAgreement, system, format!("{system} is no longer a partner"));
        self.review_all_items(|row| if row.home == system { Err(gone()) } else { Ok(()) });
        Ok(Answer::Done)
    }

    pub(super) fn read_partner(&self, system: &str) -> Result<Answer<E>, Refused> {
        let entry = self.partner(system)?;
        let (document, revision) = (entry.document.clone(), entry.revision);
        Ok(Answer::Partner { system: system.into(), document, revision, up: self.up.contains(system) })
    }

    pub(super) fn partner(&self, system: &str) -> Result<&PartnerEntry, Refused> {
        let why = || Refused::new(Cause::NoSuchPartner, system, format!("{system} is no partner of {}", self.name));
        self.partners.get(system).ok_or_else(why)
    }

    /// A partner that can be asked now.
    pub(super) fn reachable(&self, system: &str) -> Result<(), Refused> {
        if self.up.contains(system) {
            return Ok(());
        }
        let detail = format!("the trunk to {system} is down");
        Err(Refused::new(Cause::HomeUnreachable, system, detail).advise("check the trunk to the home system"))
    }

    /// A trunk came up, or went down.
    pub(super) fn set_trunk(&mut self, system: &str, up: bool) {
        if up && self.up.insert(system.to_string()) {
            self.repeat_owed(system);
            self.ask_again(system);
            self.remind(system);
        }
        if !up && self.up.remove(system) {
            self.fail_letters(system);
        }
    }
}

fn write(document: &Partner, revision: u64) -> PartnerRow {
    PartnerRow {
        revision,
        address: document.address.map_or(String::new(), |address| address.to_string()),
        participants_max: document.participants_max,
        migrated_users_max: document.migrated_users_max,
    }
}

/// A partner as it was stored; `None`: its address is none.
pub(super) fn read(row: &PartnerRow) -> Option<PartnerEntry> {
    let address = if row.address.is_empty() { None } else { Some(row.address.parse().ok()?) };
    let document =
        Partner { address, participants_max: row.participants_max, migrated_users_max: row.migrated_users_max };
    Some(PartnerEntry { document, revision: row.revision })
}
