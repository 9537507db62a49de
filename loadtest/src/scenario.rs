//! Scenarios: what happens when, the same in every world.

pub mod late_entry;
pub mod resume;
