use std::vec;
use std::vec::Vec;

use super::*;

fn all(splitter: &mut Splitter) -> Vec<Bytes> {
    std::iter::from_fn(|| splitter.take().expect("well-formed")).collect()
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
    assert_eq!(splitter.take(), Err(Malformed::TooLong(MESSAGE_OCTETS_MAX)));
}

#[test]
fn a_length_that_does_not_end_is_malformed() {
    let mut splitter = Splitter::messages();
    splitter.push(&[0x80, 0x80]);
    assert_eq!(splitter.take(), Ok(None));
    splitter.push(&[0x80]);
    assert_eq!(splitter.take(), Err(Malformed::TooLong(MESSAGE_OCTETS_MAX)));
}

#[test]
fn a_hostile_length_is_refused_and_nothing_follows_it() {
    for length in
        [&[0x81, 0x80, 0x04][..], &[0xff, 0xff, 0xff], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]]
    {
        let mut splitter = Splitter::messages();
        splitter.push(length);
        for _ in 0..2 {
            assert_eq!(splitter.take(), Err(Malformed::TooLong(MESSAGE_OCTETS_MAX)), "{length:?}");
        }
    }
}

#[test]
fn what_is_read_is_not_kept() {
    let mut splitter = Splitter::messages();
    for octet in 0..=u8::MAX {
        let mut wire = BytesMut::new();
        write_message(&[octet; 9], &mut wire);
        splitter.push(&wire);
        assert_eq!(splitter.take(), Ok(Some(Bytes::copy_from_slice(&[octet; 9]))));
        assert!(splitter.is_empty());
    }
}

#[test]
fn a_datagram_begins_with_its_flow() {
    for flow in [0, 63, 64, 16_383, 16_384, 0x3fff_ffff, 0x4000_0000, u32::MAX] {
        let mut wire = BytesMut::new();
        write_quic_number(flow, &mut wire);
        let number = wire.len();
        wire.extend_from_slice(b"packet");
        let mut datagram = wire.freeze();
        let mut short = datagram.slice(..number - 1);
        assert_eq!((take_flow(&mut datagram), &datagram[..]), (Some(flow), &b"packet"[..]));
        assert_eq!(take_flow(&mut short), None, "{flow} without its last octet");
    }
    assert_eq!(take_flow(&mut Bytes::copy_from_slice(&0xc000_0001_0000_0000_u64.to_be_bytes())), None);
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
    assert_eq!(splitter.take(), Ok(None));
    wire.clear();
    write_quic_number(PACKET_OCTETS_MAX as u32 + 1, &mut wire);
    splitter = Splitter::packets();
    splitter.push(&wire);
    assert_eq!(splitter.take(), Err(Malformed::TooLong(PACKET_OCTETS_MAX)));
}
