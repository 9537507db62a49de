//! A bare UDP echo on the worker's core: what a round trip costs here with no relay in it.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::stage::PACKET;
use crate::{allocations, raw};

/// An echo and its client. The echo ends with it.
pub(super) struct Echo {
    echo: SocketAddr,
    client: UdpSocket,
    stop: Arc<AtomicBool>,
}

impl Echo {
    /// A thread on core 0 that sends back what it receives, as plainly as can be.
    pub(super) fn start() -> Echo {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let echo = socket.local_addr().expect("an address");
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        std::thread::spawn(move || {
            allocations::unwatch_this_thread();
            raw::pin(0);
            let mut space = [0u8; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut space) {
                if stopping.load(Ordering::Relaxed) || socket.send_to(&space[..length], from).is_err() {
                    return;
                }
            }
        });
        Echo { echo, client: stamped(), stop }
    }

    /// One datagram there and back. Nanoseconds until its client has the answer, and until the kernel had it for the client.
    pub(super) fn ask(&self) -> (u64, u64) {
        let begin = raw::wall_ns();
        self.client.send_to(&[0; PACKET], self.echo).expect("loopback takes it");
        let (_, stamp) = raw::receive_stamped(&self.client, &mut [0; 2048]).expect("the echo answers");
        (raw::wall_ns().saturating_sub(begin).max(1), stamp.saturating_sub(begin).max(1))
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // It looks once something comes.
        _ = self.client.send_to(b"end", self.echo);
    }
}

/// A socket whose datagrams the kernel stamps.
pub(super) fn stamped() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    raw::stamp(&socket);
    socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout");
    socket
}
