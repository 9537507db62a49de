//! The roster of a call: who takes part, on which leg. Control publishes it, the owner of the call reads it.

use alloc::{sync::Arc, vec::Vec};
use core::net::SocketAddr;

use crate::{Millis, Ssrc, TrunkId, late_entry::ResumePoint};

/// One participant as control publishes it: a client of a member, and how media reaches it.
///
/// A replaced leg is a new `Participant` at the same slot: same user, client and `audio_ssrc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Primary MC service ID. Membership, queue place and 'own media' go by it.
    pub user: Arc<str>,
    /// Which of the user's clients.
    pub client: Arc<str>,
    /// How media and floor messages reach it, and where they must come from.
    pub leg: Attachment,
    /// The SSRC that this participant writes into its RTP and its floor messages; unique in the node.
    pub audio_ssrc: Ssrc,
    /// Whether the client negotiated queueing (`mc_queueing`, TS 24.380 §14).
    pub queueing: bool,
    /// The highest floor priority that counts for it: its negotiated `mc_priority`.
    pub priority: u8,
    /// Whether it may only listen (`<on-network-recvonly>`).
    pub receive_only: bool,
    /// Whether entering is also a floor request (`mc_implicit_request`).
    pub implicit_floor_request: bool,
    /// What it heard last, per SSRC; empty: it heard nothing.
    pub resume: Vec<ResumePoint>,
    /// The leg ends after this much silence; `None`: it lives for ever.
    pub expires: Option<Millis>,
}

impl Participant {
    /// A client that asks for nothing in particular: it queues, at the lowest priority, heard nothing yet, and its leg lives for ever.
    pub fn new(user: &str, client: &str, leg: impl Into<Attachment>, audio_ssrc: Ssrc) -> Participant {
        Participant {
            user: Arc::from(user),
            client: Arc::from(client),
            leg: leg.into(),
            audio_ssrc,
            queueing: true,
            priority: 0,
            receive_only: false,
            implicit_floor_request: false,
            resume: Vec::new(),
            expires: None,
        }
    }
}

/// What a participant is attached by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attachment {
    /// A leg of its own, over UDP.
    Udp(Leg),
    /// A partner system serves it.
    Trunk(Behind),
}

/// A participant that a partner system serves: one packet per trunk reaches everybody behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Behind {
    /// Which trunk.
    pub trunk: TrunkId,
    /// What the partner calls it in this call (Track Info, TS 24.380 §8.2.3.13).
    pub reference: u32,
}

impl Attachment {
    /// The leg, if the participant has one of its own.
    pub fn udp(&self) -> Option<Leg> {
        match self {
            Attachment::Udp(leg) => Some(*leg),
            Attachment::Trunk(_) => None,
        }
    }

    /// The trunk that it is behind.
    pub fn behind(&self) -> Option<Behind> {
        match self {
            Attachment::Udp(_) => None,
            Attachment::Trunk(behind) => Some(*behind),
        }
    }

    /// Where its media goes.
    pub fn rtp(&self) -> Option<SocketAddr> {
        self.udp().map(|leg| leg.rtp)
    }

    /// Where its floor messages go; `None`: floor by API only, or by the partner.
    pub fn floor(&self) -> Option<SocketAddr> {
        self.udp().and_then(|leg| leg.floor)
    }
}

impl From<Leg> for Attachment {
    fn from(leg: Leg) -> Attachment {
        Attachment::Udp(leg)
    }
}

/// A participant's network attachment over UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Leg {
    /// RTP in both directions.
    pub rtp: SocketAddr,
    /// Floor control in both directions; `None`: floor by API only.
    pub floor: Option<SocketAddr>,
}
