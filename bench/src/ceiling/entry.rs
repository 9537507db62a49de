//! Late entry into a call of 512 under load: from the publication of the roster to the last datagram of the unpaced part, beside
//! a bare UDP echo. Both ends are read on one clock: before the call is made, and by the kernel as the datagram comes in.

use std::{
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use relay::CallSettings;
use relay_core::roster::Participant;

use super::{
    Must, Options, Row, pin,
    rate::{SINKS, Stage, participant},
};
use crate::{allocations, raw};

/// A packet every 20 ms, as AMR-WB speaks.
const PTIME: Duration = Duration::from_millis(20);

/// The last 200 ms are ten packets; the talker shares a core with the rest of the harness and is not always on time.
const UNPACED_AT_LEAST: usize = 5;

/// Between two entries, so that they fall on every instant of a packet's way.
const PAUSE: Duration = Duration::from_micros(1_370);

pub(super) fn measure(options: &Options, chunk_us: f64) -> Vec<Row> {
    pin(1);
    let mut sinks = raw::Sinks::open(SINKS).expect("sinks");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut stage = runtime.block_on(Stage::set(&sinks, CallSettings::default()));
    let (echo, stop_echo) = start_echo();
    let newcomer = stamped();
    let client = stamped();
    let (mut entries, mut echoes, mut echo_stamps) = (histogram(), histogram(), histogram());
    let begin = Instant::now();
    let (mut talked, mut next) = (0u32, begin);
    while entries.len() < options.entries as u64 {
        // The talker never stops; the sink never fills.
        while begin.elapsed() >= PTIME * talked {
            stage.talk();
            talked += 1;
        }
        while sinks.take() > 0 {}
        if Instant::now() < next || talked < 20 {
            std::hint::spin_loop();
            continue;
        }
        next = Instant::now() + PAUSE;
        entries.record(enter_once(&stage, &runtime, &newcomer)).expect("within range");
        let (answered, stamped) = echo_once(&client, echo);
        echoes.record(answered).expect("within range");
        echo_stamps.record(stamped).expect("within range");
    }
    stop_echo.store(true, Ordering::Relaxed);
    client.send_to(b"end", echo).expect("loopback takes it");
    stage.relay.stop();
    let at = |histogram: &Histogram<u64>, quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1000.0;
    let (entry50, entry99) = (at(&entries, 0.5), at(&entries, 0.99));
    let (echo50, echo99) = (at(&echoes, 0.5), at(&echoes, 0.99));
    let row = |id, meaning, p50, histogram: &Histogram<u64>| {
        let spread = (at(histogram, 0.0), at(histogram, 0.99));
        Row { spread, ..Row::single(id, meaning, p50, "us, to p99", Must::Print) }
    };
    vec![
        Row::single("L2a", "late entry p50 / UDP echo p50", entry50 / echo50, "ratio", Must::AtMost(3.0)),
        Row::single(
            "L2b",
            "late entry p99, at most 3 x UDP echo p99 + one chunk",
            entry99,
            "us",
            Must::AtMost(3.0 * echo99 + chunk_us),
        ),
        row("L2c", "roster published -> unpaced part in the kernel, N = 512, p50", entry50, &entries),
        row("L2d", "bare UDP echo, round trip as its client sees it, p50", echo50, &echoes),
        row("L2e", "bare UDP echo, until its answer is in the kernel, p50", at(&echo_stamps, 0.5), &echo_stamps),
    ]
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 10_000_000_000, 3).expect("sensible bounds")
}

fn stamped() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    raw::stamp(&socket);
    socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout");
    socket
}

/// Enters, takes the unpaced part, leaves. Nanoseconds from before the publication to its last datagram.
fn enter_once(stage: &Stage, runtime: &tokio::runtime::Runtime, newcomer: &UdpSocket) -> u64 {
    let address = newcomer.local_addr().expect("an address");
    let who: Participant = participant("sip:late@bench", address, stage.call.assign_ssrc().expect("a free SSRC"));
    let begin = raw::wall_ns();
    let entered = runtime.block_on(stage.call.enter(who)).expect("the owner answers");
    let unpaced = entered.facts.media.first().map_or(0, |media| media.sequence + 1 - media.resumed_from.unwrap_or(0));
    assert!(unpaced as usize >= UNPACED_AT_LEAST, "200 ms of speech are {unpaced} packets");
    let mut space = [0u8; 2048];
    let mut last = 0;
    for _ in 0..unpaced {
        last = raw::receive_stamped(newcomer, &mut space).expect("the unpaced part comes").1;
    }
    runtime.block_on(stage.call.leave(entered.slot, entered.entry)).expect("the owner answers");
    newcomer.set_nonblocking(true).expect("a mode");
    while newcomer.recv(&mut space).is_ok() {}
    newcomer.set_nonblocking(false).expect("a mode");
    last.saturating_sub(begin).max(1)
}

/// One datagram to the echo and back. Nanoseconds until its client has the answer, and until the kernel had it for the client.
fn echo_once(client: &UdpSocket, echo: std::net::SocketAddr) -> (u64, u64) {
    let begin = raw::wall_ns();
    client.send_to(&[0; super::rate::PACKET], echo).expect("loopback takes it");
    let (_, stamp) = raw::receive_stamped(client, &mut [0; 2048]).expect("the echo answers");
    (raw::wall_ns().saturating_sub(begin).max(1), stamp.saturating_sub(begin).max(1))
}

/// A thread on the worker's core that sends back what it receives, as plainly as can be.
fn start_echo() -> (std::net::SocketAddr, Arc<AtomicBool>) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = socket.local_addr().expect("an address");
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = Arc::clone(&stop);
    std::thread::spawn(move || {
        allocations::unwatch_this_thread();
        pin(0);
        let mut space = [0u8; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut space) {
            if stopping.load(Ordering::Relaxed) || socket.send_to(&space[..length], from).is_err() {
                return;
            }
        }
    });
    (address, stop)
}
