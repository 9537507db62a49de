//! The UDP socket of the trunks, with faults that a test or an exercise asks for.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    future::Future,
    io::{self, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{RecvMeta, Transmit},
};
use tokio::time::{Instant, Sleep, sleep_until};

use super::count::Counters;

/// Datagrams that delays hold at once; what comes beyond is lost, and counted.
pub const FAULT_HELD_MAX: usize = 65_536;

/// What is wrong with the network towards a partner. For tests and exercises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Everything is lost, both ways.
    Cut,
    /// What arrives is held for so long, in its order. The other way is as it was.
    Delay(Duration),
    /// Nothing is wrong any more; what is held arrives now.
    Heal,
}

/// A socket between quinn and the kernel. Without faults it only looks at one flag.
pub(crate) struct FaultySocket {
    inner: Arc<dyn AsyncUdpSocket>,
    faulty: AtomicBool,
    faults: Mutex<Faults>,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Faults {
    by_address: HashMap<SocketAddr, Fault>,
    held: VecDeque<Held>,
    alarm: Option<Pin<Box<Sleep>>>,
    waker: Option<Waker>,
}

/// What the kernel handed over in one piece, which may be several datagrams of one size.
struct Held {
    due: Instant,
    meta: RecvMeta,
    octets: Vec<u8>,
}

impl FaultySocket {
    pub(crate) fn new(inner: Arc<dyn AsyncUdpSocket>, counters: Arc<Counters>) -> Arc<FaultySocket> {
        Arc::new(FaultySocket { inner, faulty: AtomicBool::new(false), faults: Mutex::default(), counters })
    }

    pub(crate) fn set(&self, addresses: &[SocketAddr], fault: Fault) {
        let mut faults = self.faults();
        for address in addresses {
            match fault {
                Fault::Heal => faults.by_address.remove(address),
                other => faults.by_address.insert(*address, other),
            };
        }
        let theirs = |held: &Held| addresses.contains(&held.meta.addr);
        match fault {
            Fault::Cut => {
                let before = faults.held.len();
                faults.held.retain(|held| !theirs(held));
                self.counters.fault_lost.add((before - faults.held.len()) as u64);
            }
            Fault::Heal => {
                let now = Instant::now();
                faults.held.iter_mut().filter(|held| theirs(held)).for_each(|held| held.due = now);
            }
            Fault::Delay(_) => {}
        }
        let faulty = !(faults.by_address.is_empty() && faults.held.is_empty());
        self.faulty.store(faulty, Ordering::Relaxed);
        if let Some(waker) = faults.waker.take() {
            waker.wake();
        }
    }

    #[cfg(test)]
    pub(crate) fn octets_held(&self) -> usize {
        self.faults().held.iter().map(|held| held.octets.len()).sum()
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self) {
        self.counters.fault_lost.add(1);
    }

    /// Takes what faults eat or hold out of what was just received: a piece of no length is no datagram.
    fn sift(&self, bufs: &[IoSliceMut<'_>], metas: &mut [RecvMeta]) {
        let (mut faults, now) = (self.faults(), Instant::now());
        for (buf, meta) in bufs.iter().zip(metas) {
            match faults.by_address.get(&meta.addr) {
                None | Some(Fault::Heal) => continue,
                Some(Fault::Cut) => self.lose(),
                Some(Fault::Delay(_)) if faults.held.len() >= FAULT_HELD_MAX => self.lose(),
                Some(Fault::Delay(by)) => {
                    let due = now + *by;
                    let octets = buf.get(..meta.len).unwrap_or_default().to_vec();
                    faults.held.push_back(Held { due, meta: *meta, octets });
                }
            }
            meta.len = 0;
        }
    }

    /// Hands out what is due, or sets the alarm for it.
    fn release(&self, cx: &mut Context<'_>, bufs: &mut [IoSliceMut<'_>], metas: &mut [RecvMeta]) -> usize {
        let mut faults = self.faults();
        let mut count = 0;
        for (buf, meta) in bufs.iter_mut().zip(metas) {
            // Delays differ between partners, so the next one due need not be the oldest.
            let next = faults.held.iter().enumerate().min_by_key(|(at, held)| (held.due, *at)).map(|(at, _)| at);
            let due = next.and_then(|at| faults.held.get(at)).is_some_and(|held| held.due <= Instant::now());
            let Some(held) = next.filter(|_| due).and_then(|at| faults.held.remove(at)) else { break };
            let Some(space) = buf.get_mut(..held.octets.len()) else { continue };
            space.copy_from_slice(&held.octets);
            *meta = held.meta;
            count += 1;
        }
        faults.waker = Some(cx.waker().clone());
        faults.alarm = faults.held.iter().map(|held| held.due).min().map(|due| Box::pin(sleep_until(due)));
        if let Some(alarm) = &mut faults.alarm
            && alarm.as_mut().poll(cx).is_ready()
        {
            cx.waker().wake_by_ref();
        }
        if faults.by_address.is_empty() && faults.held.is_empty() {
            self.faulty.store(false, Ordering::Relaxed);
        }
        count
    }
}

impl AsyncUdpSocket for FaultySocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.inner).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        if self.faulty.load(Ordering::Relaxed)
            && self.faults().by_address.get(&transmit.destination) == Some(&Fault::Cut)
        {
            self.lose();
            return Ok(());
        }
        self.inner.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        if self.faulty.load(Ordering::Relaxed) {
            let released = self.release(cx, bufs, metas);
            if released > 0 {
                return Poll::Ready(Ok(released));
            }
        }
        let received = std::task::ready!(self.inner.poll_recv(cx, bufs, metas))?;
        if self.faulty.load(Ordering::Relaxed)
            && let Some(metas) = metas.get_mut(..received)
        {
            self.sift(bufs, metas);
        }
        Poll::Ready(Ok(received))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}

impl fmt::Debug for FaultySocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultySocket").field("inner", &self.inner).finish_non_exhaustive()
    }
}
