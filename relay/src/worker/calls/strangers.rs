//! Datagrams that belong to nobody: counted one by one, told to the operator at most every ten seconds.

use std::net::SocketAddr;

use relay_core::{Millis, Time};

use super::Calls;
use crate::metrics::Count;

/// Between two lines about strangers, and between two looks at what the kernel dropped.
const REPORT_EVERY: Millis = Millis(10_000);
const LOOK_EVERY: Millis = Millis(1_000);

/// What came since the last line.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    last: Option<(SocketAddr, &'static str)>,
    since_report: u64,
    reported: Time,
    looked: Time,
}

impl Strangers {
    /// Counts a datagram that is dropped: who sent it, and why it belongs to nobody.
    pub(super) fn drop_one(&mut self, from: SocketAddr, why: &'static str, counter: &Count) {
        counter.add(1);
        self.last = Some((from, why));
        self.since_report += 1;
    }
}

impl Calls {
    /// Tells the operator about strangers, and reads what the kernel dropped, each only so often.
    pub(in crate::worker) fn report(&mut self) {
        let now = self.now;
        if now.since(self.strangers.looked) >= LOOK_EVERY {
            self.strangers.looked = now;
            self.counters.kernel_drops_rtp.set(self.sockets.rtp.kernel_drops());
            self.counters.kernel_drops_rtcp.set(self.sockets.rtcp.kernel_drops());
            self.counters.kernel_drops_floor.set(self.sockets.floor.kernel_drops());
        }
        if let Some((from, why)) = self.strangers.last
            && now.since(self.strangers.reported) >= REPORT_EVERY
        {
            let number = self.strangers.since_report;
            tracing::info!(
                "{number} datagrams dropped, the last from {from} ({why}); check the sender's address and ssrc"
            );
            self.strangers = Strangers { reported: now, looked: self.strangers.looked, ..Strangers::default() };
        }
    }
}
