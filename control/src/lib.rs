//! The control plane of a node: it keeps groups and calls, and drives the media plane over which it never decides.
//!
//! It refuses to know: what a packet looks like, who has the floor and why.
//!
//! 1. A face translates: what is right is decided in `control-core`, what is running is known to `registry`.
//! 2. An answer says what is true when it is given: an entry is served, a departure is silent.
//! 3. Concurrent requests for one group, or one client, take turns; everything else does not wait.
//! 4. What this build does not have says so by name.

pub mod audit;
pub mod certs;
pub mod cli;
pub mod http;
mod keeping;
mod mobility;
pub mod node;
mod partners;
mod registry;
pub mod store;
mod turns;
