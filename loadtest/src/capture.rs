//! What reached a caller: every datagram, in the order in which its sockets gave it out.

use relay_core::{
    Time,
    floor::message::{self, Item, Packet},
    rtp,
};

/// One datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// When the caller had it.
    pub at: Time,
    /// On which of its two channels.
    pub channel: Channel,
    /// The datagram.
    pub bytes: Vec<u8>,
}

/// The two channels of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// RTP, and RTCP beside it.
    Media,
    /// Floor control.
    Floor,
}

impl Channel {
    /// The channel of a datagram that came where both come: RTCP is floor control there (RFC 5761 §4).
    pub fn of(datagram: &[u8]) -> Channel {
        if rtp::is_rtcp(datagram) { Channel::Floor } else { Channel::Media }
    }
}

impl Heard {
    /// The floor messages in it; what is malformed is left out and counted by the judge.
    pub fn messages(&self) -> impl Iterator<Item = Packet<'_>> {
        message::read(&self.bytes).filter_map(|item| match item {
            Ok(Item::Packet(packet)) => Some(packet),
            Ok(Item::Skipped(_)) | Err(_) => None,
        })
    }

    /// Whether some of it is no floor message at all.
    pub fn is_malformed(&self) -> bool {
        message::read(&self.bytes).any(|item| item.is_err())
    }
}
