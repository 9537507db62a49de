//! The node itself: is it alive, what does it count, what are its limits.

use std::{collections::BTreeMap, fmt::Write, sync::atomic::Ordering};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use control_core::{group, system};
use relay::metrics::Metric;
use relay_core::trunk::frame;
use serde_json::{Value, json};

use super::{Face, Shared, batch, body, participants, wanted};
use crate::{
    audit, mobility,
    registry::{ENDED_MAX, GROUPS_MAX},
    store,
};

/// Limits of the control plane. `ended` refuses nobody: it counts ids that were forgotten before their time.
pub(crate) const LIMITS: [(&str, u64); 24] = [
    ("groups", GROUPS_MAX as u64),
    ("members", group::MEMBERS_MAX as u64),
    ("participants", group::PARTICIPANTS_MAX as u64),
    ("queue", group::QUEUE_MAX as u64),
    ("retention_ms", group::RETENTION_MS_MAX as u64),
    ("resume", participants::RESUME_MAX as u64),
    ("batch.items", batch::ITEMS_MAX as u64),
    ("body_bytes", body::BODY_MAX as u64),
    ("ended", ENDED_MAX as u64),
    ("mobility.asks", mobility::ASKS_MAX as u64),
    ("mobility.letters", mobility::LETTERS_MAX as u64),
    ("mobility.waiters", mobility::WAITERS_MAX as u64),
    ("affiliation.groups", wanted::GROUPS_MAX as u64),
    ("users", system::USERS_MAX as u64),
    ("profiles", system::PROFILES_MAX as u64),
    ("profile.partners", system::PROFILE_ENTRIES_MAX as u64),
    ("profile.groups", system::PROFILE_ENTRIES_MAX as u64),
    ("partners", system::PARTNERS_MAX as u64),
    ("authorizations", system::AUTHORIZATIONS_MAX as u64),
    ("migrations", system::MIGRATIONS_MAX as u64),
    ("partner.affiliations", system::PARTNER_AFFILIATIONS_MAX as u64),
    ("partner.letters", system::OWED_MAX as u64),
    ("partner.letter_octets", frame::SIZE_MAX as u64),
    ("partner.document_octets", system::DOCUMENT_OCTETS_MAX as u64),
];

/// Limits of what is stored, with the counters of their own.
const KEPT: [(&str, usize, &str); 5] = [
    ("store.writes", store::WRITES_MAX, "carryover_store_writes_refused_total"),
    ("audit.lines", audit::LINES_MAX, "carryover_audit_lines_lost_total"),
    ("audit.refusals_per_min", audit::REFUSALS_PER_MIN, "carryover_audit_refusals_held_back_total"),
    ("audit.file_bytes", audit::FILE_BYTES_MAX, "carryover_audit_files_begun_total"),
    ("audit.files", audit::FILES_MAX, "carryover_audit_files_removed_total"),
];

pub(super) async fn healthz() -> Json<Value> {
    Json(json!({"status": "alive"}))
}

pub(super) async fn readyz(State(face): Shared) -> (StatusCode, Json<Value>) {
    let reasons: Vec<&str> = [("draining", face.is_draining()), ("store-failed", face.mobility.is_broken())]
        .into_iter()
        .filter_map(|(reason, holds)| holds.then_some(reason))
        .collect();
    match reasons.is_empty() {
        false => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "not-ready", "reasons": reasons}))),
        true => (StatusCode::OK, Json(json!({"status": "ready", "reasons": reasons}))),
    }
}

pub(super) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("openapi.json"))
}

pub(super) async fn system(State(face): Shared) -> Json<Value> {
    let relay = &face.registry.relay;
    let ports = relay.ports();
    let refused = "carryover_refused_total";
    let mut limits: BTreeMap<&str, Value> = BTreeMap::new();
    for limit in relay.limits() {
        limits.insert(limit.name, json!({"value": limit.value, "counter": format!("carryover_{}", limit.counter)}));
    }
    for (name, value) in LIMITS {
        limits.insert(name, json!({"value": value, "counter": refused}));
    }
    for (name, value, counter) in KEPT {
        limits.insert(name, json!({"value": value, "counter": counter}));
    }
    Json(json!({
        "system": face.system,
        "version": env!("CARGO_PKG_VERSION"),
        "workers": ports.len(),
        "media": ports.iter().take(1).map(|ports| ports.rtp.to_string()).collect::<Vec<_>>(),
        "limits": limits,
    }))
}

pub(super) async fn metrics(State(face): Shared) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], render(&face.collect()))
}

impl Face {
    /// Every number of the media plane and of the control plane.
    fn collect(&self) -> Vec<Metric> {
        let mut all = self.registry.relay.metrics();
        let counters = &self.registry.counters;
        let single = |name, help, value: u64| Metric { name, help, labels: Vec::new(), value: value as f64 };
        let started = counters.calls_started.load(Ordering::Relaxed);
        let released = counters.calls_released.load(Ordering::Relaxed);
        all.push(single("groups", "Groups stored.", self.registry.groups_len() as u64));
        all.push(single("calls_started_total", "Calls started.", started));
        all.push(single("calls_released_total", "Calls released.", released));
        let (store, audit) = self.keeping.counters();
        let lost = audit.dropped + audit.failed;
        all.push(single("store_commits_total", "Commits of the store: each is one wait for the disk.", store.commits));
        all.push(single("store_records_total", "Records in them.", store.records));
        all.push(single("store_writes_refused_total", "Writes for which store.writes was full.", store.refused));
        all.push(single("store_writes_failed_total", "Writes that were told that the store had failed.", store.failed));
        all.push(single("audit_lines_total", "Lines of the audit trail.", audit.written));
        all.push(single(
            "audit_lines_lost_total",
            "Lines for which audit.lines was full, or that the disk refused.",
            lost,
        ));
        all.push(single(
            "audit_refusals_held_back_total",
            "Refusals that are not in the trail because audit.refusals_per_min were.",
            self.keeping.held_back(),
        ));
        all.push(single(
            "audit_files_begun_total",
            "Audit files begun because audit.file_bytes was reached.",
            audit.begun,
        ));
        all.push(single(
            "audit_files_removed_total",
            "Audit files removed because audit.files were there.",
            audit.removed,
        ));
        for (at, class) in ["2xx", "3xx", "4xx", "5xx"].into_iter().enumerate() {
            let value = counters.answers[at].load(Ordering::Relaxed) as f64;
            let labels = vec![("status", class.to_owned())];
            all.push(Metric { name: "http_answers_total", help: "HTTP answers by status class.", labels, value });
        }
        let mut refused: BTreeMap<&str, u64> = LIMITS.iter().map(|(name, _)| (*name, 0)).collect();
        refused.extend(counters.refused.iter().map(|row| (*row.key(), *row.value())));
        for (limit, value) in refused {
            let labels = vec![("limit", limit.to_owned())];
            let help = "Requests refused because a limit is reached, by limit.";
            all.push(Metric { name: "refused_total", help, labels, value: value as f64 });
        }
        all
    }
}

/// Prometheus text: every name once with its help and type, then its values.
fn render(metrics: &[Metric]) -> String {
    let mut named: BTreeMap<&str, Vec<&Metric>> = BTreeMap::new();
    for metric in metrics {
        named.entry(metric.name).or_default().push(metric);
    }
    let mut text = String::new();
    for (name, rows) in named {
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        let help = rows.first().map_or("", |row| row.help);
        // Writing into a string cannot fail.
        _ = writeln!(text, "# HELP carryover_{name} {help}\n# TYPE carryover_{name} {kind}");
        for row in rows {
            let labels: Vec<String> = row.labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            _ = writeln!(text, "carryover_{name}{labels} {}", row.value);
        }
    }
    text
}
