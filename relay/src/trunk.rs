//! The network side of trunks: one QUIC connection per partner system, TLS certificates on both sides.
//!
//! It refuses to know: calls, participants, what frames and letters say. It moves octets, whole and in order, says when a trunk
//! is up or down, and refuses whoever is not a partner. Everything runs on one thread, "trunks".

mod count;
mod identity;
mod keeper;
mod line;
mod link;
mod network;
mod refusal;
mod socket;
#[cfg(test)]
mod tests;
mod transport;
mod welcome;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use relay_core::TrunkId;
pub use relay_core::trunk::stream::{MESSAGE_OCTETS_MAX, PACKET_OCTETS_MAX};
use tokio::{runtime, sync::watch};

pub use identity::{ALPN, TrunkConfig, TrunkError, can_be_named};
pub use line::{BACKFILL_PACKETS_MAX, BACKFILLS_MAX, BackfillSender, CANDIDATES_MAX, FRAMES_MAX, MEDIA_MAX};
pub use refusal::CAUSES;
pub use socket::{FAULT_HELD_MAX, Fault};
pub use welcome::HANDSHAKES_MAX;

use crate::{
    Exhausted,
    metrics::{Limit, Metric},
};
use identity::Identity;
use line::{Kind, Line};
use network::{Partner, Shared, open, run};
pub(crate) use refusal::Reports;

/// Partners of one system (`trunk.partners`).
pub const PARTNERS_MAX: usize = 256;
/// What a trunk brings. Arrivals of one trunk come in order, between its `Up` and its `Down`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The partner is connected, and can be sent to.
    Up {
        /// Which trunk.
        trunk: TrunkId,
        /// The partner.
        system: Arc<str>,
    },
    /// The partner is not connected any more; what was queued for it is lost.
    Down {
        /// Which trunk.
        trunk: TrunkId,
        /// The partner.
        system: Arc<str>,
        /// One sentence or word.
        why: Arc<str>,
    },
    /// A message for the relay, without its length.
    Frame {
        /// Which trunk.
        trunk: TrunkId,
        /// A `Frame` of `docs/proto/trunk.proto`, unparsed.
        bytes: Bytes,
    },
    /// A message for the control plane, without its length.
    Letter {
        /// Which trunk.
        trunk: TrunkId,
        /// A `Letter` of `docs/proto/trunk.proto`, unparsed.
        bytes: Bytes,
    },
    /// A datagram: flow, then an RTP packet; unparsed.
    Media {
        /// Which trunk.
        trunk: TrunkId,
        /// What came.
        datagram: Bytes,
    },
    /// A packet of a backfill, or its end. A backfill that the partner gives up ends, too.
    Backfill {
        /// Which trunk.
        trunk: TrunkId,
        /// Number of the stream, unique while the trunk is up.
        stream: u64,
        /// What the stream began with.
        flow: u32,
        /// One RTP packet; `None`: nothing follows.
        bytes: Option<Bytes>,
    },
    /// A connection did not become a trunk. Told once per minute, cause and partner; counted every time.
    Refused {
        /// The other system, if it is known.
        system: Option<String>,
        /// One of [`CAUSES`].
        cause: &'static str,
        /// One sentence.
        detail: String,
    },
}

/// A partner cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartnerError {
    /// No certificate can name it.
    #[error("{0} is no DNS name, and a partner is known by the dNSName of its certificate; give it such an id")]
    NoDnsName(String),
    /// This node was started without trunks.
    #[error("this node has no trunks; start it with --trunk, --trunk-cert, --trunk-key and --trunk-ca")]
    NoTrunks,
    /// It is this system.
    #[error("{0} is this system; a partner is another one")]
    Own(String),
    /// There are too many.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
}

/// All trunks of a node. Every method can be called from every thread; none waits for the network, but `stop`.
pub struct Trunks {
    shared: Arc<Shared>,
    address: SocketAddr,
    runtime: runtime::Handle,
    stop: watch::Sender<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Trunks {
    /// Reads the files, binds the address and waits for partners, of which there are none yet. `incoming` is called on the
    /// trunks' thread for everything that arrives: it must not block.
    ///
    /// # Errors
    /// A file is missing, holds something else, does not fit or is out of date; the address is taken.
    pub fn start(
        config: &TrunkConfig,
        incoming: impl Fn(Arrival) + Send + Sync + 'static,
    ) -> Result<Trunks, TrunkError> {
        Trunks::start_as(config, Identity::load(config)?, incoming)
    }

    fn start_as(
        config: &TrunkConfig,
        identity: Identity,
        incoming: impl Fn(Arrival) + Send + Sync + 'static,
    ) -> Result<Trunks, TrunkError> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(TrunkError::Thread)?;
        let bind = |error| TrunkError::Bind { address: config.address, error };
        let opened = {
            let _within = runtime.enter();
            open(config.address, &identity).and_then(|opened| Ok((opened.0.endpoint.local_addr()?, opened)))
        };
        let (address, (wire, counters)) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                // Whoever starts us may stand in a runtime of its own, where this one must not wait for its end.
                runtime.shutdown_background();
                return Err(bind(error));
            }
        };
        let incoming = Box::new(incoming);
        let shared = Arc::new(Shared::new(&config.system, (wire, counters), identity.dialling, incoming));
        let (stop, stopped) = watch::channel(false);
        let handle = runtime.handle().clone();
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name(String::from("trunks"));
        let thread = thread.spawn(move || runtime.block_on(run(own, stopped))).map_err(TrunkError::Thread)?;
        Ok(Trunks { shared, address, runtime: handle, stop, thread: Mutex::new(Some(thread)) })
    }

    /// Runs something beside the trunks, on their thread, until they end.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }

    /// Where partners reach this system.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Takes a system as partner, or changes its address. With an address it is dialled, for ever; without, it has to dial.
    ///
    /// # Errors
    /// It cannot be named by a certificate, is this system, or there are [`PARTNERS_MAX`].
    pub fn put_partner(&self, system: &str, address: Option<SocketAddr>) -> Result<TrunkId, PartnerError> {
        if !identity::can_be_named(system) {
            return Err(PartnerError::NoDnsName(system.to_owned()));
        }
        if system == &*self.shared.system {
            return Err(PartnerError::Own(system.to_owned()));
        }
        let mut partners = self.shared.partners.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(partner) = partners.values().find(|partner| *partner.line.system == *system) {
            partner.line.address.send_if_modified(|old| std::mem::replace(old, address) != address);
            return Ok(partner.line.id);
        }
        if partners.len() >= PARTNERS_MAX {
            self.shared.counters.partners_shed.add(1);
            return Err(Exhausted { limit: "trunk.partners", value: PARTNERS_MAX as u64 }.into());
        }
        let id = TrunkId(self.shared.next.fetch_add(1, Ordering::Relaxed));
        let (line, candidates) = Line::new(id, Arc::from(system), address);
        let line = Arc::new(line);
        let task = self.runtime.spawn(keeper::keep(Arc::clone(&self.shared), Arc::clone(&line), candidates));
        partners.insert(id, Partner { line, task });
        Ok(id)
    }

    /// Gives a partner up: its trunk goes down now, and nothing of it is accepted any more. Its number is not used again.
    pub fn remove_partner(&self, system: &str) {
        let mut partners = self.shared.partners.write().unwrap_or_else(PoisonError::into_inner);
        partners.retain(|_, partner| {
            let stays = *partner.line.system != *system;
            if !stays {
                partner.line.gone.send_replace(Some("removed"));
            }
            stays
        });
    }

    /// Queues a frame. To a trunk that is not up it goes nowhere, is counted, and `Down` has said so.
    ///
    /// # Errors
    /// `trunk.frames`: too many wait, and the trunk is closed as "slow": nothing may be lacking in between.
    /// `trunk.message_octets`: it is longer than [`MESSAGE_OCTETS_MAX`], and not sent.
    pub fn frame(&self, trunk: TrunkId, frame: Bytes) -> Result<(), Exhausted> {
        self.message(trunk, Kind::Frame, frame)
    }

    /// Queues a letter, otherwise as [`Trunks::frame`].
    ///
    /// # Errors
    /// As [`Trunks::frame`].
    pub fn letter(&self, trunk: TrunkId, letter: Bytes) -> Result<(), Exhausted> {
        self.message(trunk, Kind::Letter, letter)
    }

    /// Queues a datagram: flow, then an RTP packet. Never waits; what does not fit is counted. What is queued before the
    /// trunks' thread turns to it shares a packet.
    pub fn media(&self, trunk: TrunkId, datagram: Bytes) {
        match self.shared.line(trunk) {
            Some(line) => line.push_media(datagram, &self.shared.counters),
            None => self.shared.counters.media_down.add(1),
        }
    }

    /// Begins a backfill: a stream of its own for `flow`.
    pub fn backfill(&self, trunk: TrunkId, flow: u32) -> BackfillSender {
        BackfillSender::begin(self.shared.line(trunk).as_deref(), flow, &self.shared.counters)
    }

    /// Closes the trunk after what is queued was delivered, at most a second later; the partner hears the cause. It is dialled
    /// again.
    pub fn close(&self, trunk: TrunkId, cause: &str) {
        if let Some(line) = self.shared.line(trunk) {
            line.close(cause);
        }
    }

    /// The measured round trip of a trunk that is up.
    pub fn round_trip(&self, trunk: TrunkId) -> Option<Duration> {
        self.shared.line(trunk)?.round_trip()
    }

    /// What trunks count.
    pub fn counters(&self) -> Vec<Metric> {
        self.shared.counters.rows()
    }

    /// The limits of trunks, named.
    pub fn limits() -> Vec<Limit> {
        let limit = |name, value: usize, counter| Limit { name, value: value as u64, counter };
        vec![
            limit("trunk.frames", FRAMES_MAX, "trunk_slow_total"),
            limit("trunk.media", MEDIA_MAX, "trunk_media_dropped_total"),
            limit("trunk.backfills", BACKFILLS_MAX, "trunk_backfills_shed_total"),
            limit("trunk.backfill_packets", BACKFILL_PACKETS_MAX, "trunk_backfill_packets_shed_total"),
            limit("trunk.handshakes", HANDSHAKES_MAX, "trunk_handshakes_shed_total"),
            limit("trunk.candidates", CANDIDATES_MAX, "trunk_handshakes_shed_total"),
            limit("trunk.message_octets", MESSAGE_OCTETS_MAX, "trunk_malformed_total"),
            limit("trunk.partners", PARTNERS_MAX, "trunk_partners_refused_total"),
        ]
    }

    /// For tests and exercises: makes the network towards a partner bad, or good again. It acts on UDP datagrams of every
    /// address under which the partner is known: the configured one, and the one it was last connected from.
    pub fn fault(&self, trunk: TrunkId, fault: Fault) {
        if let (Some(line), Some(wire)) = (self.shared.line(trunk), self.shared.wire()) {
            wire.socket.set(&line.addresses(), fault);
        }
    }

    /// Closes every trunk and ends the thread; at most about a second. Called from `incoming`, it does not wait.
    pub fn stop(&self) {
        self.stop.send_replace(true);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            // A panic there was printed when it happened.
            let _panicked = thread.join();
        }
    }

    fn message(&self, trunk: TrunkId, kind: Kind, message: Bytes) -> Result<(), Exhausted> {
        if message.len() > MESSAGE_OCTETS_MAX {
            return Err(Exhausted { limit: "trunk.message_octets", value: MESSAGE_OCTETS_MAX as u64 });
        }
        match self.shared.line(trunk) {
            Some(line) => line.push(kind, message, &self.shared.counters),
            None => {
                self.shared.counters.unsent.add(1);
                Ok(())
            }
        }
    }
}

impl Drop for Trunks {
    fn drop(&mut self) {
        self.stop();
    }
}
