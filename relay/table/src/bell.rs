//! The park and wake protocol between any number of ringing threads and one worker that sleeps.
//!
//! A ringer first makes its work visible, then rings; the worker first announces that it will sleep, then looks for work once
//! more. Between the two halves of each stands a sequentially consistent fence, so at least one of them sees the other: either
//! the ringer sees the announcement and wakes, or the worker sees the work and stays. A worker that is awake costs a ringer one
//! fence and one load, and no system call.

use std::sync::Arc;

use crate::sync::{AtomicBool, Ordering, fence};

/// Makes a bell. `wake` must be *sticky*: a wake between `prepare` and the real sleep ends that sleep at once. An eventfd and the
/// token of a thread's `unpark` are; a bare condition variable is not. It may be called once too often, never once too seldom.
pub fn bell(wake: impl Fn() + Send + Sync + 'static) -> (Bell, Sleeper) {
    let inner = Arc::new(Inner { parked: AtomicBool::new(false), wake: Box::new(wake) });
    (Bell { inner: Arc::clone(&inner) }, Sleeper { inner })
}

/// Rings for one worker. Clones ring for the same one.
#[derive(Clone)]
pub struct Bell {
    inner: Arc<Inner>,
}

/// The worker's side: announces that it will sleep.
pub struct Sleeper {
    inner: Arc<Inner>,
}

struct Inner {
    /// The worker sleeps, or is about to, and nobody has called `wake` for that yet.
    parked: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Bell {
    /// Calls `wake` if the worker sleeps or is about to. The work must be visible before: ring after pushing or publishing.
    pub fn ring(&self) {
        fence(Ordering::SeqCst); // pairs with the one in `prepare`
        // Only the ringer that takes the announcement wakes; the others would wake a worker that is already coming.
        if self.inner.parked.load(Ordering::Relaxed) && self.inner.parked.swap(false, Ordering::AcqRel) {
            (self.inner.wake)();
        }
    }
}

impl Sleeper {
    /// Announces the sleep, then asks `has_work` once more. True: really sleep, until `wake`, a timer or a socket; false: there is
    /// work. After any sleep call [`awake`](Sleeper::awake).
    pub fn prepare(&mut self, has_work: impl FnOnce() -> bool) -> bool {
        // A swap, not a store: it reads what the last ringer wrote, so it stands behind that for everybody. That follows from the
        // ringer's own swap too, but not in the models, which would let a later ringer see the earlier one's `false`.
        self.inner.parked.swap(true, Ordering::AcqRel);
        fence(Ordering::SeqCst); // pairs with the one in `ring`
        if has_work() {
            self.awake();
            return false;
        }
        true
    }

    /// The worker is up and will look for work: nobody needs to wake it. Call before looking.
    pub fn awake(&mut self) {
        self.inner.parked.store(false, Ordering::Relaxed);
    }
}
