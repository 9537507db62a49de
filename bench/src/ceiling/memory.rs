//! Memory of a participant that only listens, in a call in which nobody talks: everything that the media plane keeps of it.

use std::sync::Arc;

use relay::{CallSettings, Config, Relay};
use relay_core::roster;

use super::{Must, Row, rate::participant};
use crate::{allocations, raw};

const PARTICIPANTS: usize = 20_000;

pub(super) fn measure() -> Vec<Row> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let config = Config { media: "127.0.0.1:0".parse().expect("an address"), workers: 1, calls_max: 16 };
    let (relay, _events) = Relay::start(config).expect("the relay starts");
    let settings = CallSettings { participants_max: 2 * PARTICIPANTS as u32, ..CallSettings::default() };
    let call = relay.open_call(Arc::from("idle"), settings).expect("a call");
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
    vec![Row::single(
        "M1",
        "memory per idle participant, 10,000 more in a call of 10,000",
        bytes,
        "bytes",
        Must::AtMost(1024.0),
    )]
}
