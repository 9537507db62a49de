//! RTP as a relay sees it (RFC 3550 §5.1): a header to look at, and bytes to pass on unchanged.
//!
//! The payload is opaque. With end-to-end SRTP (TS 33.180 §7.5) it is ciphertext, and so is the octet that counts padding.

mod sequence;

pub use sequence::{Extender, Sequence};

use core::fmt;

use crate::Ssrc;
use crate::cursor::{Reader, Writer};

/// Octets of an RTP header without contributing sources and extension.
pub const HEADER_SIZE: usize = 12;

/// One RTP packet: proved well-formed, borrowed from the datagram that brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    bytes: &'a [u8],
    payload: &'a [u8],
    header: Header,
}

/// The fixed part of an RTP header; synthetic callers write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Begins a talk spurt, for most audio profiles.
    pub marker: bool,
    /// What the payload is.
    pub payload_type: PayloadType,
    /// Counts packets, wraps at 65536.
    pub sequence: u16,
    /// When the first sample was taken. Ticks of the codec's RTP clock.
    pub timestamp: u32,
    /// Who sends.
    pub ssrc: Ssrc,
}

/// An RTP payload type: seven bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PayloadType(u8);

/// A number above 127 is no payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSevenBits(pub u8);

/// Why bytes are not an RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Malformed {
    /// Fewer than the 12 octets of a header.
    Header,
    /// The version is not 2.
    Version,
    /// The list of contributing sources runs past the end.
    Csrc,
    /// The header extension runs past the end.
    Extension,
    /// The padding count is 0 or runs into the header.
    Padding,
}

impl<'a> Packet<'a> {
    /// Reads an RTP packet in the clear. The payload may be empty; padding must be counted correctly and is no payload.
    pub fn parse(bytes: &'a [u8]) -> Result<Packet<'a>, Malformed> {
        let mut packet = Packet::parse_protected(bytes)?;
        if is_padded(bytes) {
            let count = usize::from(*packet.payload.last().ok_or(Malformed::Padding)?);
            let kept = packet.payload.len().checked_sub(count).filter(|_| count > 0).ok_or(Malformed::Padding)?;
            packet.payload = packet.payload.get(..kept).ok_or(Malformed::Padding)?;
        }
        Ok(packet)
    }

    /// Reads an SRTP packet: its padding count is encrypted (RFC 3711 §3.1), so padding stays part of the payload, as the
    /// authentication tag, the MKI and the rollover counter do.
    pub fn parse_protected(bytes: &'a [u8]) -> Result<Packet<'a>, Malformed> {
        let mut reader = Reader::new(bytes);
        let [first, second] = reader.array().ok_or(Malformed::Header)?;
        if first >> 6 != 2 {
            return Err(Malformed::Version);
        }
        let header = Header {
            marker: second & 0x80 != 0,
            payload_type: PayloadType(second & 0x7f),
            sequence: reader.u16().ok_or(Malformed::Header)?,
            timestamp: reader.u32().ok_or(Malformed::Header)?,
            ssrc: Ssrc(reader.u32().ok_or(Malformed::Header)?),
        };
        reader.take(4 * usize::from(first & 0x0f)).ok_or(Malformed::Csrc)?;
        if first & 0x10 != 0 {
            let _profile = reader.u16().ok_or(Malformed::Extension)?;
            let words = usize::from(reader.u16().ok_or(Malformed::Extension)?);
            reader.take(4 * words).ok_or(Malformed::Extension)?;
        }
        Ok(Packet { bytes, payload: reader.rest(), header })
    }

    /// Who sends.
    pub const fn ssrc(&self) -> Ssrc {
        self.header.ssrc
    }

    /// The sequence number as it travels; [`Extender`] tells how often it wrapped.
    pub const fn sequence(&self) -> u16 {
        self.header.sequence
    }

    /// Ticks of the codec's RTP clock.
    pub const fn timestamp(&self) -> u32 {
        self.header.timestamp
    }

    /// What the payload is.
    pub const fn payload_type(&self) -> PayloadType {
        self.header.payload_type
    }

    /// The marker bit.
    pub const fn marker(&self) -> bool {
        self.header.marker
    }

    /// What follows the header and its extension.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The whole packet: what a relay passes on.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl Header {
    /// Writes the header, without contributing sources, extension or padding, to the start of `out`. The octets written, 12;
    /// `None` if `out` is shorter.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let mut writer = Writer::new(out.get_mut(..HEADER_SIZE)?);
        writer.put(&[0x80, u8::from(self.marker) << 7 | self.payload_type.number()])?;
        writer.put(&self.sequence.to_be_bytes())?;
        writer.put(&self.timestamp.to_be_bytes())?;
        writer.put(&self.ssrc.0.to_be_bytes())?;
        Some(writer.written())
    }
}

impl PayloadType {
    /// The number, 0 to 127.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for PayloadType {
    type Error = NotSevenBits;

    fn try_from(number: u8) -> Result<PayloadType, NotSevenBits> {
        if number < 0x80 { Ok(PayloadType(number)) } else { Err(NotSevenBits(number)) }
    }
}

/// Whether a datagram on a port that carries RTP and RTCP is RTCP: its second octet is 192 to 223, which as RTP would be a
/// payload type of 64 to 95 with the marker set, and those are never given to media (RFC 5761 §4).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, 192..=223, ..] if first >> 6 == 2)
}

fn is_padded(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| first & 0x20 != 0)
}

impl fmt::Display for NotSevenBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "payload type {} is above 127; use the number that the SDP names", self.0)
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Malformed::Header => "RTP packet is shorter than its 12-octet header",
            Malformed::Version => "RTP version is not 2; check that the sender speaks RTP to this port",
            Malformed::Csrc => "RTP contributing sources run past the end of the packet",
            Malformed::Extension => "RTP header extension runs past the end of the packet",
            Malformed::Padding => {
                "RTP padding count is 0 or runs into the header; an SRTP packet is not to be read as clear RTP"
            }
        })
    }
}

impl core::error::Error for NotSevenBits {}
impl core::error::Error for Malformed {}

#[cfg(test)]
mod tests;
