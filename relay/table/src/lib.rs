//! Lock-free published rows: how one writer tells pinned worker threads who takes part in what they carry.
//!
//! A **row** has one [`Writer`] and one [`Reader`], the worker that owns it. The writer edits entries and publishes; everything
//! edited since the last publication appears to the reader together, under one [`Epoch`]. The reader asks which rows
//! [changed](Reader::changed), [looks](Reader::look), is told the net difference since its last look, and by that acknowledges
//! the epoch. The writer reads back [what is acknowledged](Writer::acknowledged): after that the reader holds no older entry.
//!
//! Beside the rows stand the small protocols that a worker needs with them: the [`bell`](bell()) that wakes it when it sleeps,
//! the [`chute`](chute()) by which one worker hands work to another, and [`words`](words()), status that one thread writes and many
//! read.
//!
//! **It refuses to know** what an entry is, what a worker does with it, and every word of mission-critical services.
//!
//! 1. *One writer, by type.* `Writer`, `Reader`, [`Words`] and [`Sleeper`] are not `Clone` and change only through `&mut self`.
//! 2. *A snapshot never changes.* Publishing swaps one pointer. An edit copies one chunk of [`CHUNK`] entries, a publication the
//!    spine of chunk pointers; neither copies all entries.
//! 3. *Readers never wait.* No lock, no spin on a writer, no allocation by a look. Locks are the control side's (opening, closing).
//! 4. *Net difference.* A look compares what was seen with what is: through the log that the snapshot carries, or, if that log
//!    starts too late, through the chunks whose pointers differ. Both give the same answer, first who left, then the
//!    rest; beyond that the order means nothing.
//! 5. *Numbers never come back.* Entry numbers and epochs of a row only grow, through close and reuse too, so an entry that left and
//!    one that entered at the same slot are never taken for each other.
//! 6. *A row is reused only after its reader saw it close.*
//!
//! # Reclamation
//!
//! The published pointer is a [`crossbeam_epoch::Atomic`]. `arc-swap` would have been the other choice; crossbeam-epoch runs under
//! loom, so the models below reach through the pointer, and arc-swap does not. A value that has left is dropped some time
//! after its reader acknowledged that, on whichever thread collects; nothing here promises when.
//!
//! # Models
//!
//! ```text
//! RUSTFLAGS="--cfg loom --cfg crossbeam_loom" cargo test -p relay-table --test loom --test loom_chute --release
//! ```
//!
//! At most three threads and one property each, at most two forced switches of threads in one execution; [`CHUNK`] is 4 there.
//! About twenty seconds on two cores.

mod bell;
mod changed;
mod chute;
mod limits;
#[allow(unsafe_code)] // the only module that dereferences a published pointer
mod published;
mod reader;
mod snapshot;
mod sync;
mod table;
mod words;
mod writer;

pub use bell::{Bell, Sleeper, bell};
pub use chute::{Chute, Feed, Fifo, chute};
pub use limits::{Full, Limit, Limits, NoSuchEntry};
pub use reader::{Change, Look, Reader, Walk};
pub use snapshot::{CHUNK, Epoch, Place};
pub use table::{Row, Table, table};
pub use words::{Words, WordsReader, words};
pub use writer::Writer;
