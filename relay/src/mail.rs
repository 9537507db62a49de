//! Mail from control to a worker: what does not fit into the roster. Bounded; the sender hears when it is full.

use std::sync::Arc;

use crossbeam::queue::ArrayQueue;
use relay_core::{
    Slot,
    call::{Answer, Settings},
    late_entry::Facts,
};
use relay_table::{Bell, Row};
use tokio::sync::oneshot;

use crate::{Exhausted, ParticipantFacts, status::StatusWords};

/// Letters that may wait for one worker.
pub(crate) const MAIL_MAX: usize = 4096;

/// One letter.
#[derive(Debug)]
pub(crate) enum Mail {
    /// A call begins; its roster follows.
    Open(Box<Opening>),
    /// The entry is about to be published; its facts are wanted.
    Expect { row: Row, entry: u64, reply: oneshot::Sender<Facts> },
    /// The roster has changed; an answer is wanted once nothing can be sent to who has left.
    Settle { row: Row, reply: oneshot::Sender<()> },
    /// A participant asks for the floor through the API.
    Ask { row: Row, slot: Slot, entry: u64, action: relay_core::call::Action, reply: oneshot::Sender<Answer> },
    /// What is the state of the call?
    Describe { row: Row, reply: oneshot::Sender<Facts> },
    /// Who takes part?
    List { row: Row, after: Option<Slot>, limit: usize, reply: oneshot::Sender<Vec<ParticipantFacts>> },
    /// New settings.
    Configure { row: Row, settings: Box<Settings> },
    /// The worker ends.
    Stop,
}

/// What a worker has to know of a call before its roster.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) row: Row,
    pub(crate) id: Arc<str>,
    pub(crate) settings: Settings,
    pub(crate) floor_ssrc: relay_core::Ssrc,
    pub(crate) status: StatusWords,
}

/// Where letters for one worker go in. Clones go to the same worker.
#[derive(Clone)]
pub(crate) struct Letterbox {
    queue: Arc<ArrayQueue<Mail>>,
    bell: Bell,
}

impl Letterbox {
    pub(crate) fn new(bell: Bell) -> Letterbox {
        Letterbox { queue: Arc::new(ArrayQueue::new(MAIL_MAX)), bell }
    }

    /// Puts a letter in and wakes the worker.
    pub(crate) fn send(&self, mail: Mail) -> Result<(), Exhausted> {
        self.post(mail)?;
        self.bell.ring();
        Ok(())
    }

    /// Puts a letter in; whoever does it rings for what comes after it.
    pub(crate) fn post(&self, mail: Mail) -> Result<(), Exhausted> {
        self.queue.push(mail).map_err(|_| Exhausted { limit: "worker.mail", value: MAIL_MAX as u64 })
    }

    /// Wakes the worker.
    pub(crate) fn ring(&self) {
        self.bell.ring();
    }

    /// Takes the oldest letter out; the worker does.
    pub(crate) fn take(&self) -> Option<Mail> {
        self.queue.pop()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}

impl std::fmt::Debug for Letterbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Letterbox({} letters)", self.len())
    }
}
