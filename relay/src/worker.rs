//! A worker: one pinned thread that owns its sockets and its calls.
//!
//! The loop is turns. A turn takes mail and roster changes, receives, lets calls do their due, and hands out a bounded amount
//! of work; only when a turn found nothing to do does the worker sleep.

mod calls;
mod handing;
mod legs;
mod outgoing;
mod packets;
mod slices;
mod sockets;
mod ways;

use std::{
    io,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use relay_core::{
    call::{CHUNK, CHUNK_IN_COMPANY},
    roster::Participant,
};
use relay_table::{Reader, Row, Sleeper};
use tokio::sync::{mpsc, oneshot};

use crate::{
    Event,
    clock::Clock,
    exchange::Exchange,
    mail::{Letterbox, Mail},
    metrics::Counters,
    udp::BATCH,
};
use calls::Calls;
pub(crate) use legs::FLOOR_MESSAGES_PER_S;
pub(crate) use packets::SLICE_PACKETS_MAX;
pub(crate) use sockets::Sockets;
use sockets::{Kind, Ready};
pub(crate) use ways::{Desk, SLICE_MAIL_MAX, desks};

/// Pieces of work in one turn: between two turns the kernel is asked what came.
const PIECES: usize = 16;

/// The same while several calls have media, and pieces are smaller.
const PIECES_IN_COMPANY: usize = PIECES * CHUNK / CHUNK_IN_COMPANY;

/// Live chunks between two looks at the RTP socket within a turn, while one call has the worker for itself. When several have media
/// chunks are small, and there is a look after each.
const PIECES_PER_LOOK: usize = 4;

/// Receive batches of one socket in one turn.
const BATCHES: usize = 4;

/// How long a worker sleeps at most while another one's mail has no room for what must not be lost.
const HELD_UP: Duration = Duration::from_millis(1);

/// Starts worker `number`. Its thread ends on `Mail::Stop`.
pub(crate) fn start(
    number: usize,
    (desk, sockets): (Desk, Sockets),
    reader: Reader<Participant>,
    clock: Clock,
    counters: Arc<Counters>,
    (events, exchange): (mpsc::Sender<Event>, Arc<Exchange>),
) -> io::Result<JoinHandle<()>> {
    let Desk { doorbell, sleeper, letterbox, ways } = desk;
    let worker = Worker {
        reader,
        sleeper,
        post: Post { letterbox, settling: Vec::new(), stopping: false },
        calls: Calls::new(sockets, clock, counters, (events, exchange), ways),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
        pin(number);
        runtime.block_on(worker.run(&doorbell));
    })
}

struct Worker {
    reader: Reader<Participant>,
    sleeper: Sleeper,
    post: Post,
    calls: Calls,
}

/// What control writes to the worker.
struct Post {
    letterbox: Letterbox,
    /// Who waits until a departure is seen.
    settling: Vec<(Row, oneshot::Sender<()>)>,
    stopping: bool,
}

/// What a turn found.
#[derive(PartialEq, Eq)]
enum Turn {
    /// There is more to do.
    Busy,
    /// Nothing is left to do.
    Idle,
}

impl Worker {
    async fn run(mut self, doorbell: &crate::udp::Doorbell) {
        let ready = match Ready::new(&self.calls.sockets, doorbell) {
            Ok(ready) => ready,
            Err(error) => return tracing::error!("worker cannot watch its sockets: {error}; its calls get no media"),
        };
        loop {
            let turn = self.turn(&ready);
            // The letter may have come in any part of the turn: whoever sleeps has none.
            if self.post.stopping {
                return;
            }
            match turn {
                Turn::Busy => tokio::task::yield_now().await,
                Turn::Idle => {
                    let (reader, letterbox, calls) = (&self.reader, &self.post.letterbox, &self.calls);
                    let has_work = || reader.any_changed() || !letterbox.is_empty() || calls.is_handed();
                    if self.sleeper.prepare(has_work) {
                        ready.sleep_until(self.until()).await;
                        self.sleeper.awake();
                    }
                }
            }
        }
    }

    /// When the worker looks again although nobody rang.
    fn until(&self) -> Option<Instant> {
        let held_up = self.calls.is_held_up().then(|| Instant::now() + HELD_UP);
        self.calls.next_wake().into_iter().chain(held_up).min()
    }

    fn turn(&mut self, ready: &Ready<'_>) -> Turn {
        self.calls.counters.turns.add(1);
        self.calls.tick();
        ready.hush();
        self.attend();
        // Media before floor: a talker's last packets are taken before the release that ends its burst.
        let mut more = false;
        for kind in [Kind::Rtp, Kind::Floor, Kind::Rtcp] {
            more |= self.receive(ready, kind);
        }
        more |= self.take_carried();
        self.calls.expire();
        self.calls.report();
        let pieces = if self.calls.in_company() { PIECES_IN_COMPANY } else { PIECES };
        for piece in 1..=pieces {
            if !self.calls.work() {
                return if more { Turn::Busy } else { Turn::Idle };
            }
            self.calls.tick();
            if !self.post.letterbox.is_empty() || self.reader.any_changed() || self.calls.is_handed() {
                self.attend();
            }
            if piece % PIECES_PER_LOOK == 0 || self.calls.in_company() {
                self.calls.receive(Kind::Rtp);
            }
        }
        Turn::Busy
    }

    /// Receives what came on a socket; true if more may be waiting.
    fn receive(&mut self, ready: &Ready<'_>, kind: Kind) -> bool {
        for _ in 0..BATCHES {
            if !ready.has(kind) {
                return false;
            }
            if !self.calls.receive(kind) {
                ready.drained(kind);
                return false;
            }
        }
        true
    }

    /// Takes packets that came over trunks; true if more are waiting.
    fn take_carried(&mut self) -> bool {
        for _ in 0..BATCHES * BATCH {
            let Some(carried) = self.post.letterbox.take_carried() else { return false };
            self.calls.carried(carried);
        }
        true
    }

    /// Takes mail and sees roster changes. Whoever waits for a departure is answered once it is seen.
    fn attend(&mut self) {
        self.calls.take_handed();
        self.post.take(&mut self.calls);
        while let Some(row) = self.reader.changed() {
            self.look_at(row);
        }
        while let Some((row, reply)) = self.post.settling.pop() {
            self.look_at(row);
            self.calls.settle(row, reply);
        }
    }

    /// Sees one roster. The letter that opens a call, and those that expect an entry, were posted before what a look finds: they
    /// are taken once it is found, for a look also finds what was published after the mail was taken last.
    fn look_at(&mut self, row: Row) {
        let (post, calls) = (&mut self.post, &mut self.calls);
        let mut first = true;
        let look = self.reader.look(row, |change| {
            if std::mem::take(&mut first) {
                post.take(calls);
            }
            calls.change(row, change);
        });
        if first && look.closed {
            post.take(calls);
        }
        calls.looked(row, look);
    }
}

impl Post {
    fn take(&mut self, calls: &mut Calls) {
        while let Some(mail) = self.letterbox.take() {
            match mail {
                Mail::Stop => self.stopping = true,
                Mail::Settle { row, reply } => self.settling.push((row, reply)),
                mail => calls.read(mail),
            }
        }
    }
}

/// Keeps this thread on one core. A system that does not allow it costs speed, nothing else.
fn pin(number: usize) {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if let Some(core) = cores.get(number % cores.len().max(1))
        && !core_affinity::set_for_current(*core)
    {
        tracing::info!("worker {number} not pinned: the system does not allow it");
    }
}

#[cfg(test)]
mod tests;
