//! The audit trail: decisions that cross systems, one JSON line each, in files that are only ever appended to.
//!
//! Whoever decides never waits for it: a line that finds no place is counted, and so is one that the disk refuses.

mod lately;
mod trail;

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::SystemTime,
};

use control_core::system;
use serde::Serialize;

use crate::store::OpenError;

pub(crate) use lately::Lately;
pub use lately::REFUSALS_PER_MIN;
pub use trail::{FILE_BYTES_MAX, FILES_MAX};

/// `audit.lines`: lines that wait for the disk at once. More are lost and counted in `Counters::dropped`.
pub const LINES_MAX: usize = 10_000;

/// The trail of one node: `audit.jsonl` in its data directory, and behind it what that was before.
pub struct Audit {
    lines: Option<SyncSender<Vec<u8>>>,
    counts: Arc<Counts>,
    writer: Option<JoinHandle<()>>,
}

/// What became of the lines since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Handed to the kernel.
    pub written: u64,
    /// Lost because `LINES_MAX` waited.
    pub dropped: u64,
    /// Lost because the disk refused them.
    pub failed: u64,
    /// Files begun because [`FILE_BYTES_MAX`] was reached.
    pub begun: u64,
    /// Files removed because [`FILES_MAX`] were there.
    pub removed: u64,
}

#[derive(Default)]
struct Counts {
    written: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    begun: AtomicU64,
    removed: AtomicU64,
}

#[derive(Serialize)]
struct Line<'a> {
    at: String,
    event: &'a str,
    system: &'a str,
    user: Option<&'a str>,
    cause: Option<&'a str>,
    detail: &'a str,
}

/// Where lines go.
trait Sink: Send + 'static {
    /// Takes a whole line, or nothing of it.
    fn append(&mut self, line: &[u8]) -> io::Result<()>;
    /// Makes what was taken durable.
    fn sync(&mut self) -> io::Result<()>;
}

impl Audit {
    /// Opens the trail in an existing data directory and goes on behind its last line.
    pub fn open(dir: &Path) -> Result<Audit, OpenError> {
        let refuse = |source| OpenError::Directory { dir: dir.to_owned(), source };
        let counts = Arc::new(Counts::default());
        let trail = trail::Trail::open(dir, FILE_BYTES_MAX, Arc::clone(&counts)).map_err(refuse)?;
        Audit::start(trail, counts).map_err(refuse)
    }

    fn start(sink: impl Sink, counts: Arc<Counts>) -> io::Result<Audit> {
        let (lines, waiting) = sync_channel(LINES_MAX);
        let its = Arc::clone(&counts);
        let writer = thread::Builder::new().name("audit".into()).spawn(move || run(sink, &waiting, &its))?;
        Ok(Audit { lines: Some(lines), counts, writer: Some(writer) })
    }

    /// Adds a line. Never waits.
    pub fn append(&self, audit: &system::Audit, at: SystemTime) {
        let system::Audit { event, system, user, cause, detail } = audit;
        let at = humantime::format_rfc3339_millis(at).to_string();
        let line = Line { at, event, system, user: user.as_deref(), cause: *cause, detail };
        // Strings always are JSON.
        let Ok(mut line) = serde_json::to_vec(&line) else { return };
        line.push(b'\n');
        let sent = self.lines.as_ref().map(|lines| lines.try_send(line));
        match sent {
            Some(Ok(())) => {}
            Some(Err(TrySendError::Full(_))) => {
                if self.counts.dropped.fetch_add(1, Relaxed) == 0 {
                    tracing::error!(
                        "audit lines are being lost: audit.lines is full at {LINES_MAX}; use a faster disk"
                    );
                }
            }
            Some(Err(TrySendError::Disconnected(_))) | None => {
                self.counts.failed.fetch_add(1, Relaxed);
            }
        }
    }

    /// What became of the lines so far.
    pub fn counters(&self) -> Counters {
        let Counts { written, dropped, failed, begun, removed } = &*self.counts;
        Counters {
            written: written.load(Relaxed),
            dropped: dropped.load(Relaxed),
            failed: failed.load(Relaxed),
            begun: begun.load(Relaxed),
            removed: removed.load(Relaxed),
        }
    }

    /// Writes what waits, and closes the trail.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        self.lines = None;
        if self.writer.take().is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the audit trail's writer panicked; lines are lost");
        }
    }
}

fn run(mut sink: impl Sink, waiting: &Receiver<Vec<u8>>, counts: &Counts) {
    let mut failing = false;
    while let Ok(first) = waiting.recv() {
        let mut result = Ok(());
        for line in std::iter::once(first).chain(waiting.try_iter().take(LINES_MAX)) {
            match sink.append(&line) {
                Ok(()) => counts.written.fetch_add(1, Relaxed),
                Err(error) => {
                    result = Err(error);
                    counts.failed.fetch_add(1, Relaxed)
                }
            };
        }
        let result = result.and_then(|()| sink.sync());
        // A full disk is said once, not once per line.
        if let Err(error) = &result
            && !failing
        {
            tracing::error!("audit lines are being lost: {error}; free space in the data directory");
        }
        failing = result.is_err();
    }
}

#[cfg(test)]
mod tests;
