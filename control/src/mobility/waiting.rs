//! Readers that wait until what they read has changed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use control_core::{Cause, Refused};
use tokio::sync::watch;

/// Who waits for what.
pub(super) struct Changes {
    most: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    number: usize,
    by_id: HashMap<String, watch::Sender<()>>,
}

/// One reader that waits.
pub(super) struct Waiter {
    changes: Arc<Changes>,
    id: String,
    told: Option<watch::Receiver<()>>,
}

impl Changes {
    /// At most `most` readers wait at once.
    pub(super) fn new(most: usize) -> Changes {
        Changes { most, waiting: Mutex::default() }
    }

    /// From now on every change of `id` is seen by the waiter.
    pub(super) fn wait_for(self: &Arc<Self>, id: &str) -> Result<Waiter, Refused> {
        let mut waiting = self.lock();
        if waiting.number >= self.most {
            let detail = format!("mobility.waiters is full at {}", self.most);
            let advice = "ask without wait_s, or wait a moment";
            return Err(Refused::new(Cause::LimitReached, "mobility.waiters", detail).advise(advice));
        }
        waiting.number += 1;
        let told = waiting.by_id.entry(id.to_owned()).or_insert_with(|| watch::channel(()).0).subscribe();
        Ok(Waiter { changes: Arc::clone(self), id: id.to_owned(), told: Some(told) })
    }

    /// What `id` shows has changed.
    pub(super) fn changed(&self, id: &str) {
        if let Some(waiters) = self.lock().by_id.get(id) {
            waiters.send_replace(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Every edit is complete or not begun.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// Waits for the next change.
    pub(super) async fn changed(&mut self) {
        if let Some(told) = &mut self.told {
            // The sender lives as long as somebody waits.
            _ = told.changed().await;
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiting = self.changes.lock();
        self.told = None;
        waiting.number -= 1;
        if waiting.by_id.get(&self.id).is_some_and(|waiters| waiters.receiver_count() == 0) {
            waiting.by_id.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_sees_every_change_since_it_began_and_leaves_nothing_behind() {
        let changes = Arc::new(Changes::new(8));
        let mut one = changes.wait_for("1").expect("room for eight");
        let mut two = changes.wait_for("1").expect("room for eight");
        changes.changed("1");
        one.changed().await;
        two.changed().await;
        changes.changed("2");
        let again = tokio::time::timeout(std::time::Duration::ZERO, one.changed()).await;
        assert!(again.is_err(), "another id is another matter");
        drop((one, two));
        assert!(changes.lock().by_id.is_empty());
        changes.changed("1");
    }

    #[test]
    fn so_many_wait_and_one_that_goes_makes_room() {
        let changes = Arc::new(Changes::new(2));
        let (one, _two) = (changes.wait_for("1").ok(), changes.wait_for("2").ok());
        let refused = changes.wait_for("1").err().expect("two wait already");
        assert_eq!((refused.cause, refused.subject.as_str()), (Cause::LimitReached, "mobility.waiters"));
        drop(one);
        assert!(changes.wait_for("1").is_ok());
    }
}
