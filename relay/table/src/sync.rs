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
