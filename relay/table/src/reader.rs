//! The reader of a worker: which rows changed, and how.

use std::sync::Arc;

use crate::{
    changed::Taken,
    snapshot::{CHUNK, Chunk, Entry, Epoch, Place, Snapshot, entries},
    sync::Ordering,
    table::{Lane, Row},
};

/// One worker's side of the table. Moves into that worker's thread; never waits for a writer.
pub struct Reader<T> {
    number: u32,
    lane: Arc<Lane<T>>,
    taken: Taken,
    /// By row: the snapshot of the last look; `None` before the first and after the row closed.
    seen: Box<[Option<Arc<Snapshot<T>>>]>,
}

/// One net difference between two looks.
#[derive(Debug, PartialEq, Eq)]
pub enum Change<'a, T> {
    /// A new entry stands at the slot.
    Entered {
        /// Its slot.
        slot: u32,
        /// Its number.
        entry: u64,
        /// What it is.
        value: &'a T,
    },
    /// The entry at the slot has a new number and a new value, and never left.
    Replaced {
        /// Its slot.
        slot: u32,
        /// Its new number.
        entry: u64,
        /// What it is now.
        value: &'a T,
    },
    /// The entry that the last look saw at the slot is gone. A look tells everyone who left before anyone who entered or was
    /// replaced, so what is freed here may be taken there.
    Left {
        /// Its slot.
        slot: u32,
        /// The number that the last look saw.
        entry: u64,
    },
}

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The publication that is now seen and acknowledged.
    pub epoch: Epoch,
    /// The row closed since the last look; every entry was told as left, and from now on the row may be opened for something else.
    /// Said by one look only: a later one that finds nothing new may already stand before the row's next use.
    pub closed: bool,
    /// How the difference was found.
    pub walked: Walk,
}

/// How a look found the difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// The log reached back to the last look.
    Log,
    /// It did not, or the row closed: chunks whose pointers differ were compared.
    Chunks,
    /// Nothing was published since.
    Nothing,
}

impl<T: Send + Sync + 'static> Reader<T> {
    pub(crate) fn new(number: u32, lane: Arc<Lane<T>>) -> Self {
        let seen = lane.rows.iter().map(|_| None).collect();
        Reader { number, lane, taken: Taken::default(), seen }
    }

    /// Which reader of the table this is.
    pub fn number(&self) -> usize {
        self.number as usize
    }

    /// Takes one row that was published or closed since it was last taken here. A look at it may still find nothing new, if the last
    /// look already saw that publication. When nothing changed this costs one relaxed load per 4,096 rows.
    pub fn changed(&mut self) -> Option<Row> {
        let index = self.taken.next(&self.lane.changed)? as u32;
        Some(Row { reader: self.number, index })
    }

    /// Whether [`changed`](Reader::changed) has something to look for: the question to ask in [`Sleeper::prepare`](crate::Sleeper::prepare).
    pub fn any_changed(&self) -> bool {
        self.taken.any(&self.lane.changed)
    }

    /// Tells the net difference between the last look and what is published now, then acknowledges it. What entered and left
    /// again in between is not told. If `on` panics nothing is acknowledged and the next look tells everything again.
    ///
    /// Asserts that the row is this reader's.
    pub fn look(&mut self, row: Row, mut on: impl FnMut(Change<'_, T>)) -> Look {
        let shelf = &self.lane.rows[self.index(row)];
        let seen = &mut self.seen[row.index()];
        let seen_epoch = shelf.acknowledged.load(Ordering::Relaxed); // our own store
        let Some(now) = shelf.published.load() else {
            return Look { epoch: Epoch(seen_epoch), closed: false, walked: Walk::Nothing };
        };
        let (epoch, closed) = (Epoch(now.epoch), now.closed);
        if now.epoch == seen_epoch {
            // Not `closed` again: the row may be open for something else by now, only not yet published.
            return Look { epoch, closed: false, walked: Walk::Nothing };
        }
        let walked = if seen_epoch >= now.log_since { Walk::Log } else { Walk::Chunks };
        for tell in [tell_left::<T>, tell_present] {
            match walked {
                Walk::Log => {
                    walk_log(seen.as_deref(), seen_epoch, &now, |slot, old, new| tell(slot, old, new, &mut on))
                }
                _ => walk_chunks(seen.as_deref(), &now, |slot, old, new| tell(slot, old, new, &mut on)),
            }
        }
        *seen = (!closed).then_some(now);
        // Release, and after the old snapshot is let go: whoever reads this epoch knows that nothing older is held here.
        shelf.acknowledged.store(epoch.0, Ordering::Release);
        Look { epoch, closed, walked }
    }

    /// What the last look saw at the slot, with its entry number. Plain memory: no atomic, no pointer of a writer.
    pub fn value(&self, row: Row, slot: u32) -> Option<(u64, &T)> {
        let entry = self.seen[self.index(row)].as_ref()?.at(slot)?;
        Some((entry.number, &entry.value))
    }

    /// How many entries the last look saw.
    pub fn len(&self, row: Row) -> u32 {
        self.seen[self.index(row)].as_ref().map_or(0, |seen| seen.len)
    }

    /// Whether the last look saw no entry.
    pub fn is_empty(&self, row: Row) -> bool {
        self.len(row) == 0
    }

    /// Every entry that the last look saw, in slot order.
    pub fn entries(&self, row: Row) -> impl Iterator<Item = (Place, &T)> {
        entries(self.seen[self.index(row)].as_ref().map_or(&[], |seen| &seen.chunks))
    }

    fn index(&self, row: Row) -> usize {
        assert_eq!(row.reader, self.number, "row {} belongs to reader {}", row.index, row.reader);
        row.index()
    }
}

/// Calls `on` with what stood and what stands at each slot that the log names since `seen_epoch`.
fn walk_log<T>(
    seen: Option<&Snapshot<T>>,
    seen_epoch: u64,
    now: &Snapshot<T>,
    mut on: impl FnMut(u32, At<'_, T>, At<'_, T>),
) {
    let unseen = now.log.partition_point(|touched| touched.epoch <= seen_epoch);
    for touched in &now.log[unseen..] {
        on(touched.slot, seen.and_then(|seen| seen.at(touched.slot)), now.at(touched.slot));
    }
}

/// Calls `on` with what stood and what stands at each slot of the chunks that are not the same.
fn walk_chunks<T>(seen: Option<&Snapshot<T>>, now: &Snapshot<T>, mut on: impl FnMut(u32, At<'_, T>, At<'_, T>)) {
    let seen: &[Arc<Chunk<T>>] = seen.map_or(&[], |seen| &seen.chunks);
    for index in 0..seen.len().max(now.chunks.len()) {
        let (old, new) = (seen.get(index), now.chunks.get(index));
        if let (Some(old), Some(new)) = (old, new)
            && Arc::ptr_eq(old, new)
        {
            continue;
        }
        for place in 0..CHUNK {
            on((index * CHUNK + place) as u32, old.and_then(|old| old.at(place)), new.and_then(|new| new.at(place)));
        }
    }
}

type At<'a, T> = Option<&'a Entry<T>>;

fn tell_left<T>(slot: u32, old: At<'_, T>, new: At<'_, T>, on: &mut dyn FnMut(Change<'_, T>)) {
    if let Some(old) = old
        && new.is_none_or(|new| new.origin != old.origin)
    {
        on(Change::Left { slot, entry: old.number });
    }
}

fn tell_present<T>(slot: u32, old: At<'_, T>, new: At<'_, T>, on: &mut dyn FnMut(Change<'_, T>)) {
    let Some(Entry { number, origin, value }) = new else { return };
    match old {
        Some(old) if old.number == *number => {}
        Some(old) if old.origin == *origin => on(Change::Replaced { slot, entry: *number, value }),
        _ => on(Change::Entered { slot, entry: *number, value }),
    }
}
