//! Media of a call that spans systems: whose crosses, how often, and who never hears it.

use super::{
    star::{HOME, Star, numbers},
    *,
};
use crate::{call::Drop, trunk::Overstep};

const AT0: u16 = 4000;
const AT1: u16 = 5000;
const AT2: u16 = 6000;

#[test] //= DESIGN §7 test
fn a_partners_talker_reaches_the_other_partner_once_and_never_comes_back() {
    let mut star = Star::talking(2);
    star.enter(1, 1, "sip:fay@a", 7000);
    star.enter(2, 1, "sip:gil@a", 8000);
    star.request(1, 0, 5);
    star.run(50);
    let talker = star.ssrc(1, AT1);
    star.talk(1, 0, talker, 0..30);
    star.run(50);
    for (system, port) in [(HOME, AT0), (1, 7000), (2, AT2), (2, 8000)] {
        assert_eq!(star.heard(system, port), numbers(talker, 0..30), "system {system}");
    }
    assert_eq!(star.heard(1, AT1), []);
    assert_eq!(star.crossed, BTreeMap::from([((1, HOME), 30), ((HOME, 2), 30)]));
    assert_eq!(star.systems[HOME].call.counters().forwarded, 30);
    assert_eq!(star.systems[1].call.counters().forwarded, 30);
}

#[test]
fn media_of_nobody_who_holds_the_floor_behind_that_trunk_is_dropped_and_counted() {
    let mut star = Star::talking(2);
    star.enter(1, 1, "sip:fay@a", 7000);
    star.run(20);
    star.request(1, 0, 5);
    star.run(50);
    let [holder, other, strange, at_home] = [star.ssrc(1, AT1), star.ssrc(1, 7000), 0x0fff_0000, AT0.into()];
    let mut expected = 0;
    for (partner, ssrc) in [(1, other), (1, strange), (1, at_home), (2, holder)] {
        let bytes = rtp_bytes(ssrc, 9);
        star.arrive(HOME, partner, FromTrunk::Media(rtp::Packet::parse(&bytes).expect("a packet")));
        expected += 1;
        assert_eq!(star.dropped(HOME, Drop::Injected), expected, "{ssrc:#x} by {partner}");
    }
    star.run(100);
    // Whoever does not have the floor may have had it a moment ago, or is not announced yet; an SSRC outside of its range is made
    // up, and put on record once in a second and trunk.
    let oversteps = |star: &Star| -> Vec<(usize, &'static str)> {
        let of = |noted: &(usize, Spanning)| match noted.1 {
            Spanning::Overstepped(Overstep::Media, cause) => Some((noted.0, cause)),
            _ => None,
        };
        star.noted.iter().filter_map(of).collect()
    };
    assert_eq!(oversteps(&star), [(HOME, "ssrc-out-of-range"), (HOME, "ssrc-out-of-range")]);
    let inject = |star: &mut Star, ssrc| {
        let bytes = rtp_bytes(ssrc, 10);
        star.arrive(HOME, 1, FromTrunk::Media(rtp::Packet::parse(&bytes).expect("a packet")));
        star.run(1);
    };
    star.run(1000);
    let unknown = star.ssrc(1, 9999);
    for ssrc in [unknown, strange, strange] {
        inject(&mut star, ssrc);
    }
    assert_eq!(oversteps(&star)[2..], [(HOME, "ssrc-out-of-range")]);
    assert_eq!((star.heard(HOME, AT0), star.heard(2, AT2)), (alloc::vec![], alloc::vec![]));
    // The home may not speak under SSRCs of the partner either.
    let bytes = rtp_bytes(holder, 9);
    star.arrive(1, 1, FromTrunk::Media(rtp::Packet::parse(&bytes).expect("a packet")));
    assert_eq!((star.dropped(1, Drop::Injected), star.heard(1, 7000)), (1, alloc::vec![]));
    // Nor does a partner send what is no backfill of ours.
    let before = star.systems[HOME].call.counters().misdirected;
    star.arrive(HOME, 1, FromTrunk::Backfill(Some(rtp::Packet::parse(&bytes).expect("a packet"))));
    assert_eq!(star.systems[HOME].call.counters().misdirected, before + 1);
}

#[test]
fn the_tail_of_a_talker_behind_a_trunk_leaves_and_what_comes_later_does_not() {
    let mut star = Star::talking(1);
    star.request(1, 0, 5);
    star.run(50);
    let talker = star.ssrc(1, AT1);
    star.media(1, 0, talker, 0);
    star.lines[1].late_media = Millis(60);
    star.media(1, 0, talker, 1);
    star.release(1, 0);
    star.run(40);
    assert!(star.last(HOME, AT0).starts_with("idle"));
    assert_eq!(star.heard(HOME, AT0), numbers(talker, 0..1));
    star.run(100);
    assert_eq!(star.heard(HOME, AT0), numbers(talker, 0..2));
    star.run(200);
    let bytes = rtp_bytes(talker, 2);
    star.arrive(HOME, 1, FromTrunk::Media(rtp::Packet::parse(&bytes).expect("a packet")));
    assert_eq!(star.heard(HOME, AT0), numbers(talker, 0..2));
}

#[test]
fn a_user_with_clients_in_two_systems_never_hears_itself_in_either() {
    let mut star = Star::talking(2);
    star.enter(1, 1, "sip:ana@a", 7000);
    star.enter(2, 1, "sip:ana@a", 8000);
    star.enter(HOME, 1, "sip:ana@a", 9000);
    star.run(50);
    for (system, port) in [(1, 7000), (HOME, 9000), (2, 8000)] {
        star.request(system, 1, 5);
        star.run(50);
        let ssrc = star.ssrc(system, port);
        star.talk(system, 1, ssrc, 0..5);
        star.release(system, 1);
        star.run(400);
        assert_eq!(star.heard(1, AT1).len() % 5, 0);
    }
    assert_eq!(star.heard(1, AT1).len(), 15, "everybody else hears all of it");
    for (system, port) in [(1, 7000), (HOME, 9000), (2, 8000)] {
        assert_eq!(star.heard(system, port), [], "system {system}");
    }
}

#[test]
fn who_enters_a_partner_while_it_begins_to_talk_elsewhere_does_not_hear_itself() {
    let mut star = Star::talking(1);
    star.enter(HOME, 1, "sip:ana@a", 9000);
    star.request(HOME, 0, 5);
    star.talk(HOME, 0, AT0.into(), 0..400);
    star.release(HOME, 0);
    star.run(20);
    // Eight seconds of another talker are paced to ana's second client, while ana begins to talk under an SSRC of its first.
    let resume = alloc::vec![ResumePoint { ssrc: Ssrc(AT0.into()), sequence: 0 }];
    let who = Participant { resume, ..star.who(1, "sip:ana@a", 7000) };
    star.enter_as(1, 1, who);
    star.request(HOME, 1, 5);
    star.talk(HOME, 1, 9000, 0..10);
    star.run(4_000);
    assert_eq!(star.heard(1, 7000), numbers(AT0.into(), 1..400));
    assert_eq!(star.heard(1, AT1).iter().filter(|packet| packet.0 == 9000).count(), 10);
}

#[test]
fn under_privacy_no_system_names_the_talker_and_it_still_does_not_hear_itself() {
    let mut star = Star::new(2, Settings { privacy: true, ..settings() });
    star.enter(HOME, 0, "sip:ana@a", AT0);
    star.enter(HOME, 1, "sip:ben@a", 4100);
    star.connect(1);
    star.connect(2);
    star.run(50);
    star.enter(1, 0, "sip:ana@a", AT1);
    star.enter(1, 1, "sip:fay@a", 7000);
    star.enter(2, 0, "sip:gil@a", AT2);
    star.run(50);
    star.request(HOME, 0, 5);
    star.run(50);
    star.talk(HOME, 0, AT0.into(), 0..10);
    star.run(50);
    assert_eq!((star.heard(1, AT1), star.heard(1, 7000)), (alloc::vec![], numbers(AT0.into(), 0..10)));
    for (system, port) in [(HOME, 4100), (1, AT1), (1, 7000), (2, AT2)] {
        let told = star.told(system, port);
        assert!(told.iter().any(|said| said.starts_with("taken(-)")), "{told:?}");
        assert!(!told.iter().any(|said| said.contains("sip:")), "{told:?}");
    }
    star.enter(1, 2, "sip:hal@a", 7100);
    let facts = &star.systems[1].facts[&Slot(2)];
    assert_eq!((facts.floor.talker.clone(), facts.floor.audio_ssrc), (None, Some(Ssrc(AT0.into()))));
}

#[test]
fn new_settings_count_in_a_partner_from_the_next_burst_whoever_talks() {
    let mut star = Star::talking(1);
    let private = Settings { privacy: true, ..settings() };
    star.tell(1, Input::Configure(private));
    star.tell(HOME, Input::Configure(private));
    star.request(HOME, 0, 5);
    star.run(50);
    assert!(star.last(1, AT1).starts_with("taken(-)"), "{:?}", star.told(1, AT1));
}

#[test]
fn the_facts_of_a_late_entry_are_those_of_the_home_with_its_numbers() {
    let mut star = Star::new(1, settings());
    star.enter(HOME, 0, "sip:ana@a", AT0);
    star.enter(HOME, 1, "sip:ben@a", 4100);
    // Ana's numbers wrap before the partner comes.
    star.request(HOME, 0, 5);
    star.talk(HOME, 0, AT0.into(), 65_500..65_535);
    star.talk(HOME, 0, AT0.into(), 65_535..u16::MAX);
    star.media(HOME, 0, AT0.into(), 65_535);
    star.talk(HOME, 0, AT0.into(), 0..20);
    star.release(HOME, 0);
    star.run(500);
    star.request(HOME, 1, 5);
    star.talk(HOME, 1, 4100, 0..20);
    star.connect(1);
    star.run(50);
    let points = [(AT0.into(), 65_530), (4100, 3)];
    let resume = points.map(|(ssrc, sequence)| ResumePoint { ssrc: Ssrc(ssrc), sequence }).to_vec();
    let home = Participant { resume: resume.clone(), ..star.who(HOME, "sip:eva@a", 7000) };
    star.enter_as(HOME, 5, home);
    let partner = Participant { resume, ..star.who(1, "sip:eva@a", 7000) };
    star.enter_as(1, 5, partner);
    let (home, partner) = (&star.systems[HOME].facts[&Slot(5)], &star.systems[1].facts[&Slot(5)]);
    let numbers = |facts: &Facts| -> Vec<_> {
        facts.media.iter().map(|media| (media.ssrc, media.sequence, media.resumed_from, media.missed)).collect()
    };
    assert_eq!(numbers(partner), numbers(home));
    assert_eq!((&partner.floor.talker, partner.floor.state), (&home.floor.talker, home.floor.state));
    let bursts = |facts: &Facts| -> Vec<_> {
        facts.bursts.iter().map(|burst| (burst.ssrc, burst.talker.clone(), burst.first, burst.last)).collect()
    };
    assert_eq!(bursts(partner), bursts(home));
    let ended =
        |facts: &Facts, now: Time| facts.bursts.iter().map(|burst| now.since(burst.ended).0).collect::<Vec<_>>();
    let (at_home, here) = (ended(home, star.now), ended(partner, star.now));
    assert!(at_home.iter().zip(&here).all(|(home, here)| home.abs_diff(*here) < 300), "{at_home:?} {here:?}");
    assert!(
        home.floor.since.0.abs_diff(partner.floor.since.0) < 100,
        "{:?} {:?}",
        home.floor.since,
        partner.floor.since
    );
}

#[test]
fn entry_behind_a_trunk_of_two_seconds_waits_for_nobody() {
    let mut star = Star::talking(1);
    star.request(HOME, 0, 5);
    star.talk(HOME, 0, AT0.into(), 0..50);
    star.lines[1].delay = Millis(2_000);
    star.talk(HOME, 0, AT0.into(), 50..150);
    let entered = star.now;
    let resume = alloc::vec![ResumePoint { ssrc: Ssrc(AT0.into()), sequence: 39 }];
    let who = Participant { resume, ..star.who(1, "sip:eva@a", 7000) };
    star.enter_as(1, 1, who);
    assert_eq!(star.systems[1].first(7000), Some(entered));
    assert!(star.told(1, 7000)[0].starts_with("taken(sip:at0@a)!"), "{:?}", star.told(1, 7000));
    assert!(star.systems[1].facts.contains_key(&Slot(1)));
    star.run(2_100);
    assert_eq!(star.heard(1, 7000), numbers(AT0.into(), 40..150));
}

#[test]
fn the_tail_of_the_home_does_not_end_the_burst_of_a_talker_here() {
    let mut star = Star::talking(1);
    star.request(HOME, 0, 5);
    star.talk(HOME, 0, AT0.into(), 0..5);
    star.lines[1].late_media = Millis(40);
    star.media(HOME, 0, AT0.into(), 5);
    star.request(1, 0, 5);
    star.run(7);
    star.release(HOME, 0);
    star.run(20);
    assert_eq!(star.last(1, AT1), "granted 30");
    let talker = star.ssrc(1, AT1);
    star.talk(1, 0, talker, 0..20);
    star.release(1, 0);
    star.run(500);
    let resume = alloc::vec![ResumePoint { ssrc: Ssrc(AT0.into()), sequence: 2 }];
    let who = Participant { resume, ..star.who(1, "sip:eva@a", 7000) };
    star.enter_as(1, 1, who);
    let facts = &star.systems[1].facts[&Slot(1)];
    let bursts: Vec<_> = facts.bursts.iter().map(|burst| (burst.ssrc.0, burst.first, burst.last)).collect();
    assert_eq!(bursts, [(AT0.into(), 3, 5), (talker, 0, 19)]);
}
