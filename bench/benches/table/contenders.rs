//! Five ways to let one thread change who is in a call while another reads it with every packet.
//!
//! Every contender does the same work: a packet reads each target of the call, in place, where that contender keeps it; an enter
//! adds a target, a leave takes the last one out, and both are seen by the next packet that comes after them.

use std::{
    hint::black_box,
    net::SocketAddr,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

use arc_swap::{ArcSwap, Cache};
use dashmap::DashMap;
use relay_table::{Change, Limits};

/// The key of the one call, for maps of calls.
const CALL: u32 = 7;

/// The control side.
pub(crate) trait Write: Send {
    /// Adds a target.
    fn enter(&mut self, target: SocketAddr);
    /// Takes the last one out.
    fn leave(&mut self);
}

/// The worker's side.
pub(crate) trait Read {
    /// One packet: reads every target; answers how many there were.
    fn packet(&mut self) -> usize;
}

/// What each packet does with the targets.
fn touch<'a>(targets: impl Iterator<Item = &'a SocketAddr>) -> usize {
    targets.map(|target| _ = black_box(*target)).count()
}

/// This project's: published rows. The reader asks whether a row changed, takes the difference over into targets of its own, and reads those.
pub(crate) fn table(targets: &[SocketAddr]) -> (impl Write + use<>, impl Read + use<>) {
    let (table, readers) = relay_table::table(Limits::default(), 1);
    let mut writer = table.open(0, u32::MAX).expect("a row");
    for target in targets {
        writer.enter(*target).expect("room");
    }
    writer.publish();
    let reader = readers.into_iter().next().expect("one reader");
    (Row { writer, entered: Vec::new() }, Looking { reader, targets: Vec::new() })
}

struct Row {
    writer: relay_table::Writer<SocketAddr>,
    entered: Vec<u32>,
}

impl Write for Row {
    fn enter(&mut self, target: SocketAddr) {
        self.entered.push(self.writer.enter(target).expect("room").slot);
        self.writer.publish();
    }

    fn leave(&mut self) {
        self.writer.leave(self.entered.pop().expect("one has entered")).expect("it is there");
        self.writer.publish();
    }
}

struct Looking {
    reader: relay_table::Reader<SocketAddr>,
    targets: Vec<SocketAddr>,
}

impl Read for Looking {
    fn packet(&mut self) -> usize {
        while let Some(row) = self.reader.changed() {
            let targets = &mut self.targets;
            // Slots are dense and the last one leaves first, so that a slot is a place here.
            self.reader.look(row, |change| match change {
                Change::Entered { value, .. } => targets.push(*value),
                Change::Replaced { slot, value, .. } => targets[slot as usize] = *value,
                Change::Left { slot, .. } => _ = targets.swap_remove(slot as usize),
            });
        }
        touch(self.targets.iter())
    }
}

/// A sharded map under read-write locks: the reader holds its shard for as long as a packet takes.
pub(crate) fn dashmap(targets: &[SocketAddr]) -> (impl Write + use<>, impl Read + use<>) {
    let calls: Arc<DashMap<u32, Vec<SocketAddr>>> = Arc::new(DashMap::new());
    calls.insert(CALL, targets.to_vec());
    (Locked(Arc::clone(&calls)), Locked(calls))
}

struct Locked(Arc<DashMap<u32, Vec<SocketAddr>>>);

impl Write for Locked {
    fn enter(&mut self, target: SocketAddr) {
        self.0.get_mut(&CALL).expect("the call is there").push(target);
    }

    fn leave(&mut self) {
        self.0.get_mut(&CALL).expect("the call is there").pop();
    }
}

impl Read for Locked {
    fn packet(&mut self) -> usize {
        touch(self.0.get(&CALL).expect("the call is there").iter())
    }
}

/// One swapped pointer per call, read through a cache: the writer copies all targets.
pub(crate) fn arc_swap(targets: &[SocketAddr]) -> (impl Write + use<>, impl Read + use<>) {
    let published = Arc::new(ArcSwap::from_pointee(targets.to_vec()));
    (Swapping(Arc::clone(&published)), Cached(Cache::new(published)))
}

struct Swapping(Arc<ArcSwap<Vec<SocketAddr>>>);

impl Swapping {
    fn edit(&self, edit: impl FnOnce(&mut Vec<SocketAddr>)) {
        let mut targets = Vec::clone(&self.0.load());
        edit(&mut targets);
        self.0.store(Arc::new(targets));
    }
}

impl Write for Swapping {
    fn enter(&mut self, target: SocketAddr) {
        self.edit(|targets| targets.push(target));
    }

    fn leave(&mut self) {
        self.edit(|targets| _ = targets.pop());
    }
}

struct Cached(Cache<Arc<ArcSwap<Vec<SocketAddr>>>, Arc<Vec<SocketAddr>>>);

impl Read for Cached {
    fn packet(&mut self) -> usize {
        touch(self.0.load().iter())
    }
}

/// A map without locks: each packet pins it, and the writer copies all targets of the call.
pub(crate) fn papaya(targets: &[SocketAddr]) -> (impl Write + use<>, impl Read + use<>) {
    let calls: Arc<papaya::HashMap<u32, Vec<SocketAddr>>> = Arc::new(papaya::HashMap::new());
    calls.pin().insert(CALL, targets.to_vec());
    (Pinned(Arc::clone(&calls)), Pinned(calls))
}

struct Pinned(Arc<papaya::HashMap<u32, Vec<SocketAddr>>>);

impl Pinned {
    fn edit(&self, edit: impl FnOnce(&mut Vec<SocketAddr>)) {
        let calls = self.0.pin();
        let mut targets = calls.get(&CALL).expect("the call is there").clone();
        edit(&mut targets);
        calls.insert(CALL, targets);
    }
}

impl Write for Pinned {
    fn enter(&mut self, target: SocketAddr) {
        self.edit(|targets| targets.push(target));
    }

    fn leave(&mut self) {
        self.edit(|targets| _ = targets.pop());
    }
}

impl Read for Pinned {
    fn packet(&mut self) -> usize {
        touch(self.0.pin().get(&CALL).expect("the call is there").iter())
    }
}

/// Targets of the worker's own, changed by mail: nothing is published, so nobody else can look, and a full mailbox stops the writer.
pub(crate) fn private_copy(targets: &[SocketAddr]) -> (impl Write + use<>, impl Read + use<>) {
    let (letters, mailbox) = sync_channel(1_024);
    (Mailing(letters), Own { mailbox, targets: targets.to_vec() })
}

enum Letter {
    Enter(SocketAddr),
    Leave,
}

struct Mailing(SyncSender<Letter>);

impl Write for Mailing {
    fn enter(&mut self, target: SocketAddr) {
        self.0.send(Letter::Enter(target)).expect("the reader lives");
    }

    fn leave(&mut self) {
        self.0.send(Letter::Leave).expect("the reader lives");
    }
}

struct Own {
    mailbox: Receiver<Letter>,
    targets: Vec<SocketAddr>,
}

impl Read for Own {
    fn packet(&mut self) -> usize {
        while let Ok(letter) = self.mailbox.try_recv() {
            match letter {
                Letter::Enter(target) => self.targets.push(target),
                Letter::Leave => _ = self.targets.pop(),
            }
        }
        touch(self.targets.iter())
    }
}
