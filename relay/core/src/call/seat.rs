//! One participant as the owner keeps it.

use alloc::boxed::Box;

use super::{
    alarm::Due4,
    slices::{Gone, Held, Place},
};
use crate::{
    Millis, Order, Time,
    floor::{general::Class, general::Request, participant},
    late_entry::{acknowledgement::Acknowledgement, newcomer::Newcomer},
    roster,
};

#[derive(Debug)]
pub(super) struct Seat {
    pub(super) entry: u64,
    pub(super) who: roster::Participant,
    /// Its floor machine.
    pub(super) floor: participant::Participant,
    /// Why its floor machine wants to be woken.
    pub(super) why: participant::Why,
    /// Message sequence number of the last Floor Taken or Floor Idle; 0: none yet.
    pub(super) msn: u16,
    /// The version of the floor that it was told.
    pub(super) told: u32,
    /// Whether it has answered a late-entry floor message on this leg.
    pub(super) confirmed: bool,
    pub(super) waiting: Option<Acknowledgement>,
    /// The priority that its last Floor Request asked for, before its cap.
    pub(super) asked: u8,
    pub(super) newcomer: Option<Box<Newcomer>>,
    pub(super) entered: Time,
    pub(super) heard: Time,
    pub(super) alarms: Due4,
    /// Where live media began, and how many of the packets since then are its own user's.
    pub(super) live_from: Option<Order>,
    pub(super) own_since: u64,
    /// Its place in another worker's slice; `None`: the owner sends to it, or it gets nothing live.
    pub(super) place: Option<Place>,
    /// The part that may still send to it: until that has let go, nothing retained is sent.
    pub(super) held: Option<Box<Held>>,
    /// Packets that did not fit into the mail of the worker that sent to it.
    pub(super) lost: u64,
    /// Packets sent before live media began.
    pub(super) sent: u64,
    /// Packets that retention let go of first.
    pub(super) overtaken: u64,
    /// Whether its last request was not granted yet.
    pub(super) has_asked: bool,
    /// Whether the request that it made by entering was not answered yet.
    pub(super) asks_implicitly: bool,
    /// The round trip to the partner that serves it.
    pub(super) extra: Millis,
}

impl Seat {
    /// The request that this participant makes when it asks with `priority`.
    pub(super) fn request(&self, from: crate::Slot, priority: u8, implicit: bool) -> Request<crate::Slot> {
        Request {
            from,
            class: Class::Normal,
            priority: priority.min(self.who.priority),
            queueing: self.who.queueing,
            receive_only: self.who.receive_only,
            implicit,
            extra: self.extra,
        }
    }

    /// Its live packets end before `gone.next`. Of what came since then `own` is its own user's.
    pub(super) fn end_live(&mut self, gone: Gone, own: u64) {
        if let Some(from) = self.live_from.take() {
            let own = self.own_since.saturating_sub(own);
            self.sent += gone.next.0.saturating_sub(from.0).saturating_sub(own).saturating_sub(gone.lost);
        }
        self.lost += gone.lost;
        self.held = gone.held.map(Box::new).or(self.held.take());
    }
}
