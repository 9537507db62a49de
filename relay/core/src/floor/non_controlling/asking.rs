//! What participants of this system ask, and what of it goes up: TS 24.380 §6.5.

use super::{ABSORB, Asked, Link, NonControlling, Output, Phase, Request, Stage, ToHome};
use crate::floor::cause::DenyCause;
use crate::floor::general;
use crate::time::Time;

impl<P: Copy + Ord> NonControlling<P> {
    pub(super) fn set_up(&mut self, implicit: Option<Request<P>>, now: Time) {
        if let (Phase::StartStop, Some(request)) = (self.phase, implicit) {
            self.request(request, now);
        }
    }

    //= TS 24.380 §6.5.5  a request goes up once; who talks already is told again what the home has granted
    pub(super) fn request(&mut self, request: Request<P>, now: Time) {
        match self.phase {
            Phase::Releasing => return,
            Phase::Taken(burst) if burst.holder == request.from && request.level() <= burst.level => {
                return self.tell_granted(now);
            }
            _ => {}
        }
        if !self.is_reachable() {
            return self.deny_unreachable(request.from);
        }
        let unanswered = match self.asked.get_mut(&request.from) {
            Some(asked) if asked.stage != Stage::Held && asked.sent + ABSORB <= now => 0,
            // Only what outranks the first is news to the home.
            Some(asked) if asked.stage != Stage::Waiting && request.level() <= asked.request.level() => {
                self.counters.absorbed += 1;
                if asked.stage == Stage::GaveUp {
                    asked.stage = Stage::UnderWay;
                }
                return;
            }
            Some(asked) => asked.unanswered,
            None => 0,
        };
        self.send_up(request, unanswered, now);
    }

    fn send_up(&mut self, request: Request<P>, unanswered: u32, now: Time) {
        let asked = match self.link {
            Link::Standing { .. } => {
                self.tell_home(ToHome::Request(request));
                Asked { request, stage: Stage::UnderWay, unanswered: unanswered.saturating_add(1), sent: now }
            }
            _ => Asked { request, stage: Stage::Held, unanswered, sent: now },
        };
        self.asked.insert(request.from, asked);
    }

    /// The home has said how the floor is: what was asked meanwhile goes up.
    pub(super) fn send_held(&mut self, now: Time) {
        let held = self.asked.values().filter(|asked| asked.stage == Stage::Held);
        let held: alloc::vec::Vec<Request<P>> = held.map(|asked| asked.request).collect();
        for request in held {
            self.send_up(request, 0, now);
        }
    }

    //= TS 24.380 §6.5.5  a release goes up; the talker's media ends here at once, whatever the home does next
    pub(super) fn release(&mut self, from: P) {
        if self.burst().is_some_and(|burst| burst.holder == from) {
            self.asked.remove(&from);
            self.close();
            self.outputs.push_back(Output::Stopped(from));
            // Nobody hears of this yet, so the floor stays as long in its state as participants believe.
            self.phase = Phase::Stopped(from);
            return self.tell_home(ToHome::Release { from });
        }
        let Some(asked) = self.asked.get_mut(&from) else { return };
        match asked.stage {
            // The answer decides: a grant is given back then, and who asks again until then need not ask twice.
            Stage::UnderWay | Stage::GaveUp => asked.stage = Stage::GaveUp,
            Stage::Held => {
                self.asked.remove(&from);
            }
            Stage::Waiting => {
                self.asked.remove(&from);
                self.tell_home(ToHome::Release { from });
            }
        }
    }

    /// A participant left. Nothing can be told to it or about it any more, so its request does not wait for an answer.
    pub(super) fn leave(&mut self, from: P) {
        self.participants = self.participants.saturating_sub(1);
        self.owed.remove(&from);
        let asked = self.asked.remove(&from);
        if self.burst().is_some_and(|burst| burst.holder == from) {
            self.release(from);
        } else if asked.is_some_and(|asked| asked.stage != Stage::Held) {
            self.tell_home(ToHome::Release { from });
        }
        if matches!(self.phase, Phase::Stopped(holder) if holder == from) {
            self.phase = Phase::Elsewhere;
        }
    }

    pub(super) fn ask_position(&mut self, from: P) {
        let taken = !matches!(self.phase, Phase::StartStop | Phase::Idle | Phase::Releasing);
        if taken && matches!(self.link, Link::Standing { .. }) {
            self.tell_home(ToHome::QueuePositionRequest { from });
        }
    }

    pub(super) fn release_call(&mut self, now: Time) {
        if matches!(self.phase, Phase::Releasing) {
            return;
        }
        self.close();
        self.asked.clear();
        self.owed.clear();
        self.enter(Phase::Releasing, now);
    }

    pub(super) fn deny_unreachable(&mut self, to: P) {
        self.counters.unreachable += 1;
        self.say(general::Output::Deny { to, cause: DenyCause::Other });
    }
}
