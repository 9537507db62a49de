//! Affiliations that an entry causes: they last if it succeeds, and are undone if it fails (TS 24.379 §9.1).

use alloc::{string::String, vec::Vec};

use super::{ClientKey, System, affiliations::Then, item::Item};

/// An item that an entry caused, while nobody knows yet how that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Implicit {
    /// Entries of the client into this group that are under way.
    entries: u32,
    /// The affiliation began with it.
    opened: bool,
}

impl<E: Clone> System<E> {
    /// An entry begins: it affiliates unless the client is affiliated, or has asked, already. What stood before it is told apart.
    pub(super) fn entry_begins(&mut self, key: &ClientKey, group: &str, stood: &Stood) {
        let Some(item) = self.affiliated.get(key).cloned().and_then(|id| self.item_mut(&id, group)) else { return };
        match &mut item.implicit {
            Some(implicit) => implicit.entries = implicit.entries.saturating_add(1),
            None if !stood.item => item.implicit = Some(Implicit { entries: 1, opened: !stood.affiliation }),
            None => {}
        }
    }

    /// What a client has before it knocks.
    pub(super) fn stands(&self, key: &ClientKey, group: &str) -> Stood {
        let affiliation = self.affiliated.get(key).and_then(|id| self.affiliations.get(id));
        let wanted = |item: &Item<E>| item.row.group == group && !item.is_refused();
        Stood {
            affiliation: affiliation.is_some(),
            item: affiliation.is_some_and(|found| found.items.iter().any(wanted)),
        }
    }

    //= TS 24.379 §9.2.2.2.14  an entry that fails undoes the affiliation that it caused
    pub(super) fn entry_failed(&mut self, key: &ClientKey, group: &str) {
        let Some(id) = self.affiliated.get(key).cloned() else { return };
        let Some(item) = self.item_mut(&id, group) else { return };
        let Some(implicit) = &mut item.implicit else { return };
        implicit.entries = implicit.entries.saturating_sub(1);
        if implicit.entries > 0 {
            return;
        }
        let (opened, affiliated, home) = (implicit.opened, !item.is_refused(), item.row.home.clone());
        let Some(affiliation) = self.affiliations.get_mut(&id) else { return };
        if opened && affiliation.items.len() == 1 {
            let leaves = self.end_affiliation(&id, None, false);
            return self.after_leaves(leaves, Then::Nothing);
        }
        affiliation.items.retain(|item| item.row.group != group);
        let generation = affiliation.generation;
        self.by_group.remove(&(String::from(group), id.clone()));
        if affiliated && !home.is_empty() {
            self.deaffiliate_at(&home, key, generation, Vec::from([group.into()]));
        }
        self.write_affiliation(&id);
        self.settle(&id);
    }
}

/// What a client has before an entry.
pub(super) struct Stood {
    affiliation: bool,
    item: bool,
}
