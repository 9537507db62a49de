//! The fields of floor messages (TS 24.380 §8.1.3, §8.2.3): an id, a length, a value, and zeros up to a whole word.

use core::fmt;

use crate::Ssrc;
use crate::cursor::{Reader, Writer};

/// A field that this crate knows. Its number is what travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Id {
    /// What priority the user asks for or has (§8.2.3.2).
    FloorPriority = 0,
    /// How long the talker may talk (§8.2.3.3).
    Duration = 1,
    /// Why a request is denied or a floor revoked (§8.2.3.4).
    RejectCause = 2,
    /// Place in the queue and priority there (§8.2.3.5).
    QueueInfo = 3,
    /// Who talks (§8.2.3.6).
    GrantedPartysIdentity = 4,
    /// Whether the receiver may ask for the floor (§8.2.3.7).
    PermissionToRequest = 5,
    /// Orders Floor Taken and Floor Idle (§8.2.3.10).
    MessageSequenceNumber = 8,
    /// Who acknowledges (§8.2.3.12).
    Source = 10,
    /// The way back through non-controlling functions (§8.2.3.13).
    TrackInfo = 11,
    /// What is acknowledged (§8.2.3.14).
    MessageType = 12,
    /// What kind of call it is (§8.2.3.15).
    FloorIndicator = 13,
    /// The SSRC of the talker's media (§8.2.3.16).
    AudioSsrc = 14,
    /// The alias under which the talker talks (§8.2.3.19).
    FunctionalAlias = 17,
    /// Where the talker is (§8.2.3.21).
    Location = 19,
    /// Whose floor is to be revoked (Rel-19).
    RevokeRequestUser = 25,
}

/// What kind of call it is, as bits that combine (TS 24.380 §8.2.3.15). Of normal, emergency and imminent peril at most one is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Indicator(pub u16);

/// Who acknowledges (TS 24.380 §8.2.3.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A participant.
    Participant,
    /// A participating function.
    ParticipatingFunction,
    /// The controlling function.
    ControllingFunction,
    /// A non-controlling function.
    NonControllingFunction,
}

/// The way back through non-controlling functions (TS 24.380 §8.2.3.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrackInfo<'a> {
    /// Whether the client negotiated queueing.
    pub queueing: bool,
    /// What the client is, as its group document says; may be empty.
    pub participant_type: &'a str,
    /// One reference per non-controlling function passed, the latest last. A reference means something only to the function that
    /// made it.
    pub references: &'a [[u8; 4]],
}

impl Indicator {
    /// A: a normal call.
    pub const NORMAL: Indicator = Indicator(0x8000);
    /// B: a broadcast group call.
    pub const BROADCAST: Indicator = Indicator(0x4000);
    /// C: a system call.
    pub const SYSTEM: Indicator = Indicator(0x2000);
    /// D: an emergency call.
    pub const EMERGENCY: Indicator = Indicator(0x1000);
    /// E: an imminent peril call.
    pub const IMMINENT_PERIL: Indicator = Indicator(0x0800);
    /// F: requests can be queued.
    pub const QUEUEING: Indicator = Indicator(0x0400);
    /// G: a second talker overrides the first.
    pub const DUAL_FLOOR: Indicator = Indicator(0x0200);
    /// H: the group is temporary.
    pub const TEMPORARY_GROUP: Indicator = Indicator(0x0100);
    /// I: several may talk at once.
    pub const MULTI_TALKER: Indicator = Indicator(0x0080);

    /// These bits and those of `other`.
    pub const fn with(self, other: Indicator) -> Indicator {
        Indicator(self.0 | other.0)
    }

    /// Whether every bit of `other` is set.
    pub const fn contains(self, other: Indicator) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Source {
    /// The number that travels.
    pub const fn number(self) -> u16 {
        match self {
            Source::Participant => 0,
            Source::ParticipatingFunction => 1,
            Source::ControllingFunction => 2,
            Source::NonControllingFunction => 3,
        }
    }

    pub(crate) const fn from_number(number: u16) -> Option<Source> {
        match number {
            0 => Some(Source::Participant),
            1 => Some(Source::ParticipatingFunction),
            2 => Some(Source::ControllingFunction),
            3 => Some(Source::NonControllingFunction),
            _ => None,
        }
    }
}

impl<'a> TrackInfo<'a> {
    /// The latest reference: downwards it names a participant of the function that receives the message.
    pub fn last(&self) -> Option<u32> {
        self.references.last().map(|reference| u32::from_be_bytes(*reference))
    }

    /// What is passed on downwards after the last reference has named the next function; `None`: it named the participant.
    pub fn without_last(&self) -> Option<TrackInfo<'a>> {
        let (_, references) = self.references.split_last()?;
        (!references.is_empty()).then_some(TrackInfo { references, ..*self })
    }

    //= TS 24.380 §8.2.3.13  the participant type is padded inside the field, so that the references stand on whole words
    pub(crate) fn parse(value: &'a [u8]) -> Option<TrackInfo<'a>> {
        let mut reader = Reader::new(value);
        let queueing = reader.u8()? != 0;
        let size = usize::from(reader.u8()?);
        let participant_type = core::str::from_utf8(reader.take(size)?).ok()?;
        reader.take(size.next_multiple_of(4) - size)?;
        let (references, remainder) = reader.rest().as_chunks::<4>();
        remainder.is_empty().then_some(TrackInfo { queueing, participant_type, references })
    }

    pub(crate) fn size(&self) -> usize {
        2 + self.participant_type.len().next_multiple_of(4) + 4 * self.references.len()
    }

    fn write(&self, writer: &mut Writer<'_>) -> Option<()> {
        writer.put(&[u8::from(self.queueing), u8::try_from(self.participant_type.len()).ok()?])?;
        writer.put(self.participant_type.as_bytes())?;
        writer.align()?;
        writer.put(self.references.as_flattened())
    }
}

/// Track Info that owns its only reference: what a non-controlling function adds for a client of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Track {
    queueing: bool,
    references: [[u8; 4]; 1],
}

impl Track {
    /// The way to the participant that its function calls `reference`; `queueing`: whether its client negotiated queueing.
    pub const fn new(queueing: bool, reference: u32) -> Track {
        Track { queueing, references: [reference.to_be_bytes()] }
    }

    /// As a message carries it. The participant type is not known to a relay, and so `unknown`.
    pub const fn info(&self) -> TrackInfo<'_> {
        TrackInfo { queueing: self.queueing, participant_type: "unknown", references: &self.references }
    }
}

/// The fields of one message, every length proved.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The id of the field whose length points past the end, if there is one.
    pub(crate) fn parse(data: &'a [u8]) -> Result<Fields<'a>, u8> {
        let mut reader = Reader::new(data);
        while let Some(&id) = reader.rest().first() {
            read_field(&mut reader).ok_or(id)?;
        }
        Ok(Fields(data))
    }

    /// The first field `id` that has at least `size_min` octets: a shorter one counts as absent.
    pub(crate) fn value(&self, id: Id, size_min: usize) -> Option<&'a [u8]> {
        let mut reader = Reader::new(self.0);
        while let Some((found, value)) = read_field(&mut reader) {
            if found == id as u8 && value.len() >= size_min {
                return Some(value);
            }
        }
        None
    }

    pub(crate) fn u8(&self, id: Id) -> Option<u8> {
        Reader::new(self.value(id, 2)?).u8()
    }

    pub(crate) fn u16(&self, id: Id) -> Option<u16> {
        Reader::new(self.value(id, 2)?).u16()
    }

    /// A text. One that is empty or not UTF-8 says nothing and counts as absent.
    pub(crate) fn text(&self, id: Id) -> Option<&'a str> {
        core::str::from_utf8(self.value(id, 1)?).ok()
    }

    pub(crate) fn indicator(&self) -> Option<Indicator> {
        self.u16(Id::FloorIndicator).map(Indicator)
    }

    pub(crate) fn audio_ssrc(&self) -> Option<Ssrc> {
        Reader::new(self.value(Id::AudioSsrc, 6)?).u32().map(Ssrc)
    }
}

//= TS 24.380 §8.1.3  one octet of length for ids below 192, two from there on; padding is not counted
fn read_field<'a>(reader: &mut Reader<'a>) -> Option<(u8, &'a [u8])> {
    let id = reader.u8()?;
    let (length, header) = if id < 192 { (usize::from(reader.u8()?), 2) } else { (usize::from(reader.u16()?), 3) };
    let value = reader.take(length)?;
    // A message is whole words, so padding can only be missing where the value already failed; then the message ends here.
    let padding = (header + length).next_multiple_of(4) - (header + length);
    let _ = reader.take(padding.min(reader.rest().len()));
    Some((id, value))
}

/// Why a field cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooLong {
    /// The value of a field is longer than its length octet can say, 255; shorten it where it is configured.
    Value {
        /// Which field.
        field: Id,
        /// How long it would be.
        octets: usize,
    },
    /// The output is too short; [`SIZE_MAX`](super::message::SIZE_MAX) always suffices.
    Message,
}

/// Writes fields one after another.
pub(crate) struct FieldWriter<'w, 'a>(pub(crate) &'w mut Writer<'a>);

impl FieldWriter<'_, '_> {
    fn open(&mut self, id: Id, octets: usize) -> Result<(), TooLong> {
        let length = u8::try_from(octets).map_err(|_| TooLong::Value { field: id, octets })?;
        self.0.put(&[id as u8, length]).ok_or(TooLong::Message)
    }

    fn put(&mut self, id: Id, parts: &[&[u8]]) -> Result<(), TooLong> {
        self.open(id, parts.iter().map(|part| part.len()).sum())?;
        for part in parts {
            self.0.put(part).ok_or(TooLong::Message)?;
        }
        self.0.align().ok_or(TooLong::Message)
    }

    pub(crate) fn u8(&mut self, id: Id, value: u8) -> Result<(), TooLong> {
        self.put(id, &[&[value, 0]])
    }

    pub(crate) fn u8_pair(&mut self, id: Id, first: u8, second: u8) -> Result<(), TooLong> {
        self.put(id, &[&[first, second]])
    }

    pub(crate) fn u16(&mut self, id: Id, value: u16) -> Result<(), TooLong> {
        self.put(id, &[&value.to_be_bytes()])
    }

    pub(crate) fn octets(&mut self, id: Id, value: &[u8]) -> Result<(), TooLong> {
        self.put(id, &[value])
    }

    /// A text, unless there is none or it is empty.
    pub(crate) fn text(&mut self, id: Id, text: Option<&str>) -> Result<(), TooLong> {
        text.filter(|text| !text.is_empty()).map_or(Ok(()), |text| self.put(id, &[text.as_bytes()]))
    }

    pub(crate) fn cause(&mut self, cause: u16, phrase: Option<&str>) -> Result<(), TooLong> {
        self.put(Id::RejectCause, &[&cause.to_be_bytes(), phrase.unwrap_or_default().as_bytes()])
    }

    pub(crate) fn indicator(&mut self, indicator: Option<Indicator>) -> Result<(), TooLong> {
        indicator.map_or(Ok(()), |bits| self.u16(Id::FloorIndicator, bits.0))
    }

    pub(crate) fn audio_ssrc(&mut self, ssrc: Option<Ssrc>) -> Result<(), TooLong> {
        ssrc.map_or(Ok(()), |ssrc| self.put(Id::AudioSsrc, &[&ssrc.0.to_be_bytes(), &[0, 0]]))
    }

    pub(crate) fn track_info(&mut self, track_info: Option<TrackInfo<'_>>) -> Result<(), TooLong> {
        let Some(track_info) = track_info else { return Ok(()) };
        self.open(Id::TrackInfo, track_info.size())?;
        track_info.write(self.0).ok_or(TooLong::Message)?;
        self.0.align().ok_or(TooLong::Message)
    }
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TooLong::Value { field, octets } => {
                write!(f, "floor field {field:?} not written: {octets} octets exceed 255; shorten the text")
            }
            TooLong::Message => {
                f.write_str("floor message not written: the output is too short; give it SIZE_MAX octets")
            }
        }
    }
}

impl core::error::Error for TooLong {}
