//! The old system's side of a migration (TS 23.280 §10.16.2): a client leaves with a ticket, and comes back if nobody commits to it.

use alloc::{boxed::Box, format, string::String, vec::Vec};

use relay_core::{Millis, Time, late_entry::ResumePoint, trunk::wire};

use super::{
    ClientKey, System, Wanted,
    affiliating::Wish,
    affiliations::Then,
    alarms::Alarm,
    authorizations::KEPT_MS,
    item, legs,
    letters::Purpose,
    moving::{Effect, Step},
    rows::{self, Away, OriginRow, Place, Saved},
    secrets,
};
use crate::{Cause, Refused};

/// How long the old system waits for the commit, from the first letter on. Milliseconds.
pub const COMMIT_MS_MAX: Millis = Millis(10_000);

/// What this system, the primary one, knows of a client of an own user.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    pub(super) row: OriginRow,
    pub(super) tickets_until: Time,
}

impl Origin {
    /// What a rollback would bring back.
    pub(super) fn saved(&self) -> Option<&Saved> {
        match &self.row.place {
            Some(Place::Leaving(leaving)) => leaving.saved.as_ref(),
            _ => self.row.kept.as_ref(),
        }
    }

    fn saved_mut(&mut self) -> Option<&mut Saved> {
        match &mut self.row.place {
            Some(Place::Leaving(leaving)) => leaving.saved.as_mut(),
            _ => self.row.kept.as_mut(),
        }
    }

    /// Whether the client could move now.
    fn has_ticket(&self, now: Time) -> bool {
        now < self.tickets_until && self.row.tickets.iter().any(|ticket| !ticket.spent)
    }

    /// The hash of a ticket that is good for `from` now.
    fn check_ticket(&self, ticket: &[u8], from: &str, now: Time) -> Result<Vec<u8>, Cause> {
        if ticket.is_empty() {
            return Err(Cause::TicketMissing);
        }
        let hash = secrets::hash(&[ticket]);
        let known = self.row.tickets.iter().find(|known| known.hash == hash).ok_or(Cause::TicketUnknown)?;
        if known.target != from {
            return Err(Cause::TicketForeign);
        }
        if known.spent {
            return Err(Cause::TicketSpent);
        }
        if now >= self.tickets_until {
            return Err(Cause::TicketExpired);
        }
        Ok(hash)
    }
}

impl<E: Clone> System<E> {
    /// Where another system serves the client, if one does.
    pub(super) fn away(&self, key: &ClientKey) -> Option<&Away> {
        match &self.origins.get(key)?.row.place {
            Some(Place::Away(away)) => Some(away),
            _ => None,
        }
    }

    /// Whether the client is on its way from here or to here.
    pub(super) fn is_moving(&self, key: &ClientKey) -> bool {
        let leaves = self.origins.get(key).is_some_and(|origin| matches!(origin.row.place, Some(Place::Leaving(_))));
        leaves || self.migration_of(key).is_some()
    }

    pub(super) fn is_leaving(&self, key: &ClientKey) -> bool {
        self.origins.get(key).is_some_and(|origin| matches!(origin.row.place, Some(Place::Leaving(_))))
    }

    pub(super) fn step_origin(&mut self, key: &ClientKey, step: Step<'_>) -> Effect {
        let Some(origin) = self.origins.get_mut(key) else {
            // A client that was never authorised here: as if it were here.
            return OriginRow::default().step(step);
        };
        let effect = origin.row.step(step);
        if !matches!(origin.row.place, Some(Place::Leaving(_))) {
            self.alarms.clear(&Alarm::Commit(key.clone()));
        }
        effect
    }

    pub(super) fn write_origin(&mut self, key: &ClientKey) {
        if let Some(origin) = self.origins.get(key) {
            self.outbox.put(rows::IDENTITIES, of_key(key), &origin.row);
        }
    }

    /// A client gives up what it has, and may be on its way to a partner: what it had is kept for a moment.
    pub(super) fn keep(&mut self, key: &ClientKey, authorization: bool) {
        let now = self.now;
        let affiliation = self.affiliated.get(key).and_then(|id| self.affiliations.get(id)).map(|found| found.row());
        let authorized = self.authorization_of(key).cloned().filter(|_| authorization);
        let Some(origin) = self.origins.get_mut(key).filter(|origin| origin.has_ticket(now)) else { return };
        let earlier = origin.row.kept.take().unwrap_or_default();
        origin.row.kept = Some(Saved {
            authorization: authorized.or(earlier.authorization),
            affiliation: affiliation.or(earlier.affiliation),
        });
        self.alarms.set(Alarm::Kept(key.clone()), now + KEPT_MS);
        self.write_origin(key);
    }

    pub(super) fn forget_kept(&mut self, key: &ClientKey) {
        if let Some(origin) = self.origins.get_mut(key) {
            origin.row.kept = None;
            self.write_origin(key);
        }
    }

    pub(super) fn forget_tickets(&mut self, key: &ClientKey) {
        if let Some(origin) = self.origins.get_mut(key) {
            origin.row.tickets.clear();
            self.write_origin(key);
        }
    }

    /// What was sent to a client last, for the time when it comes back.
    pub(super) fn save_resume(&mut self, key: &ClientKey, group: &str, resume: &[ResumePoint]) {
        let saved = self.origins.get_mut(key).and_then(Origin::saved_mut);
        let items = saved.and_then(|saved| saved.affiliation.as_mut()).map(|affiliation| &mut affiliation.items);
        let Some(row) = items.and_then(|items| items.iter_mut().find(|row| row.group == group)) else { return };
        if !resume.is_empty() {
            row.resume = item::points(resume);
            self.write_origin(key);
        }
    }

    //= TS 23.280 §10.16.2  step 1: the client is de-affiliated and de-authorised in the old system
    pub(super) fn asked_to_leave(&mut self, from: &str, id: u64, leave: wire::Leave) {
        let key = ClientKey { user: leave.user, client: leave.client };
        let nobody = Origin::default();
        let origin = self.origins.get(&key).unwrap_or(&nobody);
        let hash = match origin.check_ticket(&leave.ticket, from, self.now) {
            Ok(hash) => hash,
            Err(cause) => return self.refuse_move(from, id, &key, "ticket-refused", cause),
        };
        let kept = origin.row.kept.clone().unwrap_or_default();
        let affiliation = self.affiliated.get(&key).and_then(|id| self.affiliations.get(id)).map(|found| found.row());
        let saved = Box::new(Saved {
            authorization: self.authorization_of(&key).cloned().or(kept.authorization),
            affiliation: affiliation.or(kept.affiliation),
        });
        let token = secrets::token(&self.pool, &leave.ticket);
        let step = Step::Leave { to: from, token: token.clone(), ticket: hash.clone(), saved };
        if let Effect::Refuse(cause) = self.step_origin(&key, step) {
            return self.refuse_move(from, id, &key, "migration-refused", cause);
        }
        if let Some(origin) = self.origins.get_mut(&key) {
            origin.row.kept = None;
            origin.row.tickets.iter_mut().filter(|ticket| ticket.hash == hash).for_each(|ticket| ticket.spent = true);
        }
        self.alarms.clear(&Alarm::Kept(key.clone()));
        self.alarms.set(Alarm::Commit(key.clone()), self.now + COMMIT_MS_MAX);
        self.write_origin(&key);
        self.outbox.audit("migration-asked", from, &key.user, None);
        let then = Then::Quiet { key: key.clone(), to: from.into(), id, token };
        match self.authorized.get(&key).cloned() {
            Some(authorization) => self.end_authorization(&authorization, then),
            None => self.end_affiliation_of(&key, then),
        }
    }

    /// Nothing more can be sent to a client that leaves.
    pub(super) fn quiet(&mut self, key: &ClientKey, to: &str, id: u64, token: Vec<u8>) {
        if self.step_origin(key, Step::Quiet { token: &token }) != Effect::TellLeft {
            return self.refuse_move(to, id, key, "migration-refused", Cause::Superseded);
        }
        self.write_origin(key);
        self.reply(to, id, wire::letter::What::Left(wire::Left { migration: token }));
    }

    //= TS 23.280 §10.1.4.3.2  the profile for use in the asking system, if it may be used there
    pub(super) fn asked_for_profile(&mut self, from: &str, id: u64, request: &wire::ProfileRequest) {
        let key = ClientKey::new(&request.user, &request.client);
        let step = Step::Permit { by: from, token: &request.migration };
        if let Effect::Refuse(cause) = self.step_origin(&key, step) {
            return self.refuse_move(from, id, &key, "migration-refused", cause);
        }
        let index = (request.index > 0).then_some(request.index);
        let profile = match self.profile_for(&key.user, index, from) {
            Ok(profile) => profile,
            Err(refused) => {
                self.outbox.audit("migration-refused", from, &key.user, Some(&refused));
                return self.refuse(from, id, &refused);
            }
        };
        let group = |group: &String| wire::ProfileGroup {
            group: group.clone(),
            home: self.home_of(group, None).unwrap_or_else(|| self.name.clone()),
        };
        let groups = profile.groups.iter().map(group).collect();
        let answer = wire::Profile { index: profile.index, groups, n2: profile.n2 };
        self.reply(from, id, wire::letter::What::ProfileAnswer(answer));
    }

    //= TS 23.280 §10.6.3.2  migration service authorisation; the stored answer is the commit
    pub(super) fn asked_to_authorize(&mut self, from: &str, id: u64, request: wire::AuthorizationRequest) {
        let key = ClientKey { user: request.user, client: request.client };
        let index = (request.index > 0).then_some(request.index);
        let profile = match self.profile_for(&key.user, index, from) {
            Ok(profile) => profile.index,
            Err(refused) => {
                // Only who holds the migration's token learns anything of the user.
                let step = Step::Permit { by: from, token: &request.migration };
                if let Effect::Refuse(cause) = self.step_origin(&key, step) {
                    return self.refuse_move(from, id, &key, "migration-refused", cause);
                }
                self.outbox.audit("migration-refused", from, &key.user, Some(&refused));
                return self.refuse(from, id, &refused);
            }
        };
        let (token, partner_user) = (&request.migration[..], &request.partner_user[..]);
        match self.step_origin(&key, Step::Commit { by: from, token, partner_user, profile }) {
            Effect::Committed { generation, before } => {
                self.write_origin(&key);
                self.outbox.audit("migration-authorized", from, &key.user, None);
                if let Some(before) = before {
                    self.supersede(&key, Effect::Supersede(before), Purpose::Owed);
                }
                self.reply(from, id, wire::letter::What::Authorization(wire::Authorization { generation }));
            }
            Effect::Refuse(cause) => self.refuse_move(from, id, &key, "migration-refused", cause),
            _ => self.refuse_move(from, id, &key, "migration-refused", Cause::Internal),
        }
    }

    pub(super) fn asked_to_give_up(&mut self, from: &str, id: u64, request: &wire::GiveUp) {
        let key = ClientKey::new(&request.user, &request.client);
        let step = Step::GiveUp { by: from, token: &request.migration, generation: request.generation };
        let effect = self.step_origin(&key, step);
        self.come_back(&key, effect);
        self.reply(from, id, wire::letter::What::Done(wire::Done {}));
    }

    /// There was no commit in time.
    pub(super) fn commit_late(&mut self, key: &ClientKey) {
        let effect = self.step_origin(key, Step::Late);
        self.come_back(key, effect);
    }

    /// A migration came to nothing: the client has again what it had, on the leg that it had, from the last packet that it was sent.
    fn come_back(&mut self, key: &ClientKey, effect: Effect) {
        match effect {
            Effect::Restore(leaving) => {
                self.write_origin(key);
                self.outbox.audit("migration-rolled-back", &leaving.to, &key.user, None);
                self.restore_client(leaving.saved.unwrap_or_default());
            }
            Effect::Cleared(away) => {
                self.write_origin(key);
                self.outbox.audit("migration-given-up", &away.system, &key.user, None);
                self.drop_homed(
                    |homed, generation| {
                        homed.system == away.system
                            && homed.user == key.user
                            && homed.client == key.client
                            && generation <= away.generation
                    },
                    false,
                );
            }
            _ => {}
        }
    }

    fn restore_client(&mut self, saved: Saved) {
        let affiliation = saved.affiliation;
        let Some(authorization) = saved.authorization.filter(|authorization| self.permit(authorization).is_ok()) else {
            return;
        };
        self.add_authorization(authorization.clone());
        self.outbox.changed(&authorization.id);
        let Some(row) = affiliation else { return };
        let wanted = |row: &rows::ItemRow| Wanted { group: row.group.clone(), resume: item::resume(&row.resume) };
        let groups: Vec<Wanted> = row.items.iter().map(wanted).collect();
        let leg = row.leg.as_ref().and_then(legs::read);
        let expires = row.expires.map(Millis);
        let wish = Wish { id: row.id, groups: &groups, leg, expires, asker: None };
        // What may not be affiliated any more has its own answer; the whole was accepted before.
        if let Err(refused) = self.affiliate(&authorization, wish) {
            self.outbox.audit("migration-rolled-back", "", &authorization.user, Some(&refused));
        }
    }

    fn refuse_move(&mut self, from: &str, id: u64, key: &ClientKey, event: &'static str, cause: Cause) {
        let refused = Refused::new(cause, key.user.clone(), format!("{from} asks for {} of {}", key.client, key.user));
        self.outbox.audit(event, from, &key.user, Some(&refused));
        self.refuse(from, id, &refused);
    }
}

/// Key of what is known of a client. No id holds a space.
pub(super) fn of_key(key: &ClientKey) -> String {
    format!("of {} {}", key.user, key.client)
}
