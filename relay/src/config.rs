//! What the media plane is told before it starts, and what each call is told.

use std::net::SocketAddr;

use relay_core::{Millis, call, floor::settings};

/// A checked configuration of the media plane.
#[derive(Clone, Debug)]
pub struct Config {
    /// Base address: worker *w* uses port + 4·w for RTP, + 1 RTCP, + 2 floor control. Port 0: every socket gets a free port
    /// of its own (tests).
    pub media: SocketAddr,
    /// Number of workers, at least 1.
    pub workers: usize,
    /// Calls that may run at once on the node.
    pub calls_max: usize,
}

/// What a call follows. A change of floor and media settings counts from the next burst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSettings {
    /// Floor control: queueing, burst and hang time, queue limit.
    pub floor: FloorSettings,
    /// How much media is kept for late entry.
    pub retention: Millis,
    /// How much of the running burst a participant without resume points is sent.
    pub entry: Millis,
    /// A talker's packets per second; more are dropped and counted.
    pub packets_per_s: u32,
    /// A talker's bytes per second, RTP header included; more are dropped and counted.
    pub bytes_per_s: u32,
    /// Participants at once.
    pub participants_max: u32,
    /// Whether the talker's identity is withheld.
    pub privacy: bool,
    /// Whether it is a call of an emergency: its worker serves it before calls that are not.
    pub urgent: bool,
}

/// The part of a call's settings that its floor follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FloorSettings {
    /// Whether requests wait while the floor is taken.
    pub queueing: bool,
    /// Longest talk burst (T2). Seconds.
    pub max_burst_s: u16,
    /// Inactivity after which the call is released (T4). Seconds; 0: never.
    pub hang_time_s: u32,
    /// Requests that may wait at once.
    pub queue_max: u16,
}

impl CallSettings {
    /// The same as the core takes it: with the timers that no group document names.
    pub(crate) fn for_core(&self) -> call::Settings {
        call::Settings {
            floor: settings::Settings {
                queueing: self.floor.queueing,
                max_burst_s: self.floor.max_burst_s,
                hang_time_s: self.floor.hang_time_s,
                queue_limit: self.floor.queue_max,
                timers: settings::Timers::default(),
            },
            retention: self.retention,
            entry: self.entry,
            packets_per_s: self.packets_per_s,
            bytes_per_s: self.bytes_per_s,
            privacy: self.privacy,
        }
    }
}

impl Default for CallSettings {
    fn default() -> CallSettings {
        CallSettings {
            floor: FloorSettings { queueing: true, max_burst_s: 30, hang_time_s: 30, queue_max: 16 },
            retention: Millis(10_000),
            entry: Millis(200),
            packets_per_s: 200,
            bytes_per_s: 65_536,
            participants_max: 2000,
            privacy: false,
            urgent: false,
        }
    }
}
