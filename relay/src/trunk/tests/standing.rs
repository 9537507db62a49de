//! Trunks come up, stay, go down for a reason that both sides know, and come up again.

use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

use super::{
    super::*,
    stage::{Authority, System, pair},
};

/// Ends when the other side has answered everything that was sent before.
fn settle(a: &System, b: &System, to_b: TrunkId, to_a: TrunkId) {
    a.trunks.frame(to_b, Bytes::from_static(b"there")).unwrap();
    assert_eq!(b.next(), Arrival::Frame { trunk: to_a, bytes: Bytes::from_static(b"there") });
    b.trunks.frame(to_a, Bytes::from_static(b"back")).unwrap();
    assert_eq!(a.next(), Arrival::Frame { trunk: to_b, bytes: Bytes::from_static(b"back") });
}

#[test]
fn two_that_dial_each_other_have_one_trunk() {
    let authority = Authority::new();
    for _ in 0..20 {
        let (a, b) = (authority.system("a.example"), authority.system("b.example"));
        b.partner(&a);
        a.partner(&b);
        let (to_b, to_a) = (a.up(), b.up());
        let start = Instant::now();
        loop {
            // Neither is ever down: what is closed was never used.
            settle(&a, &b, to_b, to_a);
            if [&a, &b].iter().all(|side| side.open_connections() == 1) {
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "the second connection stays open");
        }
        assert_eq!((a.count("trunks_up_total", None), b.count("trunks_up_total", None)), (1.0, 1.0));
        assert_eq!(a.count("trunks", None), 1.0);
    }
}

#[test]
fn either_side_may_be_the_one_that_dials() {
    let authority = Authority::new();
    let (a, b) = (authority.system("a.example"), authority.system("b.example"));
    let to_b = a.expect("b.example");
    let to_a = b.partner(&a);
    assert_eq!((a.up(), b.up()), (to_b, to_a));
    settle(&a, &b, to_b, to_a);
}

#[test]
fn a_removed_partner_is_gone_at_once() {
    let (_authority, a, b, to_b, to_a) = pair();
    settle(&a, &b, to_b, to_a);
    b.trunks.remove_partner("a.example");
    assert_eq!(b.down(), "removed");
    assert_eq!(a.down(), "closed by the partner: removed");
    // The next dial finds nobody.
    assert_eq!(a.refused(), (Some(String::from("b.example")), "unknown-system"));
    assert_eq!(b.refused(), (Some(String::from("a.example")), "unknown-system"));
    let again = b.expect("a.example");
    assert_ne!(again, to_a, "a number is not used again");
    assert_eq!((a.up(), b.up()), (to_b, again));
}

#[test]
fn a_trunk_comes_back_when_the_other_side_has_restarted() {
    let (authority, a, b, to_b, _) = pair();
    let address = b.trunks.local_addr();
    b.trunks.stop();
    assert_eq!(b.down(), "stopping");
    assert_eq!(a.down(), "closed by the partner: stopping");
    let b = System::start(&TrunkConfig { address, ..authority.issue("b.example", &["b.example"], 30) });
    let to_a = b.expect("a.example");
    assert_eq!((a.up(), b.up()), (to_b, to_a));
    settle(&a, &b, to_b, to_a);
    assert!(a.count("trunk_dials_total", None) >= 2.0);
}

#[test]
fn a_trunk_is_closed_behind_its_last_frame() {
    let (_authority, a, b, to_b, to_a) = pair();
    for number in 0..2000u16 {
        a.trunks.frame(to_b, Bytes::from(number.to_be_bytes().to_vec())).unwrap();
    }
    a.trunks.close(to_b, "hello-mismatch");
    for number in 0..2000u16 {
        assert_eq!(b.next(), Arrival::Frame { trunk: to_a, bytes: Bytes::from(number.to_be_bytes().to_vec()) });
    }
    assert_eq!(b.down(), "closed by the partner: hello-mismatch");
    assert_eq!(a.down(), "hello-mismatch");
    assert_eq!((a.up(), b.up()), (to_b, to_a), "it is dialled again");
}

#[test]
fn a_cut_trunk_is_dead_after_four_seconds_and_back_when_the_cut_is_healed() {
    let (_authority, a, b, to_b, to_a) = pair();
    settle(&a, &b, to_b, to_a);
    let start = Instant::now();
    a.trunks.fault(to_b, Fault::Cut);
    assert_eq!(a.down(), "nothing heard for 4.0 s");
    assert!(
        start.elapsed() > Duration::from_millis(2900),
        "keep-alives are a second apart, so at least 3 s are silent"
    );
    assert_eq!(b.down(), "nothing heard for 4.0 s");
    assert!(a.count("trunk_fault_lost_total", None) > 0.0);
    a.trunks.frame(to_b, Bytes::from_static(b"to nobody")).unwrap();
    a.trunks.media(to_b, Bytes::from_static(b"to nobody"));
    assert_eq!(a.count("trunk_messages_unsent_total", None), 1.0);
    assert_eq!(a.count("trunk_media_dropped_total", Some("down")), 1.0);
    a.trunks.fault(to_b, Fault::Heal);
    assert_eq!((a.up(), b.up()), (to_b, to_a));
    settle(&a, &b, to_b, to_a);
}

#[test]
fn what_is_delayed_comes_late_and_in_order() {
    let (_authority, a, b, to_b, to_a) = pair();
    let delay = Duration::from_millis(300);
    b.trunks.fault(to_a, Fault::Delay(delay));
    let start = Instant::now();
    for number in 0..50u8 {
        a.trunks.media(to_b, Bytes::from(vec![number]));
    }
    for number in 0..50u8 {
        assert_eq!(b.next(), Arrival::Media { trunk: to_a, datagram: Bytes::from(vec![number]) });
    }
    assert!(start.elapsed() >= delay);
    assert_eq!(a.rest(), Vec::new());
}

#[test]
fn what_is_held_arrives_when_the_fault_is_healed() {
    let (_authority, a, b, to_b, to_a) = pair();
    settle(&a, &b, to_b, to_a);
    b.trunks.fault(to_a, Fault::Delay(Duration::from_secs(3600)));
    for number in 0..30u8 {
        a.trunks.media(to_b, Bytes::from(vec![number; 1000]));
    }
    let socket = b.trunks.shared.wire().unwrap().socket;
    while socket.octets_held() < 30 * 1000 {
        std::thread::yield_now();
    }
    b.trunks.fault(to_a, Fault::Heal);
    for number in 0..30u8 {
        assert_eq!(b.next(), Arrival::Media { trunk: to_a, datagram: Bytes::from(vec![number; 1000]) });
    }
    assert_eq!(a.rest(), Vec::new());
}

#[test]
fn junk_disturbs_nothing() {
    let (_authority, a, b, to_b, to_a) = pair();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..20_000u32 {
        let mut junk: Vec<u8> = (0..1200).map(|at| (number.wrapping_mul(2_654_435_761) >> (at % 24)) as u8).collect();
        if number % 2 == 0 {
            // The start of a real Initial packet, version 1, with a connection id of eight octets.
            junk.splice(..6, [0xc3, 0, 0, 0, 1, 8]);
        }
        // What the kernel does not take disturbs even less.
        let _sent = stranger.send_to(&junk[..junk.len() - number as usize % 1100], b.trunks.local_addr());
        if number % 100 == 0 {
            settle(&a, &b, to_b, to_a);
        }
    }
    assert_eq!((a.rest(), b.rest()), (Vec::new(), Vec::new()));
}

#[test]
fn a_partner_that_dials_again_has_lost_its_side() {
    let (authority, a, b, _, to_a) = pair();
    let again = System::start(&authority.issue("a.example", &["a.example"], 30));
    let to_b = again.partner(&b);
    assert_eq!((b.down().as_str(), b.up(), again.up()), ("replaced", to_a, to_b));
    assert_eq!(a.down(), "closed by the partner: replaced");
}

#[test]
fn a_second_connection_that_breaks_off_changes_nothing() {
    let (authority, a, b, to_b, to_a) = pair();
    let again = System::start(&authority.issue("a.example", &["a.example"], 30));
    let (shared, wire) = (&again.trunks.shared, again.trunks.shared.wire().unwrap());
    let connection = again.trunks.runtime.block_on(async {
        let dialling = shared.dialling.clone();
        wire.endpoint.connect_with(dialling, b.trunks.local_addr(), "b.example").unwrap().await.unwrap()
    });
    settle(&a, &b, to_b, to_a);
    connection.close(0u32.into(), b"broken off");
    let start = Instant::now();
    while b.open_connections() > 1 {
        settle(&a, &b, to_b, to_a);
        assert!(start.elapsed() < Duration::from_secs(20), "the second connection stays open");
    }
    a.trunks.close(to_b, "over");
    assert_eq!((a.down().as_str(), b.down().as_str()), ("over", "closed by the partner: over"));
    assert_eq!((a.up(), b.up()), (to_b, to_a));
    settle(&a, &b, to_b, to_a);
}
