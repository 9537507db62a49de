//! Things that happen one after the other, under a key; under different keys at the same time.

use std::{collections::HashMap, hash::Hash};

use tokio::sync::oneshot;

/// Keys that are remembered before it is looked whether some of them are done.
const KEYS_UNCHECKED: usize = 1_024;

/// What was begun last under each key.
pub(crate) struct Turns<K> {
    last: HashMap<K, oneshot::Receiver<()>>,
    checked: usize,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Turns { last: HashMap::new(), checked: 0 }
    }
}

impl<K: Eq + Hash> Turns<K> {
    /// Does `work` in a task of its own, after what was begun under this key before.
    pub(crate) fn take(&mut self, key: K, work: impl Future<Output = ()> + Send + 'static) {
        if self.last.len() > self.checked + KEYS_UNCHECKED {
            self.last.retain(|_, last| matches!(last.try_recv(), Err(oneshot::error::TryRecvError::Empty)));
            self.checked = self.last.len();
        }
        let (done, after) = oneshot::channel::<()>();
        let before = self.last.insert(key, after);
        tokio::spawn(async move {
            if let Some(before) = before {
                // It ends when the one before drops its end.
                _ = before.await;
            }
            work.await;
            drop(done);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn one_key_takes_turns_and_another_does_not_wait() {
        let (mut turns, order) = (Turns::default(), Arc::new(Mutex::new(Vec::new())));
        let (open, gate) = oneshot::channel::<()>();
        let note = |number: u32| {
            let order = Arc::clone(&order);
            move || order.lock().expect("nobody panicked").push(number)
        };
        let (first, second, third) = (note(1), note(2), note(3));
        let (end, ended) = oneshot::channel::<()>();
        let (other, apart) = oneshot::channel::<()>();
        turns.take("call", async move {
            _ = gate.await;
            first();
        });
        turns.take("call", async move {
            second();
            _ = end.send(());
        });
        turns.take("another", async move {
            third();
            _ = other.send(());
        });
        apart.await.expect("the other key does not wait");
        open.send(()).expect("the first waits");
        ended.await.expect("the second follows");
        assert_eq!(*order.lock().expect("nobody panicked"), [3, 1, 2]);
    }

    #[tokio::test]
    async fn keys_that_are_done_are_forgotten() {
        let mut turns = Turns::default();
        for number in 0..4 * KEYS_UNCHECKED {
            let (end, ended) = oneshot::channel::<()>();
            turns.take(number, async move { _ = end.send(()) });
            ended.await.expect("it is done");
            tokio::task::yield_now().await;
        }
        assert!(turns.last.len() <= 2 * KEYS_UNCHECKED + 1, "{} keys", turns.last.len());
    }
}
