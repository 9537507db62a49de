//! What control is told of a call.

use relay_core::{
    Millis, Slot,
    floor::cause::DenyCause,
    late_entry::{
        Facts,
        facts::{FloorFacts, MediaFacts},
    },
};

use crate::Exhausted;

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
    /// The participant whose leg was to be replaced has left.
    #[error("the participant has left")]
    Left,
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

/// Why a partner's call is not in the home's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The home did not answer in time.
    #[error("the home of the group did not answer in time; try again")]
    Unreachable,
    /// The home said no; a word from the cause table.
    #[error("the home of the group does not let this system take part: {0}")]
    Refused(String),
    /// The call has ended.
    #[error("the call has ended")]
    Ended,
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
