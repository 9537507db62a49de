//! Vectors that an independent dissector (tshark 4.0.17) decodes as intended, and one of Rel-19 that it does not know yet.

use super::*;

/// Bytes and what they mean.
pub(super) struct Vector {
    pub(super) name: &'static str,
    pub(super) hex: &'static str,
    pub(super) packets: &'static [Packet<'static>],
}

const ALICE: &str = "sip:alice@mc1.example";
const BOB: &str = "sip:bob@mc2.example";
const NORMAL: Option<Indicator> = Some(Indicator::NORMAL);
const QUEUED: Option<Indicator> = Some(Indicator::NORMAL.with(Indicator::QUEUEING));
const TALKER: Option<Ssrc> = Some(Ssrc(0xa0a0_b0b1));
const OVERRIDER: Option<Ssrc> = Some(Ssrc(0xa0a0_b0b2));

const fn up(message: Message<'static>) -> Packet<'static> {
    Packet { ssrc: Ssrc(0x1122_3344), acknowledge: false, message, track_info: None }
}

const fn down(message: Message<'static>) -> Packet<'static> {
    Packet { ssrc: Ssrc(0xcafe_0001), acknowledge: false, message, track_info: None }
}

const fn acknowledged(packet: Packet<'static>) -> Packet<'static> {
    Packet { acknowledge: true, ..packet }
}

const fn vector(name: &'static str, hex: &'static str, packets: &'static [Packet<'static>]) -> Vector {
    Vector { name, hex, packets }
}

const fn request(
    priority: u8,
    track_info: Option<TrackInfo<'static>>,
    indicator: Option<Indicator>,
    location: Option<&'static [u8]>,
) -> Packet<'static> {
    let message = Message::Request { priority: Some(priority), indicator, functional_alias: None, location };
    Packet { track_info, ..up(message) }
}

const fn granted() -> Packet<'static> {
    down(Message::Granted { duration_s: 30, priority: 5, indicator: NORMAL, audio_ssrc: TALKER })
}

const fn taken(
    granted_party: Option<&'static str>,
    may_request: bool,
    message_sequence_number: u16,
    indicator: Indicator,
    audio_ssrc: Option<Ssrc>,
) -> Packet<'static> {
    down(Message::Taken {
        granted_party,
        may_request: Some(may_request),
        message_sequence_number,
        indicator: Some(indicator),
        audio_ssrc,
        functional_alias: None,
        location: None,
    })
}

const fn deny(cause: u16, phrase: Option<&'static str>, indicator: Option<Indicator>) -> Packet<'static> {
    down(Message::Deny { cause, phrase, indicator })
}

const fn revoke(cause: u16, phrase: Option<&'static str>, indicator: Option<Indicator>) -> Packet<'static> {
    down(Message::Revoke { cause, phrase, indicator })
}

const fn idle(message_sequence_number: u16, indicator: Option<Indicator>) -> Packet<'static> {
    down(Message::Idle { message_sequence_number, indicator })
}

const fn position(position: u8, priority: u8, indicator: Option<Indicator>) -> Packet<'static> {
    down(Message::QueuePositionInfo { position, priority, indicator })
}

const BY_A_PARTNER: TrackInfo<'static> =
    TrackInfo { queueing: true, participant_type: "unknown", references: &[[0xde, 0xad, 0xbe, 0xef]] };
const BY_TWO_PARTNERS: TrackInfo<'static> =
    TrackInfo { queueing: false, references: &[[0xde, 0xad, 0xbe, 0xef], [1, 2, 3, 4]], ..BY_A_PARTNER };

pub(super) const VECTORS: &[Vector] = &[
    vector("V01 request", "80cc0003 11223344 4d435054 00020500", &[request(5, None, None, None)]),
    vector(
        "V02 request, emergency, track info",
        "80cc0008 11223344 4d435054 00020700 0b0e0107 756e6b6e 6f776e00 deadbeef 0d021000",
        &[request(7, Some(BY_A_PARTNER), Some(Indicator::EMERGENCY), None)],
    ),
    vector("V03 granted", "81cc0007 cafe0001 4d435054 0102001e 00020500 0d028000 0e06a0a0 b0b10000", &[granted()]),
    vector(
        "V04 granted, acknowledged",
        "91cc0007 cafe0001 4d435054 0102001e 00020500 0d028000 0e06a0a0 b0b10000",
        &[acknowledged(granted())],
    ),
    vector(
        "V05 taken",
        "82cc000d cafe0001 4d435054 04157369 703a616c 69636540 6d63312e 6578616d 706c6500 05020001 08020007 0d028000
         0e06a0a0 b0b10000",
        &[taken(Some(ALICE), true, 7, Indicator::NORMAL, TALKER)],
    ),
    vector(
        "V06 taken, acknowledged, broadcast",
        "92cc000b cafe0001 4d435054 04157369 703a616c 69636540 6d63312e 6578616d 706c6500 05020000 08020008 0d024000",
        &[acknowledged(taken(Some(ALICE), false, 8, Indicator::BROADCAST, None))],
    ),
    vector("V07 idle", "85cc0004 cafe0001 4d435054 08020009 0d028000", &[idle(9, NORMAL)]),
    vector("V08 deny", "83cc0004 cafe0001 4d435054 02020001 0d028000", &[deny(1, None, NORMAL)]),
    vector("V09 deny with phrase", "83cc0004 cafe0001 4d435054 020600ff 62757379", &[deny(255, Some("busy"), None)]),
    vector(
        "V10 release, acknowledged",
        "94cc0003 11223344 4d435054 0d028000",
        &[acknowledged(up(Message::Release { indicator: NORMAL }))],
    ),
    vector("V11 revoke", "86cc0004 cafe0001 4d435054 02020003 0d028000", &[revoke(3, None, NORMAL)]),
    vector(
        "V12 revoke with phrase",
        "86cc0006 cafe0001 4d435054 020c0004 7072652d 656d7074 65640000",
        &[revoke(4, Some("pre-empted"), None)],
    ),
    vector("V13 queue position request", "88cc0002 11223344 4d435054", &[up(Message::QueuePositionRequest)]),
    vector("V14 queue position", "89cc0004 cafe0001 4d435054 03020205 0d028400", &[position(2, 5, QUEUED)]),
    vector("V15 not queued", "89cc0003 cafe0001 4d435054 0302fe00", &[position(254, 0, None)]),
    vector(
        "V16 ack of a release",
        "8acc0004 cafe0001 4d435054 0a020002 0c020400",
        &[down(Message::Ack { source: Source::ControllingFunction, acknowledged: Kind::Release })],
    ),
    vector(
        "V18 revoke and idle",
        "86cc0003 cafe0001 4d435054 02020002 85cc0003 cafe0001 4d435054 0802000a",
        &[revoke(2, None, None), idle(10, None)],
    ),
    vector(
        "V19 taken with alias and location",
        "82cc0015 cafe0001 4d435054 04157369 703a616c 69636540 6d63312e 6578616d 706c6500 05020001 0802000b 0d028000
         0e06a0a0 b0b10000 110f7572 6e3a6661 3a666972 65626f73 73000000 13080162 f2100012 34560000",
        &[down(Message::Taken {
            granted_party: Some(ALICE),
            may_request: Some(true),
            message_sequence_number: 11,
            indicator: NORMAL,
            audio_ssrc: TALKER,
            functional_alias: Some("urn:fa:fireboss"),
            location: Some(&[1, 0x62, 0xf2, 0x10, 0, 0x12, 0x34, 0x56]),
        })],
    ),
    vector(
        "V21 ack of a taken",
        "8acc0004 11223344 4d435054 0a020000 0c020200",
        &[up(Message::Ack { source: Source::Participant, acknowledged: Kind::Taken })],
    ),
    vector(
        "V22 late-entry taken, acknowledged",
        "92cc000d cafe0001 4d435054 04157369 703a616c 69636540 6d63312e 6578616d 706c6500 05020001 08020001 0d028000
         0e06a0a0 b0b10000",
        &[acknowledged(taken(Some(ALICE), true, 1, Indicator::NORMAL, TALKER))],
    ),
    vector(
        "V23 dual floor taken",
        "82cc000d cafe0001 4d435054 04137369 703a626f 62406d63 322e6578 616d706c 65000000 05020001 0802000d 0d021200
         0e06a0a0 b0b20000",
        &[taken(Some(BOB), true, 13, Indicator::EMERGENCY.with(Indicator::DUAL_FLOOR), OVERRIDER)],
    ),
    vector(
        "V24 request, location not provided",
        "80cc0004 11223344 4d435054 00020100 13010000",
        &[request(1, None, None, Some(&[0]))],
    ),
    vector(
        "V25 taken under privacy",
        "82cc0007 cafe0001 4d435054 05020001 0802000e 0d028000 0e06a0a0 b0b10000",
        &[taken(None, true, 14, Indicator::NORMAL, TALKER)],
    ),
    vector(
        "V26 request through two partners",
        "80cc0008 11223344 4d435054 00020700 0b120007 756e6b6e 6f776e00 deadbeef 01020304",
        &[request(7, Some(BY_TWO_PARTNERS), None, None)],
    ),
    vector(
        "V27 deny queue full, acknowledged",
        "93cc0004 cafe0001 4d435054 02020007 0d028400",
        &[acknowledged(deny(7, None, QUEUED))],
    ),
    vector(
        "V28 position not told, acknowledged",
        "99cc0004 cafe0001 4d435054 0302ff05 0d028400",
        &[acknowledged(position(255, 5, QUEUED))],
    ),
    vector(
        "V29 late-entry idle, acknowledged",
        "95cc0004 cafe0001 4d435054 08020001 0d028000",
        &[acknowledged(idle(1, NORMAL))],
    ),
    vector(
        "Q05 revoke request",
        "87cc0008 11223344 4d435054 19157369 703a616c 69636540 6d63312e 6578616d 706c6500",
        &[up(Message::RevokeRequest { user: ALICE })],
    ),
];

/// Bytes of a hexadecimal text with spaces.
pub(super) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
}
