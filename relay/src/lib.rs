//! The media plane of a node: pinned workers, their UDP sockets, and one owner for every call.
//!
//! It refuses to know: HTTP, groups, users' rights, the store. It executes what `relay-core` decides.
//!
//! 1. A worker is one pinned thread with its own sockets. Of a large call others send a part, from the owner's socket: packets and
//!    changes go to them on one bounded way, and nothing else of the packet path is shared.
//! 2. A call has one owner. Its packets arrive there, are ordered there, and leave from there or as it says.
//! 3. What changes in a roster reaches the owner through the lock-free table; everything else comes by bounded mail.
//! 4. Every answer waits for the owner, and no answer waits for longer than two seconds.
//! 5. `unsafe` lives in `udp`, where the system calls are.

mod allotment;
pub mod call;
mod clock;
pub mod config;
pub mod event;
mod exchange;
mod expecting;
mod mail;
pub mod metrics;
mod node;
mod status;
pub mod trunk;
#[allow(unsafe_code)] // the system calls
pub mod udp;
mod worker;

pub use allotment::Exhausted;
pub use call::{Call, Entered, Entering, FloorAction, FloorAnswer, FloorResult, ParticipantFacts, Status};
pub use config::{CallSettings, Config, FloorSettings};
pub use event::{Event, Subscription, TrunkEvent};
pub use exchange::LetterError;
pub use node::{PartnerCall, Ports, Relay, StartError};
