//! Many datagrams received in one system call.

use std::{mem::zeroed, net::UdpSocket, os::fd::AsRawFd, ptr};

use super::{
    BATCH,
    stamp::{Control, of_message},
};

/// Bytes kept of a datagram; more than any that is measured.
const SIZE: usize = 256;

/// Space for one `recvmmsg`.
pub struct Drain {
    headers: Vec<libc::mmsghdr>,
    vectors: Vec<libc::iovec>,
    control: Vec<Control>,
    space: Vec<u8>,
}

impl Drain {
    /// Room for one batch.
    pub fn new() -> Drain {
        // SAFETY: mmsghdr is plain old data; all zeros is a value of it.
        let headers = vec![unsafe { zeroed() }; BATCH];
        let vectors = vec![libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; BATCH];
        Drain { headers, vectors, control: vec![Control::EMPTY; BATCH], space: vec![0; SIZE * BATCH] }
    }

    /// Takes what is there without looking at it; answers how many datagrams, at most `BATCH`.
    pub fn take(&mut self, socket: &UdpSocket) -> usize {
        self.receive(socket, false)
    }

    /// Takes what is there and shows each datagram with its stamp, 0 if it has none.
    pub fn take_each(&mut self, socket: &UdpSocket, mut each: impl FnMut(&[u8], u64)) -> usize {
        let taken = self.receive(socket, true);
        for (header, space) in self.headers.iter().zip(self.space.chunks(SIZE)).take(taken) {
            // SAFETY: the kernel has just filled this header in; `control` has not been touched since.
            let stamp = unsafe { of_message(&header.msg_hdr) };
            each(&space[..(header.msg_len as usize).min(SIZE)], stamp.unwrap_or(0));
        }
        taken
    }

    fn receive(&mut self, socket: &UdpSocket, stamped: bool) -> usize {
        let rooms = self.vectors.iter_mut().zip(self.space.chunks_mut(SIZE)).zip(&mut self.control);
        for (header, ((vector, space), control)) in self.headers.iter_mut().zip(rooms) {
            *vector = libc::iovec { iov_base: space.as_mut_ptr().cast(), iov_len: space.len() };
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_controllen = 0;
            if stamped {
                control.attach(&mut header.msg_hdr);
            }
        }
        // SAFETY: the headers point at vectors, space and control that this value owns and does not move meanwhile.
        let taken = unsafe {
            let (headers, flags) = (self.headers.as_mut_ptr(), libc::MSG_DONTWAIT);
            libc::recvmmsg(socket.as_raw_fd(), headers, BATCH as u32, flags, ptr::null_mut())
        };
        usize::try_from(taken).unwrap_or(0)
    }
}

impl Default for Drain {
    fn default() -> Drain {
        Drain::new()
    }
}

impl std::fmt::Debug for Drain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Drain")
    }
}
