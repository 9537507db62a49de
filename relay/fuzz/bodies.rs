// What must hold for any bytes, one function per parser. The fuzz targets run them, and relay-core's `corpus` test replays
// the committed corpus through them.

use relay_core::floor::message::{self, Item, Malformed, SIZE_MAX};
use relay_core::trunk::{
    frame::{self, Checked},
    stream::{self, Bytes, BytesMut, Splitter},
    wire::{Frame, Letter},
};
use relay_core::{rtcp, rtp};

/// What follows the header is a suffix of the packet; without padding the clear and the protected reading are one.
pub(crate) fn rtp_packet(data: &[u8]) {
    let clear = rtp::Packet::parse(data);
    let protected = rtp::Packet::parse_protected(data);
    match (&clear, &protected) {
        (Ok(clear), Ok(protected)) => {
            assert!(protected.payload().starts_with(clear.payload()));
            assert_eq!((clear.ssrc(), clear.sequence()), (protected.ssrc(), protected.sequence()));
        }
        (Err(rtp::Malformed::Padding), Ok(_)) => {}
        (Err(clear), Err(protected)) => assert_eq!(clear, protected),
        disagreement => panic!("{disagreement:?}"),
    }
    let Ok(packet) = protected else { return };
    assert_eq!(packet.bytes(), data);
    assert!(data.ends_with(packet.payload()));
    let header = rtp::Header {
        marker: packet.marker(),
        payload_type: packet.payload_type(),
        sequence: packet.sequence(),
        timestamp: packet.timestamp(),
        ssrc: packet.ssrc(),
    };
    let mut out = [0; rtp::HEADER_SIZE];
    assert_eq!(header.write(&mut out), Some(rtp::HEADER_SIZE));
    assert_eq!(out[1..], data[1..rtp::HEADER_SIZE], "all of the fixed header but its first octet");
}

/// The packets fit into the datagram; an APP packet that is written again reads the same.
pub(crate) fn rtcp_app(data: &[u8]) {
    let mut octets = 0;
    let mut faults = 0;
    for packet in rtcp::packets(data) {
        assert_eq!(faults, 0, "nothing follows a fault");
        match packet {
            Ok(rtcp::Packet::App(app)) => {
                octets += rtcp::APP_HEADER_SIZE + app.data.len();
                let mut out = vec![0; rtcp::APP_HEADER_SIZE + app.data.len()];
                assert_eq!(app.write(&mut out), Some(out.len()));
                assert!(rtcp::packets(&out).eq([Ok(rtcp::Packet::App(app))]));
                assert!(rtcp::valid_compound(&out));
            }
            Ok(rtcp::Packet::Other(number)) => {
                octets += 4;
                assert!((192..=223).contains(&number));
            }
            Err(_) => faults += 1,
        }
    }
    assert!(octets <= data.len());
    assert!(faults == 0 || !rtcp::valid_compound(data));
}

/// A message that is written again reads the same; once a length is wrong, nothing follows.
pub(crate) fn floor_message(data: &[u8]) {
    let mut count = 0;
    let mut ended = false;
    for item in message::read(data) {
        assert!(!ended, "nothing follows a wrong length");
        count += 1;
        match item {
            Ok(Item::Packet(packet)) => {
                let mut out = [0; SIZE_MAX];
                let size = packet.write(&mut out).expect("what one datagram held fits into the output");
                assert!(message::read(&out[..size]).eq([Ok(Item::Packet(packet))]));
            }
            Ok(Item::Skipped(_)) | Err(Malformed::Missing { .. } | Malformed::Value { .. }) => {}
            Err(Malformed::Framing(_) | Malformed::FieldLength { .. }) => ended = true,
        }
    }
    assert!(count <= data.len().div_ceil(4));
}

pub(crate) fn trunk_frame(data: &[u8]) {
    stream::<Frame>(data);
}

pub(crate) fn trunk_letter(data: &[u8]) {
    stream::<Letter>(data);
}

/// A stream says the same however it is cut, and what is written again reads the same.
fn stream<M: Checked + PartialEq>(data: &[u8]) {
    let read = |splitter: &mut Splitter, _: &mut Option<u32>| splitter.take();
    let (messages, _) = cut(Splitter::messages, data, read);
    assert!(messages.len() <= data.len());
    let mut again = BytesMut::new();
    messages.iter().for_each(|message| stream::write_message(message, &mut again));
    assert!(cut(Splitter::messages, &again, read).0 == messages);
    for message in messages.iter().filter_map(|message| frame::parse::<M>(message).ok()) {
        let bytes = frame::bytes(&message).expect("what was read can be written");
        assert!(frame::parse(&bytes) == Ok(message));
    }
}

/// A backfill is a flow and packets, and a datagram a flow and a packet; both read the flow alike, and what is written again reads
/// the same.
pub(crate) fn trunk_packets(data: &[u8]) {
    let (packets, flow) = cut(Splitter::packets, data, |splitter, flow| {
        if flow.is_none() {
            *flow = splitter.flow()?;
        }
        if flow.is_some() { splitter.take() } else { Ok(None) }
    });
    let mut datagram = Bytes::copy_from_slice(data);
    assert_eq!(stream::take_flow(&mut datagram), flow);
    assert!(data.ends_with(&datagram));
    let Some(flow) = flow else { return assert!(packets.is_empty()) };
    let mut again = BytesMut::new();
    stream::write_quic_number(flow, &mut again);
    assert!(again.len() + datagram.len() <= data.len(), "it is written as short as it can be");
    for packet in &packets {
        stream::write_quic_number(packet.len() as u32, &mut again);
        again.extend_from_slice(packet);
    }
    let mut splitter = Splitter::packets();
    splitter.push(&again);
    assert_eq!(splitter.flow(), Ok(Some(flow)));
    assert!(packets.iter().all(|packet| splitter.take() == Ok(Some(packet.clone()))));
    assert!(splitter.is_empty());
}

/// What comes out of a stream until nothing more is whole or something is wrong: the same, whole and cut into equal parts.
fn cut(
    new: fn() -> Splitter,
    data: &[u8],
    mut read: impl FnMut(&mut Splitter, &mut Option<u32>) -> Result<Option<Bytes>, stream::Malformed>,
) -> (Vec<Bytes>, Option<u32>) {
    let size = usize::from(data.first().copied().unwrap_or(0)) + 1;
    let mut play = |parts: &mut dyn Iterator<Item = &[u8]>| {
        let (mut splitter, mut flow, mut items) = (new(), None, Vec::new());
        for part in parts {
            splitter.push(part);
            loop {
                match read(&mut splitter, &mut flow) {
                    Ok(Some(item)) => items.push(item),
                    Ok(None) => break,
                    Err(fault) => {
                        assert_eq!(read(&mut splitter, &mut flow), Err(fault), "nothing follows a fault");
                        return (items, flow, true);
                    }
                }
            }
        }
        (items, flow, splitter.is_empty())
    };
    let whole = play(&mut std::iter::once(data));
    assert!(play(&mut data.chunks(size)) == whole);
    (whole.0, whole.1)
}
