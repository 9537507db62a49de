// What must hold for any bytes, one function per parser. The fuzz targets run them, and relay-core's `corpus` test replays
// the committed corpus through them.

use relay_core::floor::message::{self, Item, Malformed, SIZE_MAX};
use relay_core::trunk::{
    frame::{self, Checked, Malformed as Fault, Reader},
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

/// A stream says the same however it is cut; what is written again reads the same; once a length is wrong, nothing follows.
fn stream<M: Checked + PartialEq>(data: &[u8]) {
    let mut whole = Reader::<M>::new();
    whole.feed(data);
    let items: Vec<_> = whole.by_ref().collect();
    assert!(items.len() <= data.len());
    assert!(
        items.iter().rev().skip(1).all(|item| !matches!(item, Err(Fault::Length))),
        "nothing follows a wrong length"
    );

    let size = usize::from(data.first().copied().unwrap_or(0)) + 1;
    let mut parts = Reader::<M>::new();
    let mut cut = Vec::new();
    for part in data.chunks(size) {
        parts.feed(part);
        cut.extend(parts.by_ref());
    }
    assert!(cut == items);
    assert_eq!(parts.pending(), whole.pending());

    for message in items.into_iter().flatten() {
        let mut out = Vec::new();
        frame::write(&message, &mut out).expect("what was read can be written");
        let mut again = Reader::<M>::new();
        again.feed(&out);
        assert!(again.eq([Ok(message)]));
    }
}
