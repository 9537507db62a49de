//! What outlives the process, as the rules and the faces use it: the store, and the audit trail.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use control_core::{
    Cause, Refused,
    group::Group,
    system::{self, Record, System},
};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::{
    audit::{Audit, Lately},
    mobility::{Store, Trail, Written},
    store::{self, Loaded, OpenError, Redb, Store as _, groups},
};

/// The store and the trail of a data directory.
pub(crate) struct Keeping {
    store: Mutex<Option<Redb>>,
    audit: Mutex<Option<Audit>>,
    lately: Mutex<Lately>,
}

/// What a data directory held at the start.
pub(crate) struct Kept {
    pub(crate) machine: System<Value>,
    /// Whether there was anything for the machine.
    pub(crate) in_use: bool,
    pub(crate) groups: Vec<(String, Group, u64)>,
}

/// Why a data directory is of no use.
#[derive(Debug, thiserror::Error)]
pub enum KeepingError {
    /// The store or the trail cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A row cannot be read.
    #[error(
        "row {key} of {table} cannot be read: {reason}; start the build that wrote it, or restore a copy of the directory"
    )]
    Row {
        /// Which table.
        table: String,
        /// Which row.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

impl Keeping {
    /// Opens a data directory, which is created if it is missing, and reads what it holds.
    pub(crate) fn open(dir: &Path, system: &str) -> Result<(Arc<Keeping>, Kept), KeepingError> {
        let (store, rows) = Redb::open(dir)?;
        let audit = Audit::open(dir)?;
        let (documents, rows): (Vec<Loaded>, Vec<Loaded>) =
            rows.into_iter().partition(|row| row.table == groups::TABLE);
        let in_use = !rows.is_empty();
        let rows = rows.into_iter().map(|row| (row.table, row.key, row.value));
        let machine = System::restore(system, rows).map_err(|unreadable| KeepingError::Row {
            table: unreadable.table,
            key: unreadable.key,
            reason: unreadable.why,
        })?;
        let group = |row: Loaded| match groups::decode(&row.value) {
            Ok((group, revision)) => Ok((row.key, group, revision)),
            Err(error) => Err(KeepingError::Row { table: row.table, key: row.key, reason: error.to_string() }),
        };
        let groups = documents.into_iter().map(group).collect::<Result<_, _>>()?;
        let keeping =
            Keeping { store: Mutex::new(Some(store)), audit: Mutex::new(Some(audit)), lately: Mutex::default() };
        Ok((Arc::new(keeping), Kept { machine, in_use, groups }))
    }

    /// Writes what waits, and lets the directory go.
    pub(crate) fn stop(&self) {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner).take();
        let audit = self.audit.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(store) = store {
            store.stop();
        }
        if let Some(audit) = audit {
            audit.stop();
        }
    }

    /// Refusals that were not written because `audit.refusals_per_min` were.
    pub(crate) fn held_back(&self) -> u64 {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner).held_back()
    }

    /// What was stored and audited.
    pub(crate) fn counters(&self) -> (store::Counters, crate::audit::Counters) {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let audit = self.audit.lock().unwrap_or_else(PoisonError::into_inner);
        (
            store.as_ref().map(|store| store.counters()).unwrap_or_default(),
            audit.as_ref().map(|audit| audit.counters()).unwrap_or_default(),
        )
    }
}

impl Store for Keeping {
    fn write(&self, records: Vec<Record>, done: Written) {
        match &*self.store.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(store) => store.write(records, |result| done(result.map_err(|error| error.to_string()))),
            None => done(Err(store::WriteError::Stopped.to_string())),
        }
    }
}

impl Trail for Keeping {
    fn append(&self, audit: &system::Audit, at: SystemTime) {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(audit) = lately.admit(audit, at) else { return };
        drop(lately);
        tracing::info!(system = audit.system, cause = audit.cause, "{}", audit.event);
        if let Some(trail) = &*self.audit.lock().unwrap_or_else(PoisonError::into_inner) {
            trail.append(&audit, at);
        }
    }
}

/// Hands one record to the store now; what is answered waits until it is durable.
pub(crate) fn keep(keeping: &Keeping, record: Record) -> impl Future<Output = Result<(), Refused>> + use<> {
    let (done, kept) = oneshot::channel();
    // Whoever asked may have gone; the record stays.
    keeping.write(vec![record], Box::new(move |result| _ = done.send(result)));
    async move {
        let why = match kept.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) => why,
            Err(_) => store::WriteError::Stopped.to_string(),
        };
        Err(Refused::new(Cause::Internal, "store", why).advise("see the node's log; restart it when it can store"))
    }
}
