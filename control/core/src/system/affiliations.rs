//! Which groups a client wants the calls of (TS 23.280 §10.8): one affiliation per client, one item per group.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};

use relay_core::{Millis, trunk::wire};

use super::{
    Answer, ClientKey, Item as ShownItem, LETTER_GROUPS_MAX, Output, Scope, System,
    alarms::Alarm,
    item::{Item, State},
    letters::Purpose,
    rows::{self, AffiliationRow, ItemRow},
};
use crate::{Cause, Refused};

/// Groups that one request names.
pub const GROUPS_MAX: usize = 1_000;

/// What a client is affiliated to, and where its media goes.
#[derive(Clone, Debug)]
pub(super) struct Affiliation<E> {
    pub(super) id: String,
    pub(super) key: ClientKey,
    pub(super) generation: u64,
    pub(super) leg: Option<super::LegRequest>,
    pub(super) expires: Option<Millis>,
    pub(super) items: Vec<Item<E>>,
    pub(super) revision: u64,
    pub(super) waiting: Vec<Asker>,
}

/// Who waits until every item is settled, or until one group's home has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// A face wants to see it.
    Face(u64),
    /// A face wants to enter a client into the call of this group.
    Door(u64, String),
    /// A migration goes on with it.
    Migration(String),
}

/// What happens when nothing more can be sent to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing.
    Nothing,
    /// An `Ask` is answered.
    Answer(u64),
    /// A de-affiliation is answered.
    Ended {
        /// Who asked.
        token: u64,
        /// Id of the affiliation that was named.
        affiliation: String,
        /// The groups that it, and those that end with it, were affiliated to.
        groups: Vec<String>,
    },
    /// A partner's letter is answered.
    Done(String, u64),
    /// A client that moves is told to its new system: its letter waits.
    Quiet {
        /// Which client.
        key: ClientKey,
        /// Who waits.
        to: String,
        /// The number of its letter.
        id: u64,
        /// Names the migration.
        token: Vec<u8>,
    },
}

impl Then {
    /// Whether the client goes to another system: it is asked for there, or has gone home.
    fn is_move(&self) -> bool {
        matches!(self, Then::Quiet { .. } | Then::Done(..))
    }
}

/// A `Leave` that is under way.
#[derive(Clone, Debug)]
pub(super) struct Leaving {
    batch: u64,
    group: String,
    /// Whose saved resume points grow with the answer.
    saves: Option<ClientKey>,
}

/// The leaves that have to be answered before something happens.
#[derive(Debug, Default)]
pub(super) struct Leaves {
    open: BTreeMap<u64, Leaving>,
    batches: BTreeMap<u64, (usize, Then)>,
}

impl<E: Clone> System<E> {
    pub(super) fn affiliation(&self, id: &str) -> Result<&Affiliation<E>, Refused> {
        let why = || Refused::new(Cause::NoSuchAffiliation, id, format!("no client has affiliation {id}"));
        self.affiliations.get(id).ok_or_else(why)
    }

    /// Reads it, or says that the client is still there.
    pub(super) fn read_affiliation(&mut self, token: u64, id: &str, refresh: bool) {
        let now = self.now;
        match self.affiliations.get_mut(id) {
            Some(affiliation) => {
                affiliation.waiting.push(Asker::Face(token));
                if let (true, Some(expires)) = (refresh, affiliation.expires) {
                    self.alarms.set(Alarm::Affiliation(id.into()), now + expires);
                }
                self.settle(id);
            }
            None => {
                let answer = self.affiliation(id).map(|_| Answer::Done);
                self.outbox.answer(token, answer);
            }
        }
    }

    pub(super) fn deaffiliate(&mut self, token: u64, id: &str, scope: Scope) {
        let Some(affiliation) = self.affiliations.get(id) else {
            let gone = self.ended.has(id, self.now);
            let answer = if gone { Ok(Answer::Done) } else { self.affiliation(id).map(|_| Answer::Done) };
            return self.outbox.answer(token, answer);
        };
        let key = affiliation.key.clone();
        //= TS 23.280 §10.8.2.6  this client, or every client of the user
        let mut ids = Vec::from([String::from(id)]);
        if scope == Scope::User {
            let others = self.affiliated_clients(&key.user).into_iter().map(|(_, other)| other);
            ids.extend(others.filter(|other| other != id));
        }
        let then = Then::Ended { token, affiliation: id.into(), groups: self.groups_of(&ids) };
        if scope == Scope::Client {
            self.keep(&key, false);
            return self.end_affiliation_of(&key, then);
        }
        let leaves = ids.iter().flat_map(|id| self.end_affiliation(id, None, false)).collect();
        self.after_leaves(leaves, then);
    }

    /// The groups of affiliations, each once, in their order.
    fn groups_of(&self, ids: &[String]) -> Vec<String> {
        let items = ids.iter().filter_map(|id| self.affiliations.get(id)).flat_map(|affiliation| &affiliation.items);
        let mut seen = BTreeSet::new();
        let groups = items.filter(|item| item.is_affiliated()).map(|item| &item.row.group);
        groups.filter(|group| seen.insert(*group)).cloned().collect()
    }

    /// Nobody has refreshed it.
    pub(super) fn affiliation_expired(&mut self, id: &str) {
        let leaves = self.end_affiliation(id, None, false);
        self.after_leaves(leaves, Then::Nothing);
    }

    /// The affiliation of a client ends, and then `then` happens.
    pub(super) fn end_affiliation_of(&mut self, key: &ClientKey, then: Then) {
        let saves = self.origins.get(key).is_some_and(|origin| origin.saved().is_some()).then(|| key.clone());
        let moving = saves.is_some() || then.is_move();
        let id = self.affiliated.get(key).cloned();
        let leaves = id.map(|id| self.end_affiliation(&id, saves, moving)).unwrap_or_default();
        self.after_leaves(leaves, then);
    }

    /// Ends it; its homes are told. What is answered when nothing more can be sent to the client waits for the numbers given back.
    pub(super) fn end_affiliation(&mut self, id: &str, saves: Option<ClientKey>, moving: bool) -> Vec<(u64, Leaving)> {
        let Some(affiliation) = self.affiliations.remove(id) else { return Vec::new() };
        let key = affiliation.key.clone();
        self.affiliated.remove(&key);
        self.outbox.delete(rows::AFFILIATIONS, own_key(id));
        self.outbox.changed(id);
        self.alarms.clear(&Alarm::Affiliation(id.into()));
        self.ended.remember(id.into(), self.now);
        let mut homes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut leaves = Vec::new();
        for item in &affiliation.items {
            let group = item.row.group.clone();
            self.by_group.remove(&(group.clone(), id.into()));
            if !item.is_refused() && !item.row.home.is_empty() {
                homes.entry(item.row.home.clone()).or_default().push(group.clone());
            }
            if item.is_affiliated() {
                leaves.push(self.leave(&key, &group, saves.clone(), moving));
            }
        }
        for (home, groups) in homes {
            self.deaffiliate_at(&home, &key, affiliation.generation, groups);
        }
        for asker in affiliation.waiting {
            let refused = Refused::new(Cause::NoSuchAffiliation, id, "the affiliation ended meanwhile");
            match asker {
                Asker::Face(token) | Asker::Door(token, _) => self.outbox.answer(token, Err(refused)),
                Asker::Migration(_) => self.supersede_migration(&key),
            }
        }
        leaves
    }

    /// A home is told that a client is no longer affiliated there.
    pub(super) fn deaffiliate_at(&mut self, home: &str, key: &ClientKey, generation: u64, groups: Vec<String>) {
        for groups in groups.chunks(LETTER_GROUPS_MAX) {
            let (user, client, groups) = (key.user.clone(), key.client.clone(), groups.to_vec());
            let request = wire::DeaffiliationRequest { user, client, generation, groups, all_clients: false };
            self.owe(home, wire::letter::What::Deaffiliate(request), Purpose::Owed);
        }
    }

    /// Takes a client out of the call of a group. The call waits for one that may be on its way to another system.
    pub(super) fn leave(
        &mut self,
        key: &ClientKey,
        group: &str,
        saves: Option<ClientKey>,
        moving: bool,
    ) -> (u64, Leaving) {
        let number = self.number();
        let (user, client) = (key.user.clone(), key.client.clone());
        self.outbox.now(Output::Leave { number, user, client, group: group.into(), moving });
        (number, Leaving { batch: 0, group: group.into(), saves })
    }

    /// `then` happens once all of these are answered.
    pub(super) fn after_leaves(&mut self, leaves: Vec<(u64, Leaving)>, then: Then) {
        if leaves.is_empty() {
            return self.do_then(then);
        }
        let batch = self.number();
        self.leaves.batches.insert(batch, (leaves.len(), then));
        for (number, leaving) in leaves {
            self.leaves.open.insert(number, Leaving { batch, ..leaving });
        }
    }

    /// Nothing more can be sent to the participant.
    pub(super) fn left(&mut self, number: u64, resume: &[relay_core::late_entry::ResumePoint]) {
        let Some(leaving) = self.leaves.open.remove(&number) else { return };
        if let Some(key) = &leaving.saves {
            self.save_resume(key, &leaving.group, resume);
        }
        let Some((open, _)) = self.leaves.batches.get_mut(&leaving.batch) else { return };
        *open = open.saturating_sub(1);
        if *open == 0
            && let Some((_, then)) = self.leaves.batches.remove(&leaving.batch)
        {
            self.do_then(then);
        }
    }

    fn do_then(&mut self, then: Then) {
        match then {
            Then::Nothing => {}
            Then::Answer(token) => self.outbox.answer(token, Ok(Answer::Done)),
            Then::Ended { token, affiliation, groups } => {
                let item = |group| ShownItem { group, result: Ok(None), not_entered: None };
                let items = groups.into_iter().map(item).collect();
                let revision = self.revise();
                self.outbox.answer(token, Ok(Answer::Affiliation { affiliation, items, revision }));
            }
            Then::Done(to, id) => self.reply(&to, id, wire::letter::What::Done(wire::Done {})),
            Then::Quiet { key, to, id, token } => self.quiet(&key, &to, id, token),
        }
    }

    /// Something of it changed: it is stored, readers learn it, and whoever waited for the last item is answered.
    pub(super) fn settle(&mut self, id: &str) {
        let Some(affiliation) = self.affiliations.get_mut(id) else { return };
        let settled = affiliation.items.iter().all(Item::is_settled);
        let answered = |group: &str| {
            let item = affiliation.items.iter().find(|item| item.row.group == group);
            item.is_none_or(|item| !matches!(item.state, State::Asked))
        };
        let (done, mut waiting): (Vec<Asker>, Vec<Asker>) =
            core::mem::take(&mut affiliation.waiting).into_iter().partition(|asker| match asker {
                Asker::Face(_) => settled,
                Asker::Door(_, group) => answered(group),
                Asker::Migration(_) => true,
            });
        // A migration goes on by itself, and says when it has ended.
        waiting.extend(done.iter().filter(|asker| matches!(asker, Asker::Migration(_))).cloned());
        affiliation.waiting = waiting;
        for asker in done {
            match asker {
                Asker::Face(token) => {
                    let answer = self.affiliation(id).map(show);
                    self.outbox.answer(token, answer);
                }
                Asker::Door(token, group) => self.answer_door(token, id, &group),
                Asker::Migration(migration) => self.affiliation_moved(&migration, id),
            }
        }
    }

    /// Stores it as it is now.
    pub(super) fn write_affiliation(&mut self, id: &str) {
        let revision = self.revise();
        if let Some(affiliation) = self.affiliations.get_mut(id) {
            affiliation.revision = revision;
            self.outbox.put(rows::AFFILIATIONS, own_key(id), &affiliation.row());
            self.outbox.changed(id);
        }
    }

    /// The affiliations in which a group is an item.
    pub(super) fn affiliations_to(&self, group: &str) -> Vec<String> {
        let from = (String::from(group), String::new());
        self.by_group.range(from..).take_while(|(of, _)| of == group).map(|(_, id)| id.clone()).collect()
    }

    /// The affiliations of all clients of a user.
    pub(super) fn affiliated_clients(&self, user: &str) -> Vec<(ClientKey, String)> {
        let from = ClientKey::new(user, "");
        let of_user = self.affiliated.range(from..).take_while(|(key, _)| key.user == user);
        of_user.map(|(key, id)| (key.clone(), id.clone())).collect()
    }
}

impl<E> Affiliation<E> {
    pub(super) fn row(&self) -> AffiliationRow {
        let items = self.items.iter().filter(|item| !item.is_refused());
        AffiliationRow {
            id: self.id.clone(),
            user: self.key.user.clone(),
            client: self.key.client.clone(),
            expires: self.expires.map(|Millis(expires)| expires),
            leg: self.leg.as_ref().map(super::legs::write),
            items: items.map(|item| item.row.clone()).collect::<Vec<ItemRow>>(),
            generation: self.generation,
        }
    }
}

/// As a face shows it.
pub(super) fn show<E: Clone>(affiliation: &Affiliation<E>) -> Answer<E> {
    Answer::Affiliation {
        affiliation: affiliation.id.clone(),
        items: items(affiliation),
        revision: affiliation.revision,
    }
}

/// Its items, as far as they are known.
pub(super) fn items<E: Clone>(affiliation: &Affiliation<E>) -> Vec<ShownItem<E>> {
    let item = |item: &Item<E>| {
        let result = match &item.state {
            State::Asked => return None,
            State::Waiting | State::Entering(_) => Ok(None),
            State::Entered(entered) => Ok(Some(entered.clone())),
            State::Refused(refused) => Err(refused.clone()),
        };
        Some(ShownItem { group: item.row.group.clone(), result, not_entered: item.not_entered.clone() })
    };
    affiliation.items.iter().filter_map(item).collect()
}

pub(super) fn own_key(id: &str) -> String {
    format!("own {id}")
}
