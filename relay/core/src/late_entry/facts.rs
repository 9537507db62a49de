//! The facts of a late entry as data: what the answer says about floor and media at the newcomer's order number.

use alloc::{sync::Arc, vec::Vec};

use crate::{Millis, Order, Ssrc, Time};

/// Everything that the answer to an entering participant says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The order number at which the participant entered: live media counts from here.
    pub order: Order,
    /// The floor at that moment.
    pub floor: FloorFacts,
    /// One for each SSRC that is retained, or of which something is missed, newest first.
    pub media: Vec<MediaFacts>,
    /// Finished bursts that will be sent too, oldest first.
    pub bursts: Vec<BurstFacts>,
}

/// The floor of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FloorFacts {
    /// Idle, taken or pending revoke.
    pub state: FloorState,
    /// Primary MC service ID of the talker; `None` when idle or private.
    pub talker: Option<Arc<str>>,
    /// The SSRC of the talker's media.
    pub audio_ssrc: Option<Ssrc>,
    /// Whether this participant may ask for the floor.
    pub may_request: bool,
    /// The number of the floor message sent to this participant.
    pub message_sequence_number: u16,
    /// Age of the state.
    pub since: Millis,
    /// Participants waiting for the floor.
    pub queue_length: u32,
}

/// State of the floor of a call as the outside sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FloorState {
    /// Nobody has the floor.
    Idle,
    /// Somebody has it.
    Taken,
    /// It is being taken away from the talker.
    PendingRevoke,
}

/// One SSRC in retention, or one of which a resume point lacks what retention does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaFacts {
    /// Whose media.
    pub ssrc: Ssrc,
    /// RTP payload type of its newest packet.
    pub payload_type: u8,
    /// Extended sequence number of its newest packet, counted from the SSRC's first packet in this call.
    pub sequence: u64,
    /// RTP timestamp of its newest packet.
    pub timestamp: u32,
    /// Time from the arrival of its oldest retained packet to that of its newest.
    pub retained: Millis,
    /// Extended number of the first packet that will be sent; `None`: nothing retained is sent.
    pub resumed_from: Option<u64>,
    /// First and last extended number that a resume point lacks and retention does not have: it no longer does, or a backfill
    /// lacked them.
    pub missed: Option<(u64, u64)>,
}

/// One finished talk burst that still stands in retention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BurstFacts {
    /// Whose media.
    pub ssrc: Ssrc,
    /// Primary MC service ID of who talked; `None` under privacy.
    pub talker: Option<Arc<str>>,
    /// Extended number of its first retained packet that will be sent.
    pub first: u64,
    /// Extended number of its last packet.
    pub last: u64,
    /// When it ended, on the owner's clock.
    pub ended: Time,
}
