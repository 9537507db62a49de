//! Entering: a place for a client and its address, the owner's word, and what is kept of it. One client, or many at once.

use std::{net::SocketAddr, sync::Arc};

use control_core::{Cause, Refused, group::Standing};
use relay::{
    Entering,
    call::{EnterError, Entered},
};
use relay_core::{Ssrc, roster::Participant};

use super::{CallRecord, Entry, ParticipantRecord, Placed, Registry, Seat, exhausted, participants::Turn};

/// A client that is about to enter. Nobody else enters or takes it out meanwhile.
struct Claim {
    record: Arc<ParticipantRecord>,
    placed: Turn,
    ssrc: Ssrc,
    entry: Entry,
    standing: Standing,
}

/// Some of a batch: clients that enter together, each with its place in the batch.
type Run = Vec<(usize, Claim)>;

impl Registry {
    /// Enters a client, or replaces its leg if it is there already.
    pub(crate) async fn enter(
        &self,
        call: &Arc<CallRecord>,
        entry: Entry,
        standing: Standing,
    ) -> Result<Seat, Refused> {
        let claim = self.claim(call, entry, standing).await?;
        let Entering { slot, participant } = claim.wish();
        let entered = match slot {
            Some(slot) => call.media.replace(slot, participant).await,
            None => call.media.enter(participant).await,
        };
        let seat = self.conclude(call, claim, entered);
        if seat.is_err() {
            self.end_if_over(call).await;
        }
        seat
    }

    /// Enters clients as if one after the other, but together where nothing depends on the order: answers in theirs. What one is
    /// refused for is no matter of the others.
    pub(crate) async fn enter_many(
        &self,
        call: &Arc<CallRecord>,
        batch: Vec<(Entry, Standing)>,
    ) -> Vec<Result<Seat, Refused>> {
        let mut answers: Vec<_> = batch.iter().map(|_| None).collect();
        let mut run: Run = Vec::with_capacity(batch.len());
        for (at, (entry, standing)) in batch.into_iter().enumerate() {
            let mut claimed = self.claim_now(call, &entry, standing);
            // Whoever waits for a turn holds none: two batches with the same clients would wait for each other. And an address may
            // be free once those before have moved.
            if !run.is_empty() && !matches!(claimed, Ok(Some(_))) {
                self.enter_run(call, std::mem::take(&mut run), &mut answers).await;
                claimed = self.claim_now(call, &entry, standing);
            }
            let claimed = match claimed {
                Ok(Some(claim)) => Ok(claim),
                Ok(None) => self.claim(call, entry, standing).await,
                Err(refused) => Err(refused),
            };
            match claimed {
                Ok(claim) => run.push((at, claim)),
                Err(refused) => answers[at] = Some(Err(refused)),
            }
        }
        self.enter_run(call, run, &mut answers).await;
        answers.into_iter().flatten().collect()
    }

    /// Enters those that have claimed their places, together.
    async fn enter_run(&self, call: &Arc<CallRecord>, run: Run, answers: &mut [Option<Result<Seat, Refused>>]) {
        let wishes = run.iter().map(|(_, claim)| claim.wish()).collect();
        let entered = call.media.enter_many(wishes).await;
        let mut failed = false;
        for ((at, claim), entered) in run.into_iter().zip(entered) {
            let seat = self.conclude(call, claim, entered);
            failed |= seat.is_err();
            answers[at] = Some(seat);
        }
        if failed {
            self.end_if_over(call).await;
        }
    }

    /// Waits for the client's turn, and claims its place.
    async fn claim(&self, call: &Arc<CallRecord>, entry: Entry, standing: Standing) -> Result<Claim, Refused> {
        let (record, placed) = loop {
            let record = call.claim(&entry)?;
            let placed = record.placed_owned().await;
            // Whoever waited for a departure finds the record gone with it.
            if call.holds(&record) {
                break (record, placed);
            }
        };
        let claimed = self.allot(call, record, placed, entry, standing);
        if claimed.is_err() {
            self.end_if_over(call).await;
        }
        claimed
    }

    /// The same without waiting; `None`: somebody is at this client.
    fn claim_now(&self, call: &Arc<CallRecord>, entry: &Entry, standing: Standing) -> Result<Option<Claim>, Refused> {
        let record = call.claim(entry)?;
        let Some(placed) = record.placed_now().filter(|_| call.holds(&record)) else { return Ok(None) };
        self.allot(call, record, placed, entry.clone(), standing).map(Some)
    }

    /// Gives the client its SSRC: the one that it has, the one that its partner announced, or a fresh one.
    fn allot(
        &self,
        call: &CallRecord,
        record: Arc<ParticipantRecord>,
        placed: Turn,
        entry: Entry,
        standing: Standing,
    ) -> Result<Claim, Refused> {
        let ssrc = match (&*placed, entry.ssrc) {
            (Some(placed), _) => Ok(placed.ssrc),
            (None, Some(announced)) => Ok(announced),
            (None, None) => call.media.assign_ssrc(),
        };
        match ssrc {
            Ok(ssrc) => Ok(Claim { record, placed, ssrc, entry, standing }),
            Err(full) => {
                self.forget(call, &record, (None, entry.leg.rtp()), None, false);
                Err(exhausted(&full))
            }
        }
    }

    /// Keeps what became of a claim.
    fn conclude(
        &self,
        call: &Arc<CallRecord>,
        claim: Claim,
        entered: Result<Entered, EnterError>,
    ) -> Result<Seat, Refused> {
        let old = claim.old_address();
        let Claim { record, mut placed, ssrc, entry, standing } = claim;
        match entered {
            Ok(entered) => {
                let is_new = placed.is_none();
                let here = Placed { slot: entered.slot, entry: entered.entry, ssrc, asked: entry, standing };
                call.settle(&record, old, Some(&here));
                *placed = Some(here.clone());
                drop(placed);
                Ok(Seat { call: Arc::clone(call), participant: record, placed: here, entered, is_new })
            }
            Err(error) => {
                // An entry that its owner did not confirm is withdrawn, a replaced one too: the client enters anew.
                let withdrawn = placed.take();
                self.forget(call, &record, (old, entry.leg.rtp()), withdrawn.as_ref(), false);
                if withdrawn.is_some() {
                    self.remember(&record.id);
                    self.gone(call, &record);
                }
                Err(refused(call, error))
            }
        }
    }
}

impl Claim {
    /// What the media plane is asked for.
    fn wish(&self) -> Entering {
        let Claim { entry, standing, ssrc, .. } = self;
        let participant = Participant {
            user: Arc::from(entry.user.as_str()),
            client: Arc::from(entry.client.as_str()),
            leg: entry.leg,
            audio_ssrc: *ssrc,
            queueing: entry.queueing,
            priority: entry.priority.min(standing.priority),
            receive_only: standing.receive_only,
            implicit_floor_request: entry.implicit_floor_request,
            resume: entry.resume.clone(),
            expires: entry.expires,
        };
        Entering { slot: self.placed.as_ref().map(|placed| placed.slot), participant }
    }

    fn old_address(&self) -> Option<SocketAddr> {
        self.placed.as_ref().and_then(|placed| placed.asked.leg.rtp())
    }
}

fn refused(call: &CallRecord, error: EnterError) -> Refused {
    match error {
        EnterError::Exhausted(full) => exhausted(&full),
        EnterError::Unanswered => Refused::new(Cause::OwnerSilent, &call.id, error.to_string()),
        EnterError::Ended => Refused::new(Cause::CallEnded, &call.id, format!("call {} has ended", call.id)),
        EnterError::Left => Refused::new(Cause::ParticipantLeft, &call.id, error.to_string()),
    }
}
