//! Which clients may use the service here (TS 23.280 §10.6), and the tickets with which they may move.

use alloc::{format, string::String, vec::Vec};

use relay_core::{Millis, trunk::wire};

use super::{
    Answer, ClientKey, System, Ticket,
    affiliations::Then,
    alarms::Alarm,
    homed::HomedKey,
    letters::Purpose,
    moving::{Effect, Step},
    rows::{self, Authorization, IdentityRow, TicketRow},
    secrets::{self, Entropy},
    users::check_index,
};
use crate::{Cause, Refused, group::check_id};

/// How long a ticket may be used. Milliseconds.
pub const TICKET_MS: Millis = Millis(60 * 60 * 1000);
/// How long it is told apart from one that never was, after that. Milliseconds.
pub const TICKET_REMEMBERED_MS: Millis = TICKET_MS;
/// How long what a client gave up by itself is kept for a migration that follows. Milliseconds.
pub const KEPT_MS: Millis = Millis(10_000);
/// Authorised clients of one system.
pub const AUTHORIZATIONS_MAX: usize = 1_000_000;

impl<E: Clone> System<E> {
    /// Authorises a client of an own user. Where it was before no longer counts, and neither do its old tickets.
    pub(super) fn authorize(
        &mut self,
        key: ClientKey,
        profile: Option<u32>,
        entropy: &Entropy,
    ) -> Result<Answer<E>, Refused> {
        check_id("client", &key.client)?;
        profile.map_or(Ok(()), |index| check_index("profile", index))?;
        let profile = self.profile(&key.user, profile)?.clone();
        self.has_place(&key)?;
        self.bring_home(&key);
        let partners = profile.partners.into_iter().filter(|partner| self.partners.contains_key(partner));
        let tickets: Vec<(String, Vec<u8>)> =
            partners.map(|target| (target.clone(), secrets::ticket(&target, entropy))).collect();
        let origin = self.origins.entry(key.clone()).or_default();
        origin.row.tickets = tickets.iter().map(|(target, ticket)| ticket_row(target, ticket)).collect();
        origin.tickets_until = self.now + TICKET_MS;
        self.alarms.set(Alarm::Tickets(key.clone()), self.now + TICKET_MS + TICKET_REMEMBERED_MS);
        self.write_origin(&key);
        let id = secrets::id("authorization", entropy);
        let user = key.user.clone();
        self.add_authorization(Authorization {
            id: id.clone(),
            user: key.user,
            client: key.client,
            profile: profile.index,
            ..Authorization::default()
        });
        let ticket =
            |(system, ticket): (String, Vec<u8>)| Ticket { system, ticket: secrets::hex(&ticket), expires: TICKET_MS };
        Ok(Answer::Authorized { authorization: id, user, tickets: tickets.into_iter().map(ticket).collect() })
    }

    /// Whether one more client may be authorised; one that is already needs no place.
    pub(super) fn has_place(&self, key: &ClientKey) -> Result<(), Refused> {
        let most = self.limits.authorizations;
        if self.authorized.contains_key(key) || self.authorizations.len() < most {
            return Ok(());
        }
        Err(Refused::new(Cause::LimitReached, "authorizations", format!("{most} clients are authorised")))
    }

    /// Stores an authorization; an earlier one of the same client goes, its affiliation stays.
    pub(super) fn add_authorization(&mut self, authorization: Authorization) {
        let key = ClientKey::new(&authorization.user, &authorization.client);
        if let Some(earlier) = self.authorized.insert(key, authorization.id.clone()) {
            self.forget_authorization(&earlier);
        }
        if !authorization.partner_user.is_empty() {
            let row = IdentityRow { user: authorization.user.clone(), system: authorization.system.clone() };
            self.outbox.put(rows::IDENTITIES, as_key(&authorization.partner_user), &row);
            self.identities.insert(authorization.partner_user.clone(), row);
        }
        self.outbox.put(rows::AUTHORIZATIONS, authorization.id.clone(), &authorization);
        self.authorizations.insert(authorization.id.clone(), authorization);
    }

    fn forget_authorization(&mut self, id: &str) -> Option<Authorization> {
        let authorization = self.authorizations.remove(id)?;
        self.outbox.delete(rows::AUTHORIZATIONS, id.into());
        self.ended.remember(id.into(), self.now);
        self.outbox.changed(id);
        Some(authorization)
    }

    /// De-authorises: what the client has here ends, and then `then` happens.
    pub(super) fn end_authorization(&mut self, id: &str, then: Then) {
        let Some(authorization) = self.forget_authorization(id) else {
            return self.after_leaves(Vec::new(), then);
        };
        let key = ClientKey::new(&authorization.user, &authorization.client);
        if self.authorized.get(&key).is_some_and(|current| current == id) {
            self.authorized.remove(&key);
        }
        self.forget_identity(&authorization);
        self.end_affiliation_of(&key, then);
    }

    /// An id goes with the last client that is served under it.
    fn forget_identity(&mut self, authorization: &Authorization) {
        let id = &authorization.partner_user;
        if id.is_empty() {
            return;
        }
        self.superseded.remember(format!("{id} {}", authorization.client), self.now);
        let clients = self.authorized.range(ClientKey::new(&authorization.user, "")..);
        let mut clients = clients.take_while(|(key, _)| key.user == authorization.user);
        if !clients.any(|(_, other)| self.authorizations.get(other).is_some_and(|other| other.partner_user == *id)) {
            self.identities.remove(id);
            self.outbox.delete(rows::IDENTITIES, as_key(id));
        }
    }

    /// A client de-authorises by itself: of an own one, what it had is kept for a migration that may follow; a migrated one is
    /// given up.
    pub(super) fn deauthorize(&mut self, token: u64, id: &str) {
        let Some(authorization) = self.authorizations.get(id).cloned() else {
            let answer = match self.ended.has(id, self.now) {
                true => Ok(Answer::Done),
                false => Err(Refused::new(Cause::NoSuchAuthorization, id, format!("no client has authorization {id}"))),
            };
            return self.outbox.answer(token, answer);
        };
        let key = ClientKey::new(&authorization.user, &authorization.client);
        if authorization.granted.is_some() {
            let give_up = wire::GiveUp {
                user: key.user,
                client: key.client,
                generation: authorization.generation,
                migration: Vec::new(),
                cause: "de-authorized".into(),
            };
            self.owe(&authorization.system, wire::letter::What::GiveUp(give_up), Purpose::Owed);
        } else {
            self.keep(&key, true);
        }
        self.end_authorization(id, Then::Answer(token));
    }

    pub(super) fn authorization_of(&self, key: &ClientKey) -> Option<&Authorization> {
        self.authorized.get(key).and_then(|id| self.authorizations.get(id))
    }

    /// Who asks: an own user by its primary id, a migrated one by the id that it was given here. Resolved here and nowhere else.
    pub(super) fn resolve(&self, user: &str, client: &str) -> Result<Authorization, Refused> {
        let superseded = || {
            let detail = format!("{client} of {user} is no longer served by {}", self.name);
            Refused::new(Cause::IdentitySuperseded, user, detail)
        };
        if let Some(identity) = self.identities.get(user) {
            let authorization = self.authorization_of(&ClientKey::new(&identity.user, client));
            let current = authorization.filter(|authorization| authorization.partner_user == user);
            return current.cloned().ok_or_else(superseded);
        }
        if self.superseded.knows(&format!("{user} {client}"), self.now) {
            return Err(superseded());
        }
        let key = ClientKey::new(user, client);
        let authorization = self.authorization_of(&key);
        if let Some(migrated) = authorization.filter(|authorization| authorization.granted.is_some()) {
            let detail = format!("{user} has migrated and is {} here", migrated.partner_user);
            return Err(Refused::new(Cause::NotAuthorized, user, detail).advise("use the id that the migration gave"));
        }
        self.user(user)?;
        let own = authorization.cloned();
        own.ok_or_else(|| {
            let place = self.away(&key).map_or(String::new(), |away| format!("; it is served by {}", away.system));
            Refused::new(Cause::NotAuthorized, user, format!("{client} of {user} is not authorised{place}"))
        })
    }

    /// Wherever another system has the client, this one, the primary, says that it is here again.
    pub(super) fn bring_home(&mut self, key: &ClientKey) {
        let effect = self.step_origin(key, Step::Authorises);
        self.supersede(key, effect, Purpose::Owed);
    }

    /// Tells a system that its generation counts no longer. False: there is nobody to tell.
    pub(super) fn supersede(&mut self, key: &ClientKey, effect: Effect, purpose: Purpose) -> bool {
        let Effect::Supersede(away) = effect else { return false };
        self.write_origin(key);
        self.outbox.audit("migration-superseded", &away.system, &key.user, None);
        let (user, client) = (key.user.clone(), key.client.clone());
        let superseded = wire::Superseded { user, client, generation: away.generation };
        self.owe(&away.system, wire::letter::What::Superseded(superseded), purpose);
        let is_its =
            |homed: &HomedKey| homed.system == away.system && homed.user == key.user && homed.client == key.client;
        self.drop_homed(|homed, _| is_its(homed), true);
        true
    }
}

fn ticket_row(target: &str, ticket: &[u8]) -> TicketRow {
    TicketRow { target: target.into(), hash: secrets::hash(&[ticket]), spent: false }
}

/// Key of an id that this system gave. No id holds a space.
pub(super) fn as_key(partner_user: &str) -> String {
    format!("as {partner_user}")
}
