//! Heartbeats: whether the partner is alive, and how long a frame takes there and back.

use alloc::format;

use super::{Link, Output, State, What, Why};
use crate::time::{Millis, Time};
use crate::trunk::wire::Heartbeat;

/// Time between two heartbeats of one side.
pub const HEARTBEAT: Millis = Millis(1_000);

/// The partner is dead once no frame was heard for so long. Media does not count: a floor without its frames is of no use.
pub const SILENCE: Millis = Millis(4_000);

/// The longest round trip that is believed: the connection would not have lived through more.
const ROUND_TRIP_MAX: u32 = 60_000;

/// What is known of the partner's life on this connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Liveness {
    begun: Time,
    heard: Time,
    beat: Time,
    /// The partner's clock in its newest heartbeat, and when that came.
    newest: Option<(u64, Time)>,
    answered: bool,
    /// Eighths of a millisecond, so that smoothing does not stand still.
    round_trip: Option<u32>,
}

impl Liveness {
    pub(super) fn begin(now: Time) -> Liveness {
        Liveness { begun: now, heard: now, beat: now + HEARTBEAT, ..Liveness::default() }
    }

    pub(super) fn hear(&mut self, now: Time) {
        self.heard = now;
    }

    pub(super) fn round_trip(&self) -> Option<Millis> {
        self.round_trip.map(|eighths| Millis(eighths / 8))
    }

    /// A new sample counts for an eighth, as in RFC 6298.
    fn measure(&mut self, sample: u32) {
        let sample = sample.min(ROUND_TRIP_MAX);
        self.round_trip = Some(self.round_trip.map_or(sample * 8, |old| old - old / 8 + sample));
    }
}

/// The clock that heartbeats carry. Milliseconds; never 0, which says that there is no heartbeat to echo.
fn clock(now: Time) -> u64 {
    now.as_micros() / 1000 + 1
}

impl Link {
    /// Sends a heartbeat; the next one follows a second later.
    pub(super) fn beat(&mut self, now: Time) {
        let (echo, held) = self.liveness.newest.map_or((0, 0), |(at, came)| (at, now.since(came).0.into()));
        self.liveness.beat = now + HEARTBEAT;
        self.send(What::Heartbeat(Heartbeat { at: clock(now), echo, held }));
    }

    /// The first heartbeat of a partner that has heard none of ours is answered at once: the round trip is then known after one.
    pub(super) fn heartbeat(&mut self, heartbeat: Heartbeat, now: Time) {
        self.counters.link += 1;
        self.liveness.newest = Some((heartbeat.at, now));
        if heartbeat.echo == 0 {
            if !self.liveness.answered {
                self.liveness.answered = true;
                self.beat(now);
            }
            return;
        }
        let passed = clock(now).checked_sub(heartbeat.echo);
        let ours = heartbeat.echo >= clock(self.liveness.begun);
        let Some(passed) = passed.filter(|_| ours) else {
            self.counters.echoes_refused += 1;
            return;
        };
        let sample = passed.saturating_sub(heartbeat.held);
        self.liveness.measure(u32::try_from(sample).unwrap_or(u32::MAX));
        self.outputs.extend(self.liveness.round_trip().map(Output::RoundTrip));
    }

    pub(super) fn expire(&mut self, now: Time) {
        let Some((due, why)) = self.next() else { return };
        if now < due {
            return;
        }
        match why {
            Why::Heartbeat => self.beat(now),
            Why::Silence => self.fall_silent(now),
        }
    }

    pub(super) fn fall_silent(&mut self, now: Time) {
        let silence = now.since(self.liveness.heard).0;
        self.close("silent", format!("nothing was heard for {silence} ms"));
    }

    /// When the machine wants to be woken, and why.
    pub(super) fn next(&self) -> Option<(Time, Why)> {
        let silence = (self.liveness.heard + SILENCE, Why::Silence);
        match self.state {
            State::Down | State::Closing => None,
            State::Greeting => Some(silence),
            State::Ready if self.liveness.beat < silence.0 => Some((self.liveness.beat, Why::Heartbeat)),
            State::Ready => Some(silence),
        }
    }
}
