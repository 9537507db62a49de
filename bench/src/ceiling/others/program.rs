//! A program that somebody else wrote, for as long as it is measured.

use std::process::{Child, Command, Stdio};

/// It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Program {
    child: Child,
}

impl Program {
    /// Starts it, silent, on the core of this thread. `None` if it is not there.
    pub(super) fn start(name: &str, arguments: &[String]) -> Option<Program> {
        let silent = || Stdio::null();
        let child = Command::new(name).args(arguments).stdin(silent()).stdout(silent()).stderr(silent()).spawn();
        Some(Program { child: child.ok()? })
    }

    /// Its process number.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended by itself.
    pub(super) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Whether a program is there and ends well.
pub(super) fn succeeds(name: &str, arguments: &[&str]) -> bool {
    let output = Command::new(name).args(arguments).stdin(Stdio::null()).output();
    output.is_ok_and(|output| output.status.success())
}
