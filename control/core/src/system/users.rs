//! Users of this system and their profiles (TS 23.280 §10.1.4).

use alloc::{format, string::String, vec::Vec};

use super::{
    Answer, ClientKey, System, User,
    rows::{self, Authorization, ProfileRow, UserRow},
};
use crate::{Cause, Refused, group::check_id, user::Profile};

/// Users of one system. Each is a few hundred bytes here and in the store.
pub const USERS_MAX: usize = 1_000_000;
/// Profiles of one user.
pub const PROFILES_MAX: usize = 64;
/// Groups, and partners, that one profile lists.
pub const PROFILE_ENTRIES_MAX: usize = 1_000;

/// A stored user.
#[derive(Clone, Debug)]
pub(super) struct UserEntry {
    pub(super) document: User,
    pub(super) revision: u64,
}

/// What a client may do here, wherever that was decided.
pub(super) struct Permit {
    /// Groups, each with its home if the primary system names it.
    groups: Vec<(String, Option<String>)>,
    pub(super) n2: u32,
}

impl Permit {
    /// Whether the group is in the profile, and which home the primary system names for it.
    pub(super) fn group(&self, group: &str) -> Result<Option<&str>, Refused> {
        let listed = self.groups.iter().find(|(listed, _)| listed == group);
        let why = || Refused::new(Cause::GroupNotInProfile, group, format!("the profile does not list {group}"));
        listed.map(|(_, home)| home.as_deref()).ok_or_else(why)
    }
}

impl<E: Clone> System<E> {
    pub(super) fn put_user(&mut self, user: String, document: User) -> Result<Answer<E>, Refused> {
        check_user(&user, &document)?;
        let most = self.limits.users;
        if !self.users.contains_key(&user) && self.users.len() >= most {
            return Err(Refused::new(Cause::LimitReached, "users", format!("{most} users are stored")));
        }
        if let Some(entry) = self.users.get(&user).filter(|entry| entry.document == document) {
            return Ok(Answer::User { user, document, revision: entry.revision });
        }
        let revision = self.revise();
        self.outbox.put(rows::USERS, user.clone(), &write(&document, revision));
        self.users.insert(user.clone(), UserEntry { document: document.clone(), revision });
        self.review_user(&user);
        Ok(Answer::User { user, document, revision })
    }

    pub(super) fn delete_user(&mut self, user: &str) -> Result<Answer<E>, Refused> {
        self.user(user)?;
        self.users.remove(user);
        self.outbox.delete(rows::USERS, user.into());
        self.review_user(user);
        Ok(Answer::Done)
    }

    pub(super) fn read_user(&self, user: &str) -> Result<Answer<E>, Refused> {
        let entry = self.user(user)?;
        Ok(Answer::User { user: user.into(), document: entry.document.clone(), revision: entry.revision })
    }

    pub(super) fn user(&self, user: &str) -> Result<&UserEntry, Refused> {
        let why = || Refused::new(Cause::NoSuchUser, user, format!("{user} is no user of {}", self.name));
        self.users.get(user).ok_or_else(why)
    }

    /// The profile of a user who may use the service: `index`, or the first.
    pub(super) fn profile(&self, user: &str, index: Option<u32>) -> Result<&Profile, Refused> {
        let entry = self.user(user)?;
        if entry.document.blocked {
            return Err(Refused::new(Cause::UserBlocked, user, format!("{user} is blocked")));
        }
        let mut profiles = entry.document.profiles.iter();
        let found = profiles.find(|profile| index.is_none_or(|index| profile.index == index));
        found.ok_or_else(|| {
            let which = index.map_or(String::from("no profile"), |index| format!("no profile {index}"));
            Refused::new(Cause::NoSuchProfile, user, format!("{user} has {which}"))
        })
    }

    /// The profile under which the user may use the service in `system`: `index`, or the first that is good there.
    pub(super) fn profile_for(&self, user: &str, index: Option<u32>, system: &str) -> Result<&Profile, Refused> {
        let first = self.profile(user, index)?;
        let good = |profile: &&Profile| profile.partners.iter().any(|partner| partner == system);
        let found = match index {
            Some(_) => Some(first).filter(good),
            None => self.user(user)?.document.profiles.iter().find(good),
        };
        found.ok_or_else(|| {
            let detail = format!("no profile of {user} that was asked for is good for {system}");
            Refused::new(Cause::ProfileNotValidHere, user, detail)
        })
    }

    /// What an authorised client may do.
    pub(super) fn permit(&self, authorization: &Authorization) -> Result<Permit, Refused> {
        if let Some(granted) = &authorization.granted {
            let group = |group: &relay_core::trunk::wire::ProfileGroup| (group.group.clone(), Some(group.home.clone()));
            return Ok(Permit { groups: granted.groups.iter().map(group).collect(), n2: granted.n2 });
        }
        let profile = self.profile(&authorization.user, Some(authorization.profile))?;
        Ok(Permit { groups: profile.groups.iter().map(|group| (group.clone(), None)).collect(), n2: profile.n2 })
    }

    /// A document changed: what it no longer permits ends, here and in partners.
    fn review_user(&mut self, user: &str) {
        for key in self.clients_of(user) {
            let authorization = self.authorization_of(&key).filter(|authorization| authorization.granted.is_none());
            if let Some(authorization) = authorization.cloned() {
                match self.permit(&authorization) {
                    Err(_) => self.end_authorization(&authorization.id, super::affiliations::Then::Nothing),
                    Ok(permit) => self.review_items(&key, |row| permit.group(&row.group).map(|_| ())),
                }
            }
            let away = self.away(&key).cloned();
            if let Some(away) = away
                && self.profile_for(user, Some(away.profile), &away.system).is_err()
            {
                self.bring_home(&key);
            }
        }
    }

    /// Every client of a user that this system knows something of.
    fn clients_of(&self, user: &str) -> Vec<ClientKey> {
        let from = ClientKey { user: user.into(), client: String::new() };
        let of_user = |key: &&ClientKey| key.user == user;
        let authorized = self.authorized.range(from.clone()..).map(|(key, _)| key).take_while(of_user);
        let origins = self.origins.range(from..).map(|(key, _)| key).take_while(of_user);
        let mut clients: Vec<ClientKey> = authorized.chain(origins).cloned().collect();
        clients.sort();
        clients.dedup();
        clients
    }
}

/// Checks the index of a profile: on the trunk 0 says that none is named.
pub(super) fn check_index(field: &str, index: u32) -> Result<(), Refused> {
    match index {
        0 => Err(Refused::new(Cause::InvalidField, field, format!("{field} is 0; profiles are counted from 1"))),
        _ => Ok(()),
    }
}

fn check_user(user: &str, document: &User) -> Result<(), Refused> {
    check_id("user", user)?;
    let limit = |name: &str, count: usize, most: usize| match count <= most {
        true => Ok(()),
        false => Err(Refused::new(Cause::LimitReached, name, format!("{count} {name} exceed {most}"))),
    };
    limit("profiles", document.profiles.len(), PROFILES_MAX)?;
    for (at, profile) in document.profiles.iter().enumerate() {
        check_index(&format!("profiles[{at}].index"), profile.index)?;
        let same = |other: &&Profile| other.index == profile.index;
        if document.profiles.iter().filter(same).count() > 1 {
            let detail = format!("two profiles have index {}", profile.index);
            return Err(Refused::new(Cause::InvalidField, "profiles", detail));
        }
        limit("profile.groups", profile.groups.len(), PROFILE_ENTRIES_MAX)?;
        limit("profile.partners", profile.partners.len(), PROFILE_ENTRIES_MAX)?;
        for id in profile.groups.iter().chain(&profile.partners) {
            check_id(&format!("profiles[{at}]"), id)?;
        }
    }
    Ok(())
}

fn write(document: &User, revision: u64) -> UserRow {
    let profile = |profile: &Profile| ProfileRow {
        index: profile.index,
        partners: profile.partners.clone(),
        groups: profile.groups.clone(),
        n2: profile.n2,
    };
    UserRow { revision, blocked: document.blocked, profiles: document.profiles.iter().map(profile).collect() }
}

/// A user as it was stored.
pub(super) fn read(row: UserRow) -> UserEntry {
    let profile =
        |row: ProfileRow| Profile { index: row.index, partners: row.partners, groups: row.groups, n2: row.n2 };
    let profiles = row.profiles.into_iter().map(profile).collect();
    UserEntry { document: User { profiles, blocked: row.blocked }, revision: row.revision }
}
