//! UDP as a worker uses it: sockets opened once, many datagrams per system call. The only unsafe code of the media plane.

mod address;
mod batch;
mod socket;

pub use address::Address;
pub use batch::{Batch, Failure};
pub use socket::{Received, Socket};
