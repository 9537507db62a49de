//! R1, R2: delivered packets per second of one worker, beside raw loops on its core towards the same sinks.
//!
//! Each half is counted where datagrams end: by the sink process, between two counts of its own clock. The relay's half is a
//! talker that always keeps some packets on their way; what was sent but not delivered makes the round worthless.

use std::{net::SocketAddr, time::Duration};

use super::{
    Must, Row, Run, discarded,
    row::spread,
    stage::{PACKET, Stage, unlimited},
};
use crate::{
    raw::{self, Flood, How},
    sink::Sink,
};

/// Participants that hear the talker; what is called "the ceiling" elsewhere is measured with so many.
pub(super) const PARTICIPANTS: usize = 512;

/// A call that no processor cache of one core holds with all its kernel sockets' routes.
const MANY: usize = 2048;

/// Until a half has its pace.
const WARM: Duration = Duration::from_millis(50);

/// What one round delivered. Packets per second.
struct Round {
    relay: f64,
    sendmmsg: f64,
    sendto: f64,
}

pub(super) fn measure(run: &mut Run<'_>) -> Vec<Row> {
    let (rounds, worthless) = play(run, PARTICIPANTS);
    let of = |value: fn(&Round) -> f64, rounds: &[Round]| rounds.iter().map(value).collect::<Vec<f64>>();
    run.ceiling = Some(spread(&of(|round| round.relay, &rounds)).1).filter(|rate| rate.is_finite());
    run.raw = Some(spread(&of(|round| round.sendmmsg, &rounds)).1).filter(|rate| rate.is_finite());
    let must = Must::AtLeast(0.92);
    let ratio: fn(&Round) -> f64 = |round| round.relay / round.sendmmsg;
    let row = |id, meaning, value, unit, must| Row::of(id, meaning, &of(value, &rounds), unit, must);
    let mut rows = vec![
        row("R1", "delivered, one worker, N = 512, relay / raw shared-iovec sendmmsg", ratio, "ratio", must)
            .noting(discarded(worthless)),
        row("R1a", "delivered by one worker, N = 512", |round| round.relay, "packets/s", Must::Print),
        row("R1b", "delivered by the raw sendmmsg loop, N = 512", |round| round.sendmmsg, "packets/s", Must::Print),
        row(
            "R2",
            "delivered, N = 512, relay / raw sendto loop",
            |round| round.relay / round.sendto,
            "ratio",
            Must::Print,
        ),
    ];
    if run.options.wants("R1c") {
        let (rounds, worthless) = play(run, MANY);
        let meaning = "delivered, one worker, N = 2048, relay / raw shared-iovec sendmmsg";
        rows.push(Row::of("R1c", meaning, &of(ratio, &rounds), "ratio", must).noting(discarded(worthless)));
    }
    rows
}

fn play(run: &mut Run<'_>, participants: usize) -> (Vec<Round>, usize) {
    let targets = raw::targets(participants, run.sink.ports());
    let mut stage = Stage::set(&targets, unlimited());
    let half = run.options.half();
    let rounds = run.rounds(|run| {
        let relay = relay_half(&mut stage, &mut run.sink, half);
        let sendmmsg = raw_half(&mut run.sink, &targets, How::Sendmmsg, half);
        let sendto = raw_half(&mut run.sink, &targets, How::Sendto, half);
        Some(Round { relay: relay?, sendmmsg: sendmmsg?, sendto: sendto? })
    });
    stage.relay.stop();
    rounds
}

/// Packets per second that one saturated worker delivers; `None` if not all of them arrived.
pub(super) fn relay_half(stage: &mut Stage, sink: &mut Sink, length: Duration) -> Option<f64> {
    let before = (sink.count(), stage.sent);
    stage.saturate(WARM);
    let begin = sink.count();
    stage.saturate(length);
    let end = sink.count();
    let outcome = stage.outcome(sink, before);
    (outcome.lost() == 0).then(|| end.rate_since(&begin))
}

/// Packets per second that a raw loop on the worker's core delivers; `None` if not all of them arrived.
pub(super) fn raw_half(sink: &mut Sink, targets: &[SocketAddr], how: How, length: Duration) -> Option<f64> {
    let before = sink.count();
    let flood = Flood::start(0, targets, &[0; PACKET], how);
    std::thread::sleep(WARM);
    let begin = sink.count();
    std::thread::sleep(length);
    let end = sink.count();
    let sent = flood.stop();
    let settled = sink.settle(before, sent);
    (settled.delivered - before.delivered == sent).then(|| end.rate_since(&begin))
}
