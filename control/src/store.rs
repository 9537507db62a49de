//! What survives a restart: the rows that the rules ask to be kept, by table and key.
//!
//! It refuses to know: what a row means. Whoever writes a row encodes it, its version first, and reads it back after a start.
//!
//! 1. Whoever is told that a write is done can pull the plug.
//! 2. All records of one write are there after a crash, or none of them.
//! 3. A store that failed once writes nothing more: what is stored never has a gap.
//! 4. A directory that cannot be used is refused and left as it was.

mod file;
pub mod groups;
mod writer;

use std::{io, path::Path, path::PathBuf, sync::Arc};

use control_core::system::Record;
pub use writer::Redb;

/// `store.writes`: writes that wait for a commit at once. More are refused and counted in `Counters::refused`.
pub const WRITES_MAX: usize = 65_536;

/// The format of this build's tables. A store with a greater one is refused.
pub const FORMAT: u64 = 1;

/// An engine that keeps rows.
pub trait Store: Sized + Send + Sync + 'static {
    /// Opens the store of a data directory, which is created if it is missing, and reads everything that it holds.
    fn open(dir: &Path) -> Result<(Self, Vec<Loaded>), OpenError>;

    /// Makes the records durable, all or none, in the order of the calls; then says so to `done`, exactly once and possibly on
    /// another thread, which must not be kept.
    fn write(&self, records: Vec<Record>, done: impl FnOnce(Result<(), WriteError>) + Send + 'static);

    /// What was done so far.
    fn counters(&self) -> Counters;

    /// Writes what waits, says so, and closes the store.
    fn stop(self);
}

/// A row as it was found at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Which table.
    pub table: String,
    /// Key within the table.
    pub key: String,
    /// As it was written.
    pub value: Vec<u8>,
}

/// What a store has done since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Commits: each is one wait for the disk.
    pub commits: u64,
    /// Records in them.
    pub records: u64,
    /// Most writes that waited at once; at most `WRITES_MAX`.
    pub longest_queue: usize,
    /// Writes refused because `WRITES_MAX` waited.
    pub refused: u64,
    /// Writes that were told that the store had failed.
    pub failed: u64,
}

/// Why a store was not opened. Nothing in the directory was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The kernel refuses the directory or a file in it.
    #[error("data directory {} cannot be used: {source}; {}", .dir.display(), advice(.source.kind()))]
    Directory {
        /// Which one.
        dir: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Another node uses the directory.
    #[error("data directory {} is in use by another node; stop that node or choose another --data directory", .dir.display())]
    Locked {
        /// Which one.
        dir: PathBuf,
    },
    /// A newer build wrote it.
    #[error("store {} has format {found}, this build knows {FORMAT} and older; start the build that wrote it", .file.display())]
    Newer {
        /// Which file.
        file: PathBuf,
        /// Its format.
        found: u64,
    },
    /// It is no store of ours, or its pages are wrong.
    #[error("store {} cannot be read: {reason}; put a copy in its place, or move it away and start empty", .file.display())]
    Damaged {
        /// Which file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Why a write was not made durable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Too many writes wait. Nothing of this one was written.
    #[error(
        "store.writes is full at {WRITES_MAX}: nothing was written; ask again later, or give the store a faster disk"
    )]
    Full,
    /// The disk failed; whether this write survives is not known. No later write of this node does.
    #[error("the store failed: {0}; nothing more is written; free space or replace the disk, then restart the node")]
    Failed(Arc<str>),
    /// The store is stopping. Nothing of this write was written.
    #[error("the store is stopped: nothing was written; ask again when the node is back")]
    Stopped,
}

fn advice(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => "give a directory with --data",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "make it writable for the node or choose another --data directory"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "free space or choose another --data directory"
        }
        _ => "check its disk or choose another --data directory",
    }
}

#[cfg(test)]
mod tests;
