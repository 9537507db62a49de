//! R10: what a second worker brings, beside what a second raw thread brings.
//!
//! (deliveries per second of one call of 4,096 with two workers ÷ with one) ÷ (datagrams per second of two raw threads, each with
//! a socket and half of the targets ÷ of one thread). On a machine of two cores the sinks cannot have one: theirs are
//! sockets whose filter refuses everything, in all four halves alike, and what counts is what the kernel took. The talker's
//! few packets, and the harness between them, share core 1.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use super::{
    Must, Row, Run,
    stage::{self, PACKET, Stage, unlimited},
};
use crate::{
    raw::{self, Flood, How},
    sink::SOCKETS,
};

const PARTICIPANTS: usize = 4096;

/// Until a half has its pace.
const WARM: Duration = Duration::from_millis(100);

/// What one round took. Datagrams per second, with one and two threads.
struct Round {
    relay: [f64; 2],
    raw: [f64; 2],
}

pub(super) fn measure(run: &mut Run<'_>) -> Vec<Row> {
    let meaning = "one call of 4,096: (2 workers / 1) / (2 raw threads / 1)";
    let (unit, must) = ("ratio", Must::AtLeast(0.92));
    if raw::cores().len() < 2 {
        return vec![Row::unmeasured("R10", meaning, unit, must, "not measured: the machine has one core")];
    }
    let sinks: Vec<UdpSocket> = (0..SOCKETS).map(|_| refusing()).collect();
    let port = |socket: &UdpSocket| socket.local_addr().expect("an address").port();
    let targets = raw::targets(PARTICIPANTS, &sinks.iter().map(port).collect::<Vec<u16>>());
    let mut one = Stage::open(&stage::start(1), "one", &targets, unlimited());
    let mut two = Stage::open(&stage::start(2), "two", &targets, unlimited());
    let half = run.options.half();
    let (rounds, _) = run.rounds(|_| {
        let relay = [relay_half(&mut one, half), relay_half(&mut two, half)];
        let raw = [
            raw_half(&[&targets], half),
            raw_half(&[&targets[..PARTICIPANTS / 2], &targets[PARTICIPANTS / 2..]], half),
        ];
        Some(Round { relay, raw })
    });
    one.relay.stop();
    two.relay.stop();
    let of = |value: fn(&Round) -> f64| rounds.iter().map(value).collect::<Vec<f64>>();
    let gain = |round: &Round| (round.relay[1] / round.relay[0], round.raw[1] / round.raw[0]);
    let ratios: Vec<f64> = rounds.iter().map(|round| gain(round).0 / gain(round).1).collect();
    vec![
        Row::of("R10", meaning, &ratios, unit, must)
            .noting("what the kernel took, towards sockets that refuse everything"),
        Row::of(
            "R10a",
            "one call of 4,096: 2 workers / 1",
            &of(|round| round.relay[1] / round.relay[0]),
            unit,
            Must::Print,
        ),
        Row::of("R10b", "2 raw threads / 1", &of(|round| round.raw[1] / round.raw[0]), unit, Must::Print),
        Row::of("R10c", "one call of 4,096, 2 workers", &of(|round| round.relay[1]), "packets/s", Must::Print),
    ]
}

fn refusing() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a socket");
    raw::refuse_all(&socket);
    socket
}

fn relay_half(stage: &mut Stage, length: Duration) -> f64 {
    stage.saturate(WARM);
    let (begin, before) = (Instant::now(), stage.counter("media_sent_total"));
    stage.saturate(length);
    let rate = (stage.counter("media_sent_total") - before) / begin.elapsed().as_secs_f64();
    stage.rest();
    rate
}

fn raw_half(parts: &[&[SocketAddr]], length: Duration) -> f64 {
    let start = |(core, targets): (usize, &&[SocketAddr])| Flood::start(core, targets, &[0; PACKET], How::Sendmmsg);
    let floods: Vec<Flood> = parts.iter().enumerate().map(start).collect();
    let sent = || floods.iter().map(Flood::sent).sum::<u64>();
    std::thread::sleep(WARM);
    let (begin, before) = (Instant::now(), sent());
    std::thread::sleep(length);
    let rate = (sent() - before) as f64 / begin.elapsed().as_secs_f64();
    floods.into_iter().for_each(|flood| _ = flood.stop());
    rate
}
