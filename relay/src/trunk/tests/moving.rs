//! What is moved arrives, whole and in order.

use super::{super::*, stage::pair};

fn bytes(text: String) -> Bytes {
    Bytes::from(text)
}

#[test]
fn frames_and_letters_arrive_in_order_both_ways() {
    let (_authority, a, b, to_b, to_a) = pair();
    for number in 0..1000 {
        a.trunks.frame(to_b, bytes(format!("frame {number}"))).unwrap();
        a.trunks.letter(to_b, bytes(format!("letter {number}"))).unwrap();
        b.trunks.frame(to_a, bytes(format!("answer {number}"))).unwrap();
    }
    let (mut frames, mut letters) = (Vec::new(), Vec::new());
    while frames.len() + letters.len() < 2000 {
        match b.next() {
            Arrival::Frame { trunk, bytes } if trunk == to_a => frames.push(bytes),
            Arrival::Letter { trunk, bytes } if trunk == to_a => letters.push(bytes),
            other => panic!("{other:?}"),
        }
    }
    for number in 0..1000 {
        assert_eq!(
            (&frames[number], &letters[number]),
            (&format!("frame {number}").into(), &format!("letter {number}").into())
        );
        assert_eq!(a.next(), Arrival::Frame { trunk: to_b, bytes: bytes(format!("answer {number}")) });
    }
    assert_eq!((a.count("trunk_messages_sent_total", Some("letter")), b.rest()), (1000.0, Vec::new()));
}

#[test]
fn the_longest_message_passes() {
    let (_authority, a, b, to_b, to_a) = pair();
    for length in [0, 1, MESSAGE_OCTETS_MAX - 1, MESSAGE_OCTETS_MAX] {
        a.trunks.frame(to_b, Bytes::from(vec![7; length])).unwrap();
        assert_eq!(b.next(), Arrival::Frame { trunk: to_a, bytes: Bytes::from(vec![7; length]) });
    }
}

#[test]
fn datagrams_arrive_as_they_were_sent() {
    let (_authority, a, b, to_b, to_a) = pair();
    for number in 0..200u8 {
        a.trunks.media(to_b, Bytes::from(vec![number; 100]));
    }
    for number in 0..200u8 {
        assert_eq!(b.next(), Arrival::Media { trunk: to_a, datagram: Bytes::from(vec![number; 100]) });
    }
    a.trunks.media(to_b, Bytes::from(vec![0; 60_000]));
    a.trunks.media(to_b, Bytes::from_static(b"last"));
    assert_eq!(b.next(), Arrival::Media { trunk: to_a, datagram: Bytes::from_static(b"last") });
    assert_eq!(a.count("trunk_media_dropped_total", Some("too-large")), 1.0);
    assert!(a.trunks.round_trip(to_b).is_some_and(|time| time > Duration::ZERO));
}

#[test]
fn backfills_are_streams_of_their_own() {
    let (_authority, a, b, to_b, to_a) = pair();
    let (first, second) = (a.trunks.backfill(to_b, 5), a.trunks.backfill(to_b, 70_000));
    for number in 0..500u16 {
        first.packet(Bytes::from(vec![number as u8; 160])).unwrap();
        second.packet(Bytes::from(vec![number as u8; 40])).unwrap();
    }
    first.finish();
    second.finish();
    let (mut streams, mut ended) = ([(5, Vec::new(), None), (70_000, Vec::new(), None)], 0);
    while ended < 2 {
        let Arrival::Backfill { trunk, stream, flow, bytes } = b.next() else { panic!("a backfill is expected") };
        assert_eq!(trunk, to_a);
        let known = streams.iter_mut().find(|known| known.0 == flow).expect("a flow of these");
        assert_eq!(*known.2.get_or_insert(stream), stream);
        match bytes {
            Some(packet) => known.1.push(packet),
            None => ended += 1,
        }
    }
    for ((_, packets, _), length) in streams.iter().zip([160, 40]) {
        let expected = (0..500u16).map(|number| Bytes::from(vec![number as u8; length]));
        assert!(expected.eq(packets.iter().cloned()));
    }
    assert_ne!(streams[0].2, streams[1].2);
}

#[test]
fn a_backfill_that_is_given_up_ends_too() {
    let (_authority, a, b, to_b, to_a) = pair();
    let backfill = a.trunks.backfill(to_b, 9);
    backfill.packet(Bytes::from_static(b"packet")).unwrap();
    let Arrival::Backfill { bytes: Some(packet), stream, .. } = b.next() else { panic!("a packet is expected") };
    assert_eq!(packet, "packet");
    drop(backfill);
    assert_eq!(b.next(), Arrival::Backfill { trunk: to_a, stream, flow: 9, bytes: None });
}

#[test]
fn more_backfills_than_streams_take_turns() {
    let (_authority, a, b, to_b, _) = pair();
    for flow in 0..200 {
        let backfill = a.trunks.backfill(to_b, flow);
        backfill.packet(Bytes::from_static(b"packet")).unwrap();
        backfill.finish();
    }
    let mut ended = Vec::new();
    while ended.len() < 200 {
        if let Arrival::Backfill { flow, bytes: None, .. } = b.next() {
            ended.push(flow);
        }
    }
    ended.sort_unstable();
    assert!(ended.into_iter().eq(0..200));
}
