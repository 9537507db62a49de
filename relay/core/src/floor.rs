//! Floor control of MCPTT: messages and state machines of TS 24.380.

pub mod cause;
pub mod field;
pub mod message;
