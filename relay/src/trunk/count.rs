//! Numbers of the trunks. Workers, control and the trunks' own thread add to them.

use std::sync::atomic::{AtomicU64, Ordering};

use super::refusal::CAUSES;
use crate::metrics::Metric;

/// A number with many writers.
#[derive(Debug, Default)]
pub(crate) struct Tally(AtomicU64);

impl Tally {
    pub(crate) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    pub(crate) fn take(&self, number: u64) {
        self.0.fetch_sub(number, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Declares the counters: field, name, label, help.
macro_rules! tallies {
    ($($field:ident $name:literal $(($key:literal, $label:literal))? $help:literal;)*) => {
        /// What all trunks of a node count together.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $field: Tally,)*
            refused: [Tally; CAUSES.len()],
        }

        impl Counters {
            /// All of them, named.
            pub(crate) fn rows(&self) -> Vec<Metric> {
                let mut rows = vec![$(Metric {
                    name: $name,
                    help: $help,
                    labels: vec![$(($key, $label.to_owned()))?],
                    value: self.$field.read() as f64,
                },)*];
                rows.extend(CAUSES.iter().zip(&self.refused).map(|(cause, tally)| Metric {
                    name: "trunks_refused_total",
                    help: "Connections that did not become a trunk, by cause.",
                    labels: vec![("cause", (*cause).to_owned())],
                    value: tally.read() as f64,
                }));
                rows
            }
        }
    };
}

tallies! {
    up "trunks" "Trunks that are up.";
    ups "trunks_up_total" "Times that a trunk came up.";
    downs "trunks_down_total" "Times that a trunk went down.";
    dials "trunk_dials_total" "Connections to partners begun.";
    dials_failed "trunk_dials_failed_total" "Connections to partners that failed without being refused; each is tried again.";
    duplicates "trunk_duplicates_total" "Connections closed because the pair has another one.";
    partners_shed "trunk_partners_refused_total" ("limit", "trunk.partners") "Partners that were not taken beyond a limit.";
    handshakes_shed "trunk_handshakes_shed_total" ("limit", "trunk.handshakes") "Handshakes ignored beyond a limit.";
    candidates_shed "trunk_handshakes_shed_total" ("limit", "trunk.candidates") "Handshakes ignored beyond a limit.";
    frames_sent "trunk_messages_sent_total" ("kind", "frame") "Messages handed to QUIC.";
    letters_sent "trunk_messages_sent_total" ("kind", "letter") "Messages handed to QUIC.";
    frames_received "trunk_messages_received_total" ("kind", "frame") "Messages taken from QUIC.";
    letters_received "trunk_messages_received_total" ("kind", "letter") "Messages taken from QUIC.";
    unsent "trunk_messages_unsent_total" "Frames and letters for a trunk that was not up.";
    slow "trunk_slow_total" ("limit", "trunk.frames") "Trunks closed because the partner did not take what waited.";
    malformed "trunk_malformed_total" "Trunks and backfills ended because the partner sent what is no message.";
    media_sent "trunk_media_sent_total" "Datagrams handed to QUIC.";
    media_received "trunk_media_received_total" "Datagrams taken from QUIC.";
    media_full "trunk_media_dropped_total" ("cause", "full") "Datagrams that did not leave, by cause.";
    media_down "trunk_media_dropped_total" ("cause", "down") "Datagrams that did not leave, by cause.";
    media_too_large "trunk_media_dropped_total" ("cause", "too-large") "Datagrams that did not leave, by cause.";
    backfills_sent "trunk_backfills_sent_total" "Backfills begun.";
    backfills_received "trunk_backfills_received_total" "Backfills that arrived.";
    backfills_shed "trunk_backfills_shed_total" ("limit", "trunk.backfills") "Backfills refused beyond a limit.";
    backfill_packets_sent "trunk_backfill_packets_sent_total" "Packets of backfills handed to QUIC.";
    backfill_packets_received "trunk_backfill_packets_received_total" "Packets of backfills taken from QUIC.";
    backfill_packets_shed "trunk_backfill_packets_shed_total" ("limit", "trunk.backfill_packets") "Packets of backfills refused beyond a limit.";
    fault_lost "trunk_fault_lost_total" "Datagrams that a fault made for tests and exercises has lost.";
}

impl Counters {
    pub(crate) fn refuse(&self, cause: &'static str) {
        if let Some((_, tally)) = CAUSES.iter().zip(&self.refused).find(|(name, _)| **name == cause) {
            tally.add(1);
        }
    }
}
