//! Numbers of the media plane, as a scrape sees them.

/// One number with its name: a counter (`…_total`) or a gauge.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Prometheus name without the `carryover_` prefix; counters end in `_total`.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// Label pairs.
    pub labels: Vec<(&'static str, String)>,
    /// Value now.
    pub value: f64,
}

/// A named limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Stable name.
    pub name: &'static str,
    /// Its value.
    pub value: u64,
    /// The metric that counts refusals.
    pub counter: &'static str,
}
