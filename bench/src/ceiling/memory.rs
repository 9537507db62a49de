//! M1: memory of the media plane, by what the allocator has given away and not got back.
//!
//! A participant that only listens in a call in which nobody talks: everything that is kept of it, on whichever thread. Old rosters
//! wait for some edits until they are given back, so the least of many looks is what is kept, before and after; what waits
//! stands beside it. A retained
//! second: what a call with the default limits takes while somebody talks AMR-WB for longer than media is kept, divided by
//! the seconds that it keeps.

use std::time::{Duration, Instant};

use relay::CallSettings;
use relay_core::{Millis, roster};

use super::{
    Must, Row, Run,
    stage::{self, Stage, participant},
};
use crate::{allocations, raw};

const PARTICIPANTS: usize = 20_000;

/// Edits of a roster, each with a look: more than old rosters wait for.
const LOOKS: usize = 1_000;

/// Packets of AMR-WB in a second, and how far apart they are.
const PACKETS_PER_S: u32 = 50;
const PTIME: Duration = Duration::from_millis(20);

pub(super) fn measure(run: &mut Run<'_>) -> Vec<Row> {
    let meaning = "memory per idle participant, 10,000 more in a call of 10,000";
    let retained = "memory per retained second of AMR-WB 23.85, default limits, talked for longer than is retained";
    let settings = CallSettings::default();
    let settings = if run.options.short { CallSettings { retention: Millis(4_000), ..settings } } else { settings };
    let waiting = "most that waited to be given back, old rosters of that call";
    let (kept, waited) = participants();
    vec![
        Row::single("M1", meaning, kept, "bytes", Must::AtMost(1024.0)),
        Row::single("M1b", waiting, waited, "bytes", Must::Print),
        Row::single("M1a", retained, retained_second(settings), "bytes", Must::AtMost(6.0 * 1024.0)),
    ]
}

/// Bytes per participant, and bytes that waited.
fn participants() -> (f64, f64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let relay = stage::start(1);
    let settings = CallSettings { participants_max: 2 * PARTICIPANTS as u32, ..CallSettings::default() };
    let call = relay.open_call("idle".into(), settings).expect("a call");
    let addresses = raw::targets(PARTICIPANTS + 1, &[4000]);
    let enter = |number: usize| {
        let user = format!("sip:user-{number}@system.example");
        let mut who = participant(&user, addresses[number], call.assign_ssrc().expect("a free SSRC"));
        let floor = Some((addresses[number].ip(), 4002).into());
        who.leg = roster::Leg { rtp: addresses[number], floor }.into();
        runtime.block_on(call.enter(who)).expect("a participant enters")
    };
    let look = || {
        let looks = (0..LOOKS).map(|_| {
            let entered = enter(PARTICIPANTS);
            runtime.block_on(call.leave(entered.slot, entered.entry)).expect("it leaves");
            allocations::live_bytes()
        });
        looks.fold((i64::MAX, 0), |(least, most), bytes| (least.min(bytes), most.max(bytes)))
    };
    // The first ones pay for what grows in steps.
    (0..PARTICIPANTS / 2).for_each(|number| _ = enter(number));
    let before = look();
    (PARTICIPANTS / 2..PARTICIPANTS).for_each(|number| _ = enter(number));
    let after = look();
    relay.stop();
    ((after.0 - before.0) as f64 / (PARTICIPANTS / 2) as f64, (after.1 - after.0) as f64)
}

fn retained_second(settings: CallSettings) -> f64 {
    let seconds = settings.retention.0 / 1000;
    let mut stage = Stage::set(&raw::targets(2, &[4000]), settings);
    let before = allocations::live_bytes();
    let begin = Instant::now();
    for packet in 0..PACKETS_PER_S * (seconds + 1) {
        while begin.elapsed() < PTIME * packet {
            std::thread::sleep(Duration::from_millis(1));
        }
        stage.talk();
    }
    let received = stage.counter("media_received_total");
    let bytes = allocations::live_bytes() - before;
    stage.relay.stop();
    assert!(received >= f64::from(seconds * PACKETS_PER_S), "{received} packets were kept, of {seconds} s");
    bytes as f64 / f64::from(seconds)
}
