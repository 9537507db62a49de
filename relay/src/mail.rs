//! Mail from control to a worker: what does not fit into the roster. Bounded; the sender hears when it is full.

use std::sync::Arc;

use bytes::Bytes;
use crossbeam::queue::ArrayQueue;
use relay_core::{
    Millis, Slot, TrunkId,
    call::{Answer, Settings, Span},
    late_entry::{Facts, ResumePoint},
    trunk::{Range, wire::Frame},
};
use relay_table::{Bell, Row};
use tokio::sync::{oneshot, watch};

use crate::{Exhausted, ParticipantFacts, expecting::Gathering, status::StatusWords};

/// Letters that may wait for one worker.
pub(crate) const MAIL_MAX: usize = 4096;

/// Packets of trunks that may wait for one worker: more than a whole retention at the usual rate limit.
pub(crate) const CARRIED_MAX: usize = 16_384;

/// One letter.
#[derive(Debug)]
pub(crate) enum Mail {
    /// A call begins; its roster follows.
    Open(Box<Opening>),
    /// The entry is about to be published; its facts are wanted.
    Expect { row: Row, entry: u64, reply: oneshot::Sender<Facts> },
    /// These entries are about to be published together; their facts are wanted together.
    ExpectMany { row: Row, entries: Vec<u64>, reply: Arc<Gathering> },
    /// The roster has changed; an answer is wanted once nothing can be sent to who has left.
    Settle { row: Row, reply: oneshot::Sender<()> },
    /// A participant asks for the floor through the API.
    Ask { row: Row, slot: Slot, entry: u64, action: relay_core::call::Action, reply: oneshot::Sender<Answer> },
    /// A participant is taken out now; what it was sent last is wanted. Its entry leaves the roster afterwards.
    TakeOut { row: Row, slot: Slot, entry: u64, reply: oneshot::Sender<Vec<ResumePoint>> },
    /// What is the state of the call?
    Describe { row: Row, reply: oneshot::Sender<Facts> },
    /// Who takes part?
    List { row: Row, after: Option<Slot>, limit: usize, reply: oneshot::Sender<Vec<ParticipantFacts>> },
    /// New settings.
    Configure { row: Row, settings: Box<Settings>, urgent: bool },
    /// Something came over a trunk for a call.
    Trunk { row: Row, from: TrunkId, what: TrunkMail },
    /// Control does not let an announced participant in, or takes it out.
    Expel { row: Row, trunk: TrunkId, reference: u32, cause: String },
    /// The worker ends.
    Stop,
}

/// What comes over a trunk and must not be lost.
#[derive(Debug)]
pub(crate) enum TrunkMail {
    /// Before it stands again: the other end has started anew.
    Restarted,
    /// It stands.
    Up,
    /// It stands no longer.
    Lost,
    /// The other end lives.
    Heard,
    /// The round trip was measured.
    RoundTrip(Millis),
    /// A frame for the call.
    Frame(Box<Frame>),
}

/// A packet that came over a trunk.
#[derive(Debug)]
pub(crate) enum Carried {
    /// A live one.
    Media { row: Row, from: TrunkId, packet: Bytes },
    /// One of a backfill; `None`: it is complete.
    Backfill { row: Row, from: TrunkId, packet: Option<Bytes> },
}

/// What a worker has to know of a call before its roster.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) row: Row,
    pub(crate) id: Arc<str>,
    pub(crate) settings: Settings,
    /// Whether it is a call of an emergency.
    pub(crate) urgent: bool,
    pub(crate) floor_ssrc: relay_core::Ssrc,
    pub(crate) status: StatusWords,
    /// What spans systems; `None`: the node has no trunks.
    pub(crate) span: Option<Span>,
    /// Where a partner's call tells that the home has taken it in, or not.
    pub(crate) joined: Option<watch::Sender<Joined>>,
}

/// How far a call has come whose home is another system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// The home has not answered.
    Waiting,
    /// The home's call is mirrored; participants speak under SSRCs of this range.
    Ready(Range),
    /// The home does not serve it, or no longer.
    Refused(String),
}

/// Where letters for one worker go in. Clones go to the same worker.
#[derive(Clone)]
pub(crate) struct Letterbox {
    queue: Arc<ArrayQueue<Mail>>,
    carried: Arc<ArrayQueue<Carried>>,
    bell: Bell,
}

impl Letterbox {
    pub(crate) fn new(bell: Bell) -> Letterbox {
        Letterbox { queue: Arc::new(ArrayQueue::new(MAIL_MAX)), carried: Arc::new(ArrayQueue::new(CARRIED_MAX)), bell }
    }

    /// Puts a letter in and wakes the worker.
    pub(crate) fn send(&self, mail: Mail) -> Result<(), Exhausted> {
        self.post(mail)?;
        self.bell.ring();
        Ok(())
    }

    /// Puts a letter in; whoever does it rings for what comes after it.
    pub(crate) fn post(&self, mail: Mail) -> Result<(), Exhausted> {
        self.queue.push(mail).map_err(|_| Exhausted { limit: "worker.mail", value: MAIL_MAX as u64 })
    }

    /// Puts a packet of a trunk in and wakes the worker.
    pub(crate) fn carry(&self, carried: Carried) -> Result<(), Exhausted> {
        let full = |_| Exhausted { limit: "worker.trunk_packets", value: CARRIED_MAX as u64 };
        self.carried.push(carried).map_err(full)?;
        self.bell.ring();
        Ok(())
    }

    /// Takes the oldest packet of a trunk out; the worker does.
    pub(crate) fn take_carried(&self) -> Option<Carried> {
        self.carried.pop()
    }

    /// What wakes the worker.
    pub(crate) fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Wakes the worker.
    pub(crate) fn ring(&self) {
        self.bell.ring();
    }

    /// Takes the oldest letter out; the worker does.
    pub(crate) fn take(&self) -> Option<Mail> {
        self.queue.pop()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.carried.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}

impl std::fmt::Debug for Letterbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Letterbox({} letters)", self.len())
    }
}
