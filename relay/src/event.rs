//! What the media plane tells control without being asked.

use std::sync::Arc;

use relay_core::Slot;

/// Events that may wait for control. What does not fit is counted and comes again: a hang time with the next one, a silent leg
/// ten seconds later.
pub const EVENTS_MAX: usize = 4096;

/// Something happened in a call. Control decides what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nobody asked for the floor during the hang time (T4). The call may be released if its roster still is at `epoch`.
    Inactive {
        /// Which call.
        call: Arc<str>,
        /// Epoch of the roster when the time ran out.
        epoch: u64,
    },
    /// A leg was silent for longer than it lives.
    LegExpired {
        /// Which call.
        call: Arc<str>,
        /// Which participant's.
        slot: Slot,
        /// Entry number of the expired leg; a newer leg at this slot stays.
        entry: u64,
    },
}
