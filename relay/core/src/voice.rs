//! A voice: the media of one SSRC in a call, whoever's it is, burst after burst.

use alloc::sync::Arc;

use crate::{
    Ssrc, Time,
    rtp::{Extender, Packet, Sequence},
};

/// How far behind the newest packet a repeated one is still recognised.
pub const DUPLICATE_WINDOW: u64 = 64;

/// What is known of one SSRC. Its numbers count from its first packet in this call.
#[derive(Clone, Debug)]
pub struct Voice {
    /// Primary MC service ID of who speaks under it.
    pub user: Arc<str>,
    /// Its newest packet.
    pub newest: Sequence,
    /// RTP timestamp of that packet.
    pub timestamp: u32,
    /// RTP payload type of that packet.
    pub payload_type: u8,
    /// When that packet came.
    pub arrived: Time,
    extender: Extender,
    /// Bit n: the packet n before the newest was seen.
    seen: u64,
}

/// One uninterrupted time of a talker: from its grant to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Burst {
    /// Whose media.
    pub ssrc: Ssrc,
    /// Primary MC service ID of the talker.
    pub talker: Arc<str>,
    /// Order number of the call at the grant: its packets stand here or behind.
    pub began: crate::Order,
    /// The order number behind its last packet.
    pub until: crate::Order,
    /// Its last packet; `None`: nothing came.
    pub last: Option<Sequence>,
    /// When it ended; `None`: it runs.
    pub ended: Option<Time>,
}

impl Voice {
    /// The voice that begins with `packet`.
    pub fn begin(user: Arc<str>, packet: &Packet<'_>, now: Time) -> Voice {
        let extender = Extender::begin(packet.sequence());
        Voice {
            user,
            newest: extender.newest(),
            timestamp: packet.timestamp(),
            payload_type: packet.payload_type().number(),
            arrived: now,
            extender,
            seen: 1,
        }
    }

    /// Notes a further packet and answers its extended number, or `None` if the network brought it a second time.
    pub fn note(&mut self, packet: &Packet<'_>, now: Time) -> Option<Sequence> {
        let before = self.newest;
        let sequence = self.extender.note(packet.sequence());
        match sequence.0.checked_sub(before.0) {
            Some(0) => return None,
            Some(ahead) => {
                self.seen = if ahead < DUPLICATE_WINDOW { (self.seen << ahead) | 1 } else { 1 };
                self.newest = sequence;
                self.timestamp = packet.timestamp();
                self.payload_type = packet.payload_type().number();
            }
            None => {
                let behind = before.0 - sequence.0;
                if behind < DUPLICATE_WINDOW {
                    if self.seen & (1 << behind) != 0 {
                        return None;
                    }
                    self.seen |= 1 << behind;
                }
            }
        }
        self.arrived = now;
        Some(sequence)
    }
}
