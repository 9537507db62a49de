//! Where `unsafe` may live, and what the root of a core declares.

use crate::source::{blank, identifiers};

pub(crate) const ROOTS: [&str; 2] = ["relay/core/src/lib.rs", "control/core/src/lib.rs"];

const PLACES: [&str; 4] = ["relay/table/", "relay/src/udp/", "bench/", "relay/fuzz/"];

const DECLARED: [&str; 2] = ["#![no_std]", "#![forbid(unsafe_code)]"];

/// The keyword; a comment or a lint may speak of it anywhere.
pub(crate) fn check_unsafe(path: &str, text: &str) -> Vec<String> {
    if PLACES.iter().any(|place| path.starts_with(place)) {
        return Vec::new();
    }
    let blanked = blank(text);
    let found = identifiers(&blanked).filter(|(_, word)| *word == "unsafe");
    found.map(|(number, _)| format!("{path}:{number}: unsafe lives in {} only", PLACES.join(", "))).collect()
}

pub(crate) fn check_core(path: &str, text: &str) -> Vec<String> {
    let code: String = blank(text).split_whitespace().collect();
    let missing = DECLARED.iter().filter(|attribute| !code.contains(**attribute));
    missing.map(|attribute| format!("{path} is the root of a core and has to say {attribute}")).collect()
}

#[test]
fn unsafe_code_elsewhere_is_seen() {
    for path in ["relay/table/src/published.rs", "relay/src/udp/batch.rs", "bench/src/raw.rs"] {
        assert!(check_unsafe(path, "unsafe { x }").is_empty(), "{path}");
    }
    assert!(check_unsafe("relay/core/src/call.rs", "#![forbid(unsafe_code)] // unsafe").is_empty());
    for path in ["relay/src/worker.rs", "relay/src/udp.rs", "relay/core/src/lib.rs", "control/src/main.rs"] {
        assert_eq!(check_unsafe(path, "let x = \"//\"; unsafe { x }").len(), 1, "{path}");
    }
}

#[test]
fn a_core_that_promises_less_is_seen() {
    assert!(check_core("a.rs", "//! A core.\n#![no_std]\n#![forbid( unsafe_code )]\n").is_empty());
    assert_eq!(check_core("a.rs", "#![no_std]\n#![deny(unsafe_code)]\n").len(), 1);
    assert_eq!(check_core("a.rs", "//! #![no_std]\n// #![forbid(unsafe_code)]\n").len(), 2);
    assert_eq!(check_core("a.rs", "#![cfg_attr(not(test), no_std)]\n#![forbid(unsafe_code)]\n").len(), 1);
}
