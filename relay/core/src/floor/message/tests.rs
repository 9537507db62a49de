use std::vec;
use std::vec::Vec;

use super::*;
use crate::rtcp;
use vectors::{VECTORS, bytes};

mod properties;
mod vectors;

fn write(packet: &Packet<'_>) -> Vec<u8> {
    let mut out = [0xee; SIZE_MAX];
    let size = packet.write(&mut out).unwrap();
    out[..size].to_vec()
}

/// A message that asks for no Floor Ack and passes no non-controlling function.
fn plain(message: Message<'_>) -> Packet<'_> {
    Packet { ssrc: Ssrc(1), acknowledge: false, message, track_info: None }
}

fn items(datagram: &[u8]) -> Vec<Result<Item<'_>, Malformed>> {
    read(datagram).collect()
}

/// A datagram of one message with these fields, a multiple of 4 octets.
fn message(subtype: u8, fields: &[u8]) -> Vec<u8> {
    let app = rtcp::App { subtype: subtype.try_into().unwrap(), ssrc: Ssrc(1), name: NAME, data: fields };
    let mut out = vec![0; rtcp::APP_HEADER_SIZE + fields.len()];
    assert_eq!(app.write(&mut out), Some(out.len()));
    out
}

fn only(subtype: u8, fields: &[u8]) -> Result<Message<'static>, Malformed> {
    let datagram = message(subtype, fields).leak();
    let [item] = items(datagram)[..] else { panic!("one item") };
    item.map(|item| match item {
        Item::Packet(packet) => packet.message,
        Item::Skipped(reason) => panic!("skipped: {reason:?}"),
    })
}

#[test] //= TS 24.380 §8.2.2.1 test
fn every_vector_is_written_byte_for_byte() {
    for vector in VECTORS {
        let written: Vec<u8> = vector.packets.iter().flat_map(write).collect();
        assert_eq!(written, bytes(vector.hex), "{}", vector.name);
    }
}

#[test] //= TS 24.380 §8.1 test
fn every_vector_is_read_as_what_it_means() {
    for vector in VECTORS {
        let expected: Vec<_> = vector.packets.iter().map(|packet| Ok(Item::Packet(*packet))).collect();
        assert_eq!(items(&bytes(vector.hex)), expected, "{}", vector.name);
    }
}

#[test]
fn the_vectors_hold_every_kind() {
    for kind in Kind::ALL {
        assert!(
            VECTORS.iter().flat_map(|vector| vector.packets).any(|packet| packet.message.kind() == kind),
            "{kind:?}"
        );
    }
}

#[test] //= TS 24.380 §8.1.4 test
fn what_is_not_floor_control_up_to_ack_is_skipped() {
    let release_multi_talker = bytes(
        "8fcc000b cafe0001 4d435054 06137369 703a626f 62406d63 322e6578 616d706c 65000000 0d020080 0e06a0a0 b0b20000",
    );
    assert_eq!(items(&release_multi_talker), [Ok(Item::Skipped(Skipped::Subtype(15)))], "V17");
    for subtype in [16, 22, 23, 24, 26, 11, 27, 12, 13, 14, 30, 31] {
        assert_eq!(items(&message(subtype, &[])), [Ok(Item::Skipped(Skipped::Subtype(subtype)))]);
    }
    let acknowledgement_by_name = bytes("82cc0003 11223344 4d435043 06020000");
    assert_eq!(items(&acknowledgement_by_name), [Ok(Item::Skipped(Skipped::Name(*b"MCPC")))], "Q07");
    let receiver_report = bytes("80c90001 11223344");
    assert_eq!(items(&receiver_report), [Ok(Item::Skipped(Skipped::PacketType(201)))]);
}

#[test]
fn a_skipped_message_does_not_hide_the_next() {
    let mut datagram = message(15, &[6, 200, 0, 0]);
    datagram.extend(message(8, &[]));
    let next = plain(Message::QueuePositionRequest);
    assert_eq!(items(&datagram), [Ok(Item::Skipped(Skipped::Subtype(15))), Ok(Item::Packet(next))]);
}

#[test] //= TS 24.380 §8.1.3 test
fn an_unknown_field_is_skipped_by_its_length() {
    let datagram = bytes("80cc0005 11223344 4d435054 00020500 c8000361 62630000");
    assert_eq!(items(&datagram), items(&bytes("80cc0003 11223344 4d435054 00020500")), "V20");
}

#[test] //= TS 24.380 §8.1.3 test
fn the_length_has_two_octets_from_id_192_on() {
    let idle = Ok(Message::Idle { message_sequence_number: 7, indicator: None });
    assert_eq!(only(5, &[191, 2, 9, 9, 8, 2, 0, 7]), idle);
    assert_eq!(only(5, &[192, 0, 5, 9, 9, 9, 9, 9, 8, 2, 0, 7]), idle);
    let mut long = vec![255, 1, 1];
    long.extend([9; 257]);
    long.extend([8, 2, 0, 7]);
    assert_eq!(only(5, &long), idle);
}

#[test]
fn a_missing_field_is_named_except_the_priority_of_a_request() {
    let missing = |kind, field| Err(Malformed::Missing { kind, field });
    assert_eq!(only(1, &[0, 2, 5, 0]), missing(Kind::Granted, Id::Duration));
    assert_eq!(only(1, &[1, 2, 0, 9]), missing(Kind::Granted, Id::FloorPriority));
    assert_eq!(only(2, &[]), missing(Kind::Taken, Id::MessageSequenceNumber));
    assert_eq!(only(3, &[]), missing(Kind::Deny, Id::RejectCause));
    assert_eq!(only(5, &[]), missing(Kind::Idle, Id::MessageSequenceNumber));
    assert_eq!(only(6, &[]), missing(Kind::Revoke, Id::RejectCause));
    assert_eq!(only(7, &[25, 0, 0, 0]), missing(Kind::RevokeRequest, Id::RevokeRequestUser));
    assert_eq!(only(9, &[]), missing(Kind::QueuePositionInfo, Id::QueueInfo));
    assert_eq!(only(10, &[12, 2, 4, 0]), missing(Kind::Ack, Id::Source));
    assert_eq!(only(10, &[10, 2, 0, 0]), missing(Kind::Ack, Id::MessageType));
    assert!(matches!(only(0, &[]), Ok(Message::Request { priority: None, .. })));
}

#[test]
fn a_short_value_is_absent_and_a_long_one_begins_as_defined() {
    let short = [8, 1, 7, 0];
    assert_eq!(only(5, &short), Err(Malformed::Missing { kind: Kind::Idle, field: Id::MessageSequenceNumber }));
    assert!(matches!(only(0, &[0, 1, 5, 0]), Ok(Message::Request { priority: None, .. })));
    let long = [8, 5, 0, 7, 9, 9, 9, 0];
    assert_eq!(only(5, &long), Ok(Message::Idle { message_sequence_number: 7, indicator: None }));
}

#[test]
fn what_does_not_exist_drops_its_message_alone() {
    let value = |kind, field| Err(Malformed::Value { kind, field });
    assert_eq!(only(10, &[10, 2, 0, 4, 12, 2, 4, 0]), value(Kind::Ack, Id::Source));
    assert_eq!(only(10, &[10, 2, 0, 2, 12, 2, 11, 0]), value(Kind::Ack, Id::MessageType));
    assert_eq!(only(0, &[11, 5, 1, 0, 1, 2, 3, 0]), value(Kind::Request, Id::TrackInfo));
    assert_eq!(only(0, &[11, 2, 1, 1]), value(Kind::Request, Id::TrackInfo));
    let mut datagram = message(10, &[10, 2, 0, 4, 12, 2, 4, 0]);
    datagram.extend(message(8, &[]));
    assert!(matches!(items(&datagram)[..], [Err(Malformed::Value { .. }), Ok(Item::Packet(_))]));
}

#[test]
fn a_length_past_the_end_ends_the_datagram() {
    let mut datagram = message(5, &[8, 2, 0, 7, 13, 3, 0x80, 0]);
    datagram.extend(message(8, &[]));
    assert_eq!(items(&datagram), [Err(Malformed::FieldLength { field: 13 })]);
    let mut framing = message(8, &[]);
    framing[3] += 1;
    assert_eq!(items(&framing), [Err(Malformed::Framing(rtcp::Malformed::Length))]);
}

#[test]
fn the_acknowledged_type_may_keep_its_acknowledge_bit() {
    let ack = Message::Ack { source: Source::Participant, acknowledged: Kind::Taken };
    assert_eq!(only(10, &[10, 2, 0, 0, 12, 2, 18, 0]), Ok(ack));
}

#[test] //= TS 24.380 §8.2.3.13 test
fn a_participant_type_of_whole_words_has_no_inner_padding() {
    let track_info =
        TrackInfo { queueing: true, participant_type: "Normal12", references: &[[0xde, 0xad, 0xbe, 0xef]] };
    let request = Message::Request { priority: Some(7), indicator: None, functional_alias: None, location: None };
    let packet = Packet { ssrc: Ssrc(0x1122_3344), track_info: Some(track_info), ..plain(request) };
    let hex = "80cc0007 11223344 4d435054 00020700 0b0e0108 4e6f726d 616c3132 deadbeef";
    assert_eq!(write(&packet), bytes(hex), "Q02");
    assert_eq!(items(&bytes(hex)), [Ok(Item::Packet(packet))]);
}

fn taken(text: &str) -> Packet<'_> {
    let message = Message::Taken {
        granted_party: Some(text),
        may_request: Some(true),
        message_sequence_number: 1,
        indicator: Some(Indicator::NORMAL),
        audio_ssrc: Some(Ssrc(7)),
        functional_alias: Some(text),
        location: Some(text.as_bytes()),
    };
    let longest = TrackInfo { queueing: true, participant_type: "", references: &[[7; 4]; 63] };
    Packet { acknowledge: true, track_info: Some(longest), ..plain(message) }
}

#[test]
fn a_value_of_255_octets_fits_and_one_more_is_refused_not_cut() {
    let text = "a".repeat(255);
    assert_eq!(taken(&text).write(&mut [0; SIZE_MAX]), Ok(SIZE_MAX), "the longest message there is");
    assert_eq!(taken(&text).write(&mut [0; SIZE_MAX - 1]), Err(TooLong::Message));
    let refused = TooLong::Value { field: Id::GrantedPartysIdentity, octets: 256 };
    assert_eq!(taken(&"a".repeat(256)).write(&mut [0; 2 * SIZE_MAX]), Err(refused));

    let deny = |phrase| plain(Message::Deny { cause: 255, phrase: Some(phrase), indicator: None });
    assert_eq!(deny(&text[..253]).write(&mut [0; SIZE_MAX]), Ok(12 + 260));
    let refused = TooLong::Value { field: Id::RejectCause, octets: 256 };
    assert_eq!(deny(&text[..254]).write(&mut [0; SIZE_MAX]), Err(refused));
}

#[test]
fn a_message_without_acknowledged_variant_is_written_plain() {
    let position = plain(Message::QueuePositionRequest);
    assert_eq!(write(&Packet { acknowledge: true, ..position }), write(&position));
}

#[test] //= TS 24.380 §8.2.3.13 test
fn a_partner_adds_one_reference_and_takes_it_off_again() {
    let track = Track::new(true, 0xdead_beef);
    let up =
        Packet { track_info: Some(track.info()), ..plain(Message::Release { indicator: Some(Indicator::NORMAL) }) };
    let hex = "84cc0007 00000001 4d435054 0b0e0107 756e6b6e 6f776e00 deadbeef 0d028000";
    assert_eq!(write(&up), bytes(hex));
    assert_eq!((track.info().last(), track.info().without_last()), (Some(0xdead_beef), None));

    let far = TrackInfo { references: &[[0, 0, 0, 1], [0, 0, 0, 2]], ..track.info() };
    assert_eq!(far.last(), Some(2));
    let next = far.without_last().unwrap();
    assert_eq!((next.last(), next.queueing, next.participant_type), (Some(1), true, "unknown"));
    assert_eq!(TrackInfo { references: &[], ..far }.last(), None);
}

#[test]
fn track_info_of_64_references_is_refused_not_cut() {
    let references = &[[7; 4]; 64];
    let far = TrackInfo { queueing: true, participant_type: "", references };
    for kind in Kind::ALL {
        let vector =
            VECTORS.iter().flat_map(|vector| vector.packets).find(|packet| packet.message.kind() == kind).unwrap();
        let refused = Packet { track_info: Some(far), ..*vector }.write(&mut [0; 2 * SIZE_MAX]);
        assert_eq!(refused, Err(TooLong::Value { field: Id::TrackInfo, octets: 258 }), "{kind:?}");
        let near = TrackInfo { references: &references[..63], ..far };
        let packet = Packet { track_info: Some(near), ..*vector };
        assert_eq!(items(&write(&packet)), [Ok(Item::Packet(packet))], "{kind:?}");
    }
}
