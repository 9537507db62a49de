//! Who takes part in a call, as control knows it: a user's client, its leg, and where the media plane has put it.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{Arc, MutexGuard, PoisonError},
    time::SystemTime,
};

use control_core::{Cause, Refused, group::Standing};
use relay::call::{AskError, Entered};
use relay_core::{
    Millis, Slot, Ssrc, TrunkId,
    late_entry::ResumePoint,
    roster::{Attachment, Behind},
};

use super::{CallRecord, Change, Registry, mint};

/// What a client asks for when it enters.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) user: String,
    pub(crate) client: String,
    pub(crate) leg: Attachment,
    /// What its partner announced for it; `None`: it is given an SSRC here.
    pub(crate) ssrc: Option<Ssrc>,
    pub(crate) queueing: bool,
    pub(crate) priority: u8,
    pub(crate) resume: Vec<ResumePoint>,
    pub(crate) implicit_floor_request: bool,
    pub(crate) expires: Option<Millis>,
}

/// Somebody's turn to enter or to leave.
pub(super) type Turn = tokio::sync::OwnedMutexGuard<Option<Placed>>;

/// One participant.
pub(crate) struct ParticipantRecord {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) client: String,
    pub(crate) entered: SystemTime,
    /// Where it is served; `None` before it entered and after it left. Entering and leaving take turns here.
    placed: Arc<tokio::sync::Mutex<Option<Placed>>>,
}

impl ParticipantRecord {
    pub(super) async fn placed_owned(&self) -> Turn {
        Arc::clone(&self.placed).lock_owned().await
    }

    /// The same if nobody is at it.
    pub(super) fn placed_now(&self) -> Option<Turn> {
        Arc::clone(&self.placed).try_lock_owned().ok()
    }
}

/// Where the media plane serves a participant.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) slot: Slot,
    pub(crate) entry: u64,
    pub(crate) ssrc: Ssrc,
    pub(crate) asked: Entry,
    pub(crate) standing: Standing,
}

/// A client that has just entered, and what it is told.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) call: Arc<CallRecord>,
    pub(crate) participant: Arc<ParticipantRecord>,
    pub(crate) placed: Placed,
    pub(crate) entered: Entered,
    /// It was not in the call before.
    pub(crate) is_new: bool,
}

/// Why a participant is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Departure {
    /// Somebody asked for it, or its leg was silent.
    Asked,
    /// The rules of the system ordered it, and know of it.
    Ordered {
        /// It goes to another system: the call outlives it for the grace of its group.
        moving: bool,
    },
}

/// The participants of one call.
#[derive(Default)]
pub(super) struct Participants {
    ended: bool,
    by_id: HashMap<String, Arc<ParticipantRecord>>,
    by_client: HashMap<(String, String), Arc<ParticipantRecord>>,
    by_slot: BTreeMap<Slot, Arc<ParticipantRecord>>,
    /// RTP addresses in use, and by whom.
    addresses: HashMap<SocketAddr, String>,
}

impl Registry {
    /// Takes a participant out. When this returns nothing more can be sent to it.
    pub(crate) async fn leave(&self, call: &CallRecord, id: &str) -> Result<(), Refused> {
        let record = self.participant(call, id)?;
        self.take_out(call, &record, None, Departure::Asked).await.map(drop)
    }

    /// Takes a client out, if it is there, as the rules ordered. When this returns nothing more can be sent to it.
    /// Answers the last packet that was sent to it, per SSRC.
    pub(crate) async fn take_out_client(
        self: &Arc<Self>,
        call: &Arc<CallRecord>,
        user: &str,
        client: &str,
        moving: bool,
    ) -> Vec<ResumePoint> {
        let Some(record) = call.of_client(user, client) else { return Vec::new() };
        // Whoever has left meanwhile is as gone as it should be, and a leg that its owner does not let go is poisoned.
        self.take_out(call, &record, None, Departure::Ordered { moving }).await.unwrap_or_default()
    }

    /// Takes a participant out; of one entry only, if it is named.
    async fn take_out(
        &self,
        call: &CallRecord,
        record: &ParticipantRecord,
        only: Option<u64>,
        why: Departure,
    ) -> Result<Vec<ResumePoint>, Refused> {
        let id = &record.id;
        let mut placed = record.placed.lock().await;
        let Some(here) = placed.take_if(|here| only.is_none_or(|entry| here.entry == entry)) else {
            return Err(gone(id));
        };
        let left = call.media.take_out(here.slot, here.entry).await;
        let moving = why == (Departure::Ordered { moving: true });
        self.forget(call, record, (here.asked.leg.rtp(), None), Some(&here), moving);
        self.remember(id);
        if why == Departure::Asked {
            self.gone(call, record);
        }
        drop(placed);
        self.end_if_over(call).await;
        match left {
            Ok(points) => Ok(points),
            Err(AskError::Ended | AskError::Left) => Ok(Vec::new()),
            Err(error @ AskError::Unanswered) => Err(Refused::new(Cause::OwnerSilent, id, error.to_string())),
        }
    }

    /// The participant with this id, and where it is served now.
    pub(crate) async fn placed(&self, call: &CallRecord, id: &str) -> Result<Placed, Refused> {
        let record = self.participant(call, id)?;
        let placed = record.placed.lock().await;
        placed.clone().ok_or_else(|| gone(id))
    }

    fn participant(&self, call: &CallRecord, id: &str) -> Result<Arc<ParticipantRecord>, Refused> {
        let record = call.lock().by_id.get(id).cloned();
        record.ok_or_else(|| match self.has_ended(id) {
            true => gone(id),
            false => Refused::new(Cause::NoSuchParticipant, id, format!("{id} does not take part in call {}", call.id)),
        })
    }

    /// Enters a participant that a partner announces. A leg of the same client here is taken out first: a client is in a call once.
    pub(crate) async fn enter_behind(
        &self,
        call: &Arc<CallRecord>,
        entry: Entry,
        standing: Standing,
    ) -> Result<(), Refused> {
        if let Some(record) = call.of_client(&entry.user, &entry.client) {
            // Whoever has left meanwhile is as gone as it should be.
            _ = self.take_out(call, &record, None, Departure::Ordered { moving: true }).await;
        }
        self.enter(call, entry, standing).await.map(|_| ())
    }

    /// Takes out who is behind a trunk: one participant by its reference, or everybody. The call outlives them for its grace:
    /// their system comes back, or they do.
    pub(crate) async fn take_out_behind(&self, call: &CallRecord, trunk: TrunkId, reference: Option<u32>) {
        for record in call.participants_where(|_| true) {
            let behind = record.placed.lock().await.as_ref().and_then(|placed| placed.asked.leg.behind());
            let meant = behind.is_some_and(|behind: Behind| {
                behind.trunk == trunk && reference.is_none_or(|reference| behind.reference == reference)
            });
            if meant {
                // Whoever has left meanwhile is as gone as it should be.
                _ = self.take_out(call, &record, None, Departure::Ordered { moving: true }).await;
            }
        }
    }

    /// A leg was silent for longer than it lives, or the home puts it out: its participant, which is the answer, leaves, unless
    /// it has another leg by now.
    pub(crate) async fn expire(&self, call: &CallRecord, slot: Slot, entry: u64) -> Option<Arc<ParticipantRecord>> {
        let record = call.at_slot(slot)?;
        self.take_out(call, &record, Some(entry), Departure::Asked).await.ok()?;
        tracing::debug!(call = call.id, participant = record.id, "participant left, nobody asked for it");
        Some(record)
    }

    /// A client takes part no longer, or was not entered; its addresses are free.
    pub(super) fn forget(
        &self,
        call: &CallRecord,
        record: &ParticipantRecord,
        (old, new): (Option<SocketAddr>, Option<SocketAddr>),
        placed: Option<&Placed>,
        moving: bool,
    ) {
        let mut participants = call.lock();
        old.iter().chain(&new).for_each(|address| _ = participants.addresses.remove(address));
        if participants.by_id.remove(&record.id).is_some() {
            call.left(moving, self.relay.now());
        }
        participants.by_client.remove(&(record.user.clone(), record.client.clone()));
        // The roster may have given the slot to somebody else already.
        if let Some(placed) = placed
            && participants.by_slot.get(&placed.slot).is_some_and(|holder| holder.id == record.id)
        {
            participants.by_slot.remove(&placed.slot);
        }
    }

    pub(super) fn gone(&self, call: &CallRecord, record: &ParticipantRecord) {
        let (user, client) = (record.user.clone(), record.client.clone());
        self.changed(Change::Gone { user, client, group: call.group.clone() });
    }
}

impl CallRecord {
    pub(super) fn lock(&self) -> MutexGuard<'_, Participants> {
        // Every edit is complete or not begun.
        self.participants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Participants of the call.
    pub(crate) fn len(&self) -> usize {
        self.lock().by_slot.len()
    }

    /// Whether the client of this entry takes part, or is about to.
    pub(crate) fn has(&self, entry: &Entry) -> bool {
        self.of_client(&entry.user, &entry.client).is_some()
    }

    /// The client's record, if it takes part or is about to.
    pub(crate) fn of_client(&self, user: &str, client: &str) -> Option<Arc<ParticipantRecord>> {
        self.lock().by_client.get(&(user.to_owned(), client.to_owned())).cloned()
    }

    pub(crate) fn at_slot(&self, slot: Slot) -> Option<Arc<ParticipantRecord>> {
        self.lock().by_slot.get(&slot).cloned()
    }

    pub(crate) fn participants_where(
        &self,
        wanted: impl Fn(&ParticipantRecord) -> bool,
    ) -> Vec<Arc<ParticipantRecord>> {
        self.lock().by_id.values().filter(|record| wanted(record)).cloned().collect()
    }

    /// Nobody enters any more. Answers who was there.
    pub(super) fn close_doors(&self) -> Vec<String> {
        let mut participants = self.lock();
        participants.ended = true;
        participants.by_id.keys().cloned().collect()
    }

    /// Whether a record is still that of a participant, or of one that is about to be.
    pub(super) fn holds(&self, record: &ParticipantRecord) -> bool {
        self.lock().by_id.contains_key(&record.id)
    }

    /// Finds or makes the record of a client, and keeps its RTP address for it.
    pub(super) fn claim(&self, entry: &Entry) -> Result<Arc<ParticipantRecord>, Refused> {
        let mut participants = self.lock();
        if participants.ended {
            return Err(Refused::new(Cause::CallEnded, &self.id, format!("call {} has ended", self.id)));
        }
        let key = (entry.user.clone(), entry.client.clone());
        let known = participants.by_client.get(&key).cloned();
        // Whoever asked for an address and left meanwhile holds it no more.
        if let Some(rtp) = entry.leg.rtp()
            && let Some(holder) = participants.addresses.get(&rtp).filter(|id| participants.by_id.contains_key(*id))
            && known.as_ref().is_none_or(|known| known.id != *holder)
        {
            let detail = format!("{rtp} is the RTP address of another participant of this call");
            return Err(Refused::new(Cause::LegInUse, "leg.udp.rtp", detail));
        }
        let record = known.unwrap_or_else(|| {
            Arc::new(ParticipantRecord {
                id: mint(),
                user: entry.user.clone(),
                client: entry.client.clone(),
                entered: SystemTime::now(),
                placed: Arc::default(),
            })
        });
        if let Some(rtp) = entry.leg.rtp() {
            participants.addresses.insert(rtp, record.id.clone());
        }
        if participants.by_id.insert(record.id.clone(), Arc::clone(&record)).is_none() {
            self.came();
        }
        participants.by_client.insert(key, Arc::clone(&record));
        Ok(record)
    }

    /// The participant is served; its former address, if it has another one now, is free.
    pub(super) fn settle(&self, record: &Arc<ParticipantRecord>, old: Option<SocketAddr>, here: Option<&Placed>) {
        let mut participants = self.lock();
        if let Some(here) = here {
            participants.by_slot.insert(here.slot, Arc::clone(record));
            if let Some(old) = old.filter(|old| Some(*old) != here.asked.leg.rtp()) {
                participants.addresses.remove(&old);
            }
        }
    }
}

fn gone(id: &str) -> Refused {
    Refused::new(Cause::ParticipantLeft, id, format!("participant {id} has left"))
}

#[cfg(test)]
mod tests;
