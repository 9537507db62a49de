//! Which rows of a reader changed: one bit per row, and above each 64 words of them one summary word.
//!
//! A marker sets the row's bit, then the summary's; the reader takes the summary, then the words it names. So a bit that the reader
//! finds too early leaves an empty word behind a set summary, which costs one look at nothing, and no bit is ever left behind.

use crate::sync::{AtomicU64, Ordering};

const BITS: usize = u64::BITS as usize;

pub(crate) struct Changed {
    words: Box<[AtomicU64]>,
    summary: Box<[AtomicU64]>,
}

impl Changed {
    pub(crate) fn for_rows(rows: usize) -> Self {
        let words = rows.div_ceil(BITS);
        let zeros = |count| (0..count).map(|_| AtomicU64::new(0)).collect();
        Changed { words: zeros(words), summary: zeros(words.div_ceil(BITS)) }
    }

    /// Whoever takes this bit sees everything that was stored before the mark.
    pub(crate) fn mark(&self, row: usize) {
        let word = row / BITS;
        self.words[word].fetch_or(1 << (row % BITS), Ordering::Release);
        self.summary[word / BITS].fetch_or(1 << (word % BITS), Ordering::Release);
    }

    fn any(&self) -> bool {
        self.summary.iter().any(|word| word.load(Ordering::Relaxed) != 0)
    }
}

/// What the reader has taken and not yet handed on.
#[derive(Default)]
pub(crate) struct Taken {
    bits: u64,
    word: usize,
    summary_bits: u64,
    summary: usize,
}

impl Taken {
    pub(crate) fn any(&self, changed: &Changed) -> bool {
        self.bits != 0 || self.summary_bits != 0 || changed.any()
    }

    /// The next changed row. Goes round, so that rows with low numbers cannot starve the others.
    pub(crate) fn next(&mut self, changed: &Changed) -> Option<usize> {
        loop {
            if self.bits != 0 {
                return Some(self.word * BITS + pop(&mut self.bits));
            }
            if self.summary_bits == 0 && !self.take_summary(changed) {
                return None;
            }
            self.word = self.summary * BITS + pop(&mut self.summary_bits);
            self.bits = changed.words[self.word].swap(0, Ordering::Acquire);
        }
    }

    fn take_summary(&mut self, changed: &Changed) -> bool {
        for _ in 0..changed.summary.len() {
            self.summary = (self.summary + 1) % changed.summary.len();
            let summary = &changed.summary[self.summary];
            if summary.load(Ordering::Relaxed) != 0 {
                self.summary_bits = summary.swap(0, Ordering::Acquire);
                return true;
            }
        }
        false
    }
}

fn pop(bits: &mut u64) -> usize {
    let lowest = bits.trailing_zeros() as usize;
    *bits &= *bits - 1;
    lowest
}
