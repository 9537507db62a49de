//! What the home says, said again to participants of this system: TS 24.380 §6.5.

use super::{Burst, FromHome, Link, NonControlling, Phase, Stage, ToHome};
use crate::floor::cause::RevokeCause;
use crate::floor::general::{Grant, Level, Output};
use crate::time::{Millis, Time};

impl<P: Copy + Ord> NonControlling<P> {
    //= TS 24.380 §6.5  what the home says is passed on, and nothing else is said about the floor
    pub(super) fn mirror(&mut self, word: FromHome<P>, now: Time) {
        self.hear(now);
        if matches!(self.phase, Phase::Releasing) || matches!(self.link, Link::Down) {
            return;
        }
        let tells_the_floor = matches!(word, FromHome::Granted { .. } | FromHome::Taken { .. } | FromHome::Idle);
        let joins = tells_the_floor && matches!(self.link, Link::Joining { .. });
        if joins {
            self.link = Link::Standing { heard: now };
        }
        match word {
            FromHome::Granted { to, duration_s, priority } => self.granted(to, duration_s, priority, now),
            FromHome::Taken { by: Some(by) } => self.taken_by(by, now),
            FromHome::Taken { by: None } => self.taken_elsewhere(now),
            FromHome::Idle => self.idle(now),
            FromHome::Revoke { to, cause } => self.revoke(to, cause, now),
            FromHome::Deny { to, cause } if self.answer(to, None) => self.say(Output::Deny { to, cause }),
            FromHome::Queued { to, position, priority } => self.queued(to, position, priority),
            FromHome::NotQueued { to } => self.say(Output::NotQueued { to }),
            FromHome::Deny { .. } => {}
        }
        if joins {
            self.send_held(now);
        }
    }

    fn granted(&mut self, to: P, duration_s: u16, priority: u8, now: Time) {
        let duration = Millis::from_secs(u32::from(duration_s));
        let asked = self.asked.remove(&to);
        let wanted = asked.filter(|asked| asked.stage != Stage::GaveUp).map(|asked| asked.request.level());
        if let Phase::Taken(burst) = &mut self.phase
            && burst.holder == to
        {
            (burst.duration, burst.priority) = (duration, priority);
            burst.ends = burst.ends.map(|_| now + duration);
            burst.level = burst.level.max(wanted.unwrap_or(burst.level));
            if wanted.is_some() {
                self.tell_granted(now);
            }
            return;
        }
        match wanted {
            Some(level) => self.begin(Burst::new(to, level, duration, priority), now),
            None => {
                self.counters.unwanted += 1;
                self.tell_home(ToHome::Release { from: to });
            }
        }
    }

    /// Everybody is told at once: local talkers are heard here without the detour, so Floor Taken takes none either.
    fn begin(&mut self, mut burst: Burst<P>, now: Time) {
        self.grants += 1;
        // Over a trunk every grant may come after the client's last repeated request: each is repeated, not only a queued one.
        burst.t20 = (self.timers.c20 > 1).then(|| now + self.timers.t20);
        let holder = burst.holder;
        self.enter(Phase::Taken(burst), now);
        self.say(Output::Talker(Some(Grant::lease(holder, self.grants))));
        self.tell_granted(now);
        self.say(Output::Taken { by: holder });
    }

    /// The talker itself never hears that it talks, nor do the others hear it twice.
    fn taken_by(&mut self, by: P, now: Time) {
        let known = match self.phase {
            Phase::Stopped(holder) => holder == by,
            _ => self.burst().is_some_and(|burst| burst.holder == by),
        };
        if known {
            return;
        }
        self.close();
        self.enter(Phase::Stopped(by), now);
        self.say(Output::Taken { by });
        if !self.asked.contains_key(&by) {
            self.counters.unwanted += 1;
            self.tell_home(ToHome::Release { from: by });
        }
    }

    pub(super) fn taken_elsewhere(&mut self, now: Time) {
        self.close();
        self.enter(Phase::Elsewhere, now);
        self.say(Output::Taken { by: self.elsewhere });
    }

    /// Nobody waits for an idle floor: the home would have granted it.
    fn idle(&mut self, now: Time) {
        self.close();
        self.asked.retain(|_, asked| asked.stage != Stage::Waiting);
        if !matches!(self.phase, Phase::Idle) {
            self.enter(Phase::Idle, now);
        }
        self.say(Output::Idle);
    }

    fn revoke(&mut self, to: P, cause: RevokeCause, now: Time) {
        if let Phase::Taken(burst) = self.phase
            && burst.holder == to
        {
            self.enter(Phase::PendingRevoke(Burst { t20: None, ..burst }, cause), now);
            self.say(Output::Revoke { to, cause });
        }
    }

    fn queued(&mut self, to: P, position: u8, priority: u8) {
        let tell = self.asked.get(&to).is_some_and(|asked| asked.request.queueing);
        if self.answer(to, Some(Stage::Waiting)) {
            self.say(Output::Queued { to, position, priority, tell });
        }
    }

    /// Whether this answer is for somebody: a request that a later one outranks needs none, and who gave up wants none.
    fn answer(&mut self, to: P, then: Option<Stage>) -> bool {
        let Some(asked) = self.asked.get_mut(&to).filter(|asked| asked.stage != Stage::Held) else { return false };
        asked.unanswered = asked.unanswered.saturating_sub(1);
        if asked.unanswered > 0 {
            return false;
        }
        let (wanted, waits) = (asked.stage != Stage::GaveUp, then.is_some());
        match then {
            Some(stage) if wanted => asked.stage = stage,
            _ => {
                self.asked.remove(&to);
            }
        }
        if waits && !wanted {
            self.tell_home(ToHome::Release { from: to });
        }
        wanted
    }

    /// Rounded down, so that a client stops before it is revoked; never 0, which says nothing.
    pub(super) fn tell_granted(&mut self, now: Time) {
        if let Phase::Taken(burst) = self.phase {
            let duration_s = u16::try_from(burst.rest(now).0 / 1000).unwrap_or(u16::MAX).max(1);
            self.say(Output::Granted { to: burst.holder, duration_s, priority: burst.priority });
        }
    }
}

impl<P> Burst<P> {
    fn new(holder: P, level: Level, duration: Millis, priority: u8) -> Burst<P> {
        Burst { holder, level, priority, duration, ends: None, t20: None, granted: 1 }
    }
}
