//! The floor as a participant's client sees it: 'floor participant' of TS 24.380 §6.2.4.
//!
//! Pure: `handle` takes what the server says, what the user does and what time brings; `poll` says what to send and what to
//! tell the user, and last of all when to come back. Message sequence numbers count per participation: a client that enters
//! anew makes a new machine.

mod state;

pub use state::{Repeat, State, Timers, Waiting};

use std::collections::VecDeque;

use relay_core::{
    Ssrc, Time,
    floor::message::{Indicator, Kind, Message, Packet},
};

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// The call is set up for this client; with an implicit request it already asks for the floor.
    Enter {
        /// Whether entering is also a floor request.
        implicit: bool,
    },
    /// A floor message came.
    Message(Packet<'a>),
    /// RTP came.
    Media,
    /// The user presses the button.
    Press,
    /// The user lets go of the button.
    LetGo,
    /// The user wants to know the place in the queue.
    AskPosition,
    /// Time has passed.
    Timer,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this to the server.
    Say(Said),
    /// Tell the user.
    Tell(Told),
    /// Nothing else is left to do until then.
    Wake(Option<(Time, Why)>),
}

/// What a client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Floor Request.
    Request,
    /// Floor Release, with the indicator of the Floor Revoke that it answers.
    Release(Option<Indicator>),
    /// Floor Queue Position Request.
    AskPosition,
    /// Floor Ack for a message of this kind.
    Acknowledge(Kind),
}

/// What a user is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Somebody talks, under this SSRC if it is known.
    Talker(Option<Ssrc>),
    /// Nobody talks.
    Idle,
    /// The burst is over, as far as can be heard (T103).
    Silence,
    /// Talk now, under this SSRC.
    Talk(Option<Ssrc>),
    /// Stop talking.
    Stop,
    /// The request waits at this place.
    Queued(u8),
    /// The floor is there: press within T132.
    YourTurn,
    /// The request was refused, with this cause.
    Denied(u16),
    /// The request was given up: nobody answers.
    Unanswered,
    /// The floor, or the place in the queue, is given back.
    Released,
}

/// The timer that asks to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Floor Release.
    T100,
    /// Floor Request.
    T101,
    /// End of media.
    T103,
    /// Floor Queue Position Request.
    T104,
    /// A grant from the queue.
    T132,
}

/// The floor of one participation.
#[derive(Clone, Debug)]
pub struct Client {
    timers: Timers,
    state: State,
    /// Runs while somebody is heard.
    t103: Option<Time>,
    /// The number of the newest Floor Taken or Floor Idle.
    newest: Option<u16>,
    outputs: VecDeque<Output>,
}

impl Client {
    /// A client that is not in the call yet.
    pub fn new(timers: Timers) -> Client {
        Client { timers, state: State::StartStop, t103: None, newest: None, outputs: VecDeque::new() }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether media may be sent.
    pub fn may_talk(&self) -> bool {
        self.state == State::Permission
    }

    /// Tells the client what happened. Total: what a state does not expect is acknowledged if asked, and changes nothing.
    pub fn handle(&mut self, input: Input<'_>, now: Time) {
        if self.state == State::StartStop {
            if let Input::Enter { implicit } = input {
                self.enter(implicit, now);
            }
            return;
        }
        match input {
            Input::Enter { .. } => {}
            Input::Message(packet) => self.message(&packet, now),
            Input::Media => self.media(now),
            Input::Press => self.press(now),
            Input::LetGo => self.let_go(now),
            Input::AskPosition => self.ask_position(now),
            Input::Timer => self.expire(now),
        }
    }

    /// The next thing to do; `Wake` once nothing is left.
    pub fn poll(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Wake(self.due()))
    }

    /// When the next timer ends, whatever is still to be polled.
    pub fn due(&self) -> Option<(Time, Why)> {
        self.state.due().into_iter().chain(self.t103.map(|due| (due, Why::T103))).min()
    }

    //= TS 24.380 §6.2.4.2  entering is a floor request only if it is said to be one
    fn enter(&mut self, implicit: bool, now: Time) {
        // An implicit request travels with the signalling; only its repetition is a floor message.
        self.state = match implicit {
            true => State::PendingRequest(Repeat::first(now + self.timers.t101)),
            false => State::NoPermission,
        };
    }

    fn message(&mut self, packet: &Packet<'_>, now: Time) {
        if packet.acknowledge {
            self.say(Said::Acknowledge(packet.message.kind()));
        }
        match packet.message {
            Message::Granted { audio_ssrc, .. } => self.granted(audio_ssrc, now),
            Message::Taken { message_sequence_number, audio_ssrc, indicator, .. } => {
                if self.is_news(message_sequence_number) {
                    self.taken(audio_ssrc, is_dual(indicator), now);
                }
            }
            Message::Idle { message_sequence_number, indicator } => {
                if self.is_news(message_sequence_number) {
                    self.idle(is_dual(indicator));
                }
            }
            Message::Deny { cause, .. } => self.denied(cause),
            Message::Revoke { indicator, .. } => self.revoked(indicator, now),
            Message::QueuePositionInfo { position, .. } => self.position(position),
            Message::Request { .. }
            | Message::Release { .. }
            | Message::RevokeRequest { .. }
            | Message::QueuePositionRequest
            | Message::Ack { .. } => {}
        }
    }

    //= TS 24.380 §8.2.3.10  Taken and Idle are ordered by their number; gaps are no fault, a copy or an older one says nothing
    fn is_news(&mut self, number: u16) -> bool {
        let news = self.newest.is_none_or(|newest| number.wrapping_sub(newest).cast_signed() > 0);
        if news {
            self.newest = Some(number);
        }
        news
    }

    fn granted(&mut self, audio_ssrc: Option<Ssrc>, now: Time) {
        match self.state {
            //= TS 24.380 §6.2.4.4.2  the grant names the SSRC of the media
            State::PendingRequest(_) => {
                self.t103 = None;
                self.state = State::Permission;
                self.tell(Told::Talk(audio_ssrc));
            }
            //= TS 24.380 §6.2.4.9  a grant from the queue waits for the user
            State::Queued(Waiting::Quietly | Waiting::Asking(_)) => {
                let until = now + self.timers.t132;
                self.state = State::Queued(Waiting::Offered { until, audio_ssrc });
                self.tell(Told::YourTurn);
            }
            State::Queued(Waiting::Offered { .. })
            | State::StartStop
            | State::NoPermission
            | State::Permission
            | State::PendingRelease(_) => {}
        }
    }

    fn taken(&mut self, audio_ssrc: Option<Ssrc>, dual: bool, now: Time) {
        match self.state {
            // A second talker overrides this one, who goes on (§6.2.4.5.8).
            State::Permission if dual => return self.tell(Told::Talker(audio_ssrc)),
            State::Permission => return,
            State::PendingRelease(_) => self.released(),
            State::StartStop | State::NoPermission | State::PendingRequest(_) | State::Queued(_) => {}
        }
        self.t103 = Some(now + self.timers.t103);
        self.tell(Told::Talker(audio_ssrc));
    }

    fn idle(&mut self, dual: bool) {
        match self.state {
            State::Permission if dual => return self.tell(Told::Idle),
            // It may have been overtaken by the grant; if the floor is really gone, the first packet is answered by Floor Revoke.
            State::Permission => return,
            State::PendingRelease(_) => self.released(),
            //= TS 24.380 §6.2.4.9  a client that waits and hears Floor Idle waits no longer
            State::Queued(_) => self.state = State::NoPermission,
            State::StartStop | State::NoPermission | State::PendingRequest(_) => {}
        }
        self.t103 = None;
        self.tell(Told::Idle);
    }

    fn denied(&mut self, cause: u16) {
        if matches!(self.state, State::PendingRequest(_) | State::Queued(_)) {
            self.state = State::NoPermission;
            self.tell(Told::Denied(cause));
        }
    }

    //= TS 24.380 §6.2.4.5  a revoked talker stops at once and says so
    fn revoked(&mut self, indicator: Option<Indicator>, now: Time) {
        match self.state {
            State::Permission => self.tell(Told::Stop),
            State::PendingRequest(_) | State::Queued(_) => {}
            State::StartStop | State::NoPermission | State::PendingRelease(_) => return,
        }
        self.release(indicator, now);
    }

    fn position(&mut self, position: u8) {
        match self.state {
            State::PendingRequest(_) | State::Queued(Waiting::Quietly | Waiting::Asking(_)) => {
                self.state = State::Queued(Waiting::Quietly);
                self.tell(Told::Queued(position));
            }
            State::Queued(Waiting::Offered { .. })
            | State::StartStop
            | State::NoPermission
            | State::Permission
            | State::PendingRelease(_) => {}
        }
    }

    fn media(&mut self, now: Time) {
        match self.state {
            //= TS 24.380 §6.2.4.6  media of somebody else shows that the release was heard
            State::PendingRelease(_) => self.released(),
            State::NoPermission | State::PendingRequest(_) | State::Queued(_) => {}
            State::StartStop | State::Permission => return,
        }
        self.t103 = Some(now + self.timers.t103);
    }

    fn press(&mut self, now: Time) {
        match self.state {
            State::NoPermission => {
                self.say(Said::Request);
                self.state = State::PendingRequest(Repeat::first(now + self.timers.t101));
            }
            State::Queued(Waiting::Offered { audio_ssrc, .. }) => {
                self.t103 = None;
                self.state = State::Permission;
                self.tell(Told::Talk(audio_ssrc));
            }
            _ => {}
        }
    }

    fn let_go(&mut self, now: Time) {
        if matches!(self.state, State::PendingRequest(_) | State::Permission | State::Queued(_)) {
            self.release(None, now);
        }
    }

    fn ask_position(&mut self, now: Time) {
        if self.state == State::Queued(Waiting::Quietly) {
            self.say(Said::AskPosition);
            self.state = State::Queued(Waiting::Asking(Repeat::first(now + self.timers.t104)));
        }
    }

    fn release(&mut self, indicator: Option<Indicator>, now: Time) {
        self.say(Said::Release(indicator));
        self.state = State::PendingRelease(Repeat::first(now + self.timers.t100));
    }

    fn released(&mut self) {
        self.state = State::NoPermission;
        self.tell(Told::Released);
    }

    fn expire(&mut self, now: Time) {
        if self.t103.is_some_and(|due| due <= now) {
            self.t103 = None;
            self.tell(Told::Silence);
        }
        if self.state.due().is_none_or(|(due, _)| due > now) {
            return;
        }
        let Timers { t100, t101, t104, sends_max, .. } = self.timers;
        match self.state {
            State::PendingRequest(repeat) => match repeat.again(now + t101, sends_max) {
                Some(repeat) => self.say_again(Said::Request, State::PendingRequest(repeat)),
                None => {
                    self.state = State::NoPermission;
                    self.tell(Told::Unanswered);
                }
            },
            State::PendingRelease(repeat) => match repeat.again(now + t100, sends_max) {
                Some(repeat) => self.say_again(Said::Release(None), State::PendingRelease(repeat)),
                None => self.released(),
            },
            State::Queued(Waiting::Asking(repeat)) => match repeat.again(now + t104, sends_max) {
                Some(repeat) => self.say_again(Said::AskPosition, State::Queued(Waiting::Asking(repeat))),
                None => self.release(None, now),
            },
            State::Queued(Waiting::Offered { .. }) => self.release(None, now),
            State::Queued(Waiting::Quietly) | State::StartStop | State::NoPermission | State::Permission => {}
        }
    }

    fn say_again(&mut self, said: Said, state: State) {
        self.say(said);
        self.state = state;
    }

    fn say(&mut self, said: Said) {
        self.outputs.push_back(Output::Say(said));
    }

    fn tell(&mut self, told: Told) {
        self.outputs.push_back(Output::Tell(told));
    }
}

fn is_dual(indicator: Option<Indicator>) -> bool {
    indicator.is_some_and(|bits| bits.contains(Indicator::DUAL_FLOOR))
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
