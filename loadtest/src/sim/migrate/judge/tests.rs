//! The judge finds every fault that it is there for: an honest run, spoilt in one place.

use relay_core::{
    Millis, Slot, Ssrc, Time,
    floor::message::{Message, Packet, SIZE_MAX},
    late_entry::ResumePoint,
    roster::{Leg, Participant},
    trunk::wire::{Frame, Subscribe, Subscribed, frame::What},
};

use super::Judge;
use crate::capture::Channel;

const ANA: Ssrc = Ssrc(0x0640_0001);
const BEN: Ssrc = Ssrc(0x0640_0002);
const CALL: u64 = 1;
const EVA: u64 = 10;

fn ms(millis: u32) -> Time {
    Time::ZERO + Millis(millis)
}

fn rtp(ssrc: Ssrc, sequence: u16) -> Vec<u8> {
    [&[0x80, 96], &sequence.to_be_bytes()[..], &[0; 4], &ssrc.0.to_be_bytes(), &[7]].concat()
}

fn floor(message: Message<'_>) -> Vec<u8> {
    let mut bytes = vec![0; SIZE_MAX];
    let packet = Packet { ssrc: Ssrc(1), acknowledge: false, message, track_info: None };
    let length = packet.write(&mut bytes).expect("it fits");
    bytes.truncate(length);
    bytes
}

fn granted(ssrc: Ssrc) -> Vec<u8> {
    floor(Message::Granted { duration_s: 30, priority: 0, indicator: None, audio_ssrc: Some(ssrc) })
}

fn idle() -> Vec<u8> {
    floor(Message::Idle { message_sequence_number: 1, indicator: None })
}

/// At the home: ana is granted the floor, and eva has entered and knows it.
fn judge(resume: &[(Ssrc, u64)]) -> Judge {
    let mut judge = Judge::default();
    judge.opened(CALL, 0, 0, true);
    for (user, ssrc) in [("sip:ana@a", ANA), ("sip:ben@a", BEN)] {
        (0..20).for_each(|sequence| judge.spoken(user, 0, &rtp(ssrc, sequence), ms(0)));
    }
    judge.floor_sent(CALL, &granted(ANA), ms(0));
    (0..3).for_each(|sequence| judge.accepted(CALL, &rtp(ANA, sequence), ms(10), true));
    let leg = Leg { rtp: ([10, 0, 0, 1], 5_000).into(), floor: None };
    let points = resume.iter().map(|(ssrc, sequence)| ResumePoint { ssrc: *ssrc, sequence: *sequence });
    let eva = Participant { resume: points.collect(), ..Participant::new("sip:eva@a", "radio", leg, Ssrc(3)) };
    judge.entered(EVA, CALL, &eva, ms(20));
    judge.sits(CALL, Slot(0), Some(EVA), ms(20));
    judge.heard(EVA, Channel::Floor, &granted(ANA), ms(21));
    judge
}

fn takes(judge: &mut Judge, sequences: std::ops::Range<u16>) {
    sequences.for_each(|sequence| judge.accepted(CALL, &rtp(ANA, sequence), ms(1_000), true));
}

fn hears(judge: &mut Judge, sequences: impl IntoIterator<Item = u16>) {
    sequences.into_iter().for_each(|sequence| _ = judge.heard(EVA, Channel::Media, &rtp(ANA, sequence), ms(1_001)));
}

/// `None`: every promise was kept; else which was not.
fn check(mut judge: Judge, broken: Option<&str>) {
    judge.settle(ms(30_000));
    let verdict = judge.into_verdict().1;
    let found = verdict.as_deref();
    let right = broken.map_or(found.is_none(), |part| found.is_some_and(|found| found.contains(part)));
    assert!(right, "{broken:?} was to be found, not {found:?}");
}

#[test]
fn an_honest_relay_is_found_honest() {
    let mut judge = judge(&[(ANA, 0)]);
    takes(&mut judge, 3..6);
    hears(&mut judge, 1..6);
    judge.floor_sent(CALL, &idle(), ms(1_000));
    judge.accepted(CALL, &rtp(ANA, 6), ms(1_100), true);
    hears(&mut judge, [6]);
    judge.sits(CALL, Slot(0), None, ms(9_000));
    check(judge, None);
}

#[test]
fn what_reaches_a_participant_wrongly_is_found() {
    let cases: [(&[u16], &str); 4] =
        [(&[3, 4, 4, 5], "twice"), (&[4, 3, 5], "out of order"), (&[3, 5], "never heard"), (&[3, 4], "never heard")];
    for (heard, broken) in cases {
        let mut judge = judge(&[]);
        takes(&mut judge, 3..6);
        hears(&mut judge, heard.iter().copied());
        check(judge, Some(broken));
    }
    let mut named = judge(&[(ANA, 1)]);
    hears(&mut named, 1..3);
    check(named, Some("although it named it"));
    let mut retained = judge(&[(ANA, 0)]);
    hears(&mut retained, [2]);
    check(retained, Some("never heard"));
    let mut strange = judge(&[]);
    strange.heard(EVA, Channel::Media, &[rtp(ANA, 4), vec![1]].concat(), ms(30));
    check(strange, Some("nobody said so"));
    let mut after = judge(&[]);
    after.sits(CALL, Slot(0), None, ms(50));
    after.sent(EVA, ms(51));
    check(after, Some("after it left"));
}

#[test]
fn own_words_and_media_before_the_floor_are_found() {
    let mut own = judge(&[]);
    own.spoken("sip:eva@a", 0, &rtp(Ssrc(9), 0), ms(0));
    own.heard(EVA, Channel::Media, &rtp(Ssrc(9), 0), ms(40));
    check(own, Some("its own words"));
    let mut early = judge(&[]);
    let leg = Leg { rtp: ([10, 0, 0, 2], 5_000).into(), floor: None };
    early.entered(EVA + 1, CALL, &Participant::new("sip:ivo@a", "radio", leg, Ssrc(4)), ms(20));
    early.heard(EVA + 1, Channel::Media, &rtp(ANA, 3), ms(40));
    check(early, Some("before it knew the floor"));
}

#[test]
fn media_of_who_has_no_floor_is_found() {
    let mut two = judge(&[]);
    two.accepted(CALL, &rtp(BEN, 0), ms(30), true);
    check(two, Some("the floor is with"));
    let mut late = judge(&[]);
    late.floor_sent(CALL, &idle(), ms(100));
    late.accepted(CALL, &rtp(ANA, 3), ms(201), true);
    check(late, Some("the floor is with"));
    let mut gone = judge(&[]);
    gone.floor_sent(CALL, &granted(BEN), ms(100));
    gone.accepted(CALL, &rtp(ANA, 3), ms(101), true);
    check(gone, Some("the floor is with"));
}

#[test]
fn a_trunk_gets_one_copy_of_each_packet_in_order_and_all_of_retention() {
    let subscribed = |judge: &mut Judge, backfill: u32| {
        judge.subscribing(CALL, &Subscribe { flow: 1, ..Subscribe::default() }, ms(30));
        let subscribed = Subscribed { range: 200, backfill, ..Subscribed::default() };
        judge.frame_sent(CALL, &Frame { what: Some(What::Subscribed(subscribed)) }, ms(30));
    };
    let filled = |sequences: std::ops::Range<u16>| {
        let mut judge = judge(&[]);
        subscribed(&mut judge, 3);
        sequences.for_each(|sequence| judge.backfilled(CALL, &rtp(ANA, sequence)));
        judge.backfill_done(CALL);
        judge
    };
    check(filled(0..3), None);
    check(filled(1..3), Some("lacks 1"));
    check(filled(0..4), Some("never took"));
    let mut silent = judge(&[]);
    subscribed(&mut silent, 0);
    check(silent, Some("owes 3"));
    let forwarded: [(&[u16], &str); 3] =
        [(&[3], "keeps 1"), (&[4, 3], "gives the trunk"), (&[3, 4, 4], "gives the trunk")];
    for (sequences, broken) in forwarded {
        let mut judge = filled(0..3);
        takes(&mut judge, 3..5);
        sequences.iter().for_each(|sequence| judge.forwarded(CALL, &rtp(ANA, *sequence)));
        judge.check_owed(CALL);
        check(judge, Some(broken));
    }
}
