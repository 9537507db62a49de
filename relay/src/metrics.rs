//! Numbers of the media plane: each worker counts in its own memory, a scrape adds them up.

use std::sync::atomic::{AtomicU64, Ordering};

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

/// A number with one writer, the worker: adding is a load and a store, not a locked instruction.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, number: u64) {
        self.0.store(self.0.load(Ordering::Relaxed) + number, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, number: u64) {
        self.0.store(number, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Declares the counters of a worker: field, name, label, help. One table, so that a number cannot lack its name.
macro_rules! counters {
    ($($field:ident $name:literal $(($key:literal, $label:literal))? $help:literal;)*) => {
        /// What one worker counts.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub(crate) struct Counters {
            $(pub(crate) $field: Count,)*
        }

        impl Counters {
            fn rows(&self) -> Vec<Metric> {
                vec![$(Metric {
                    name: $name,
                    help: $help,
                    labels: vec![$(($key, $label.to_owned()))?],
                    value: self.$field.read() as f64,
                },)*]
            }
        }
    };
}

counters! {
    calls "calls" "Calls that run.";
    participants "participants" "Participants in running calls.";
    entered "entered_total" "Participants entered, replaced legs included.";
    media_received "media_received_total" "Media packets of talkers given an order number.";
    media_sent "media_sent_total" "Media packets handed to the kernel.";
    sliced "media_sliced_total" "Media packets handed to the kernel for calls of other workers.";
    bytes_sent "media_sent_bytes_total" "Bytes of media handed to the kernel.";
    floor_sent "floor_messages_sent_total" "Floor messages handed to the kernel.";
    floor_received "floor_messages_received_total" "Floor messages taken from bound legs.";
    unconfirmed "floor_unconfirmed_total" "Late-entry floor messages that nobody acknowledged.";
    unheeded "floor_revoke_unheeded_total" "Participants that do not stop although Floor Revoke was repeated to its limit.";
    inactive "calls_inactive_total" "Hang times that ran out.";
    events_lost "events_lost_total" "Events that did not fit into control's queue; they come again.";
    expired "legs_expired_total" "Legs that were silent for longer than they live.";
    rtp_stranger "datagrams_dropped_total" ("cause", "rtp-stranger") "Datagrams that did not belong, by cause.";
    rtp_wrong_ssrc "datagrams_dropped_total" ("cause", "rtp-wrong-ssrc") "Datagrams that did not belong, by cause.";
    rtp_malformed "datagrams_dropped_total" ("cause", "rtp-malformed") "Datagrams that did not belong, by cause.";
    floor_stranger "datagrams_dropped_total" ("cause", "floor-stranger") "Datagrams that did not belong, by cause.";
    floor_malformed "datagrams_dropped_total" ("cause", "floor-malformed") "Datagrams that did not belong, by cause.";
    floor_skipped "datagrams_dropped_total" ("cause", "floor-unknown") "Datagrams that did not belong, by cause.";
    floor_rate "floor_messages_dropped_total" ("limit", "floor.messages_per_s") "Floor messages beyond a leg's rate.";
    misdirected "datagrams_dropped_total" ("cause", "floor-misdirected") "Datagrams that did not belong, by cause.";
    rtcp_stranger "datagrams_dropped_total" ("cause", "rtcp-stranger") "Datagrams that did not belong, by cause.";
    rtcp_malformed "datagrams_dropped_total" ("cause", "rtcp-malformed") "Datagrams that did not belong, by cause.";
    drop_no_permission "media_dropped_total" ("cause", "no-permission") "Media of bound legs that does not leave, by cause.";
    drop_tail "media_dropped_total" ("cause", "tail") "Media of bound legs that does not leave, by cause.";
    drop_packet_rate "media_dropped_total" ("cause", "media.packets_per_s") "Media of bound legs that does not leave, by cause.";
    drop_byte_rate "media_dropped_total" ("cause", "media.bytes_per_s") "Media of bound legs that does not leave, by cause.";
    drop_duplicate "media_dropped_total" ("cause", "duplicate") "Media of bound legs that does not leave, by cause.";
    drop_too_large "media_dropped_total" ("cause", "too-large") "Media of bound legs that does not leave, by cause.";
    drop_injected "media_dropped_total" ("cause", "injected") "Media of bound legs that does not leave, by cause.";
    drop_held "media_dropped_total" ("cause", "held") "Media of bound legs that does not leave, by cause.";
    forwarded "trunk_packets_sent_total" "Media packets handed to trunks, once per trunk.";
    from_trunk "trunk_packets_kept_total" "Media packets of the home that were kept, backfill included.";
    backfilled "trunk_backfilled_total" "Packets of backfills, sent and taken.";
    trunk_overtaken "trunk_packets_lost_total" ("cause", "overtaken") "Media packets that a trunk did not get, by cause.";
    unheard "trunk_packets_lost_total" ("cause", "home-unreachable") "Media packets that a trunk did not get, by cause.";
    backfill_missed "trunk_packets_lost_total" ("cause", "partition") "Media packets that a trunk did not get, by cause.";
    overrun "deliveries_lost_total" ("cause", "overrun") "Packets not sent to a participant, by cause.";
    worker_full "deliveries_lost_total" ("cause", "worker-full") "Packets not sent to a participant, by cause.";
    overtaken "deliveries_lost_total" ("cause", "overtaken") "Packets not sent to a participant, by cause.";
    send_full "deliveries_lost_total" ("cause", "socket-full") "Packets not sent to a participant, by cause.";
    send_forbidden "deliveries_lost_total" ("cause", "forbidden") "Packets not sent to a participant, by cause.";
    send_unreachable "deliveries_lost_total" ("cause", "unreachable") "Packets not sent to a participant, by cause.";
    send_too_large "deliveries_lost_total" ("cause", "too-large") "Packets not sent to a participant, by cause.";
    send_other "deliveries_lost_total" ("cause", "other") "Packets not sent to a participant, by cause.";
    kernel_drops_rtp "kernel_drops_total" ("socket", "rtp") "Datagrams that the kernel dropped before a worker fetched them.";
    kernel_drops_rtcp "kernel_drops_total" ("socket", "rtcp") "Datagrams that the kernel dropped before a worker fetched them.";
    kernel_drops_floor "kernel_drops_total" ("socket", "floor") "Datagrams that the kernel dropped before a worker fetched them.";
    send_calls "send_calls_total" "System calls that sent media or floor messages.";
    turns "turns_total" "Turns of the worker's loop.";
}

/// Adds the counters of all workers up; mail is a gauge beside them.
pub(crate) fn collect<'a>(workers: impl Iterator<Item = (&'a Counters, usize)>) -> Vec<Metric> {
    let mut sum: Vec<Metric> = Counters::default().rows();
    let mut letters = 0;
    for (counters, mail) in workers {
        letters += mail;
        for (total, own) in sum.iter_mut().zip(counters.rows()) {
            total.value += own.value;
        }
    }
    let help = "Letters from control that wait for a worker.";
    sum.push(Metric { name: "worker_mail", help, labels: Vec::new(), value: letters as f64 });
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_all_workers_add_up_under_one_name() {
        let workers = [Counters::default(), Counters::default()];
        workers[0].calls.add(2);
        workers[1].calls.add(3);
        workers[1].drop_tail.add(1);
        let sum = collect(workers.iter().map(|counters| (counters, 7)));
        let value = |name, label: &str| {
            let row = |row: &&Metric| row.name == name && row.labels.iter().all(|(_, value)| value == label);
            sum.iter().find(row).expect("it is there").value
        };
        assert_eq!(
            (value("calls", ""), value("media_dropped_total", "tail"), value("worker_mail", "")),
            (5.0, 1.0, 14.0)
        );
    }

    #[test]
    fn no_two_numbers_share_name_and_label() {
        let rows = Counters::default().rows();
        for (at, row) in rows.iter().enumerate() {
            assert!(
                !rows[at + 1..].iter().any(|other| other.name == row.name && other.labels == row.labels),
                "{row:?}"
            );
        }
    }
}
