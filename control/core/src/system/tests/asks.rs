//! What tests ask of a world of systems, in short.

use std::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

use relay_core::roster::Leg;

use super::{
    super::{Answer, Ask, Input, LegRequest, MigrationAnswer, Mode, Partner, Scope, Service, Wanted},
    world::{ANA, Shown, World},
};
use crate::{
    group::{Group, Member, Model},
    user::{Profile, User},
};

impl World {
    pub(super) fn put_group(&mut self, at: &str, group: &str, document: Group) {
        let document = Arc::new(document);
        self.node(at).groups.insert(group.into(), Arc::clone(&document));
        self.give(at, Input::Group { group: group.into(), document: Some(document) });
    }

    /// A call of a group begins at its home, or ends for everybody.
    pub(super) fn call(&mut self, at: &str, group: &str, runs: bool) {
        let node = self.node(at);
        node.running.retain(|running| running != group);
        if runs {
            node.running.push(group.into());
        } else {
            node.calls.retain(|key, _| key.0 != group);
        }
        self.give(at, Input::Call { group: group.into(), runs });
    }

    pub(super) fn put_user(&mut self, at: &str, user: &str, groups: &[&str], partners: &[&str], n2: u32) {
        let groups = groups.iter().map(ToString::to_string).collect();
        let partners = partners.iter().map(ToString::to_string).collect();
        let profiles = Vec::from([Profile { index: 1, partners, groups, n2 }]);
        let document = User { profiles, blocked: false };
        self.ask(at, Ask::PutUser { user: user.into(), document }).expect("the user is stored");
    }

    pub(super) fn put_partner(&mut self, at: &str, system: &str) {
        let document = Partner { address: None, participants_max: 100, migrated_users_max: 2 };
        self.ask(at, Ask::PutPartner { system: system.into(), document }).expect("the partner is stored");
    }

    /// Authorises a client; its authorization, and its tickets by system.
    pub(super) fn authorize(&mut self, at: &str, user: &str, client: &str) -> (String, BTreeMap<String, String>) {
        let (user, client) = (user.into(), client.into());
        let ask = Ask::Authorize { user, client, profile: None, service: Service::Mcptt };
        match self.ask(at, ask) {
            Ok(Answer::Authorized { authorization, tickets, .. }) => {
                (authorization, tickets.into_iter().map(|ticket| (ticket.system, ticket.ticket)).collect())
            }
            other => panic!("not authorised: {other:?}"),
        }
    }

    pub(super) fn affiliate_ask(user: &str, client: &str, groups: &[&str], leg: bool) -> Ask {
        Ask::Affiliate {
            user: user.into(),
            client: client.into(),
            groups: wanted(groups),
            leg: leg.then(leg_of),
            expires: None,
            service: Service::Mcptt,
        }
    }

    /// Affiliates; the id, and one line per group.
    pub(super) fn affiliate(&mut self, at: &str, user: &str, client: &str, groups: &[&str]) -> (String, Vec<String>) {
        match self.ask(at, World::affiliate_ask(user, client, groups, true)) {
            Ok(Answer::Affiliation { affiliation, items, .. }) => (affiliation, lines(&items)),
            other => panic!("no affiliation: {other:?}"),
        }
    }

    /// Ends an affiliation; the groups that ended. One that has ended already has nothing to show.
    pub(super) fn deaffiliate(&mut self, at: &str, id: &str, scope: Scope) -> Vec<String> {
        let stands = self.ask(at, Ask::Affiliation { affiliation: id.into() }).is_ok();
        match self.ask(at, Ask::Deaffiliate { affiliation: id.into(), scope }) {
            Ok(Answer::Affiliation { affiliation, items, .. }) => {
                assert!(stands && affiliation == id);
                assert!(items.iter().all(|item| item.result == Ok(None)), "{items:?}");
                items.into_iter().map(|item| item.group).collect()
            }
            answer => {
                assert_eq!((stands, answer), (false, Ok(Answer::Done)));
                Vec::new()
            }
        }
    }

    pub(super) fn migrate_ask(user: &str, client: &str, from: &str, ticket: Option<&str>, groups: &[&str]) -> Ask {
        Ask::Migrate {
            user: user.into(),
            client: client.into(),
            from: from.into(),
            ticket: ticket.map(String::from),
            profile: None,
            mode: Mode::Strict,
            groups: wanted(groups),
            leg: Some(leg_of()),
            service: Service::Mcptt,
        }
    }

    /// Begins a migration; its id.
    pub(super) fn migrate(&mut self, at: &str, from: &str, ticket: Option<&str>, groups: &[&str]) -> String {
        match self.ask(at, World::migrate_ask(ANA, "radio", from, ticket, groups)) {
            Ok(Answer::Migrating { migration }) => migration,
            other => panic!("no migration: {other:?}"),
        }
    }

    pub(super) fn migration(&mut self, at: &str, migration: &str) -> MigrationAnswer<Shown> {
        match self.ask(at, Ask::Migration { migration: migration.into() }) {
            Ok(Answer::Migration(answer)) => answer,
            other => panic!("no migration: {other:?}"),
        }
    }
}

fn wanted(groups: &[&str]) -> Vec<Wanted> {
    groups.iter().map(|group| Wanted { group: group.to_string(), resume: Vec::new() }).collect()
}

pub(super) fn leg_of() -> LegRequest {
    let leg = Leg { rtp: "127.0.0.1:40000".parse().expect("an address"), floor: None };
    LegRequest { leg, queueing: true, priority: 1, expires: None }
}

/// One line per group.
pub(super) fn lines(items: &[super::super::Item<Shown>]) -> Vec<String> {
    let line = |item: &super::super::Item<Shown>| match (&item.result, &item.not_entered) {
        (Err(refused), _) => format!("{} {}", item.group, refused.cause.code()),
        (Ok(_), Some(refused)) => format!("{} affiliated, not entered: {}", item.group, refused.cause.code()),
        (Ok(None), None) => format!("{} affiliated", item.group),
        (Ok(Some(entered)), None) => format!("{} {entered}", item.group),
    };
    items.iter().map(line).collect()
}

pub(super) fn group(model: Model, members: &[&str]) -> Group {
    let member = |user: &&str| Member { user: user.to_string(), priority: 3, receive_only: false };
    Group { members: members.iter().map(member).collect(), ..Group::new(model) }
}
