//! The pointer to what is published: one thread replaces it, another clones what it points to, and neither waits.
//!
//! The only `unsafe` of this crate is here. crossbeam-epoch frees a replaced allocation once no thread is pinned that was pinned
//! when the pointer to it was still published; everything below leans on that and on nothing else.

use std::sync::Arc;

use crossbeam_epoch::{Atomic, Owned, pin};

use crate::sync::{Alive, Ordering};

pub(crate) struct Published<S> {
    pointer: Atomic<Held<S>>,
}

/// The allocation that the collector frees.
struct Held<S> {
    snapshot: Arc<S>,
    alive: Alive,
}

impl<S: Send + Sync + 'static> Published<S> {
    pub(crate) fn nothing() -> Self {
        Published { pointer: Atomic::null() }
    }

    /// What was stored last, or `None` if nothing ever was.
    pub(crate) fn load(&self) -> Option<Arc<S>> {
        let guard = pin();
        let shared = self.pointer.load(Ordering::Acquire, &guard);
        // SAFETY: The pointer is null or came from `Owned::new` in `store`, so it is aligned and was initialised before the
        // release that this acquire reads. `guard` was pinned before the load and outlives the borrow; `store` hands a replaced
        // allocation to `defer_destroy` only after it is unreachable from here, so it is not freed before `guard` is dropped.
        let held = unsafe { shared.as_ref() }?;
        held.alive.check();
        Some(Arc::clone(&held.snapshot))
    }

    pub(crate) fn store(&self, next: Arc<S>) {
        let guard = pin();
        let replaced =
            self.pointer.swap(Owned::new(Held { snapshot: next, alive: Alive::new() }), Ordering::AcqRel, &guard);
        if !replaced.is_null() {
            // SAFETY: The swap made the allocation unreachable for every later load, and each swap returns it to one caller only,
            // so it is destroyed once. Earlier loads hold a guard that the collector waits for. `Held<S>` is `Send` and 'static, so
            // any thread may drop it at any later time.
            unsafe { guard.defer_destroy(replaced) };
            // A control plane publishes rarely: without this its garbage would sit in a thread-local bag until 64 more come.
            guard.flush();
        }
    }
}

impl<S> Drop for Published<S> {
    fn drop(&mut self) {
        // SAFETY: `&mut self` proves that no other thread can load this pointer any more, and an allocation that is still the
        // current one was never handed to `defer_destroy`. It is owned here alone and freed once.
        unsafe {
            let pointer = std::mem::replace(&mut self.pointer, Atomic::null());
            drop(pointer.try_into_owned());
        }
    }
}
