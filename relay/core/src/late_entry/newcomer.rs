//! A newcomer on its way through retention: at once what may leave at once, then paced, until it has caught up.

use crate::{Millis, Order, Time, late_entry::plan::Plan, retention::Retention};

/// Retained media that leaves at once, in one batch with the floor. Milliseconds of arrival time.
pub const UNPACED: Millis = Millis(200);

/// How much faster than it arrived retained media is sent.
pub const SPEED_UP: u64 = 4;

/// How often paced media is sent.
pub const TICK: Millis = Millis(5);

/// A participant that is served from retention; it is in no slice.
#[derive(Clone, Debug)]
pub struct Newcomer {
    plan: Plan,
    next: Order,
    /// Arrival time up to which media may leave at `started`; it grows `SPEED_UP` times as fast as the clock.
    allowed: Time,
    started: Time,
    /// Until then SSRCs that the client is ahead of are withheld.
    withhold_until: Time,
    overtaken: u64,
}

impl Newcomer {
    /// Begins to serve `plan` at `now`.
    pub fn new(plan: Plan, kept: &Retention, now: Time) -> Newcomer {
        let next = plan.start;
        let first = kept.from(next).find(|(order, row)| plan.wants(*order, row)).map_or(now, |(_, row)| row.arrived);
        Newcomer {
            plan,
            next,
            allowed: first + UNPACED,
            started: now,
            withhold_until: now + kept.age_max(),
            overtaken: 0,
        }
    }

    /// Serves the same participant from its next packet on, on another leg.
    pub fn restart(self, kept: &Retention, now: Time) -> Newcomer {
        let plan = Plan { start: self.next, ..self.plan };
        Newcomer { withhold_until: self.withhold_until, overtaken: self.overtaken, ..Newcomer::new(plan, kept, now) }
    }

    /// The next packet that may leave now.
    pub fn advance(&mut self, kept: &Retention, now: Time) -> Option<Order> {
        if self.next < kept.oldest() {
            // Retention overtook the pacing; what it let go of is lost to this participant.
            self.overtaken += kept.oldest().0 - self.next.0;
            self.next = kept.oldest();
        }
        if self.plan.withholds() && now >= self.withhold_until {
            self.plan.give_up_withholding();
        }
        let horizon = self.horizon(now);
        while let Some(row) = kept.kept(self.next) {
            if row.arrived > horizon {
                return None;
            }
            let order = self.next;
            self.plan.pass(order, row);
            self.next = order.next();
            if self.plan.wants(order, row) {
                return Some(order);
            }
        }
        None
    }

    /// Whether everything that is kept was served and the rest can come with everybody else.
    pub fn caught_up(&self, kept: &Retention) -> bool {
        self.next >= kept.end() && self.plan.is_done_before(self.next)
    }

    /// Whether it only waits for what comes next (an SSRC is withheld).
    pub fn waits_for_live(&self, kept: &Retention) -> bool {
        self.next >= kept.end()
    }

    /// When an SSRC stops being withheld.
    pub fn withhold_until(&self) -> Time {
        self.withhold_until
    }

    /// A voice of its own user has begun.
    pub fn leave_out(&mut self, own: crate::Ssrc) {
        self.plan.leave_out(own);
    }

    /// The first packet that it was not looked at for.
    pub fn next(&self) -> Order {
        self.next
    }

    /// What it gets.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Packets that retention let go of before they could be sent, since this was asked last.
    pub fn take_overtaken(&mut self) -> u64 {
        core::mem::take(&mut self.overtaken)
    }

    fn horizon(&self, now: Time) -> Time {
        let grown = now.micros_since(self.started).saturating_mul(SPEED_UP);
        Time::from_micros(self.allowed.as_micros().saturating_add(grown))
    }
}
