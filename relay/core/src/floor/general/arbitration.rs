//! Who gets the floor, who waits and who is refused: TS 24.380 §§ 6.3.4.3.3, 6.3.4.4.7, 6.3.4.4.8 and 6.3.5.4.4.

use super::{Burst, General, Output, Phase, Request};
use crate::floor::cause::{DenyCause, RevokeCause};
use crate::floor::queue::Entry;
use crate::time::Time;

impl<P: Copy + Ord> General<P> {
    //= TS 24.380 §6.3.4.3.3  a user who may only listen is refused whatever the floor does
    pub(super) fn request(&mut self, request: Request<P>, now: Time) {
        let refused = request.receive_only;
        match self.phase {
            Phase::StartStop | Phase::Releasing => {}
            _ if refused => self.deny(request.from, DenyCause::ReceiveOnly),
            Phase::Idle(_) => self.request_idle(request, now),
            Phase::Taken(burst) if burst.holder == request.from => self.grant_again(request, now),
            Phase::Taken(burst) => self.request_busy(burst, request, now),
            Phase::PendingRevoke(burst, _) => self.request_busy(burst, request, now),
        }
    }

    //= TS 24.380 §6.3.4.3.3  an idle floor goes to whoever asks, unless nobody would hear it
    fn request_idle(&mut self, request: Request<P>, now: Time) {
        if self.talks_to_nobody(&request) {
            self.deny(request.from, DenyCause::OnlyOneParticipant);
        } else {
            self.begin(&request.entry(), super::Origin::Asked, now);
        }
    }

    //= TS 24.380 §6.3.4.4.8  a talker who asks again is told the rest of its time
    fn grant_again(&mut self, request: Request<P>, now: Time) {
        if let Phase::Taken(burst) = &mut self.phase {
            // A burst never loses level: then nobody who waits can outrank the talker without having pre-empted it.
            burst.level = burst.level.max(request.level());
            let burst = *burst;
            self.tell_granted(&burst, now);
        }
    }

    //= TS 24.380 §6.3.5.4.4  who neither pre-empts nor queues is denied, who waits keeps its place, a full queue says so
    //= TS 24.380 §6.3.4.4.7  a pre-emptor stands at the front, also of a full queue and without queueing
    fn request_busy(&mut self, burst: Burst<P>, request: Request<P>, now: Time) {
        if self.talks_to_nobody(&request) {
            return self.deny(request.from, DenyCause::OnlyOneParticipant);
        }
        let level = request.level();
        // During a revoke the head of the queue is as good as talking: only who outranks it too goes ahead of it.
        let next = self.queue.head().map_or(burst.level, |head| head.level.max(burst.level));
        let preempts = level > next;
        let tell = self.settings.queueing && request.queueing;
        if !preempts && !tell && self.queue.find(request.from).is_none() {
            return self.deny(request.from, DenyCause::AnotherClientHasPermission);
        }
        let Ok(place) = self.queue.insert(Entry { tell, preempts, ..request.entry() }) else {
            return self.deny(request.from, DenyCause::QueueFull);
        };
        if let Some(last) = place.displaced {
            self.deny(last, DenyCause::QueueFull);
        }
        let (to, priority) = (request.from, request.priority);
        self.outputs.push_back(Output::Queued { to, position: place.position, priority, tell });
        if preempts && matches!(self.phase, Phase::Taken(_)) {
            self.revoke(burst, RevokeCause::Preempted, now);
        }
    }

    pub(super) fn tell_position(&mut self, from: P) {
        if !matches!(self.phase, Phase::Taken(_) | Phase::PendingRevoke(..)) {
            return;
        }
        let answer = match self.queue.find(from) {
            Some((position, entry)) => {
                Output::Queued { to: from, position, priority: entry.level.priority, tell: entry.tell }
            }
            None => Output::NotQueued { to: from },
        };
        self.outputs.push_back(answer);
    }

    /// Rounded down, so that a client stops before it is revoked; never 0, which says nothing.
    pub(super) fn tell_granted(&mut self, burst: &Burst<P>, now: Time) {
        let rest = burst.t2.map_or(self.max_burst(), |t2| t2.since(now));
        let duration_s = u16::try_from(rest.0 / 1000).unwrap_or(u16::MAX).max(1);
        let priority = burst.level.priority;
        self.outputs.push_back(Output::Granted { to: burst.holder, duration_s, priority });
    }

    pub(super) fn deny(&mut self, to: P, cause: DenyCause) {
        self.outputs.push_back(Output::Deny { to, cause });
    }

    /// An implicit request comes while the call still gathers, so being alone is no reason then.
    fn talks_to_nobody(&self, request: &Request<P>) -> bool {
        self.participants <= 1 && !request.implicit
    }
}
