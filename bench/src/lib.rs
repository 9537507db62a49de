//! Measures the relay against raw loops in the same run: absolute times on a shared machine mean little, ratios hold.
//!
//! It refuses to know how the relay works inside: it drives it as control does, and counts what arrives.

#[allow(unsafe_code)] // a global allocator that counts
pub mod allocations;
pub mod ceiling;
#[allow(unsafe_code)] // system calls that std does not know
pub mod raw;
pub mod sink;
pub mod stepping;
