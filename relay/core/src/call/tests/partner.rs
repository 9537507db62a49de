//! A call that spans two systems: what the home and a partner owe each other and their participants.

use alloc::vec;

use super::{span::Pair, *};

const ANA: u16 = 4000;
const BEN: u16 = 4100;
const EVA: u16 = 4200;

/// ana and ben at home, the trunk up, the partner subscribed.
fn pair() -> Pair {
    let mut pair = Pair::new();
    pair.enter_home(0, "sip:ana@a", ANA);
    pair.enter_home(1, "sip:ben@a", BEN);
    pair.connect();
    pair.run(Millis(50));
    pair
}

fn numbers(ssrc: u32, range: core::ops::Range<u16>) -> Vec<(u32, u16)> {
    range.map(|sequence| (ssrc, sequence)).collect()
}

#[test]
fn a_talker_at_home_is_heard_behind_the_trunk_once_per_packet() {
    let mut pair = pair();
    for at in 0..50 {
        pair.enter_partner(at, &format!("sip:{at}@b"), 5000 + 2 * at as u16, &[]);
    }
    pair.request_home(0, ANA);
    pair.run(Millis(20));
    pair.talk_home(0, ANA.into(), 0..20);
    pair.run(Millis(50));
    for at in 0..50 {
        let port = 5000 + 2 * at;
        assert_eq!(pair.partner.heard(port), numbers(ANA.into(), 0..20), "participant {at}");
        assert_eq!(pair.partner.told(port).last().map(|said| &said[..14]), Some("taken(sip:ana@"));
    }
    assert_eq!(pair.crossed, (20, 0), "one copy of each packet crosses");
}

#[test]
fn a_home_that_has_restarted_starts_the_call_anew_and_one_that_ended_it_does_not() {
    for (restarted, starts) in [(false, false), (true, true)] {
        let mut pair = Pair::entering_only();
        pair.enter_home(0, "sip:ana@a", ANA);
        pair.connect();
        pair.run(Millis(50));
        assert_eq!(pair.asks_again(restarted), starts);
        assert_eq!(pair.asks_again(false), starts, "until it is taken in");
    }
    let mut never_taken_in = Pair::entering_only();
    assert!(!never_taken_in.asks_again(true), "who enters only starts nothing");
}

#[test]
fn a_partner_that_comes_gets_the_whole_retention_and_serves_resume_points_from_it() {
    let mut pair = Pair::new();
    pair.enter_home(0, "sip:ana@a", ANA);
    pair.enter_home(1, "sip:ben@a", BEN);
    pair.request_home(0, ANA);
    pair.talk_home(0, ANA.into(), 0..100);
    pair.connect();
    pair.run(Millis(40));
    pair.enter_partner(0, "sip:eva@a", EVA, &[(ANA.into(), 29)]);
    pair.talk_home(0, ANA.into(), 100..200);
    assert_eq!(pair.partner.heard(EVA), numbers(ANA.into(), 30..200));
    assert!(pair.partner.told(EVA)[0].starts_with("taken(sip:ana@a)!"), "{:?}", pair.partner.told(EVA));
    let facts = &pair.partner.facts[&Slot(0)];
    assert_eq!(facts.media[0].resumed_from, Some(30));
    let since = facts.floor.since;
    assert!((2_000..2_100).contains(&since.0), "ana has had the floor for two seconds, not {} ms", since.0);
}

#[test]
fn a_user_never_hears_what_it_said_before_it_moved() {
    let mut pair = Pair::new();
    pair.enter_home(0, "sip:ana@a", ANA);
    pair.enter_home(1, "sip:eva@a", BEN);
    pair.request_home(1, BEN);
    pair.talk_home(1, BEN.into(), 0..20);
    pair.home.release(1, BEN);
    pair.run(Millis(200));
    pair.request_home(0, ANA);
    pair.talk_home(0, ANA.into(), 0..20);
    pair.home.leave(1);
    pair.connect();
    pair.run(Millis(40));
    pair.enter_partner(0, "sip:eva@a", EVA, &[(BEN.into(), 3), (ANA.into(), 3)]);
    pair.run(Millis(500));
    assert_eq!(pair.partner.heard(EVA), numbers(ANA.into(), 4..20));
}

#[test] //= TS 24.380 §6.5 test
fn a_participant_behind_the_trunk_asks_talks_and_is_heard_everywhere_but_by_itself() {
    let mut pair = pair();
    pair.enter_partner(0, "sip:eva@b", EVA, &[]);
    pair.enter_partner(1, "sip:fay@b", EVA + 10, &[]);
    pair.run(Millis(50));
    let eva = pair.ssrc(EVA.into());
    pair.request_partner(0);
    pair.run(Millis(50));
    assert_eq!(pair.partner.told(EVA).last().map(String::as_str), Some("granted 30"));
    assert!(pair.home.told(ANA).last().is_some_and(|said| said.starts_with("taken(sip:eva@b)")));
    assert!(pair.partner.told(EVA + 10).last().is_some_and(|said| said.starts_with("taken(sip:eva@b)")));
    pair.talk_partner(0, eva, 0..20);
    pair.run(Millis(50));
    for heard in [pair.home.heard(ANA), pair.home.heard(BEN), pair.partner.heard(EVA + 10)] {
        assert_eq!(heard, numbers(eva, 0..20));
    }
    assert_eq!(pair.partner.heard(EVA), []);
    assert_eq!(pair.crossed, (0, 20), "nothing comes back");
    pair.ask_partner(0, message::Message::Release { indicator: None });
    pair.run(Millis(50));
    assert!(pair.home.told(ANA).last().is_some_and(|said| said.starts_with("idle")));
    assert!(pair.partner.told(EVA + 10).last().is_some_and(|said| said.starts_with("idle")));
}

#[test]
fn a_grant_behind_a_broken_trunk_ends_and_late_entry_goes_on() {
    let mut pair = pair();
    pair.enter_partner(0, "sip:eva@b", EVA, &[]);
    pair.enter_partner(1, "sip:fay@b", EVA + 10, &[]);
    let eva = pair.ssrc(EVA.into());
    pair.request_partner(0);
    pair.run(Millis(50));
    pair.talk_partner(0, eva, 0..10);
    // Nothing crosses any more, and nobody says so.
    pair.up = false;
    pair.talk_partner(0, eva, 10..250);
    let heard = pair.partner.heard(EVA + 10).len();
    assert!((100..=160).contains(&heard), "3 s after the home was heard last, not {heard} packets");
    assert!(pair.partner.told(EVA).iter().any(|said| said == "revoke 255"), "{:?}", pair.partner.told(EVA));
    assert!(pair.partner.told(EVA + 10).last().is_some_and(|said| said.starts_with("idle")));
    pair.request_partner(1);
    pair.run(Millis(10));
    assert_eq!(pair.partner.told(EVA + 10).last().map(String::as_str), Some("deny 255"));
    pair.enter_partner(2, "sip:gil@b", EVA + 20, &[(eva, 0)]);
    pair.run(Millis(2_000));
    assert!(pair.partner.heard(EVA + 20).len() > 9, "the ring still serves who enters");
}

#[test]
fn after_a_cut_the_home_s_retention_follows_in_order() {
    for (cut, lost) in [(5_000u32, 0u16), (15_000, 250)] {
        let mut pair = pair();
        pair.enter_partner(0, "sip:eva@b", EVA, &[]);
        pair.request_home(0, ANA);
        pair.talk_home(0, ANA.into(), 0..50);
        pair.cut();
        let back = 50 + (cut / 20) as u16;
        pair.talk_home(0, ANA.into(), 50..back);
        pair.connect();
        pair.talk_home(0, ANA.into(), back..back + 400);
        let heard = pair.partner.heard(EVA);
        let mut expected = numbers(ANA.into(), 0..50);
        let first = heard.get(50).map_or(0, |packet| packet.1);
        expected.extend(numbers(ANA.into(), first..back + 400));
        assert_eq!(heard, expected, "cut of {cut} ms");
        assert!(first - 50 <= lost + 5 && first - 50 >= lost.saturating_sub(5), "cut of {cut} ms: {first}");
        let missed: Vec<_> = pair.missed.iter().map(|missed| (missed.1, missed.2)).collect();
        let reported = if lost == 0 { vec![] } else { vec![(50, u64::from(first) - 1)] };
        assert_eq!(missed, reported, "cut of {cut} ms");
    }
}

#[test]
fn what_a_partner_is_filled_with_never_goes_back_to_the_home() {
    let mut pair = pair();
    pair.enter_partner(0, "sip:eva@b", EVA, &[]);
    let eva = pair.ssrc(EVA.into());
    pair.request_partner(0);
    pair.run(Millis(50));
    pair.talk_partner(0, eva, 0..20);
    pair.run(Millis(50));
    assert_eq!(pair.crossed, (0, 20));
    // The partner's process begins anew: it is given what its talkers said, and other SSRCs, so that no old voice is a new one's.
    pair.cut();
    pair.partner = Pair::new().partner;
    pair.connect();
    pair.run(Millis(100));
    assert_ne!(pair.ssrc(EVA.into()), eva);
    assert_eq!(pair.partner.call.counters().backfilled, 20);
    assert_eq!(pair.crossed, (0, 20), "nothing of it goes up again");
    // Its talkers of now are heard at home.
    pair.enter_partner(1, "sip:fay@b", EVA + 10, &[]);
    pair.request_partner(1);
    pair.run(Millis(50));
    let fay = pair.ssrc(u32::from(EVA) + 10);
    pair.talk_partner(1, fay, 0..10);
    pair.run(Millis(50));
    assert_eq!(pair.crossed, (0, 30));
}

#[test]
fn live_packets_that_are_quicker_than_the_answer_stand_behind_the_backfill() {
    let mut pair = pair();
    pair.enter_partner(0, "sip:eva@b", EVA, &[]);
    pair.request_home(0, ANA);
    pair.talk_home(0, ANA.into(), 0..20);
    pair.cut();
    pair.talk_home(0, ANA.into(), 20..40);
    pair.connect();
    pair.run(Millis(4));
    // The home has not read the subscription yet; a datagram that was sent behind its answer overtakes the answer.
    let packet = rtp_bytes(ANA.into(), 41);
    let media = |bytes: &[u8], pair: &mut Pair| {
        let packet = rtp::Packet::parse(bytes).expect("a packet");
        pair.partner.tell(Input::Trunk { from: super::span::TRUNK, what: FromTrunk::Media(packet) });
    };
    media(&packet, &mut pair);
    pair.talk_home(0, ANA.into(), 40..41);
    pair.run(Millis(2_000));
    assert_eq!(pair.partner.heard(EVA), numbers(ANA.into(), 0..42));
}

#[test]
fn a_newcomer_behind_the_trunk_never_hears_its_user_s_other_client_at_home() {
    let mut pair = pair();
    pair.request_home(0, ANA);
    pair.talk_home(0, ANA.into(), 0..50);
    // It has heard more than has come here yet, so that it is served from retention for a while.
    pair.enter_partner(0, "sip:ben@a", EVA, &[(ANA.into(), 60)]);
    pair.home.release(0, ANA);
    pair.run(Millis(200));
    pair.request_home(1, BEN);
    pair.run(Millis(50));
    pair.talk_home(1, BEN.into(), 0..10);
    pair.run(Millis(100));
    assert_eq!(pair.partner.heard(EVA), []);
}

#[test]
fn the_very_first_packet_of_a_call_is_given_to_who_was_ahead_of_it_in_another_system() {
    let mut pair = pair();
    pair.enter_partner(0, "sip:eva@a", EVA, &[(ANA.into(), 5)]);
    pair.request_home(0, ANA);
    pair.run(Millis(20));
    pair.talk_home(0, ANA.into(), 7..20);
    pair.run(Millis(500));
    assert_eq!(pair.partner.heard(EVA), numbers(ANA.into(), 7..20));
}
