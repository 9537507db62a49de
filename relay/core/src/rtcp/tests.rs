use std::vec;
use std::vec::Vec;

use proptest::prelude::*;
use rtcp_types::{RtcpPacketParser, RtcpPacketParserExt};

use super::*;

const FLOOR: [u8; 16] = *b"\x82\xcc\x00\x03\xca\xfe\x00\x01MCPT\x08\x02\x00\x07";
const RECEIVER_REPORT: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 9];

fn all(datagram: &[u8]) -> Vec<Result<Packet<'_>, Malformed>> {
    packets(datagram).collect()
}

fn floor() -> App<'static> {
    App { subtype: Subtype(2), ssrc: Ssrc(0xcafe_0001), name: *b"MCPT", data: &[8, 2, 0, 7] }
}

#[test]
fn packets_follow_one_another_by_their_length() {
    let datagram = [&FLOOR[..], &RECEIVER_REPORT, &FLOOR].concat();
    assert_eq!(all(&datagram), [Ok(Packet::App(floor())), Ok(Packet::Other(201)), Ok(Packet::App(floor()))]);
    assert_eq!(all(&[]), []);
}

#[test]
fn every_fault_has_its_word_and_ends_the_datagram() {
    let fault = |bytes: &[u8]| {
        let datagram = [bytes, &FLOOR].concat();
        let mut packets = packets(&datagram);
        let fault = packets.next().unwrap().unwrap_err();
        assert_eq!(packets.next(), None);
        fault
    };
    assert_eq!(all(&FLOOR[..3]), [Err(Malformed::Header)]);
    assert_eq!(all(&FLOOR[..15]), [Err(Malformed::Length)]);
    assert_eq!(fault(&[0x42, 204, 0, 0]), Malformed::Version);
    assert_eq!(fault(&[0x80, 96, 0, 0]), Malformed::PacketType(96));
    assert_eq!(fault(&[0x80, 191, 0, 0]), Malformed::PacketType(191));
    assert_eq!(fault(&[0x80, 224, 0, 0]), Malformed::PacketType(224));
    assert_eq!(fault(&[0x80, 204, 0, 0]), Malformed::Ssrc);
    assert_eq!(fault(&[0x80, 204, 0, 1, 0, 0, 0, 1]), Malformed::Name);
    assert_eq!(fault(&[0xa0, 204, 0, 0]), Malformed::Padding);
    for count in [0, 3, 8] {
        assert_eq!(fault(&[0xa0, 204, 0, 1, 0, 0, 0, count]), Malformed::Padding, "{count}");
    }
}

#[test]
fn padding_is_no_data() {
    let padded = [&[0xa2, 204, 0, 4], &FLOOR[4..], &[0, 0, 0, 4]].concat();
    assert_eq!(all(&padded), [Ok(Packet::App(floor()))]);
}

#[test]
fn the_writer_refuses_what_cannot_be_framed() {
    let mut out = [0; 16];
    assert_eq!(floor().write(&mut out), Some(16));
    assert_eq!(out, FLOOR);
    assert_eq!(floor().write(&mut out[..15]), None);
    assert_eq!(App { data: &[1, 2, 3], ..floor() }.write(&mut out), None);
    let longest = vec![0; 4 * 65_533];
    let mut out = vec![0; 12 + longest.len() + 4];
    assert_eq!(App { data: &longest, ..floor() }.write(&mut out), Some(4 * 65_536));
    let longer = vec![0; 4 * 65_534];
    assert_eq!(App { data: &longer, ..floor() }.write(&mut out), None);
    assert_eq!(Subtype::try_from(31).map(Subtype::number), Ok(31));
    assert_eq!(Subtype::try_from(32), Err(NotFiveBits(32)));
}

#[test]
fn a_datagram_is_rtcp_if_every_packet_has_the_size_its_type_needs() {
    let sized = |packet_type: u8, count: u8, words: u8| {
        let mut bytes = vec![0x80 | count, packet_type, 0, words];
        bytes.resize(4 + 4 * usize::from(words), 0);
        bytes
    };
    for (packet_type, count, words) in [
        (200, 0, 6),
        (200, 2, 18),
        (201, 0, 1),
        (201, 1, 7),
        (202, 1, 2),
        (203, 3, 3),
        (204, 31, 2),
        (205, 1, 2),
        (206, 1, 2),
        (207, 0, 1),
    ] {
        assert!(valid_compound(&sized(packet_type, count, words)), "{packet_type} {count} {words}");
        assert!(!valid_compound(&sized(packet_type, count, words - 1)), "{packet_type} {count} {words}");
    }
    assert!(valid_compound(&[&RECEIVER_REPORT[..], &FLOOR].concat()));
    assert!(!valid_compound(&[]));
    assert!(!valid_compound(&[&RECEIVER_REPORT[..], &[0x80]].concat()));
    let padded = [0xa0, 201, 0, 2, 0, 0, 0, 9, 0, 0, 0, 4];
    assert!(valid_compound(&[&RECEIVER_REPORT[..], &padded].concat()), "the last may be padded");
    assert!(!valid_compound(&[&padded[..], &RECEIVER_REPORT].concat()), "no other may");
}

/// Octets that look like one APP packet often enough to be worth comparing.
fn app_like() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![8 => 0x80u8..=0xbf, 1 => any::<u8>()];
    let packet_type = prop_oneof![8 => Just(204u8), 1 => any::<u8>()];
    let off = prop_oneof![8 => Just(0u16), 1 => any::<u16>()];
    let last = prop_oneof![1 => Just(4u8), 1 => 0u8..24];
    (first, packet_type, off, prop::collection::vec(any::<u8>(), 0..48), last).prop_map(
        |(first, packet_type, off, mut body, last)| {
            if let Some(octet) = body.last_mut() {
                *octet = last;
            }
            let words = (body.len() / 4) as u16 ^ off;
            [&[first, packet_type], &words.to_be_bytes()[..], &body].concat()
        },
    )
}

proptest! {
    #[test]
    fn an_independent_reader_agrees(datagram in app_like()) {
        let ours = match all(&datagram)[..] {
            [Ok(Packet::App(app))] => Some(app),
            _ => None,
        };
        match (ours, rtcp_types::App::parse(&datagram)) {
            (Some(ours), Ok(theirs)) => {
                prop_assert_eq!(ours.ssrc, Ssrc(theirs.ssrc()));
                prop_assert_eq!(ours.name, theirs.name());
                prop_assert_eq!(ours.subtype.number(), theirs.count());
                prop_assert_eq!(ours.data, theirs.data());
            }
            // The oracle does not look whether the padding count is whole words and stays within the data.
            (None, Ok(theirs)) => {
                let padding = usize::from(theirs.padding().unwrap_or(0));
                prop_assert!(padding % 4 != 0 || padding > datagram.len() - 12, "{:?}", theirs);
            }
            (ours, theirs) => prop_assert!(ours.is_none() == theirs.is_err(), "{:?} {:?}", ours, theirs),
        }
    }

    #[test]
    fn a_written_packet_reads_the_same(subtype in 0u8..32, ssrc: u32, name: [u8; 4],
                                       data in prop::collection::vec(any::<[u8; 4]>(), 0..20)) {
        let data = data.as_flattened();
        let app = App { subtype: Subtype(subtype), ssrc: Ssrc(ssrc), name, data };
        let mut out = vec![0xff; APP_HEADER_SIZE + data.len()];
        prop_assert_eq!(app.write(&mut out), Some(out.len()));
        prop_assert_eq!(all(&out), [Ok(Packet::App(app))]);
        prop_assert!(valid_compound(&out));
    }
}
