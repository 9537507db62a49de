//! The atomics and the lock of this crate: std's, or loom's when a model runs.
//!
//! `Arc` stays std's under loom: what it holds here never changes once it is shared, its counting is trusted, and every clone would
//! be one more branch for loom to walk.

#[cfg(not(loom))]
pub(crate) use std::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering, fence},
    },
    thread::yield_now,
};

#[cfg(loom)]
pub(crate) use loom::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering, fence},
    },
    thread::yield_now,
};

/// Lets loom see a use after free: a check must happen before the drop. Nothing outside of a model.
pub(crate) struct Alive {
    #[cfg(loom)]
    cell: loom::cell::UnsafeCell<()>,
}

impl Alive {
    pub(crate) fn new() -> Self {
        Alive {
            #[cfg(loom)]
            cell: loom::cell::UnsafeCell::new(()),
        }
    }

    pub(crate) fn check(&self) {
        #[cfg(loom)]
        self.cell.with(|_| ());
    }
}

#[cfg(loom)]
impl Drop for Alive {
    fn drop(&mut self) {
        self.cell.with_mut(|_| ());
    }
}

// SAFETY: the cell holds nothing; it is there for loom to watch the order of its accesses.
#[cfg(loom)]
#[allow(unsafe_code)]
unsafe impl Sync for Alive {}
