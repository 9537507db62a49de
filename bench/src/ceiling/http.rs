//! Entering by the API of a node that runs as its operator runs it: a process of its own on core 0. The client has core 1.

mod client;
mod joins;
mod late;
mod node;

use std::io;

use hdrhistogram::Histogram;

use super::{Must, Row, Run};
use node::Node;

pub(super) fn measure(run: &mut Run<'_>) -> Vec<Row> {
    let good = run.options.rounds().saturating_sub(1).max(1);
    let (late, join) = (run.options.wants("L1"), run.options.wants("J1"));
    let mut rows = Vec::new();
    if late {
        let measured = Node::start().and_then(|node| late::measure(&node, good));
        rows.extend(measured.map(late_rows).unwrap_or_else(|error| vec![unmeasured("L1", &error)]));
    }
    if join {
        let measured = Node::start().and_then(|node| joins::measure(&node, good));
        let missing = |error| ["J1a", "J1b"].map(|id| unmeasured(id, &error)).into();
        rows.extend(measured.map(join_rows).unwrap_or_else(missing));
    }
    rows
}

fn unmeasured(id: &'static str, error: &io::Error) -> Row {
    Row::unmeasured(id, "entering by the API", "", Must::AtLeast(0.0), error.to_string())
}

fn late_rows(seen: late::Seen) -> Vec<Row> {
    let us = |histogram: &Histogram<u64>, quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
    let row = |id, meaning, histogram: &Histogram<u64>, quantile| {
        let spread = (us(histogram, 0.0), us(histogram, 1.0));
        Row { spread, ..Row::single(id, meaning, us(histogram, quantile), "us", Must::Print) }
    };
    let ratio = "HTTP enter -> first retained packet, N = 500, p50 / p50 of GET /healthz";
    vec![
        Row::of("L1", ratio, &seen.ratios, "ratio", Must::AtMost(3.0)),
        row("L1a", "HTTP enter -> first retained packet, p50", &seen.entries, 0.5),
        row("L1b", "HTTP enter -> first retained packet, p99", &seen.entries, 0.99),
        row("L1c", "GET /healthz on the same connection, p50", &seen.healthz, 0.5),
        row("L1d", "GET /healthz on the same connection, p99", &seen.healthz, 0.99),
        Row::of("L1e", "enters, each with a leave and a healthz", &seen.entries_per_s, "1/s", Must::Print),
    ]
}

fn join_rows(rates: joins::Rates) -> Vec<Row> {
    assert_eq!((joins::CONNECTIONS, joins::BATCH_CONNECTIONS), (8, 2), "what the rows say");
    let single = "enters by the API, one core, call growing to 10,000, 8 connections";
    let batches = "the same in batches of 100, 2 connections";
    vec![
        Row::of("J1a", single, &rates.single, "1/s", Must::AtLeast(3_000.0)),
        Row::of("J1b", batches, &rates.batches, "1/s", Must::AtLeast(20_000.0)),
    ]
}
