//! What the machine reaches outside of this process: the store, its partners, the audit trail.

use std::{sync::Arc, time::SystemTime};

use control_core::system::{Audit, Partner, Record};
use relay_core::trunk::wire;

/// Tells whether a write is durable. `Err`: why not, for an operator.
pub(crate) type Written = Box<dyn FnOnce(Result<(), String>) + Send>;

/// Keeps rows.
pub(crate) trait Store: Send + Sync {
    /// Makes the records durable, all or none, in the order of the calls; then says so, exactly once. Does not wait.
    fn write(&self, records: Vec<Record>, done: Written);
}

/// The trunks to partner systems.
pub(crate) trait Partners: Send + Sync {
    /// Writes to a partner; a letter that its trunk cannot take is lost with the trunk. Does not wait.
    fn send(&self, system: &str, letter: wire::Letter);

    /// A partner is new, has changed, or is gone (`None`): then its trunk is closed at once. Does not wait.
    fn put(&self, system: &str, partner: Option<Partner>);
}

/// The audit trail.
pub(crate) trait Trail: Send + Sync {
    /// Writes one line. Does not wait.
    fn append(&self, audit: &Audit, at: SystemTime);
}

/// Everything outside.
#[derive(Clone)]
pub(crate) struct Outside {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) partners: Arc<dyn Partners>,
    pub(crate) trail: Arc<dyn Trail>,
}

/// A store that forgets everything with the process.
#[cfg(test)]
pub(crate) struct Memory;

#[cfg(test)]
impl Store for Memory {
    fn write(&self, _: Vec<Record>, done: Written) {
        done(Ok(()));
    }
}

/// No trunk: every partner is down.
pub(crate) struct NoTrunk;

impl Partners for NoTrunk {
    fn send(&self, system: &str, _: wire::Letter) {
        tracing::debug!(system, "letter not sent: this node has no trunk; start it with --trunk");
    }

    fn put(&self, _: &str, _: Option<Partner>) {}
}

/// A trail that is the node's log only. Identities stay out of it.
#[cfg(test)]
pub(crate) struct LogOnly;

#[cfg(test)]
impl Trail for LogOnly {
    fn append(&self, audit: &Audit, _: SystemTime) {
        tracing::info!(system = audit.system, cause = audit.cause, "{}", audit.event);
        tracing::debug!(user = audit.user, "{}: {}", audit.event, audit.detail);
    }
}
