//! The floor of a call whose arbiter is another MC system: 'non-controlling function', TS 24.380 §6.5.
//!
//! The twin of `general::General` on the other side of a trunk. It decides nothing: what participants of this system ask goes
//! up to the home system, and what the home says is mirrored to them, in the same words. A grant behind a trunk is a lease:
//! when the home is not heard for `LEASE`, the talker is stopped, the floor is idle here, and requests are denied until it
//! is heard again. There is never a second arbiter.
//!
//! The home's words come in the order in which it said them, and each request has one answer. A talker whose floor ended may
//! have asked again before the home heard its release; what the home says then still comes in order.

mod asking;
mod lease;
mod mirror;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use super::cause::{DenyCause, RevokeCause};
use super::general::{self, Level};
pub use super::general::{Request, State, Why};
use super::settings::{Settings, Timers};
use crate::time::{Millis, Time};

/// A home system that was not heard for so long is not reachable: leases end, requests are denied.
pub const LEASE: Millis = Millis(3_000);

/// How long a repeated request is taken for the one under way. A client repeats within 6 s (T101, C101), so what comes later
/// is a new wish, and goes up also if the home never answered the first.
pub const ABSORB: Millis = Millis(6_000);

/// What the machine is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<P> {
    /// What happened in this system, as the general machine is told it.
    Local(general::Input<P>),
    /// What the home says. Counts as `Heard`.
    Home(FromHome<P>),
    /// Anything came from the home.
    Heard,
    /// The trunk is down: the home has forgotten what it was asked.
    Lost,
    /// The trunk stands again and the call is subscribed to; the home says next how the floor is.
    Back,
}

/// What the home says about the floor, references resolved to participants of this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromHome<P> {
    /// One of ours may talk, or may go on.
    Granted {
        /// The talker.
        to: P,
        /// How long it may talk. Seconds.
        duration_s: u16,
        /// Priority that the floor was granted with.
        priority: u8,
    },
    /// Somebody talks.
    Taken {
        /// Who, if it is one of ours.
        by: Option<P>,
    },
    /// Nobody talks.
    Idle,
    /// A request is refused.
    Deny {
        /// Who asked.
        to: P,
        /// Why not.
        cause: DenyCause,
    },
    /// The talker has to stop.
    Revoke {
        /// The talker.
        to: P,
        /// Why.
        cause: RevokeCause,
    },
    /// A request waits.
    Queued {
        /// Who asked.
        to: P,
        /// 1 is next, 255 unknown.
        position: u8,
        /// Priority of the waiting request.
        priority: u8,
    },
    /// Who asked for its position does not wait.
    NotQueued {
        /// Who asked.
        to: P,
    },
}

/// What the home is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToHome<P> {
    /// Floor Request.
    Request(Request<P>),
    /// Floor Release: of the floor, of a place in the queue, or of a grant that nobody wants any more.
    Release {
        /// Whose.
        from: P,
    },
    /// Floor Queue Position Request.
    QueuePositionRequest {
        /// Who asks.
        from: P,
    },
}

/// What the machine wants done, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Output<P> {
    /// As the general machine says it; never its `Wake` nor its `Inactive`.
    Local(general::Output<P>),
    /// This participant gave the floor back. Its own machine is told Idle, so that its media ends with the tail; nothing goes
    /// on the wire, and the others hear nothing before the home has said what comes next.
    Stopped(P),
    /// Goes up to the home.
    Home(ToHome<P>),
    /// Nothing else is left to do until then.
    Wake(Option<(Time, Why)>),
}

/// What happened at the edge to the home, counted since the call began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests that were repeated while the first one was under way.
    pub absorbed: u64,
    /// Requests denied because the home system is not reachable, those that were under way or waited included.
    pub unreachable: u64,
    /// Bursts that ended because the home was not heard.
    pub lapsed: u64,
    /// Grants for somebody who did not want the floor any more, answered with a release.
    pub unwanted: u64,
}

/// The floor machine of one call whose arbiter is the home system.
#[derive(Debug)]
pub struct NonControlling<P> {
    phase: Phase<P>,
    since: Time,
    link: Link,
    /// Stands for every talker of another system.
    elsewhere: P,
    /// At most one entry per participant.
    asked: BTreeMap<P, Asked<P>>,
    /// Participants whose grant or request ended here while the home was silent: it is told when it is heard again.
    owed: BTreeSet<P>,
    participants: u32,
    grants: u64,
    timers: Timers,
    counters: Counters,
    outputs: VecDeque<Output<P>>,
}

#[derive(Clone, Copy, Debug)]
enum Phase<P> {
    StartStop,
    Idle,
    Elsewhere,
    /// One of ours was the last talker that everybody heard of, and may not talk: it has given the floor back, or the home
    /// takes it for the talker although it is not.
    Stopped(P),
    Taken(Burst<P>),
    PendingRevoke(Burst<P>, RevokeCause),
    Releasing,
}

/// One talk burst of ours. `granted` is C20.
#[derive(Clone, Copy, Debug)]
struct Burst<P> {
    holder: P,
    /// Of the request that was granted.
    level: Level,
    /// With which the home granted it.
    priority: u8,
    duration: Millis,
    /// Once the first packet has come. The home ends the burst (T2), not this machine.
    ends: Option<Time>,
    t20: Option<Time>,
    granted: u8,
}

/// What is known of the home. Whoever joins has subscribed and was not told yet how the floor is.
#[derive(Clone, Copy, Debug)]
enum Link {
    Down,
    Joining { heard: Time },
    Standing { heard: Time },
    Silent { joined: bool, elsewhere: bool },
}

/// A request of ours.
#[derive(Clone, Copy, Debug)]
struct Asked<P> {
    request: Request<P>,
    stage: Stage,
    /// Requests that went up and were not answered: more than one only if a later one outranks the first.
    unanswered: u32,
    /// When the last of them went up.
    sent: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Goes up as soon as the home has said how the floor is.
    Held,
    UnderWay,
    Waiting,
    /// Released while under way: a grant will be answered with a release.
    GaveUp,
}

impl<P: Copy + Ord> NonControlling<P> {
    /// The machine of a call that has just been subscribed to. `elsewhere` is the key of every talker of another system.
    pub fn new(settings: Settings, elsewhere: P, now: Time) -> NonControlling<P> {
        NonControlling {
            phase: Phase::StartStop,
            since: Time::ZERO,
            link: Link::Joining { heard: now },
            elsewhere,
            asked: BTreeMap::new(),
            owed: BTreeSet::new(),
            participants: 0,
            grants: 0,
            timers: settings.timers,
            counters: Counters::default(),
            outputs: VecDeque::with_capacity(8),
        }
    }

    /// Tells the machine something. Total: what has no procedure in the current state is discarded.
    pub fn handle(&mut self, input: Input<P>, now: Time) {
        self.expire_lease(now);
        match input {
            Input::Local(input) => self.local(input, now),
            Input::Home(word) => self.mirror(word, now),
            Input::Heard => self.hear(now),
            Input::Lost => self.lose(Link::Down, now),
            Input::Back => self.join(now),
        }
    }

    /// The next thing to do; `Wake` once nothing is left, as often as asked.
    pub fn poll(&mut self) -> Output<P> {
        self.outputs.pop_front().unwrap_or_else(|| Output::Wake(self.next()))
    }

    /// State of the floor as participants know it. A talker that gave the floor back stays in it until the home says more.
    pub fn state(&self) -> State<P> {
        match self.phase {
            Phase::StartStop => State::StartStop,
            Phase::Idle => State::Idle,
            Phase::Elsewhere => State::Taken { holder: self.elsewhere },
            Phase::Stopped(holder) => State::Taken { holder },
            Phase::Taken(burst) => State::Taken { holder: burst.holder },
            Phase::PendingRevoke(burst, cause) => State::PendingRevoke { holder: burst.holder, cause },
            Phase::Releasing => State::Releasing,
        }
    }

    /// When the floor came into its state; a new talker is a new state.
    pub fn since(&self) -> Time {
        self.since
    }

    /// Who may send media, also while the floor is being revoked: one of ours, or `elsewhere`.
    pub fn holder(&self) -> Option<P> {
        match self.phase {
            Phase::Elsewhere => Some(self.elsewhere),
            _ => self.burst().map(|burst| burst.holder),
        }
    }

    /// Participants of this system whose request waits at the home.
    pub fn queue_len(&self) -> usize {
        self.asked.values().filter(|asked| asked.stage == Stage::Waiting).count()
    }

    /// Whether this participant waits at the home.
    pub fn waits(&self, from: P) -> bool {
        self.asked.get(&from).is_some_and(|asked| asked.stage == Stage::Waiting)
    }

    /// Whether this participant's request was not answered yet.
    pub fn is_under_way(&self, from: P) -> bool {
        self.asked.get(&from).is_some_and(|asked| matches!(asked.stage, Stage::Held | Stage::UnderWay))
    }

    /// Whether the home system is. A Deny 255 while it is not says so: "home system not reachable".
    pub fn is_reachable(&self) -> bool {
        matches!(self.link, Link::Joining { .. } | Link::Standing { .. })
    }

    /// Participants that entered and did not leave.
    pub fn participants(&self) -> u32 {
        self.participants
    }

    /// How long the talker may go on, if it is one of ours; all of it before the first packet.
    pub fn remaining(&self, now: Time) -> Option<Millis> {
        match &self.phase {
            Phase::Taken(burst) => Some(burst.rest(now)),
            _ => None,
        }
    }

    /// What happened since the call began.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    fn local(&mut self, input: general::Input<P>, now: Time) {
        match input {
            general::Input::Media(from) => self.media(from, now),
            general::Input::Timer => self.expire_due(now),
            general::Input::SetUp { implicit } => self.set_up(implicit, now),
            general::Input::Entered(_) => self.participants += 1,
            general::Input::Request(request) => self.request(request, now),
            general::Input::Release(from) => self.release(from),
            general::Input::Left(from) => self.leave(from),
            general::Input::QueuePositionRequest(from) => self.ask_position(from),
            general::Input::Configure(settings) => self.timers = settings.timers,
            general::Input::ReleaseCall => self.release_call(now),
        }
    }

    fn burst(&self) -> Option<&Burst<P>> {
        match &self.phase {
            Phase::Taken(burst) | Phase::PendingRevoke(burst, _) => Some(burst),
            _ => None,
        }
    }

    fn enter(&mut self, phase: Phase<P>, now: Time) {
        self.phase = phase;
        self.since = now;
    }

    /// Closes the gate, if it is open for one of ours.
    fn close(&mut self) {
        if self.burst().is_some() {
            self.say(general::Output::Talker(None));
        }
    }

    fn say(&mut self, output: general::Output<P>) {
        self.outputs.push_back(Output::Local(output));
    }

    fn tell_home(&mut self, word: ToHome<P>) {
        self.outputs.push_back(Output::Home(word));
    }
}

impl<P> Burst<P> {
    fn rest(&self, now: Time) -> Millis {
        self.ends.map_or(self.duration, |ends| ends.since(now))
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
