//! Floor messages to participants: what they say, under which number, and whether they must be acknowledged.

use alloc::sync::Arc;
use core::net::SocketAddr;

use super::{Call, alarm::Alarm};
use crate::{
    Slot, Ssrc,
    floor::{
        cause::{DenyCause, RevokeCause},
        general::State,
        message::{Indicator, Kind, Message, Packet, Source},
    },
    late_entry::acknowledgement::Acknowledgement,
};

/// A floor message that says one thing and is not repeated by itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum Note {
    Granted {
        duration_s: u16,
        priority: u8,
    },
    Deny(DenyCause),
    Queued {
        position: u8,
        priority: u8,
    },
    NotQueued,
    Revoke(RevokeCause),
    /// Floor Ack for a Floor Release.
    Acknowledge,
}

/// Queue position of a participant that does not wait (TS 24.380 §8.2.3.5).
pub(super) const NOT_QUEUED: u8 = 254;

/// What a refusal says for people while the home cannot be asked.
const HOME_UNREACHABLE: &str = "home system not reachable";

impl<A: Copy + From<SocketAddr>> Call<A> {
    /// Writes `note` and answers its length; 0 if the participant takes floor messages by API only.
    pub(super) fn write_note(&mut self, slot: Slot, note: Note) -> usize {
        let Some(seat) = super::at(&self.seats, slot) else { return 0 };
        if seat.who.leg.floor().is_none() {
            return 0;
        }
        let message = self.message_of(note, seat.who.audio_ssrc);
        let packet = Packet { ssrc: self.floor_ssrc, acknowledge: false, message, track_info: None };
        packet.write(&mut self.datagram).unwrap_or(0)
    }

    /// The message that says `note` to who speaks under `audio_ssrc`.
    pub(super) fn message_of(&self, note: Note, audio_ssrc: Ssrc) -> Message<'static> {
        let indicator = self.indicator();
        let unreachable = (!self.arbiter.reachable()).then_some(HOME_UNREACHABLE);
        match note {
            Note::Granted { duration_s, priority } => {
                Message::Granted { duration_s, priority, indicator, audio_ssrc: Some(audio_ssrc) }
            }
            Note::Deny(cause) => Message::Deny { cause: cause.code(), phrase: unreachable, indicator },
            Note::Queued { position, priority } => Message::QueuePositionInfo { position, priority, indicator },
            Note::NotQueued => Message::QueuePositionInfo { position: NOT_QUEUED, priority: 0, indicator },
            Note::Revoke(cause) => Message::Revoke { cause: cause.code(), phrase: unreachable, indicator },
            Note::Acknowledge => {
                let source = match self.uplink {
                    None => Source::ControllingFunction,
                    Some(_) => Source::NonControllingFunction,
                };
                Message::Ack { source, acknowledged: Kind::Release }
            }
        }
    }

    /// Who has the floor and under which SSRC, wherever it is served.
    pub(super) fn present_talker(&self) -> Option<(Arc<str>, Ssrc)> {
        let holder = match self.arbiter.state() {
            State::Taken { holder } | State::PendingRevoke { holder, .. } => holder,
            State::StartStop | State::Idle | State::Releasing => return None,
        };
        match self.seat(holder) {
            Some(seat) => Some((seat.who.user.clone(), seat.who.audio_ssrc)),
            None => self.uplink.as_ref()?.elsewhere.clone(),
        }
    }

    /// Floor Taken by `talker`, or Floor Idle.
    pub(super) fn state_message<'a>(
        &self,
        talker: Option<&'a (Arc<str>, Ssrc)>,
        message_sequence_number: u16,
        may_request: bool,
    ) -> Message<'a> {
        let indicator = self.indicator();
        match talker {
            Some((user, audio_ssrc)) => Message::Taken {
                granted_party: (!self.settings.privacy).then_some(&**user),
                may_request: Some(may_request),
                message_sequence_number,
                indicator,
                audio_ssrc: Some(*audio_ssrc),
                functional_alias: None,
                location: None,
            },
            None => Message::Idle { message_sequence_number, indicator },
        }
    }

    //= TS 24.380 §6.3.5.2.2  a participant that enters learns the state of the floor
    /// Writes the present state of the floor for one participant and answers its length; 0 if there is nothing to say.
    ///
    /// `anew`: under the next message sequence number. Otherwise it is a copy of the last message, unless the floor has
    /// changed since. While the participant has not answered, the message asks for a Floor Ack.
    pub(super) fn write_state(&mut self, slot: Slot, anew: bool) -> usize {
        let holder = self.arbiter.holder();
        let version = self.version;
        let ssrc = self.floor_ssrc;
        let talker = self.present_talker();
        let Some(seat) = super::at_mut(&mut self.seats, slot) else { return 0 };
        let changed = seat.told != version;
        seat.told = version;
        if holder == Some(slot) || seat.who.leg.floor().is_none() {
            return 0;
        }
        if anew || changed {
            seat.msn = seat.msn.wrapping_add(1);
        }
        let (message_sequence_number, may_request) = (seat.msn, !seat.who.receive_only);
        let acknowledge = !seat.confirmed;
        if acknowledge && (anew || changed) {
            seat.waiting = Some(Acknowledgement::new(self.now));
        }
        let due = seat.waiting.map(|waiting| waiting.due());
        let message = self.state_message(talker.as_ref(), message_sequence_number, may_request);
        let packet = Packet { ssrc, acknowledge, message, track_info: None };
        let length = packet.write(&mut self.datagram).unwrap_or(0);
        self.set_alarm(slot, Alarm::Acknowledgement, due);
        length
    }

    fn indicator(&self) -> Option<Indicator> {
        let queueing = self.settings.floor.queueing;
        Some(if queueing { Indicator::NORMAL.with(Indicator::QUEUEING) } else { Indicator::NORMAL })
    }
}
