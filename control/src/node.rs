//! One node: the media plane, the registry and the HTTP face in one process, from start to end.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use control_core::{Cause, system::Input};
use relay::{
    Event, Relay, TrunkEvent,
    trunk::{Fault, TrunkError},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinHandle,
};

use crate::{
    http::{self, Face},
    keeping::{Keeping, KeepingError, Kept},
    mobility::{Mobility, NoTrunk, Outside, Partners},
    partners::{Follower, Trunks},
    registry::Registry,
};

/// Calls that may run at once on a node.
pub const CALLS_MAX: usize = 16_384;

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// MC system id.
    pub system: String,
    /// HTTP address; port 0: any free one.
    pub http: SocketAddr,
    /// Base media address; port 0: every socket gets a free one.
    pub media: SocketAddr,
    /// Number of workers.
    pub workers: usize,
    /// Directory for what must survive a restart.
    pub data: PathBuf,
    /// How partner systems are reached; `None`: this system has no trunk.
    pub trunk: Option<TrunkConfig>,
}

/// The end of this system's trunks. Files are PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkConfig {
    /// Address of the trunk (UDP); port 0: any free one.
    pub address: SocketAddr,
    /// Certificate of this system; its one dNSName is the MC system id.
    pub certificate: PathBuf,
    /// Private key of the certificate.
    pub key: PathBuf,
    /// Certificates of the authorities that certify partners.
    pub ca: PathBuf,
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The media plane did not start.
    #[error(transparent)]
    Media(#[from] relay::StartError),
    /// The data directory is of no use.
    #[error(transparent)]
    Data(#[from] KeepingError),
    /// A stored group is not what this build takes.
    #[error("group {group} in the data directory is refused: {reason}; start the build that wrote it")]
    Group {
        /// Which.
        group: String,
        /// Why.
        reason: String,
    },
    /// The trunks did not start.
    #[error(transparent)]
    Trunk(#[from] TrunkError),
    /// The HTTP address is taken, or not ours.
    #[error("HTTP address {address} not bound: {source}; choose another --http address or stop what uses it")]
    Http {
        /// Which address.
        address: SocketAddr,
        /// What the kernel said.
        source: std::io::Error,
    },
}

/// A running node.
pub struct Node {
    http: SocketAddr,
    face: Arc<Face>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Node {
    /// Starts everything; when this returns the node serves.
    pub async fn start(config: Config) -> Result<Node, StartError> {
        let bind = |source| StartError::Http { address: config.http, source };
        let socket = TcpListener::bind(config.http).await.map_err(bind)?;
        let http = socket.local_addr().map_err(bind)?;
        let (keeping, kept) = Keeping::open(&config.data, &config.system)?;
        let media = relay::Config { media: config.media, workers: config.workers, calls_max: CALLS_MAX };
        let (relay, events) = Relay::start(media)?;
        let trunk_events = config.trunk.as_ref().map(|trunk| open_trunks(&relay, &config.system, trunk)).transpose()?;
        let partners: Arc<dyn Partners> = match trunk_events {
            Some(_) => Arc::new(Trunks(relay.clone())),
            None => Arc::new(NoTrunk),
        };
        let registry = Arc::new(Registry::new(relay));
        let outside = Outside { store: keeping.clone(), partners, trail: keeping.clone() };
        let Kept { mut machine, in_use, groups } = kept;
        for (group, document, revision) in groups {
            let restored = registry.restore_group(&group, document, revision);
            let stored =
                restored.map_err(|refused| StartError::Group { group: group.clone(), reason: refused.detail })?;
            machine.handle(Input::Group { group, document: Some(stored.group) }, registry.relay.now());
        }
        // What was stored takes effect: partners are dialled, and what was half done is undone.
        machine.handle(Input::Timer, registry.relay.now());
        let (mobility, engine) = Mobility::start(Arc::clone(&registry), machine, in_use, outside);
        let mut tasks = vec![tokio::spawn(follow(events, Arc::clone(&registry))), engine];
        if let Some(events) = trunk_events {
            let follower = Follower::new(Arc::clone(&registry), Arc::clone(&mobility), keeping.clone());
            tasks.push(tokio::spawn(follower.run(events)));
        }
        let face = Arc::new(Face::new(config.system, registry, mobility, keeping));
        let (stop, stopping) = watch::channel(false);
        tasks.insert(0, tokio::spawn(http::serve(socket, Arc::clone(&face), stopping)));
        Ok(Node { http, face, stop, tasks })
    }

    /// Where HTTP is served.
    pub fn http_addr(&self) -> SocketAddr {
        self.http
    }

    /// Where media is served, by worker.
    pub fn media_addrs(&self) -> Vec<SocketAddr> {
        self.face.registry.relay.ports().iter().map(|ports| ports.rtp).collect()
    }

    /// Where partners reach this system; `None`: it has no trunks.
    pub fn trunk_addr(&self) -> Option<SocketAddr> {
        self.face.registry.relay.trunk_addr()
    }

    /// For tests and exercises: makes the network towards a partner bad, or good again.
    pub fn fault(&self, system: &str, fault: Fault) {
        self.face.registry.relay.fault(system, fault);
    }

    /// Calls that run.
    pub fn calls(&self) -> usize {
        self.face.registry.calls_len()
    }

    /// Takes nothing new, lets running calls go on until none runs or `timeout` is over, then releases them.
    pub async fn drain(&self, timeout: Duration) {
        self.face.drain();
        tracing::info!("draining: {} calls may go on for {timeout:?}; a second signal ends at once", self.calls());
        let emptied = async {
            // A call ends by its own timers; looking ten times a second is soon enough for an operator.
            while self.calls() > 0 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        if tokio::time::timeout(timeout, emptied).await.is_err() {
            for call in self.face.registry.calls_after(None) {
                if let Err(refused) = self.face.registry.end(&call).await {
                    tracing::warn!("call {} not released: {}; its owner is stopped anyway", call.id, refused.detail);
                }
            }
        }
    }

    /// Ends the node: HTTP first, then the workers.
    pub async fn stop(self) {
        // Nobody listens any more if the task has ended by itself.
        _ = self.stop.send(true);
        for task in self.tasks {
            task.abort();
            _ = task.await;
        }
        let relay = self.face.registry.relay.clone();
        let keeping = Arc::clone(&self.face.keeping);
        let stopped = tokio::task::spawn_blocking(move || {
            relay.stop();
            keeping.stop();
        });
        if stopped.await.is_err() {
            tracing::error!("the media plane did not stop");
        }
    }
}

fn open_trunks(relay: &Relay, system: &str, trunk: &TrunkConfig) -> Result<mpsc::Receiver<TrunkEvent>, TrunkError> {
    let TrunkConfig { address, certificate, key, ca } = trunk.clone();
    relay.span(&relay::trunk::TrunkConfig { system: system.to_owned(), address, certificate, key, ca })
}

/// Follows what the media plane reports.
async fn follow(mut events: mpsc::Receiver<Event>, registry: Arc<Registry>) {
    while let Some(event) = events.recv().await {
        match event {
            Event::Inactive { call, epoch } => {
                let Ok(call) = registry.call(&call) else { continue };
                if let Err(refused) = registry.end_at(&call, epoch).await {
                    tracing::warn!("call {} not released after its hang time: {}", call.id, refused.detail);
                }
            }
            Event::LegExpired { call, slot, entry } => match registry.call(&call) {
                Ok(call) => _ = registry.expire(&call, slot, entry).await,
                Err(refused) => debug_assert!(matches!(refused.cause, Cause::CallEnded | Cause::NoSuchCall)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use control_core::group::{Group, Model};

    use super::*;

    fn group() -> Group {
        Group { open: true, ..Group::new(Model::Chat) }
    }

    /// A hang time that ran out before somebody entered releases nothing.
    #[tokio::test]
    async fn inactivity_counts_only_at_the_epoch_at_which_it_was_seen() {
        let media = "127.0.0.1:0".parse().expect("an address");
        let (relay, _) = Relay::start(relay::Config { media, workers: 1, calls_max: 4 }).expect("loopback is there");
        let registry = Arc::new(Registry::new(relay.clone()));
        registry.put_group("fire", group()).await.expect("a right document");
        let (call, is_new) = registry.call_to_enter("fire", None).expect("a call");
        assert!(is_new);
        let seen = call.media.epoch();
        let report = |epoch| Event::Inactive { call: Arc::from(call.id.as_str()), epoch };
        for (epoch, runs) in [(seen.wrapping_sub(1), true), (seen + 1, true), (seen, false)] {
            let (tell, events) = mpsc::channel(1);
            tell.send(report(epoch)).await.expect("somebody follows");
            drop(tell);
            follow(events, Arc::clone(&registry)).await;
            assert_eq!(registry.call(&call.id).is_ok(), runs, "reported at {epoch}, the roster is at {seen}");
        }
        tokio::task::spawn_blocking(move || relay.stop()).await.expect("the relay stops");
    }
}
