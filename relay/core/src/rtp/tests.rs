use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const CLEAR: [u8; 16] = [0x80, 0xe0, 0x12, 0x34, 0, 0, 1, 0x40, 0xa0, 0xa0, 0xb0, 0xb1, 1, 2, 3, 4];

#[test]
fn a_packet_shows_its_header_and_keeps_its_bytes() {
    let packet = Packet::parse(&CLEAR).unwrap();
    assert_eq!(packet.ssrc(), Ssrc(0xa0a0_b0b1));
    assert_eq!(packet.sequence(), 0x1234);
    assert_eq!(packet.timestamp(), 320);
    assert_eq!(packet.payload_type(), PayloadType::try_from(96).unwrap());
    assert!(packet.marker());
    assert_eq!(packet.payload(), [1, 2, 3, 4]);
    assert_eq!(packet.bytes(), CLEAR);
}

#[test]
fn an_empty_payload_is_a_payload() {
    assert_eq!(Packet::parse(&CLEAR[..12]).unwrap().payload(), []);
}

#[test]
fn every_fault_has_its_word() {
    let with = |first: u8, tail: &[u8]| {
        let mut bytes = CLEAR[..12].to_vec();
        bytes[0] = first;
        bytes.extend_from_slice(tail);
        Packet::parse(&bytes).map(|packet| packet.payload().len())
    };
    assert_eq!(Packet::parse(&CLEAR[..11]), Err(Malformed::Header));
    assert_eq!(Packet::parse(&[]), Err(Malformed::Header));
    assert_eq!(with(0x40, &[]), Err(Malformed::Version));
    assert_eq!(with(0xc0, &[]), Err(Malformed::Version));
    assert_eq!(with(0x81, &[0; 3]), Err(Malformed::Csrc));
    assert_eq!(with(0x81, &[0; 4]), Ok(0));
    assert_eq!(with(0x90, &[0; 3]), Err(Malformed::Extension));
    assert_eq!(with(0x90, &[0xbe, 0xde, 0, 1, 0, 0, 0]), Err(Malformed::Extension));
    assert_eq!(with(0x90, &[0xbe, 0xde, 0, 1, 0, 0, 0, 0, 9]), Ok(1));
    assert_eq!(with(0xa0, &[]), Err(Malformed::Padding));
    assert_eq!(with(0xa0, &[7, 0]), Err(Malformed::Padding));
    assert_eq!(with(0xa0, &[7, 3]), Err(Malformed::Padding));
    assert_eq!(with(0xa0, &[7, 2]), Ok(0));
    assert_eq!(with(0xa0, &[7, 1]), Ok(1));
}

#[test]
fn the_padding_count_of_a_protected_packet_is_ciphertext() {
    let mut bytes = CLEAR;
    bytes[0] = 0xa0;
    bytes[15] = 200;
    assert_eq!(Packet::parse(&bytes), Err(Malformed::Padding));
    assert_eq!(Packet::parse_protected(&bytes).unwrap().payload(), [1, 2, 3, 200]);
}

#[test]
fn rtcp_is_told_from_rtp_by_its_second_octet() {
    for second in 0..=u8::MAX {
        assert_eq!(is_rtcp(&[0x80, second]), (192..=223).contains(&second), "{second}");
    }
    assert!(!is_rtcp(&[0x80]));
    assert!(!is_rtcp(&[0x40, 200]));
}

#[test]
fn a_payload_type_has_seven_bits() {
    assert_eq!(PayloadType::try_from(127).map(PayloadType::number), Ok(127));
    assert_eq!(PayloadType::try_from(128), Err(NotSevenBits(128)));
}

#[test]
fn the_rollover_counts_wraps_and_a_late_packet_belongs_to_the_old_one() {
    let mut extender = Extender::begin(65534);
    assert_eq!(extender.note(65535), Sequence(65535));
    assert_eq!(extender.note(1), Sequence(0x1_0001));
    assert_eq!(extender.note(65535), Sequence(65535), "late, before the wrap");
    assert_eq!(extender.newest(), Sequence(0x1_0001));
    assert_eq!(extender.extend(0), Sequence(0x1_0000));
    assert_eq!((Sequence(0x1_0001).rollover(), Sequence(0x1_0001).low16()), (1, 1));
}

#[test]
fn what_was_sent_before_the_first_packet_never_becomes_the_newest() {
    let mut extender = Extender::begin(3);
    assert_eq!(extender.note(65535), Sequence(65535));
    assert_eq!(extender.newest(), Sequence(3));
    assert_eq!(extender.note(4), Sequence(4));
}

proptest! {
    #[test]
    fn an_independent_reader_agrees(mut bytes in prop::collection::vec(any::<u8>(), 0..80), version in any::<bool>()) {
        if let (true, Some(first)) = (version, bytes.first_mut()) {
            *first = *first & 0x3f | 0x80;
        }
        match (Packet::parse(&bytes), rtp_types::RtpPacket::parse(&bytes)) {
            (Ok(ours), Ok(theirs)) => {
                prop_assert_eq!(ours.ssrc(), Ssrc(theirs.ssrc()));
                prop_assert_eq!(ours.sequence(), theirs.sequence_number());
                prop_assert_eq!(ours.timestamp(), theirs.timestamp());
                prop_assert_eq!(ours.payload_type().number(), theirs.payload_type());
                prop_assert_eq!(ours.marker(), theirs.marker_bit());
                prop_assert_eq!(ours.payload(), theirs.payload());
                prop_assert_eq!(ours.bytes(), &bytes[..]);
            }
            (ours, theirs) => prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?} {:?}", ours, theirs),
        }
    }

    #[test]
    fn a_written_header_reads_the_same(marker: bool, number in 0u8..128, sequence: u16, timestamp: u32, ssrc: u32,
                                       payload in prop::collection::vec(any::<u8>(), 0..40)) {
        let header = Header { marker, payload_type: PayloadType(number), sequence, timestamp, ssrc: Ssrc(ssrc) };
        let mut out = [0xff; HEADER_SIZE + 40];
        prop_assert_eq!(header.write(&mut out), Some(HEADER_SIZE));
        prop_assert_eq!(header.write(&mut out[..HEADER_SIZE - 1]), None);
        let bytes: Vec<u8> = out[..HEADER_SIZE].iter().chain(&payload).copied().collect();
        let packet = Packet::parse(&bytes).unwrap();
        prop_assert_eq!(packet.header, header);
        prop_assert_eq!(packet.payload(), &payload[..]);
    }

    #[test]
    fn an_extended_number_keeps_its_low_bits_and_is_the_nearest(newest in 0u64..1 << 40, low16: u16) {
        let extended = Extender::resume(Sequence(newest)).extend(low16);
        prop_assert_eq!(extended.low16(), low16);
        if newest >= 1 << 15 {
            prop_assert!(extended.0.abs_diff(newest) <= 1 << 15);
        }
    }
}
