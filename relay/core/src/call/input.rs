//! What a call is told.

use crate::{Slot, floor::message, roster, rtp};

use super::Settings;

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The roster has a new participant.
    Enter {
        /// Where.
        slot: Slot,
        /// Number of this entry in the roster.
        entry: u64,
        /// Who, and on which leg.
        participant: roster::Participant,
    },
    /// The roster has another leg for a participant.
    Replace {
        /// Whose.
        slot: Slot,
        /// Number of the new entry.
        entry: u64,
        /// The participant as it is now.
        participant: roster::Participant,
    },
    /// The roster has a participant no longer.
    Leave {
        /// Which.
        slot: Slot,
    },
    /// RTP came on a participant's leg, under its own SSRC.
    Media {
        /// Whose leg.
        slot: Slot,
        /// The packet.
        packet: rtp::Packet<'a>,
    },
    /// A floor message came on a participant's leg, under its own SSRC.
    Floor {
        /// Whose leg.
        slot: Slot,
        /// The message.
        packet: message::Packet<'a>,
    },
    /// Something else that is valid came on a participant's leg.
    Heard {
        /// Whose leg.
        slot: Slot,
    },
    /// A participant asks for the floor, or gives it back, through the API.
    Ask {
        /// Who.
        slot: Slot,
        /// Comes back in the answer.
        token: u64,
        /// What it asks.
        action: Action,
    },
    /// New settings; those of floor and media count from the next burst.
    Configure(Settings),
    /// Time has passed.
    Timer,
}

/// What the API asks of the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The floor, with this priority.
    Request(u8),
    /// To give it back, or its place in the queue.
    Release,
}
