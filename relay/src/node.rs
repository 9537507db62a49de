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

use relay_core::{
    Time, TrunkId,
    call::{Home, Span},
    roster::Participant,
    trunk::{link::Limits as LinkLimits, wire::Letter},
};
use relay_table::{Limits, Table, table};
use tokio::sync::{mpsc, watch};

use crate::{
    Call, CallSettings, Config, Event, Exhausted, Subscription, TrunkEvent,
    allotment::{SSRCS_MAX, Ssrcs, Ticket},
    call::Shared as CallShared,
    clock::Clock,
    event::EVENTS_MAX,
    exchange::{Exchange, LetterError, Place},
    mail::{CARRIED_MAX, Joined, Letterbox, MAIL_MAX, Mail, Opening},
    metrics::{self, Counters},
    status::StatusWords,
    trunk::{Fault, PartnerError, TrunkConfig, TrunkError, Trunks},
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
    exchange: Arc<Exchange>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Worker {
    ports: Ports,
    letterbox: Letterbox,
    counters: Arc<Counters>,
}

/// The home of a group that another system defines.
#[derive(Clone, Copy, Debug)]
pub struct PartnerCall<'a> {
    /// MC system id of the home.
    pub system: &'a str,
    /// The group.
    pub group: &'a str,
    /// Whether the home starts a call if none runs.
    pub start: bool,
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
        let exchange = Arc::new(Exchange::new(clock));
        let sockets: Vec<Sockets> =
            (0..config.workers).map(|worker| Sockets::open(&config, worker)).collect::<Result<_, _>>()?;
        let rtp: Vec<_> = sockets.iter().map(|sockets| &sockets.rtp).collect();
        let desks = worker::desks(&rtp).map_err(|source| StartError::Thread { worker: 0, source })?;
        let (mut workers, mut threads) = (Vec::new(), Vec::new());
        for (number, ((desk, sockets), reader)) in desks.into_iter().zip(sockets).zip(readers).enumerate() {
            let counters = Arc::new(Counters::default());
            let ports = sockets.ports();
            let outward = (events.clone(), Arc::clone(&exchange));
            let letterbox = desk.letterbox();
            let started = worker::start(number, (desk, sockets), reader, clock, Arc::clone(&counters), outward);
            let thread = started.map_err(|source| StartError::Thread { worker: number, source })?;
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
            exchange,
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
        self.open(id, settings, None)
    }

    /// Opens a call of a group that another system defines: it mirrors the home's call, and is ready once the home has taken
    /// it in ([`Call::joined`]). Fails as `open_call` does; `None`: there is no such partner.
    pub fn open_partner_call(
        &self,
        id: Arc<str>,
        settings: CallSettings,
        home: PartnerCall<'_>,
    ) -> Result<Option<Call>, Exhausted> {
        let Some(trunk) = self.shared.exchange.trunk_to(home.system) else { return Ok(None) };
        let home = Home { trunk, group: home.group.into(), start: home.start };
        self.open(id, settings, Some(home)).map(Some)
    }

    fn open(&self, id: Arc<str>, settings: CallSettings, home: Option<Home>) -> Result<Call, Exhausted> {
        // Owners in turn: a call's load is not known before anybody talks.
        let owner = self.shared.next_worker.fetch_add(1, Ordering::Relaxed) % self.shared.workers.len();
        let worker = &self.shared.workers[owner];
        let full = || Exhausted { limit: "calls", value: self.shared.calls_max as u64 };
        let ticket = Ticket::take(&self.shared.calls, self.shared.calls_max).ok_or_else(full)?;
        // Each worker has a row for every call that the node may have, and closed ones that it has not seen closed.
        let writer = self.shared.table.open(owner, settings.participants_max).map_err(|_| full())?;
        let row = writer.row();
        let (status, reader) = StatusWords::new();
        let floor_ssrc = self.shared.ssrcs.assign(row, None)?;
        let exchange = &self.shared.exchange;
        let trunk = home.as_ref().map(|home| home.trunk);
        let span = exchange.place().map(|Place { flow, generation, range }| Span { flow, generation, range, home });
        let flow = span.as_ref().map(|span| span.flow);
        let waits = if trunk.is_some() { Joined::Waiting } else { Joined::Ready(exchange.range()) };
        let (joined, joins) = watch::channel(waits);
        let joined = trunk.map(|_| joined);
        let urgent = settings.urgent;
        let settings = settings.for_core();
        let opening = Opening { row, id, settings, urgent, floor_ssrc, status, span, joined };
        let call = CallShared {
            row,
            flow,
            joins,
            ports: worker.ports,
            floor_ssrc,
            letterbox: worker.letterbox.clone(),
            status: reader,
            clock: self.shared.clock,
            ssrcs: Arc::clone(&self.shared.ssrcs),
            writer: Mutex::new(Some((writer, ticket))),
        };
        if let Some(flow) = flow {
            exchange.open(flow, row, worker.letterbox.clone(), trunk);
        }
        if let Err(full) = call.letterbox.send(Mail::Open(Box::new(opening))) {
            if let Some(flow) = flow {
                exchange.close(flow);
            }
            return Err(full);
        }
        Ok(Call { shared: Arc::new(call) })
    }

    /// Lets the node take part in calls that span systems: opens the trunks' side, before any call. What control has to decide
    /// comes out of the receiver; it must be drained.
    ///
    /// # Errors
    /// A file is missing, wrong or out of date, or the address is taken.
    pub fn span(&self, config: &TrunkConfig) -> Result<mpsc::Receiver<TrunkEvent>, TrunkError> {
        let range = self.shared.ssrcs.confine();
        self.shared.exchange.span(config, range)
    }

    /// Where partners reach this system; `None`: it has no trunks.
    pub fn trunk_addr(&self) -> Option<SocketAddr> {
        self.shared.exchange.trunks().map(Trunks::local_addr)
    }

    /// Takes a system as partner, or changes what is known of it. With an address it is dialled, for ever.
    ///
    /// # Errors
    /// It cannot be named by a certificate, is this system, there are too many, or this node has no trunks.
    pub fn put_partner(
        &self,
        system: &str,
        address: Option<SocketAddr>,
        limits: LinkLimits,
    ) -> Result<TrunkId, PartnerError> {
        self.shared.exchange.put_partner(system, address, limits)
    }

    /// Gives a partner up; its trunk is closed at once.
    pub fn remove_partner(&self, system: &str) {
        self.shared.exchange.remove_partner(system);
    }

    /// The partner at the other end of a trunk, while it is one.
    pub fn system_of(&self, trunk: TrunkId) -> Option<Arc<str>> {
        self.shared.exchange.system_of(trunk)
    }

    /// Whether the trunk to a partner can be used.
    pub fn is_up(&self, system: &str) -> bool {
        let exchange = &self.shared.exchange;
        exchange.trunk_to(system).is_some_and(|trunk| exchange.is_ready(trunk))
    }

    /// Writes to a partner's control plane.
    ///
    /// # Errors
    /// The trunk is down, too much waits, or a field is outside its domain.
    pub fn write(&self, system: &str, letter: &Letter) -> Result<(), LetterError> {
        self.shared.exchange.write(system, letter)
    }

    /// Ends the trunk to a partner, which hears why; it is dialled again.
    pub fn end_trunk(&self, system: &str, cause: &'static str, detail: &str) {
        self.shared.exchange.end(system, cause, detail.to_owned());
    }

    /// Answers a partner's subscription: with the call, or with a word from the cause table and a sentence.
    pub fn answer(&self, subscription: Subscription, call: Result<&Call, (String, String)>) {
        let unspanned = || (String::from("internal"), String::from("the call was opened before the trunks"));
        let flow = call.and_then(|call| call.shared.flow.ok_or_else(unspanned));
        self.shared.exchange.answer(subscription, flow);
    }

    /// For tests and exercises: makes the network towards a partner bad, or good again.
    pub fn fault(&self, system: &str, fault: Fault) {
        let exchange = &self.shared.exchange;
        if let (Some(trunks), Some(trunk)) = (exchange.trunks(), exchange.trunk_to(system)) {
            trunks.fault(trunk, fault);
        }
    }

    /// Every counter and gauge of the media plane, in a stable order.
    pub fn metrics(&self) -> Vec<metrics::Metric> {
        let workers = self.shared.workers.iter().map(|worker| (&*worker.counters, worker.letterbox.len()));
        let mut all = metrics::collect(workers);
        all.extend(self.shared.exchange.metrics());
        all
    }

    /// Named limits of the media plane: name, value, counter that counts refusals.
    pub fn limits(&self) -> Vec<metrics::Limit> {
        let limit = |name, value: usize, counter| metrics::Limit { name, value: value as u64, counter };
        let mut all = vec![
            limit("calls", self.shared.calls_max, "refused_total"),
            limit("events", EVENTS_MAX, "events_lost_total"),
            limit("worker.mail", MAIL_MAX, "refused_total"),
            limit("worker.trunk_packets", CARRIED_MAX, "trunk_packets_shed_total"),
            limit("worker.slice_mail", worker::SLICE_MAIL_MAX, "deliveries_lost_total"),
            limit("worker.slice_packets", worker::SLICE_PACKETS_MAX, "deliveries_lost_total"),
            limit("ssrcs", SSRCS_MAX, "refused_total"),
            limit("floor.messages_per_s", worker::FLOOR_MESSAGES_PER_S as usize, "floor_messages_dropped_total"),
        ];
        all.extend(self.shared.exchange.limits());
        all
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
        self.exchange.stop();
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
        closed.assign_ssrc().unwrap();
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
