//! What ended a while ago: so that a late question is told 'gone' instead of 'never heard of it'.

use alloc::{
    collections::{BTreeMap, VecDeque},
    string::String,
};

use relay_core::{Millis, Time};

/// How long something that ended is remembered.
pub const REMEMBERED: Millis = Millis(10 * 60 * 1000);

/// Ids of what ended, each for `REMEMBERED`; the oldest go first when the limit is reached.
#[derive(Debug)]
pub struct Ended {
    limit: usize,
    when: BTreeMap<String, Time>,
    order: VecDeque<(Time, String)>,
}

impl Ended {
    /// Remembers at most `limit` ids.
    pub fn new(limit: usize) -> Ended {
        Ended { limit, when: BTreeMap::new(), order: VecDeque::new() }
    }

    /// `id` has ended at `now`. True if another one had to be forgotten before its time.
    pub fn remember(&mut self, id: String, now: Time) -> bool {
        self.forget(now);
        let full = self.order.len() >= self.limit;
        while self.order.len() >= self.limit {
            self.drop_oldest();
        }
        self.when.insert(id.clone(), now);
        self.order.push_back((now, id));
        full
    }

    /// Whether `id` ended within the last ten minutes.
    pub fn has(&mut self, id: &str, now: Time) -> bool {
        self.forget(now);
        self.when.contains_key(id)
    }

    /// The same without forgetting what is older.
    pub fn knows(&self, id: &str, now: Time) -> bool {
        self.when.get(id).is_some_and(|when| now.since(*when) < REMEMBERED)
    }

    fn forget(&mut self, now: Time) {
        while self.order.front().is_some_and(|(when, _)| now.since(*when) >= REMEMBERED) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, id)) = self.order.pop_front() {
            self.when.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_gone_for_ten_minutes_and_then_unknown() {
        let mut ended = Ended::new(10);
        ended.remember("a".into(), Time::ZERO);
        assert!(ended.has("a", Time::ZERO + Millis(REMEMBERED.0 - 1)));
        assert!(!ended.has("a", Time::ZERO + REMEMBERED));
        assert!(!ended.has("b", Time::ZERO));
    }

    #[test]
    fn at_the_limit_the_oldest_makes_room() {
        let mut ended = Ended::new(2);
        assert!(!ended.remember("a".into(), Time::ZERO));
        assert!(!ended.remember("b".into(), Time::ZERO));
        assert!(ended.has("a", Time::ZERO));
        assert!(ended.remember("c".into(), Time::ZERO));
        assert!(!ended.has("a", Time::ZERO));
        assert!(ended.has("b", Time::ZERO) && ended.has("c", Time::ZERO));
    }
}
