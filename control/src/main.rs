//! A node of an MC system.

fn main() {}
