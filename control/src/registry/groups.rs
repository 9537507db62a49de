//! Group documents, in memory.

use std::sync::{Arc, atomic::Ordering};

use control_core::{
    Cause, Refused,
    group::{Group, Members, Standing, check_id},
};
use dashmap::Entry;

use super::{GROUPS_MAX, Registry};

/// A group document with its revision.
#[derive(Clone)]
pub(crate) struct StoredGroup {
    pub(crate) group: Arc<Group>,
    pub(crate) revision: u64,
    members: Arc<Members>,
}

impl StoredGroup {
    /// What a user is in this group.
    pub(crate) fn standing(&self, user: &str) -> Result<Standing, Refused> {
        self.members.standing(user)
    }
}

impl Registry {
    /// Stores a document; running calls follow it, and members who are no longer on it leave.
    pub(crate) async fn put_group(&self, id: &str, group: Group) -> Result<StoredGroup, Refused> {
        check_id("group", id)?;
        let members = Arc::new(group.check()?);
        if !self.groups.contains_key(id) && self.groups.len() >= GROUPS_MAX {
            let detail = format!("groups is full at {GROUPS_MAX}");
            return Err(Refused::new(Cause::LimitReached, "groups", detail).advise("delete groups that nobody uses"));
        }
        let group = Arc::new(group);
        let unchanged = self.groups.get(id).filter(|stored| *stored.group == *group).map(|stored| stored.clone());
        let stored = unchanged.unwrap_or_else(|| {
            let revision = self.revisions.fetch_add(1, Ordering::Relaxed) + 1;
            let stored = StoredGroup { group: Arc::clone(&group), revision, members };
            self.groups.insert(id.to_owned(), stored.clone());
            stored
        });
        // The running call is told of an unchanged document too: the answer to the first may have been a refusal.
        let call = self.call_of_group(id).filter(|call| call.home.is_none());
        if let Some(call) = call {
            let configured = call.media.configure(&super::calls::settings(&group));
            for record in call.participants_where(|record| stored.standing(&record.user).is_err()) {
                // Whoever has left meanwhile is as gone as it should be.
                _ = self.leave(&call, &record.id).await;
            }
            configured.map_err(|full| super::exhausted(&full))?;
        }
        Ok(stored)
    }

    /// A document that the store held.
    pub(crate) fn restore_group(&self, id: &str, group: Group, revision: u64) -> Result<StoredGroup, Refused> {
        let members = Arc::new(group.check()?);
        let stored = StoredGroup { group: Arc::new(group), revision, members };
        self.groups.insert(id.to_owned(), stored.clone());
        self.revisions.fetch_max(revision, Ordering::Relaxed);
        Ok(stored)
    }

    pub(crate) fn group(&self, id: &str) -> Result<StoredGroup, Refused> {
        let stored = self.groups.get(id).map(|stored| stored.clone());
        stored.ok_or_else(|| Refused::new(Cause::NoSuchGroup, id, format!("{id} is not stored here")))
    }

    pub(crate) fn delete_group(&self, id: &str) -> Result<(), Refused> {
        self.group(id)?;
        // The row is held, so that no call starts meanwhile.
        let Entry::Vacant(_row) = self.by_group.entry(id.to_owned()) else {
            return Err(Refused::new(Cause::GroupHasCall, id, format!("{id} has a running call")));
        };
        self.groups.remove(id);
        self.starts.remove(id);
        Ok(())
    }

    /// Every group above `after`, in the order of their ids.
    pub(crate) fn groups_after(&self, after: Option<&str>) -> Vec<(String, StoredGroup)> {
        let above = |id: &str| after.is_none_or(|after| id > after);
        let stored = self.groups.iter().filter(|row| above(row.key()));
        let mut all: Vec<_> = stored.map(|row| (row.key().clone(), row.value().clone())).collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        all
    }

    pub(crate) fn groups_len(&self) -> usize {
        self.groups.len()
    }
}
