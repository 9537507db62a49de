//! Large calls of several workers: what this one's parts say, and what it sends as a part of others.

use relay_core::call::{CHUNK, CHUNK_IN_COMPANY, Input, Part};
use relay_table::Row;
use tokio::sync::oneshot;

use super::{Calls, Piece};
use crate::worker::ways::{Refusal, Said};

impl Calls {
    /// Whether another worker has sent something that could be taken.
    pub(in crate::worker) fn is_handed(&self) -> bool {
        let handed = self.ways.theirs.iter().any(|chute| !chute.is_empty());
        handed || self.ways.said.iter().any(|said| !said.is_empty())
    }

    /// Whether something waits for room in another worker's mail, which rings nobody when it has room again.
    pub(in crate::worker) fn is_held_up(&self) -> bool {
        let shares = self.ways.shares.iter().any(|feed| feed.waiting() > 0);
        shares || self.ways.say.iter().any(|feed| feed.waiting() > 0)
    }

    /// Takes what other workers have sent, and sends what had no room before.
    pub(in crate::worker) fn take_handed(&mut self) {
        for part in self.handing.flush(&mut self.ways) {
            // A node that stops ends all of them; that one has panicked is told by whoever waits for its thread.
            tracing::info!("a worker has ended: what it sent for large calls of another is sent by their owner");
            for index in 0..self.running.len() {
                self.tell_call(index, Input::Gone { part });
            }
        }
        for part in 0..self.ways.said.len() {
            while let Some(said) = self.ways.said[part].take() {
                self.hear(part, said);
            }
        }
        let (busy, company, now) = (&mut self.busy, &mut self.company, self.now);
        self.slices.take(&mut self.ways, |owner, row, came| {
            let piece = Piece::Slice(owner, row);
            if came.packet {
                company.heard(piece, now);
            }
            if came.begins {
                busy.push(piece, came.urgent);
            }
        });
    }

    /// Answers once nothing can be sent any more to who has left the row's call by now.
    pub(in crate::worker) fn settle(&mut self, row: Row, reply: oneshot::Sender<()>) {
        let index = row.index();
        let call = self.running.get(index).and_then(Option::as_ref).map(|running| &running.call);
        self.handing.settle(index, call, reply);
    }

    /// Sends one chunk for another owner; false once there is nothing more to send of that call.
    pub(super) fn send_slice(&mut self, owner: usize, row: usize) -> bool {
        let chunk = if self.in_company() { CHUNK_IN_COMPANY } else { CHUNK };
        self.slices.send((owner, row), chunk, &mut self.ways, &mut self.outgoing, &self.counters)
    }

    fn hear(&mut self, part: usize, said: Said) {
        match said {
            Said::Through { row, leaves } => {
                let leaves = self.handing.pass(row as usize, part, leaves);
                self.tell_call(row as usize, Input::Through { part: Part(part as u8), leaves });
            }
            Said::Refused { row, refusals } => {
                let Some(running) = self.running.get_mut(row as usize).and_then(Option::as_mut) else { return };
                for Refusal { slot, entry, why, number } in refusals {
                    if running.call.bound(slot).is_some_and(|bound| bound.0 == entry) {
                        running.refused.add(slot, why, number);
                    }
                }
            }
        }
    }

    fn tell_call(&mut self, index: usize, input: Input<'_>) {
        if let Some(running) = self.running.get_mut(index).and_then(Option::as_mut) {
            running.call.handle(input, self.now);
            self.mark(index);
        }
    }
}
