//! Late entry: what a participant that enters a running call is told and sent (TS 24.380 §6.3.5.2.2).

pub mod acknowledgement;
pub mod facts;
pub mod newcomer;
pub mod plan;

use crate::Ssrc;

pub use facts::Facts;

/// The last packet of one SSRC that a client heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResumePoint {
    /// Whose media.
    pub ssrc: Ssrc,
    /// Sequence number of the last packet heard; inside retention its low 16 bits decide.
    pub sequence: u64,
}
