//! M1: memory of the media plane, by what the allocator has given away and not got back.
//!
//! A participant that only listens in a call in which nobody talks: everything that is kept of it, on whichever thread. A retained
//! second: what the first packet of the first burst makes a call take, divided by the seconds that it keeps; once in a
//! call whose rate limits are exactly AMR-WB's, and once with the default limits, for which the ring is sized.

use std::time::{Duration, Instant};

use relay::CallSettings;
use relay_core::roster;

use super::{
    Must, Row, Run,
    stage::{self, PACKET, Stage, participant},
};
use crate::{allocations, raw};

const PARTICIPANTS: usize = 20_000;

/// Packets of AMR-WB in a second.
const PACKETS_PER_S: u32 = 50;

pub(super) fn measure(_: &mut Run<'_>) -> Vec<Row> {
    let meaning = "memory per idle participant, 10,000 more in a call of 10,000";
    let exact = "memory per retained second of AMR-WB 23.85, in a call whose rate limits are that codec's";
    let roomy = "memory per retained second, in a call with the default rate limits (200 packets/s, 64 KiB/s)";
    let limits = CallSettings {
        packets_per_s: PACKETS_PER_S,
        bytes_per_s: PACKETS_PER_S * PACKET as u32,
        ..CallSettings::default()
    };
    vec![
        Row::single("M1", meaning, participants(), "bytes", Must::AtMost(1024.0)),
        Row::single("M1a", exact, retained_second(limits), "bytes", Must::AtMost(6.0 * 1024.0)),
        Row::single("M1b", roomy, retained_second(CallSettings::default()), "bytes", Must::Print),
    ]
}

fn participants() -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let relay = stage::start(1);
    let settings = CallSettings { participants_max: 2 * PARTICIPANTS as u32, ..CallSettings::default() };
    let call = relay.open_call("idle".into(), settings).expect("a call");
    let addresses = raw::targets(PARTICIPANTS, &[4000]);
    let enter = |range: std::ops::Range<usize>| {
        for number in range {
            let user = format!("sip:user-{number}@system.example");
            let mut who = participant(&user, addresses[number], call.assign_ssrc().expect("a free SSRC"));
            let floor = Some((addresses[number].ip(), 4002).into());
            who.leg = roster::Leg { rtp: addresses[number], floor }.into();
            runtime.block_on(call.enter(who)).expect("a participant enters");
        }
    };
    // The first ones pay for what grows in steps.
    enter(0..PARTICIPANTS / 2);
    let before = allocations::live_bytes();
    enter(PARTICIPANTS / 2..PARTICIPANTS);
    let bytes = (allocations::live_bytes() - before) as f64 / (PARTICIPANTS / 2) as f64;
    relay.stop();
    bytes
}

fn retained_second(settings: CallSettings) -> f64 {
    let seconds = f64::from(settings.retention.0) / 1000.0;
    let mut stage = Stage::set(&raw::targets(2, &[4000]), settings);
    let before = allocations::live_bytes();
    stage.talk();
    let begin = Instant::now();
    while stage.counter("media_received_total") == 0.0 && begin.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let bytes = allocations::live_bytes() - before;
    stage.relay.stop();
    bytes as f64 / seconds
}
