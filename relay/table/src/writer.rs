//! The one writer of a row: edits a private view, and publishes it as the next snapshot.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

use crate::{
    limits::{Full, Limit, NoSuchEntry},
    snapshot::{CHUNK, Chunk, Entry, Epoch, Place, Snapshot, Touched, at, entries},
    sync::Ordering,
    table::{Free, Lane, Row, Shelf},
};

/// The one writer of an open row. Edits show to the reader with the next [`publish`](Writer::publish). Dropping it closes the row:
/// unpublished edits are lost, every entry leaves, and the row is free again once its reader has seen that.
pub struct Writer<T: Send + Sync + 'static> {
    lane: Arc<Lane<T>>,
    row: Row,
    entries_max: u32,
    log_max: usize,
    next_entry: u64,
    epoch: u64,
    len: u32,
    chunks: Vec<Arc<Chunk<T>>>,
    /// Slots below `chunks.len() * CHUNK` that were used and are free; the lowest is given first.
    free: BinaryHeap<Reverse<u32>>,
    /// Slots below this were used before.
    fresh: u32,
    /// Slots edited since the last publication.
    edited: Vec<u32>,
    log: Vec<Touched>,
    log_since: u64,
}

impl<T: Send + Sync + 'static> Writer<T> {
    pub(crate) fn new(lane: Arc<Lane<T>>, row: Row, entries_max: u32, log_max: u32, from: Free) -> Self {
        Writer {
            lane,
            row,
            entries_max,
            log_max: log_max as usize,
            next_entry: from.next_entry,
            epoch: from.epoch,
            len: 0,
            chunks: Vec::new(),
            free: BinaryHeap::new(),
            fresh: 0,
            edited: Vec::new(),
            log: Vec::new(),
            log_since: from.epoch,
        }
    }

    /// The row that this writes.
    pub fn row(&self) -> Row {
        self.row
    }

    /// Enters a value at the lowest free slot, under a new entry number. Costs the copy of one chunk.
    ///
    /// Fails with [`Limit::Entries`] at the row's `entries_max`; the value is dropped.
    pub fn enter(&mut self, value: T) -> Result<Place, Full> {
        if self.len == self.entries_max {
            return Err(Full { limit: Limit::Entries, most: self.entries_max });
        }
        let slot = self.free.pop().map_or_else(|| self.fresh_slot(), |Reverse(slot)| slot);
        let entry = self.number();
        self.put(slot, Some(Entry { number: entry, origin: entry, value }));
        self.len += 1;
        Ok(Place { slot, entry })
    }

    /// Puts another value at the slot, under a new entry number; the reader sees it as a replacement, not as a leave.
    ///
    /// Fails if nobody is entered there; the value is dropped.
    pub fn replace(&mut self, slot: u32, value: T) -> Result<Place, NoSuchEntry> {
        let origin = at(&self.chunks, slot).ok_or(NoSuchEntry { slot })?.origin;
        let entry = self.number();
        self.put(slot, Some(Entry { number: entry, origin, value }));
        Ok(Place { slot, entry })
    }

    /// Takes the entry out and returns its number. Fails if nobody is entered there.
    pub fn leave(&mut self, slot: u32) -> Result<u64, NoSuchEntry> {
        let entry = at(&self.chunks, slot).ok_or(NoSuchEntry { slot })?.number;
        self.put(slot, None);
        self.free.push(Reverse(slot));
        self.len -= 1;
        Ok(entry)
    }

    /// Lets all edits since the last publication appear to the reader together, and marks the row changed. Without edits nothing
    /// happens. Returns the epoch to wait for in [`acknowledged`](Writer::acknowledged). Waking the reader is the caller's part.
    pub fn publish(&mut self) -> Epoch {
        if !self.edited.is_empty() {
            self.epoch += 1;
            self.extend_log();
            self.store(Snapshot {
                epoch: self.epoch,
                closed: false,
                len: self.len,
                chunks: self.chunks.iter().cloned().collect(),
                log: self.log.iter().copied().collect(),
                log_since: self.log_since,
            });
        }
        Epoch(self.epoch)
    }

    /// The epoch that the reader has applied. From then on it holds no entry that was not published in that epoch or later.
    pub fn acknowledged(&self) -> Epoch {
        // Acquire: what the reader did before it acknowledged is done.
        Epoch(self.shelf().acknowledged.load(Ordering::Acquire))
    }

    /// What is entered at the slot, edits that are not yet published included.
    pub fn value(&self, slot: u32) -> Option<&T> {
        Some(&at(&self.chunks, slot)?.value)
    }

    /// Number of the entry at the slot, edits that are not yet published included.
    pub fn entry(&self, slot: u32) -> Option<u64> {
        Some(at(&self.chunks, slot)?.number)
    }

    /// Entries, edits that are not yet published included.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Nobody is entered.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Every entry in slot order, edits that are not yet published included.
    pub fn entries(&self) -> impl Iterator<Item = (Place, &T)> {
        entries(&self.chunks)
    }

    fn shelf(&self) -> &Shelf<T> {
        &self.lane.rows[self.row.index()]
    }

    fn number(&mut self) -> u64 {
        let number = self.next_entry;
        self.next_entry += 1;
        number
    }

    fn fresh_slot(&mut self) -> u32 {
        let slot = self.fresh;
        self.fresh += 1;
        if slot as usize == self.chunks.len() * CHUNK {
            self.chunks.push(Arc::new(Chunk::empty()));
        }
        slot
    }

    fn put(&mut self, slot: u32, entry: Option<Entry<T>>) {
        // A chunk that is not yet published is unshared and edited in place; a published one is copied first.
        *Arc::make_mut(&mut self.chunks[slot as usize / CHUNK]).place(slot) = entry.map(Arc::new);
        self.edited.push(slot);
    }

    /// Moves the edited slots into the log: each slot once, nothing that the reader has acknowledged, nothing beyond the limit.
    fn extend_log(&mut self) {
        let (acknowledged, epoch) = (self.acknowledged().0, self.epoch);
        self.edited.sort_unstable();
        self.edited.dedup();
        let edited = &self.edited;
        self.log.retain(|old| old.epoch > acknowledged && edited.binary_search(&old.slot).is_err());
        self.log_since = self.log_since.max(acknowledged);
        self.log.extend(self.edited.drain(..).map(|slot| Touched { epoch, slot }));
        if self.log.len() > self.log_max {
            // Whole epochs go, so that what remains is complete since the newest one that went.
            let newest_gone = self.log[self.log.len() - self.log_max - 1].epoch;
            self.log.retain(|old| old.epoch > newest_gone);
            self.log_since = newest_gone;
        }
    }

    fn store(&self, snapshot: Snapshot<T>) {
        self.shelf().published.store(Arc::new(snapshot));
        self.lane.changed.mark(self.row.index());
    }
}

impl<T: Send + Sync + 'static> Drop for Writer<T> {
    fn drop(&mut self) {
        self.epoch += 1;
        self.store(Snapshot {
            epoch: self.epoch,
            closed: true,
            len: 0,
            chunks: Box::default(),
            log: Box::default(),
            log_since: self.epoch,
        });
        self.lane.give_back(Free { index: self.row.index, epoch: self.epoch, next_entry: self.next_entry });
    }
}
