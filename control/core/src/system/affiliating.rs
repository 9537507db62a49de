//! A client wants groups (TS 23.280 §10.8.3): what may be, what its home has to say, and what the home says.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};

use relay_core::{Millis, trunk::wire};

use super::{
    ClientKey, LegRequest, System, Wanted,
    affiliations::{Affiliation, Asker, GROUPS_MAX},
    alarms::Alarm,
    documents,
    item::{self, Effect, Event, Item, State},
    letters::{ANSWER_MS_MAX, Purpose, nonsense, refused_with},
    rows::{Authorization, ItemRow},
    users::Permit,
};
use crate::{Cause, Refused};

/// Groups in one letter: the answer has at most 65,536 octets, and of each group an id of 255, a cause of 64, and a detail or a
/// document of 1,024.
pub const LETTER_GROUPS_MAX: usize = 48;

/// What a client asks for.
pub(super) struct Wish<'a> {
    /// The id of the affiliation, if it becomes a new one.
    pub(super) id: String,
    pub(super) groups: &'a [Wanted],
    pub(super) leg: Option<LegRequest>,
    pub(super) expires: Option<Millis>,
    pub(super) asker: Option<Asker>,
}

impl<E: Clone> System<E> {
    /// Affiliates a client to what it may have; every group has its own answer, and the whole never fails because of one.
    pub(super) fn affiliate(&mut self, authorization: &Authorization, wish: Wish<'_>) -> Result<String, Refused> {
        if wish.groups.len() > GROUPS_MAX {
            let detail = format!("{} groups exceed {GROUPS_MAX}", wish.groups.len());
            return Err(Refused::new(Cause::LimitReached, "groups", detail));
        }
        let permit = self.permit(authorization)?;
        let key = ClientKey::new(&authorization.user, &authorization.client);
        let id = self.affiliated.get(&key).cloned().unwrap_or(wish.id);
        self.open_affiliation(&id, &key, authorization.generation, wish.leg, wish.expires);
        let mut homes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        // In the order the client names them: the first have the places that N2 leaves.
        for wanted in wish.groups {
            if let Some(home) = self.want(&id, &key, wanted, &permit, wish.leg.is_some()) {
                homes.entry(home).or_default().push(wanted.group.clone());
            }
        }
        for (home, groups) in homes {
            self.ask_home(&home, authorization, &id, &groups);
        }
        if let Some(affiliation) = self.affiliations.get_mut(&id) {
            affiliation.waiting.extend(wish.asker);
        }
        self.write_affiliation(&id);
        self.settle(&id);
        Ok(id)
    }

    fn open_affiliation(
        &mut self,
        id: &str,
        key: &ClientKey,
        generation: u64,
        leg: Option<LegRequest>,
        expires: Option<Millis>,
    ) {
        let affiliation = self.affiliations.entry(id.into()).or_insert_with(|| Affiliation {
            id: id.into(),
            key: key.clone(),
            generation,
            leg: None,
            expires: None,
            items: Vec::new(),
            revision: 0,
            waiting: Vec::new(),
        });
        affiliation.leg = leg.or(affiliation.leg);
        affiliation.expires = expires;
        // What was refused earlier is asked anew or of no interest.
        for item in affiliation.items.iter().filter(|item| item.is_refused()) {
            self.by_group.remove(&(item.row.group.clone(), id.into()));
        }
        affiliation.items.retain(|item| !item.is_refused());
        self.affiliated.insert(key.clone(), id.into());
        match expires {
            Some(expires) => self.alarms.set(Alarm::Affiliation(id.into()), self.now + expires),
            None => self.alarms.clear(&Alarm::Affiliation(id.into())),
        }
    }

    /// One group. The home that has to be asked, if any.
    fn want(&mut self, id: &str, key: &ClientKey, wanted: &Wanted, permit: &Permit, leg: bool) -> Option<String> {
        let affiliation = self.affiliations.get_mut(id)?;
        let points = item::points(&wanted.resume);
        if let Some(item) = affiliation.items.iter_mut().find(|item| item.row.group == wanted.group) {
            // It was asked for: an entry that fails does not undo it any more.
            item.implicit = None;
            if !wanted.resume.is_empty() {
                item.row.resume = points;
            }
            if leg {
                self.run_item(id, &wanted.group, true);
            }
            return None;
        }
        let mut row = ItemRow { group: wanted.group.clone(), resume: points, ..ItemRow::default() };
        let (state, home) = match self.judge(key, &wanted.group, permit) {
            Err(refused) => (State::Refused(refused), None),
            Ok(home) => (State::Asked, home),
        };
        row.home = home.clone().unwrap_or_default();
        row.asked = matches!(state, State::Asked);
        let local = row.asked && home.is_none();
        let affiliation = self.affiliations.get_mut(id)?;
        affiliation.items.push(Item::new(row, state));
        self.by_group.insert((wanted.group.clone(), id.into()));
        if local {
            let verdict = self.own_group(&wanted.group, &key.user).map(|_| ());
            self.decide(id, &wanted.group, verdict);
        }
        home
    }

    /// Whether it may be asked for at all, and of whom.
    fn judge(&self, key: &ClientKey, group: &str, permit: &Permit) -> Result<Option<String>, Refused> {
        let named = permit.group(group)?;
        let mut held = BTreeSet::new();
        for (_, id) in self.affiliated_clients(&key.user) {
            let items = self.affiliations.get(&id).into_iter().flat_map(|affiliation| &affiliation.items);
            held.extend(items.filter(|item| !item.is_refused()).map(|item| item.row.group.as_str()));
        }
        //= TS 24.379 §6.3.6  N2 counts the groups of all clients of the user
        if !held.contains(group) && held.len() >= permit.n2 as usize {
            let detail = format!("{} is affiliated to {} groups, and may be to {}", key.user, held.len(), permit.n2);
            return Err(Refused::new(Cause::N2Exceeded, group, detail));
        }
        let home = self.home_of(group, named);
        if let Some(home) = &home {
            if !self.partners.contains_key(home) {
                let detail = format!("{group} is defined by {home}, which is no partner of {}", self.name);
                return Err(Refused::new(Cause::NoAgreement, group, detail));
            }
            self.reachable(home)?;
        }
        Ok(home)
    }

    /// Asks a home about groups that it defines.
    pub(super) fn ask_home(&mut self, home: &str, authorization: &Authorization, id: &str, groups: &[String]) {
        for groups in groups.chunks(LETTER_GROUPS_MAX) {
            //= TS 23.280 §10.8.2.2  only groups defined in the destination system
            let request = wire::AffiliationRequest {
                user: authorization.user.clone(),
                partner_user: authorization.partner_user.clone(),
                client: authorization.client.clone(),
                generation: authorization.generation,
                groups: groups.to_vec(),
            };
            let purpose = Purpose::Affiliate { affiliation: id.into(), groups: groups.to_vec() };
            self.question(home, wire::letter::What::Affiliate(request), purpose, Some(ANSWER_MS_MAX));
        }
    }

    /// The home, this system or another one, has decided.
    fn decide(&mut self, id: &str, group: &str, verdict: Result<(), Refused>) {
        let event = match verdict {
            Err(refused) => Event::Refused(refused),
            Ok(()) => Event::Granted { enter: self.may_enter(id, group).then(|| self.number()) },
        };
        self.step_item(id, group, event);
    }

    pub(super) fn home_answered(&mut self, id: &str, groups: &[String], from: &str, answer: wire::AffiliationAnswer) {
        let mut items: BTreeMap<String, wire::AffiliationItem> =
            answer.items.into_iter().map(|item| (item.group.clone(), item)).collect();
        for group in groups {
            let verdict = match items.remove(group) {
                None => Err(nonsense(from)),
                Some(item) if !item.cause.is_empty() => Err(refused_with(from, &item.cause, item.group, item.detail)),
                Some(item) => self.read_item(id, from, item),
            };
            self.decide(id, group, verdict);
        }
        self.write_affiliation(id);
        self.settle(id);
    }

    /// What the home says of a group that the client is affiliated to.
    fn read_item(&mut self, id: &str, from: &str, item: wire::AffiliationItem) -> Result<(), Refused> {
        let document = item.document.ok_or_else(|| nonsense(from))?;
        documents::read(&document, from)?;
        match item.running {
            true => self.running.insert(item.group.clone()),
            false => self.running.remove(&item.group),
        };
        if let Some(own) = self.item_mut(id, &item.group) {
            own.row.document = Some(document);
            own.row.priority = item.priority;
            own.row.receive_only = item.receive_only;
        }
        Ok(())
    }

    /// The home refuses all of it.
    pub(super) fn home_refused(&mut self, id: &str, groups: &[String], refused: &Refused) {
        for group in groups {
            self.decide(id, group, Err(refused.clone()));
        }
        self.write_affiliation(id);
        self.settle(id);
    }

    /// The home does not answer: nobody knows what it thinks, so it is told that these are not wanted. A group that it granted
    /// before stays as it is.
    pub(super) fn home_silent(&mut self, id: &str, groups: &[String], home: &str, refused: &Refused) {
        let Ok(affiliation) = self.affiliation(id) else { return };
        let (key, generation) = (affiliation.key.clone(), affiliation.generation);
        let asked = |item: &&Item<E>| matches!(item.state, State::Asked) && groups.contains(&item.row.group);
        let asked: Vec<String> = affiliation.items.iter().filter(asked).map(|item| item.row.group.clone()).collect();
        self.home_refused(id, &asked, refused);
        if !asked.is_empty() {
            self.deaffiliate_at(home, &key, generation, asked);
        }
    }

    /// Items that are no longer right end; their homes are told.
    pub(super) fn review_items(&mut self, key: &ClientKey, verdict: impl Fn(&ItemRow) -> Result<(), Refused>) {
        let Some(id) = self.affiliated.get(key).cloned() else { return };
        let Ok(affiliation) = self.affiliation(&id) else { return };
        let generation = affiliation.generation;
        let items = affiliation.items.iter().filter(|item| !item.is_refused());
        let wrong = items.filter_map(|item| verdict(&item.row).err().map(|refused| (item.row.clone(), refused)));
        let wrong: Vec<(ItemRow, Refused)> = wrong.collect();
        if wrong.is_empty() {
            return;
        }
        for (row, refused) in wrong {
            self.step_item(&id, &row.group, Event::Refused(refused));
            if !row.home.is_empty() {
                self.deaffiliate_at(&row.home, key, generation, Vec::from([row.group]));
            }
        }
        self.write_affiliation(&id);
        self.settle(&id);
    }

    pub(super) fn review_all_items(&mut self, verdict: impl Fn(&ItemRow) -> Result<(), Refused>) {
        for key in self.affiliated.keys().cloned().collect::<Vec<_>>() {
            self.review_items(&key, &verdict);
        }
    }

    pub(super) fn item_mut(&mut self, id: &str, group: &str) -> Option<&mut Item<E>> {
        self.affiliations.get_mut(id)?.items.iter_mut().find(|item| item.row.group == group)
    }

    /// One step of one item, and what follows of it.
    pub(super) fn step_item(&mut self, id: &str, group: &str, event: Event<E>) -> Effect {
        let Some(effect) = self.item_mut(id, group).map(|item| item.step(event)) else { return Effect::Nothing };
        match effect {
            Effect::Enter => self.send_in(id, group),
            Effect::Leave => {
                if let Some(key) = self.affiliations.get(id).map(|affiliation| affiliation.key.clone()) {
                    self.leave(&key, group, None, false);
                }
            }
            Effect::Retry => {
                let back_off = self.item_mut(id, group).map(|item| item.back_off());
                if let Some(back_off) = back_off {
                    self.alarms.set(Alarm::Entry(id.into(), group.into()), self.now + back_off);
                }
            }
            Effect::Nothing | Effect::Changed => {}
        }
        effect
    }
}
