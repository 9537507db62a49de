//! Entering by the API of a node that runs as its operator runs it: a process of its own on core 0. The client has core 1.

mod client;
mod joins;
mod late;
mod node;

use std::io;

use hdrhistogram::Histogram;

use super::{Must, Row};
use node::Node;

/// Measures the rows that are `wanted`, in `rounds` after one that warms up.
pub(super) fn measure(wanted: &dyn Fn(&str) -> bool, rounds: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    if wanted("L1") {
        rows.extend(rows_or(&["L1"], Node::start().and_then(|node| late::measure(&node, rounds)).map(late_rows)));
    }
    if wanted("J1") {
        rows.extend(rows_or(
            &["J1a", "J1b"],
            Node::start().and_then(|node| joins::measure(&node, rounds)).map(join_rows),
        ));
    }
    rows
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

/// What could not be measured is said, and is never a promise kept.
fn rows_or(ids: &[&'static str], measured: io::Result<Vec<Row>>) -> Vec<Row> {
    measured.unwrap_or_else(|error| {
        eprintln!("{} not measured: {error}", ids.join(", "));
        let missing = |id: &&'static str| Row::single(id, "not measured", f64::NAN, "", Must::AtLeast(0.0));
        ids.iter().map(missing).collect()
    })
}
