//! The media plane of a node: pinned workers, their UDP sockets, and one owner for every call.
//!
//! It refuses to know: HTTP, groups, users' rights, the store. It executes what `relay-core` decides.

pub mod call;
pub mod config;
pub mod event;
pub mod metrics;

pub use call::{Call, Entered, FloorAction, FloorAnswer, FloorResult, ParticipantFacts, Status};
pub use config::{CallSettings, Config};
pub use event::Event;

use std::{net::SocketAddr, sync::Arc};

use tokio::sync::mpsc;

/// The running media plane. Cheap to clone; the workers end when `stop` is called.
#[derive(Clone, Debug)]
pub struct Relay {
    shared: Arc<()>,
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
}

/// A limit of ours is reached: which one, and its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{limit} is full at {value}; raise it or wait")]
pub struct Exhausted {
    /// Name of the limit, as `GET /v1/system` lists it.
    pub limit: &'static str,
    /// Its value.
    pub value: u64,
}

impl Relay {
    /// Opens the sockets and starts the workers. Events of calls come out of the receiver; it must be drained.
    pub fn start(_config: Config) -> Result<(Relay, mpsc::UnboundedReceiver<Event>), StartError> {
        unimplemented!()
    }

    /// The sockets of every worker, in worker order.
    pub fn ports(&self) -> Vec<Ports> {
        unimplemented!()
    }

    /// Opens a call without participants and chooses its owner. Fails when the node's `calls` limit is reached.
    pub fn open_call(&self, _id: Arc<str>, _settings: CallSettings) -> Result<Call, Exhausted> {
        unimplemented!()
    }

    /// Every counter and gauge of the workers, summed, in a stable order.
    pub fn metrics(&self) -> Vec<metrics::Metric> {
        unimplemented!()
    }

    /// Named limits of the media plane: name, value, counter that counts refusals.
    pub fn limits(&self) -> Vec<metrics::Limit> {
        unimplemented!()
    }

    /// Ends every worker and waits for its thread.
    pub fn stop(&self) {
        unimplemented!()
    }
}
