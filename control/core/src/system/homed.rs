//! Partners' clients that are affiliated to groups of this system, their home (TS 23.280 §10.8.3.2, §10.8.4.3).

use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec::Vec,
};

use prost::Message;
use relay_core::trunk::{frame::CODECS_MAX, wire};

use super::{
    ClientKey, Output, System, documents,
    rows::{self, HomedRow},
};
use crate::{Cause, Refused};

/// Affiliations of one partner's clients here.
pub const PARTNER_AFFILIATIONS_MAX: usize = 100_000;

/// Octets of a group's document in a letter, and with them its codecs.
pub const DOCUMENT_OCTETS_MAX: usize = 1_024;

/// Which affiliation. Sorted by group, because calls ask for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HomedKey {
    pub(super) group: String,
    pub(super) user: String,
    pub(super) client: String,
    pub(super) system: String,
}

impl HomedKey {
    /// No id holds a space.
    pub(super) fn write(&self) -> String {
        format!("homed {} {} {} {}", self.system, self.user, self.client, self.group)
    }

    pub(super) fn read(key: &str) -> Option<HomedKey> {
        let mut words = key.split(' ').map(ToString::to_string);
        let (kind, system, user, client, group) =
            (words.next()?, words.next()?, words.next()?, words.next()?, words.next()?);
        (kind == "homed").then_some(HomedKey { group, user, client, system })
    }

    fn first_of(group: &str) -> HomedKey {
        HomedKey { group: group.into(), user: String::new(), client: String::new(), system: String::new() }
    }
}

impl<E: Clone> System<E> {
    /// The affiliations of partners' clients to a group.
    pub(super) fn homed_to<'a>(&'a self, group: &'a str) -> impl Iterator<Item = (&'a HomedKey, &'a u64)> {
        self.homed.range(HomedKey::first_of(group)..).take_while(move |(key, _)| key.group == group)
    }

    /// The partners that have affiliated clients of a group.
    pub(super) fn systems_of(&self, group: &str) -> Vec<String> {
        let systems: BTreeSet<&String> = self.homed_to(group).map(|(key, _)| &key.system).collect();
        systems.into_iter().cloned().collect()
    }

    pub(super) fn asked_to_affiliate(&mut self, from: &str, id: u64, request: &wire::AffiliationRequest) {
        let mut items = Vec::new();
        for group in &request.groups {
            let item = match self.admit(from, group, request) {
                Ok(item) => item,
                Err(refused) => {
                    self.outbox.audit("affiliation-refused", from, &request.user, Some(&refused));
                    wire::AffiliationItem {
                        group: group.clone(),
                        cause: refused.cause.code().into(),
                        detail: refused.detail,
                        ..wire::AffiliationItem::default()
                    }
                }
            };
            items.push(item);
        }
        self.reply(from, id, wire::letter::What::Affiliation(wire::AffiliationAnswer { items }));
    }

    fn admit(
        &mut self,
        from: &str,
        group: &str,
        request: &wire::AffiliationRequest,
    ) -> Result<wire::AffiliationItem, Refused> {
        self.vouch(from, group, request)?;
        let (document, standing) = self.own_group(group, &request.user)?;
        let document = documents::tell(&document);
        if document.codecs.len() > CODECS_MAX || document.encoded_len() > DOCUMENT_OCTETS_MAX {
            self.outbox.now(Output::Full { limit: "partner.document_octets" });
            let detail = format!("its codecs exceed {CODECS_MAX}, or {DOCUMENT_OCTETS_MAX} octets in a letter");
            return Err(Refused::new(Cause::LimitReached, "partner.document_octets", detail));
        }
        let (user, client) = (request.user.clone(), request.client.clone());
        let key = HomedKey { group: group.into(), user, client, system: from.into() };
        // Counting is for the rare case that all partners together could reach one's limit.
        let of_partner = |system: &Self| system.homed.keys().filter(|key| key.system == from).count();
        if !self.homed.contains_key(&key)
            && self.homed.len() >= PARTNER_AFFILIATIONS_MAX
            && of_partner(self) >= PARTNER_AFFILIATIONS_MAX
        {
            let detail = format!("{PARTNER_AFFILIATIONS_MAX} affiliations of clients of {from} are stored");
            self.outbox.now(Output::Full { limit: "partner.affiliations" });
            return Err(Refused::new(Cause::LimitReached, "partner.affiliations", detail));
        }
        // The same client was served elsewhere before: one system serves it at a time.
        let elsewhere = |other: &HomedKey| {
            (&other.group, &other.user, &other.client) == (&key.group, &key.user, &key.client) && other.system != from
        };
        if self.homed_to(group).any(|(other, _)| elsewhere(other)) {
            self.drop_homed(|other, _| elsewhere(other), true);
        }
        self.outbox.put(rows::AFFILIATIONS, key.write(), &HomedRow { generation: request.generation });
        self.homed.insert(key, request.generation);
        Ok(wire::AffiliationItem {
            group: group.into(),
            cause: String::new(),
            detail: String::new(),
            document: Some(document),
            priority: standing.priority.into(),
            receive_only: standing.receive_only,
            running: self.running.contains(group),
        })
    }

    /// Whether the partner may speak for this client: only whoever the primary system has authorised last.
    fn vouch(&self, from: &str, group: &str, request: &wire::AffiliationRequest) -> Result<(), Refused> {
        let key = ClientKey::new(&request.user, &request.client);
        let superseded = |why: &str| {
            let detail = format!("{from} names generation {} of {}: {why}", request.generation, request.user);
            Err(Refused::new(Cause::IdentitySuperseded, request.user.clone(), detail))
        };
        let domain = request.user.rsplit_once('@').map_or("", |(_, domain)| domain);
        // Nobody learns from the answer whether there is such a user here.
        if self.users.contains_key(&request.user) || domain == self.name {
            let away = self.away(&key).filter(|away| away.system == from && away.generation == request.generation);
            let Some(away) = away else { return superseded("it does not serve this client") };
            let profile = self.profile_for(&request.user, Some(away.profile), from)?;
            if !profile.groups.iter().any(|listed| listed == group) {
                let detail = format!("profile {} of {} does not list {group}", profile.index, request.user);
                return Err(Refused::new(Cause::GroupNotInProfile, group, detail));
            }
            return Ok(());
        }
        if self.authorization_of(&key).is_some() {
            return superseded("it is served here");
        }
        let of_another = domain != from && self.partners.contains_key(domain);
        if request.generation == 0 && of_another {
            let detail = format!("{from} speaks for {}, which is a user of {domain}", request.user);
            return Err(Refused::new(Cause::NotAuthorized, request.user.clone(), detail));
        }
        let newer = self.homed_to(group).any(|(other, generation)| {
            other.user == request.user
                && other.client == request.client
                && other.system != from
                && *generation > request.generation
        });
        if newer { superseded("another partner serves it under a newer one") } else { Ok(()) }
    }

    pub(super) fn asked_to_deaffiliate(&mut self, from: &str, id: u64, request: &wire::DeaffiliationRequest) {
        let all_groups = request.groups.is_empty();
        self.drop_homed(
            |key, generation| {
                key.system == from
                    && key.user == request.user
                    && (request.all_clients || key.client == request.client)
                    && (all_groups || request.groups.contains(&key.group))
                    && generation <= request.generation
            },
            false,
        );
        self.reply(from, id, wire::letter::What::Done(wire::Done {}));
    }

    /// Partners' clients that are no longer affiliated leave the call. It waits for them if they come from another system.
    pub(super) fn drop_homed(&mut self, which: impl Fn(&HomedKey, u64) -> bool, come: bool) {
        let gone = self.homed.iter().filter(|(key, generation)| which(key, **generation));
        for key in gone.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.homed.remove(&key);
            self.outbox.delete(rows::AFFILIATIONS, key.write());
            let client = ClientKey::new(&key.user, &key.client);
            // Served here meanwhile: the participant of that name is another one.
            if self.is_affiliated(&client, &key.group) {
                continue;
            }
            let moving = come || self.is_moving(&client);
            let number = self.number();
            let ClientKey { user, client } = client;
            self.outbox.now(Output::Leave { number, user, client, group: key.group, moving });
        }
    }

    /// Whether a client that is served here is affiliated to a group.
    pub(super) fn is_affiliated(&self, key: &ClientKey, group: &str) -> bool {
        let affiliation = self.affiliated.get(key).and_then(|id| self.affiliations.get(id));
        affiliation.is_some_and(|affiliation| {
            affiliation.items.iter().any(|item| item.row.group == group && item.is_affiliated())
        })
    }

    /// After a trunk was down: calls that began meanwhile. What else the partner missed it learns by asking again.
    pub(super) fn remind(&mut self, system: &str) {
        let of_system = self.homed.keys().filter(|key| key.system == system && self.running.contains(&key.group));
        let groups: BTreeSet<String> = of_system.map(|key| key.group.clone()).collect();
        for group in groups {
            self.tell(system, wire::letter::What::CallStarted(wire::CallStarted { group }));
        }
    }
}
