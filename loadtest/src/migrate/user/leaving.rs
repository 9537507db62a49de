//! What a client leaves behind where it was, and what the others see of it.

use relay_core::Time;

use super::{
    super::{
        judge::{Break, Promise},
        plan::System,
        record::part_of,
    },
    Client, Ears,
    entry::{self, Entry},
};
use crate::{
    answer::Answer,
    http::{Api, segment},
    world::Failure,
};

impl Client {
    /// Makes stays of what came by two legs; what the client was called there.
    pub(super) async fn fold(
        &mut self,
        system: System,
        left: Time,
        ears: Ears,
    ) -> Result<Vec<(usize, Answer)>, Failure> {
        let Ears { affiliated, chat, entries } = ears;
        let (affiliated, chat) = (affiliated.close().await?, chat.close().await?);
        for failed in [&affiliated.failed, &chat.failed].into_iter().flatten() {
            self.broken.push(Break::new(Promise::Granted, format!("in {system}: {failed}")));
        }
        let field = self.field.clone();
        let mut known = Vec::new();
        for is_chat in [false, true] {
            let capture = if is_chat { &chat.capture } else { &affiliated.capture };
            let here: Vec<&Entry> =
                entries.iter().flatten().filter(|entry| field.groups[entry.group].is_chat == is_chat).collect();
            // Copies: two calls are looked at together, and each is one lock.
            let truths: Vec<_> =
                here.iter().map(|entry| field.groups[entry.group].ground.with_truth(|truth| truth.clone())).collect();
            let calls: Vec<_> = here.iter().zip(&truths).map(|(entry, truth)| (entry.floor_ssrc(), truth)).collect();
            for (place, entry) in here.iter().enumerate() {
                if let Ok(answer) = &entry.answer {
                    known.push((entry.group, answer.clone()));
                }
                let capture = part_of(capture, &calls, place);
                self.stays[entry.group].push(entry.stay(system, left, capture));
            }
        }
        Ok(known)
    }

    /// What the others see: here there is one participant more, there one less.
    pub(super) async fn look_around(&mut self, from: System, old: &[(usize, Answer)]) {
        for (_, answer) in old {
            if listed(&self.field.api(from), answer).await {
                let how = format!("{from} still lists participant {}", answer.participant);
                self.broken.push(Break::new(Promise::SeenLeaving, how));
            }
        }
        let Some(ears) = &self.ears else { return };
        for answer in ears.entries.iter().flatten().filter_map(|entry| entry.answer.as_ref().ok()) {
            if !listed(&self.field.api(self.serving), answer).await {
                let how = format!("{} does not list participant {}", self.serving, answer.participant);
                self.broken.push(Break::new(Promise::SeenEntering, how));
            }
        }
    }
}

/// Whether the participants of a call, as everybody can read them, hold this one. A call that has ended holds nobody.
async fn listed(api: &Api, answer: &Answer) -> bool {
    let path = format!("/v1/calls/{}/participants?limit=1000", segment(&answer.call));
    let listed = api.read(&path).await.unwrap_or_default();
    entry::lists(&listed, &answer.participant)
}
