//! Options of sockets that std does not know.

use std::{net::UdpSocket, os::fd::AsRawFd};

/// `SO_MEMINFO` and the place of the drop counter in its answer (linux/sock_diag.h); libc does not name them.
const SO_MEMINFO: libc::c_int = 55;
const MEMINFO_DROPS: usize = 8;

/// Asks for a receive queue of `bytes`, past the system's limit if that is allowed.
pub fn deepen(socket: &UdpSocket, bytes: usize) {
    let space = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    for option in [libc::SO_RCVBUFFORCE, libc::SO_RCVBUF] {
        if set(socket, option, &space) {
            break;
        }
    }
}

/// Lets the kernel throw away whatever comes to the socket, at the place where it would be queued: a sink that nobody has to empty.
/// Who sends pays for everything but the queue.
pub fn refuse_all(socket: &UdpSocket) {
    // A program of one instruction: BPF_RET | BPF_K, keep 0 bytes.
    let mut instruction = libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: 0 };
    let program = libc::sock_fprog { len: 1, filter: &raw mut instruction };
    assert!(set(socket, libc::SO_ATTACH_FILTER, &program), "the kernel takes a socket filter");
}

/// Datagrams that the kernel dropped because the socket's queue was full (or its filter refused them), since it was opened.
pub fn kernel_drops(socket: &UdpSocket) -> u64 {
    let mut info = [0u32; 9];
    let mut length = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes into `info`, which is that long.
    let answer = unsafe {
        let into = info.as_mut_ptr().cast();
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, SO_MEMINFO, into, &raw mut length)
    };
    if answer == 0 { u64::from(info[MEMINFO_DROPS]) } else { 0 }
}

/// Sets an option of the socket layer; false if the kernel refuses it.
pub(super) fn set<T>(socket: &UdpSocket, option: libc::c_int, value: &T) -> bool {
    // SAFETY: the kernel reads no more than the size of `value`, and copies what it points to before the call returns.
    unsafe {
        let length = size_of::<T>() as libc::socklen_t;
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, (&raw const *value).cast(), length) == 0
    }
}
