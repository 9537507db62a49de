//! One call as its owner runs it: floor, roster, retention, distribution and late entry, put together.
//!
//! `handle` takes what happened, `poll` says what to do about it, in the order in which it must be done; the last answer is
//! `Wake`. A live packet comes out in chunks, so that whoever drives the call can look at others between two of them.
//! `A` is an address as the driver likes it best.

mod alarm;
mod arbitration;
mod describing;
mod entering;
mod input;
mod media;
mod output;
mod seat;
mod telling;
mod work;

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::net::SocketAddr;

use alarm::Alarms;
pub use describing::ParticipantFacts;
pub use input::{Action, Input};
pub use media::Drop;
pub use output::{Answer, Counters, Output, Why};
use seat::Seat;
use work::{Turn, Work};

use crate::{
    Millis, Order, Slot, Ssrc, Time,
    distributor::Distributor,
    floor::{
        self,
        general::{self, General, Grant},
        message,
    },
    retention::{Limits, Retention},
    voice::{Burst, Voice},
};

/// Live sends between two looks at everything else.
pub const CHUNK: usize = 128;

/// What a call follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Floor control.
    pub floor: floor::settings::Settings,
    /// How long media is kept.
    pub retention: Millis,
    /// How much of the running burst a participant without resume points is sent.
    pub entry: Millis,
    /// A talker's packets per second.
    pub packets_per_s: u32,
    /// A talker's bytes per second, RTP header included.
    pub bytes_per_s: u32,
    /// Whether the talker's identity is withheld.
    pub privacy: bool,
}

/// One call.
#[derive(Debug)]
pub struct Call<A> {
    settings: Settings,
    /// Settings that count from the next burst.
    next_settings: Option<Settings>,
    floor_ssrc: Ssrc,
    general: General<Slot>,
    seats: Vec<Option<alloc::boxed::Box<Seat>>>,
    participants: usize,
    kept: Retention,
    voices: BTreeMap<Ssrc, Voice>,
    bursts: VecDeque<Burst>,
    /// The proof under which media leaves; kept after the burst for the tail that is still on its way.
    grant: Option<Grant<Slot>>,
    rate: media::Rate,
    distributor: Distributor<A>,
    /// The slots that do not get the packets of an SSRC, because they are its user's.
    own: Option<(Ssrc, Vec<Slot>)>,
    /// Participants that are served from retention, and those of them that are looked at now.
    newcomers: Vec<Slot>,
    newcomers_due: VecDeque<Slot>,
    alarms: Alarms,
    general_wake: Option<(Time, general::Why)>,
    replay_wake: Option<Time>,
    outbox: VecDeque<Work>,
    turn: Turn,
    /// Advances with every change of the floor that everybody is told.
    version: u32,
    asking: Option<(Slot, u64)>,
    orders: Vec<Order>,
    datagram: [u8; message::SIZE_MAX],
    now: Time,
    counters: Counters,
}

impl<A: Copy + From<SocketAddr>> Call<A> {
    /// A call without participants. `floor_ssrc` is what it writes into its floor messages.
    pub fn new(settings: Settings, floor_ssrc: Ssrc) -> Call<A> {
        Call {
            settings,
            next_settings: None,
            floor_ssrc,
            general: General::new(settings.floor),
            seats: Vec::new(),
            participants: 0,
            kept: Retention::new(settings.limits()),
            voices: BTreeMap::new(),
            bursts: VecDeque::new(),
            grant: None,
            rate: media::Rate::default(),
            distributor: Distributor::new(),
            own: None,
            newcomers: Vec::new(),
            newcomers_due: VecDeque::new(),
            alarms: Alarms::default(),
            general_wake: None,
            replay_wake: None,
            outbox: VecDeque::new(),
            turn: Turn::default(),
            version: 0,
            asking: None,
            orders: Vec::new(),
            datagram: [0; message::SIZE_MAX],
            now: Time::ZERO,
            counters: Counters::default(),
        }
    }

    /// Tells the call what happened. Total: what concerns nobody in the call is discarded.
    pub fn handle(&mut self, input: Input<'_>, now: Time) {
        self.now = self.now.max(now);
        match input {
            Input::Media { slot, packet } => self.media(slot, &packet),
            Input::Floor { slot, packet } => self.floor_message(slot, &packet),
            Input::Heard { slot } => self.hear(slot),
            Input::Enter { slot, entry, participant } => self.enter(slot, entry, participant),
            Input::Replace { slot, entry, participant } => self.replace(slot, entry, participant),
            Input::Leave { slot } => self.leave(slot),
            Input::Ask { slot, token, action } => self.ask(slot, token, action),
            Input::Configure(settings) => self.configure(settings),
            Input::Timer => self.expire_due(),
        }
    }

    /// The next thing to do; `Wake` once nothing is left, as often as asked.
    pub fn poll(&mut self) -> Output<'_, A> {
        self.next_output()
    }

    /// What happened since the call began.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Participants in the call.
    pub fn participants(&self) -> usize {
        self.participants
    }

    /// Live packets that wait for distribution.
    pub fn backlog(&self) -> usize {
        self.distributor.backlog()
    }

    fn configure(&mut self, settings: Settings) {
        self.next_settings = Some(settings);
        self.general.handle(general::Input::Configure(settings.floor), self.now);
        self.settle();
    }

    fn seat(&self, slot: Slot) -> Option<&Seat> {
        at(&self.seats, slot)
    }

    fn seat_mut(&mut self, slot: Slot) -> Option<&mut Seat> {
        at_mut(&mut self.seats, slot)
    }
}

/// The seats alone, for who works on the rest of the call meanwhile.
fn at(seats: &[Option<alloc::boxed::Box<Seat>>], slot: Slot) -> Option<&Seat> {
    seats.get(slot.index())?.as_deref()
}

fn at_mut(seats: &mut [Option<alloc::boxed::Box<Seat>>], slot: Slot) -> Option<&mut Seat> {
    seats.get_mut(slot.index())?.as_deref_mut()
}

impl Settings {
    /// What retention may hold under these settings.
    fn limits(&self) -> Limits {
        let bytes = u64::from(self.bytes_per_s) * u64::from(self.retention.0) / 1000;
        let packets = u64::from(self.packets_per_s) * u64::from(self.retention.0) / 1000;
        Limits { age: self.retention, bytes: (bytes as usize).max(2048), packets: (packets as usize).max(1) }
    }
}

#[cfg(test)]
mod tests;
