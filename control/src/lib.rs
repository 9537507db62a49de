//! The control plane of a node: it keeps groups and calls, and drives the media plane over which it never decides.
//!
//! It refuses to know: what a packet looks like, who has the floor and why.

pub mod cli;
pub mod http;
pub mod node;
mod registry;
