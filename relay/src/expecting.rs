//! Who waits for the facts of an entry: one caller for one entry, or one caller for a whole batch of them.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use relay_core::late_entry::Facts;
use tokio::sync::oneshot;

/// What is told to whoever waits for a batch: an entry, and its facts.
pub(crate) type Told = Vec<(u64, Facts)>;

/// The owner's side: whom to tell about one entry. Dropping it without an answer says that there will be none.
#[derive(Debug)]
pub(crate) enum Expecting {
    /// Somebody who waits for this entry only.
    One(oneshot::Sender<Facts>),
    /// Somebody who waits for a batch that this entry is part of.
    Batch(Arc<Gathering>),
}

impl Expecting {
    /// Answers. Whoever asked may have given up waiting; its withdrawal is on the way.
    pub(crate) fn answer(self, entry: u64, facts: Facts) {
        match self {
            Expecting::One(reply) => _ = reply.send(facts),
            Expecting::Batch(gathering) => gathering.add(entry, facts),
        }
    }
}

/// The facts of a batch so far. They are handed over together when nobody is left who could add any: one wake per batch.
#[derive(Debug)]
pub(crate) struct Gathering {
    told: Mutex<Told>,
    reply: Option<oneshot::Sender<Told>>,
}

/// Where the facts of a batch come out.
#[derive(Debug)]
pub(crate) struct Gathered {
    gathering: Weak<Gathering>,
    answer: oneshot::Receiver<Told>,
}

impl Gathering {
    /// A batch of which nothing is known yet.
    pub(crate) fn new() -> (Arc<Gathering>, Gathered) {
        let (reply, answer) = oneshot::channel();
        let gathering = Arc::new(Gathering { told: Mutex::default(), reply: Some(reply) });
        let gathered = Gathered { gathering: Arc::downgrade(&gathering), answer };
        (gathering, gathered)
    }

    fn add(&self, entry: u64, facts: Facts) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push((entry, facts));
    }
}

impl Drop for Gathering {
    fn drop(&mut self) {
        let told = std::mem::take(self.told.get_mut().unwrap_or_else(PoisonError::into_inner));
        if let Some(reply) = self.reply.take() {
            // Whoever asked may have given up waiting.
            _ = reply.send(told);
        }
    }
}

impl Gathered {
    /// Waits until the batch is complete, at most for `patience`. Answers what is known by then, in no order.
    pub(crate) async fn within(mut self, patience: std::time::Duration) -> Told {
        if let Ok(Ok(told)) = tokio::time::timeout(patience, &mut self.answer).await {
            return told;
        }
        let so_far = self
            .gathering
            .upgrade()
            .map(|gathering| std::mem::take(&mut *gathering.told.lock().unwrap_or_else(PoisonError::into_inner)));
        // It may have become complete at this very moment.
        so_far.into_iter().flatten().chain(self.answer.try_recv().into_iter().flatten()).collect()
    }
}
