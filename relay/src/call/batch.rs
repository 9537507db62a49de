//! Many enter at once: one edit of the roster, one letter, one wake of the owner.

use std::collections::HashMap;

use relay_core::{Slot, roster::Participant};
use relay_table::{Place, Writer};

use super::{ANSWER_TIMEOUT, AskError, Call, EnterError, Entered};
use crate::{Exhausted, expecting::Gathering, mail::Mail};

/// One of many that enter at once.
#[derive(Clone, Debug)]
pub struct Entering {
    /// Whose leg is replaced; `None`: a newcomer. A slot stands in a batch once: of two entries the owner sees only the last.
    pub slot: Option<Slot>,
    /// As whom, and on which leg.
    pub participant: Participant,
}

impl Call {
    /// Publishes many entries together and waits until the owner has entered them (at most 1 s), each as [`Call::enter`] and
    /// [`Call::replace`] do. Answers in the order of the batch; what one is refused for is no matter of the others.
    pub async fn enter_many(&self, batch: Vec<Entering>) -> Vec<Result<Entered, EnterError>> {
        let length = batch.len();
        let (gathering, gathered) = Gathering::new();
        let places = self.shared.with(|writer| {
            let mut places: Vec<_> = batch.into_iter().map(|entering| edit(writer, entering)).collect();
            let entries: Vec<u64> = places.iter().flatten().map(|place| place.entry).collect();
            if entries.is_empty() {
                return places;
            }
            // The letter goes first: an owner that sees the entries finds it, and a full letterbox leaves nothing behind.
            let letter = Mail::ExpectMany { row: self.shared.row, entries, reply: gathering };
            if let Err(full) = self.shared.letterbox.post(letter) {
                for answer in &mut places {
                    if let Ok(place) = answer {
                        _ = writer.leave(place.slot);
                        *answer = Err(EnterError::Exhausted(full.clone()));
                    }
                }
            }
            writer.publish();
            places
        });
        let Some(places) = places else { return (0..length).map(|_| Err(EnterError::Ended)).collect() };
        if places.iter().all(Result::is_err) {
            return places.into_iter().map(|place| place.and(Err(EnterError::Ended))).collect();
        }
        self.shared.letterbox.ring();
        let mut told: HashMap<u64, _> = gathered.within(ANSWER_TIMEOUT).await.into_iter().collect();
        let silent = places.iter().flatten().filter(|place| !told.contains_key(&place.entry)).copied().collect();
        let unanswered = self.withdraw(silent).await;
        let mut answer = |place: Place| match told.remove(&place.entry) {
            Some(facts) => Ok(Entered { slot: Slot(place.slot), entry: place.entry, facts }),
            None => Err(unanswered.clone()),
        };
        places.into_iter().map(|place| place.and_then(&mut answer)).collect()
    }

    /// Takes out again what the owner did not confirm. Nobody but the owner could still send to it, so the refusal waits until it no
    /// longer can, or is stuck. Answers the refusal.
    async fn withdraw(&self, places: Vec<Place>) -> EnterError {
        if places.is_empty() {
            return EnterError::Unanswered;
        }
        let withdrawn = self.shared.with(|writer| {
            for place in places {
                if writer.entry(place.slot) == Some(place.entry) {
                    _ = writer.leave(place.slot);
                }
            }
            writer.publish();
        });
        match withdrawn {
            None => EnterError::Ended,
            Some(()) => match self.settle().await {
                Err(AskError::Ended) => EnterError::Ended,
                _ => EnterError::Unanswered,
            },
        }
    }
}

fn edit(writer: &mut Writer<Participant>, Entering { slot, participant }: Entering) -> Result<Place, EnterError> {
    match slot {
        Some(slot) => writer.replace(slot.0, participant).map_err(|_| EnterError::Left),
        None => {
            let place = writer.enter(participant);
            place.map_err(|full| Exhausted { limit: "participants", value: u64::from(full.most) }.into())
        }
    }
}
