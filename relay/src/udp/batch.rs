//! Many datagrams in one system call: `sendmmsg` over headers that live as long as their worker.

use std::{io, os::fd::AsRawFd, ptr};

use super::{Address, Socket};

/// Datagrams per system call.
pub const BATCH: usize = 128;

/// Headers for one `sendmmsg`. Nothing is allocated after `new`.
pub struct Batch {
    headers: Box<[libc::mmsghdr]>,
    vectors: Box<[libc::iovec]>,
}

/// Why the kernel did not take a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// The socket's send space is used up.
    Full,
    /// The system's firewall or policy forbids it.
    Forbidden,
    /// There is no way to the address.
    Unreachable,
    /// It does not fit into a packet on the way.
    TooLarge,
    /// Anything else.
    Other,
}

// SAFETY: the pointers in the headers are written anew before every system call from what that call borrows.
unsafe impl Send for Batch {}

impl Batch {
    /// Room for `BATCH` datagrams.
    pub fn new() -> Batch {
        let vectors = vec![libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; BATCH].into_boxed_slice();
        // SAFETY: mmsghdr is plain old data; all zeros is a value of it (no name, no vectors, no control data).
        let empty: libc::mmsghdr = unsafe { std::mem::zeroed() };
        Batch { headers: vec![empty; BATCH].into_boxed_slice(), vectors }
    }

    /// Sends one payload to each of `targets`: one vector for all, nothing is copied. `failed` hears which target the
    /// kernel did not take and why; the others are sent all the same. Answers the number of system calls.
    pub fn send_same(
        &mut self,
        socket: &Socket,
        payload: &[u8],
        targets: &[Address],
        mut failed: impl FnMut(usize, Failure),
    ) -> usize {
        let mut calls = 0;
        for (chunk, targets) in targets.chunks(BATCH).enumerate() {
            self.vectors[0] = vector(payload);
            let shared = &raw mut self.vectors[0];
            for (header, target) in self.headers.iter_mut().zip(targets) {
                address(header, target, shared);
            }
            calls += self.flush(socket, targets.len(), |at, failure| failed(chunk * BATCH + at, failure));
        }
        calls
    }

    /// Sends each payload to its target, in order.
    pub fn send_each<'a>(
        &mut self,
        socket: &Socket,
        datagrams: impl Iterator<Item = (&'a Address, &'a [u8])>,
        mut failed: impl FnMut(usize, Failure),
    ) -> usize {
        let (mut filled, mut sent, mut calls) = (0, 0, 0);
        for (target, payload) in datagrams {
            self.vectors[filled] = vector(payload);
            let own = &raw mut self.vectors[filled];
            address(&mut self.headers[filled], target, own);
            filled += 1;
            if filled == BATCH {
                calls += self.flush(socket, filled, |at, failure| failed(sent + at, failure));
                sent += filled;
                filled = 0;
            }
        }
        calls + self.flush(socket, filled, |at, failure| failed(sent + at, failure))
    }

    /// Hands the first `count` headers to the kernel. It stops at the first datagram that it does not take and says why only
    /// if that is the first of a call: so each call begins behind the last success, and one failure is stepped over.
    fn flush(&mut self, socket: &Socket, count: usize, mut failed: impl FnMut(usize, Failure)) -> usize {
        let (mut done, mut calls) = (0, 0);
        while done < count {
            calls += 1;
            // SAFETY: the headers done..count were filled by the caller from borrows that outlive this call, and their
            // vectors stand in `self.vectors`, which does not move.
            let sent = unsafe {
                let from = self.headers.as_mut_ptr().add(done);
                let count = (count - done) as libc::c_uint;
                // The C library's own function is a place where a thread may be cancelled, and locks the bus twice to say so.
                libc::syscall(libc::SYS_sendmmsg, socket.as_raw_fd(), from, count, libc::MSG_DONTWAIT)
            };
            if sent > 0 {
                done += sent as usize;
                continue;
            }
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            let failure = Failure::from(&error);
            let until = if failure == Failure::Full { count } else { done + 1 };
            (done..until).for_each(|at| failed(at, failure));
            done = until;
        }
        calls
    }
}

impl Default for Batch {
    fn default() -> Self {
        Batch::new()
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Batch")
    }
}

impl Failure {
    /// Every failure with the word that counters show.
    pub const TABLE: [(Failure, &'static str); 5] = [
        (Failure::Full, "socket-full"),
        (Failure::Forbidden, "forbidden"),
        (Failure::Unreachable, "unreachable"),
        (Failure::TooLarge, "too-large"),
        (Failure::Other, "other"),
    ];
}

impl From<&io::Error> for Failure {
    fn from(error: &io::Error) -> Failure {
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => Failure::Full,
            Some(libc::EPERM | libc::EACCES) => Failure::Forbidden,
            Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ECONNREFUSED | libc::ENETDOWN) => Failure::Unreachable,
            Some(libc::EMSGSIZE) => Failure::TooLarge,
            _ => Failure::Other,
        }
    }
}

fn vector(payload: &[u8]) -> libc::iovec {
    // sendmmsg only reads through the pointer.
    libc::iovec { iov_base: payload.as_ptr().cast_mut().cast(), iov_len: payload.len() }
}

fn address(header: &mut libc::mmsghdr, target: &Address, vector: *mut libc::iovec) {
    header.msg_hdr.msg_name = target.as_ptr().cast_mut();
    header.msg_hdr.msg_namelen = target.length();
    header.msg_hdr.msg_iov = vector;
    header.msg_hdr.msg_iovlen = 1;
}

#[cfg(test)]
mod tests;
