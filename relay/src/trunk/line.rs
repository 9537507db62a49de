//! A partner, as the rest of the relay sees it: queues towards the wire that stay when connections come and go.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use crossbeam::queue::ArrayQueue;
use quinn::Connection;
use relay_core::TrunkId;
use tokio::sync::{Notify, mpsc, watch};

use super::{count::Counters, refusal::code};
use crate::Exhausted;

/// Frames that may wait for the wire, and letters likewise (`trunk.frames`). A partner that lets more wait is not taking part.
pub const FRAMES_MAX: usize = 8192;
/// Datagrams that may wait for the trunks' thread (`trunk.media`): 50 talkers for 0.8 s.
pub const MEDIA_MAX: usize = 2048;
/// Backfills of one trunk that may wait to be begun (`trunk.backfills`).
pub const BACKFILLS_MAX: usize = 256;
/// Packets of one backfill that may wait for the wire (`trunk.backfill_packets`): more than a retention of 30 s.
pub const BACKFILL_PACKETS_MAX: usize = 8192;
/// Connections of one partner that may wait to be looked at (`trunk.candidates`).
pub const CANDIDATES_MAX: usize = 4;

/// A configured partner.
pub(crate) struct Line {
    pub(crate) id: TrunkId,
    pub(crate) system: Arc<str>,
    pub(crate) address: watch::Sender<Option<SocketAddr>>,
    /// Why the partner is given up: it was removed, or all stop.
    pub(crate) gone: watch::Sender<Option<&'static str>>,
    pub(crate) candidates: mpsc::Sender<Connection>,
    pub(crate) media: ArrayQueue<Bytes>,
    pub(crate) media_ready: Notify,
    up: AtomicBool,
    link: Mutex<Option<Link>>,
    seen: Mutex<Option<SocketAddr>>,
}

/// The way into the connection that is up.
pub(crate) struct Link {
    pub(crate) connection: Connection,
    pub(crate) frames: mpsc::Sender<Outgoing>,
    pub(crate) letters: mpsc::Sender<Outgoing>,
    pub(crate) backfills: mpsc::Sender<Backfill>,
    /// Why this side ended it, if it did.
    pub(crate) cause: Arc<OnceLock<String>>,
    /// Rung when this side ends it in an orderly way.
    pub(crate) closing: Arc<Notify>,
}

/// What stands in a queue.
pub(crate) enum Outgoing {
    Message(Bytes),
    /// What stands before it is delivered, then the trunk is closed.
    Close,
}

/// A backfill to be begun.
pub(crate) struct Backfill {
    pub(crate) flow: u32,
    pub(crate) packets: mpsc::Receiver<Piece>,
}

/// What a backfill consists of.
pub(crate) enum Piece {
    Packet(Bytes),
    Finish,
}

/// Which of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Frame,
    Letter,
}

impl Line {
    pub(crate) fn new(
        id: TrunkId,
        system: Arc<str>,
        address: Option<SocketAddr>,
    ) -> (Line, mpsc::Receiver<Connection>) {
        let (candidates, receiver) = mpsc::channel(CANDIDATES_MAX);
        let line = Line {
            id,
            system,
            address: watch::Sender::new(address),
            gone: watch::Sender::new(None),
            candidates,
            media: ArrayQueue::new(MEDIA_MAX),
            media_ready: Notify::new(),
            up: AtomicBool::new(false),
            link: Mutex::new(None),
            seen: Mutex::new(None),
        };
        (line, receiver)
    }

    /// Opens the queues for a connection that is up.
    pub(crate) fn join(&self, link: Link) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(link.connection.remote_address());
        while self.media.pop().is_some() {}
        *self.link() = Some(link);
        self.up.store(true, Ordering::Relaxed);
    }

    /// Closes the queues; what is in them is lost, as the event of the trunk going down says.
    pub(crate) fn part(&self) {
        self.up.store(false, Ordering::Relaxed);
        *self.link() = None;
    }

    /// Queues a message.
    pub(crate) fn push(&self, kind: Kind, message: Bytes, counters: &Counters) -> Result<(), Exhausted> {
        let link = self.link();
        let Some(link) = link.as_ref() else {
            counters.unsent.add(1);
            return Ok(());
        };
        let queue = if kind == Kind::Frame { &link.frames } else { &link.letters };
        match queue.try_send(Outgoing::Message(message)) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => {
                counters.unsent.add(1);
                Ok(())
            }
            Err(mpsc::error::TrySendError::Full(_)) => {
                if link.cause.set(String::from("slow")).is_ok() {
                    counters.slow.add(1);
                    link.connection.close(code::GENERAL_ERROR, b"slow");
                }
                Err(Exhausted { limit: "trunk.frames", value: FRAMES_MAX as u64 })
            }
        }
    }

    /// Queues a datagram; never waits.
    pub(crate) fn push_media(&self, datagram: Bytes, counters: &Counters) {
        if !self.up.load(Ordering::Relaxed) {
            counters.media_down.add(1);
        } else if self.media.push(datagram).is_err() {
            counters.media_full.add(1);
        } else {
            self.media_ready.notify_one();
        }
    }

    /// Closes the trunk after what is queued was delivered.
    pub(crate) fn close(&self, cause: &str) {
        let link = self.link();
        let Some(link) = link.as_ref() else { return };
        if link.cause.set(cause.to_owned()).is_ok() {
            let queued = link.letters.try_send(Outgoing::Close).and_then(|()| link.frames.try_send(Outgoing::Close));
            link.closing.notify_one();
            if queued.is_err() {
                link.connection.close(code::NO_ERROR, cause.as_bytes());
            }
        }
    }

    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.link().as_ref().map(|link| link.connection.rtt())
    }

    #[cfg(test)]
    pub(crate) fn packets_sent(&self) -> u64 {
        self.link().as_ref().map_or(0, |link| link.connection.stats().path.sent_packets)
    }

    /// Every address under which the partner is known.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let configured = *self.address.borrow();
        seen.into_iter().chain(configured).collect()
    }

    fn link(&self) -> MutexGuard<'_, Option<Link>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One backfill on its way. Dropped without [`BackfillSender::finish`] it is given up, which the partner hears, too.
#[derive(Debug)]
pub struct BackfillSender {
    queue: mpsc::Sender<Piece>,
    refused: Option<Exhausted>,
    counters: Arc<Counters>,
}

impl BackfillSender {
    /// On a line that is down, or none, everything goes nowhere.
    pub(crate) fn begin(line: Option<&Line>, flow: u32, counters: &Arc<Counters>) -> BackfillSender {
        let (queue, packets) = mpsc::channel(BACKFILL_PACKETS_MAX + 1);
        let link = line.map(Line::link);
        let link = link.as_deref().and_then(Option::as_ref);
        let refused = match link.map(|link| link.backfills.try_send(Backfill { flow, packets })) {
            Some(Err(mpsc::error::TrySendError::Full(_))) => {
                counters.backfills_shed.add(1);
                Some(Exhausted { limit: "trunk.backfills", value: BACKFILLS_MAX as u64 })
            }
            _ => None,
        };
        BackfillSender { queue, refused, counters: Arc::clone(counters) }
    }

    /// Queues one RTP packet; the trunk puts the length in front. Packets for a trunk that went down go nowhere, as its event
    /// said.
    ///
    /// # Errors
    /// `trunk.backfills`: too many wait to be begun; `trunk.backfill_packets`: too many packets of this one wait;
    /// `trunk.packet_octets`: the packet is longer than any datagram. It is not sent then.
    pub fn packet(&self, packet: Bytes) -> Result<(), Exhausted> {
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        if packet.len() > super::PACKET_OCTETS_MAX {
            return Err(Exhausted { limit: "trunk.packet_octets", value: super::PACKET_OCTETS_MAX as u64 });
        }
        // One place is kept for the end.
        if self.queue.capacity() <= 1 && !self.queue.is_closed() {
            self.counters.backfill_packets_shed.add(1);
            return Err(Exhausted { limit: "trunk.backfill_packets", value: BACKFILL_PACKETS_MAX as u64 });
        }
        // Only a trunk that is down refuses now.
        self.queue.try_send(Piece::Packet(packet)).or(Ok(()))
    }

    /// Ends the backfill after its last packet.
    pub fn finish(self) {
        // As above.
        let _down = self.queue.try_send(Piece::Finish);
    }
}
