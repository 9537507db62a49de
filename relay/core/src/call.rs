//! One call as its owner runs it: floor, roster, retention, distribution and late entry, put together.
//!
//! `handle` takes what happened, `poll` says what to do about it, in the order in which it must be done; the last answer is
//! `Wake`. A live packet comes out in chunks, so that whoever drives the call can look at others between two of them.
//! `A` is an address as the driver likes it best.

mod alarm;
mod arbiter;
mod arbitration;
mod backfill;
mod describing;
mod entering;
mod gaps;
mod input;
mod media;
mod mirror;
mod output;
mod overstepping;
mod seat;
mod slices;
mod telling;
mod trunks;
mod uplink;
mod work;

use alloc::{
    collections::{BTreeMap, VecDeque},
    string::String,
    vec::Vec,
};
use core::net::SocketAddr;

use alarm::Alarms;
use arbiter::Arbiter;
pub use backfill::BACKFILL_MAX;
pub use describing::ParticipantFacts;
pub use input::{Action, FromTrunk, Input};
pub use media::Drop;
pub use output::{Answer, Counters, Output, Why};
use seat::Seat;
use slices::Slices;
pub use slices::{Change, PARTS_MAX, Part, SLICE_MIN};
use trunks::Subscriber;
pub use trunks::{Announced, ROUND_TRIP_MAX};
use uplink::Uplink;
use work::{Turn, Work};

use crate::{
    Millis, Order, Slot, Ssrc, Time, TrunkId,
    distributor::Distributor,
    floor::{
        self,
        general::{self, Grant},
        message, non_controlling,
    },
    retention::{Limits, Retention},
    trunk::{Range, wire},
    voice::{Burst, Voice},
};

/// Live sends between two looks at everything else.
pub const CHUNK: usize = 128;

/// Live sends of a large call between two looks, while other calls have media too: a call of at most `CHUNK` participants waits for
/// few sends of it, and is handed out whole.
pub const CHUNK_IN_COMPANY: usize = 16;

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
    arbiter: Arbiter,
    seats: Vec<Option<alloc::boxed::Box<Seat>>>,
    participants: usize,
    kept: Retention,
    voices: BTreeMap<Ssrc, Voice>,
    bursts: VecDeque<Burst>,
    /// The proof under which media leaves; kept after the burst for the tail that is still on its way.
    grant: Option<Grant<Slot>>,
    rate: media::Rate,
    /// The owner's own slice of who gets live packets, and the others.
    distributor: Distributor<A>,
    slices: Slices,
    /// The slots that do not get the packets of an SSRC, because they are its user's.
    own: Option<(Ssrc, Vec<Slot>)>,
    /// Participants that are served from retention, and those of them that are looked at now.
    newcomers: Vec<Slot>,
    newcomers_due: VecDeque<Slot>,
    alarms: Alarms,
    arbiter_wake: Option<(Time, general::Why)>,
    replay_wake: Option<Time>,
    outbox: VecDeque<Work>,
    turn: Turn,
    /// Advances with every change of the floor that everybody is told.
    version: u32,
    /// Live sends of one packet that are handed out at once.
    chunk: usize,
    /// Who waits for the answer to what it asked through the API. At the home of a group nobody waits for long.
    asking: Vec<(Slot, u64)>,
    orders: Vec<Order>,
    datagram: [u8; message::SIZE_MAX],
    /// This call's number on every trunk, towards us.
    flow: u32,
    /// Which of the node's calls of its group this is; a home that starts anew has a greater one.
    generation: u64,
    /// What this system's own participants speak under.
    range: Range,
    /// The partners that take part.
    trunks: Vec<Subscriber>,
    /// The SSRCs that each partner was given last, also of partners that are away.
    ranges: BTreeMap<TrunkId, Range>,
    /// Participants behind them, by what their partner calls them.
    behind: BTreeMap<(TrunkId, u32), Slot>,
    /// The way to the home, if that is another system.
    uplink: Option<Uplink>,
    now: Time,
    counters: Counters,
}

/// What spans systems in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// This call's number on every trunk, towards us; unique in the node.
    pub flow: u32,
    /// Grows with every call that the node opens.
    pub generation: u64,
    /// The SSRCs of this node's own calls.
    pub range: Range,
    /// Where the home of the group is; `None`: here.
    pub home: Option<Home>,
}

/// The home of a call's group, if it is another system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The trunk to it.
    pub trunk: TrunkId,
    /// The group.
    pub group: String,
    /// Whether the home starts a call if none runs.
    pub start: bool,
}

impl<A: Copy + From<SocketAddr>> Call<A> {
    /// A call without participants. `floor_ssrc` is what it writes into its floor messages.
    pub fn new(settings: Settings, floor_ssrc: Ssrc) -> Call<A> {
        Call {
            settings,
            next_settings: None,
            floor_ssrc,
            arbiter: Arbiter::own(settings.floor),
            seats: Vec::new(),
            participants: 0,
            kept: Retention::new(settings.limits()),
            voices: BTreeMap::new(),
            bursts: VecDeque::new(),
            grant: None,
            rate: media::Rate::default(),
            distributor: Distributor::new(),
            slices: Slices::default(),
            own: None,
            newcomers: Vec::new(),
            newcomers_due: VecDeque::new(),
            alarms: Alarms::default(),
            arbiter_wake: None,
            replay_wake: None,
            outbox: VecDeque::new(),
            turn: Turn::default(),
            version: 0,
            chunk: CHUNK,
            asking: Vec::new(),
            orders: Vec::new(),
            datagram: [0; message::SIZE_MAX],
            flow: 0,
            generation: 0,
            range: Range::new(0),
            trunks: Vec::new(),
            ranges: BTreeMap::new(),
            behind: BTreeMap::new(),
            uplink: None,
            now: Time::ZERO,
            counters: Counters::default(),
        }
    }

    /// The same call in a node with trunks. If its home is another system, that system arbitrates.
    pub fn spanning(self, span: Span) -> Call<A> {
        let Span { flow, generation, range, home } = span;
        let uplink = home.map(|home| Uplink::new(home.trunk, &home.group, home.start));
        let arbiter = match uplink {
            Some(_) => Arbiter::home(self.settings.floor),
            None => Arbiter::own(self.settings.floor),
        };
        let mut call = Call { flow, generation, range, uplink, arbiter, ..self };
        // Nothing is known of the home before the trunk says that it stands.
        call.arbiter.about_home(non_controlling::Input::Lost, Time::ZERO);
        call.settle();
        call
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
            Input::Leave { slot } => _ = self.leave(slot),
            Input::Ask { slot, token, action } => self.ask(slot, token, action),
            Input::Trunk { from, what } => self.trunk_says(from, what),
            Input::Expel { trunk, reference, cause } => self.expel(trunk, reference, cause),
            Input::Configure(settings) => self.configure(settings),
            Input::Lost { part } => self.lose(part),
            Input::Through { part, leaves } => self.pass(part, leaves),
            Input::Gone { part } => self.give_up(part),
            Input::Timer => self.expire_due(),
        }
    }

    /// The next thing to do; `Wake` once nothing is left, as often as asked.
    pub fn poll(&mut self) -> Output<'_, A> {
        self.next_output()
    }

    /// Whether other calls of the same driver have media of their own, and wait while this one's is sent.
    pub fn in_company(&mut self, company: bool) {
        self.chunk = if company { CHUNK_IN_COMPANY } else { CHUNK };
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

    /// What has to be written to other systems when the call ends: that it has, or that nobody here takes part any more.
    pub fn farewell(&self) -> Vec<(TrunkId, wire::Frame)> {
        let frame = |what| wire::Frame { what: Some(what) };
        let ended = |subscriber: &Subscriber| {
            let ended = wire::Ended { flow: subscriber.flow, cause: "call-ended".into() };
            (subscriber.trunk, frame(wire::frame::What::Ended(ended)))
        };
        let leaves = self.uplink.as_ref().and_then(|uplink| {
            let unsubscribe = wire::Unsubscribe { flow: uplink.home_flow? };
            Some((uplink.trunk, frame(wire::frame::What::Unsubscribe(unsubscribe))))
        });
        self.trunks.iter().map(ended).chain(leaves).collect()
    }

    fn trunk_says(&mut self, from: TrunkId, what: FromTrunk<'_>) {
        let is_home = self.uplink.as_ref().is_some_and(|uplink| uplink.trunk == from);
        if is_home {
            self.trunk_heard(from);
        }
        match what {
            FromTrunk::Restarted => self.home_restarted(from),
            FromTrunk::Up => self.trunk_up(from),
            FromTrunk::Lost => self.trunk_lost(from),
            FromTrunk::Heard => {}
            FromTrunk::RoundTrip(round_trip) => self.round_trip(from, round_trip),
            FromTrunk::Frame(what) if is_home => self.frame_from_home(what),
            FromTrunk::Frame(what) => self.frame_from_partner(from, what),
            FromTrunk::Floor { packet, holder, talker } if is_home => self.floor_from_home(&packet, holder, talker),
            FromTrunk::Floor { packet, .. } => self.floor_from_partner(from, &packet),
            FromTrunk::Media(packet) if is_home => self.media_from_home(&packet),
            FromTrunk::Media(packet) => self.media_from_partner(from, &packet),
            FromTrunk::Backfill(packet) if is_home => self.backfill_from_home(packet.as_ref()),
            FromTrunk::Backfill(_) => self.counters.misdirected += 1,
        }
    }

    fn configure(&mut self, settings: Settings) {
        self.next_settings = Some(settings);
        self.arbiter.handle(general::Input::Configure(settings.floor), self.now);
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
