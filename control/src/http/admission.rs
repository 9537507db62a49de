//! Who may enter the call of a group by itself, and as whom.

use control_core::{
    Cause, Refused,
    group::Standing,
    system::{Answer, Ask},
};

use super::Face;
use crate::registry::{Entry, Opening};

/// An entry that may be carried out.
pub(super) struct Admitted {
    /// With the primary MC service ID: the key from here on.
    pub(super) entry: Entry,
    pub(super) standing: Standing,
    /// How the call of a partner's group is opened; `None`: the group is stored here.
    pub(super) opening: Option<Opening>,
    /// The system has affiliated it, or knows that it is: it is told if nothing becomes of the entry.
    is_known: bool,
}

impl Admitted {
    /// What has to be told if nothing becomes of the entry.
    pub(super) fn failure(&self, group: &str) -> Option<Ask> {
        let (user, client) = (self.entry.user.clone(), self.entry.client.clone());
        self.is_known.then(|| Ask::EntryFailed { user, client, group: group.to_owned() })
    }
}

/// Passes on how an entry ended. Of one that failed the affiliation is undone before the client hears of it.
pub(super) async fn concluded<T>(face: &Face, failure: Option<Ask>, entered: Result<T, Refused>) -> Result<T, Refused> {
    if entered.is_err()
        && let Some(failure) = failure
        && let Err(refused) = face.mobility.ask(failure).await
    {
        tracing::warn!("an affiliation is left behind by an entry that failed: {}", refused.detail);
    }
    entered
}

/// Admits a client. The system is asked where users are stored, or the group is a partner's; members of a group of this system
/// whom the system does not know come in by the group's document alone.
pub(super) async fn admit(face: &Face, group: &str, entry: Entry) -> Result<Admitted, Refused> {
    let stored = face.registry.group(group);
    let is_own = stored.as_ref().is_ok_and(|stored| stored.group.home.is_none());
    if face.mobility.is_in_use() || (stored.is_ok() && !is_own) {
        let (user, client) = (entry.user.clone(), entry.client.clone());
        match face.mobility.ask(Ask::EnterByClient { user, client, group: group.to_owned() }).await {
            Ok(Answer::MayEnter { user, home, document, standing }) => {
                let opening = document.map(|document| Opening { home, document, start: true });
                return Ok(Admitted { entry: Entry { user, ..entry }, standing, opening, is_known: true });
            }
            Ok(_) => return Err(super::unexpected()),
            Err(refused) if refused.cause == Cause::NoSuchUser && is_own => {}
            Err(refused) if refused.cause == Cause::NoSuchUser && stored.is_err() => {}
            Err(refused) => return Err(refused),
        }
    }
    let standing = stored?.standing(&entry.user)?;
    Ok(Admitted { entry, standing, opening: None, is_known: false })
}
