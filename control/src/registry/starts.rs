//! Entering the call of a group that is started if none runs.

use std::sync::Arc;

use control_core::{Cause, Refused, group::Standing};

use super::{CallRecord, Entry, Opening, Registry, Seat};

/// How often a start looks for the running call again that ended before it was entered.
const ATTEMPTS: usize = 3;

impl Registry {
    /// Enters a client into the call of a group, and starts it if none runs. True if it was started: then
    /// whoever asked says that it `began`. `opening` is how the call of
    /// a partner's group is run; `None`: the group is stored here.
    pub(crate) async fn start(
        &self,
        group: &str,
        opening: Option<Opening>,
        entry: Entry,
        standing: Standing,
    ) -> Result<(Seat, bool), Refused> {
        let lock = self.start_lock(group);
        for _ in 0..ATTEMPTS {
            let guard = lock.lock().await;
            let (call, is_new) = self.call_to_enter(group, opening.clone())?;
            let entered = match is_new {
                true => self.first(&call, entry.clone(), standing).await,
                false => {
                    drop(guard);
                    self.joined(&call).await?;
                    self.enter(&call, entry.clone(), standing).await
                }
            };
            match entered {
                Err(refused) if refused.cause == Cause::CallEnded => {
                    // It is no longer found once its end is complete, whoever began that.
                    _ = self.end(&call).await;
                }
                entered => return entered.map(|seat| (seat, is_new)),
            }
        }
        Err(Refused::new(Cause::CallEnded, group, "the running call ended while it was entered"))
    }

    /// Enters the originator of a new call; without it there is no call.
    async fn first(&self, call: &Arc<CallRecord>, entry: Entry, standing: Standing) -> Result<Seat, Refused> {
        let entered = match self.joined(call).await {
            Ok(()) => self.enter(call, entry, standing).await,
            Err(refused) => Err(refused),
        };
        if entered.is_err()
            && let Err(refused) = self.end(call).await
        {
            tracing::warn!("call {} not released: {}", call.id, refused.detail);
        }
        entered
    }
}
