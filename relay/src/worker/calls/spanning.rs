//! What a call that spans systems says, and what comes over trunks for it.

use std::sync::Arc;

use bytes::Bytes;
use relay_core::{
    TrunkId,
    call::{FromTrunk, Input, Output},
    floor::message,
    rtp,
    trunk::wire::frame::What,
};
use tokio::sync::watch;

use super::{Calls, Running};
use crate::{
    event::TrunkEvent,
    exchange::Exchange,
    mail::{Carried, Joined, TrunkMail},
    trunk::BackfillSender,
    udp::Address,
};

impl Calls {
    /// Something that must not be lost came over a trunk.
    pub(super) fn trunk_mail(&mut self, index: usize, from: TrunkId, mail: TrunkMail) {
        match mail {
            TrunkMail::Restarted => self.tell_trunk(index, from, FromTrunk::Restarted),
            TrunkMail::Up => self.tell_trunk(index, from, FromTrunk::Up),
            TrunkMail::Lost => {
                if let Some(running) = self.running.get_mut(index).and_then(Option::as_mut) {
                    running.backfills.retain(|backfill| backfill.0 != from);
                }
                self.tell_trunk(index, from, FromTrunk::Lost);
            }
            TrunkMail::Heard => self.tell_trunk(index, from, FromTrunk::Heard),
            TrunkMail::RoundTrip(round_trip) => self.tell_trunk(index, from, FromTrunk::RoundTrip(round_trip)),
            TrunkMail::Frame(frame) => match frame.what {
                Some(What::Floor(floor)) => match message::read(&floor.message).next() {
                    Some(Ok(message::Item::Packet(packet))) => {
                        let (holder, talker) = (floor.holder, floor.talker.as_str());
                        self.tell_trunk(index, from, FromTrunk::Floor { packet, holder, talker });
                    }
                    _ => self.counters.floor_malformed.add(1),
                },
                Some(what) => self.tell_trunk(index, from, FromTrunk::Frame(what)),
                None => {}
            },
        }
    }

    /// A packet came over a trunk.
    pub(in crate::worker) fn carried(&mut self, carried: Carried) {
        match carried {
            Carried::Media { row, from, packet } => match rtp::Packet::parse_protected(&packet) {
                Ok(packet) => self.tell_trunk(row.index(), from, FromTrunk::Media(packet)),
                Err(_) => self.counters.rtp_malformed.add(1),
            },
            Carried::Backfill { row, from, packet: None } => {
                self.tell_trunk(row.index(), from, FromTrunk::Backfill(None));
            }
            Carried::Backfill { row, from, packet: Some(packet) } => match rtp::Packet::parse_protected(&packet) {
                Ok(packet) => self.tell_trunk(row.index(), from, FromTrunk::Backfill(Some(packet))),
                Err(_) => self.counters.rtp_malformed.add(1),
            },
        }
    }

    fn tell_trunk(&mut self, index: usize, from: TrunkId, what: FromTrunk<'_>) {
        if let Some(running) = self.running.get_mut(index).and_then(Option::as_mut) {
            running.call.handle(Input::Trunk { from, what }, self.now);
            self.mark(index);
        }
    }
}

impl Running {
    /// The call is over: other systems hear it, and nothing of theirs reaches the row any more.
    pub(super) fn farewell(&self, exchange: &Exchange) {
        for (to, frame) in self.call.farewell() {
            exchange.say(to, frame);
        }
        if let Some(flow) = self.flow {
            exchange.close(flow);
        }
    }
}

/// Sends the next part of a backfill on its stream.
pub(super) fn backfill<'a>(
    running: &mut Vec<(TrunkId, BackfillSender)>,
    exchange: &Exchange,
    (to, flow): (TrunkId, u32),
    packets: impl Iterator<Item = &'a [u8]>,
    last: bool,
) {
    if !running.iter().any(|backfill| backfill.0 == to) {
        running.extend(exchange.backfill(to, flow).map(|sender| (to, sender)));
    }
    let Some(at) = running.iter().position(|backfill| backfill.0 == to) else { return };
    for packet in packets {
        // What does not fit is counted there; the partner reports what it lacks.
        _ = running[at].1.packet(Bytes::copy_from_slice(packet));
    }
    if last {
        running.swap_remove(at).1.finish();
    }
}

/// Does what a call says about trunks, and tells control what it has to decide.
pub(super) fn follow(
    id: &Arc<str>,
    joined: Option<&watch::Sender<Joined>>,
    exchange: &Exchange,
    output: Output<'_, Address>,
) {
    let call = Arc::clone(id);
    let join = |state| {
        if let Some(joined) = joined {
            joined.send_replace(state);
        }
    };
    match output {
        Output::Frame { to, frame } => exchange.say(to, *frame),
        Output::Announced { trunk, announced } => {
            exchange.tell(Some(trunk), TrunkEvent::Announced { call, trunk, announced });
        }
        Output::Departed { trunk, reference } => {
            exchange.tell(Some(trunk), TrunkEvent::Departed { call, trunk, reference });
        }
        Output::Ready { range } => join(Joined::Ready(range)),
        Output::Refused { cause } => {
            join(Joined::Refused(cause.clone()));
            exchange.tell(None, TrunkEvent::HomeRefused { call, cause });
        }
        Output::Expelled { slot, entry, cause } => {
            exchange.tell(None, TrunkEvent::Expelled { call, slot, entry, cause });
        }
        Output::Missed { ssrc, first, last } => exchange.tell(None, TrunkEvent::Missed { call, ssrc, first, last }),
        Output::Overstepped { trunk, what, cause, detail } => exchange.overstepped(trunk, what, cause, detail),
        output => debug_assert!(false, "nothing of a trunk: {output:?}"),
    }
}
