//! Systems on loopback, each with its own thread, certificates and port.

mod limits;
mod moving;
mod refusing;
mod stage;
mod standing;
