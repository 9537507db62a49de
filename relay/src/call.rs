//! Control's side of one call: it publishes the roster, asks the owner, and waits for its word.

use std::sync::Arc;

use relay_core::{
    Millis, Slot, Ssrc,
    floor::cause::DenyCause,
    late_entry::{
        Facts,
        facts::{FloorFacts, MediaFacts},
    },
    roster::Participant,
};

use crate::{CallSettings, Exhausted, Ports};

/// A running call. Cheap to clone; `close` ends it.
#[derive(Clone, Debug)]
pub struct Call {
    shared: Arc<()>,
}

/// A participant entered, or its leg was replaced.
#[derive(Clone, Debug)]
pub struct Entered {
    /// Its place in the roster.
    pub slot: Slot,
    /// Number of this entry in the call; a replaced leg gets a new one.
    pub entry: u64,
    /// What it is told.
    pub facts: Facts,
}

/// Why a participant is not in the call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnterError {
    /// A limit of ours.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// The owner did not answer in 1 s; the entry is withdrawn and nothing more is sent to it.
    #[error("the owner of the call did not answer in 1 s; the entry is withdrawn, try again")]
    Unanswered,
    /// The call has ended.
    #[error("the call has ended")]
    Ended,
}

/// The owner did not answer, or the call has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// No answer in time.
    #[error("the owner of the call did not answer in time; try again")]
    Unanswered,
    /// The call has ended.
    #[error("the call has ended")]
    Ended,
    /// The participant is not in the call, or its leg was replaced meanwhile.
    #[error("the participant has left")]
    Left,
}

/// What is asked of the floor by API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloorAction {
    /// Ask for the floor with this priority; it is capped by the participant's.
    Request {
        /// 0 lowest … 255.
        priority: u8,
    },
    /// Give the floor back, or the place in the queue.
    Release,
}

/// The floor's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloorAnswer {
    /// What was decided.
    pub result: FloorResult,
    /// Place in the queue, 1 = next.
    pub position: Option<u8>,
    /// Seconds that the participant may talk.
    pub duration_s: Option<u16>,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloorResult {
    /// It has the floor.
    Granted,
    /// It waits.
    Queued,
    /// It was refused.
    Denied(DenyCause),
    /// It no longer has or wants the floor.
    Released,
}

/// A participant as the owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantFacts {
    /// Its place.
    pub slot: Slot,
    /// Its entry number.
    pub entry: u64,
    /// Whether it has answered its late-entry floor message.
    pub floor_confirmed: bool,
    /// Media packets handed to the kernel for it.
    pub sent: u64,
    /// Media packets not sent to it, by cause.
    pub dropped: Vec<(&'static str, u64)>,
    /// Time since it entered.
    pub age: Millis,
}

/// The status row of a call: small, always at hand, never older than a few turns of the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The floor. `talker` and `may_request` are as a stranger would be told.
    pub floor: FloorFacts,
    /// The newest retained SSRC.
    pub newest: Option<MediaFacts>,
}

impl Call {
    /// The owner's sockets: what answers name.
    pub fn ports(&self) -> Ports {
        unimplemented!()
    }

    /// What the node writes as SSRC into its floor messages of this call.
    pub fn floor_ssrc(&self) -> Ssrc {
        unimplemented!()
    }

    /// A fresh SSRC for a participant, unique over all calls of the node.
    pub fn assign_ssrc(&self) -> Ssrc {
        unimplemented!()
    }

    /// Epoch of the roster: advances with every change.
    pub fn epoch(&self) -> u64 {
        unimplemented!()
    }

    /// Publishes a newcomer and waits until the owner has entered it (at most 1 s).
    pub async fn enter(&self, _participant: Participant) -> Result<Entered, EnterError> {
        unimplemented!()
    }

    /// Replaces the leg of a participant; when this answers, nothing more is sent to the old one.
    pub async fn replace(&self, _slot: Slot, _participant: Participant) -> Result<Entered, EnterError> {
        unimplemented!()
    }

    /// Takes a participant out and waits until nothing more can be sent to it.
    pub async fn leave(&self, _slot: Slot, _entry: u64) -> Result<(), AskError> {
        unimplemented!()
    }

    /// Asks for the floor, or gives it back, on behalf of a participant.
    pub async fn floor(&self, _slot: Slot, _entry: u64, _action: FloorAction) -> Result<FloorAnswer, AskError> {
        unimplemented!()
    }

    /// Floor and media as a stranger would be told, from the owner itself.
    pub async fn describe(&self) -> Result<Facts, AskError> {
        unimplemented!()
    }

    /// Up to `limit` participants with slots above `after`, in slot order.
    pub async fn participants(&self, _after: Option<Slot>, _limit: usize) -> Result<Vec<ParticipantFacts>, AskError> {
        unimplemented!()
    }

    /// The status row; never waits.
    pub fn status(&self) -> Status {
        unimplemented!()
    }

    /// New settings; they count from the next burst.
    pub fn configure(&self, _settings: CallSettings) {
        unimplemented!()
    }

    /// Ends the call for everybody and waits until nothing more is sent.
    pub async fn close(&self) -> Result<(), AskError> {
        unimplemented!()
    }
}
