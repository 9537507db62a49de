//! Running calls: started once per group, ended once.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::SystemTime,
};

use control_core::{
    Cause, Refused,
    group::{Group, Standing},
    release::Release,
};
use dashmap::Entry;
use relay::{Call, CallSettings, FloorSettings, PartnerCall, call::JoinError};
use relay_core::{Millis, Ssrc};

use super::{
    Change, Registry, exhausted, mint,
    participants::{Participants, Placed},
};

/// A running call.
pub(crate) struct CallRecord {
    pub(crate) id: String,
    pub(crate) group: String,
    /// The system that defines the group; `None`: this one.
    pub(crate) home: Option<String>,
    pub(crate) since: SystemTime,
    pub(crate) media: Call,
    pub(super) participants: Mutex<Participants>,
    pub(super) release: Mutex<Release>,
    /// What neither this system nor the home still had when their trunk came back: SSRC, first, last; the newest.
    missed: Mutex<VecDeque<(Ssrc, u64, u64)>>,
}

/// Gaps that a call remembers.
const MISSED_MAX: usize = 64;

/// How the call of a group is opened.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    /// The system that defines the group; `None`: this one.
    pub(crate) home: Option<String>,
    /// How calls of the group are run.
    pub(crate) document: Arc<Group>,
    /// Whether the home starts a call if none runs.
    pub(crate) start: bool,
}

impl Registry {
    /// The running call of a group, or a new one. True if it is new. Whoever starts it has to enter it, or to end it. `opening` is
    /// how the call of a partner's group is run; `None`: the group is stored here.
    pub(crate) fn call_to_enter(
        &self,
        group: &str,
        opening: Option<Opening>,
    ) -> Result<(Arc<CallRecord>, bool), Refused> {
        // The row is held until the call stands in it: the group is neither started twice nor deleted meanwhile.
        let row = match self.by_group.entry(group.to_owned()) {
            Entry::Occupied(row) => return Ok((Arc::clone(row.get()), false)),
            Entry::Vacant(row) => row,
        };
        let opening = match opening {
            Some(opening) => opening,
            None => Opening { home: None, document: self.group(group)?.group, start: true },
        };
        if !opening.document.enabled {
            return Err(Refused::new(Cause::GroupDisabled, group, format!("{group} is disabled")));
        }
        let id = mint();
        let media = self.open(&id, group, &opening)?;
        // The call of a partner's group is released by its home; here it ends with its last participant.
        let grace_s = if opening.home.is_none() { opening.document.migration_grace_s } else { 0 };
        let call = Arc::new(CallRecord {
            id: id.clone(),
            group: group.to_owned(),
            home: opening.home,
            since: SystemTime::now(),
            media,
            participants: Mutex::new(Participants::default()),
            release: Mutex::new(Release::new(grace_s)),
            missed: Mutex::default(),
        });
        self.calls.insert(id, Arc::clone(&call));
        row.insert(Arc::clone(&call));
        self.counters.calls_started.fetch_add(1, Ordering::Relaxed);
        tracing::info!(call = call.id, "call started");
        Ok((call, true))
    }

    /// Opens the media plane's side of a call. Its role follows from the home: a call of a partner's group has its floor there.
    fn open(&self, id: &str, group: &str, opening: &Opening) -> Result<Call, Refused> {
        let settings = settings(&opening.document);
        let Some(system) = opening.home.as_deref() else {
            return self.relay.open_call(Arc::from(id), settings).map_err(|full| exhausted(&full));
        };
        let home = PartnerCall { system, group, start: opening.start };
        let opened = self.relay.open_partner_call(Arc::from(id), settings, home).map_err(|full| exhausted(&full))?;
        opened.ok_or_else(|| {
            Refused::new(Cause::NoAgreement, system, format!("{system}, which defines {group}, is no partner"))
        })
    }

    /// Waits until the home of a partner's group has taken the call in; a call whose home is here is in at once.
    pub(crate) async fn joined(&self, call: &CallRecord) -> Result<(), Refused> {
        call.media.joined().await.map_err(|error| match error {
            JoinError::Unreachable => Refused::new(Cause::HomeUnreachable, &call.group, error.to_string()),
            JoinError::Refused(word) => {
                let cause = Cause::of_code(&word).unwrap_or(Cause::HomeUnreachable);
                Refused::new(cause, &call.group, format!("the home of {} answered {word}", call.group))
            }
            JoinError::Ended => Refused::new(Cause::CallEnded, &call.id, format!("call {} has ended", call.id)),
        })
    }

    /// The lock under which a group's call is started.
    pub(crate) fn start_lock(&self, group: &str) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(self.starts.entry(group.to_owned()).or_default().value())
    }

    pub(crate) fn call_of_group(&self, group: &str) -> Option<Arc<CallRecord>> {
        self.by_group.get(group).map(|call| Arc::clone(call.value()))
    }

    /// The running call with this id.
    pub(crate) fn call(&self, id: &str) -> Result<Arc<CallRecord>, Refused> {
        if let Some(call) = self.calls.get(id).map(|call| Arc::clone(call.value())) {
            return Ok(call);
        }
        let (cause, detail) = match self.has_ended(id) {
            true => (Cause::CallEnded, format!("call {id} has ended")),
            false => (Cause::NoSuchCall, format!("call {id} is not known here")),
        };
        Err(Refused::new(cause, id, detail))
    }

    /// The call stands, and its first participant is known to everybody who has to know.
    pub(crate) fn began(&self, call: &CallRecord) {
        self.changed(Change::Call { group: call.group.clone(), runs: true });
        // An end that was quicker was reported before the beginning.
        if !self.calls.contains_key(&call.id) {
            self.changed(Change::Call { group: call.group.clone(), runs: false });
        }
    }

    /// What a participant is in the group of a call now. The home of a partner's group has said so when it entered.
    pub(crate) fn standing(&self, call: &CallRecord, placed: &Placed) -> Result<Standing, Refused> {
        match call.home {
            None => self.group(&call.group)?.standing(&placed.asked.user),
            Some(_) => Ok(placed.standing),
        }
    }

    /// Ends a call for everybody. Nothing more is sent when this returns.
    pub(crate) async fn end(&self, call: &CallRecord) -> Result<(), Refused> {
        let participants = call.close_doors();
        if self.calls.remove(&call.id).is_none() {
            return Ok(());
        }
        self.by_group.remove_if(&call.group, |_, running| running.id == call.id);
        // The call last: where too many ended, what is asked most is forgotten last.
        participants.iter().for_each(|id| self.remember(id));
        self.remember(&call.id);
        self.counters.calls_released.fetch_add(1, Ordering::Relaxed);
        tracing::info!(call = call.id, "call released");
        self.changed(Change::Call { group: call.group.clone(), runs: false });
        match call.media.close().await {
            Ok(()) | Err(relay::call::AskError::Ended) => Ok(()),
            Err(error) => Err(Refused::new(Cause::OwnerSilent, &call.id, error.to_string())),
        }
    }

    /// Ends a call whose hang time ran out when its roster stood at `epoch`. Whoever entered meanwhile keeps the call alive.
    pub(crate) async fn end_at(&self, call: &CallRecord, epoch: u64) -> Result<(), Refused> {
        match call.media.end_at(epoch) {
            true => self.end(call).await,
            false => Ok(()),
        }
    }

    /// Every running call above `after`, in the order of their ids.
    pub(crate) fn calls_after(&self, after: Option<&str>) -> Vec<Arc<CallRecord>> {
        let above = |id: &str| after.is_none_or(|after| id > after);
        let running = self.calls.iter().filter(|row| above(row.key()));
        let mut all: Vec<_> = running.map(|row| Arc::clone(row.value())).collect();
        all.sort_by(|one, other| one.id.cmp(&other.id));
        all
    }

    pub(crate) fn calls_len(&self) -> usize {
        self.calls.len()
    }
}

impl CallRecord {
    /// A gap that nobody can fill any more.
    pub(crate) fn miss(&self, ssrc: Ssrc, first: u64, last: u64) {
        let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        if missed.len() == MISSED_MAX {
            missed.pop_front();
        }
        missed.push_back((ssrc, first, last));
    }

    /// The gaps that nobody can fill any more, oldest first.
    pub(crate) fn missed(&self) -> Vec<(Ssrc, u64, u64)> {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

/// What the media plane is told of a group.
pub(super) fn settings(group: &Group) -> CallSettings {
    CallSettings {
        floor: FloorSettings {
            queueing: group.floor.queueing,
            max_burst_s: group.floor.max_burst_s,
            hang_time_s: group.floor.hang_time_s,
            queue_max: group.queue_max,
        },
        retention: Millis(group.media.retention_ms),
        entry: Millis(group.media.entry_ms),
        packets_per_s: group.media.packets_per_s,
        bytes_per_s: group.media.bytes_per_s,
        participants_max: group.participants_max,
        privacy: group.floor.privacy,
        // No group document and no request names an emergency yet.
        urgent: false,
    }
}
