//! Status words that one thread publishes together and any thread reads together.
//!
//! Two copies and two counters. The writer says which publication it begins, writes the copy that readers of the newest one do
//! not use, and says that it is done. A reader copies the newest done; its copy is whole unless the writer has meanwhile begun
//! the publication after the next, which would write over it. So a writer that is stopped in the middle holds nobody up, and a
//! reader tries again only when two publications overtook it.

use std::{array, sync::Arc};

use crate::sync::{AtomicU64, Ordering, fence, yield_now};

/// Makes `N` words, all 0.
pub fn words<const N: usize>() -> (Words<N>, WordsReader<N>) {
    let zeros = || array::from_fn(|_| AtomicU64::new(0));
    let inner = Arc::new(Inner { begun: AtomicU64::new(0), done: AtomicU64::new(0), copies: [zeros(), zeros()] });
    (Words { inner: Arc::clone(&inner) }, WordsReader { inner })
}

/// The one writer of the words.
pub struct Words<const N: usize> {
    inner: Arc<Inner<N>>,
}

/// Reads the words; clones read the same ones.
#[derive(Clone)]
pub struct WordsReader<const N: usize> {
    inner: Arc<Inner<N>>,
}

struct Inner<const N: usize> {
    begun: AtomicU64,
    done: AtomicU64,
    /// Publication `n` stands in copy `n % 2`.
    copies: [[AtomicU64; N]; 2],
}

impl<const N: usize> Words<N> {
    /// Publishes all words together. Never waits.
    pub fn publish(&mut self, words: [u64; N]) {
        let next = self.inner.done.load(Ordering::Relaxed) + 1; // our own store
        self.inner.begun.store(next, Ordering::Relaxed);
        // Whoever reads a word that is stored below, and fences, also reads `begun` as at least `next`.
        fence(Ordering::Release);
        for (place, word) in self.inner.copy(next).iter().zip(words) {
            place.store(word, Ordering::Relaxed);
        }
        self.inner.done.store(next, Ordering::Release);
    }
}

impl<const N: usize> WordsReader<N> {
    /// All words of one publication, the newest that was done when the read began or a later one.
    pub fn read(&self) -> [u64; N] {
        loop {
            let done = self.inner.done.load(Ordering::Acquire);
            let copy = self.inner.copy(done);
            let words = array::from_fn(|place| copy[place].load(Ordering::Relaxed));
            fence(Ordering::Acquire); // pairs with the one in `publish`
            if self.inner.begun.load(Ordering::Relaxed) < done + 2 {
                return words;
            }
            yield_now();
        }
    }
}

impl<const N: usize> Inner<N> {
    fn copy(&self, publication: u64) -> &[AtomicU64; N] {
        &self.copies[(publication % 2) as usize]
    }
}
