//! The clock of the media plane: microseconds since the relay started, the same for all of its workers.

use std::time::{Duration, Instant, SystemTime};

use relay_core::Time;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
    wall: SystemTime,
}

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock { origin: Instant::now(), wall: SystemTime::now() }
    }

    pub(crate) fn now(&self) -> Time {
        Time::from_micros(self.origin.elapsed().as_micros() as u64)
    }

    pub(crate) fn instant(&self, time: Time) -> Instant {
        self.origin + Duration::from_micros(time.as_micros())
    }

    pub(crate) fn wall(&self, time: Time) -> SystemTime {
        self.wall + Duration::from_micros(time.as_micros())
    }
}
