//! What wakes a sleeping worker: an eventfd, which its poll loop watches like a socket.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

/// An eventfd. Pressing it while the worker is awake is remembered until it is hushed.
#[derive(Debug)]
pub struct Doorbell(OwnedFd);

impl Doorbell {
    /// A doorbell that nobody has pressed.
    pub fn new() -> io::Result<Doorbell> {
        // SAFETY: the call takes no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor, and nobody else has it.
        Ok(Doorbell(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Wakes whoever watches.
    pub fn press(&self) {
        let one = 1u64;
        // SAFETY: the kernel reads the eight bytes of `one`. It fails only if the count is full, which wakes just as well.
        unsafe { libc::write(self.as_raw_fd(), (&raw const one).cast(), size_of::<u64>()) };
    }

    /// Forgets that it was pressed.
    pub fn hush(&self) {
        let mut count = 0u64;
        // SAFETY: the kernel writes at most the eight bytes of `count`. It fails only if nobody has pressed.
        unsafe { libc::read(self.as_raw_fd(), (&raw mut count).cast(), size_of::<u64>()) };
    }
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Doorbell {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
