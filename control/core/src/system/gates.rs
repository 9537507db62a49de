//! The gates of a migration to this system: what is asked at each, and what opens it.

use relay_core::trunk::wire;

use super::{
    ClientKey, Phase, System,
    affiliating::Wish,
    affiliations::{Asker, Then},
    alarms::Alarm,
    course::Step,
    identity,
    letters::{Purpose, nonsense},
    moving,
    new::{GATE_MS_MAX, OK},
    rows::{Authorization, MigrationRow},
};

impl<E: Clone> System<E> {
    /// Stands at a gate and asks for what opens it.
    pub(super) fn go(&mut self, id: &str, phase: Phase) {
        let now = self.now;
        let Some(migration) = self.migrations.get_mut(id) else { return };
        migration.gate_since = now;
        let (key, row) = (migration.key(), migration.row.clone());
        let (user, client) = (row.user.clone(), row.client.clone());
        let (index, migration_token) = (migration.index, row.token.clone());
        match (phase, row.homeward) {
            (Phase::Leave, true) => self.call_home(id, &key),
            (Phase::Authorize, true) => self.authorize_home(id, &row, index),
            (Phase::Leave, false) => {
                let leave = wire::Leave { ticket: migration_token, user, client };
                self.ask_gate(id, &row.from, wire::letter::What::Leave(leave));
            }
            (Phase::Profile, _) => {
                let request = wire::ProfileRequest { migration: migration_token, user, client, index };
                self.ask_gate(id, &row.from, wire::letter::What::Profile(request));
            }
            (Phase::Authorize, false) => {
                let index = migration.granted.as_ref().map_or(index, |profile| profile.index);
                let partner_user = row.partner_user;
                let request =
                    wire::AuthorizationRequest { migration: migration_token, user, client, partner_user, index };
                self.ask_gate(id, &row.from, wire::letter::What::Authorize(request));
            }
            (Phase::Affiliate, _) => self.affiliate_newcomer(id),
            (Phase::Enter, _) => match self.affiliations.contains_key(&row.affiliation) {
                true => self.affiliation_moved(id, &row.affiliation),
                false => self.step_migration(id, Step::Passed, OK),
            },
            (Phase::Done | Phase::RolledBack | Phase::Superseded, _) => {}
        }
    }

    fn ask_gate(&mut self, id: &str, to: &str, what: wire::letter::What) {
        match self.reachable(to) {
            Ok(()) => self.question(to, what, Purpose::Gate { migration: id.into() }, Some(GATE_MS_MAX)),
            Err(refused) => self.gate_failed(id, refused),
        }
    }

    /// The old system answered.
    pub(super) fn gate_answered(&mut self, id: &str, answer: wire::letter::What) {
        use wire::letter::What;
        let Some(migration) = self.migrations.get_mut(id) else { return };
        match (migration.course.phase(), answer) {
            (Phase::Leave, What::Left(left)) if !left.migration.is_empty() => migration.row.token = left.migration,
            (Phase::Profile, What::ProfileAnswer(profile)) => {
                let row = &mut migration.row;
                row.partner_user = identity::assign(&row.user, &row.from, &self.name);
                migration.granted = Some(profile);
            }
            (Phase::Authorize, What::Authorization(wire::Authorization { generation })) if generation > 0 => {
                migration.row.generation = generation;
                self.serve(id);
            }
            _ => {
                let refused = nonsense(&migration.row.from.clone());
                return self.gate_failed(id, refused);
            }
        }
        self.step_migration(id, Step::Passed, OK);
    }

    //= TS 23.280 §10.6.3  the primary system has committed: from here on the client is served here
    fn serve(&mut self, id: &str) {
        let Some(migration) = self.migrations.get(id).cloned() else { return };
        let key = migration.key();
        // What an earlier migration left here is not this one's.
        if let Some(earlier) = self.authorized.get(&key).cloned() {
            self.end_authorization(&earlier, Then::Nothing);
        }
        // The old system has said so already, unless its letter was dropped at a limit.
        self.drop_homed(|homed, _| homed.user == key.user && homed.client == key.client, true);
        let granted = migration.granted.unwrap_or_default();
        self.add_authorization(Authorization {
            id: migration.row.authorization,
            user: key.user,
            client: key.client,
            profile: granted.index,
            system: migration.row.from,
            generation: migration.row.generation,
            partner_user: migration.row.partner_user,
            granted: Some(granted),
        });
    }

    /// A user comes home: whoever has it is told that its generation counts no longer.
    fn call_home(&mut self, id: &str, key: &ClientKey) {
        let effect = self.step_origin(key, moving::Step::Authorises);
        let moving::Effect::Supersede(away) = &effect else { return self.step_migration(id, Step::Passed, OK) };
        let reachable = self.reachable(&away.system.clone());
        self.supersede(key, effect, Purpose::OwedGate { migration: id.into() });
        match reachable {
            Ok(()) => self.alarms.set(Alarm::Gate(id.into()), self.now + GATE_MS_MAX),
            Err(refused) => self.gate_failed(id, refused),
        }
    }

    /// The system that had the client has let it go.
    pub(super) fn let_go(&mut self, id: &str) {
        let stands = self.migrations.get(id).is_some_and(|migration| migration.course.phase() == Phase::Leave);
        if stands {
            self.alarms.clear(&Alarm::Gate(id.into()));
            self.step_migration(id, Step::Passed, OK);
        }
    }

    fn authorize_home(&mut self, id: &str, row: &MigrationRow, index: u32) {
        let profile = match self.profile(&row.user, (index > 0).then_some(index)) {
            Ok(profile) => profile.index,
            Err(refused) => return self.gate_failed(id, refused),
        };
        self.add_authorization(Authorization {
            id: row.authorization.clone(),
            user: row.user.clone(),
            client: row.client.clone(),
            profile,
            ..Authorization::default()
        });
        let generation = self.origins.get(&ClientKey::new(&row.user, &row.client)).map(|origin| origin.row.generation);
        if let Some(migration) = self.migrations.get_mut(id) {
            migration.row.generation = generation.unwrap_or_default();
        }
        self.step_migration(id, Step::Passed, OK);
    }

    fn affiliate_newcomer(&mut self, id: &str) {
        let Some(migration) = self.migrations.get(id) else { return };
        let (groups, leg, row) = (migration.groups.clone(), migration.leg, migration.row.clone());
        let Some(authorization) = self.authorizations.get(&row.authorization).cloned() else { return };
        let asker = Some(Asker::Migration(id.into()));
        // Even without a group: the client gets an affiliation that it can add groups to.
        let wish = Wish { id: row.affiliation, groups: &groups, leg, expires: None, asker };
        match self.affiliate(&authorization, wish) {
            Ok(affiliation) => {
                if let Some(migration) = self.migrations.get_mut(id) {
                    migration.row.affiliation = affiliation;
                }
            }
            Err(refused) => self.gate_failed(id, refused),
        }
    }
}
