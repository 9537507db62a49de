//! Time as cores know it: a number that the shell hands in, never a clock that is read.

use core::ops::{Add, Sub};

/// A point in time on the shell's monotonic clock. Microseconds since an origin that only the shell knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

/// A length of time. Milliseconds, at most about 49 days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u32);

impl Time {
    /// The origin of the clock.
    pub const ZERO: Time = Time(0);

    /// The point `micros` microseconds after the origin.
    pub const fn from_micros(micros: u64) -> Time {
        Time(micros)
    }

    /// Microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Time passed since `earlier`, rounded down to whole milliseconds; zero if `earlier` lies ahead.
    pub fn since(self, earlier: Time) -> Millis {
        Millis(u32::try_from(self.micros_since(earlier) / 1000).unwrap_or(u32::MAX))
    }

    /// Microseconds passed since `earlier`; zero if `earlier` lies ahead.
    pub const fn micros_since(self, earlier: Time) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Millis {
    /// Whole seconds as milliseconds; saturates.
    pub const fn from_secs(seconds: u32) -> Millis {
        Millis(seconds.saturating_mul(1000))
    }

    /// The same length in microseconds.
    pub const fn as_micros(self) -> u64 {
        self.0 as u64 * 1000
    }
}

impl Add<Millis> for Time {
    type Output = Time;
    fn add(self, length: Millis) -> Time {
        Time(self.0.saturating_add(length.as_micros()))
    }
}

impl Sub<Millis> for Time {
    type Output = Time;
    fn sub(self, length: Millis) -> Time {
        Time(self.0.saturating_sub(length.as_micros()))
    }
}
