//! The shell around `control_core::system::System`: who is affiliated, who is authorised, who moves to which system.
//!
//! It refuses to know: why anything is decided. The machine is owned by one task, and every input reaches it in the order in which
//! it was said; what the machine wants done is done elsewhere, and nothing that lasts is done in its task.
//!
//! 1. An ask waits for its answer, and asks at once have a limit.
//! 2. Enters and leaves of one client in one group happen in the order in which the machine wanted them.
//! 3. A store that failed has failed for good: nothing that rests on it is answered any more.

mod engine;
mod entering;
mod outside;
mod waiting;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use control_core::{
    Cause, Refused,
    group::Group,
    system::{Answer, Ask, Input, System},
};
use dashmap::DashMap;
use relay_core::trunk::wire;
use serde_json::Value;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    http,
    registry::{Change, Registry, Seat},
};
use engine::{Engine, Message};
#[cfg(test)]
pub(crate) use outside::{LogOnly, Memory};
pub(crate) use outside::{NoTrunk, Outside, Written};
pub(crate) use outside::{Partners, Store, Trail};
use waiting::Changes;

/// `mobility.asks`: asks that wait for their answer at once.
pub(crate) const ASKS_MAX: usize = 65_536;
/// `mobility.letters`: letters of one partner that wait for the machine at once.
pub(crate) const LETTERS_MAX: usize = 8_192;
/// `mobility.waiters`: readers that wait for a change at once.
pub(crate) const WAITERS_MAX: usize = 65_536;

/// What the machine says to an ask. What it shows of a participant is the participant's answer of the API.
pub(crate) type Said = Result<Answer<Value>, Refused>;

/// The way to the machine.
pub(crate) struct Mobility {
    registry: Arc<Registry>,
    inbox: mpsc::UnboundedSender<Message>,
    asks: Arc<Semaphore>,
    /// By partner, so that none takes another's place. Only partners have trunks, and their number is limited.
    letters: DashMap<String, Arc<Semaphore>>,
    changes: Arc<Changes>,
    flags: Arc<Flags>,
}

/// What everybody may see of the machine without asking it.
#[derive(Default)]
pub(crate) struct Flags {
    /// It has stored something: there may be users, partners, affiliations.
    in_use: AtomicBool,
    /// The store failed.
    broken: AtomicBool,
}

impl Mobility {
    /// Starts the task that owns the machine. `in_use`: the machine was restored from rows.
    pub(crate) fn start(
        registry: Arc<Registry>,
        machine: System<Value>,
        in_use: bool,
        outside: Outside,
    ) -> (Arc<Mobility>, JoinHandle<()>) {
        let (inbox, messages) = mpsc::unbounded_channel();
        let changes = Arc::new(Changes::new(WAITERS_MAX));
        let flags = Arc::new(Flags { in_use: AtomicBool::new(in_use), broken: AtomicBool::new(false) });
        let follower = inbox.clone();
        registry.tell(move |change| {
            let input = match change {
                Change::Call { group, runs } => Input::Call { group, runs },
                Change::Gone { user, client, group } => Input::Gone { user, client, group },
            };
            // Nobody listens any more if the node has ended.
            _ = follower.send(Message::Input(input));
        });
        let engine = Engine::new(
            machine,
            Arc::clone(&registry),
            outside,
            inbox.clone(),
            messages,
            Arc::clone(&changes),
            Arc::clone(&flags),
        );
        let task = tokio::spawn(engine.run());
        let semaphore = |most| Arc::new(Semaphore::new(most));
        let mobility = Mobility { registry, inbox, asks: semaphore(ASKS_MAX), letters: DashMap::new(), changes, flags };
        (Arc::new(mobility), task)
    }

    /// Asks, and waits for the answer. What it rests on is stored by then.
    pub(crate) async fn ask(&self, ask: Ask) -> Said {
        let permit = permit(&self.asks, "mobility.asks", ASKS_MAX)?;
        let (reply, answer) = oneshot::channel();
        _ = self.inbox.send(Message::Ask { ask, reply, permit });
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Asks for what `id` shows. Unless it is `news` already, asks again when it has changed, at the latest after `wait`.
    pub(crate) async fn read(&self, id: &str, ask: Ask, wait: Duration, news: impl Fn(&Answer<Value>) -> bool) -> Said {
        if wait.is_zero() {
            return self.ask(ask).await;
        }
        // Before the first look: what changes after it is seen.
        let mut waiter = self.changes.wait_for(id)?;
        let first = self.ask(ask.clone()).await?;
        if news(&first) || tokio::time::timeout(wait, waiter.changed()).await.is_err() {
            return Ok(first);
        }
        self.ask(ask).await
    }

    /// A group document was stored or deleted; when this returns the machine goes by it.
    pub(crate) async fn group(&self, group: &str, document: Option<Arc<Group>>) {
        let (done, settled) = oneshot::channel();
        let input = Input::Group { group: group.to_owned(), document };
        _ = self.inbox.send(Message::Settle { input, done });
        // An error means that the node has ended.
        _ = settled.await;
    }

    /// A client has entered a call by itself, or changed its leg.
    pub(crate) fn came(&self, seat: &Seat) {
        if !self.is_in_use() {
            return;
        }
        let (user, client) = (seat.participant.user.clone(), seat.participant.client.clone());
        let group = seat.call.group.clone();
        let entered = http::entered(&self.registry.relay, seat);
        _ = self.inbox.send(Message::Input(Input::Came { user, client, group, entered }));
    }

    /// The home of a partner's group has put a client out, or did not let it in.
    pub(crate) fn expelled(&self, user: &str, client: &str, group: &str, word: String) {
        let (user, client, group) = (user.to_owned(), client.to_owned(), group.to_owned());
        _ = self.inbox.send(Message::Input(Input::Expelled { user, client, group, word }));
    }

    /// A partner wrote. Its trunk has proved who it is. Refused if too many of its letters wait: it is too fast for this system.
    pub(crate) fn letter(&self, from: &str, letter: wire::Letter) -> Result<(), Refused> {
        let permit = permit(&self.places_of(from), "mobility.letters", LETTERS_MAX)?;
        _ = self.inbox.send(Message::Letter { from: from.to_owned(), letter: Box::new(letter), permit });
        Ok(())
    }

    fn places_of(&self, partner: &str) -> Arc<Semaphore> {
        if let Some(places) = self.letters.get(partner) {
            return Arc::clone(&places);
        }
        let new = || Arc::new(Semaphore::new(LETTERS_MAX));
        Arc::clone(&self.letters.entry(partner.to_owned()).or_insert_with(new))
    }

    /// A trunk came up, or went down.
    pub(crate) fn trunk(&self, system: &str, up: bool) {
        _ = self.inbox.send(Message::Input(Input::Trunk { system: system.to_owned(), up }));
    }

    /// Whether there may be users, partners or affiliations.
    pub(crate) fn is_in_use(&self) -> bool {
        self.flags.in_use.load(Ordering::Acquire)
    }

    /// Whether the store failed: whatever changes something is refused.
    pub(crate) fn is_broken(&self) -> bool {
        self.flags.broken.load(Ordering::Acquire)
    }
}

fn permit(semaphore: &Arc<Semaphore>, limit: &str, most: usize) -> Result<OwnedSemaphorePermit, Refused> {
    Arc::clone(semaphore).try_acquire_owned().map_err(|_| {
        let detail = format!("{limit} is full at {most}");
        Refused::new(Cause::LimitReached, limit, detail).advise("wait a moment and ask again")
    })
}

fn ended() -> Refused {
    Refused::new(Cause::Draining, "node", "the node has ended before it could answer")
}

#[cfg(test)]
mod tests;
