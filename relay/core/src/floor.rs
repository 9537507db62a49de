//! Floor control of MCPTT: messages and state machines of TS 24.380.

pub mod cause;
pub mod field;
pub mod general;
pub mod message;
pub mod non_controlling;
pub mod participant;
pub mod queue;
pub mod settings;

#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod script;
