//! What happens between trunks and calls, in numbers.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use relay_core::trunk::link;

use super::{Exchange, Line};
use crate::{
    event::TRUNK_EVENTS_MAX,
    metrics::{Limit, Metric},
    trunk::Trunks,
};

impl Exchange {
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let counter = |name, help, value: u64| Metric { name, help, labels: Vec::new(), value: value as f64 };
        let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let mut all = self.trunks().map(Trunks::counters).unwrap_or_default();
        let shed = "Packets of trunks for which a worker's queue was full.";
        all.push(counter("trunk_packets_shed_total", shed, read(&self.counters.packets_shed)));
        let refused = "Packets of trunks for no call that the partner may use, or beyond its quota.";
        all.push(counter("trunk_packets_refused_total", refused, read(&self.counters.packets_refused)));
        let events = "Trunk events that control did not take; their trunk began anew.";
        all.push(counter("trunk_events_shed_total", events, read(&self.counters.events_shed)));
        let slow = "Times that a trunk's round trip became longer than what timers make up for.";
        all.push(counter("trunk_round_trip_exceeded_total", slow, read(&self.counters.slow_trunks)));
        let lines = self.lines();
        let up = lines.values().filter(|line| line.ready).count();
        all.push(counter("trunks_up", "Trunks that can be used.", up as u64));
        for (system, line) in lines.values().map(|line| (&line.system, line)) {
            all.extend(refusals(system, line));
        }
        all
    }

    pub(crate) fn limits(&self) -> Vec<Limit> {
        let Some(_) = self.trunks() else { return Vec::new() };
        let link = link::Limits::default();
        let limit = |name, value: u32, counter| Limit { name, value: value.into(), counter };
        let mut all = Trunks::limits();
        all.extend([
            limit("trunk.early_letters", super::arriving::EARLY_MAX as u32, "trunks_down_total"),
            limit("trunk.events", TRUNK_EVENTS_MAX as u32, "trunk_events_shed_total"),
            limit("trunk.calls", link.calls, "trunk_refused_total"),
            limit("trunk.participants", link.participants, "trunk_refused_total"),
            limit("trunk.frames_per_s", link.frames_per_s, "trunk_refused_total"),
            limit("trunk.letters_per_s", link.letters_per_s, "trunk_refused_total"),
            limit("trunk.packets_per_s", link.packets_per_s, "trunk_refused_total"),
            limit("trunk.bytes_per_s", link.bytes_per_s, "trunk_refused_total"),
        ]);
        all
    }
}

fn refusals(system: &str, line: &Line) -> impl Iterator<Item = Metric> {
    // What the link does not see, its calls do.
    let mut causes = BTreeMap::from([("ssrc-out-of-range", 0)]);
    let of_calls = line.overstepped.iter().map(|(cause, value)| (*cause, *value));
    for (cause, value) in line.link.counters().refusals().into_iter().chain(of_calls) {
        *causes.entry(cause).or_default() += value;
    }
    causes.into_iter().map(move |(cause, value)| Metric {
        name: "trunk_refused_total",
        help: "What partners asked over their trunk and did not get, by cause.",
        labels: vec![("system", system.to_owned()), ("cause", cause.to_owned())],
        value: value as f64,
    })
}
