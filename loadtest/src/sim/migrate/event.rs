//! What happens in the simulated world, and what has to be done about it at once.

use control_core::{
    Refused,
    group::Standing,
    system::{self, Answer, Ask, Record},
};
use relay_core::{
    Slot, Ssrc,
    call::Announced,
    roster::Participant,
    trunk::{link, wire},
};

use crate::capture::Channel;

/// What a face shows of a client that entered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shown {
    /// Its entry, unique in the world.
    pub(super) entry: u64,
    pub(super) group: usize,
    pub(super) ssrc: Ssrc,
}

/// Why a device asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Authorize,
    /// For tickets only: it is affiliated already.
    Tickets,
    Affiliate,
    Read,
    Refresh,
    Deaffiliate,
    Deauthorize,
    Migrate,
    ReadMove,
    /// It enters the call of this group by itself.
    Start(usize),
    /// It gives up what it has and stays where it is.
    Pause,
}

/// What happens at a point in time.
#[derive(Debug)]
pub(super) enum Event {
    /// The next random step.
    Step,
    /// A device's question is at a node.
    Ask { node: usize, device: usize, turn: u64, why: Why, ask: Ask },
    /// The answer is at the device, which has not changed its mind since the question of this turn.
    Answered { device: usize, turn: u64, why: Why, answer: Box<Result<Answer<Shown>, Refused>> },
    /// A write is durable, unless the process that wrote it has ended.
    Stored { node: usize, life: u64, number: u64, records: Vec<Record> },
    /// A datagram is at a node.
    Up { entry: u64, channel: Channel, bytes: Vec<u8> },
    /// A datagram is at a device.
    Down { entry: u64, channel: Channel, bytes: Vec<u8> },
    /// The home had its time to take a call in.
    JoinLate(u64),
    /// Nobody may be on its way to this call any more.
    GraceOver(u64),
    /// The systems look for each other.
    Dial,
    /// What was cut is whole again.
    Heal,
    /// A device waits no longer for what it asked.
    Impatient { device: usize, turn: u64 },
    /// A device looks what has become of what it had.
    Look { device: usize, turn: u64 },
}

/// What a call is told, in a form that can wait.
#[derive(Debug)]
pub(super) enum Say {
    Enter(Slot, u64, Box<Participant>),
    Replace(Slot, u64, Box<Participant>),
    Leave(Slot),
    Media(Slot, Vec<u8>),
    Floor(Slot, Vec<u8>),
    Heard(Slot),
    Up,
    Lost,
    Lives,
    RoundTrip(relay_core::Millis),
    Frame(wire::frame::What),
    Carried(Vec<u8>),
    Backfill(Option<Vec<u8>>),
    Expel(u32, &'static str),
    Timer,
}

/// What has to be done at once, in this order.
#[derive(Debug)]
pub(super) enum Deed {
    /// Tell the rules of a node.
    System(usize, system::Input<Shown>),
    /// Tell a call.
    Call(u64, Say),
    /// Tell the link of a node.
    Link(usize, link::Input),
    /// Begin the next enter or leave of a client.
    Turn(usize, ClientOf),
}

/// A client in a group: its enters and leaves take turns.
pub(super) type ClientOf = (String, String, usize);

/// Who asked the rules of a node.
#[derive(Debug)]
pub(super) enum Asker {
    Device {
        device: usize,
        turn: u64,
        why: Why,
    },
    /// A partner wants a call, over this connection.
    Subscribe {
        line: u64,
        ask: wire::Subscribe,
    },
    /// A partner announces a participant.
    Announce {
        call: u64,
        line: u64,
        announced: Box<Announced>,
    },
}

/// An enter or a leave that waits for its turn.
#[derive(Debug)]
pub(super) enum Turn {
    Enter(Box<Entering>),
    Leave { number: u64, moving: bool },
}

/// A client on its way into a call.
#[derive(Clone, Debug)]
pub(super) struct Entering {
    pub(super) to: Option<EnterFor>,
    pub(super) home: Option<usize>,
    pub(super) leg: relay_core::roster::Attachment,
    pub(super) ssrc: Option<Ssrc>,
    pub(super) priority: u8,
    pub(super) queueing: bool,
    pub(super) resume: Vec<relay_core::late_entry::ResumePoint>,
    pub(super) standing: Standing,
    pub(super) start: bool,
    pub(super) attempts: u8,
    /// Whether it opened the call that it waits for.
    pub(super) opened: bool,
}

/// Who wants to hear what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EnterFor {
    /// The rules, by this number.
    Rules(u64),
    /// A device that enters by itself.
    Device(usize, u64),
}
