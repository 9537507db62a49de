//! What holds for every message and every datagram.

use std::string::String;

use proptest::prelude::*;

use super::*;

/// What messages borrow from.
#[derive(Debug, Clone)]
struct Parts {
    ssrc: u32,
    acknowledge: bool,
    kind: usize,
    octet: Option<u8>,
    flag: Option<bool>,
    words: (u16, u8),
    bits: Option<u16>,
    audio: Option<u32>,
    texts: [Option<String>; 2],
    location: Option<Vec<u8>>,
    references: Option<Vec<[u8; 4]>>,
}

impl Parts {
    fn packet(&self) -> Packet<'_> {
        let kind = Kind::ALL[self.kind];
        let acknowledge = self.acknowledge && kind.can_be_acknowledged();
        let track_info = self.references.as_deref().map(|references| TrackInfo {
            queueing: self.flag == Some(true),
            participant_type: self.texts[0].as_deref().unwrap_or_default(),
            references,
        });
        Packet { ssrc: Ssrc(self.ssrc), acknowledge, message: self.message(kind), track_info }
    }

    fn message(&self, kind: Kind) -> Message<'_> {
        let [first, second] = self.texts.each_ref().map(|text| text.as_deref());
        let indicator = self.bits.map(Indicator);
        let audio_ssrc = self.audio.map(Ssrc);
        let location = self.location.as_deref();
        let (word, octet) = self.words;
        match kind {
            Kind::Request => Message::Request { priority: self.octet, indicator, functional_alias: second, location },
            Kind::Granted => Message::Granted { duration_s: word, priority: octet, indicator, audio_ssrc },
            Kind::Taken => Message::Taken {
                granted_party: first,
                may_request: self.flag,
                message_sequence_number: word,
                indicator,
                audio_ssrc,
                functional_alias: second,
                location,
            },
            Kind::Deny => Message::Deny { cause: word, phrase: first, indicator },
            Kind::Release => Message::Release { indicator },
            Kind::Idle => Message::Idle { message_sequence_number: word, indicator },
            Kind::Revoke => Message::Revoke { cause: word, phrase: first, indicator },
            Kind::RevokeRequest => Message::RevokeRequest { user: first.unwrap_or("sip:x") },
            Kind::QueuePositionRequest => Message::QueuePositionRequest,
            Kind::QueuePositionInfo => Message::QueuePositionInfo { position: octet, priority: word as u8, indicator },
            Kind::Ack => Message::Ack {
                source: Source::from_number(word & 3).unwrap(),
                acknowledged: Kind::ALL[usize::from(octet) % Kind::ALL.len()],
            },
        }
    }
}

/// At most 48 characters, so that with references even Track Info stays within 255 octets.
fn text() -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop::collection::vec(any::<char>(), 1..=48).prop_map(|chars| chars.into_iter().collect()))
}

fn parts() -> impl Strategy<Value = Parts> {
    let numbers = (any::<u32>(), any::<bool>(), 0..Kind::ALL.len(), any::<Option<u8>>(), any::<Option<bool>>());
    let more = (any::<(u16, u8)>(), any::<Option<u16>>(), any::<Option<u32>>());
    let location = prop::option::of(prop::collection::vec(any::<u8>(), 1..=255));
    let references = prop::option::of(prop::collection::vec(any::<[u8; 4]>(), 0..=15));
    (numbers, more, [text(), text()], location, references).prop_map(
        |((ssrc, acknowledge, kind, octet, flag), (words, bits, audio), texts, location, references)| Parts {
            ssrc,
            acknowledge,
            kind,
            octet,
            flag,
            words,
            bits,
            audio,
            texts,
            location,
            references,
        },
    )
}

/// Where each field of the message begins, and its end: found without the reader under test.
fn field_starts(datagram: &[u8]) -> Vec<usize> {
    let mut starts = vec![12];
    while let Some(&[id, high, low]) = datagram.get(starts[starts.len() - 1]..).and_then(<[u8]>::first_chunk) {
        let size = if id < 192 { 2 + usize::from(high) } else { 3 + usize::from(u16::from_be_bytes([high, low])) };
        starts.push(starts[starts.len() - 1] + size.div_ceil(4) * 4);
    }
    starts
}

fn with_length(mut datagram: Vec<u8>) -> Vec<u8> {
    let words = u16::try_from(datagram.len() / 4 - 1).unwrap();
    datagram[2..4].copy_from_slice(&words.to_be_bytes());
    datagram
}

fn unknown_id() -> impl Strategy<Value = u8> {
    let known = [0, 1, 2, 3, 4, 5, 8, 10, 11, 12, 13, 14, 17, 19, 25];
    any::<u8>().prop_filter("known", move |id| !known.contains(id))
}

/// Whatever is read from `datagram` is written, and then read as the same.
fn check_written_again(datagram: &[u8]) -> Result<(), TestCaseError> {
    let mut count = 0;
    for item in read(datagram) {
        count += 1;
        if let Ok(Item::Packet(packet)) = item {
            let again = write(&packet);
            prop_assert_eq!(items(&again), [Ok(Item::Packet(packet))]);
        }
    }
    prop_assert!(count <= datagram.len() / 4 + 1);
    Ok(())
}

proptest! {
    #[test]
    fn what_is_written_is_read_the_same(parts in parts()) {
        let packet = parts.packet();
        let written = write(&packet);
        prop_assert_eq!(written.len() % 4, 0);
        prop_assert_eq!(items(&written), [Ok(Item::Packet(packet))]);
        prop_assert!(rtcp::valid_compound(&written));
    }

    #[test]
    fn any_bytes_end_without_panic(datagram in prop::collection::vec(any::<u8>(), 0..200)) {
        check_written_again(&datagram)?;
    }

    #[test]
    fn damaged_messages_are_dropped_or_written_again_the_same(
        parts in parts(), hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut datagram = write(&parts.packet());
        for (at, octet) in hits {
            let at = at.index(datagram.len());
            datagram[at] = octet;
        }
        check_written_again(&datagram)?;
    }

    #[test]
    fn several_messages_are_read_in_order_and_a_cut_leaves_a_prefix(
        several in prop::collection::vec(parts(), 0..5), cut in any::<prop::sample::Index>(),
    ) {
        let packets: Vec<_> = several.iter().map(Parts::packet).collect();
        let datagram: Vec<u8> = packets.iter().flat_map(write).collect();
        let expected: Vec<_> = packets.iter().map(|packet| Ok(Item::Packet(*packet))).collect();
        prop_assert_eq!(items(&datagram), &expected[..]);

        let cut = cut.index(datagram.len() + 1);
        let mut whole = 0;
        let mut end = 0;
        for packet in &packets {
            let size = write(packet).len();
            if end + size > cut {
                break;
            }
            end += size;
            whole += 1;
        }
        let left = items(&datagram[..cut]);
        prop_assert_eq!(&left[..whole], &expected[..whole]);
        prop_assert_eq!(left.len(), whole + usize::from(end < cut));
        prop_assert!(left[whole..].iter().all(Result::is_err));
    }

    #[test] //= TS 24.380 §8.1.4 test
    fn an_unknown_field_anywhere_changes_nothing(
        parts in parts(), id in unknown_id(), value in prop::collection::vec(any::<u8>(), 0..=255),
        at in any::<prop::sample::Index>(),
    ) {
        let packet = parts.packet();
        let mut datagram = write(&packet);
        let mut field = vec![id];
        if id >= 192 {
            field.push(0);
        }
        field.push(u8::try_from(value.len()).unwrap());
        field.extend(&value);
        field.resize(field.len().next_multiple_of(4), 0);
        let starts = field_starts(&datagram);
        let at = starts[at.index(starts.len())];
        datagram.splice(at..at, field);
        let datagram = with_length(datagram);
        prop_assert_eq!(items(&datagram), [Ok(Item::Packet(packet))]);
    }

    #[test]
    fn the_order_of_fields_means_nothing(parts in parts()) {
        let packet = parts.packet();
        let datagram = write(&packet);
        let mut reversed = datagram[..12].to_vec();
        for field in field_starts(&datagram).windows(2).rev() {
            reversed.extend(&datagram[field[0]..field[1]]);
        }
        prop_assert_eq!(items(&reversed), [Ok(Item::Packet(packet))]);
    }
}
