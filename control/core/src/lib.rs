//! Rules of the control plane of an MC system: groups and their members, legs, and why something is refused.
//!
//! It refuses to know: HTTP, sockets, clocks, the media plane's threads.
//!
//! 1. A rule answers with a `Refused` that names a cause from one table; faces only translate it.
//! 2. A document is checked once, when it comes in; what is stored is right.
//! 3. The key of membership is the primary MC service ID.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod cause;
pub mod ended;
#[cfg(test)]
mod golden;
pub mod group;
pub mod leg;
pub mod release;
pub mod system;
pub mod user;

pub use cause::{Cause, Refused};
