//! When a call ends by itself, as the release rules say it: they are told who comes and goes.

use std::{
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use control_core::release::{Input, Output, Release};
use relay_core::Time;

use super::{CallRecord, Registry};

impl Registry {
    /// Somebody is on the way into a call that nobody is in yet: it waits for the grace of its group.
    pub(crate) fn expect_somebody(&self, call: &CallRecord) {
        let now = self.relay.now();
        let mut rules = call.rules();
        rules.handle(Input::Entered, now);
        rules.handle(Input::Left { moving: true }, now);
    }

    /// Ends the call if its rules say so.
    pub(crate) async fn end_if_over(&self, call: &CallRecord) {
        let says = call.rules().poll();
        if let Output::Release(why) = says {
            tracing::debug!(call = call.id, "released: {why:?}");
            // What an owner that does not answer may still send is nobody's any more.
            _ = self.end(call).await;
        }
    }

    /// A call that waits for somebody ends when its grace is over and nobody has come.
    pub(crate) fn end_after_grace(self: &Arc<Self>, call: &Arc<CallRecord>) {
        if call.waits_until().is_none() {
            return;
        }
        let (registry, call) = (Arc::clone(self), Arc::clone(call));
        tokio::spawn(async move {
            while let Some(until) = call.waits_until() {
                let rest = until.micros_since(registry.relay.now());
                tokio::time::sleep(Duration::from_micros(rest)).await;
                call.rules().handle(Input::Timer, registry.relay.now());
            }
            registry.end_if_over(&call).await;
        });
    }
}

impl CallRecord {
    /// A client is about to enter, or takes part: it keeps the call.
    pub(super) fn came(&self) {
        // Its time is of no use to the rules here.
        self.rules().handle(Input::Entered, Time::ZERO);
    }

    /// It is no longer so.
    pub(super) fn left(&self, moving: bool, now: Time) {
        self.rules().handle(Input::Left { moving }, now);
    }

    /// Until when the call waits for somebody.
    pub(crate) fn waits_until(&self) -> Option<Time> {
        match self.rules().peek() {
            Output::Wake(until) => until,
            Output::Release(_) => None,
        }
    }

    fn rules(&self) -> MutexGuard<'_, Release> {
        // Every edit is complete or not begun.
        self.release.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
