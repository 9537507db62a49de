//! Raw loops: what the kernel alone can do on this machine, measured in the same run as the relay.

use std::{
    io,
    mem::zeroed,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    os::fd::AsRawFd,
    ptr,
    sync::atomic::{AtomicBool, Ordering},
};

/// Datagrams per `sendmmsg`, as in the relay.
pub const BATCH: usize = 128;

/// The destinations of a measurement: distinct loopback addresses on `ports` in turn.
pub fn targets(count: usize, ports: &[u16]) -> Vec<SocketAddr> {
    let address = |n: usize| Ipv4Addr::new(127, 1, (n / 250) as u8, (n % 250) as u8 + 1);
    let port = |n: usize| ports[n % ports.len()];
    (0..count).map(|n| SocketAddr::V4(SocketAddrV4::new(address(n), port(n)))).collect()
}

/// Sockets that take what goes to `targets`: several, so that sender and sinks do not fight over one queue.
#[derive(Debug)]
pub struct Sinks {
    sockets: Vec<UdpSocket>,
    drain: Drain,
}

impl Sinks {
    /// Opens `count` sockets.
    pub fn open(count: usize) -> io::Result<Sinks> {
        Ok(Sinks { sockets: (0..count).map(|_| sink()).collect::<io::Result<_>>()?, drain: Drain::new() })
    }

    /// Their ports.
    pub fn ports(&self) -> Vec<u16> {
        self.sockets.iter().filter_map(|socket| socket.local_addr().ok()).map(|address| address.port()).collect()
    }

    /// Takes what is there, at most one batch per socket; answers how many datagrams.
    pub fn take(&mut self) -> usize {
        self.sockets.iter().map(|socket| self.drain.take(socket)).sum()
    }
}

/// A socket for every loopback address at once, with a deep queue.
fn sink() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let space: libc::c_int = 64 << 20;
    for option in [libc::SO_RCVBUFFORCE, libc::SO_RCVBUF] {
        if set(&socket, option, space) {
            break;
        }
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn set(socket: &UdpSocket, option: libc::c_int, value: libc::c_int) -> bool {
    // SAFETY: the option's value is one int, and the kernel reads no more than its size.
    unsafe {
        let length = size_of::<libc::c_int>() as libc::socklen_t;
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, (&raw const value).cast(), length) == 0
    }
}

/// Receives without looking: answers how many datagrams were there, at most `BATCH`.
#[derive(Debug)]
struct Drain {
    headers: Vec<libc::mmsghdr>,
    vectors: Vec<libc::iovec>,
    space: Vec<u8>,
}

impl Drain {
    const SIZE: usize = 256;

    fn new() -> Drain {
        let mut space = vec![0u8; Self::SIZE * BATCH];
        let vector =
            |at: usize| libc::iovec { iov_base: space[at * Self::SIZE..].as_mut_ptr().cast(), iov_len: Self::SIZE };
        let vectors: Vec<libc::iovec> = (0..BATCH).map(vector).collect();
        // SAFETY: mmsghdr is plain old data; all zeros is a value of it.
        let headers = vec![unsafe { zeroed() }; BATCH];
        Drain { headers, vectors, space }
    }

    /// Datagrams taken; 0 if none was there.
    fn take(&mut self, socket: &UdpSocket) -> usize {
        debug_assert_eq!(self.space.len(), Self::SIZE * BATCH);
        for (header, vector) in self.headers.iter_mut().zip(&mut self.vectors) {
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
        }
        // SAFETY: the headers point at vectors and space that this value owns and does not move.
        let taken = unsafe {
            let (headers, flags) = (self.headers.as_mut_ptr(), libc::MSG_DONTWAIT);
            libc::recvmmsg(socket.as_raw_fd(), headers, BATCH as u32, flags, ptr::null_mut())
        };
        usize::try_from(taken).unwrap_or(0)
    }
}

/// Sends `payload` to all `targets` again and again by `sendmmsg`, one vector for all, until told to stop. Answers how many
/// datagrams the kernel took.
pub fn send_until(socket: &UdpSocket, targets: &[SocketAddr], payload: &[u8], stop: &AtomicBool) -> u64 {
    let names: Vec<libc::sockaddr_in> = targets.iter().map(name).collect();
    let mut vector = libc::iovec { iov_base: payload.as_ptr().cast_mut().cast(), iov_len: payload.len() };
    let header = |name: &libc::sockaddr_in| {
        // SAFETY: mmsghdr is plain old data; all zeros is a value of it.
        let mut header: libc::mmsghdr = unsafe { zeroed() };
        header.msg_hdr.msg_name = (&raw const *name).cast_mut().cast();
        header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        header.msg_hdr.msg_iov = &raw mut vector;
        header.msg_hdr.msg_iovlen = 1;
        header
    };
    let mut headers: Vec<libc::mmsghdr> = names.iter().map(header).collect();
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        for chunk in headers.chunks_mut(BATCH) {
            // SAFETY: the headers point at names, vector and payload, all of which live until this function returns.
            let taken = unsafe { libc::sendmmsg(socket.as_raw_fd(), chunk.as_mut_ptr(), chunk.len() as u32, 0) };
            sent += u64::try_from(taken).unwrap_or(0);
        }
    }
    sent
}

fn name(address: &SocketAddr) -> libc::sockaddr_in {
    let SocketAddr::V4(address) = address else { panic!("targets are IPv4") };
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
        sin_zero: [0; 8],
    }
}

/// Asks the kernel to stamp what the socket receives.
pub fn stamp(socket: &UdpSocket) {
    assert!(set(socket, libc::SO_TIMESTAMPNS, 1), "the kernel stamps received datagrams");
}

/// Nanoseconds of the wall clock, the one that `receive_stamped` uses.
pub fn wall_ns() -> u64 {
    // SAFETY: the kernel fills one timespec.
    let now = unsafe {
        let mut now: libc::timespec = zeroed();
        libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now);
        now
    };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Receives one datagram: its length, and when the kernel took it in, in nanoseconds of the wall clock.
pub fn receive_stamped(socket: &UdpSocket, space: &mut [u8]) -> io::Result<(usize, u64)> {
    #[repr(align(8))]
    struct Control([u8; 64]);
    let mut control = Control([0; 64]);
    let mut vector = libc::iovec { iov_base: space.as_mut_ptr().cast(), iov_len: space.len() };
    // SAFETY: the message points at `vector`, `space` and `control`, which outlive the call; the control data is read with the
    // kernel's own macros, within the length that the kernel reports.
    unsafe {
        let mut message: libc::msghdr = zeroed();
        message.msg_iov = &raw mut vector;
        message.msg_iovlen = 1;
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = control.0.len() as _;
        let length = libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0);
        if length < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut at = libc::CMSG_FIRSTHDR(&raw const message);
        while !at.is_null() {
            if (*at).cmsg_type == libc::SCM_TIMESTAMPNS {
                let stamp: libc::timespec = ptr::read_unaligned(libc::CMSG_DATA(at).cast());
                return Ok((length as usize, stamp.tv_sec as u64 * 1_000_000_000 + stamp.tv_nsec as u64));
            }
            at = libc::CMSG_NXTHDR(&raw const message, at);
        }
    }
    Err(io::Error::other("the datagram carries no stamp"))
}

/// Steps per second in which the kernel accounts CPU time to processes.
pub fn ticks_per_s() -> u32 {
    // SAFETY: the call reads one number of the system and touches no memory of ours.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u32::try_from(ticks).expect("the kernel accounts in steps")
}
