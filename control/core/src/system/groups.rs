//! Groups: who defines one, who may be affiliated to it, and whether its call runs.

use alloc::{format, string::String, sync::Arc, vec::Vec};

use relay_core::trunk::wire;

use super::{System, documents};
use crate::{
    Cause, Refused,
    group::{Group, Members, Standing},
};

/// A group document that is stored here.
#[derive(Clone, Debug)]
pub(super) struct GroupEntry {
    pub(super) document: Arc<Group>,
    members: Members,
}

impl<E: Clone> System<E> {
    /// The system that defines a group; `None`: this one. A document here says it; without one the user's profile does, and without
    /// that the group's own domain, if that is a partner.
    pub(super) fn home_of(&self, group: &str, named: Option<&str>) -> Option<String> {
        if let Some(entry) = self.groups.get(group) {
            return entry.document.home.clone().filter(|home| *home != self.name);
        }
        let domain =
            || group.rsplit_once('@').map(|(_, domain)| domain).filter(|name| self.partners.contains_key(*name));
        named.or_else(domain).filter(|home| *home != self.name).map(String::from)
    }

    /// What a user is in a group of this system, or why it may not be affiliated.
    pub(super) fn own_group(&self, group: &str, user: &str) -> Result<(Arc<Group>, Standing), Refused> {
        let entry = self.groups.get(group).filter(|entry| entry.document.home.is_none());
        let why = || Refused::new(Cause::NoSuchGroup, group, format!("{} defines no group {group}", self.name));
        let entry = entry.ok_or_else(why)?;
        if !entry.document.enabled {
            return Err(Refused::new(Cause::GroupDisabled, group, format!("{group} is disabled")));
        }
        let standing = entry.members.standing(user)?;
        Ok((Arc::clone(&entry.document), standing))
    }

    /// A document was stored here, or deleted.
    pub(super) fn set_group(&mut self, group: String, document: Option<Arc<Group>>) {
        // A document that comes in was checked by whoever stored it; one that does not hold counts as deleted.
        let entry = document.and_then(|document| Some(GroupEntry { members: document.check().ok()?, document }));
        match entry {
            Some(mut entry) => {
                if entry.document.home.as_ref() == Some(&self.name) {
                    entry.document = Arc::new(Group { home: None, ..Group::clone(&entry.document) });
                }
                self.groups.insert(group.clone(), entry);
            }
            None => {
                self.groups.remove(&group);
            }
        }
        self.review_group(&group);
    }

    /// Members who are no longer on the list leave; partners are told.
    fn review_group(&mut self, group: &str) {
        let verdicts: Vec<(String, Result<Standing, Refused>)> = {
            let local = self.affiliations_to(group).into_iter().filter_map(|id| self.affiliations.get(&id));
            let users = local.map(|affiliation| affiliation.key.user.clone());
            let partners = self.homed_to(group).map(|(key, _)| key.user.clone());
            users.chain(partners).map(|user| (user.clone(), self.still_member(group, &user))).collect()
        };
        let refused = |user: &str| verdicts.iter().find(|(known, _)| known == user).and_then(|(_, v)| v.clone().err());
        for id in self.affiliations_to(group) {
            let Some(key) = self.affiliations.get(&id).map(|affiliation| affiliation.key.clone()) else { continue };
            let verdict = refused(&key.user);
            self.review_items(&key, |row| match &verdict {
                Some(refused) if row.group == group && row.home.is_empty() => Err(refused.clone()),
                _ => Ok(()),
            });
        }
        let systems = self.systems_of(group);
        self.drop_homed(|key, _| key.group == group && refused(&key.user).is_some(), false);
        let entry = self.groups.get(group);
        let (document, enabled) =
            entry.map_or((None, false), |entry| (Some(documents::tell(&entry.document)), entry.document.enabled));
        for system in systems {
            let changed = wire::GroupChanged { group: group.into(), document: document.clone(), enabled };
            self.tell(&system, wire::letter::What::GroupChanged(changed));
        }
    }

    /// A disabled group keeps the affiliations that it has: it only takes no new calls.
    fn still_member(&self, group: &str, user: &str) -> Result<Standing, Refused> {
        let entry = self.groups.get(group).filter(|entry| entry.document.home.is_none());
        let why = || Refused::new(Cause::NoSuchGroup, group, format!("{group} was deleted"));
        entry.ok_or_else(why)?.members.standing(user)
    }

    /// A call of a group began or ended here.
    pub(super) fn set_call(&mut self, group: &str, runs: bool) {
        if !runs {
            self.running.remove(group);
            return self.call_ended(group);
        }
        self.running.insert(group.into());
        if self.home_of(group, None).is_none() {
            for system in self.systems_of(group) {
                self.tell(&system, wire::letter::What::CallStarted(wire::CallStarted { group: group.into() }));
            }
        }
        self.enter_all(group);
    }
}
