//! Affiliated clients and the calls of their groups: the server enters them, and hears what became of it (TS 23.379 §10.6.2.3.1.1).

use alloc::{string::String, sync::Arc, vec::Vec};

use relay_core::trunk::wire;

use super::{
    ClientKey, Enter, Output, System, documents,
    item::{self, Effect, Event, State},
    letters::refused_with,
    rows::ItemRow,
};
use crate::{
    Refused,
    group::{Group, Model, Standing},
};

impl<E: Clone> System<E> {
    /// Whether the server puts this client into the group's call now. Into the call of a chat group clients come by themselves.
    pub(super) fn may_enter(&self, id: &str, group: &str) -> bool {
        self.running.contains(group) && self.takes_in(id, group)
    }

    /// Whether the server puts this client into calls of the group.
    fn takes_in(&self, id: &str, group: &str) -> bool {
        let Some(affiliation) = self.affiliations.get(id) else { return false };
        let Some(item) = affiliation.items.iter().find(|item| item.row.group == group) else { return false };
        let prearranged = match &item.row.document {
            Some(document) => document.prearranged,
            None => self.groups.get(group).is_some_and(|entry| entry.document.model == Model::Prearranged),
        };
        prearranged && affiliation.leg.is_some()
    }

    /// A call runs, or the client asks again with a leg.
    pub(super) fn run_item(&mut self, id: &str, group: &str, again: bool) -> Effect {
        if !self.may_enter(id, group) {
            return Effect::Nothing;
        }
        let number = self.number();
        self.step_item(id, group, Event::Runs { number, again })
    }

    /// The item's `Enter`.
    pub(super) fn send_in(&mut self, id: &str, group: &str) {
        let Some(affiliation) = self.affiliations.get(id) else { return };
        let Some(item) = affiliation.items.iter().find(|item| item.row.group == group) else { return };
        let (State::Entering(number), Some(leg)) = (&item.state, affiliation.leg) else { return };
        let (number, key, row) = (*number, affiliation.key.clone(), item.row.clone());
        let Ok((document, standing)) = self.place_in(&row, &key.user) else { return };
        self.enters.insert(number, (id.into(), group.into()));
        self.outbox.now(Output::Enter(Enter {
            number,
            group: group.into(),
            home: (!row.home.is_empty()).then_some(row.home),
            document,
            user: key.user,
            client: key.client,
            leg,
            resume: item::resume(&row.resume),
            standing,
            start: false,
        }));
    }

    /// How calls of an item's group run, if that is for another system to say, and what the user is in it.
    pub(super) fn place_in(&self, row: &ItemRow, user: &str) -> Result<(Option<Arc<Group>>, Standing), Refused> {
        match &row.document {
            Some(document) => {
                let document = documents::read(document, &row.home)?;
                Ok((Some(Arc::new(document)), documents::standing(row.priority, row.receive_only)))
            }
            None => self.own_group(&row.group, user).map(|(_, standing)| (None, standing)),
        }
    }

    pub(super) fn entered(&mut self, number: u64, result: Result<E, Refused>) {
        let Some((id, group)) = self.enters.remove(&number) else { return };
        let succeeded = result.is_ok();
        if self.step_item(&id, &group, Event::Entered { number, result }) == Effect::Nothing {
            return;
        }
        // What it heard elsewhere is behind it now.
        if succeeded && let Some(item) = self.item_mut(&id, &group) {
            item.row.resume = Vec::new();
        }
        self.write_affiliation(&id);
        self.settle(&id);
    }

    //= TS 23.379 §10.6.2.3.1.1.4  a late entry is repeated while the call lasts
    /// A client was not entered a moment ago. Whatever has changed since, its item knows: it has left, entered, or is refused.
    /// Whether a partner's call lasts its home says, with the answer: here it may have ended with its last participant.
    pub(super) fn try_again(&mut self, id: &str, group: &str) {
        let lasts =
            self.running.contains(group) || self.item_mut(id, group).is_some_and(|item| !item.row.home.is_empty());
        if lasts && self.takes_in(id, group) {
            let number = self.number();
            self.step_item(id, group, Event::Again(number));
        }
    }

    /// A client entered by itself: the server does not enter it once more, on a leg that it may have given up.
    pub(super) fn came(&mut self, key: &ClientKey, group: &str, entered: E) {
        let Some(id) = self.affiliated.get(key).cloned() else { return };
        if self.step_item(&id, group, Event::Came(entered)) != Effect::Nothing {
            self.write_affiliation(&id);
            self.settle(&id);
        }
    }

    /// A participant left by itself, or was removed.
    pub(super) fn gone(&mut self, key: &ClientKey, group: &str) {
        let Some(id) = self.affiliated.get(key).cloned() else { return };
        if self.step_item(&id, group, Event::Gone) != Effect::Nothing {
            self.write_affiliation(&id);
            self.settle(&id);
        }
    }

    /// The home did not let a participant in that this system had entered, or let it in no longer.
    pub(super) fn expelled(&mut self, key: &ClientKey, group: &str, word: &str) {
        let Some(id) = self.affiliated.get(key).cloned() else { return };
        let Some(home) = self.item_mut(&id, group).map(|item| item.row.home.clone()) else { return };
        let refused = refused_with(&home, word, group.into(), "it is not let into the call".into());
        if self.step_item(&id, group, Event::Expelled(refused)) != Effect::Nothing {
            self.write_affiliation(&id);
            self.settle(&id);
        }
    }

    /// A call of a pre-arranged group began: whoever is affiliated and has a leg is entered.
    pub(super) fn enter_all(&mut self, group: &str) {
        self.step_all(group, |system, id| system.run_item(id, group, false));
    }

    /// The call is over for everybody.
    pub(super) fn call_ended(&mut self, group: &str) {
        self.step_all(group, |system, id| system.step_item(id, group, Event::Gone));
    }

    fn step_all(&mut self, group: &str, step: impl Fn(&mut Self, &str) -> Effect) {
        for id in self.affiliations_to(group) {
            if step(self, &id) != Effect::Nothing {
                self.write_affiliation(&id);
                self.settle(&id);
            }
        }
    }

    /// A call of a partner's group began there.
    pub(super) fn call_started_at(&mut self, from: &str, group: &str) {
        let mut here = false;
        for id in self.affiliations_to(group) {
            here |= self.item_mut(&id, group).is_some_and(|item| item.row.home == from && !item.is_refused());
        }
        if here {
            self.running.insert(group.into());
            self.enter_all(group);
        }
    }

    /// After a trunk was down: the home may have changed its mind about any client.
    pub(super) fn ask_again(&mut self, home: &str) {
        for (key, id) in self.affiliated.clone() {
            let Some(affiliation) = self.affiliations.get(&id) else { continue };
            let items = affiliation.items.iter().filter(|item| item.row.home == home && item.is_affiliated());
            let groups: Vec<String> = items.map(|item| item.row.group.clone()).collect();
            if let Some(authorization) = self.authorization_of(&key).cloned() {
                self.ask_home(home, &authorization, &id, &groups);
            }
        }
    }

    /// A partner's group has another document, or none: every client is asked for anew.
    pub(super) fn group_changed_at(&mut self, from: &str, changed: &wire::GroupChanged) {
        let group = &changed.group;
        for id in self.affiliations_to(group) {
            let Some(item) = self.item_mut(&id, group).filter(|item| item.row.home == from && item.is_affiliated())
            else {
                continue;
            };
            let row = item.row.clone();
            let Some(key) = self.affiliations.get(&id).map(|affiliation| affiliation.key.clone()) else { continue };
            let Some(authorization) = self.authorization_of(&key).cloned() else { continue };
            match changed.document {
                Some(_) => self.ask_home(from, &authorization, &id, &Vec::from([row.group])),
                None => {
                    let detail = alloc::format!("{from} has deleted {group}");
                    let refused = Refused::new(crate::Cause::NoSuchGroup, String::from(group), detail);
                    self.home_refused(&id, &Vec::from([row.group]), &refused);
                }
            }
        }
    }
}
