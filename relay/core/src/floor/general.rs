//! The floor of one call: 'general floor control operation', TS 24.380 §6.3.4.
//!
//! One machine per call decides who may talk. It speaks in meanings (granted, taken, idle, …); the machine of each
//! participant and the wire turn them into messages. It knows participants by a copyable key `P` and counts them; the
//! caller says `Entered` once before, and `Left` once after, everything else that it says of a participant.
//!
//! Not here yet: audio cut-in, broadcast, dual floor, multi-talker, temporary groups.

mod arbitration;
mod burst;
mod expiry;

use alloc::collections::VecDeque;

use super::cause::{DenyCause, RevokeCause};
pub use super::queue::{Class, Level};
use super::queue::{Entry, Queue};
use super::settings::Settings;
use crate::time::{Millis, Time};

/// What the machine is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<P> {
    /// The call is set up, perhaps with the originator's implicit request.
    SetUp {
        /// The request that came with the call.
        implicit: Option<Request<P>>,
    },
    /// A participant entered.
    Entered(P),
    /// A participant asks for the floor.
    Request(Request<P>),
    /// A participant gives the floor or its place in the queue back.
    Release(P),
    /// Media came from a participant that may send.
    Media(P),
    /// A participant left.
    Left(P),
    /// A participant asks for its place in the queue.
    QueuePositionRequest(P),
    /// New settings; they count from the next burst.
    Configure(Settings),
    /// The call is released.
    ReleaseCall,
    /// The time that the last `Wake` named has come.
    Timer,
}

/// A request for the floor, with what was negotiated for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<P> {
    /// Who asks.
    pub from: P,
    /// Class of the request.
    pub class: Class,
    /// Effective priority: already capped by what was negotiated.
    pub priority: u8,
    /// Whether this client negotiated queueing.
    pub queueing: bool,
    /// Whether this user may only listen.
    pub receive_only: bool,
    /// Whether the request came with entering, not from a button. It is granted to the only participant; a Deny 1 of it
    /// may stay off the wire, because late entry has sent Floor Taken (§6.3.5.2.2).
    pub implicit: bool,
    /// Round trip of the trunk that it came over, at most 2 s; T1 and T3 of its burst grow by it. 0: it came from a client.
    pub extra: Millis,
}

/// What the machine wants done, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Output<P> {
    /// Opens distribution for a talker, or closes it. Comes before the messages that tell of it.
    Talker(Option<Grant<P>>),
    /// Floor Granted.
    Granted {
        /// The talker.
        to: P,
        /// How long it may talk from now on. Seconds.
        duration_s: u16,
        /// Priority that the floor was granted with.
        priority: u8,
    },
    /// Floor Taken to everybody but the talker.
    Taken {
        /// The talker.
        by: P,
    },
    /// Floor Idle to everybody.
    Idle,
    /// Floor Deny.
    Deny {
        /// Who asked.
        to: P,
        /// Why not.
        cause: DenyCause,
    },
    /// The request waits: Floor Queue Position Info.
    Queued {
        /// Who asked.
        to: P,
        /// 1 is next, 255 unknown.
        position: u8,
        /// Priority of the waiting request.
        priority: u8,
        /// False: queueing was not negotiated, nothing goes on the wire.
        tell: bool,
    },
    /// Answer to a position request of somebody who does not wait (254 on the wire).
    NotQueued {
        /// Who asked.
        to: P,
    },
    /// Floor Revoke.
    Revoke {
        /// The talker.
        to: P,
        /// Why.
        cause: RevokeCause,
    },
    /// The hang time is over (T4); control decides whether the call ends. T4 runs again.
    Inactive,
    /// Nothing else is left to do until then.
    Wake(Option<(Time, Why)>),
}

/// The timer that asks to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// Silence of the talker.
    T1,
    /// The burst is too long.
    T2,
    /// Grace after a revoke.
    T3,
    /// Hang time.
    T4,
    /// Floor Idle again.
    T7,
    /// Floor Granted again.
    T20,
    /// The home system was not heard for as long as a grant behind a trunk lives.
    Lease,
}

/// Proof that the floor was granted. Only the machine makes one; distribution opens for nothing else.
#[derive(Debug, PartialEq, Eq)]
pub struct Grant<P> {
    holder: P,
    number: u64,
}

impl<P: Copy> Grant<P> {
    /// The mirror of a grant that the home system has made.
    pub(super) fn lease(holder: P, number: u64) -> Grant<P> {
        Grant { holder, number }
    }

    /// Who may talk.
    pub fn holder(&self) -> P {
        self.holder
    }

    /// Number of this grant in its call; a later grant has a greater one.
    pub fn number(&self) -> u64 {
        self.number
    }
}

/// State of the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State<P> {
    /// The call is not set up.
    StartStop,
    /// Nobody talks.
    Idle,
    /// Somebody talks.
    Taken {
        /// The talker.
        holder: P,
    },
    /// The talker was told to stop; its media still leaves.
    PendingRevoke {
        /// The talker.
        holder: P,
        /// Why it has to stop.
        cause: RevokeCause,
    },
    /// The call is being released; the machine is of no more use.
    Releasing,
}

/// The floor machine of one call.
#[derive(Debug)]
pub struct General<P> {
    phase: Phase<P>,
    since: Time,
    queue: Queue<P>,
    participants: u32,
    grants: u64,
    settings: Settings,
    configured: Option<Settings>,
    outputs: VecDeque<Output<P>>,
}

#[derive(Clone, Copy, Debug)]
enum Phase<P> {
    StartStop,
    Idle(Silence),
    Taken(Burst<P>),
    PendingRevoke(Burst<P>, Revoking),
    Releasing,
}

/// What runs while nobody talks. `sent` is C7.
#[derive(Clone, Copy, Debug)]
struct Silence {
    t4: Option<Time>,
    t7: Option<Time>,
    sent: u8,
}

/// One talk burst. `granted` is C20.
#[derive(Clone, Copy, Debug)]
struct Burst<P> {
    holder: P,
    level: Level,
    extra: Millis,
    t1: Time,
    t2: Option<Time>,
    t20: Option<Time>,
    granted: u8,
}

#[derive(Clone, Copy, Debug)]
struct Revoking {
    cause: RevokeCause,
    t3: Time,
}

impl<P: Copy + Ord> General<P> {
    /// The machine of a call that is not set up yet.
    pub fn new(settings: Settings) -> General<P> {
        General {
            phase: Phase::StartStop,
            since: Time::ZERO,
            queue: Queue::new(settings.queue_limit),
            participants: 0,
            grants: 0,
            settings,
            configured: None,
            outputs: VecDeque::with_capacity(8),
        }
    }

    /// Tells the machine something. Total: what has no procedure in the current state is discarded (§6.3.4.1).
    pub fn handle(&mut self, input: Input<P>, now: Time) {
        match input {
            Input::Media(from) => self.media(from, now),
            Input::Timer => self.expire_due(now),
            Input::SetUp { implicit } => self.set_up(implicit, now),
            Input::Entered(_) => self.participants += 1,
            Input::Request(request) => self.request(request, now),
            Input::Release(from) => self.release(from, now),
            Input::Left(from) => {
                self.participants = self.participants.saturating_sub(1);
                self.release(from, now);
            }
            Input::QueuePositionRequest(from) => self.tell_position(from),
            Input::Configure(settings) => self.configure(settings),
            Input::ReleaseCall => self.release_call(now),
        }
    }

    /// The next thing to do; `Wake` once nothing is left, as often as asked.
    pub fn poll(&mut self) -> Output<P> {
        self.outputs.pop_front().unwrap_or_else(|| Output::Wake(self.next()))
    }

    /// State of the floor.
    pub fn state(&self) -> State<P> {
        match &self.phase {
            Phase::StartStop => State::StartStop,
            Phase::Idle(_) => State::Idle,
            Phase::Taken(burst) => State::Taken { holder: burst.holder },
            Phase::PendingRevoke(burst, revoking) => {
                State::PendingRevoke { holder: burst.holder, cause: revoking.cause }
            }
            Phase::Releasing => State::Releasing,
        }
    }

    /// When the floor came into its state; a new talker is a new state.
    pub fn since(&self) -> Time {
        self.since
    }

    /// Who may send media, also while the floor is being revoked.
    pub fn holder(&self) -> Option<P> {
        match &self.phase {
            Phase::Taken(burst) | Phase::PendingRevoke(burst, _) => Some(burst.holder),
            Phase::StartStop | Phase::Idle(_) | Phase::Releasing => None,
        }
    }

    /// Who waits.
    pub fn queue(&self) -> &Queue<P> {
        &self.queue
    }

    /// Participants that entered and did not leave.
    pub fn participants(&self) -> u32 {
        self.participants
    }

    /// How long the talker may go on: the rest of T2, all of it before the first packet. None if nobody may.
    pub fn remaining(&self, now: Time) -> Option<Millis> {
        match &self.phase {
            Phase::Taken(burst) => Some(burst.t2.map_or(self.max_burst(), |t2| t2.since(now))),
            _ => None,
        }
    }

    fn set_up(&mut self, implicit: Option<Request<P>>, now: Time) {
        if !matches!(self.phase, Phase::StartStop) {
            return;
        }
        match implicit {
            Some(request) if !request.receive_only => {
                self.begin(&request.entry(), Origin::Asked, now);
            }
            Some(request) => {
                self.deny(request.from, DenyCause::ReceiveOnly);
                self.fall_idle(now);
            }
            None => self.fall_idle(now),
        }
    }

    fn configure(&mut self, settings: Settings) {
        self.configured = Some(settings);
        if matches!(self.phase, Phase::StartStop) {
            self.adopt();
        }
    }

    fn adopt(&mut self) {
        if let Some(settings) = self.configured.take() {
            self.settings = settings;
            self.queue.set_limit(settings.queue_limit);
        }
    }

    //= TS 24.380 §6.3.4.4.2  the talker is told first, then everybody else; only a queued grant is repeated
    fn begin(&mut self, &Entry { from: holder, level, extra, .. }: &Entry<P>, origin: Origin, now: Time) {
        self.adopt();
        self.grants += 1;
        let timers = self.settings.timers;
        let repeats = origin == Origin::Queue && timers.c20 > 1;
        let t20 = repeats.then(|| now + timers.t20);
        let burst =
            Burst { holder, level, extra, t1: now + burst::silence_max(timers.t1, extra), t2: None, t20, granted: 1 };
        self.enter(Phase::Taken(burst), now);
        self.outputs.push_back(Output::Talker(Some(Grant { holder, number: self.grants })));
        self.tell_granted(&burst, now);
        self.outputs.push_back(Output::Taken { by: holder });
    }

    fn enter(&mut self, phase: Phase<P>, now: Time) {
        self.phase = phase;
        self.since = now;
    }

    fn max_burst(&self) -> Millis {
        Millis::from_secs(u32::from(self.settings.max_burst_s.max(1)))
    }
}

/// Where a grant came from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Asked,
    Queue,
}

impl<P: Copy> Request<P> {
    /// What arbitration compares.
    pub fn level(&self) -> Level {
        Level { class: self.class, priority: self.priority }
    }

    fn entry(&self) -> Entry<P> {
        Entry { from: self.from, level: self.level(), tell: self.queueing, preempts: false, extra: self.extra }
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
pub(super) mod tests;
