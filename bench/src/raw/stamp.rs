//! When the kernel took a datagram in, and the clock that says so.

use std::{io, mem::zeroed, net::UdpSocket, os::fd::AsRawFd, ptr};

use super::socket::set;

/// Room for the control data of one datagram.
#[derive(Clone, Copy, Debug)]
#[repr(align(8))]
pub(super) struct Control([u8; 64]);

impl Control {
    pub(super) const EMPTY: Control = Control([0; 64]);

    /// Lets `message` write its control data here.
    pub(super) fn attach(&mut self, message: &mut libc::msghdr) {
        message.msg_control = self.0.as_mut_ptr().cast();
        message.msg_controllen = self.0.len() as _;
    }
}

/// Asks the kernel to stamp what the socket receives.
pub fn stamp(socket: &UdpSocket) {
    let on: libc::c_int = 1;
    assert!(set(socket, libc::SO_TIMESTAMPNS, &on), "the kernel stamps received datagrams");
}

/// Nanoseconds of the wall clock, the one that stamps use.
pub fn wall_ns() -> u64 {
    // SAFETY: the kernel fills one timespec.
    let now = unsafe {
        let mut now: libc::timespec = zeroed();
        libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now);
        now
    };
    nanoseconds(now)
}

/// Steps per second in which the kernel accounts CPU time to processes.
pub fn ticks_per_s() -> u32 {
    // SAFETY: the call reads one number of the system and touches no memory of ours.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u32::try_from(ticks).expect("the kernel accounts in steps")
}

/// Receives one datagram: its length, and when the kernel took it in, in nanoseconds of the wall clock.
pub fn receive_stamped(socket: &UdpSocket, space: &mut [u8]) -> io::Result<(usize, u64)> {
    let mut control = Control::EMPTY;
    let mut vector = libc::iovec { iov_base: space.as_mut_ptr().cast(), iov_len: space.len() };
    // SAFETY: the message points at `vector`, `space` and `control`, which outlive the call and what is read of it.
    unsafe {
        let mut message: libc::msghdr = zeroed();
        message.msg_iov = &raw mut vector;
        message.msg_iovlen = 1;
        control.attach(&mut message);
        let length = libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0);
        if length < 0 {
            return Err(io::Error::last_os_error());
        }
        let stamp = of_message(&message).ok_or_else(|| io::Error::other("the datagram carries no stamp"))?;
        Ok((length as usize, stamp))
    }
}

/// The stamp of a received message.
///
/// # Safety
/// The kernel has filled the message in, and its control data is still where the message says.
pub(super) unsafe fn of_message(message: &libc::msghdr) -> Option<u64> {
    // SAFETY: the caller vouches for the message; the kernel's own macros stay within the length that it reported.
    unsafe {
        let mut at = libc::CMSG_FIRSTHDR(&raw const *message);
        while !at.is_null() {
            if (*at).cmsg_level == libc::SOL_SOCKET && (*at).cmsg_type == libc::SCM_TIMESTAMPNS {
                return Some(nanoseconds(ptr::read_unaligned(libc::CMSG_DATA(at).cast())));
            }
            at = libc::CMSG_NXTHDR(&raw const *message, at);
        }
    }
    None
}

fn nanoseconds(time: libc::timespec) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
