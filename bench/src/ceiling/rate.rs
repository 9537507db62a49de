//! Delivered packets per second: one worker with 512 participants, alternating with a raw `sendmmsg` loop to the same sockets.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use relay::{Call, CallSettings, Config, FloorAction, FloorSettings, Relay};
use relay_core::{Millis, Ssrc, roster, rtp};

use super::{Must, Options, Row, pin};
use crate::{
    allocations,
    raw::{self, Sinks},
};

/// Participants that hear the talker.
pub(super) const PARTICIPANTS: usize = 512;

/// Sockets that share the participants' datagrams among them.
pub(super) const SINKS: usize = 8;

/// RTP packet with one AMR-WB 23.85 frame in octet-aligned mode: header 12, CMR and ToC 2, speech 60.
pub(super) const PACKET: usize = 74;

/// A relay with one worker, and a call in which one talker has the floor and everybody else hears.
pub(super) struct Stage {
    pub(super) relay: Relay,
    pub(super) call: Call,
    talker: UdpSocket,
    ssrc: Ssrc,
    sequence: u16,
}

impl Stage {
    /// Enters everybody. Their legs end in `sinks`.
    pub(super) async fn set(sinks: &Sinks, settings: CallSettings) -> Stage {
        // One burst for as long as it takes: a revoked floor would be measured as a slow one.
        let floor = FloorSettings { max_burst_s: 3600, ..settings.floor.clone() };
        let settings = CallSettings { floor, ..settings };
        let config = Config { media: "127.0.0.1:0".parse().expect("an address"), workers: 1, calls_max: 16 };
        let (relay, _) = Relay::start(config).expect("the relay starts");
        let call = relay.open_call(Arc::from("bench"), settings).expect("a call");
        let talker = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let ssrc = call.assign_ssrc().expect("a free SSRC");
        let own = participant("sip:talker@bench", talker.local_addr().expect("an address"), ssrc);
        let own = call.enter(own).await.expect("the talker enters");
        for (number, address) in raw::targets(PARTICIPANTS, &sinks.ports()).into_iter().enumerate() {
            let who = participant(&format!("sip:{number}@bench"), address, call.assign_ssrc().expect("a free SSRC"));
            call.enter(who).await.expect("a participant enters");
        }
        call.floor(own.slot, own.entry, FloorAction::Request { priority: 0 }).await.expect("the floor is granted");
        Stage { relay, call, talker, ssrc, sequence: 0 }
    }

    /// The talker sends one packet.
    pub(super) fn talk(&mut self) {
        let payload_type = rtp::PayloadType::try_from(96).expect("seven bits");
        let timestamp = u32::from(self.sequence) * 320;
        let header = rtp::Header { marker: false, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc };
        let mut packet = [0u8; PACKET];
        header.write(&mut packet).expect("room");
        self.talker.send_to(&packet, self.call.ports().rtp).expect("loopback takes it");
        self.sequence = self.sequence.wrapping_add(1);
    }

    pub(super) fn counter(&self, name: &str) -> f64 {
        self.relay.metrics().iter().filter(|metric| metric.name == name).map(|metric| metric.value).sum()
    }
}

pub(super) fn participant(user: &str, rtp: SocketAddr, audio_ssrc: Ssrc) -> roster::Participant {
    roster::Participant::new(user, "bench", roster::Leg { rtp, floor: None }, audio_ssrc)
}

/// Room for a talker that sends as fast as the worker distributes.
fn unlimited() -> CallSettings {
    let retention = Millis(500);
    CallSettings { packets_per_s: 100_000, bytes_per_s: 10_000_000, retention, ..CallSettings::default() }
}

/// What one round delivered.
struct Round {
    relay_pps: f64,
    raw_pps: f64,
    allocations: u64,
    delivered: u64,
    calls: f64,
}

/// Answers the rows and how long one chunk takes, in microseconds.
pub(super) fn measure(options: &Options) -> (Vec<Row>, f64) {
    pin(1);
    let mut sinks = Sinks::open(SINKS).expect("sinks");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut stage = runtime.block_on(Stage::set(&sinks, unlimited()));
    let targets = raw::targets(PARTICIPANTS, &sinks.ports());
    let length = Duration::from_millis(options.round_ms);
    let mut rounds = Vec::new();
    let mut discarded = 0;
    for round in 0..=options.rounds.max(2) {
        let calls = stage.counter("send_calls_total");
        let before = allocations::allocations();
        let (delivered, relay_pps) = relay_round(&mut stage, &mut sinks, length);
        let allocations = allocations::allocations() - before;
        let calls = stage.counter("send_calls_total") - calls;
        let raw_pps = raw_round(&targets, &mut sinks, length);
        let Some(raw_pps) = raw_pps.filter(|_| round > 0) else {
            // The first round warms up.
            discarded += usize::from(round > 0);
            continue;
        };
        rounds.push(Round { relay_pps, raw_pps, allocations, delivered, calls });
    }
    assert!(!rounds.is_empty(), "the sinks fell behind in every round: give this machine more time");
    let lost = stage.counter("deliveries_lost_total");
    stage.relay.stop();
    let ratios: Vec<f64> = rounds.iter().map(|round| round.relay_pps / round.raw_pps).collect();
    let relay: Vec<f64> = rounds.iter().map(|round| round.relay_pps).collect();
    let raw: Vec<f64> = rounds.iter().map(|round| round.raw_pps).collect();
    let allocations: u64 = rounds.iter().map(|round| round.allocations).sum();
    let delivered: u64 = rounds.iter().map(|round| round.delivered).sum();
    let calls: f64 = rounds.iter().map(|round| round.calls).sum();
    let raw_row = Row::of("R1b", "raw shared-iovec sendmmsg loop, same sockets", &raw, "packets/s", Must::Print);
    let chunk_us = raw::BATCH as f64 / raw_row.value * 1e6;
    let per_packet = |number: f64| number / delivered as f64;
    let rows = vec![
        Row::of("R1", "delivered, one worker, N = 512, relay / raw loop", &ratios, "ratio", Must::AtLeast(0.80)),
        Row::of("R1a", "delivered by one worker, N = 512", &relay, "packets/s", Must::Print),
        raw_row,
        Row::single("R4", "sendmmsg calls per delivered packet", per_packet(calls), "calls", Must::Print),
        Row::single(
            "R5a",
            "heap allocations per delivered packet",
            per_packet(allocations as f64),
            "",
            Must::AtMost(0.0),
        ),
        Row::single("R5b", "payload copies per delivered packet", payload_copies(), "", Must::AtMost(0.0)),
        Row::single("R5c", "deliveries lost in the relay", lost, "packets", Must::AtMost(0.0)),
        Row::single("D", "rounds in which the sinks fell behind, discarded", discarded as f64, "rounds", Must::Print),
        Row::single("C", "one chunk of 128, raw", chunk_us, "us", Must::Print),
    ];
    (rows, chunk_us)
}

/// The talker keeps three packets on their way, so that the worker never waits; the sink counts what arrives.
fn relay_round(stage: &mut Stage, sinks: &mut Sinks, length: Duration) -> (u64, f64) {
    let (mut delivered, mut sent) = (0u64, 0u64);
    let start = Instant::now();
    while start.elapsed() < length {
        while sent * (PARTICIPANTS as u64) < delivered + 3 * PARTICIPANTS as u64 {
            stage.talk();
            sent += 1;
        }
        delivered += sinks.take() as u64;
    }
    let pps = delivered as f64 / start.elapsed().as_secs_f64();
    let deadline = Instant::now() + Duration::from_secs(2);
    while delivered < sent * PARTICIPANTS as u64 && Instant::now() < deadline {
        delivered += sinks.take() as u64;
    }
    assert_eq!(delivered, sent * PARTICIPANTS as u64, "every packet reaches every participant");
    (delivered, pps)
}

/// The raw loop runs on the worker's core; the same sinks count. `None` if they fell behind: then they were measured, not it.
fn raw_round(targets: &[SocketAddr], sinks: &mut Sinks, length: Duration) -> Option<f64> {
    let stop = Arc::new(AtomicBool::new(false));
    let (targets, stopping) = (targets.to_vec(), Arc::clone(&stop));
    let sender = std::thread::spawn(move || {
        allocations::unwatch_this_thread();
        pin(0);
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        raw::send_until(&socket, &targets, &[0; PACKET], &stopping)
    });
    let mut delivered = 0u64;
    // The thread begins to send at some time after it was spawned: the clock starts with its first datagrams.
    while delivered == 0 {
        delivered += sinks.take() as u64;
    }
    let start = Instant::now();
    let first = delivered;
    while start.elapsed() < length {
        delivered += sinks.take() as u64;
    }
    let pps = (delivered - first) as f64 / start.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    let sent = sender.join().expect("the raw loop ends");
    let behind = sent - delivered;
    loop {
        match sinks.take() as u64 {
            0 => break,
            more => delivered += more,
        }
    }
    (delivered == sent && behind < sent / 20).then_some(pps)
}

/// Copies of a payload between retention and the system call: how many different places in memory one packet is sent from,
/// over all its chunks and a replay, beyond the first.
fn payload_copies() -> f64 {
    use relay_core::{
        Slot, Time,
        call::{Action, Call, Input, Output, Settings},
        floor,
    };
    let settings = Settings {
        floor: floor::settings::Settings::default(),
        retention: Millis(1000),
        entry: Millis(200),
        packets_per_s: 200,
        bytes_per_s: 65_536,
        privacy: false,
    };
    let mut call: Call<SocketAddr> = Call::new(settings, Ssrc(1));
    for (number, address) in raw::targets(PARTICIPANTS, &[1]).into_iter().enumerate() {
        let who = participant(&format!("sip:{number}@bench"), address, Ssrc(number as u32 + 10));
        let slot = Slot(number as u32);
        call.handle(Input::Enter { slot, entry: number as u64, participant: who }, Time::ZERO);
        while !matches!(call.poll(), Output::Wake(_)) {}
    }
    call.handle(Input::Ask { slot: Slot(0), token: 0, action: Action::Request(0) }, Time::ZERO);
    while !matches!(call.poll(), Output::Wake(_)) {}
    let mut bytes = [0u8; PACKET];
    let payload_type = rtp::PayloadType::try_from(96).expect("seven bits");
    let header = rtp::Header { marker: false, payload_type, sequence: 0, timestamp: 0, ssrc: Ssrc(10) };
    header.write(&mut bytes).expect("room");
    let packet = rtp::Packet::parse(&bytes).expect("a packet");
    call.handle(Input::Media { slot: Slot(0), packet }, Time::ZERO);
    let late = participant("sip:late@bench", "127.0.0.1:9".parse().expect("an address"), Ssrc(9));
    call.handle(Input::Enter { slot: Slot(PARTICIPANTS as u32), entry: 9999, participant: late }, Time::ZERO);
    let (mut places, mut delivered) = (std::collections::BTreeSet::new(), 0);
    loop {
        match call.poll() {
            Output::Distribute { packet, targets, .. } => {
                places.insert(packet.as_ptr() as usize);
                delivered += targets.len();
            }
            Output::Replay { orders, kept, .. } => {
                places
                    .extend(orders.iter().filter_map(|order| kept.packet(*order)).map(|bytes| bytes.as_ptr() as usize));
                delivered += orders.len();
            }
            Output::Wake(_) => break,
            _ => {}
        }
    }
    assert_eq!(delivered, PARTICIPANTS, "everybody but the talker, and the newcomer");
    (places.len() - 1) as f64 / delivered as f64
}
