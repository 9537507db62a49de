//! A row as it was published: entries in chunks, and the slots that changed lately.

use std::sync::Arc;

/// Entries in one chunk: what an edit copies. 256 pointers are 2 KiB; 100,000 entries make a spine of 391 chunks.
#[cfg(not(loom))]
pub const CHUNK: usize = 256;
/// Entries in one chunk, shrunk for the models.
#[cfg(loom)]
pub const CHUNK: usize = 4;

/// Number of a publication of one row. Grows by one with each, through close and reuse of the row too; 0 is before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub(crate) u64);

impl Epoch {
    /// The bare number.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// Where an entry stands and which one it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Its place in the row; the lowest free one is given, so slots are dense and are used again.
    pub slot: u32,
    /// Its number; never given twice in a row.
    pub entry: u64,
}

pub(crate) struct Entry<T> {
    pub(crate) number: u64,
    /// The number under which its line of replacements entered: tells a replacement from a leave and a new enter.
    pub(crate) origin: u64,
    pub(crate) value: T,
}

pub(crate) struct Chunk<T> {
    entries: [Option<Arc<Entry<T>>>; CHUNK],
}

impl<T> Clone for Chunk<T> {
    fn clone(&self) -> Self {
        Chunk { entries: self.entries.clone() }
    }
}

impl<T> Chunk<T> {
    pub(crate) fn empty() -> Self {
        Chunk { entries: [const { None }; CHUNK] }
    }

    pub(crate) fn at(&self, place: usize) -> Option<&Entry<T>> {
        self.entries[place].as_deref()
    }

    pub(crate) fn place(&mut self, slot: u32) -> &mut Option<Arc<Entry<T>>> {
        &mut self.entries[slot as usize % CHUNK]
    }
}

/// One slot that changed, and the last publication that changed it.
#[derive(Clone, Copy)]
pub(crate) struct Touched {
    pub(crate) epoch: u64,
    pub(crate) slot: u32,
}

pub(crate) struct Snapshot<T> {
    pub(crate) epoch: u64,
    /// The row is closed: no entries, and none will come before its reader acknowledges this.
    pub(crate) closed: bool,
    pub(crate) len: u32,
    pub(crate) chunks: Box<[Arc<Chunk<T>>]>,
    /// Every slot that changed after `log_since`, each once, oldest first.
    pub(crate) log: Box<[Touched]>,
    pub(crate) log_since: u64,
}

impl<T> Snapshot<T> {
    pub(crate) fn at(&self, slot: u32) -> Option<&Entry<T>> {
        at(&self.chunks, slot)
    }
}

pub(crate) fn at<T>(chunks: &[Arc<Chunk<T>>], slot: u32) -> Option<&Entry<T>> {
    chunks.get(slot as usize / CHUNK)?.at(slot as usize % CHUNK)
}

pub(crate) fn entries<T>(chunks: &[Arc<Chunk<T>>]) -> impl Iterator<Item = (Place, &T)> {
    let slots = chunks.iter().flat_map(|chunk| chunk.entries.iter());
    (0..).zip(slots).filter_map(|(slot, entry)| {
        let entry = entry.as_ref()?;
        Some((Place { slot, entry: entry.number }, &entry.value))
    })
}
