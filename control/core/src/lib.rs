//! Rules of the control plane.
#![no_std]
#![forbid(unsafe_code)]
