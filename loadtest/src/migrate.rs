//! A user moves: two MC systems, running calls, and users that go there and back while they listen (TS 23.280 §10.16.2).
//!
//! Two nodes run as processes of their own, with a trunk between them. What callers see is recorded, and judged without a node
//! by what the talkers did.

pub mod ear;
pub mod field;
pub mod judge;
pub mod nodes;
pub mod paired;
pub mod plan;
pub mod play;
pub mod record;
pub mod report;
pub mod user;
