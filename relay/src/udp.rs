//! UDP as a worker uses it: sockets opened once, many datagrams per system call. The only unsafe code of the media plane.

mod address;
mod batch;
mod doorbell;
mod socket;
mod watch;

pub use address::Address;
pub use batch::{BATCH, Batch, Failure};
pub use doorbell::Doorbell;
pub use socket::{Received, Socket};
pub use watch::watch;
