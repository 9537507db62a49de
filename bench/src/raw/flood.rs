//! One payload to many destinations, again and again, as fast as the kernel takes it.

use std::{
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    ptr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use super::{Sweep, pin};
use crate::allocations;

/// By which system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// `sendmmsg`, as [`Sweep`] does it.
    Sendmmsg,
    /// `sendto`, one call per datagram.
    Sendto,
}

/// A thread that sends until it is told to stop.
#[derive(Debug)]
pub struct Flood {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    /// Datagrams that the kernel took; brought up to date once per sweep over the targets.
    sent: AtomicU64,
}

impl Flood {
    /// Begins on `core`, from a socket of its own.
    pub fn start(core: usize, targets: &[SocketAddr], payload: &[u8], how: How) -> Flood {
        let shared = Arc::<Shared>::default();
        let (targets, payload, sharing) = (targets.to_vec(), payload.to_vec(), Arc::clone(&shared));
        let thread = std::thread::spawn(move || {
            allocations::unwatch_this_thread();
            pin(core);
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            match how {
                How::Sendmmsg => by_sendmmsg(&socket, &targets, &payload, &sharing),
                How::Sendto => by_sendto(&socket, &targets, &payload, &sharing),
            }
        });
        Flood { shared, thread }
    }

    /// Ends it. Answers how many datagrams the kernel took.
    pub fn stop(self) -> u64 {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the raw loop ends");
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// How many datagrams the kernel has taken so far, in whole sweeps over the targets.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }
}

fn by_sendmmsg(socket: &UdpSocket, targets: &[SocketAddr], payload: &[u8], shared: &Shared) {
    let mut sweep = Sweep::new(targets);
    let mut sent = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        sent += sweep.send(socket, payload);
        shared.sent.store(sent, Ordering::Relaxed);
    }
}

fn by_sendto(socket: &UdpSocket, targets: &[SocketAddr], payload: &[u8], shared: &Shared) {
    let names: Vec<libc::sockaddr_in> = targets.iter().map(name).collect();
    let mut sent = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        for name in &names {
            // SAFETY: name and payload live until this function returns, and the kernel reads no more than their sizes.
            let taken = unsafe {
                let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
                let name = ptr::from_ref(name).cast();
                libc::sendto(socket.as_raw_fd(), payload.as_ptr().cast(), payload.len(), 0, name, length)
            };
            sent += u64::from(taken >= 0);
        }
        shared.sent.store(sent, Ordering::Relaxed);
    }
}

pub(super) fn name(address: &SocketAddr) -> libc::sockaddr_in {
    let SocketAddr::V4(address) = address else { panic!("targets are IPv4") };
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
        sin_zero: [0; 8],
    }
}
