//! Whether calls are alone with their worker: one that has it for itself sends in large chunks and is seldom interrupted, several
//! must not wait long for each other.

use relay_core::{Millis, Time};

/// How long a call counts as company after its last packet: talkers' packets are 20 to 60 ms apart.
const KEPT: Millis = Millis(200);

/// Whose media came last.
#[derive(Debug)]
pub(super) struct Company<P> {
    last: Option<P>,
    until: Time,
}

impl<P> Default for Company<P> {
    fn default() -> Self {
        Company { last: None, until: Time::ZERO }
    }
}

impl<P: Copy + PartialEq> Company<P> {
    /// Media of a call came, or of a slice of one.
    pub(super) fn heard(&mut self, call: P, now: Time) {
        if self.last.replace(call).is_some_and(|last| last != call) {
            self.until = now + KEPT;
        }
    }

    /// Whether media of several calls came of late.
    pub(super) fn is_there(&self, now: Time) -> bool {
        now < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_company_while_media_of_another_comes() {
        let at = |ms| Time::ZERO + Millis(ms);
        let mut company = Company::default();
        for ms in (0..1_000).step_by(20) {
            company.heard(1, at(ms));
            assert!(!company.is_there(at(ms)), "alone");
        }
        company.heard(2, at(1_000));
        assert!(company.is_there(at(1_000)) && company.is_there(at(1_199)) && !company.is_there(at(1_200)));
        company.heard(1, at(1_020));
        assert!(company.is_there(at(1_219)), "both still have media");
    }
}
