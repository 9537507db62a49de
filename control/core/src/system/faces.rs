//! What faces ask, and who answers it.

use alloc::{format, string::String};

use super::{
    Answer, Ask, ClientKey, Phase, System,
    affiliating::Wish,
    affiliations::Asker,
    new::Move,
    rows,
    secrets::{self, Entropy},
};
use crate::{Cause, Refused};

impl<E: Clone> System<E> {
    pub(super) fn ask(&mut self, token: u64, ask: Ask, entropy: &Entropy) {
        // Tokens for migrations are made of all that was ever handed in.
        self.pool = secrets::hash(&[&self.pool, entropy]);
        let answer = match ask {
            Ask::PutUser { user, document } => self.put_user(user, document),
            Ask::DeleteUser { user } => self.delete_user(&user),
            Ask::User { user } => self.read_user(&user),
            Ask::PutPartner { system, document } => self.put_partner(system, document),
            Ask::DeletePartner { system } => self.delete_partner(&system),
            Ask::Partner { system } => self.read_partner(&system),
            Ask::Authorize { user, client, profile, service: _ } => {
                self.authorize(ClientKey { user, client }, profile, entropy)
            }
            Ask::Migrate { user, client, from, ticket, profile, groups, leg, mode: _, service: _ } => {
                let key = ClientKey { user, client };
                self.migrate(Move { key, from, ticket, profile, groups, leg }, entropy)
            }
            Ask::Migration { migration } => self.read_migration(&migration),
            Ask::MaySubscribe { system, group } => self.may_subscribe(&system, &group),
            Ask::MayAnnounce { system, group, user, client } => self.may_announce(&system, &group, &user, &client),
            Ask::EntryFailed { user, client, group } => {
                self.entry_failed(&ClientKey { user, client }, &group);
                Ok(Answer::Done)
            }
            // These answer when they can.
            Ask::Deauthorize { authorization } => return self.deauthorize(token, &authorization),
            Ask::Affiliate { user, client, groups, leg, expires, service: _ } => {
                let wish = Wish {
                    id: secrets::id("affiliation", entropy),
                    groups: &groups,
                    leg,
                    expires,
                    asker: Some(Asker::Face(token)),
                };
                match self.resolve(&user, &client).and_then(|authorization| self.affiliate(&authorization, wish)) {
                    Ok(_) => return,
                    Err(refused) => Err(refused),
                }
            }
            Ask::Affiliation { affiliation } => return self.read_affiliation(token, &affiliation, false),
            Ask::Refresh { affiliation } => return self.read_affiliation(token, &affiliation, true),
            Ask::Deaffiliate { affiliation, scope } => return self.deaffiliate(token, &affiliation, scope),
            Ask::EnterByClient { user, client, group } => return self.knock(token, &user, &client, &group, entropy),
        };
        self.outbox.answer(token, answer);
    }

    /// After a restart: a migration to this system that has no commit is given up, one that has is as far as it came.
    pub(super) fn finish_migrations(&mut self) {
        let open = self.migrations.iter().filter(|(_, migration)| migration.row.end == 0);
        for id in open.map(|(id, _)| id.clone()).collect::<alloc::vec::Vec<String>>() {
            let Some(migration) = self.migrations.get_mut(&id) else { continue };
            let committed = self.authorizations.contains_key(&migration.row.authorization);
            let end = if committed { Phase::Done } else { Phase::RolledBack };
            let row = migration.row.clone();
            migration.end_with_crash(end, &self.name);
            self.outbox.put(rows::MIGRATIONS, super::new::to_key(&id), &migration.row);
            if !committed && !row.homeward {
                self.give_back(&row, Cause::HomeUnreachable.code());
            }
        }
    }
}

impl super::new::Migration {
    fn end_with_crash(&mut self, end: Phase, system: &str) {
        self.course = super::course::Course::ended(end);
        self.row.end = end as u32;
        self.row.token.clear();
        if end == Phase::RolledBack {
            let refused = Refused::new(Cause::HomeUnreachable, system, format!("{system} was restarted"));
            self.row.cause = refused.cause.code().into();
            self.row.detail = refused.detail.clone();
            self.refuse_with(refused);
        }
    }
}
