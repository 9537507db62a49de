//! Every limit from both sides.

use super::{
    super::{line::Kind, *},
    stage::{Authority, System, pair},
};

/// A trunk from a system whose thread stands still until the gate is opened.
fn standing_still() -> (Authority, System, std::sync::mpsc::Sender<()>, System, TrunkId) {
    let authority = Authority::new();
    let (a, gate) = System::gated(&authority.issue("a.example", &["a.example"], 30));
    let b = authority.system("b.example");
    let to_a = b.expect("a.example");
    let to_b = a.partner(&b);
    assert_eq!((a.up(), b.up()), (to_b, to_a));
    b.trunks.letter(to_a, Bytes::from_static(b"stop")).unwrap();
    assert_eq!(a.next(), Arrival::Letter { trunk: to_b, bytes: Bytes::from_static(b"stop") });
    (authority, a, gate, b, to_b)
}

#[test]
fn a_message_has_65536_octets_at_most() {
    let (_authority, a, b, to_b, to_a) = pair();
    let refused = a.trunks.frame(to_b, Bytes::from(vec![0; MESSAGE_OCTETS_MAX + 1]));
    assert_eq!(refused, Err(Exhausted { limit: "trunk.message_octets", value: 65_536 }));
    a.trunks.letter(to_b, Bytes::from(vec![0; MESSAGE_OCTETS_MAX])).unwrap();
    let Arrival::Letter { bytes, .. } = b.next() else { panic!("a letter is expected") };
    assert_eq!(bytes.len(), MESSAGE_OCTETS_MAX);
    // Somebody who does not check.
    let line = a.trunks.shared.line(to_b).unwrap();
    line.push(Kind::Frame, Bytes::from(vec![0; MESSAGE_OCTETS_MAX + 1]), &a.trunks.shared.counters).unwrap();
    assert_eq!(b.down(), "malformed: a message is longer than 65536 octets");
    assert_eq!(a.down(), "closed by the partner: malformed");
    assert_eq!(b.count("trunk_malformed_total", None), 1.0);
    assert_eq!((a.up(), b.up()), (to_b, to_a));
}

#[test]
fn a_partner_that_takes_no_frames_is_slow() {
    let (_authority, a, gate, b, to_b) = standing_still();
    for _ in 0..FRAMES_MAX {
        a.trunks.frame(to_b, Bytes::from_static(b"frame")).unwrap();
    }
    let full = Err(Exhausted { limit: "trunk.frames", value: FRAMES_MAX as u64 });
    assert_eq!(a.trunks.frame(to_b, Bytes::from_static(b"frame")), full);
    assert_eq!(a.trunks.frame(to_b, Bytes::from_static(b"frame")), full);
    assert_eq!(a.count("trunk_slow_total", Some("trunk.frames")), 1.0);
    gate.send(()).unwrap();
    assert_eq!(a.down(), "slow");
    loop {
        match b.next() {
            Arrival::Frame { .. } => {}
            Arrival::Down { why, .. } => break assert_eq!(&*why, "closed by the partner: slow"),
            other => panic!("{other:?}"),
        }
    }
    a.up();
}

#[test]
fn media_that_waits_beyond_the_limit_is_dropped_and_counted() {
    let (_authority, a, gate, b, to_b) = standing_still();
    let dropped = |a: &System| a.count("trunk_media_dropped_total", Some("full"));
    for _ in 0..MEDIA_MAX {
        a.trunks.media(to_b, Bytes::from_static(b"m"));
    }
    assert_eq!(dropped(&a), 0.0);
    a.trunks.media(to_b, Bytes::from_static(b"m"));
    assert_eq!(dropped(&a), 1.0);
    gate.send(()).unwrap();
    let arrived = std::iter::from_fn(|| Some(b.next())).filter(|arrival| matches!(arrival, Arrival::Media { .. }));
    assert_eq!(arrived.take(MEDIA_MAX).count(), MEDIA_MAX);
    assert_eq!((a.count("trunk_media_sent_total", None), dropped(&a)), (MEDIA_MAX as f64, 1.0));
    let stats = a.trunks.shared.line(to_b).unwrap().packets_sent();
    assert!(stats < MEDIA_MAX as u64 / 10, "{MEDIA_MAX} datagrams that waited together took {stats} packets");
}

#[test]
fn what_waits_of_a_backfill_has_a_limit() {
    let (_authority, a, gate, b, to_b) = standing_still();
    let backfill = a.trunks.backfill(to_b, 1);
    for _ in 0..BACKFILL_PACKETS_MAX {
        backfill.packet(Bytes::from_static(b"p")).unwrap();
    }
    let refused = Exhausted { limit: "trunk.backfill_packets", value: BACKFILL_PACKETS_MAX as u64 };
    assert_eq!(backfill.packet(Bytes::from_static(b"p")), Err(refused));
    assert_eq!(a.count("trunk_backfill_packets_shed_total", Some("trunk.backfill_packets")), 1.0);
    backfill.finish();
    gate.send(()).unwrap();
    let arrived = std::iter::from_fn(|| match b.next() {
        Arrival::Backfill { bytes, .. } => bytes,
        other => panic!("{other:?}"),
    });
    assert_eq!(arrived.count(), BACKFILL_PACKETS_MAX, "its end has room, too");
    let long = a.trunks.backfill(to_b, 1);
    assert!(long.packet(Bytes::from(vec![0; PACKET_OCTETS_MAX])).is_ok());
    assert!(long.packet(Bytes::from(vec![0; PACKET_OCTETS_MAX + 1])).is_err());
}

#[test]
fn backfills_that_wait_have_a_limit() {
    let (_authority, a, gate, _b, to_b) = standing_still();
    let mut backfills: Vec<_> = (0..BACKFILLS_MAX as u32).map(|flow| a.trunks.backfill(to_b, flow)).collect();
    assert!(backfills.iter().all(|backfill| backfill.packet(Bytes::from_static(b"p")).is_ok()));
    let refused = a.trunks.backfill(to_b, 1);
    let limit = Exhausted { limit: "trunk.backfills", value: BACKFILLS_MAX as u64 };
    assert_eq!(refused.packet(Bytes::from_static(b"p")), Err(limit));
    assert_eq!(a.count("trunk_backfills_shed_total", Some("trunk.backfills")), 1.0);
    backfills.clear();
    gate.send(()).unwrap();
}

#[test]
fn partners_have_a_limit() {
    let authority = Authority::new();
    let a = authority.system("a.example");
    let put = |number: usize| a.trunks.put_partner(&format!("s{number}.example"), None);
    for number in 0..PARTNERS_MAX {
        put(number).unwrap();
    }
    let limit = Exhausted { limit: "trunk.partners", value: PARTNERS_MAX as u64 };
    assert_eq!(put(PARTNERS_MAX), Err(PartnerError::Exhausted(limit)));
    assert_eq!(a.count("trunk_partners_refused_total", Some("trunk.partners")), 1.0);
    assert!(put(0).is_ok(), "one that is known may change");
    a.trunks.remove_partner("s0.example");
    assert!(put(PARTNERS_MAX).is_ok());
}

#[test]
fn handshakes_that_go_nowhere_keep_no_partner_out() {
    let authority = Authority::new();
    let (a, b, stranger) =
        (authority.system("a.example"), authority.system("b.example"), authority.system("c.example"));
    // The stranger hears nothing, so that each of its handshakes stops where it began.
    let (shared, wire) = (&stranger.trunks.shared, stranger.trunks.shared.wire().unwrap());
    let hour = Fault::Delay(Duration::from_secs(3600));
    wire.socket.set(&[a.trunks.local_addr()], hour);
    let _within = stranger.trunks.runtime.enter();
    let attempt = || wire.endpoint.connect_with(shared.dialling.clone(), a.trunks.local_addr(), "a.example").unwrap();
    let _attempts: Vec<_> = (0..4 * HANDSHAKES_MAX).map(|_| attempt()).collect();
    a.expect("b.example");
    b.partner(&a);
    a.up();
    b.up();
}
