//! One datagram to every target by `sendmmsg`: all headers point at one vector, and are built once.

use std::{
    mem::zeroed,
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    ptr,
};

use super::{BATCH, flood::name};

/// The headers of all targets.
pub struct Sweep {
    headers: Vec<libc::mmsghdr>,
    /// What the headers point at; neither moves while this value lives.
    _names: Vec<libc::sockaddr_in>,
    vector: Box<libc::iovec>,
}

impl Sweep {
    /// For targets in IPv4.
    pub fn new(targets: &[SocketAddr]) -> Sweep {
        let names: Vec<libc::sockaddr_in> = targets.iter().map(name).collect();
        let mut vector = Box::new(libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 });
        let header = |name: &libc::sockaddr_in| {
            // SAFETY: mmsghdr is plain old data; all zeros is a value of it.
            let mut header: libc::mmsghdr = unsafe { zeroed() };
            header.msg_hdr.msg_name = (&raw const *name).cast_mut().cast();
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_hdr.msg_iov = &raw mut *vector;
            header.msg_hdr.msg_iovlen = 1;
            header
        };
        let headers = names.iter().map(header).collect();
        Sweep { headers, _names: names, vector }
    }

    /// Sends `payload` to all of them, at most [`BATCH`] at once. Answers how many datagrams the kernel took.
    pub fn send(&mut self, socket: &UdpSocket, payload: &[u8]) -> u64 {
        *self.vector = libc::iovec { iov_base: payload.as_ptr().cast_mut().cast(), iov_len: payload.len() };
        let mut sent = 0;
        for chunk in self.headers.chunks_mut(BATCH) {
            // SAFETY: the headers point at names and vector, which this value owns, and the vector at `payload`; all outlive the call.
            let taken = unsafe { libc::sendmmsg(socket.as_raw_fd(), chunk.as_mut_ptr(), chunk.len() as u32, 0) };
            sent += u64::try_from(taken).unwrap_or(0);
        }
        sent
    }
}

impl std::fmt::Debug for Sweep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sweep").field("targets", &self.headers.len()).finish_non_exhaustive()
    }
}
