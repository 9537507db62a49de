//! What a call says.

use alloc::{boxed::Box, string::String};

use super::{Change, Part, media, trunks::Announced};
use crate::{
    Order, Slot, Ssrc, Time, TrunkId,
    distributor::SliceEpoch,
    floor::{cause::DenyCause, general, participant},
    late_entry::Facts,
    retention::Retention,
    trunk::{Overstep, Range, wire},
};

/// What to do.
#[derive(Debug)]
pub enum Output<'a, A> {
    /// Send a floor message to one participant.
    Floor {
        /// Its floor address.
        to: A,
        /// The datagram.
        message: &'a [u8],
    },
    /// Send retained packets to one participant, in this order.
    Replay {
        /// Whose leg.
        slot: Slot,
        /// Its RTP address.
        to: A,
        /// Which packets of `kept`.
        orders: &'a [Order],
        /// Where they stand.
        kept: &'a Retention,
    },
    /// Send one live packet to these addresses.
    Distribute {
        /// Its order number.
        order: Order,
        /// The state of the slice under which it began.
        epoch: SliceEpoch,
        /// The datagram.
        packet: &'a [u8],
        /// Where to.
        targets: &'a [A],
        /// Whose addresses these are.
        slots: &'a [Slot],
    },
    /// Tell a part who is in its slice. Whatever is said to one part reaches it in the order in which it is said here.
    Slice {
        /// Which part.
        part: Part,
        /// What changes.
        change: Change<'a, A>,
    },
    /// Hand one live packet to a part, which sends it to everybody in its slice.
    Hand {
        /// Which part.
        part: Part,
        /// Its order number.
        order: Order,
        /// The state of the slice for which it is meant.
        epoch: SliceEpoch,
        /// The datagram.
        packet: &'a [u8],
    },
    /// A participant has entered, or its leg is replaced: everything that leaves at once has been handed out.
    Entered {
        /// Where.
        slot: Slot,
        /// Number of its entry.
        entry: u64,
        /// What it is told.
        facts: Facts,
    },
    /// Answer to `Ask`.
    Answer {
        /// As it came.
        token: u64,
        /// What was decided.
        answer: Answer,
    },
    /// Write to a trunk's relay.
    Frame {
        /// Which trunk.
        to: TrunkId,
        /// What to write.
        frame: Box<wire::Frame>,
    },
    /// Send one live packet over a trunk, once for everybody behind it.
    Forward {
        /// Which trunk.
        to: TrunkId,
        /// The call's number at the other end.
        flow: u32,
        /// The datagram.
        packet: &'a [u8],
    },
    /// Send these retained packets over a trunk, in this order, on the call's backfill stream.
    Backfill {
        /// Which trunk.
        to: TrunkId,
        /// The call's number at the other end.
        flow: u32,
        /// Which packets of `kept`.
        orders: &'a [Order],
        /// Where they stand.
        kept: &'a Retention,
        /// Whether the stream ends with them.
        done: bool,
    },
    /// A partner announces a participant: control lets it in by the roster, or expels it.
    Announced {
        /// Which trunk it is behind.
        trunk: TrunkId,
        /// Who.
        announced: Box<Announced>,
    },
    /// A participant behind a trunk has left: control takes it out of the roster.
    Departed {
        /// Which trunk it was behind.
        trunk: TrunkId,
        /// What the partner called it.
        reference: u32,
    },
    /// The home has told everything: participants can enter, with SSRCs of this range.
    Ready {
        /// The SSRCs of this system in the call.
        range: Range,
    },
    /// The home does not serve this call, or no longer; a word from the cause table.
    Refused {
        /// Why.
        cause: String,
    },
    /// The home does not let a participant in, or takes it out: control takes it out of the roster.
    Expelled {
        /// Whose.
        slot: Slot,
        /// Number of its entry.
        entry: u64,
        /// Why.
        cause: String,
    },
    /// Neither this system nor the home has these packets any more, or the home did not bring them in time; extended numbers of the
    /// home.
    Missed {
        /// Whose media.
        ssrc: Ssrc,
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// A partner did in this call what it may not. It was answered, or counted; whoever keeps a record notes it.
    Overstepped {
        /// Which trunk it came over.
        trunk: TrunkId,
        /// What it concerns.
        what: Overstep,
        /// Why it was refused, in a word.
        cause: &'static str,
        /// More of it, for people.
        detail: String,
    },
    /// Nobody asked for the floor during the hang time.
    Inactive,
    /// A leg was silent for longer than it lives.
    Expired {
        /// Whose.
        slot: Slot,
        /// Number of its entry.
        entry: u64,
    },
    /// Nothing else is left to do until then.
    Wake(Option<(Time, Why)>),
}

/// What was decided about an `Ask`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It may talk for so many seconds.
    Granted(u16),
    /// It waits at this place, 1 is next.
    Queued(u8),
    /// It was refused.
    Denied(DenyCause),
    /// It has and wants the floor no longer.
    Released,
    /// It is not in the call.
    Left,
}

/// The timer that asks to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The floor of the call.
    Floor(general::Why),
    /// The floor towards one participant.
    Participant(participant::Why),
    /// A late-entry floor message lacks its Floor Ack.
    Acknowledgement,
    /// A leg may have been silent too long.
    Expiry,
    /// Retained media is paced.
    Replay,
    /// A backfill takes too long.
    Backfill,
    /// An SSRC may have been withheld too long.
    Withhold,
}

/// What happened in the call that nobody asked for, counted since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Media packets given an order number.
    pub media: u64,
    /// Packets that retention let go of before every participant had them.
    pub overrun: u64,
    /// Packets that a participant did not get because the mail of the worker that sends to it was full.
    pub worker_full: u64,
    /// Packets that retention let go of before a newcomer had them.
    pub overtaken: u64,
    /// Late-entry floor messages that nobody acknowledged.
    pub unconfirmed: u64,
    /// Talkers that do not stop although Floor Revoke was repeated to its limit.
    pub unheeded: u64,
    /// Floor messages that only a server sends.
    pub misdirected: u64,
    /// Participants entered, replaced legs included.
    pub entered: u64,
    /// Packets sent over trunks, each counted once per trunk.
    pub forwarded: u64,
    /// Packets kept that came from the home, backfill included.
    pub from_trunk: u64,
    /// Packets sent or taken as backfill.
    pub backfilled: u64,
    /// Packets that retention let go of before a trunk had them.
    pub trunk_overtaken: u64,
    /// Packets that neither this system nor the home had any more when the trunk came back.
    pub backfill_missed: u64,
    /// Packets of our own talkers that the home did not get while it was out of reach.
    pub unheard: u64,
    /// Media that does not leave, by [`Drop::index`](media::Drop::index).
    pub dropped: [u64; media::Drop::COUNT],
}
