//! What stands in streams, cut into messages: lengths in front, both kinds of them.

use bytes::{Buf, Bytes, BytesMut};

/// Most octets of a frame or letter; one more closes the trunk as malformed.
pub const MESSAGE_OCTETS_MAX: usize = 65_536;
/// Most octets of a packet in a backfill: no UDP datagram holds more.
pub const PACKET_OCTETS_MAX: usize = 65_507;

/// Octets that a length of three groups of seven bits needs at most; all that [`MESSAGE_OCTETS_MAX`] asks for.
const MESSAGE_LENGTH_OCTETS_MAX: usize = 3;

/// What arrived is no message: the partner's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// A length beyond the limit, or one that does not end.
    #[error("a message is longer than {0} octets")]
    TooLong(usize),
    /// A stream that ended within a message.
    #[error("a stream ended within a message")]
    CutOff,
    /// A flow beyond 32 bits.
    #[error("a flow has more than 32 bits")]
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
pub(crate) struct Splitter {
    lengths: Lengths,
    most: usize,
    held: BytesMut,
}

impl Splitter {
    /// For frames and letters.
    pub(crate) fn messages() -> Splitter {
        Splitter { lengths: Lengths::Messages, most: MESSAGE_OCTETS_MAX, held: BytesMut::new() }
    }

    /// For the packets of a backfill.
    pub(crate) fn packets() -> Splitter {
        Splitter { lengths: Lengths::Packets, most: PACKET_OCTETS_MAX, held: BytesMut::new() }
    }

    /// Takes what was read. Everything whole should have been taken out before.
    pub(crate) fn push(&mut self, read: &[u8]) {
        self.held.extend_from_slice(read);
    }

    /// The next message, if it is whole.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Malformed> {
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
    pub(crate) fn flow(&mut self) -> Result<Option<u32>, Malformed> {
        let Some((flow, octets)) = quic_number(&self.held) else { return Ok(None) };
        self.held.advance(octets);
        u32::try_from(flow).map(Some).map_err(|_| Malformed::Flow)
    }

    /// Whether the stream ended between two messages.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
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
pub(crate) fn write_message(message: &[u8], into: &mut BytesMut) {
    let mut length = message.len();
    while length >= 0x80 {
        into.extend_from_slice(&[(length & 0x7f) as u8 | 0x80]);
        length >>= 7;
    }
    into.extend_from_slice(&[length as u8]);
    into.extend_from_slice(message);
}

/// Appends a number below 2^32 as QUIC writes it.
pub(crate) fn write_quic_number(number: u32, into: &mut BytesMut) {
    match number {
        0..0x40 => into.extend_from_slice(&[number as u8]),
        0x40..0x4000 => into.extend_from_slice(&(number as u16 | 0x4000).to_be_bytes()),
        0x4000..0x4000_0000 => into.extend_from_slice(&(number | 0x8000_0000).to_be_bytes()),
        _ => into.extend_from_slice(&(u64::from(number) | 0xc000_0000_0000_0000).to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(splitter: &mut Splitter) -> Vec<Bytes> {
        std::iter::from_fn(|| splitter.next().expect("well-formed")).collect()
    }

    #[test]
    fn messages_come_out_as_they_went_in_however_they_are_cut() {
        let messages: Vec<Vec<u8>> = [0, 1, 127, 128, 300, 16_384, MESSAGE_OCTETS_MAX].map(|n| vec![n as u8; n]).into();
        let mut wire = BytesMut::new();
        messages.iter().for_each(|message| write_message(message, &mut wire));
        for cut in [1, 2, 3, 1000, wire.len()] {
            let mut splitter = Splitter::messages();
            let mut found = Vec::new();
            for read in wire.chunks(cut) {
                splitter.push(read);
                found.extend(all(&mut splitter));
            }
            assert!(found.iter().map(Bytes::as_ref).eq(messages.iter().map(Vec::as_slice)), "cut into {cut}");
            assert!(splitter.is_empty());
        }
    }

    #[test]
    fn one_octet_more_than_the_limit_is_malformed_before_it_is_there() {
        let mut wire = BytesMut::new();
        write_message(&vec![0; MESSAGE_OCTETS_MAX + 1], &mut wire);
        let mut splitter = Splitter::messages();
        splitter.push(wire.get(..3).expect("a length"));
        assert_eq!(splitter.next(), Err(Malformed::TooLong(MESSAGE_OCTETS_MAX)));
    }

    #[test]
    fn a_length_that_does_not_end_is_malformed() {
        let mut splitter = Splitter::messages();
        splitter.push(&[0x80, 0x80]);
        assert_eq!(splitter.next(), Ok(None));
        splitter.push(&[0x80]);
        assert_eq!(splitter.next(), Err(Malformed::TooLong(MESSAGE_OCTETS_MAX)));
    }

    #[test]
    fn a_backfill_is_a_flow_and_packets() {
        for flow in [0, 63, 64, 16_383, 16_384, 0x3fff_ffff, 0x4000_0000, u32::MAX] {
            let mut wire = BytesMut::new();
            write_quic_number(flow, &mut wire);
            for packet in [&[1u8; 60][..], &[2; 200], &[]] {
                write_quic_number(packet.len() as u32, &mut wire);
                wire.extend_from_slice(packet);
            }
            let mut splitter = Splitter::packets();
            let (first, rest) = wire.split_at(1);
            splitter.push(first);
            let early = splitter.flow().expect("well-formed");
            splitter.push(rest);
            let found = early.or_else(|| splitter.flow().expect("well-formed"));
            assert_eq!(found, Some(flow));
            assert_eq!(all(&mut splitter).iter().map(Bytes::len).collect::<Vec<_>>(), [60, 200, 0]);
        }
    }

    #[test]
    fn packets_and_flows_have_limits() {
        let mut splitter = Splitter::packets();
        splitter.push(&0xc000_0001_0000_0000u64.to_be_bytes());
        assert_eq!(splitter.flow(), Err(Malformed::Flow));
        let mut wire = BytesMut::new();
        write_quic_number(PACKET_OCTETS_MAX as u32, &mut wire);
        splitter = Splitter::packets();
        splitter.push(&wire);
        assert_eq!(splitter.next(), Ok(None));
        wire.clear();
        write_quic_number(PACKET_OCTETS_MAX as u32 + 1, &mut wire);
        splitter = Splitter::packets();
        splitter.push(&wire);
        assert_eq!(splitter.next(), Err(Malformed::TooLong(PACKET_OCTETS_MAX)));
    }
}
