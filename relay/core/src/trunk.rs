//! The trunk: what two relays say to each other, and what each believes of the other.

pub mod frame;
pub mod link;
pub mod range;
pub mod stream;
pub mod wire;

pub use range::Range;
