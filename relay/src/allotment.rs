//! What the calls of a node share, and how much of it there is: places for calls, and SSRCs.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use relay_core::{Ssrc, trunk::Range};
use relay_table::Row;

/// A limit of ours is reached: which one, and its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{limit} is full at {value}; raise it or wait")]
pub struct Exhausted {
    /// Name of the limit, as `GET /v1/system` lists it.
    pub limit: &'static str,
    /// Its value.
    pub value: u64,
}

/// One of the calls that a node may have at once; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Ticket(Arc<AtomicUsize>);

impl Ticket {
    pub(crate) fn take(calls: &Arc<AtomicUsize>, most: usize) -> Option<Ticket> {
        let more = |calls: usize| (calls < most).then_some(calls + 1);
        calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Ticket(Arc::clone(calls)))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The SSRCs that are in use, unique over all calls of the node. A call's are given back when it ends, not before: retained
/// media may still carry them.
#[derive(Debug, Default)]
pub(crate) struct Ssrcs {
    used: Mutex<HashMap<u32, Row>>,
    /// What this node's own calls use, if other systems take part in some of them.
    own: OnceLock<Range>,
}

/// SSRCs of one range that may be in use: beyond this a free one is hard to find.
pub(crate) const SSRCS_MAX: usize = 900_000;

impl Ssrcs {
    /// From here on the node's own calls use one range, chosen at random.
    pub(crate) fn confine(&self) -> Range {
        *self.own.get_or_init(|| Range::new(rand::random()))
    }

    /// A free SSRC of a range, or of the node's own calls.
    pub(crate) fn assign(&self, row: Row, range: Option<Range>) -> Result<Ssrc, Exhausted> {
        let range = range.or(self.own.get().copied());
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= SSRCS_MAX {
            return Err(Exhausted { limit: "ssrcs", value: SSRCS_MAX as u64 });
        }
        loop {
            let random: u32 = rand::random();
            let Ssrc(ssrc) = range.map_or(Ssrc(random), |range| range.at(random));
            // 0 is what a careless client writes.
            if ssrc != 0 && !used.contains_key(&ssrc) {
                used.insert(ssrc, row);
                return Ok(Ssrc(ssrc));
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(crate) fn release(&self, row: Row) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, of| *of != row);
    }
}
