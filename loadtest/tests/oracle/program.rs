//! Whether a program is there to be asked.

use std::{
    io::Write,
    process::{Command, Stdio},
};

/// Whether `program` runs with `arguments`. If not, the caller's test is skipped, visibly, and not in CI.
pub(crate) fn there(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let there = command.status().is_ok_and(|status| status.success());
    let asked = [&[program], arguments].concat().join(" ");
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(there || !ci, "`{asked}` fails; CI must have it installed");
    if !there {
        // Past the test harness, which keeps to itself what a passing test prints.
        _ = writeln!(std::io::stderr(), "skipped: {program} is not installed (`{asked}` fails)");
    }
    there
}
