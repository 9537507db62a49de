//! The trunk's messages, as `docs/proto/trunk.proto` publishes them.

#![allow(missing_docs, unreachable_pub, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/carryover.trunk.v1.rs"));

impl frame::What {
    /// The receiver's number of the call that the frame is about; `None`: it is about none, or asks for one.
    pub fn flow(&self) -> Option<u32> {
        Some(match self {
            Self::Subscribed(subscribed) => subscribed.flow,
            Self::Refused(refused) => refused.flow,
            Self::Unsubscribe(unsubscribe) => unsubscribe.flow,
            Self::Announce(announce) => announce.flow,
            Self::Depart(depart) => depart.flow,
            Self::Expel(expel) => expel.flow,
            Self::Floor(floor) => floor.flow,
            Self::Spacing(spacing) => spacing.flow,
            Self::Ended(ended) => ended.flow,
            Self::Subscribe(_) | Self::Hello(_) | Self::Heartbeat(_) | Self::Goodbye(_) => return None,
        })
    }
}
