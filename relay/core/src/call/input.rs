//! What a call is told.

use super::{Part, Settings};
use crate::{Millis, Slot, TrunkId, floor::message, roster, rtp, trunk::wire::frame::What};

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
    /// Something came over a trunk that takes part in this call.
    Trunk {
        /// Which trunk.
        from: TrunkId,
        /// What.
        what: FromTrunk<'a>,
    },
    /// Control does not let an announced participant in, or takes it out.
    Expel {
        /// Which trunk it is behind.
        trunk: TrunkId,
        /// What the partner calls it.
        reference: u32,
        /// Why; a word from the cause table.
        cause: &'a str,
    },
    /// New settings; those of floor and media count from the next burst.
    Configure(Settings),
    /// The packet of the last `Hand` did not fit into the part's mail: its participants do not get it. To be said before the next
    /// `poll`.
    Lost {
        /// Which part.
        part: Part,
    },
    /// A part has let go of everybody of whom it was told so until then: nothing more is sent to them.
    Through {
        /// Which part.
        part: Part,
        /// Departures that it has done, since the call began.
        leaves: u64,
    },
    /// A part sends nothing any more, for ever: its worker has ended.
    Gone {
        /// Which part.
        part: Part,
    },
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

/// What comes over a trunk.
#[derive(Debug)]
pub enum FromTrunk<'a> {
    /// Before it stands again: the other end has forgotten every call.
    Restarted,
    /// It stands.
    Up,
    /// It stands no longer.
    Lost,
    /// The other end lives.
    Heard,
    /// The round trip was measured.
    RoundTrip(Millis),
    /// A frame for this call that is no floor message.
    Frame(What),
    /// A floor message.
    Floor {
        /// The message.
        packet: message::Packet<'a>,
        /// The reference of the talker, if it is behind this trunk; 0: it is not.
        holder: u32,
        /// Primary MC service ID of the talker; empty: nobody talks.
        talker: &'a str,
    },
    /// A live packet.
    Media(rtp::Packet<'a>),
    /// A packet of the backfill; `None`: it is complete.
    Backfill(Option<rtp::Packet<'a>>),
}
