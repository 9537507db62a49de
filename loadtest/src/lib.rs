//! Synthetic callers and scenarios that say whether late entry keeps its promises, in virtual time and on real sockets.
//!
//! It refuses to know: how a node works inside. A scenario sees what callers see, and judges it by what talkers did.
//!
//! 1. A caller is pure; a world gives it sockets or simulates them. Both worlds run the same plan and the same judge.
//! 2. Everything random comes from one seed, which is printed first.
//! 3. The judge believes nobody: the node's own facts are judged too.
#![forbid(unsafe_code)]

pub mod answer;
pub mod caller;
pub mod capture;
pub mod client;
pub mod contract;
pub mod handset;
pub mod http;
pub mod leg;
pub mod migrate;
pub mod node;
pub mod real;
pub mod report;
pub mod scenario;
pub mod sim;
pub mod speech;
pub mod truth;
pub mod world;
