//! The media plane as a whole: it starts the workers, opens calls, adds up the counters, and ends.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::SystemTime,
};

use relay_core::{Time, roster::Participant};
use relay_table::{Limits, Table, table};
use tokio::sync::mpsc;

use crate::{
    Call, CallSettings, Config, Event, Exhausted,
    allotment::{Ssrcs, Ticket},
    call::Shared as CallShared,
    clock::Clock,
    event::EVENTS_MAX,
    mail::{Letterbox, MAIL_MAX, Mail, Opening},
    metrics::{self, Counters},
    status::StatusWords,
    worker::{self, Sockets},
};

/// The running media plane. Cheap to clone; the workers end when `stop` is called or the last clone is gone.
#[derive(Clone)]
pub struct Relay {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    calls_max: usize,
    calls: Arc<AtomicUsize>,
    workers: Vec<Worker>,
    table: Table<Participant>,
    next_worker: AtomicUsize,
    ssrcs: Arc<Ssrcs>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Worker {
    ports: Ports,
    letterbox: Letterbox,
    counters: Arc<Counters>,
}

/// Where one worker listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// RTP; base port + 4·worker.
    pub rtp: SocketAddr,
    /// RTCP; one above RTP.
    pub rtcp: SocketAddr,
    /// Floor control; two above RTP.
    pub floor: SocketAddr,
}

/// Why the media plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A socket could not be opened or bound.
    #[error("media address {address} not bound: {source}; choose another --media address or stop what uses it")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A thread could not be started.
    #[error("worker {worker} not started: {source}")]
    Thread {
        /// Which worker.
        worker: usize,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The ports of the last worker lie above 65535.
    #[error("media port {port} is too high for {workers} workers: each takes 4 ports; choose a lower --media port")]
    Ports {
        /// The base port.
        port: u16,
        /// Number of workers.
        workers: usize,
    },
}

impl Relay {
    /// Opens the sockets and starts the workers. Events of calls come out of the receiver; it must be drained.
    pub fn start(config: Config) -> Result<(Relay, mpsc::Receiver<Event>), StartError> {
        assert!(config.workers > 0, "a relay without workers serves nobody");
        let clock = Clock::start();
        let rows = (2 * config.calls_max).clamp(1, 1 << 20) as u32;
        let (table, readers) = table(Limits { rows, ..Limits::default() }, config.workers);
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let sockets: Vec<Sockets> =
            (0..config.workers).map(|worker| Sockets::open(&config, worker)).collect::<Result<_, _>>()?;
        let (mut workers, mut threads) = (Vec::new(), Vec::new());
        for (number, (sockets, reader)) in sockets.into_iter().zip(readers).enumerate() {
            let counters = Arc::new(Counters::default());
            let ports = sockets.ports();
            let started = worker::start(number, sockets, reader, clock, Arc::clone(&counters), events.clone());
            let (letterbox, thread) = started.map_err(|source| StartError::Thread { worker: number, source })?;
            workers.push(Worker { ports, letterbox, counters });
            threads.push(thread);
        }
        let shared = Shared {
            clock,
            calls_max: config.calls_max,
            calls: Arc::default(),
            workers,
            table,
            next_worker: AtomicUsize::new(0),
            ssrcs: Arc::new(Ssrcs::default()),
            threads: Mutex::new(threads),
        };
        Ok((Relay { shared: Arc::new(shared) }, receiver))
    }

    /// The sockets of every worker, in worker order.
    pub fn ports(&self) -> Vec<Ports> {
        self.shared.workers.iter().map(|worker| worker.ports).collect()
    }

    /// Opens a call without participants and chooses its owner. Fails when the node's `calls` limit is reached.
    pub fn open_call(&self, id: Arc<str>, settings: CallSettings) -> Result<Call, Exhausted> {
        // Owners in turn: a call's load is not known before anybody talks.
        let owner = self.shared.next_worker.fetch_add(1, Ordering::Relaxed) % self.shared.workers.len();
        let worker = &self.shared.workers[owner];
        let full = || Exhausted { limit: "calls", value: self.shared.calls_max as u64 };
        let ticket = Ticket::take(&self.shared.calls, self.shared.calls_max).ok_or_else(full)?;
        // Each worker has a row for every call that the node may have, and closed ones that it has not seen closed.
        let writer = self.shared.table.open(owner, settings.participants_max).map_err(|_| full())?;
        let row = writer.row();
        let (status, reader) = StatusWords::new();
        let floor_ssrc = self.shared.ssrcs.assign(row);
        let opening = Opening { row, id, settings: settings.for_core(), floor_ssrc, status };
        let call = CallShared {
            row,
            ports: worker.ports,
            floor_ssrc,
            letterbox: worker.letterbox.clone(),
            status: reader,
            clock: self.shared.clock,
            ssrcs: Arc::clone(&self.shared.ssrcs),
            writer: Mutex::new(Some((writer, ticket))),
        };
        call.letterbox.send(Mail::Open(Box::new(opening)))?;
        Ok(Call { shared: Arc::new(call) })
    }

    /// Every counter and gauge of the workers, summed, in a stable order.
    pub fn metrics(&self) -> Vec<metrics::Metric> {
        let workers = self.shared.workers.iter().map(|worker| (&*worker.counters, worker.letterbox.len()));
        metrics::collect(workers)
    }

    /// Named limits of the media plane: name, value, counter that counts refusals.
    pub fn limits(&self) -> Vec<metrics::Limit> {
        vec![
            metrics::Limit { name: "calls", value: self.shared.calls_max as u64, counter: "refused_total" },
            metrics::Limit { name: "events", value: EVENTS_MAX as u64, counter: "events_lost_total" },
            metrics::Limit { name: "worker.mail", value: MAIL_MAX as u64, counter: "refused_total" },
            metrics::Limit {
                name: "floor.messages_per_s",
                value: u64::from(worker::FLOOR_MESSAGES_PER_S),
                counter: "floor_messages_dropped_total",
            },
        ]
    }

    /// What a clock on the wall showed at `time`.
    pub fn wall_clock(&self, time: Time) -> SystemTime {
        self.shared.clock.wall(time)
    }

    /// The present on the clock that facts speak of.
    pub fn now(&self) -> Time {
        self.shared.clock.now()
    }

    /// Ends every worker and waits for its thread.
    pub fn stop(&self) {
        self.shared.stop();
    }
}

impl Shared {
    fn stop(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in self.workers.iter().take(threads.len()) {
            while worker.letterbox.send(Mail::Stop).is_err() {
                std::thread::yield_now();
            }
        }
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a worker panicked; its calls are lost");
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Relay({} workers)", self.shared.workers.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_gives_back_its_ssrcs_however_it_ends() {
        let config = Config { media: "127.0.0.1:0".parse().unwrap(), workers: 1, calls_max: 2 };
        let relay = Relay::start(config).expect("loopback is there").0;
        let used = || relay.shared.ssrcs.len();
        let open = || relay.open_call(Arc::from("call"), CallSettings::default());
        let (closed, dropped) = (open().unwrap(), open().unwrap());
        closed.assign_ssrc();
        assert_eq!(used(), 3);
        closed.close().await.unwrap();
        assert_eq!(used(), 1);
        drop(dropped);
        assert_eq!(used(), 0);
        // Nobody reads the mail any more: once it is full no call is opened, and nothing stays behind.
        let last = open().unwrap();
        relay.stop();
        while last.configure(&CallSettings::default()).is_ok() {}
        assert_eq!(open().unwrap_err().limit, "worker.mail");
        assert_eq!(used(), 1);
    }
}
