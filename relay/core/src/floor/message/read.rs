//! From datagrams to messages.

use core::fmt;

use super::{ACKNOWLEDGE, Id, Kind, Message, NAME, Packet};
use crate::floor::field::{Fields, Source, TrackInfo};
use crate::rtcp;

/// What stands at one place of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A floor message.
    Packet(Packet<'a>),
    /// Well-formed, and nothing that this crate reads.
    Skipped(Skipped),
}

/// Why something well-formed is not read (TS 24.380 §8.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skipped {
    /// RTCP, but no APP packet.
    PacketType(u8),
    /// An APP packet that is not floor control.
    Name([u8; 4]),
    /// A subtype above Floor Ack, or an acknowledged variant that does not exist.
    Subtype(u8),
}

/// Why a floor message is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Malformed {
    /// The datagram is not RTCP from here on; its rest is not read.
    Framing(rtcp::Malformed),
    /// A field's length points past the end of the message; the rest of the datagram is not read.
    FieldLength {
        /// The field's number.
        field: u8,
    },
    /// The message lacks a field that it needs, or has it too short.
    Missing {
        /// Which message.
        kind: Kind,
        /// Which field.
        field: Id,
    },
    /// A field says something that does not exist.
    Value {
        /// Which message.
        kind: Kind,
        /// Which field.
        field: Id,
    },
}

/// The floor messages of a datagram, in order.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    packets: rtcp::Packets<'a>,
}

//= TS 24.380 §8.1  several messages may follow one another in a datagram
/// The floor messages of `datagram`. A message that is malformed inside is dropped alone; once a length is wrong, nothing after
/// it is read.
pub const fn read(datagram: &[u8]) -> Messages<'_> {
    Messages { packets: rtcp::packets(datagram) }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Item<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = match self.packets.next()? {
            Ok(rtcp::Packet::App(app)) => read_app(&app),
            Ok(rtcp::Packet::Other(number)) => Ok(Item::Skipped(Skipped::PacketType(number))),
            Err(malformed) => Err(Malformed::Framing(malformed)),
        };
        if matches!(item, Err(Malformed::FieldLength { .. })) {
            self.packets = rtcp::packets(&[]);
        }
        Some(item)
    }
}

//= TS 24.380 §8.1.4  an unknown subtype is ignored with its whole message
fn read_app<'a>(app: &rtcp::App<'a>) -> Result<Item<'a>, Malformed> {
    if app.name != NAME {
        return Ok(Item::Skipped(Skipped::Name(app.name)));
    }
    let subtype = app.subtype.number();
    let acknowledge = subtype & ACKNOWLEDGE != 0;
    let kind = Kind::from_number(subtype & !ACKNOWLEDGE).filter(|kind| !acknowledge || kind.can_be_acknowledged());
    let Some(kind) = kind else { return Ok(Item::Skipped(Skipped::Subtype(subtype))) };
    let fields = Fields::parse(app.data).map_err(|field| Malformed::FieldLength { field })?;
    let body = Body { kind, fields };
    let (message, track_info) = (body.message()?, body.track_info()?);
    Ok(Item::Packet(Packet { ssrc: app.ssrc, acknowledge, message, track_info }))
}

/// The fields of a message of a known kind.
struct Body<'a> {
    kind: Kind,
    fields: Fields<'a>,
}

impl<'a> Body<'a> {
    fn message(&self) -> Result<Message<'a>, Malformed> {
        let indicator = self.fields.indicator();
        Ok(match self.kind {
            Kind::Request => Message::Request {
                priority: self.fields.u8(Id::FloorPriority),
                indicator,
                functional_alias: self.fields.text(Id::FunctionalAlias),
                location: self.fields.value(Id::Location, 1),
            },
            Kind::Granted => Message::Granted {
                duration_s: self.need(Id::Duration, self.fields.u16(Id::Duration))?,
                priority: self.need(Id::FloorPriority, self.fields.u8(Id::FloorPriority))?,
                indicator,
                audio_ssrc: self.fields.audio_ssrc(),
            },
            Kind::Taken => Message::Taken {
                granted_party: self.fields.text(Id::GrantedPartysIdentity),
                may_request: self.may_request(),
                message_sequence_number: self.message_sequence_number()?,
                indicator,
                audio_ssrc: self.fields.audio_ssrc(),
                functional_alias: self.fields.text(Id::FunctionalAlias),
                location: self.fields.value(Id::Location, 1),
            },
            Kind::Deny => {
                let (cause, phrase) = self.cause()?;
                Message::Deny { cause, phrase, indicator }
            }
            Kind::Release => Message::Release { indicator },
            Kind::Idle => Message::Idle { message_sequence_number: self.message_sequence_number()?, indicator },
            Kind::Revoke => {
                let (cause, phrase) = self.cause()?;
                Message::Revoke { cause, phrase, indicator }
            }
            Kind::RevokeRequest => Message::RevokeRequest {
                user: self.need(Id::RevokeRequestUser, self.fields.text(Id::RevokeRequestUser))?,
            },
            Kind::QueuePositionRequest => Message::QueuePositionRequest,
            Kind::QueuePositionInfo => {
                let [position, priority] = self.need(Id::QueueInfo, self.fields.u16(Id::QueueInfo))?.to_be_bytes();
                Message::QueuePositionInfo { position, priority, indicator }
            }
            Kind::Ack => self.ack()?,
        })
    }

    fn need<T>(&self, field: Id, value: Option<T>) -> Result<T, Malformed> {
        value.ok_or(Malformed::Missing { kind: self.kind, field })
    }

    fn known<T>(&self, field: Id, value: Option<T>) -> Result<T, Malformed> {
        value.ok_or(Malformed::Value { kind: self.kind, field })
    }

    fn message_sequence_number(&self) -> Result<u16, Malformed> {
        self.need(Id::MessageSequenceNumber, self.fields.u16(Id::MessageSequenceNumber))
    }

    fn may_request(&self) -> Option<bool> {
        match self.fields.u16(Id::PermissionToRequest)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn cause(&self) -> Result<(u16, Option<&'a str>), Malformed> {
        let value = self.need(Id::RejectCause, self.fields.value(Id::RejectCause, 2))?;
        let (cause, phrase) = self.need(Id::RejectCause, value.split_first_chunk::<2>())?;
        let phrase = core::str::from_utf8(phrase).ok().filter(|phrase| !phrase.is_empty());
        Ok((u16::from_be_bytes(*cause), phrase))
    }

    fn track_info(&self) -> Result<Option<TrackInfo<'a>>, Malformed> {
        let Some(value) = self.fields.value(Id::TrackInfo, 2) else { return Ok(None) };
        self.known(Id::TrackInfo, TrackInfo::parse(value)).map(Some)
    }

    /// Some senders leave the acknowledge bit in the type that they acknowledge: it is cleared.
    fn ack(&self) -> Result<Message<'a>, Malformed> {
        let source = self.need(Id::Source, self.fields.u16(Id::Source))?;
        let acknowledged = self.need(Id::MessageType, self.fields.u8(Id::MessageType))?;
        Ok(Message::Ack {
            source: self.known(Id::Source, Source::from_number(source))?,
            acknowledged: self.known(Id::MessageType, Kind::from_number(acknowledged & !ACKNOWLEDGE))?,
        })
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Framing(reason) => write!(f, "floor datagram dropped from here on: {reason}"),
            Malformed::FieldLength { field } => {
                write!(f, "floor datagram dropped from here on: the length of field {field} points past its message")
            }
            Malformed::Missing { kind, field } => write!(f, "Floor {kind:?} dropped: it lacks the field {field:?}"),
            Malformed::Value { kind, field } => {
                write!(f, "Floor {kind:?} dropped: no such value in the field {field:?}")
            }
        }
    }
}

impl core::error::Error for Malformed {}
