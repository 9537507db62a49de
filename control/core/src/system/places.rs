//! Where clients are, for whoever watches the rules from outside: a judge, an operator.

use super::{ClientKey, System, rows::Place};

impl<E: Clone> System<E> {
    /// The generation under which a client is affiliated to a group here, 0 at home; `None`: it is not affiliated here.
    pub fn serves(&self, user: &str, client: &str, group: &str) -> Option<u64> {
        let key = ClientKey::new(user, client);
        let affiliation = self.affiliated.get(&key).and_then(|id| self.affiliations.get(id));
        affiliation.filter(|_| self.is_affiliated(&key, group)).map(|affiliation| affiliation.generation)
    }

    /// The partner that a client of an own user was given to, with the generation; `None`: it is here, on its way, or unknown.
    pub fn given_to(&self, user: &str, client: &str) -> Option<(&str, u64)> {
        match &self.origins.get(&ClientKey::new(user, client))?.row.place {
            Some(Place::Away(away)) => Some((&away.system, away.generation)),
            _ => None,
        }
    }
}
