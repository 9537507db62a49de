//! The task that owns the machine: takes what was said, executes what the machine wants, sleeps until it wants to be woken.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use control_core::{
    Cause, Refused,
    system::{Ask, Enter, Input, Output, System},
};
use relay_core::{Time, trunk::wire};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::{Flags, Outside, Said, entering, waiting::Changes};
use crate::{registry::Registry, turns::Turns};

/// Enters and leaves that are carried out at once. The others wait for their turn; a call of thousands starts in steps.
const AT_ONCE: usize = 64;

/// What comes to the machine.
pub(super) enum Message {
    /// Somebody asks.
    Ask { ask: Ask, reply: oneshot::Sender<Said>, permit: OwnedSemaphorePermit },
    /// A partner wrote.
    Letter { from: String, letter: Box<wire::Letter>, permit: OwnedSemaphorePermit },
    /// Something happened.
    Input(Input<Value>),
    /// Something happened, and somebody waits until the machine knows.
    Settle { input: Input<Value>, done: oneshot::Sender<()> },
    /// An enter or a leave was carried out.
    Did(Client, Input<Value>),
    /// A write failed.
    StoreFailed(String),
}

/// Whose enters and leaves take turns: user, client, group.
pub(super) type Client = (String, String, String);

pub(super) struct Engine {
    machine: System<Value>,
    registry: Arc<Registry>,
    outside: Outside,
    back: mpsc::UnboundedSender<Message>,
    messages: mpsc::UnboundedReceiver<Message>,
    changes: Arc<Changes>,
    flags: Arc<Flags>,
    /// Asks without an answer, by token.
    asks: HashMap<u64, (oneshot::Sender<Said>, OwnedSemaphorePermit)>,
    token: u64,
    turns: Turns<Client>,
    places: Arc<Semaphore>,
    failure: Option<Refused>,
}

impl Engine {
    pub(super) fn new(
        machine: System<Value>,
        registry: Arc<Registry>,
        outside: Outside,
        back: mpsc::UnboundedSender<Message>,
        messages: mpsc::UnboundedReceiver<Message>,
        changes: Arc<Changes>,
        flags: Arc<Flags>,
    ) -> Engine {
        Engine {
            machine,
            registry,
            outside,
            back,
            messages,
            changes,
            flags,
            asks: HashMap::new(),
            token: 0,
            turns: Turns::default(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            failure: None,
        }
    }

    /// Runs until the node ends.
    pub(super) async fn run(mut self) {
        loop {
            let wake = self.execute();
            let now = self.registry.relay.now();
            tokio::select! {
                message = self.messages.recv() => match message {
                    Some(message) => self.take(message),
                    None => return,
                },
                () = until(wake, now) => self.handle(Input::Timer),
            }
        }
    }

    fn handle(&mut self, input: Input<Value>) {
        let now = self.registry.relay.now();
        self.machine.handle(input, now);
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Ask { ask, reply, permit } => self.take_ask(ask, reply, permit),
            Message::Letter { from, letter, permit } => {
                self.handle(Input::Letter { from, letter: *letter });
                drop(permit);
            }
            Message::Input(input @ Input::Expelled { .. }) => self.hear_after_entering(input),
            Message::Input(input) => {
                let came = match &input {
                    Input::Came { user, client, group, .. } => Some((user.clone(), client.clone(), group.clone())),
                    _ => None,
                };
                self.handle(input);
                if let Some(client) = came {
                    self.confirm(client);
                }
            }
            Message::Settle { input, done } => {
                self.handle(input);
                // Whoever waited may have gone.
                _ = done.send(());
            }
            Message::Did(client, input) => {
                let entered = matches!(input, Input::Entered { result: Ok(_), .. });
                self.handle(input);
                if entered {
                    self.confirm(client);
                }
            }
            Message::StoreFailed(why) => self.fail(&why),
        }
    }

    /// Whoever left before the machine heard that it is there was reported too early: it is reported again.
    fn confirm(&mut self, (user, client, group): Client) {
        let call = self.registry.call_of_group(&group);
        if call.is_none_or(|call| call.of_client(&user, &client).is_none()) {
            self.handle(Input::Gone { user, client, group });
        }
    }

    /// The home may have answered before the machine heard that the client is in: first things first.
    fn hear_after_entering(&mut self, input: Input<Value>) {
        if let Input::Expelled { user, client, group, .. } = &input {
            let turn = (user.clone(), client.clone(), group.clone());
            self.in_turn(turn, std::future::ready(input.clone()), input);
        }
    }

    fn take_ask(&mut self, ask: Ask, reply: oneshot::Sender<Said>, permit: OwnedSemaphorePermit) {
        if let Some(failure) = &self.failure {
            _ = reply.send(Err(failure.clone()));
            return;
        }
        self.token += 1;
        self.asks.insert(self.token, (reply, permit));
        self.handle(Input::Ask { token: self.token, ask, entropy: rand::random() });
    }

    /// Answers everybody who waits for what can no longer be stored.
    fn fail(&mut self, why: &str) {
        tracing::error!(
            "the store failed: {why}; nothing is authorised, affiliated or moved until the node is restarted"
        );
        let failure =
            Refused::new(Cause::Internal, "store", why).advise("see the node's log; restart it when it can store");
        for (_, (reply, _)) in self.asks.drain() {
            _ = reply.send(Err(failure.clone()));
        }
        self.failure = Some(failure);
        self.flags.broken.store(true, Ordering::Release);
    }

    /// Executes everything that the machine wants now. Answers when it wants to be woken.
    fn execute(&mut self) -> Option<Time> {
        loop {
            match self.machine.poll() {
                Output::Wake(wake) => return wake.map(|(at, _)| at),
                Output::Answer { token, answer } => {
                    if let Some((reply, _)) = self.asks.remove(&token) {
                        _ = reply.send(answer);
                    }
                }
                Output::Letter { to, letter } => self.outside.partners.send(&to, letter),
                Output::Partner { system, partner } => self.outside.partners.put(&system, partner),
                Output::Audit(audit) => self.outside.trail.append(&audit, SystemTime::now()),
                Output::Full { limit } => self.registry.counters.refuse(limit),
                Output::Changed { id } => self.changes.changed(&id),
                Output::Store { number, records } => {
                    self.flags.in_use.store(true, Ordering::Release);
                    let back = self.back.clone();
                    let done = move |result: Result<(), String>| {
                        let message = match result {
                            Ok(()) => Message::Input(Input::Stored { number }),
                            Err(why) => Message::StoreFailed(why),
                        };
                        // Nobody listens any more if the node has ended.
                        _ = back.send(message);
                    };
                    self.outside.store.write(records, Box::new(done));
                }
                Output::Enter(enter) => self.enter(enter),
                Output::Leave { number, user, client, group, moving } => {
                    let turn = (user.clone(), client.clone(), group.clone());
                    let registry = Arc::clone(&self.registry);
                    let leave = async move {
                        let resume = entering::leave(&registry, &user, &client, &group, moving).await;
                        Input::Left { number, resume }
                    };
                    self.in_turn(turn, leave, Input::Left { number, resume: Vec::new() });
                }
            }
        }
    }

    fn enter(&mut self, enter: Enter) {
        let number = enter.number;
        let turn = (enter.user.clone(), enter.client.clone(), enter.group.clone());
        let failed = Refused::new(Cause::Internal, &enter.group, "the client was not entered");
        let registry = Arc::clone(&self.registry);
        let enter = async move { Input::Entered { number, result: entering::enter(&registry, enter).await } };
        self.in_turn(turn, enter, Input::Entered { number, result: Err(failed) });
    }

    /// Carries out `work` in a task of its own, after what was wanted of the same client before. `failed` is said if it has a bug.
    pub(super) fn in_turn(
        &mut self,
        client: Client,
        work: impl Future<Output = Input<Value>> + Send + 'static,
        failed: Input<Value>,
    ) {
        let (back, places) = (self.back.clone(), Arc::clone(&self.places));
        self.turns.take(client.clone(), async move {
            let place = places.acquire().await;
            let said = tokio::spawn(work).await.unwrap_or(failed);
            drop(place);
            _ = back.send(Message::Did(client, said));
        });
    }
}

/// Sleeps until `wake`; for ever if there is none.
async fn until(wake: Option<Time>, now: Time) {
    match wake {
        Some(at) => tokio::time::sleep(Duration::from_micros(at.micros_since(now))).await,
        None => std::future::pending().await,
    }
}
