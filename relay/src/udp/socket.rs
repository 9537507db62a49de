//! One UDP socket of a worker.

use std::{
    io::{self, IoSliceMut},
    net::{SocketAddr, UdpSocket},
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
};

use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use socket2::{Domain, Protocol, SockRef, Type};

/// What a socket asks the kernel for: enough for about 8,000 small packets, since the kernel counts whole buffers.
const RECEIVE_SPACE: usize = 8 << 20;
/// Half of that outwards.
const SEND_SPACE: usize = 4 << 20;
/// Largest run of datagrams that the kernel may hand over as one (UDP GRO).
const RUN: usize = 64 << 10;

/// A bound, non-blocking UDP socket.
#[derive(Debug)]
pub struct Socket {
    socket: UdpSocket,
    state: UdpSocketState,
    address: SocketAddr,
}

/// Space for one batch of received datagrams; shared by the sockets of a worker.
pub struct Received {
    space: Vec<u8>,
    meta: [RecvMeta; BATCH_SIZE],
    count: usize,
}

impl Socket {
    /// Binds `address` and asks for deep queues; a kernel that grants less is not an error, its drops are counted.
    pub fn open(address: SocketAddr) -> io::Result<Socket> {
        let socket = unbound(address)?;
        force_space(&socket, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, RECEIVE_SPACE);
        Socket::bind(socket, address)
    }

    fn bind(socket: socket2::Socket, address: SocketAddr) -> io::Result<Socket> {
        socket.bind(&address.into())?;
        let socket = UdpSocket::from(socket);
        let state = UdpSocketState::new((&socket).into())?;
        let address = socket.local_addr()?;
        Ok(Socket { socket, state, address })
    }

    /// Where it is bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A second socket at the same address, from which another thread sends: two that send from one socket contend for its counters, and
    /// wake whoever watches it for every datagram. What arrives at the address goes to this socket and never to that one. Nobody else can share the
    /// address: it was bound before sharing was allowed, and sharing is allowed to the same user only (SO_REUSEPORT).
    ///
    /// # Errors
    /// The kernel shares no address, or takes no program that says who receives.
    pub fn sender(&self) -> io::Result<Socket> {
        let socket = unbound(self.address)?;
        SockRef::from(&self.socket).set_reuse_port(true)?;
        socket.set_reuse_port(true)?;
        let sender = Socket::bind(socket, self.address)?;
        receive_by_first(&self.socket)?;
        Ok(sender)
    }

    /// Receives what is there, up to one batch. `WouldBlock` if nothing is.
    pub fn receive(&self, into: &mut Received) -> io::Result<()> {
        into.count = 0;
        let mut rest = into.space.as_mut_slice();
        let mut slices: [IoSliceMut<'_>; BATCH_SIZE] = std::array::from_fn(|_| {
            let (slice, tail) = std::mem::take(&mut rest).split_at_mut(RUN);
            rest = tail;
            IoSliceMut::new(slice)
        });
        into.count = self.state.recv((&self.socket).into(), &mut slices, &mut into.meta)?;
        Ok(())
    }

    /// Datagrams that the kernel dropped because nobody fetched them in time, since the socket was opened.
    pub fn kernel_drops(&self) -> u64 {
        let mut info = [0u32; 9];
        let mut length = size_of_val(&info) as libc::socklen_t;
        // SAFETY: the kernel writes at most `length` bytes into `info`, which is that long.
        let answer = unsafe {
            libc::getsockopt(self.as_raw_fd(), libc::SOL_SOCKET, SO_MEMINFO, info.as_mut_ptr().cast(), &mut length)
        };
        if answer == 0 { u64::from(info[MEMINFO_DROPS]) } else { 0 }
    }
}

/// A non-blocking socket of the address's family, with deep queues outwards.
fn unbound(address: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    force_space(&socket, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, SEND_SPACE);
    Ok(socket)
}

/// Of the sockets at one address, the one that was bound first receives everything.
fn receive_by_first(socket: &UdpSocket) -> io::Result<()> {
    // BPF_RET | BPF_K: the place of the socket in its group.
    let mut first = libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: 0 };
    let program = libc::sock_fprog { len: 1, filter: &raw mut first };
    // SAFETY: the kernel copies the one instruction that `program` points at; both live until the call returns.
    let answer = unsafe {
        let (program, length) = ((&raw const program).cast(), size_of::<libc::sock_fprog>() as libc::socklen_t);
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ATTACH_REUSEPORT_CBPF, program, length)
    };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `SO_MEMINFO` and the place of the drop counter in its answer (linux/sock_diag.h); libc does not name them.
const SO_MEMINFO: libc::c_int = 55;
const MEMINFO_DROPS: usize = 8;

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl Received {
    /// Space for one batch.
    pub fn new() -> Received {
        Received { space: vec![0; RUN * BATCH_SIZE], meta: [RecvMeta::default(); BATCH_SIZE], count: 0 }
    }

    /// Every datagram of the last batch with its sender, in the order of arrival.
    pub fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let runs = self.space.chunks(RUN).zip(&self.meta).take(self.count);
        runs.flat_map(|(space, meta)| {
            let run = &space[..meta.len.min(RUN)];
            // An empty datagram is a datagram too, although a run of none has no chunks.
            let empty = run.is_empty().then_some(run);
            empty.into_iter().chain(run.chunks(meta.stride.max(1))).map(|datagram| (meta.addr, datagram))
        })
    }

    /// Whether the kernel filled the whole batch: more may be waiting.
    pub fn is_full(&self) -> bool {
        self.count == BATCH_SIZE
    }
}

impl Default for Received {
    fn default() -> Self {
        Received::new()
    }
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Received({})", self.count)
    }
}

/// Asks past the system's limit first (needs a capability), then for what everybody gets.
fn force_space(socket: &socket2::Socket, forced: libc::c_int, plain: libc::c_int, bytes: usize) {
    let bytes = bytes as libc::c_int;
    for option in [forced, plain] {
        // SAFETY: the option's value is one int, and the kernel reads no more than its size.
        let answer = unsafe {
            let value = (&raw const bytes).cast();
            let length = size_of::<libc::c_int>() as libc::socklen_t;
            libc::setsockopt(SockRef::from(socket).as_raw_fd(), libc::SOL_SOCKET, option, value, length)
        };
        if answer == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use quinn_udp::{Transmit, UdpSocketState};

    use super::*;

    /// The kernel may hand a run of datagrams over as one: each is seen by itself, the empty one too.
    #[test]
    fn a_run_of_datagrams_is_seen_one_by_one() {
        let socket = Socket::open("127.0.0.1:0".parse().unwrap()).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let state = UdpSocketState::new((&sender).into()).unwrap();
        let contents: Vec<u8> = (0..7u8).flat_map(|number| [number; 100]).collect();
        let transmit = Transmit {
            destination: socket.address(),
            ecn: None,
            contents: &contents[..650],
            segment_size: Some(100),
            src_ip: None,
        };
        state.try_send((&sender).into(), &transmit).unwrap();
        sender.send_to(&[], socket.address()).unwrap();
        let mut received = Received::new();
        let mut seen = Vec::new();
        while socket.receive(&mut received).is_ok() {
            seen.extend(received.datagrams().map(|(_, datagram)| datagram.to_vec()));
        }
        let mut expected: Vec<Vec<u8>> = (0..6u8).map(|number| vec![number; 100]).collect();
        expected.extend([vec![6; 50], vec![]]);
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_second_socket_sends_from_the_address_and_receives_nothing() {
        let socket = Socket::open("127.0.0.1:0".parse().unwrap()).unwrap();
        let senders = [socket.sender().unwrap(), socket.sender().unwrap()];
        let taken = Socket::open(socket.address()).expect_err("the address is taken");
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        // From many ports, which the kernel would spread over all sockets of the address.
        let mut expected = Vec::new();
        for number in 0..64u8 {
            let other = UdpSocket::bind("127.0.0.1:0").unwrap();
            other.send_to(&[number], socket.address()).unwrap();
            expected.push(vec![number]);
            senders[usize::from(number % 2)].socket.send_to(b"from", other.local_addr().unwrap()).unwrap();
            assert_eq!(other.recv_from(&mut [0; 8]).unwrap().1, socket.address());
        }
        let (mut received, mut seen) = (Received::default(), Vec::new());
        while socket.receive(&mut received).is_ok() {
            seen.extend(received.datagrams().map(|(_, datagram)| datagram.to_vec()));
        }
        assert_eq!(seen, expected);
        assert!(senders.iter().all(|sender| sender.receive(&mut received).is_err()));
    }
}
