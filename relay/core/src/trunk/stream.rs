//! What stands in the streams and datagrams of a trunk, cut into messages and packets: lengths and numbers in front, both kinds of
//! them.

use core::fmt;

use prost::bytes::{Buf, BufMut};
pub use prost::bytes::{Bytes, BytesMut};

/// Most octets of a frame or letter; one more closes the trunk as malformed.
pub const MESSAGE_OCTETS_MAX: usize = super::frame::SIZE_MAX;
/// Most octets of a packet in a backfill: no UDP datagram holds more.
pub const PACKET_OCTETS_MAX: usize = 65_507;

/// Octets that a length of three groups of seven bits needs at most; all that [`MESSAGE_OCTETS_MAX`] asks for.
const MESSAGE_LENGTH_OCTETS_MAX: usize = 3;

/// What arrived is no message: the partner's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A length beyond the limit, or one that does not end.
    TooLong(usize),
    /// A stream that ended within a message.
    CutOff,
    /// A flow beyond 32 bits.
    Flow,
}

/// How lengths are written.
#[derive(Clone, Copy, Debug)]
enum Lengths {
    /// As protocol buffers do: seven bits per octet, the lowest first.
    Messages,
    /// As QUIC does: the first two bits say how many octets.
    Packets,
}

/// Collects what a stream brings until a message is whole. It holds at most one message and one read.
#[derive(Debug)]
pub struct Splitter {
    lengths: Lengths,
    most: usize,
    held: BytesMut,
}

impl Splitter {
    /// For frames and letters.
    pub fn messages() -> Splitter {
        Splitter { lengths: Lengths::Messages, most: MESSAGE_OCTETS_MAX, held: BytesMut::new() }
    }

    /// For the packets of a backfill.
    pub fn packets() -> Splitter {
        Splitter { lengths: Lengths::Packets, most: PACKET_OCTETS_MAX, held: BytesMut::new() }
    }

    /// Takes what was read. Everything whole should have been taken out before.
    pub fn push(&mut self, read: &[u8]) {
        self.held.extend_from_slice(read);
    }

    /// The next message, if it is whole.
    pub fn take(&mut self) -> Result<Option<Bytes>, Malformed> {
        let length = match self.lengths {
            Lengths::Messages => message_length(&self.held)?,
            Lengths::Packets => quic_number(&self.held),
        };
        let Some((length, octets)) = length else { return Ok(None) };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > self.most {
            return Err(Malformed::TooLong(self.most));
        }
        if self.held.len() - octets < length {
            return Ok(None);
        }
        self.held.advance(octets);
        Ok(Some(self.held.split_to(length).freeze()))
    }

    /// The flow with which a backfill begins; asked for once, before the first packet.
    pub fn flow(&mut self) -> Result<Option<u32>, Malformed> {
        let Some((flow, octets)) = quic_number(&self.held) else { return Ok(None) };
        let flow = u32::try_from(flow).map_err(|_| Malformed::Flow)?;
        self.held.advance(octets);
        Ok(Some(flow))
    }

    /// Whether the stream ended between two messages.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

/// Takes the flow with which a datagram begins off its front; `None`: it begins with none, and is of no use.
pub fn take_flow(datagram: &mut Bytes) -> Option<u32> {
    let (flow, octets) = quic_number(datagram)?;
    datagram.advance(octets);
    u32::try_from(flow).ok()
}

/// A length and how many octets it took; `None` if it goes on behind what is there.
fn message_length(held: &[u8]) -> Result<Option<(u64, usize)>, Malformed> {
    let mut length = 0;
    for (at, octet) in held.iter().enumerate() {
        if at == MESSAGE_LENGTH_OCTETS_MAX {
            return Err(Malformed::TooLong(MESSAGE_OCTETS_MAX));
        }
        length |= u64::from(octet & 0x7f) << (7 * at);
        if octet & 0x80 == 0 {
            return Ok(Some((length, at + 1)));
        }
    }
    if held.len() >= MESSAGE_LENGTH_OCTETS_MAX {
        return Err(Malformed::TooLong(MESSAGE_OCTETS_MAX));
    }
    Ok(None)
}

/// RFC 9000 §16.
fn quic_number(held: &[u8]) -> Option<(u64, usize)> {
    let first = held.first()?;
    let octets = 1usize << (first >> 6);
    let rest = held.get(1..octets)?;
    let number = rest.iter().fold(u64::from(first & 0x3f), |number, octet| number << 8 | u64::from(*octet));
    Some((number, octets))
}

/// Appends a message with its length.
pub fn write_message(message: &[u8], into: &mut BytesMut) {
    let mut length = message.len();
    while length >= 0x80 {
        into.put_u8((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    into.put_u8(length as u8);
    into.extend_from_slice(message);
}

/// Appends a number below 2^32 as QUIC writes it.
pub fn write_quic_number(number: u32, into: &mut BytesMut) {
    match number {
        0..0x40 => into.put_u8(number as u8),
        0x40..0x4000 => into.put_u16(number as u16 | 0x4000),
        0x4000..0x4000_0000 => into.put_u32(number | 0x8000_0000),
        _ => into.put_u64(u64::from(number) | 0xc000_0000_0000_0000),
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::TooLong(most) => write!(f, "a message is longer than {most} octets"),
            Malformed::CutOff => f.write_str("a stream ended within a message"),
            Malformed::Flow => f.write_str("a flow has more than 32 bits"),
        }
    }
}

impl core::error::Error for Malformed {}

#[cfg(test)]
mod tests;
