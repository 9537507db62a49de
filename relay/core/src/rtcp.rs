//! RTCP framing (RFC 3550 §6): the packets of a datagram, and the APP packet that carries every message of TS 24.380.

use core::fmt;

use crate::Ssrc;
use crate::cursor::{Reader, Writer};

/// Octets of an APP packet before its data: header, SSRC and name.
pub const APP_HEADER_SIZE: usize = 12;

/// Packet type of an APP packet.
const APP: u8 = 204;

/// An application-defined RTCP packet (RFC 3550 §6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct App<'a> {
    /// What the name's owner uses it for.
    pub subtype: Subtype,
    /// Who sends this packet.
    pub ssrc: Ssrc,
    /// Four octets of ASCII that say whose packet it is.
    pub name: [u8; 4],
    /// The rest: whole 32-bit words.
    pub data: &'a [u8],
}

/// One RTCP packet of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// An APP packet.
    App(App<'a>),
    /// A packet of another type, 192 to 223: skipped by its length.
    Other(u8),
}

/// The subtype of an APP packet: five bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subtype(u8);

/// A number above 31 is no subtype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotFiveBits(pub u8);

/// Why bytes are not RTCP, field by field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Malformed {
    /// Fewer than the 4 octets that every RTCP packet begins with.
    Header,
    /// The version is not 2.
    Version,
    /// The packet type is none of 192 to 223.
    PacketType(u8),
    /// The length field points past the end of the datagram.
    Length,
    /// The padding count is 0, no multiple of 4, or runs into the header.
    Padding,
    /// An APP packet ends within its SSRC.
    Ssrc,
    /// An APP packet ends within its name.
    Name,
}

/// The RTCP packets of a datagram, in order. After the first malformed one it ends: where the next begins is not known.
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    reader: Reader<'a>,
}

/// The RTCP packets of `datagram`. An empty datagram has none.
pub const fn packets(datagram: &[u8]) -> Packets<'_> {
    Packets { reader: Reader::new(datagram) }
}

/// Whether a datagram is well-formed RTCP of whatever kind, compound or reduced-size (RFC 3550 §A.2, RFC 5506): every packet
/// is as long as its type and count demand, and at most the last one is padded. It says nothing about who sent it.
pub fn valid_compound(datagram: &[u8]) -> bool {
    let mut reader = Reader::new(datagram);
    while !reader.is_empty() {
        let Ok(frame) = Frame::read(&mut reader) else { return false };
        if frame.body.len() < frame.body_size_min() || (frame.padded && !reader.is_empty()) {
            return false;
        }
    }
    !datagram.is_empty()
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Packet<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let packet = Frame::read(&mut self.reader).and_then(Frame::packet);
        if packet.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(packet)
    }
}

impl App<'_> {
    /// Writes the packet to the start of `out`, and says how many octets it took. `None` if `out` is too short, or if the data
    /// is not whole 32-bit words or more of them than the length field can count.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        if !self.data.len().is_multiple_of(4) {
            return None;
        }
        let mut writer = Writer::new(out);
        self.write_header(&mut writer)?;
        writer.put(self.data)?;
        close(&mut writer)?;
        Some(writer.written())
    }

    /// Everything before the data; [`close`] fills in the length.
    pub(crate) fn write_header(&self, writer: &mut Writer<'_>) -> Option<()> {
        writer.put(&[0x80 | self.subtype.0, APP, 0, 0])?;
        writer.put(&self.ssrc.0.to_be_bytes())?;
        writer.put(&self.name)
    }
}

/// Sets the length field of the packet that `writer` has written, which must be whole words.
pub(crate) fn close(writer: &mut Writer<'_>) -> Option<()> {
    let words = u16::try_from((writer.written() / 4).checked_sub(1)?).ok()?;
    writer.patch(2, &words.to_be_bytes())
}

impl Subtype {
    /// The number, 0 to 31.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Subtype {
    type Error = NotFiveBits;

    fn try_from(number: u8) -> Result<Subtype, NotFiveBits> {
        if number < 0x20 { Ok(Subtype(number)) } else { Err(NotFiveBits(number)) }
    }
}

/// An RTCP packet cut out of its datagram.
struct Frame<'a> {
    count: u8,
    packet_type: u8,
    padded: bool,
    /// What follows the first word, without padding.
    body: &'a [u8],
}

impl<'a> Frame<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Frame<'a>, Malformed> {
        let [first, packet_type] = reader.array().ok_or(Malformed::Header)?;
        if first >> 6 != 2 {
            return Err(Malformed::Version);
        }
        if !(192..=223).contains(&packet_type) {
            return Err(Malformed::PacketType(packet_type));
        }
        let words = usize::from(reader.u16().ok_or(Malformed::Header)?);
        let mut body = reader.take(4 * words).ok_or(Malformed::Length)?;
        let padded = first & 0x20 != 0;
        if padded {
            let count = usize::from(*body.last().ok_or(Malformed::Padding)?);
            let kept = body.len().checked_sub(count).filter(|_| count > 0 && count.is_multiple_of(4));
            body = kept.and_then(|kept| body.get(..kept)).ok_or(Malformed::Padding)?;
        }
        Ok(Frame { count: first & 0x1f, packet_type, padded, body })
    }

    fn packet(self) -> Result<Packet<'a>, Malformed> {
        if self.packet_type != APP {
            return Ok(Packet::Other(self.packet_type));
        }
        let mut reader = Reader::new(self.body);
        Ok(Packet::App(App {
            subtype: Subtype(self.count),
            ssrc: Ssrc(reader.u32().ok_or(Malformed::Ssrc)?),
            name: reader.array().ok_or(Malformed::Name)?,
            data: reader.rest(),
        }))
    }

    /// Octets that must follow the first word for the packet to be one of its type.
    fn body_size_min(&self) -> usize {
        let count = usize::from(self.count);
        match self.packet_type {
            // SR, RR, SDES (a source and its terminator), BYE, APP, then RTPFB and PSFB, XR.
            200 => 24 + 24 * count,
            201 => 4 + 24 * count,
            202 => 8 * count,
            203 => 4 * count,
            APP => 8,
            205 | 206 => 8,
            207 => 4,
            _ => 0,
        }
    }
}

impl fmt::Display for NotFiveBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "APP subtype {} is above 31; five bits travel", self.0)
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Header => f.write_str("RTCP packet is shorter than its 4-octet header"),
            Malformed::Version => f.write_str("RTCP version is not 2; check that the sender speaks RTCP to this port"),
            Malformed::PacketType(number) => write!(f, "packet type {number} is not RTCP; check the sender's port"),
            Malformed::Length => f.write_str("RTCP length points past the end of the datagram"),
            Malformed::Padding => f.write_str("RTCP padding count is 0, no multiple of 4, or runs into the header"),
            Malformed::Ssrc => f.write_str("RTCP APP packet ends within its SSRC"),
            Malformed::Name => f.write_str("RTCP APP packet ends within its name"),
        }
    }
}

impl core::error::Error for NotFiveBits {}
impl core::error::Error for Malformed {}

#[cfg(test)]
mod tests;
