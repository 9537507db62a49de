//! Control's side of one call: it publishes the roster, asks the owner, and waits for its word.

mod told;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use relay_core::{
    Slot, Ssrc, TrunkId, call,
    late_entry::{
        Facts, ResumePoint,
        facts::{FloorFacts, FloorState},
    },
    roster::Participant,
};
use relay_table::{Row, Writer};
use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};

pub use told::{
    AskError, EnterError, Entered, FloorAction, FloorAnswer, FloorResult, JoinError, ParticipantFacts, Status,
};

use crate::{
    CallSettings, Exhausted, Ports,
    allotment::{Ssrcs, Ticket},
    mail::{Joined, Letterbox, Mail},
    status::{Snapshot, StatusReader},
};

/// How long the owner has to answer. Afterwards an entry is withdrawn, which may take as long again.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the home of a group has to take a partner's call in, retention included.
pub const JOIN_TIMEOUT: Duration = Duration::from_secs(5);

/// A running call. Cheap to clone; `close` ends it.
#[derive(Clone, Debug)]
pub struct Call {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) row: Row,
    /// The call's number on trunks; `None`: the node has none.
    pub(crate) flow: Option<u32>,
    pub(crate) joins: watch::Receiver<Joined>,
    pub(crate) ports: Ports,
    pub(crate) floor_ssrc: Ssrc,
    pub(crate) letterbox: Letterbox,
    pub(crate) status: StatusReader,
    pub(crate) clock: crate::clock::Clock,
    pub(crate) ssrcs: Arc<Ssrcs>,
    /// The roster's one writer, and the call's place among the node's calls; `None` once the call has ended.
    pub(crate) writer: Mutex<Option<(Writer<Participant>, Ticket)>>,
}

impl Call {
    /// The owner's sockets: what answers name.
    pub fn ports(&self) -> Ports {
        self.shared.ports
    }

    /// What the node writes as SSRC into its floor messages of this call.
    pub fn floor_ssrc(&self) -> Ssrc {
        self.shared.floor_ssrc
    }

    /// A fresh SSRC for a participant, unique over all calls of the node; in a partner's call, of the range that the home gave.
    /// Fails when too many are in use.
    pub fn assign_ssrc(&self) -> Result<Ssrc, Exhausted> {
        let range = match *self.shared.joins.borrow() {
            Joined::Ready(range) if self.shared.flow.is_some() => Some(range),
            _ => None,
        };
        self.shared.ssrcs.assign(self.shared.row, range)
    }

    /// Waits until the home has taken a partner's call in. A call whose home is here is in at once.
    pub async fn joined(&self) -> Result<(), JoinError> {
        let mut joins = self.shared.joins.clone();
        let answered = timeout(JOIN_TIMEOUT, joins.wait_for(|joined| *joined != Joined::Waiting)).await;
        match answered.map_err(|_| JoinError::Unreachable)?.as_deref() {
            Ok(Joined::Refused(cause)) => Err(JoinError::Refused(cause.clone())),
            Ok(Joined::Ready(_) | Joined::Waiting) => Ok(()),
            Err(_) => Err(JoinError::Ended),
        }
    }

    /// Does not let an announced participant in, or takes it out, and tells its system why: a word from the cause table.
    pub fn expel(&self, trunk: TrunkId, reference: u32, cause: &str) -> Result<(), Exhausted> {
        let letter = Mail::Expel { row: self.shared.row, trunk, reference, cause: cause.into() };
        self.shared.with(|_| self.shared.letterbox.send(letter)).unwrap_or(Ok(()))
    }

    /// Epoch of the roster: advances with every change.
    pub fn epoch(&self) -> u64 {
        self.shared.with(|writer| writer.publish().number()).unwrap_or(u64::MAX)
    }

    /// Ends the call if its roster still stands at `epoch`; false if it has moved on or the call has ended. Does not wait.
    pub fn end_at(&self, epoch: u64) -> bool {
        let ended = self.shared.end(|writer| writer.publish().number() == epoch);
        if ended {
            self.shared.letterbox.ring();
        }
        ended
    }

    /// Publishes a newcomer and waits until the owner has entered it (at most 1 s).
    pub async fn enter(&self, participant: Participant) -> Result<Entered, EnterError> {
        self.publish_entry(|writer| {
            let place = writer.enter(participant);
            place.map_err(|full| Exhausted { limit: "participants", value: u64::from(full.most) }.into())
        })
        .await
    }

    /// Replaces the leg of a participant; when this answers, nothing more is sent to the old one.
    pub async fn replace(&self, slot: Slot, participant: Participant) -> Result<Entered, EnterError> {
        self.publish_entry(|writer| writer.replace(slot.0, participant).map_err(|_| EnterError::Left)).await
    }

    /// Takes a participant out and waits until nothing more can be sent to it. `entry` is the number of its present leg.
    pub async fn leave(&self, slot: Slot, entry: u64) -> Result<(), AskError> {
        let here = self.shared.with(|writer| {
            let here = writer.entry(slot.0) == Some(entry);
            if here {
                _ = writer.leave(slot.0);
                writer.publish();
            }
            here
        });
        match here {
            None => Err(AskError::Ended),
            Some(false) => Err(AskError::Left),
            Some(true) => self.settle().await,
        }
    }

    /// Takes a participant out as [`Call::leave`] does, and answers the last packet that was sent to it, per SSRC.
    pub async fn take_out(&self, slot: Slot, entry: u64) -> Result<Vec<ResumePoint>, AskError> {
        let row = self.shared.row;
        let points = self.ask(|reply| Mail::TakeOut { row, slot, entry, reply }).await;
        self.leave(slot, entry).await?;
        points
    }

    /// Asks for the floor, or gives it back, on behalf of a participant.
    pub async fn floor(&self, slot: Slot, entry: u64, action: FloorAction) -> Result<FloorAnswer, AskError> {
        let action = match action {
            FloorAction::Request { priority } => call::Action::Request(priority),
            FloorAction::Release => call::Action::Release,
        };
        let row = self.shared.row;
        let answer = self.ask(|reply| Mail::Ask { row, slot, entry, action, reply }).await?;
        let (result, position, duration_s) = match answer {
            call::Answer::Granted(duration_s) => (FloorResult::Granted, None, Some(duration_s)),
            call::Answer::Queued(position) => (FloorResult::Queued, Some(position), None),
            call::Answer::Denied(cause) => (FloorResult::Denied(cause), None, None),
            call::Answer::Released => (FloorResult::Released, None, None),
            call::Answer::Left => return Err(AskError::Left),
        };
        Ok(FloorAnswer { result, position, duration_s })
    }

    /// Floor and media as a stranger would be told, from the owner itself.
    pub async fn describe(&self) -> Result<Facts, AskError> {
        let row = self.shared.row;
        self.ask(|reply| Mail::Describe { row, reply }).await
    }

    /// Up to `limit` participants with slots above `after`, in slot order.
    pub async fn participants(&self, after: Option<Slot>, limit: usize) -> Result<Vec<ParticipantFacts>, AskError> {
        let row = self.shared.row;
        self.ask(|reply| Mail::List { row, after, limit, reply }).await
    }

    /// The status row; never waits.
    pub fn status(&self) -> Status {
        let snapshot = Snapshot::read(&self.shared.status);
        let talker = snapshot.talker.and_then(|slot| {
            let who =
                |writer: &mut Writer<Participant>| writer.value(slot.0).map(|who| (who.user.clone(), who.audio_ssrc));
            self.shared.with(who).flatten()
        });
        Status {
            floor: FloorFacts {
                state: snapshot.state.unwrap_or(FloorState::Idle),
                audio_ssrc: talker.as_ref().map(|talker| talker.1),
                talker: talker.map(|talker| talker.0).filter(|_| !snapshot.private),
                may_request: true,
                message_sequence_number: 0,
                since: self.shared.clock.now().since(snapshot.since),
                queue_length: snapshot.queue_length,
            },
            newest: snapshot.newest,
        }
    }

    /// New settings; they count from the next burst, an emergency at once. Fails if the owner's mail is full: ask again. A call that has ended needs none.
    pub fn configure(&self, settings: &CallSettings) -> Result<(), Exhausted> {
        let (urgent, settings) = (settings.urgent, Box::new(settings.for_core()));
        let letter = Mail::Configure { row: self.shared.row, settings, urgent };
        self.shared.with(|_| self.shared.letterbox.send(letter)).unwrap_or(Ok(()))
    }

    /// Ends the call for everybody and waits until nothing more is sent.
    pub async fn close(&self) -> Result<(), AskError> {
        if !self.shared.end(|_| true) {
            return Err(AskError::Ended);
        }
        self.settle().await
    }

    /// Publishes one edit of the roster and waits for the owner's word; without it the entry is withdrawn.
    async fn publish_entry(
        &self,
        edit: impl FnOnce(&mut Writer<Participant>) -> Result<relay_table::Place, EnterError>,
    ) -> Result<Entered, EnterError> {
        let (reply, facts) = oneshot::channel();
        let place = self.shared.with(|writer| {
            let place = edit(writer)?;
            // The letter goes first: an owner that sees the entry finds it, and a full letterbox leaves nothing behind.
            let letter = Mail::Expect { row: self.shared.row, entry: place.entry, reply };
            if let Err(full) = self.shared.letterbox.post(letter) {
                _ = writer.leave(place.slot);
                writer.publish();
                return Err(EnterError::Exhausted(full));
            }
            writer.publish();
            Ok(place)
        });
        let place = place.ok_or(EnterError::Ended)??;
        self.shared.letterbox.ring();
        match timeout(ANSWER_TIMEOUT, facts).await {
            Ok(Ok(facts)) => Ok(Entered { slot: Slot(place.slot), entry: place.entry, facts }),
            Ok(Err(_)) | Err(_) => {
                // Nobody but the owner could still send to it, so the refusal waits until it no longer can, or is stuck.
                match self.leave(Slot(place.slot), place.entry).await {
                    Err(AskError::Ended) => Err(EnterError::Ended),
                    _ => Err(EnterError::Unanswered),
                }
            }
        }
    }

    async fn settle(&self) -> Result<(), AskError> {
        let (reply, settled) = oneshot::channel();
        let sent = self.shared.letterbox.send(Mail::Settle { row: self.shared.row, reply });
        self.answer(sent, settled).await
    }

    async fn ask<T>(&self, letter: impl FnOnce(oneshot::Sender<T>) -> Mail) -> Result<T, AskError> {
        let (reply, answer) = oneshot::channel();
        // While the writer is held the row is this call's: the letter is read before the row can be another's.
        let sent = self.shared.with(|_| self.shared.letterbox.send(letter(reply)));
        self.answer(sent.ok_or(AskError::Ended)?, answer).await
    }

    async fn answer<T>(&self, sent: Result<(), Exhausted>, answer: oneshot::Receiver<T>) -> Result<T, AskError> {
        sent.map_err(|_| AskError::Unanswered)?;
        match timeout(ANSWER_TIMEOUT, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(AskError::Ended),
            Err(_) => Err(AskError::Unanswered),
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Writer<Participant>, Ticket)>> {
        // Every edit is complete or not begun: a panic elsewhere leaves nothing half done.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works with the roster's writer; `None` once the call has ended.
    fn with<R>(&self, work: impl FnOnce(&mut Writer<Participant>) -> R) -> Option<R> {
        self.lock().as_mut().map(|(writer, _)| work(writer))
    }

    /// Ends the call if it may; false if it may not or has ended. The SSRCs go first: once the writer is gone the row may be
    /// another call's.
    fn end(&self, may: impl FnOnce(&mut Writer<Participant>) -> bool) -> bool {
        let mut held = self.lock();
        let ends = held.as_mut().is_some_and(|(writer, _)| may(writer));
        if ends {
            self.ssrcs.release(self.row);
            *held = None;
        }
        ends
    }
}

/// A call that nobody can close any more, or that its owner never heard of, gives back what it has.
impl Drop for Shared {
    fn drop(&mut self) {
        if self.end(|_| true) {
            self.letterbox.ring();
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Call({:?})", self.row)
    }
}
