//! What the media plane tells control without being asked.

use std::sync::Arc;

use relay_core::{
    Slot, Ssrc, TrunkId,
    call::Announced,
    trunk::{
        Overstep,
        wire::{Letter, Subscribe},
    },
};

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

/// Trunk events that may wait for control. If one does not fit, its trunk is closed and begins anew.
pub const TRUNK_EVENTS_MAX: usize = 65_536;

/// Something came over a trunk, or happened to one, that control decides about.
#[derive(Clone, Debug, PartialEq)]
pub enum TrunkEvent {
    /// A trunk can be used.
    Up {
        /// The partner.
        system: Arc<str>,
    },
    /// A trunk can no longer be used: participants behind it are out of reach.
    Down {
        /// The partner.
        system: Arc<str>,
        /// Its trunk.
        trunk: TrunkId,
    },
    /// The partner's control plane wrote.
    Letter {
        /// The partner.
        system: Arc<str>,
        /// What it wrote.
        letter: Box<Letter>,
    },
    /// A partner wants to take part in the call of a group. Answer with `Relay::answer`.
    Subscribe(Box<Subscription>),
    /// A partner announces a participant: enter it behind its trunk, or expel it.
    Announced {
        /// Which call.
        call: Arc<str>,
        /// The partner's trunk.
        trunk: TrunkId,
        /// Who.
        announced: Box<Announced>,
    },
    /// A participant behind a trunk has left: take it out.
    Departed {
        /// Which call.
        call: Arc<str>,
        /// The partner's trunk.
        trunk: TrunkId,
        /// What the partner called it.
        reference: u32,
    },
    /// The home took a participant out, or did not let it in: take it out.
    Expelled {
        /// Which call.
        call: Arc<str>,
        /// Whose place.
        slot: Slot,
        /// Number of its entry.
        entry: u64,
        /// A word from the cause table.
        cause: String,
    },
    /// The home does not serve this call, or no longer.
    HomeRefused {
        /// Which call.
        call: Arc<str>,
        /// A word from the cause table.
        cause: String,
    },
    /// Neither this system nor the home has these packets any more. Extended numbers of the home.
    Missed {
        /// Which call.
        call: Arc<str>,
        /// Whose media.
        ssrc: Ssrc,
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// A partner did what it may not, and was refused; its trunk goes on. Told once per minute, partner and cause; counted
    /// every time.
    Overstepped {
        /// The partner.
        system: Arc<str>,
        /// What it concerns.
        what: Overstep,
        /// A stable word.
        cause: &'static str,
        /// One sentence.
        detail: String,
    },
    /// A system was not taken as a partner, or its trunk was closed; told as `Overstepped` is.
    Refused {
        /// The system, if it is known.
        system: Option<String>,
        /// A stable word.
        cause: &'static str,
        /// One sentence.
        detail: String,
    },
}

/// A partner's wish to take part in a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscription {
    pub(crate) trunk: TrunkId,
    pub(crate) system: Arc<str>,
    pub(crate) ask: Subscribe,
}

impl Subscription {
    /// The partner.
    pub fn system(&self) -> &str {
        &self.system
    }

    /// The group whose call is meant.
    pub fn group(&self) -> &str {
        &self.ask.group
    }

    /// Whether a call is to be started if none runs.
    pub fn start(&self) -> bool {
        self.ask.start
    }
}
