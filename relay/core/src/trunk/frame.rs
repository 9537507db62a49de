//! The messages of a trunk: frames between relays, letters between control planes.
//!
//! Here bytes become messages, once: what `parse` hands out has every field within its domain. A message costs what its bytes cost
//! and the room of its lists, and is at most [`SIZE_MAX`] octets. [`stream`](super::stream) cuts the bytes out of what comes.

mod domain;

use alloc::vec::Vec;
use core::fmt;

pub use domain::{
    AGES_MAX, BURSTS_MAX, CODECS_MAX, FLOW_MAX, GROUPS_MAX, ID_OCTETS_MAX, ITEMS_MAX, POINTS_MAX, RANGE_MAX,
    SECRET_OCTETS_MAX, SEQUENCE_MAX, TEXT_OCTETS_MAX, VOICES_MAX, WORD_OCTETS_MAX,
};

/// The longest frame or letter, its length not counted. Octets.
pub const SIZE_MAX: usize = 65_536;

/// Why a frame or a letter is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Malformed {
    /// Longer than [`SIZE_MAX`].
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

fn check_own<M: Checked>(message: &M) -> Result<(), Malformed> {
    message.check()?;
    if message.encoded_len() > SIZE_MAX { Err(Malformed::Length) } else { Ok(()) }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Length => write!(f, "it is longer than {SIZE_MAX} octets"),
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
