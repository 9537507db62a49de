//! Rules of the media plane of an MC system.
//!
//! Wire formats (RTP, RTCP APP, the floor messages of TS 24.380), the floor of a call, its roster, its retention and the
//! late entry of participants. What comes in is a value and `now`; what goes out is data.
//!
//! It refuses to know: sockets, clocks, threads, unordered maps, HTTP, QUIC, SIP, and what media sounds like.
//!
//! 1. A machine has one shape: `handle(input, now)`, then `poll()` until it answers `Wake`.
//! 2. Bytes become a type once, by a parser that never indexes and never panics.
//! 3. Media is opaque: nothing here changes a byte of it.
//! 4. Only a floor machine can make a `Grant`; media leaves for nothing else.
//! 5. Late entry is the only way into a running call.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod call;
mod cursor;
pub mod distributor;
pub mod floor;
pub mod id;
pub mod late_entry;
pub mod retention;
pub mod roster;
pub mod rtcp;
pub mod rtp;
pub mod time;
pub mod trunk;
pub mod voice;

pub use id::{Order, Slot, Ssrc, TrunkId};
pub use time::{Millis, Time};
