//! The trunk: what two relays say to each other, and what each believes of the other.

pub mod frame;
pub mod link;
mod overstep;
pub mod range;
pub mod stream;
pub mod wire;

pub use overstep::Overstep;
pub use range::Range;
