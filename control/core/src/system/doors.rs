//! Who may enter the call of a group by another way than the server's: clients by themselves, and what partners announce.

use alloc::{format, string::String};

use relay_core::trunk::wire;

use super::{
    Answer, ClientKey, System, Wanted,
    affiliating::Wish,
    affiliations::{Asker, Then},
    item::{Item, State},
    secrets::{self, Entropy},
};
use crate::{Cause, Refused, group::Model};

impl<E: Clone> System<E> {
    /// A client enters by itself. Whoever is affiliated may; into a chat group everybody may who could affiliate, and is affiliated by it.
    pub(super) fn knock(&mut self, token: u64, user: &str, client: &str, group: &str, entropy: &Entropy) {
        let authorization = match self.resolve(user, client) {
            Ok(authorization) => authorization,
            // Nobody has told this system about users: whoever drives it answers for them, and the group's list decides.
            Err(refused) if refused.cause == Cause::NoSuchUser && self.home_of(group, None).is_none() => {
                let answer = self.own_group(group, user).map(|(_, standing)| Answer::MayEnter {
                    user: user.into(),
                    home: None,
                    document: None,
                    standing,
                });
                return self.outbox.answer(token, answer);
            }
            Err(refused) => return self.outbox.answer(token, Err(refused)),
        };
        let key = ClientKey::new(&authorization.user, &authorization.client);
        let affiliated = self.affiliated.get(&key).cloned().filter(|_| self.is_affiliated(&key, group));
        let stood = self.stands(&key, group);
        if let Some(id) = affiliated {
            self.entry_begins(&key, group, &stood);
            return self.open_door(token, &id, group);
        }
        let prearranged =
            |group: &str| self.groups.get(group).is_some_and(|own| own.document.model == Model::Prearranged);
        if self.home_of(group, None).is_none() && prearranged(group) {
            let detail = format!("{client} of {user} is not affiliated to {group}, whose calls are pre-arranged");
            return self.outbox.answer(token, Err(Refused::new(Cause::NotAffiliated, group, detail)));
        }
        //= TS 24.379 §9.1  joining a chat group affiliates
        let wanted = [Wanted { group: group.into(), resume: [].into() }];
        let kept = self.affiliated.get(&key).and_then(|id| self.affiliations.get(id));
        let expires = kept.and_then(|affiliation| affiliation.expires);
        let asker = Some(Asker::Door(token, group.into()));
        let id = secrets::id("affiliation", entropy);
        let wish = Wish { id, groups: &wanted, leg: None, expires, asker };
        match self.affiliate(&authorization, wish) {
            Ok(_) => self.entry_begins(&key, group, &stood),
            Err(refused) => self.outbox.answer(token, Err(refused)),
        }
    }

    /// A partner has said that a client may be affiliated to its group. If the group's calls are pre-arranged, entering does not
    /// affiliate: it is undone.
    pub(super) fn answer_door(&mut self, token: u64, id: &str, group: &str) {
        let affiliation = self.affiliations.get(id);
        let item = affiliation.and_then(|found| found.items.iter().find(|item| item.row.group == group));
        let prearranged = item.and_then(|item| item.row.document.as_ref()).is_some_and(|document| document.prearranged);
        let key = affiliation.map(|affiliation| affiliation.key.clone());
        if let (true, Some(key)) = (prearranged && item.is_some_and(Item::is_affiliated), key) {
            let detail = format!("{} is not affiliated to {group}, whose calls are pre-arranged", key.user);
            let refused = Refused::new(Cause::NotAffiliated, group, detail);
            self.review_items(&key, |row| if row.group == group { Err(refused.clone()) } else { Ok(()) });
        }
        self.open_door(token, id, group);
    }

    /// The group's home has decided about a client that wants to enter.
    pub(super) fn open_door(&mut self, token: u64, id: &str, group: &str) {
        let affiliation = self.affiliations.get(id);
        let item = affiliation.and_then(|found| found.items.iter().find(|item| item.row.group == group));
        let answer = match (affiliation, item) {
            (Some(affiliation), Some(item)) => match &item.state {
                State::Refused(refused) => Err(refused.clone()),
                _ => self.place_in(&item.row, &affiliation.key.user).map(|(document, standing)| Answer::MayEnter {
                    user: affiliation.key.user.clone(),
                    home: (!item.row.home.is_empty()).then(|| item.row.home.clone()),
                    document,
                    standing,
                }),
            },
            _ => Err(Refused::new(Cause::NotAffiliated, group, "the affiliation ended meanwhile")),
        };
        self.outbox.answer(token, answer);
    }

    /// A partner's relay subscribes to the call of a group: it has to have somebody there.
    pub(super) fn may_subscribe(&self, system: &str, group: &str) -> Result<Answer<E>, Refused> {
        self.partner(system)?;
        match self.homed_to(group).any(|(key, _)| key.system == system) {
            true => Ok(Answer::Done),
            false => {
                let detail = format!("{system} has no client that is affiliated to {group}");
                Err(Refused::new(Cause::NotAffiliated, group, detail))
            }
        }
    }

    /// A partner's relay announces a participant.
    pub(super) fn may_announce(
        &self,
        system: &str,
        group: &str,
        user: &str,
        client: &str,
    ) -> Result<Answer<E>, Refused> {
        self.partner(system)?;
        let known =
            self.homed_to(group).any(|(key, _)| (&*key.system, &*key.user, &*key.client) == (system, user, client));
        if !known {
            let detail = format!("{client} of {user} is not affiliated to {group} through {system}");
            return Err(Refused::new(Cause::NotAffiliated, group, detail));
        }
        let (_, standing) = self.own_group(group, user)?;
        Ok(Answer::MayEnter { user: user.into(), home: None, document: None, standing })
    }

    /// The primary system of a migrated client says that the client is elsewhere now.
    pub(super) fn asked_to_let_go(&mut self, from: &str, id: u64, request: &wire::Superseded) {
        let key = ClientKey::new(&request.user, &request.client);
        let authorization = self.authorization_of(&key);
        let mine = authorization.filter(|mine| mine.system == from && mine.generation <= request.generation);
        let Some(authorization) = mine.map(|mine| mine.id.clone()) else {
            return self.reply(from, id, wire::letter::What::Done(wire::Done {}));
        };
        self.supersede_migration(&key);
        self.outbox.audit("client-let-go", from, &key.user, None);
        self.end_authorization(&authorization, Then::Done(String::from(from), id));
    }
}
