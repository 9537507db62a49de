//! The three sockets of a worker, and knowing which of them have something.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    task::{Context, Poll, Waker},
    time::Instant,
};

use tokio::io::{Interest, unix::AsyncFd};

use crate::{
    Config, Ports, StartError,
    udp::{self, Doorbell, Socket},
};

/// Ports per worker: RTP, RTCP, floor control, and one that stays free so that RTP ports are even.
const STRIDE: u16 = 4;

/// The sockets of one worker.
#[derive(Debug)]
pub(crate) struct Sockets {
    /// Other workers send from it too, what they send for this one's calls.
    pub(crate) rtp: Socket,
    pub(crate) rtcp: Socket,
    pub(crate) floor: Socket,
}

/// Which socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rtp,
    Rtcp,
    Floor,
}

impl Sockets {
    /// Binds the sockets of worker number `worker`.
    pub(crate) fn open(config: &Config, worker: usize) -> Result<Sockets, StartError> {
        let base = config.media.port();
        let open = |offset: u16| {
            let port = if base == 0 {
                0
            } else {
                let port = usize::from(base) + worker * usize::from(STRIDE) + usize::from(offset);
                u16::try_from(port).map_err(|_| StartError::Ports { port: base, workers: config.workers })?
            };
            let address = SocketAddr::new(config.media.ip(), port);
            Socket::open(address).map_err(|source| StartError::Bind { address, source })
        };
        Ok(Sockets { rtp: open(0)?, rtcp: open(1)?, floor: open(2)? })
    }

    pub(crate) fn ports(&self) -> Ports {
        Ports { rtp: self.rtp.address(), rtcp: self.rtcp.address(), floor: self.floor.address() }
    }

    pub(crate) fn of(&self, kind: Kind) -> &Socket {
        match kind {
            Kind::Rtp => &self.rtp,
            Kind::Rtcp => &self.rtcp,
            Kind::Floor => &self.floor,
        }
    }
}

/// Which sockets the poll loop has seen something on. The sockets themselves stay with the calls.
pub(super) struct Ready<'a> {
    rtp: AsyncFd<OwnedFd>,
    rtcp: AsyncFd<OwnedFd>,
    floor: AsyncFd<OwnedFd>,
    doorbell: AsyncFd<OwnedFd>,
    bell: &'a Doorbell,
}

impl<'a> Ready<'a> {
    /// Watches `sockets` and `bell`.
    pub(super) fn new(sockets: &Sockets, bell: &'a Doorbell) -> io::Result<Ready<'a>> {
        Ok(Ready {
            rtp: udp::watch(sockets.rtp.as_fd())?,
            rtcp: udp::watch(sockets.rtcp.as_fd())?,
            floor: udp::watch(sockets.floor.as_fd())?,
            doorbell: udp::watch(bell.as_fd())?,
            bell,
        })
    }

    /// Whether something was seen on the socket since it was last drained. Costs no system call.
    pub(super) fn has(&self, kind: Kind) -> bool {
        is_ready(self.of(kind))
    }

    /// The socket was read until it held less than was asked for.
    pub(super) fn drained(&self, kind: Kind) {
        clear(self.of(kind));
    }

    /// Forgets that the doorbell was pressed.
    pub(super) fn hush(&self) {
        if is_ready(&self.doorbell) {
            self.bell.hush();
            clear(&self.doorbell);
        }
    }

    /// Sleeps until something is seen, or until `wake`.
    pub(super) async fn sleep_until(&self, wake: Option<Instant>) {
        let timer = async {
            match wake {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.rtp.readable() => {}
            _ = self.floor.readable() => {}
            _ = self.rtcp.readable() => {}
            _ = self.doorbell.readable() => {}
            () = timer => {}
        }
    }

    fn of(&self, kind: Kind) -> &AsyncFd<OwnedFd> {
        match kind {
            Kind::Rtp => &self.rtp,
            Kind::Rtcp => &self.rtcp,
            Kind::Floor => &self.floor,
        }
    }
}

fn is_ready(watched: &AsyncFd<OwnedFd>) -> bool {
    matches!(watched.poll_read_ready(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(_)))
}

fn clear(watched: &AsyncFd<OwnedFd>) {
    // try_io forgets the readiness when told that the operation would block; what came since is seen anew.
    _ = watched.try_io(Interest::READABLE, |_| Err::<(), _>(io::ErrorKind::WouldBlock.into()));
}
