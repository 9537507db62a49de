//! When a call without participants ends: at once, unless somebody is on its way to another system.

use std::sync::{MutexGuard, PoisonError};

use relay_core::{Millis, Time};

use super::{CallRecord, Registry};

impl Registry {
    /// A participant of the call moves to another system: the call outlives it for the grace of its group.
    pub(super) fn outlives(&self, call: &CallRecord) {
        self.expect_somebody(call);
    }

    /// The call lives without participants for the grace of its group.
    pub(crate) fn expect_somebody(&self, call: &CallRecord) {
        // A group of a partner is released by its home.
        let grace_s = self.group(&call.group).map_or(0, |stored| stored.group.migration_grace_s);
        let ends = self.relay.now() + Millis::from_secs(grace_s);
        let mut grace = call.grace();
        *grace = (*grace).max(Some(ends));
    }

    /// Until when the call lives without participants; `None`: the grace is over, or there was none.
    pub(crate) fn grace(&self, call: &CallRecord) -> Option<Time> {
        let now = self.relay.now();
        call.grace().filter(|ends| now < *ends)
    }

    /// Ends a call in which nobody is, and into which nobody is expected.
    pub(crate) async fn end_if_empty(&self, call: &CallRecord) {
        if self.grace(call).is_none() && call.is_empty() {
            // What an owner that does not answer may still send is nobody's any more.
            _ = self.end(call).await;
        }
    }
}

impl CallRecord {
    fn grace(&self) -> MutexGuard<'_, Option<Time>> {
        // Every edit is complete or not begun.
        self.grace_ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
