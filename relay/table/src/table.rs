//! The table: every reader's rows, and the control side's account of which are free.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError},
};

use crate::{
    changed::Changed,
    limits::{Full, Limit, Limits},
    published::Published,
    reader::Reader,
    snapshot::Snapshot,
    sync::{AtomicU64, Mutex, MutexGuard, Ordering},
    writer::Writer,
};

/// Makes a table for that many readers, numbered from 0. Each [`Reader`] moves into its worker thread.
///
/// Asserts that there is a reader, and at most 65,536; and that each may have a row, and at most 2^26.
pub fn table<T: Send + Sync + 'static>(limits: Limits, readers: usize) -> (Table<T>, Vec<Reader<T>>) {
    assert!((1..=1 << 16).contains(&readers), "a table needs 1 to 65,536 readers, not {readers}");
    assert!((1..=1 << 26).contains(&limits.rows), "limits.rows is {}, not 1 to 2^26", limits.rows);
    let lanes: Box<[Arc<Lane<T>>]> = (0..readers).map(|_| Arc::new(Lane::new(limits.rows))).collect();
    let readers = (0..).zip(&lanes).map(|(number, lane)| Reader::new(number, Arc::clone(lane))).collect();
    (Table { shared: Arc::new(Shared { limits, lanes }) }, readers)
}

/// Names a row: whose it is, and which of that reader's. Used again after the row closed and its reader saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row {
    pub(crate) reader: u32,
    pub(crate) index: u32,
}

impl Row {
    /// The reader that owns the row.
    pub fn reader(self) -> usize {
        self.reader as usize
    }

    /// Which of that reader's rows, below [`Limits::rows`]: fit to index a reader's own state.
    pub fn index(self) -> usize {
        self.index as usize
    }
}

/// The control side: opens rows. Clones are the same table.
pub struct Table<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        Table { shared: Arc::clone(&self.shared) }
    }
}

impl<T: Send + Sync + 'static> Table<T> {
    /// Opens a row that `reader` owns, for at most `entries_max` entries. The reader learns of it with the first publication.
    ///
    /// Fails with [`Limit::Rows`] if all rows of that reader are open or wait for it to see them closed. Asserts that the reader exists.
    pub fn open(&self, reader: usize, entries_max: u32) -> Result<Writer<T>, Full> {
        let lane = self.shared.lanes.get(reader);
        let lane =
            lane.unwrap_or_else(|| panic!("reader {reader} does not exist, the table has {}", self.shared.lanes.len()));
        let limits = self.shared.limits;
        let Some(free) = lane.take_free() else {
            return Err(Full { limit: Limit::Rows, most: limits.rows });
        };
        let row = Row { reader: reader as u32, index: free.index };
        Ok(Writer::new(Arc::clone(lane), row, entries_max, limits.log, free))
    }

    /// How many readers the table was made for.
    pub fn readers(&self) -> usize {
        self.shared.lanes.len()
    }
}

struct Shared<T> {
    limits: Limits,
    lanes: Box<[Arc<Lane<T>>]>,
}

/// Everything between the control side and one reader.
pub(crate) struct Lane<T> {
    pub(crate) rows: Box<[Shelf<T>]>,
    pub(crate) changed: Changed,
    /// Control side only; a reader never touches it.
    pool: Mutex<Pool>,
}

/// Where one row is published and acknowledged.
pub(crate) struct Shelf<T> {
    pub(crate) published: Published<Snapshot<T>>,
    /// The epoch that the reader has applied. The reader alone writes it.
    pub(crate) acknowledged: AtomicU64,
}

/// A row without a writer, and where its numbers go on.
#[derive(Clone, Copy)]
pub(crate) struct Free {
    pub(crate) index: u32,
    pub(crate) epoch: u64,
    pub(crate) next_entry: u64,
}

struct Pool {
    /// Rows below this were used before.
    fresh: u32,
    free: Vec<Free>,
    /// Closed rows whose reader may not know it yet, in the order of their closing.
    closing: VecDeque<Free>,
}

impl<T: Send + Sync + 'static> Lane<T> {
    fn new(rows: u32) -> Self {
        let shelf = |_| Shelf { published: Published::nothing(), acknowledged: AtomicU64::new(0) };
        Lane {
            rows: (0..rows).map(shelf).collect(),
            changed: Changed::for_rows(rows as usize),
            pool: Mutex::new(Pool { fresh: 0, free: Vec::new(), closing: VecDeque::new() }),
        }
    }

    fn take_free(&self) -> Option<Free> {
        let mut pool = self.pool();
        while let Some(&closed) = pool.closing.front() {
            // Acquire: the next writer of this row comes after the reader's last look at the old one.
            if self.rows[closed.index as usize].acknowledged.load(Ordering::Acquire) < closed.epoch {
                break;
            }
            pool.closing.pop_front();
            pool.free.push(closed);
        }
        pool.free.pop().or_else(|| {
            let index = pool.fresh;
            if index as usize == self.rows.len() {
                return None;
            }
            pool.fresh += 1;
            Some(Free { index, epoch: 0, next_entry: 1 })
        })
    }

    pub(crate) fn give_back(&self, closed: Free) {
        self.pool().closing.push_back(closed);
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        // Each change of the pool is one push or pop: a panic elsewhere leaves nothing half done.
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
