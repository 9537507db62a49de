//! Load test.

fn main() {}
