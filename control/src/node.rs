//! One node: the media plane, the registry and the HTTP face in one process, from start to end.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use control_core::{Cause, system::System};
use relay::{Event, Relay};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinHandle,
};

use crate::{
    http::{self, Face},
    mobility::{LogOnly, Memory, Mobility, NoTrunk, Outside},
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
        let media = relay::Config { media: config.media, workers: config.workers, calls_max: CALLS_MAX };
        let (relay, events) = Relay::start(media)?;
        let registry = Arc::new(Registry::new(relay));
        let outside = Outside { store: Arc::new(Memory), partners: Arc::new(NoTrunk), trail: Arc::new(LogOnly) };
        let machine = System::new(&config.system);
        let (mobility, engine) = Mobility::start(Arc::clone(&registry), machine, false, outside);
        let face = Arc::new(Face::new(config.system, Arc::clone(&registry), mobility));
        let (stop, stopping) = watch::channel(false);
        let tasks = vec![
            tokio::spawn(http::serve(socket, Arc::clone(&face), stopping)),
            tokio::spawn(follow(events, registry)),
            engine,
        ];
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
        if tokio::task::spawn_blocking(move || relay.stop()).await.is_err() {
            tracing::error!("the media plane did not stop");
        }
    }
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
                Ok(call) => registry.expire(&call, slot, entry).await,
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
