//! The least that a relay can be: what comes goes out to every target, and nothing else happens.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use super::{Sweep, pin};
use crate::allocations;

/// Bytes kept of a datagram; more than any that is measured.
const SIZE: usize = 256;

/// How soon an order to end is seen while nothing comes.
const LOOK: Duration = Duration::from_millis(50);

/// A thread that repeats until this is dropped.
#[derive(Debug)]
pub struct Repeater {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Repeater {
    /// Begins on `core`, with a socket of its own on loopback.
    pub fn start(core: usize, targets: &[SocketAddr]) -> Repeater {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(LOOK)).expect("a time that is not zero");
        let address = socket.local_addr().expect("an address");
        let stop = Arc::<AtomicBool>::default();
        let (targets, stopped) = (targets.to_vec(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            allocations::unwatch_this_thread();
            pin(core);
            let (mut sweep, mut space) = (Sweep::new(&targets), [0; SIZE]);
            while !stopped.load(Ordering::Relaxed) {
                if let Ok(length) = socket.recv(&mut space) {
                    sweep.send(&socket, &space[..length]);
                }
            }
        });
        Repeater { address, stop, thread: Some(thread) }
    }

    /// Where it receives.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Repeater {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is dropped once");
        thread.join().expect("the raw repeater ends");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_goes_to_every_target() {
        let targets: Vec<UdpSocket> = (0..3).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        let addresses: Vec<SocketAddr> = targets.iter().map(|target| target.local_addr().unwrap()).collect();
        let repeater = Repeater::start(0, &addresses);
        let talker = UdpSocket::bind("127.0.0.1:0").unwrap();
        for payload in [&b"one"[..], b"three"] {
            talker.send_to(payload, repeater.address()).unwrap();
            for target in &targets {
                let mut space = [0; 16];
                let length = target.recv(&mut space).unwrap();
                assert_eq!(&space[..length], payload);
            }
        }
    }
}
