//! Watching a descriptor for something to read.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use tokio::io::{Interest, unix::AsyncFd};

/// Watches a second handle of the same socket, so that the first can be used and closed without regard to the watch.
pub fn watch(descriptor: BorrowedFd<'_>) -> io::Result<AsyncFd<OwnedFd>> {
    let own = descriptor.try_clone_to_owned()?;
    // SAFETY: an `OwnedFd` names one open descriptor until it is dropped, and it is dropped with the watch.
    unsafe { AsyncFd::register_with_interest(own, Interest::READABLE) }.map_err(|failed| failed.into_parts().1)
}
