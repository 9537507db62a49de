//! R7: how long a packet stays in the relay, and how far its first and its last participant are apart.
//!
//! - R7: from the talker's send to the kernel's stamp of the first participant's datagram, N = 100, at 30 % of the ceiling: p99 of
//!   a round ÷ p99 of a bare UDP echo on the same core, asked at the same rate, from its client's send to the kernel's
//!   stamp of the answer. Halves alternate.
//! - R7b: from the first stamp to the last, N = 1000: median over a round's packets ÷ (1000 × what a raw loop to the same stamping
//!   sinks needs per datagram in that round).

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{
    Must, Row, Run, discarded,
    echo::Echo,
    rate::raw_half,
    row::spread,
    stage::{Stage, unlimited, wait_until},
};
use crate::{
    raw::{self, How},
    sink::Sink,
};

/// Part of the ceiling.
const LOAD: f64 = 0.3;

const FEW: usize = 100;
const MANY: usize = 1000;

pub(super) fn measure(run: &mut Run<'_>) -> Vec<Row> {
    let ceiling = run.ceiling();
    // Stamps cost whoever sends: only these measurements have them.
    let mut sink = Sink::start().expect("the sink process starts");
    sink.stamp();
    let mut rows = first(run, &mut sink, LOAD * ceiling / FEW as f64);
    rows.extend(apart(run, &mut sink, LOAD * ceiling / MANY as f64));
    rows
}

fn first(run: &mut Run<'_>, sink: &mut Sink, rate: f64) -> Vec<Row> {
    let mut stage = Stage::set(&raw::targets(FEW, sink.ports()), unlimited());
    let echo = Echo::start();
    let half = run.options.half();
    let (rounds, worthless) = run.rounds(|_| {
        let stays = residence(&mut stage, sink, rate, half)?;
        Some((
            percentile(&stays.first, 0.99),
            percentile(&stays.first, 0.5),
            percentile(&echoes(&echo, rate, half), 0.99),
        ))
    });
    stage.relay.stop();
    let of = |value: fn(&(f64, f64, f64)) -> f64| rounds.iter().map(value).collect::<Vec<f64>>();
    let row = |id, meaning, value, unit, must| Row::of(id, meaning, &of(value), unit, must);
    let note = format!("{rate:.0} packets/s; {}", discarded(worthless));
    let meaning = "residence p99, N = 100 at 30 % of the ceiling / bare UDP echo p99 at that rate";
    vec![
        row("R7", meaning, |round| round.0 / round.2, "ratio", Must::AtMost(2.0)).noting(note),
        row("R7c", "residence p99, N = 100 at 30 % of the ceiling", |round| round.0, "us", Must::Print),
        row("R7d", "residence p50, N = 100 at 30 % of the ceiling", |round| round.1, "us", Must::Print),
        row(
            "R7e",
            "bare UDP echo at that rate, until its answer is in the kernel, p99",
            |round| round.2,
            "us",
            Must::Print,
        ),
    ]
}

fn apart(run: &mut Run<'_>, sink: &mut Sink, rate: f64) -> Vec<Row> {
    let targets = raw::targets(MANY, sink.ports());
    let mut stage = Stage::set(&targets, unlimited());
    let half = run.options.half();
    let (rounds, worthless) = run.rounds(|_| {
        let stays = residence(&mut stage, sink, rate, half)?;
        let raw = raw_half(sink, &targets, How::Sendmmsg, half);
        // What the raw loop sent has no number that means anything.
        sink.arrivals();
        Some((percentile(&stays.spread, 0.5), MANY as f64 / raw? * 1e6))
    });
    stage.relay.stop();
    let ratios: Vec<f64> = rounds.iter().map(|(apart, raw)| apart / raw).collect();
    let apart: Vec<f64> = rounds.iter().map(|round| round.0).collect();
    let meaning = "first to last participant, N = 1000 at 30 % of the ceiling / 1000 x raw cost per datagram";
    vec![
        Row::of("R7b", meaning, &ratios, "ratio", Must::AtMost(1.15)).noting(discarded(worthless)),
        Row::of("R7f", "first to last participant, N = 1000, median of a round", &apart, "us", Must::Print),
    ]
}

/// What packets of one round did. Microseconds.
#[derive(Debug, Default)]
pub(super) struct Stays {
    /// From the talker's send to the first participant.
    pub(super) first: Vec<f64>,
    /// From the talker's send to the last participant.
    pub(super) last: Vec<f64>,
    /// From the first participant to the last.
    pub(super) spread: Vec<f64>,
}

/// Lets the talker send at `rate` and asks the sink, which stamps, when everybody had it; `None` if something was lost.
pub(super) fn residence(stage: &mut Stage, sink: &mut Sink, rate: f64, length: Duration) -> Option<Stays> {
    sink.arrivals();
    let before = (sink.count(), stage.sent);
    let mut said = HashMap::new();
    stage.talk_at(rate, length, |sequence, at| _ = said.insert(sequence, at));
    if stage.outcome(sink, before).lost() > 0 {
        return None;
    }
    let mut stays = Stays::default();
    for arrival in sink.arrivals() {
        let Some(at) = said.get(&arrival.sequence) else { continue };
        let us = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1000.0;
        stays.first.push(us(*at, arrival.first));
        stays.last.push(us(*at, arrival.last));
        stays.spread.push(us(arrival.first, arrival.last));
    }
    Some(stays)
}

fn echoes(echo: &Echo, rate: f64, length: Duration) -> Vec<f64> {
    let begin = Instant::now();
    let ask = |number: u64| {
        wait_until(begin + Duration::from_secs_f64(number as f64 / rate));
        echo.ask().1 as f64 / 1000.0
    };
    (0..(rate * length.as_secs_f64()) as u64).map(ask).collect()
}

/// The value below which `part` of the values lie.
pub(super) fn percentile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (part * sorted.len() as f64) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(spread(&[]).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_stands_where_it_says() {
        let values: Vec<f64> = (0..1000).rev().map(f64::from).collect();
        assert_eq!(
            (percentile(&values, 0.5), percentile(&values, 0.99), percentile(&values, 1.0)),
            (500.0, 990.0, 999.0)
        );
        assert!(percentile(&[], 0.5).is_nan());
    }
}
