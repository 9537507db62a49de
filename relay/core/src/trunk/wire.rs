//! The trunk's messages, as `docs/proto/trunk.proto` publishes them.

#![allow(missing_docs, unreachable_pub, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/carryover.trunk.v1.rs"));
