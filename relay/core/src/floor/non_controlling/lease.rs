//! How long a grant behind a trunk lives, what ends with it, and how it is repeated: TS 24.380 §6.3.4.4.9, the lease is ours.

use super::{LEASE, Link, NonControlling, Phase, Stage, ToHome, Why};
use crate::floor::cause::RevokeCause;
use crate::floor::general::Output;
use crate::time::Time;

impl<P: Copy + Ord> NonControlling<P> {
    /// The home was heard. After a silence it is told first what ended here meanwhile.
    pub(super) fn hear(&mut self, now: Time) {
        match &mut self.link {
            Link::Joining { heard } | Link::Standing { heard } => *heard = now,
            Link::Down => {}
            Link::Silent { joined: false, .. } => self.link = Link::Joining { heard: now },
            Link::Silent { joined: true, elsewhere } => {
                let elsewhere = *elsewhere;
                self.link = Link::Standing { heard: now };
                while let Some(from) = self.owed.pop_first() {
                    self.tell_home(ToHome::Release { from });
                }
                if elsewhere && matches!(self.phase, Phase::Idle) {
                    self.taken_elsewhere(now);
                }
            }
        }
    }

    /// A new subscription. The home knows nothing of what was asked under the old one.
    pub(super) fn join(&mut self, now: Time) {
        self.lose(Link::Down, now);
        self.link = Link::Joining { heard: now };
    }

    /// Silence counts from the last thing heard, however late the timer is told.
    pub(super) fn expire_lease(&mut self, now: Time) {
        let (heard, joined) = match self.link {
            Link::Joining { heard } => (heard, false),
            Link::Standing { heard } => (heard, true),
            Link::Down | Link::Silent { .. } => return,
        };
        if heard + LEASE <= now && !matches!(self.phase, Phase::Releasing) {
            let elsewhere = matches!(self.phase, Phase::Elsewhere);
            self.lose(Link::Silent { joined, elsewhere }, now);
        }
    }

    /// The home is not reachable any more: nobody talks here, and nobody is left waiting for an answer.
    pub(super) fn lose(&mut self, link: Link, now: Time) {
        self.link = link;
        let holder = self.burst().map(|burst| burst.holder);
        if let Some(to) = holder {
            self.counters.lapsed += 1;
            if matches!(self.phase, Phase::Taken(_)) {
                self.say(Output::Revoke { to, cause: RevokeCause::Other });
            }
            self.close();
        }
        self.owed.extend(holder);
        for (from, asked) in core::mem::take(&mut self.asked) {
            if asked.stage != Stage::Held {
                self.owed.insert(from);
            }
            if asked.stage != Stage::GaveUp {
                self.deny_unreachable(from);
            }
        }
        if !matches!(self.phase, Phase::StartStop | Phase::Idle | Phase::Releasing) {
            self.enter(Phase::Idle, now);
            self.say(Output::Idle);
        }
        if matches!(self.link, Link::Down) {
            self.owed.clear();
        }
    }

    /// The earliest timer that runs.
    pub(super) fn next(&self) -> Option<(Time, Why)> {
        let heard = match self.link {
            Link::Joining { heard } | Link::Standing { heard } => heard,
            Link::Down | Link::Silent { .. } => return None,
        };
        let lease = Some((heard + LEASE, Why::Lease));
        match &self.phase {
            Phase::Releasing => None,
            Phase::Taken(burst) => lease.min(burst.t20.map(|due| (due, Why::T20)).or(lease)),
            _ => lease,
        }
    }

    //= TS 24.380 §6.3.4.4.9  a grant is repeated until media comes
    //= TS 24.380 §6.3.4.4.10  or until C20 has reached its limit
    pub(super) fn expire_due(&mut self, now: Time) {
        let timers = self.timers;
        while let Phase::Taken(burst) = &mut self.phase
            && let Some(due) = burst.t20.filter(|due| *due <= now)
        {
            burst.granted = burst.granted.saturating_add(1);
            burst.t20 = (burst.granted < timers.c20).then(|| due.max(now) + timers.t20);
            self.tell_granted(now);
        }
    }

    pub(super) fn media(&mut self, from: P, now: Time) {
        if let Phase::Taken(burst) = &mut self.phase
            && burst.holder == from
        {
            burst.ends = burst.ends.or(Some(now + burst.duration));
            burst.t20 = None;
        }
    }
}
