//! How a talk burst goes on and how it ends: TS 24.380 §§ 6.3.4.3.2, 6.3.4.4.5, 6.3.4.4.6, 6.3.4.5 and 6.3.4.6.

use super::{Burst, General, Origin, Output, Phase, Revoking, Silence};
use crate::floor::cause::RevokeCause;
use crate::floor::settings::Settings;
use crate::time::{Millis, Time};

impl<P: Copy + Ord> General<P> {
    //= TS 24.380 §6.3.4.4.5  media of the talker starts T2, restarts T1 and ends the repetition of Floor Granted
    //= TS 24.380 §6.3.4.5  media of a talker who has to stop restarts T1 and still leaves
    pub(super) fn media(&mut self, from: P, now: Time) {
        let t2 = now + self.max_burst();
        let t1 = |burst: &Burst<P>| now + silence_max(self.settings.timers.t1, burst.extra);
        match &mut self.phase {
            Phase::Taken(burst) if burst.holder == from => {
                burst.t1 = t1(burst);
                burst.t2 = burst.t2.or(Some(t2));
                burst.t20 = None;
            }
            Phase::PendingRevoke(burst, _) if burst.holder == from => burst.t1 = t1(burst),
            _ => {}
        }
    }

    //= TS 24.380 §6.3.4.4.6  the talker's release ends the burst; anybody's release ends its waiting
    pub(super) fn release(&mut self, from: P, now: Time) {
        self.queue.remove(from);
        if self.holder() == Some(from) {
            self.end(now);
        }
    }

    //= TS 24.380 §6.3.4.6.2  a call that is released distributes nothing and waits for nothing
    pub(super) fn release_call(&mut self, now: Time) {
        if matches!(self.phase, Phase::Releasing) {
            return;
        }
        if self.holder().is_some() {
            self.outputs.push_back(Output::Talker(None));
        }
        self.queue.clear();
        self.enter(Phase::Releasing, now);
    }

    //= TS 24.380 §6.3.4.3.2  who waits gets the floor at once; Floor Idle is for an empty queue
    pub(super) fn end(&mut self, now: Time) {
        match self.queue.pop() {
            Some(next) => self.begin(&next, Origin::Queue, now),
            None => {
                self.outputs.push_back(Output::Talker(None));
                self.fall_idle(now);
            }
        }
    }

    pub(super) fn fall_idle(&mut self, now: Time) {
        let Settings { hang_time_s, timers, .. } = self.settings;
        let silence = Silence {
            t4: (hang_time_s > 0).then(|| now + Millis::from_secs(hang_time_s)),
            t7: (timers.c7 > 1).then(|| now + timers.t7),
            sent: 1,
        };
        self.enter(Phase::Idle(silence), now);
        self.outputs.push_back(Output::Idle);
    }

    //= TS 24.380 §6.3.4.5.2  Floor Revoke starts the grace of T3; T2 has done its work
    pub(super) fn revoke(&mut self, burst: Burst<P>, cause: RevokeCause, now: Time) {
        let revoking = Revoking { cause, t3: now + self.settings.timers.t3 + burst.extra };
        let burst = Burst { t2: None, t20: None, ..burst };
        self.enter(Phase::PendingRevoke(burst, revoking), now);
        self.outputs.push_back(Output::Revoke { to: burst.holder, cause });
    }
}

/// T1 of a talker whose packets come over a trunk: longer by the round trip, but never past the clause's own limit.
pub(super) fn silence_max(t1: Millis, extra: Millis) -> Millis {
    Millis(t1.0.saturating_add(extra.0).min(T1_MAX.0.max(t1.0)))
}

/// Most that T1 may be (TS 24.380 §11).
const T1_MAX: Millis = Millis(6_000);

#[cfg(test)]
mod tests {
    use crate::floor::general::tests::check;

    #[test] //= TS 24.380 §6.3.4.4.3 test
    fn a_talker_behind_a_trunk_may_be_silent_for_a_round_trip_longer() {
        check(
            "0 ms     ana enters, ben enters, set-up -> idle
             10 ms    ana requests afar              -> open ana #1, granted ana 10 s p0, taken ana
             5509 ms                                 ->
             5510 ms  ana requests afar              -> T1, close, idle, open ana #2, granted ana 10 s p0, taken ana
             6000 ms  ana sends                      ->
             11499 ms                                ->
             11500 ms                                -> T1, close, idle",
        );
    }

    #[test] //= TS 24.380 §6.3.4.4.3 test
    fn however_far_the_talker_is_its_silence_ends_after_six_seconds() {
        check(
            "0 ms     ana enters, ben enters, set-up -> idle
             10 ms    ana requests very-far          -> open ana #1, granted ana 10 s p0, taken ana
             6009 ms                                 ->
             6010 ms                                 -> T1, close, idle",
        );
    }

    #[test] //= TS 24.380 §6.3.4.5.2 test
    fn a_talker_behind_a_trunk_has_a_round_trip_more_to_stop_also_if_it_waited() {
        check(
            "0 ms     ana enters, ben enters, set-up   -> idle
             10 ms    ben requests, ana requests afar  -> open ben #1, granted ben 10 s p0, taken ben, queued ana 1
             20 ms    ben releases                     -> open ana #2, granted ana 10 s p0, taken ana
             100 ms   ana sends, ben requests peril    -> queued ben 1, revoke ana 4
             4000 ms  ana sends                        ->
             4599 ms                                   ->
             4600 ms                                   -> T3, open ben #3, granted ben 10 s p0, taken ben",
        );
    }
}
