//! A call with a talker, as control makes one, and the talker's hand.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

use relay::{Call, CallSettings, Config, FloorAction, FloorSettings, Relay};
use relay_core::{Millis, Ssrc, roster, rtp};

use crate::{
    raw,
    sink::{Count, Sink},
};

/// RTP packet with one AMR-WB 23.85 frame in octet-aligned mode: header 12, CMR and ToC 2, speech 60.
pub(super) const PACKET: usize = 74;

/// Deliveries that the talker keeps on their way, so that a saturated worker never waits: about ten milliseconds of work.
const AHEAD: u64 = 3_000;

/// Between two looks at how far a saturated worker is.
const LOOK: Duration = Duration::from_micros(300);

/// One call: a talker has the floor, everybody else hears.
pub(super) struct Stage {
    pub(super) relay: Relay,
    pub(super) call: Call,
    pub(super) participants: usize,
    talker: UdpSocket,
    ssrc: Ssrc,
    /// Packets that the talker has sent.
    pub(super) sent: u64,
    runtime: tokio::runtime::Runtime,
}

/// What came of some packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    /// Deliveries that were due: packets times participants.
    pub(super) due: u64,
    pub(super) delivered: u64,
    /// Drops at the sink's own sockets: if there are any, the sink was measured.
    pub(super) dropped: u64,
}

/// A relay with `workers` workers, on free ports of loopback.
pub(super) fn start(workers: usize) -> Relay {
    let config = Config { media: "127.0.0.1:0".parse().expect("an address"), workers, calls_max: 16 };
    // Its workers choose their cores themselves, as they do in a node.
    raw::unpinned(1, || Relay::start(config).expect("the relay starts").0)
}

/// Settings for a talker that sends as fast as the worker distributes.
pub(super) fn unlimited() -> CallSettings {
    let retention = Millis(500);
    CallSettings { packets_per_s: 100_000, bytes_per_s: 10_000_000, retention, ..CallSettings::default() }
}

impl Stage {
    /// A relay with one worker and one call. Participants' legs end at `targets`.
    pub(super) fn set(targets: &[SocketAddr], settings: CallSettings) -> Stage {
        Stage::open(&start(1), "bench", targets, settings)
    }

    /// Opens a call and enters everybody.
    pub(super) fn open(relay: &Relay, name: &str, targets: &[SocketAddr], settings: CallSettings) -> Stage {
        // One burst for as long as it takes: a revoked floor would be measured as a slow one.
        let floor = FloorSettings { max_burst_s: 3600, ..settings.floor.clone() };
        let participants_max = targets.len() as u32 + 2_000;
        let settings = CallSettings { floor, participants_max, ..settings };
        let call = relay.open_call(Arc::from(name), settings).expect("a call");
        let talker = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let ssrc = call.assign_ssrc().expect("a free SSRC");
        let own = participant("sip:talker@bench", talker.local_addr().expect("an address"), ssrc);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let own = call.enter(own).await.expect("the talker enters");
            for (number, address) in targets.iter().enumerate() {
                let ssrc = call.assign_ssrc().expect("a free SSRC");
                call.enter(participant(&format!("sip:{number}@bench"), *address, ssrc)).await.expect("it enters");
            }
            call.floor(own.slot, own.entry, FloorAction::Request { priority: 0 }).await.expect("the floor is granted");
        });
        let (relay, participants) = (relay.clone(), targets.len());
        Stage { relay, call, participants, talker, ssrc, sent: 0, runtime }
    }

    /// The runtime that asks on control's behalf.
    pub(super) fn runtime(&self) -> &tokio::runtime::Runtime {
        &self.runtime
    }

    /// The talker sends one packet. Answers its RTP sequence number, and the wall clock just before. Nanoseconds.
    pub(super) fn talk(&mut self) -> (u16, u64) {
        let payload_type = rtp::PayloadType::try_from(96).expect("seven bits");
        let sequence = self.sent as u16;
        let timestamp = (self.sent as u32).wrapping_mul(320);
        let header = rtp::Header { marker: false, payload_type, sequence, timestamp, ssrc: self.ssrc };
        let mut packet = [0u8; PACKET];
        header.write(&mut packet).expect("room");
        self.sent += 1;
        let now = raw::wall_ns();
        self.talker.send_to(&packet, self.call.ports().rtp).expect("loopback takes it");
        (sequence, now)
    }

    /// Keeps the worker saturated for `length`.
    pub(super) fn saturate(&mut self, length: Duration) {
        let begin = Instant::now();
        let deliveries = self.participants.max(1) as u64;
        let ahead = AHEAD.div_ceil(deliveries).max(3);
        // A look costs the core that a second worker may have: no more of them than the work ahead asks for.
        let look = LOOK * (ahead * deliveries / AHEAD).max(1) as u32;
        let (before, sent) = (self.counter("media_sent_total") as u64, self.sent);
        while begin.elapsed() < length {
            let done = self.counter("media_sent_total") as u64 - before;
            while (self.sent - sent) * deliveries < done + ahead * deliveries {
                self.talk();
            }
            std::thread::sleep(look);
        }
    }

    /// Sends `rate` packets a second for `length`, whatever becomes of them.
    pub(super) fn talk_at(&mut self, rate: f64, length: Duration, mut said: impl FnMut(u16, u64)) {
        let begin = Instant::now();
        let last = (rate * length.as_secs_f64()) as u64;
        for number in 0..last.max(1) {
            wait_until(begin + Duration::from_secs_f64(number as f64 / rate));
            let (sequence, at) = self.talk();
            said(sequence, at);
        }
    }

    /// Waits until the worker has nothing on its way any more.
    pub(super) fn rest(&self) {
        let mut sent = -1.0;
        while sent != self.counter("media_sent_total") {
            sent = self.counter("media_sent_total");
            std::thread::sleep(100 * LOOK);
        }
    }

    /// Waits until everything that was sent since `sent` is delivered, or nothing more comes.
    pub(super) fn outcome(&self, sink: &mut Sink, (before, sent): (Count, u64)) -> Outcome {
        let due = (self.sent - sent) * self.participants as u64;
        let count = sink.settle(before, due);
        Outcome { due, delivered: count.delivered - before.delivered, dropped: count.dropped - before.dropped }
    }

    /// The sum of a counter's rows.
    pub(super) fn counter(&self, name: &str) -> f64 {
        self.relay.metrics().iter().filter(|metric| metric.name == name).map(|metric| metric.value).sum()
    }
}

impl Outcome {
    pub(super) fn lost(&self) -> u64 {
        self.due.saturating_sub(self.delivered)
    }
}

/// Sleeps; whoever shares the core works meanwhile.
pub(super) fn wait_until(at: Instant) {
    let rest = at.saturating_duration_since(Instant::now());
    if !rest.is_zero() {
        std::thread::sleep(rest);
    }
}

pub(super) fn participant(user: &str, rtp: SocketAddr, audio_ssrc: Ssrc) -> roster::Participant {
    roster::Participant::new(user, "bench", roster::Leg { rtp, floor: None }, audio_ssrc)
}
/// The kernel's number of the thread of worker `number`, by its name.
pub(super) fn worker_thread(number: usize) -> Option<i32> {
    let name = format!("worker-{number}");
    let threads = std::fs::read_dir("/proc/self/task").ok()?;
    let named = |entry: &std::fs::DirEntry| {
        std::fs::read_to_string(entry.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
    };
    threads.filter_map(Result::ok).find(named)?.file_name().to_str()?.parse().ok()
}
