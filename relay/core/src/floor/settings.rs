//! What a group sets for its floor, and the timers of the floor machines with their defaults (TS 24.380 §11).

use crate::time::Millis;

/// One default: what it is called, how large it is, who says so, and what it guards.
///
/// `evidence` names who says so: I the clause itself, N, C and W other implementations and their
/// notes, `ours` a rule of this project where the clause leaves the value open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Name of the timer or counter in TS 24.380, or our own word.
    pub name: &'static str,
    /// Default in `unit`.
    pub value: u32,
    /// Unit of `value`.
    pub unit: &'static str,
    /// Where the value comes from.
    pub evidence: &'static str,
    /// What it guards.
    pub guards: &'static str,
}

const fn row(name: &'static str, value: u32, unit: &'static str, evidence: &'static str, guards: &'static str) -> Row {
    Row { name, value, unit, evidence, guards }
}

const T1: Row = row("T1", 4_000, "ms", "I N C", "silence of the talker before the floor goes idle, at most 6 s");
const T2: Row = row("T2", 30, "s", "I N C", "longest talk burst, counted from its first packet");
const T3: Row = row("T3", 3_000, "ms", "I N C", "grace between Floor Revoke and cutting the media");
const T4: Row = row("T4", 30, "s", "I N C", "hang time: idle floor before the call counts as inactive");
const T7: Row = row("T7", 1_000, "ms", "N C", "time between repeated Floor Idle");
const T8: Row = row("T8", 1_000, "ms", "N C", "time between repeated Floor Revoke");
const T20: Row = row("T20", 1_000, "ms", "N C", "time between repeated Floor Granted after a queued grant");
const C7: Row = row("C7", 10, "sends", "N C", "Floor Idle in a row, the first one included");
const C20: Row = row("C20", 3, "sends", "N C", "Floor Granted in a row, the first one included");
const T8_REPEATS: Row =
    row("T8 repeats", 5, "sends", "ours", "repeated Floor Revoke before it is given up and reported");
const MEDIA_TAIL: Row =
    row("media tail", 100, "ms", "ours", "media still distributed after a Release while the floor is idle");
const QUIET_TAIL: Row =
    row("quiet tail", 300, "ms", "ours", "media in flight after the floor ended, dropped without Revoke");
const QUEUE_LIMIT: Row =
    row("queue limit", 16, "entries", "ours", "requests that wait in one call, a pre-emptor not counted");

/// Every default, in one place.
pub const TABLE: [Row; 13] = [T1, T2, T3, T4, T7, T8, T20, C7, C20, T8_REPEATS, MEDIA_TAIL, QUIET_TAIL, QUEUE_LIMIT];

/// What a group's document sets for its floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether requests may wait for the floor (TS 24.380 §4.1.1.2).
    pub queueing: bool,
    /// T2: longest talk burst. Seconds; 0 is taken as 1.
    pub max_burst_s: u16,
    /// T4: idle time before the call counts as inactive. Seconds; 0 is never.
    pub hang_time_s: u32,
    /// Requests that may wait; a pre-emptor has one more place.
    pub queue_limit: u16,
    /// Timers and counters that a group document does not name.
    pub timers: Timers,
}

/// Timers and counters of the floor machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Silence of the talker before the floor goes idle.
    pub t1: Millis,
    /// Grace between Floor Revoke and cutting the media.
    pub t3: Millis,
    /// Time between repeated Floor Idle.
    pub t7: Millis,
    /// Time between repeated Floor Revoke.
    pub t8: Millis,
    /// Time between repeated Floor Granted after a queued grant.
    pub t20: Millis,
    /// Floor Idle in a row, the first one included.
    pub c7: u8,
    /// Floor Granted in a row, the first one included.
    pub c20: u8,
    /// Repeated Floor Revoke before it is given up and reported.
    pub t8_repeats: u8,
    /// Media still distributed after a Release while the floor is idle.
    pub media_tail: Millis,
    /// Media in flight after a Release or the end of a burst that is never answered with Floor Revoke.
    pub quiet_tail: Millis,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            queueing: true,
            max_burst_s: T2.value as u16,
            hang_time_s: T4.value,
            queue_limit: QUEUE_LIMIT.value as u16,
            timers: Timers::default(),
        }
    }
}

impl Default for Timers {
    fn default() -> Timers {
        Timers {
            t1: Millis(T1.value),
            t3: Millis(T3.value),
            t7: Millis(T7.value),
            t8: Millis(T8.value),
            t20: Millis(T20.value),
            c7: C7.value as u8,
            c20: C20.value as u8,
            t8_repeats: T8_REPEATS.value as u8,
            media_tail: Millis(MEDIA_TAIL.value),
            quiet_tail: Millis(QUIET_TAIL.value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_a_new_call_gets() {
        let value = |name| TABLE.iter().find(|row| row.name == name).unwrap().value;
        let settings = Settings::default();
        assert_eq!(u32::from(settings.max_burst_s), value("T2"));
        assert_eq!(settings.hang_time_s, value("T4"));
        assert_eq!(settings.timers.t20, Millis(value("T20")));
        assert_eq!(u32::from(settings.timers.t8_repeats), value("T8 repeats"));
        assert!(TABLE.iter().all(|row| row.value > 0 && !row.evidence.is_empty()));
    }
}
