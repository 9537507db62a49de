//! One system, and two systems with a trunk between them, over a store and a media plane that take their time.

mod again;
mod alone;
mod asks;
mod letters;
mod limits;
mod moves;
mod partners;
mod random;
mod refusals;
mod rollback;
mod world;
