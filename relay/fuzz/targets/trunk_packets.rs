#![no_main]

#[allow(dead_code, reason = "each target runs one body")]
#[path = "../bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::trunk_packets(data));
