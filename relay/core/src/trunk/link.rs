//! One trunk as its two relays see it: who is at the other end, whether it is alive, what it may ask for, and which numbers name
//! which calls (docs/proto/trunk.proto).
//!
//! The machine of a pair of systems outlives the connections between them: `Up` begins one and `Down` ends it. Both sides greet,
//! then a heartbeat goes every second; every frame that the calls of either side exchange passes through here, so that this
//! machine knows what is subscribed and announced. It refuses to know what a call does with a frame.
//!
//! What the calls of this side said before a `Lost` must not be handed in after the next `Ready`: it spoke of other
//! subscriptions.

mod home;
mod liveness;
mod partner;
mod quota;
mod routing;

use alloc::{collections::VecDeque, format, string::String};

use self::{home::Home, liveness::Liveness, partner::Partner, quota::Rates};
use super::{
    Overstep,
    frame::Malformed,
    wire::{Frame, Goodbye, Hello, frame::What},
};
use crate::time::{Millis, Time};

pub use liveness::{HEARTBEAT, SILENCE};
pub use quota::{Counters, Limits};

/// The version of the protocol that this machine speaks.
pub const VERSION: u32 = 1;

/// What the machine is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A connection stands: its handshake is complete, and the partner's certificate names the partner.
    Up,
    /// A frame came, checked by [`parse`](super::frame::parse).
    Frame(Frame),
    /// Something came that is no frame.
    Malformed(Malformed),
    /// The calls of this side say this to the partner. `flow` is the receiver's number, as it goes on the wire.
    Local(Frame),
    /// The calls of this side no longer want the call that has this number here, whether its Subscribe was answered or not.
    Withdraw(u32),
    /// This side ends the connection.
    End {
        /// A word for the partner.
        cause: &'static str,
        /// More of it, for people.
        detail: String,
    },
    /// The connection is gone.
    Down,
    /// The time that the last `Wake` named has come.
    Timer,
}

/// What the machine wants done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// This frame goes out.
    Send(Frame),
    /// The partner has greeted: calls may use the trunk. Nothing is subscribed yet.
    Ready {
        /// Which start of the partner's process this is.
        incarnation: u64,
        /// Whether the partner has started anew since the last `Ready`: what its calls knew is gone.
        restarted: bool,
    },
    /// The partner says this to the calls of this side. A flow that it names is one that the partner may use.
    Deliver(Frame),
    /// The partner did what it may not. It was answered, or counted; the trunk goes on. Whoever keeps a record notes it.
    Overstepped {
        /// What it concerns.
        what: Overstep,
        /// Why it was refused, in a word.
        cause: &'static str,
        /// More of it, for people.
        detail: String,
    },
    /// The smoothed time that a frame takes there and back.
    RoundTrip(Millis),
    /// The trunk is of no use until the next `Ready`: every subscription and announcement is gone. Follows a `Ready`, once.
    Lost,
    /// The connection is closed, after what was sent has left.
    Close {
        /// Why, in a word.
        cause: &'static str,
        /// More of it, for people.
        detail: String,
    },
    /// Nothing else is left to do until then.
    Wake(Option<(Time, Why)>),
}

/// The timer that asks to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// The next heartbeat is due.
    Heartbeat,
    /// Nothing was heard.
    Silence,
}

/// How far a trunk has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// No connection.
    Down,
    /// The partner has not greeted yet.
    Greeting,
    /// In use.
    Ready,
    /// The connection was given up, and is not gone yet.
    Closing,
}

/// What this side is to a call that it shares with the partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The call's home: media from the partner are those of its talkers.
    Home,
    /// The home's partner: media are what the home distributes, and backfill.
    Partner,
    /// The home's partner that has no answer yet: packets may have overtaken it.
    Asked,
}

/// The trunk to one partner.
#[derive(Debug)]
pub struct Link {
    own: String,
    partner_system: String,
    incarnation: u64,
    limits: Limits,
    state: State,
    liveness: Liveness,
    last_incarnation: Option<u64>,
    home: Home,
    partner: Partner,
    rates: Rates,
    counters: Counters,
    outputs: VecDeque<Output>,
}

/// Whether the connection that was dialled by us, or by the partner, is the one that stays if both have dialled: it is the
/// one dialled by the lexically smaller system id.
pub fn keeps(own: &str, partner: &str, dialled_by_us: bool) -> bool {
    (own < partner) == dialled_by_us
}

impl Link {
    /// The trunk between the systems `own` and `partner`, without a connection. `incarnation` grows with every start of the
    /// process.
    pub fn new(own: &str, partner: &str, incarnation: u64, limits: Limits) -> Link {
        Link {
            own: own.into(),
            partner_system: partner.into(),
            incarnation,
            limits,
            state: State::Down,
            liveness: Liveness::default(),
            last_incarnation: None,
            home: Home::default(),
            partner: Partner::default(),
            rates: Rates::full(&limits),
            counters: Counters::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Tells the machine something. Total: what means nothing in the current state is counted and dropped.
    pub fn handle(&mut self, input: Input, now: Time) {
        match input {
            Input::Up => self.up(now),
            Input::Frame(frame) => self.frame(frame, now),
            Input::Malformed(fault) => self.fault(fault),
            Input::Local(frame) => self.local(frame),
            Input::Withdraw(own) => self.withdraw(own),
            Input::End { cause, detail } => self.close(cause, detail),
            Input::Down => {
                self.lose();
                self.state = State::Down;
            }
            Input::Timer => self.expire(now),
        }
    }

    /// The next thing to do; `Wake` once nothing is left, as often as asked.
    pub fn poll(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Wake(self.next()))
    }

    /// New limits. What the partner has already stays; rates begin full.
    pub fn limit(&mut self, limits: Limits) {
        if limits != self.limits {
            self.limits = limits;
            self.rates = Rates::full(&limits);
        }
    }

    /// How far the trunk has come.
    pub fn state(&self) -> State {
        self.state
    }

    /// What was counted since the machine was made.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The smoothed time that a frame takes there and back; `None` until it was measured on this connection.
    pub fn round_trip(&self) -> Option<Millis> {
        self.liveness.round_trip()
    }

    /// What this side is to the call that it numbers `own`, if the partner takes part in it: an incoming datagram or stream
    /// names the call so. `None`: the partner may not use this number.
    pub fn role(&self, own: u32) -> Option<Role> {
        if self.home.partner_flow(own).is_some() {
            return Some(Role::Home);
        }
        self.partner.role(own)
    }

    /// How the partner numbers the call that this side numbers `own`: what outgoing frames and datagrams carry.
    pub fn partner_flow(&self, own: u32) -> Option<u32> {
        self.home.partner_flow(own).or_else(|| self.partner.home_flow(own))
    }

    /// Whether the partner has announced a participant as `reference` in the call that this side numbers `own`.
    pub fn announced(&self, own: u32, reference: u32) -> bool {
        self.home.announced(own, reference)
    }

    /// Calls of this system that the partner has subscribed, answered or not.
    pub fn subscriptions(&self) -> usize {
        self.home.subscriptions()
    }

    /// Participants that the partner has announced, in all calls.
    pub fn participants(&self) -> u32 {
        self.home.participants()
    }

    fn up(&mut self, now: Time) {
        self.lose();
        self.state = State::Greeting;
        self.liveness = Liveness::begin(now);
        let (system, version) = (self.own.clone(), VERSION);
        self.send(What::Hello(Hello { system, version, incarnation: self.incarnation }));
    }

    fn frame(&mut self, frame: Frame, now: Time) {
        self.counters.frames += 1;
        if !self.is_open() {
            self.counters.late += 1;
            return;
        }
        if !self.rates.frames.has(1, now) {
            self.counters.flooded += 1;
            let most = self.limits.frames_per_s;
            return self.close("flood", format!("more than {most} frames in a second (trunk.frames_per_s)"));
        }
        self.rates.frames.take(1);
        self.liveness.hear(now);
        match (self.state, frame.what) {
            (_, None) => self.malformed("a frame says nothing that version 1 knows"),
            (_, Some(What::Goodbye(goodbye))) => self.goodbye(&goodbye),
            (State::Greeting, Some(What::Hello(hello))) => self.greet(&hello, now),
            (State::Greeting, Some(_)) => self.malformed("a frame came before Hello"),
            (_, Some(What::Hello(_))) => self.malformed("a second Hello came"),
            (_, Some(What::Heartbeat(heartbeat))) => self.heartbeat(heartbeat, now),
            (_, Some(what)) => self.route(what),
        }
    }

    fn fault(&mut self, fault: Malformed) {
        self.counters.frames += 1;
        if self.is_open() {
            self.malformed(&format!("a frame is malformed: {fault}"));
        } else {
            self.counters.late += 1;
        }
    }

    fn greet(&mut self, hello: &Hello, now: Time) {
        self.counters.link += 1;
        if hello.version != VERSION {
            return self.close("version", format!("version {} was offered, {VERSION} is spoken", hello.version));
        }
        if hello.system != self.partner_system {
            let named = &self.partner_system;
            return self.close("wrong-system", format!("the certificate names {named}, the greeting another system"));
        }
        let incarnation = hello.incarnation;
        let restarted = self.last_incarnation.is_some_and(|last| last != incarnation);
        self.last_incarnation = Some(incarnation);
        self.state = State::Ready;
        self.outputs.push_back(Output::Ready { incarnation, restarted });
        self.beat(now);
    }

    fn goodbye(&mut self, goodbye: &Goodbye) {
        self.counters.link += 1;
        self.lose();
        self.state = State::Closing;
        let detail = format!("{} ends the trunk: {} {}", self.partner_system, goodbye.cause, goodbye.detail);
        self.outputs.push_back(Output::Close { cause: "goodbye", detail });
    }

    fn malformed(&mut self, detail: &str) {
        self.counters.malformed += 1;
        self.close("malformed", detail.into());
    }

    fn close(&mut self, cause: &'static str, detail: String) {
        if !self.is_open() {
            return;
        }
        self.send(What::Goodbye(Goodbye { cause: cause.into(), detail: detail.clone() }));
        self.lose();
        self.state = State::Closing;
        self.outputs.push_back(Output::Close { cause, detail });
    }

    fn lose(&mut self) {
        self.home = Home::default();
        self.partner = Partner::default();
        if self.state == State::Ready {
            self.outputs.push_back(Output::Lost);
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.state, State::Greeting | State::Ready)
    }

    fn send(&mut self, what: What) {
        self.outputs.push_back(Output::Send(Frame { what: Some(what) }));
    }

    fn overstepped(&mut self, what: Overstep, cause: &'static str, detail: String) {
        self.outputs.push_back(Output::Overstepped { what, cause, detail });
    }

    fn deliver(&mut self, what: What) {
        self.counters.delivered += 1;
        self.outputs.push_back(Output::Deliver(Frame { what: Some(what) }));
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
