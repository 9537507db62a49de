//! A bounded way from one worker to another, in one order, for things of which some may be lost and others may not.
//!
//! What may be lost is [offered](Feed::offer), and comes back to the sender if there is no room. What may not be lost is
//! [kept](Feed::keep): without room it waits with the sender, and everything later waits behind it, or is lost, so the order holds.
//! The receiver is [rung](crate::bell()) for, and sleeps only with an empty chute. A receiver that has gone holds nobody up: what
//! is sent to it vanishes, and the sender is rung once so that it finds out.

use std::{collections::VecDeque, marker::PhantomData, sync::Arc};

use crate::{
    Bell,
    sync::{AtomicBool, Ordering, fence},
};

/// A bounded queue whose `push` happens before the `pop` that takes the same item: crossbeam's `ArrayQueue`, or a model's own.
pub trait Fifo<T> {
    /// Puts an item in, or gives it back if the queue is full.
    ///
    /// # Errors
    /// The queue is full.
    fn push(&self, item: T) -> Result<(), T>;

    /// Takes the oldest item out.
    fn pop(&self) -> Option<T>;

    /// Whether nothing is in.
    fn is_empty(&self) -> bool;
}

/// Makes a way over `queue`. `there` wakes the receiver, `here` the sender.
pub fn chute<T, Q: Fifo<T>>(queue: Q, there: Bell, here: Bell) -> (Feed<T, Q>, Chute<T, Q>) {
    let inner = Arc::new(Inner { queue, closed: AtomicBool::new(false) });
    let feed = Feed { inner: Arc::clone(&inner), waiting: VecDeque::new(), there };
    (feed, Chute { inner, here, items: PhantomData })
}

/// The sender's end.
pub struct Feed<T, Q: Fifo<T>> {
    inner: Arc<Inner<Q>>,
    waiting: VecDeque<T>,
    there: Bell,
}

/// The receiver's end. Dropping it says that the receiver has gone.
pub struct Chute<T, Q: Fifo<T>> {
    inner: Arc<Inner<Q>>,
    here: Bell,
    items: PhantomData<fn() -> T>,
}

struct Inner<Q> {
    queue: Q,
    closed: AtomicBool,
}

impl<T, Q: Fifo<T>> Feed<T, Q> {
    /// Sends an item that may be lost.
    ///
    /// # Errors
    /// There is no room, or something that was kept still waits: the item comes back.
    pub fn offer(&mut self, item: T) -> Result<(), T> {
        if !self.flush() {
            return Err(item);
        }
        self.put(item)
    }

    /// Sends an item that must arrive: now, or by a later [`flush`](Feed::flush). The sender bounds how many it keeps.
    pub fn keep(&mut self, item: T) {
        self.waiting.push_back(item);
        self.flush();
    }

    /// Sends what waits, as far as there is room; true if nothing waits any more.
    pub fn flush(&mut self) -> bool {
        while let Some(item) = self.waiting.pop_front() {
            if let Err(item) = self.put(item) {
                self.waiting.push_front(item);
                return false;
            }
        }
        true
    }

    /// How many items wait with the sender.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether the receiver has gone.
    pub fn is_closed(&self) -> bool {
        self.inner.closed.load(Ordering::Acquire)
    }

    fn put(&mut self, item: T) -> Result<(), T> {
        let put = self.inner.queue.push(item);
        if put.is_ok() {
            self.there.ring();
        }
        // A receiver closes first and empties the queue then; with a fence on both sides one of the two sees the other.
        fence(Ordering::SeqCst);
        if self.inner.closed.load(Ordering::Relaxed) {
            self.inner.empty();
            return Ok(());
        }
        put
    }
}

impl<T, Q: Fifo<T>> Chute<T, Q> {
    /// Takes the oldest item.
    pub fn take(&mut self) -> Option<T> {
        self.inner.queue.pop()
    }

    /// Whether nothing is there to take: what to ask before a sleep.
    pub fn is_empty(&self) -> bool {
        self.inner.queue.is_empty()
    }
}

impl<T, Q: Fifo<T>> Drop for Chute<T, Q> {
    fn drop(&mut self) {
        self.inner.closed.store(true, Ordering::Release);
        fence(Ordering::SeqCst); // pairs with the one in `put`
        self.inner.empty();
        self.here.ring();
    }
}

impl<Q> Inner<Q> {
    fn empty<T>(&self)
    where
        Q: Fifo<T>,
    {
        while self.queue.pop().is_some() {}
    }
}
