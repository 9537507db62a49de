//! Limits that are too large to be reached by a test as they are.

use super::{AUTHORIZATIONS_MAX, USERS_MAX};

/// How much one system holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) users: usize,
    pub(super) authorizations: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { users: USERS_MAX, authorizations: AUTHORIZATIONS_MAX }
    }
}
