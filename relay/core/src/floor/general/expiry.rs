//! When the floor's timers run out: TS 24.380 §§ 6.3.4.3, 6.3.4.3.5, 6.3.4.4.3, 6.3.4.4.4, 6.3.4.4.9 and 6.3.4.5.

use super::{General, Output, Phase, Why};
use crate::floor::cause::RevokeCause;
use crate::time::{Millis, Time};

impl<P: Copy + Ord> General<P> {
    /// The earliest timer that runs.
    pub(super) fn next(&self) -> Option<(Time, Why)> {
        match &self.phase {
            Phase::StartStop | Phase::Releasing => None,
            Phase::Idle(silence) => earliest([(silence.t4, Why::T4), (silence.t7, Why::T7)]),
            Phase::Taken(burst) => earliest([(Some(burst.t1), Why::T1), (burst.t2, Why::T2), (burst.t20, Why::T20)]),
            Phase::PendingRevoke(burst, revoking) => {
                earliest([(Some(burst.t1), Why::T1), (Some(revoking.t3), Why::T3)])
            }
        }
    }

    /// Ends: every expiry stops its timer, counts up to a limit, or starts it at least one second ahead (T4).
    pub(super) fn expire_due(&mut self, now: Time) {
        while let Some((_, why)) = self.next().filter(|(due, _)| *due <= now) {
            self.expire(why, now);
        }
    }

    //= TS 24.380 §6.3.4.4.3  silence of the talker ends its burst
    //= TS 24.380 §6.3.4.4.4  a burst that is too long is revoked
    //= TS 24.380 §6.3.4.5  after the grace no media of the old talker leaves
    pub(super) fn expire(&mut self, why: Why, now: Time) {
        match (self.phase, why) {
            (Phase::Taken(_) | Phase::PendingRevoke(..), Why::T1) => self.end(now),
            (Phase::PendingRevoke(..), Why::T3) => self.end(now),
            (Phase::Taken(burst), Why::T2) => self.revoke(burst, RevokeCause::MediaBurstTooLong, now),
            (Phase::Taken(_), Why::T20) => self.repeat_granted(now),
            (Phase::Idle(_), Why::T7) => self.repeat_idle(now),
            (Phase::Idle(_), Why::T4) => self.report_inactive(now),
            _ => {}
        }
    }

    //= TS 24.380 §6.3.4.4.9  a queued grant is repeated until media comes
    //= TS 24.380 §6.3.4.4.10  or until C20 has reached its limit
    fn repeat_granted(&mut self, now: Time) {
        let timers = self.settings.timers;
        let Phase::Taken(burst) = &mut self.phase else { return };
        burst.granted = burst.granted.saturating_add(1);
        burst.t20 = (burst.granted < timers.c20).then(|| now + timers.t20);
        let burst = *burst;
        self.tell_granted(&burst, now);
    }

    //= TS 24.380 §6.3.4.3  Floor Idle is repeated until C7 has reached its limit
    fn repeat_idle(&mut self, now: Time) {
        let timers = self.settings.timers;
        let Phase::Idle(silence) = &mut self.phase else { return };
        silence.sent = silence.sent.saturating_add(1);
        silence.t7 = (silence.sent < timers.c7).then(|| now + timers.t7);
        self.outputs.push_back(Output::Idle);
    }

    //= TS 24.380 §6.3.4.3.5  the hang time is over: control decides, and until it has T4 runs again
    fn report_inactive(&mut self, now: Time) {
        let hang_time = Millis::from_secs(self.settings.hang_time_s.max(1));
        if let Phase::Idle(silence) = &mut self.phase {
            silence.t4 = Some(now + hang_time);
        }
        self.outputs.push_back(Output::Inactive);
    }
}

fn earliest<const N: usize>(timers: [(Option<Time>, Why); N]) -> Option<(Time, Why)> {
    timers.into_iter().filter_map(|(due, why)| due.map(|due| (due, why))).min()
}
