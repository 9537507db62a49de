//! The messages of floor control (TS 24.380 §8.2): types 0 to 10 as data, everything else skipped.
//!
//! `read` borrows from the datagram, `Packet::write` fills an output; neither allocates.

mod read;
mod write;

pub use super::field::{Indicator, Source, TooLong, Track, TrackInfo};
pub use read::{Item, Malformed, Messages, Skipped, read};

use super::field::Id;
use crate::Ssrc;

/// The APP name of floor control.
pub const NAME: [u8; 4] = *b"MCPT";

/// Octets that suffice for every message: a Floor Taken with three texts of 255 octets and the longest Track Info.
pub const SIZE_MAX: usize = 1068;

/// The bit of the subtype that asks for a Floor Ack.
const ACKNOWLEDGE: u8 = 0x10;

/// A floor message with who sends it and whether a Floor Ack is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Who sends this message: a participant upwards, the floor control server downwards. Not the SSRC of anybody's media.
    pub ssrc: Ssrc,
    /// Asks for a Floor Ack. Written only where an acknowledged variant exists: see [`Kind::can_be_acknowledged`].
    pub acknowledge: bool,
    /// What is said.
    pub message: Message<'a>,
    /// The way through non-controlling functions; `None` between a server and its own clients. Every message may carry it.
    pub track_info: Option<TrackInfo<'a>>,
}

/// What a floor message says. An empty text and no text are the same; neither is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A participant wants to talk (§8.2.4).
    Request {
        /// What it asks for; the server caps it, and takes its default if absent.
        priority: Option<u8>,
        /// Marks an emergency or imminent peril request.
        indicator: Option<Indicator>,
        /// The alias under which it will talk.
        functional_alias: Option<&'a str>,
        /// Where it is: a type octet and what that type says.
        location: Option<&'a [u8]>,
    },
    /// You may talk (§8.2.5).
    Granted {
        /// For how long (T2). Seconds.
        duration_s: u16,
        /// The priority at which the floor is held.
        priority: u8,
        /// What kind of call it is.
        indicator: Option<Indicator>,
        /// The SSRC to put into the media.
        audio_ssrc: Option<Ssrc>,
    },
    /// Somebody else talks (§8.2.9).
    Taken {
        /// Who; absent under privacy.
        granted_party: Option<&'a str>,
        /// Whether the receiver may ask for the floor.
        may_request: Option<bool>,
        /// Orders Taken and Idle for this receiver; wraps.
        message_sequence_number: u16,
        /// What kind of call it is.
        indicator: Option<Indicator>,
        /// The SSRC of the media to expect.
        audio_ssrc: Option<Ssrc>,
        /// The alias under which the talker talks.
        functional_alias: Option<&'a str>,
        /// Where the talker is: a type octet and what that type says.
        location: Option<&'a [u8]>,
    },
    /// A request is refused (§8.2.6).
    Deny {
        /// See [`DenyCause`](super::cause::DenyCause).
        cause: u16,
        /// For people; at most 253 octets.
        phrase: Option<&'a str>,
        /// What kind of call it is.
        indicator: Option<Indicator>,
    },
    /// The holder stops, or a queued participant waits no longer (§8.2.7).
    Release {
        /// What kind of call it is.
        indicator: Option<Indicator>,
    },
    /// Nobody talks (§8.2.8).
    Idle {
        /// Orders Taken and Idle for this receiver; wraps.
        message_sequence_number: u16,
        /// What kind of call it is.
        indicator: Option<Indicator>,
    },
    /// Stop talking (§8.2.10).
    Revoke {
        /// See [`RevokeCause`](super::cause::RevokeCause).
        cause: u16,
        /// For people; at most 253 octets.
        phrase: Option<&'a str>,
        /// What kind of call it is.
        indicator: Option<Indicator>,
    },
    /// An authorised user has another user's floor revoked (§8.2.17, Rel-19).
    RevokeRequest {
        /// Whose floor.
        user: &'a str,
    },
    /// A participant asks for its place in the queue (§8.2.11).
    QueuePositionRequest,
    /// The place in the queue (§8.2.12).
    QueuePositionInfo {
        /// 1 is next; 254: not queued; 255: queued, position not told.
        position: u8,
        /// The priority in the queue.
        priority: u8,
        /// What kind of call it is.
        indicator: Option<Indicator>,
    },
    /// A message has arrived (§8.2.13).
    Ack {
        /// Who says so.
        source: Source,
        /// What has arrived.
        acknowledged: Kind,
    },
}

/// A message type: the low four bits of the subtype (TS 24.380 §8.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Floor Request.
    Request = 0,
    /// Floor Granted.
    Granted = 1,
    /// Floor Taken.
    Taken = 2,
    /// Floor Deny.
    Deny = 3,
    /// Floor Release.
    Release = 4,
    /// Floor Idle.
    Idle = 5,
    /// Floor Revoke.
    Revoke = 6,
    /// Floor Revoke Request (Rel-19).
    RevokeRequest = 7,
    /// Floor Queue Position Request.
    QueuePositionRequest = 8,
    /// Floor Queue Position Info.
    QueuePositionInfo = 9,
    /// Floor Ack.
    Ack = 10,
}

impl Message<'_> {
    /// Which message it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Message::Request { .. } => Kind::Request,
            Message::Granted { .. } => Kind::Granted,
            Message::Taken { .. } => Kind::Taken,
            Message::Deny { .. } => Kind::Deny,
            Message::Release { .. } => Kind::Release,
            Message::Idle { .. } => Kind::Idle,
            Message::Revoke { .. } => Kind::Revoke,
            Message::RevokeRequest { .. } => Kind::RevokeRequest,
            Message::QueuePositionRequest => Kind::QueuePositionRequest,
            Message::QueuePositionInfo { .. } => Kind::QueuePositionInfo,
            Message::Ack { .. } => Kind::Ack,
        }
    }
}

impl Kind {
    /// Every kind, in the order of the numbers.
    pub const ALL: [Kind; 11] = [
        Kind::Request,
        Kind::Granted,
        Kind::Taken,
        Kind::Deny,
        Kind::Release,
        Kind::Idle,
        Kind::Revoke,
        Kind::RevokeRequest,
        Kind::QueuePositionRequest,
        Kind::QueuePositionInfo,
        Kind::Ack,
    ];

    /// The number that travels.
    pub const fn number(self) -> u8 {
        self as u8
    }

    //= TS 24.380 §8.2.2.1  six messages have a variant that asks for a Floor Ack
    /// Whether a variant that asks for a Floor Ack exists.
    pub const fn can_be_acknowledged(self) -> bool {
        matches!(self, Kind::Granted | Kind::Taken | Kind::Deny | Kind::Release | Kind::Idle | Kind::QueuePositionInfo)
    }

    fn from_number(number: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

#[cfg(test)]
mod tests;
