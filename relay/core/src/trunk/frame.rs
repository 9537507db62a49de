//! The byte streams of a trunk: frames between relays, letters between control planes, each behind its length.
//!
//! Here bytes become messages, once: what `parse` and `Reader` hand out has every field within its domain. A message costs
//! what its bytes cost and the room of its lists, and is at most [`SIZE_MAX`] octets before a byte of it is kept.

mod domain;

use alloc::vec::Vec;
use core::{fmt, marker::PhantomData};

pub use domain::{
    AGES_MAX, BURSTS_MAX, CODECS_MAX, FLOW_MAX, GROUPS_MAX, ID_OCTETS_MAX, ITEMS_MAX, POINTS_MAX, RANGE_MAX,
    SECRET_OCTETS_MAX, SEQUENCE_MAX, TEXT_OCTETS_MAX, VOICES_MAX, WORD_OCTETS_MAX,
};

/// The longest frame or letter, its length not counted. Octets.
pub const SIZE_MAX: usize = 65_536;

/// Octets of a length that is not above [`SIZE_MAX`]: seven bits in each.
const LENGTH_OCTETS_MAX: usize = 3;

/// Why a frame or a letter is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Malformed {
    /// Longer than [`SIZE_MAX`], or its length is no number. Nothing after it can be read.
    Length,
    /// Not the encoding that `docs/proto/trunk.proto` says, or a text that is not UTF-8.
    Encoding,
    /// It says nothing that this version knows.
    Unknown,
    /// A field lies outside its domain.
    Value {
        /// Which field, as `message.field`.
        field: &'static str,
    },
    /// A list is too long.
    TooMany {
        /// Which list, as `message.field`.
        field: &'static str,
        /// How many there may be.
        limit: usize,
    },
}

/// A message of the trunk whose fields have domains.
pub trait Checked: prost::Message + Default {
    /// Whether every field lies within its domain, and if not, which does not.
    fn check(&self) -> Result<(), Malformed>;
}

/// The message whose bytes these are, without a length before them.
pub fn parse<M: Checked>(bytes: &[u8]) -> Result<M, Malformed> {
    if bytes.len() > SIZE_MAX {
        return Err(Malformed::Length);
    }
    let message = M::decode(bytes).map_err(|_| Malformed::Encoding)?;
    message.check().map(|()| message)
}

/// The bytes of `message`, without a length before them. It is checked as the receiver will check it, so that no fault of
/// ours costs the trunk.
pub fn bytes<M: Checked>(message: &M) -> Result<Vec<u8>, Malformed> {
    check_own(message)?;
    Ok(message.encode_to_vec())
}

/// Appends `message` behind its length; nothing is appended if it is too long or a field lies outside its domain.
pub fn write<M: Checked>(message: &M, out: &mut Vec<u8>) -> Result<(), Malformed> {
    check_own(message)?;
    // A `Vec` grows as needed, so that there is always room.
    message.encode_length_delimited(out).map_err(|_| Malformed::Length)
}

fn check_own<M: Checked>(message: &M) -> Result<(), Malformed> {
    message.check()?;
    if message.encoded_len() > SIZE_MAX { Err(Malformed::Length) } else { Ok(()) }
}

/// Takes a stream as it comes and hands out its messages. After `feed`, ask for the next one until there is none: then at most
/// one message that is not whole yet is kept.
#[derive(Debug)]
pub struct Reader<M> {
    kept: Vec<u8>,
    read: usize,
    broken: bool,
    message: PhantomData<fn() -> M>,
}

/// How far the length before a message has come.
enum Length {
    Incomplete,
    Whole { header: usize, size: usize },
    Wrong,
}

impl<M: Checked> Reader<M> {
    /// The reader of a stream of which nothing has come.
    pub const fn new() -> Reader<M> {
        Reader { kept: Vec::new(), read: 0, broken: false, message: PhantomData }
    }

    /// More of the stream. What comes after a wrong length is not kept.
    pub fn feed(&mut self, octets: &[u8]) {
        if self.broken {
            return;
        }
        self.kept.drain(..self.read.min(self.kept.len()));
        self.read = 0;
        self.kept.extend_from_slice(octets);
    }

    /// Octets that came and are not read yet.
    pub fn pending(&self) -> usize {
        self.kept.len().saturating_sub(self.read)
    }
}

impl<M: Checked> Default for Reader<M> {
    fn default() -> Self {
        Reader::new()
    }
}

impl<M: Checked> Iterator for Reader<M> {
    type Item = Result<M, Malformed>;

    /// A message that is malformed inside is reported and passed over; after a wrong length nothing follows.
    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.kept.get(self.read..)?;
        match length(rest) {
            Length::Incomplete => None,
            Length::Wrong => {
                (self.kept, self.read, self.broken) = (Vec::new(), 0, true);
                Some(Err(Malformed::Length))
            }
            Length::Whole { header, size } => {
                let message = rest.get(header..header + size)?;
                self.read += header + size;
                Some(parse(message))
            }
        }
    }
}

fn length(octets: &[u8]) -> Length {
    let mut size = 0;
    for (header, octet) in (1..=LENGTH_OCTETS_MAX).zip(octets) {
        size |= usize::from(octet & 0x7f) << (7 * (header - 1));
        if octet & 0x80 == 0 {
            return if size > SIZE_MAX { Length::Wrong } else { Length::Whole { header, size } };
        }
    }
    if octets.len() < LENGTH_OCTETS_MAX { Length::Incomplete } else { Length::Wrong }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Length => write!(f, "its length is above {SIZE_MAX} octets, or no number"),
            Malformed::Encoding => f.write_str("its bytes are not what trunk.proto says"),
            Malformed::Unknown => f.write_str("it says nothing that version 1 knows"),
            Malformed::Value { field } => write!(f, "{field} is outside its domain"),
            Malformed::TooMany { field, limit } => write!(f, "{field} has more than {limit} entries"),
        }
    }
}

impl core::error::Error for Malformed {}

#[cfg(test)]
mod tests;
