//! One thread writes: what arrives while a commit runs goes into the next one, so that a full disk queue costs one wait.

use std::{
    collections::BTreeMap,
    fs::File,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use control_core::system::Record;
use redb::{Database, Durability, TableHandle};

use super::{
    Counters, Loaded, OpenError, Store, WRITES_MAX, WriteError,
    file::{self, META, Opened, Rows},
};

/// How long a write may be kept so that others share its commit.
const LINGER: Duration = Duration::from_millis(2);

/// The embedded engine: one file, `carryover.redb`.
pub struct Redb {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<Write>,
    /// What a new write is told; `None`: it is taken.
    closed: Option<WriteError>,
    counters: Counters,
}

struct Write {
    records: Vec<Record>,
    done: Box<dyn FnOnce(Result<(), WriteError>) + Send>,
    arrived: Instant,
}

impl Store for Redb {
    fn open(dir: &Path) -> Result<(Redb, Vec<Loaded>), OpenError> {
        let Opened { database, lock, rows } = file::open(dir)?;
        let started = Redb::start(database, Some(lock));
        Ok((started.map_err(|source| OpenError::Directory { dir: dir.to_owned(), source })?, rows))
    }

    fn write(&self, records: Vec<Record>, done: impl FnOnce(Result<(), WriteError>) + Send + 'static) {
        assert!(records.iter().all(|record| record.table != META.name()), "the table meta is the store's own");
        let mut state = self.shared.lock();
        let refused = match &state.closed {
            Some(closed) => Some(closed.clone()),
            None if state.waiting.len() >= WRITES_MAX => Some(WriteError::Full),
            None => None,
        };
        let Some(refused) = refused else {
            state.waiting.push(Write { records, done: Box::new(done), arrived: Instant::now() });
            state.counters.longest_queue = state.counters.longest_queue.max(state.waiting.len());
            self.shared.arrived.notify_one();
            return;
        };
        match refused {
            WriteError::Full => state.counters.refused += 1,
            WriteError::Failed(_) => state.counters.failed += 1,
            WriteError::Stopped => {}
        }
        // Whoever is told may write again at once.
        drop(state);
        done(Err(refused));
    }

    fn counters(&self) -> Counters {
        self.shared.lock().counters
    }

    fn stop(self) {
        drop(self);
    }
}

impl Redb {
    /// Writes to a database; `lock` is let go after it is closed.
    fn start(database: Database, lock: Option<File>) -> std::io::Result<Redb> {
        let shared = Arc::new(Shared { state: Mutex::default(), arrived: Condvar::new() });
        let its = Arc::clone(&shared);
        let run = move || {
            its.run(&database);
            if let Err(error) = database.close() {
                tracing::warn!("the store was not closed cleanly: {error}; it is repaired at the next start");
            }
            drop(lock);
        };
        let writer = thread::Builder::new().name("store".into()).spawn(run)?;
        Ok(Redb { shared, writer: Some(writer) })
    }
}

impl Drop for Redb {
    fn drop(&mut self) {
        self.shared.lock().closed.get_or_insert(WriteError::Stopped);
        self.shared.arrived.notify_one();
        // The last owner may be somebody who was just told, on the writer's own thread: it ends by itself.
        if let Some(writer) = self.writer.take().filter(|writer| writer.thread().id() != thread::current().id())
            && writer.join().is_err()
        {
            tracing::error!("the store's writer panicked; what was not told as stored may be lost");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change of the state is complete before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, database: &Database) {
        let _ending = Ending(self);
        let mut before = 0;
        while let Some(mut writes) = self.take(before) {
            before = writes.len();
            let records = writes.iter().map(|write| write.records.len() as u64).sum::<u64>();
            match commit(database, writes.iter_mut().flat_map(|write| write.records.drain(..))) {
                Ok(()) => {
                    let mut state = self.lock();
                    state.counters.commits += 1;
                    state.counters.records += records;
                    drop(state);
                    writes.into_iter().for_each(|write| (write.done)(Ok(())));
                }
                Err(error) => {
                    let failed = WriteError::Failed(error.to_string().into());
                    tracing::error!("{failed}");
                    self.refuse(writes, failed);
                    return;
                }
            }
        }
    }

    /// What goes into the next commit; `None`: nothing waits and nothing more comes.
    fn take(&self, before: usize) -> Option<Vec<Write>> {
        let mut state = self.lock();
        loop {
            let age = state.waiting.first().map(|write| write.arrived.elapsed());
            let kept = match age {
                None if state.closed.is_some() => return None,
                None => None,
                Some(_) if state.closed.is_some() => return Some(std::mem::take(&mut state.waiting)),
                Some(age) => match linger(before, state.waiting.len(), age) {
                    Some(kept) => Some(kept),
                    None => return Some(std::mem::take(&mut state.waiting)),
                },
            };
            state = match kept {
                None => self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(kept) => self.arrived.wait_timeout(state, kept).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }

    /// Tells these, those that wait and all that come later that nothing more is written.
    fn refuse(&self, mut writes: Vec<Write>, why: WriteError) {
        let mut state = self.lock();
        writes.append(&mut state.waiting);
        state.counters.failed += writes.len() as u64;
        state.closed = Some(why.clone());
        drop(state);
        writes.into_iter().for_each(|write| (write.done)(Err(why.clone())));
    }
}

/// However the writer ends, nobody waits for it in vain.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.refuse(Vec::new(), WriteError::Failed("its writer panicked".into()));
        }
    }
}

/// How much longer the oldest of `waiting` writes, which is `age` old, is kept. Somebody who writes alone is never kept; after a
/// commit that was shared, as many are expected again.
fn linger(before: usize, waiting: usize, age: Duration) -> Option<Duration> {
    let expected = before > 1 && waiting < before;
    LINGER.checked_sub(age).filter(|left| expected && !left.is_zero())
}

/// Makes the records durable, in their order. An engine opens a table once per commit.
fn commit(database: &Database, records: impl Iterator<Item = Record>) -> Result<(), redb::Error> {
    let mut tables = BTreeMap::<&'static str, Vec<(String, Option<Vec<u8>>)>>::new();
    for Record { table, key, value } in records {
        tables.entry(table).or_default().push((key, value));
    }
    let mut write = database.begin_write()?;
    write.set_durability(Durability::Immediate)?;
    for (name, rows) in tables {
        let mut table = write.open_table(Rows::new(name))?;
        for (key, value) in rows {
            match value {
                Some(value) => drop(table.insert(key.as_str(), value.as_slice())?),
                None => drop(table.remove(key.as_str())?),
            }
        }
    }
    Ok(write.commit()?)
}

#[cfg(test)]
mod tests;
