//! What the tasks of the trunks' thread share: the endpoint, the partners, and where arrivals go.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, RwLock, atomic::AtomicU32},
    time::{Duration, Instant},
};

use quinn::{ClientConfig, Endpoint, EndpointConfig, Runtime as _, TokioRuntime};
use relay_core::TrunkId;
use socket2::{Domain, Protocol, Type};
use tokio::{sync::watch, time::timeout};

use super::{
    Arrival,
    count::Counters,
    identity::Identity,
    line::Line,
    refusal::{Refusal, Reports, code},
    socket::FaultySocket,
    welcome::welcome,
};

/// What the trunks' socket asks the kernel for, both ways: a second of a busy node. Granting less is no error.
const SOCKET_OCTETS: usize = 8 << 20;
/// How long closing waits for the partners to hear of it.
const FAREWELL: Duration = Duration::from_secs(1);

pub(crate) struct Shared {
    pub(crate) system: Arc<str>,
    /// Taken when all stop, so that the address is free then, whoever still has the handle.
    wire: RwLock<Option<Wire>>,
    pub(crate) dialling: ClientConfig,
    pub(crate) incoming: Box<dyn Fn(Arrival) + Send + Sync>,
    pub(crate) counters: Arc<Counters>,
    reports: Mutex<Reports<(&'static str, Option<String>)>>,
    pub(crate) partners: RwLock<BTreeMap<TrunkId, Partner>>,
    pub(crate) next: AtomicU32,
}

/// The way to the network.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) endpoint: Endpoint,
    pub(crate) socket: Arc<FaultySocket>,
}

pub(crate) struct Partner {
    pub(crate) line: Arc<Line>,
    pub(crate) task: tokio::task::JoinHandle<()>,
}

impl Shared {
    pub(crate) fn new(
        system: &str,
        (wire, counters): (Wire, Arc<Counters>),
        dialling: ClientConfig,
        incoming: Box<dyn Fn(Arrival) + Send + Sync>,
    ) -> Shared {
        Shared {
            system: Arc::from(system),
            wire: RwLock::new(Some(wire)),
            dialling,
            incoming,
            counters,
            reports: Mutex::default(),
            partners: RwLock::default(),
            next: AtomicU32::new(1),
        }
    }

    /// `None` when all have stopped.
    pub(crate) fn wire(&self) -> Option<Wire> {
        self.wire.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn line(&self, trunk: TrunkId) -> Option<Arc<Line>> {
        let partners = self.partners.read().unwrap_or_else(PoisonError::into_inner);
        partners.get(&trunk).map(|partner| Arc::clone(&partner.line))
    }

    pub(crate) fn line_of(&self, system: &str) -> Option<Arc<Line>> {
        let partners = self.partners.read().unwrap_or_else(PoisonError::into_inner);
        let partner = partners.values().find(|partner| *partner.line.system == *system);
        partner.map(|partner| Arc::clone(&partner.line))
    }

    /// Counts a refusal, and tells it unless the same was told within a minute. `partner`: the configured one, if it is one's.
    pub(crate) fn refuse(&self, system: Option<&str>, partner: Option<&str>, refusal: &Refusal) {
        self.counters.refuse(refusal.cause);
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        if !reports.admit((refusal.cause, partner.map(str::to_owned)), Instant::now()) {
            return;
        }
        drop(reports);
        let (system, detail) = (system.map(str::to_owned), refusal.detail.clone());
        (self.incoming)(Arrival::Refused { system, cause: refusal.cause, detail });
    }
}

/// Binds the address, within a runtime.
pub(crate) fn open(address: SocketAddr, identity: &Identity) -> io::Result<(Wire, Arc<Counters>)> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    for granted in [socket.set_recv_buffer_size(SOCKET_OCTETS), socket.set_send_buffer_size(SOCKET_OCTETS)] {
        if let Err(error) = granted {
            tracing::debug!(%error, "the trunks' socket keeps its size");
        }
    }
    let counters = Arc::<Counters>::default();
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    let socket = FaultySocket::new(TokioRuntime.wrap_udp_socket(socket.into())?, Arc::clone(&counters));
    let endpoint = Endpoint::new_with_abstract_socket(
        EndpointConfig::default(),
        Some(identity.accepting.clone()),
        Arc::<FaultySocket>::clone(&socket),
        Arc::new(TokioRuntime),
    )?;
    Ok((Wire { endpoint, socket }, counters))
}

/// The trunks' thread: until it is told to stop, and every trunk is down.
pub(crate) async fn run(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let welcoming = tokio::spawn(welcome(Arc::clone(&shared)));
    // Whoever could tell it is gone, too, if this fails.
    let _told = stop.wait_for(|stop| *stop).await;
    welcoming.abort();
    let partners = std::mem::take(&mut *shared.partners.write().unwrap_or_else(PoisonError::into_inner));
    for partner in partners.values() {
        partner.line.gone.send_replace(Some("stopping"));
    }
    for (_, partner) in partners {
        // A panic there was printed when it happened.
        let _panicked = partner.task.await;
    }
    let wire = shared.wire.write().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(wire) = wire {
        wire.endpoint.close(code::NO_ERROR, b"stopping");
        let _all_know = timeout(FAREWELL, wire.endpoint.wait_idle()).await;
    }
}
