//! Late entry into a call of 512 under load: from the publication of the roster to the last datagram of the unpaced part, beside
//! a bare UDP echo. Both ends are read on one clock: before the call is made, and by the kernel as the datagram comes in.

use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use relay::CallSettings;
use relay_core::roster::Participant;

use super::{
    Must, Row, Run,
    echo::{Echo, stamped},
    stage::{Stage, participant},
};
use crate::raw;

/// Participants of the call that is entered.
const PARTICIPANTS: usize = 512;

/// A packet every 20 ms, as AMR-WB speaks.
const PTIME: Duration = Duration::from_millis(20);

/// The last 200 ms are ten packets; the talker shares a core with the rest of the harness and is not always on time.
const UNPACED_AT_LEAST: usize = 5;

/// Between two entries, so that they fall on every instant of a packet's way.
const PAUSE: Duration = Duration::from_micros(1_370);

/// Between two looks at the clock: whoever shares the core works meanwhile.
const POLL: Duration = Duration::from_micros(100);

/// Entries of one round, each beside one bare UDP echo.
const ENTRIES: u64 = 200;

/// One round: what was seen of entries and echoes. Nanoseconds.
struct Round {
    entries: Histogram<u64>,
    echoes: Histogram<u64>,
    stamps: Histogram<u64>,
}

pub(super) fn measure(run: &mut Run<'_>) -> Vec<Row> {
    // A newcomer may find the worker within one chunk of live sends: that much of its wait is the kernel's own.
    let chunk_us = raw::BATCH as f64 / run.raw() * 1e6;
    let mut stage = Stage::set(&raw::targets(PARTICIPANTS, run.sink.ports()), CallSettings::default());
    let echo = Echo::start();
    let newcomer = stamped();
    let begin = Instant::now();
    let mut talked = 0u32;
    let (rounds, _) = run.rounds(|_| {
        let mut round = Round { entries: histogram(), echoes: histogram(), stamps: histogram() };
        let mut next = Instant::now();
        while round.entries.len() < ENTRIES {
            // The talker never stops.
            while begin.elapsed() >= PTIME * talked {
                stage.talk();
                talked += 1;
            }
            if Instant::now() < next || talked < 20 {
                std::thread::sleep(POLL);
                continue;
            }
            next = Instant::now() + PAUSE;
            round.entries.record(enter_once(&stage, &newcomer)).expect("within range");
            let (answered, stamped) = echo.ask();
            round.echoes.record(answered).expect("within range");
            round.stamps.record(stamped).expect("within range");
        }
        Some(round)
    });
    stage.relay.stop();
    rows(&rounds, chunk_us)
}

fn rows(rounds: &[Round], chunk_us: f64) -> Vec<Row> {
    let us = |histogram: &Histogram<u64>, quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1000.0;
    let of = |value: &dyn Fn(&Round) -> f64| rounds.iter().map(value).collect::<Vec<f64>>();
    let p50 = of(&|round| us(&round.entries, 0.5) / us(&round.echoes, 0.5));
    let p99 = of(&|round| (us(&round.entries, 0.99) - chunk_us).max(0.0) / us(&round.echoes, 0.99));
    let print = |id, meaning, value: &dyn Fn(&Round) -> f64| Row::of(id, meaning, &of(value), "us", Must::Print);
    let published = "late entry, N = 512 under load: roster published to unpaced part in the kernel";
    vec![
        Row::of("L2", "late entry p50 / bare UDP echo p50", &p50, "ratio", Must::AtMost(3.0)),
        Row::of("L2a", "(late entry p99 - one raw chunk of 128) / bare UDP echo p99", &p99, "ratio", Must::AtMost(3.0)),
        print("L2b", format!("{published}, p50"), &|round| us(&round.entries, 0.5)),
        print("L2c", format!("{published}, p99"), &|round| us(&round.entries, 0.99)),
        print("L2d", "bare UDP echo as its client sees it, p50".into(), &|round| us(&round.echoes, 0.5)),
        print("L2e", "bare UDP echo as its client sees it, p99".into(), &|round| us(&round.echoes, 0.99)),
        print("L2f", "bare UDP echo, until its answer is in the kernel, p50".into(), &|round| us(&round.stamps, 0.5)),
        Row::single("L2g", "one chunk of 128, raw", chunk_us, "us", Must::Print),
    ]
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 10_000_000_000, 3).expect("sensible bounds")
}

/// Enters, takes the unpaced part, leaves. Nanoseconds from before the publication to its last datagram.
fn enter_once(stage: &Stage, newcomer: &UdpSocket) -> u64 {
    let address = newcomer.local_addr().expect("an address");
    let who: Participant = participant("sip:late@bench", address, stage.call.assign_ssrc().expect("a free SSRC"));
    let runtime = stage.runtime();
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
