//! The floor of a call that spans systems: who asks where, and what everybody is told.

use super::{
    star::{HOME, Star},
    *,
};
use crate::{
    floor::message::{Message, Track},
    trunk::Overstep,
};

const AT0: u16 = 4000;
const AT1: u16 = 5000;
const AT2: u16 = 6000;

fn starts(said: &str, with: &str) -> bool {
    said.starts_with(with)
}

#[test] //= DESIGN §7 test
fn a_talker_behind_one_trunk_is_named_once_behind_every_other() {
    let mut star = Star::talking(2);
    star.request(1, 0, 5);
    star.run(50);
    assert_eq!(star.last(1, AT1), "granted 30");
    for (system, port) in [(HOME, AT0), (2, AT2)] {
        let taken = star.told(system, port).into_iter().filter(|said| starts(said, "taken(sip:at1@a)"));
        assert_eq!(taken.map(|said| said.contains('!')).collect::<Vec<_>>(), [true], "system {system}");
    }
    star.release(1, 0);
    star.run(50);
    for (system, port) in [(HOME, AT0), (1, AT1), (2, AT2)] {
        assert!(starts(&star.last(system, port), "idle"), "system {system}: {:?}", star.told(system, port));
    }
}

#[test] //= TS 24.380 §6.3.4.4.7 test
fn who_waits_behind_a_trunk_is_told_its_position_and_gets_the_floor_in_turn() {
    let mut star = Star::talking(2);
    star.request(HOME, 0, 5);
    star.run(20);
    star.request(1, 0, 5);
    star.run(20);
    star.request(2, 0, 5);
    star.run(20);
    assert_eq!((star.last(1, AT1).as_str(), star.last(2, AT2).as_str()), ("queued 1", "queued 2"));
    star.floor(2, 0, Message::QueuePositionRequest);
    star.run(20);
    assert_eq!(star.told(2, AT2).iter().filter(|said| *said == "queued 2").count(), 2, "{:?}", star.told(2, AT2));
    star.release(HOME, 0);
    star.run(20);
    assert_eq!(star.last(1, AT1), "granted 30");
    assert!(starts(&star.last(2, AT2), "taken(sip:at1@a)"), "no idle between talkers: {:?}", star.told(2, AT2));
    star.release(1, 0);
    star.run(20);
    assert_eq!(star.last(2, AT2), "granted 30");
}

#[test]
fn who_left_the_queue_behind_a_trunk_is_not_granted() {
    let mut star = Star::talking(1);
    star.request(HOME, 0, 5);
    star.run(20);
    star.request(1, 0, 5);
    star.run(20);
    star.release(1, 0);
    star.run(20);
    star.floor(1, 0, Message::QueuePositionRequest);
    star.run(20);
    assert_eq!(star.last(1, AT1), "queued 254");
    star.release(HOME, 0);
    star.run(20);
    assert!(starts(&star.last(1, AT1), "idle"), "{:?}", star.told(1, AT1));
}

#[test]
fn a_request_that_cannot_wait_is_denied_by_track_info() {
    let settings =
        Settings { floor: crate::floor::settings::Settings { queueing: false, ..settings().floor }, ..settings() };
    let mut star = Star::new(1, settings);
    star.enter(HOME, 0, "sip:at0@a", AT0);
    star.connect(1);
    star.run(50);
    star.enter(1, 0, "sip:at1@a", AT1);
    star.run(20);
    star.request(HOME, 0, 5);
    star.run(20);
    star.request(1, 0, 5);
    star.run(20);
    assert_eq!(star.last(1, AT1), "deny 1");
}

#[test] //= TS 24.380 §6.3.4.4.8 test
fn a_higher_priority_takes_the_floor_from_behind_a_trunk_and_back() {
    for (first, second) in [(1, HOME), (HOME, 1), (1, 2)] {
        let mut star = Star::new(2, settings());
        let user = |system| format!("sip:at{system}@a");
        let port = |system| AT0 + 1_000 * system as u16;
        let who =
            |star: &Star, system, priority| Participant { priority, ..star.who(system, &user(system), port(system)) };
        for partner in [1, 2] {
            star.connect(partner);
        }
        star.run(50);
        for system in [HOME, 1, 2] {
            let priority = if system == second { 255 } else { 5 };
            let who = who(&star, system, priority);
            star.enter_as(system, 0, who);
        }
        star.run(50);
        let (a, b) = (star.ssrc(first, port(first)), star.ssrc(second, port(second)));
        star.request(first, 0, 5);
        star.run(20);
        star.talk(first, 0, a, 0..5);
        star.request(second, 0, 255);
        star.run(20);
        let revoked =
            star.told(first, port(first)).into_iter().filter(|said| starts(said, "revoke")).collect::<Vec<_>>();
        assert_eq!(revoked, ["revoke 4"], "{first} against {second}");
        star.release(first, 0);
        star.run(20);
        assert_eq!(star.last(second, port(second)), "granted 30", "{first} against {second}");
        star.media(first, 0, a, 6);
        star.talk(second, 0, b, 0..5);
        let third = 3 - first - second;
        let heard: Vec<_> = star.heard(third, port(third)).into_iter().filter(|packet| packet.0 == b).collect();
        assert_eq!(heard.len(), 5);
        assert!(!star.heard(third, port(third)).contains(&(a, 6)), "the old talker is not heard any more");
    }
}

#[test]
fn silence_and_grace_of_a_talker_behind_a_trunk_are_longer_by_the_round_trip() {
    for (round_trip, silence) in [(0, 4_000), (800, 4_800), (2_000, 6_000), (9_000, 6_000)] {
        let mut star = Star::talking(1);
        star.arrive(HOME, 1, FromTrunk::RoundTrip(Millis(round_trip)));
        star.request(1, 0, 5);
        star.run(50);
        let eva = star.ssrc(1, AT1);
        star.media(1, 0, eva, 0);
        star.run(5);
        let heard = star.now;
        star.run(silence - 50);
        assert!(starts(&star.last(HOME, AT0), "taken"), "{round_trip} ms: too early, {:?}", star.last(HOME, AT0));
        star.run(100);
        assert!(starts(&star.last(HOME, AT0), "idle"), "{round_trip} ms: too late, since {heard:?}");
    }
}

#[test]
fn announcements_that_are_wrong_are_answered_with_expel_and_disturb_nobody() {
    let mut star = Star::talking(1);
    let (good, foreign) = (star.ssrc(1, 7000), 0x0123_4567);
    let announce = |reference, audio_ssrc| {
        wire::frame::What::Announce(wire::Announce {
            flow: 10,
            reference,
            user: "sip:mallory@b".into(),
            client: "c".into(),
            audio_ssrc,
            queueing: true,
            priority: 5,
        })
    };
    let first = star.ssrc(1, AT1);
    for (what, cause) in [(announce(first, good), "forged-reference"), (announce(77, foreign), "ssrc-out-of-range")] {
        let before = star.systems[HOME].call.participants();
        star.systems[HOME].call.handle(Input::Trunk { from: TrunkId(1), what: FromTrunk::Frame(what) }, star.now);
        let Output::Frame { frame, .. } = star.systems[HOME].call.poll() else { panic!("an answer for {cause}") };
        let Some(wire::frame::What::Expel(expel)) = frame.what else { panic!("an expel: {frame:?}") };
        assert_eq!(expel.cause, cause);
        let Output::Overstepped { trunk, what, cause: told, .. } = star.systems[HOME].call.poll() else {
            panic!("it is put on record")
        };
        assert_eq!((trunk, what, told), (TrunkId(1), Overstep::Participant, cause));
        assert_eq!(star.systems[HOME].call.participants(), before);
    }
}

#[test]
fn a_floor_message_names_exactly_one_participant_of_its_sender() {
    let mut star = Star::talking(2);
    let before = star.systems[HOME].call.counters().misdirected;
    let (one, two) = (star.ssrc(1, AT1).to_be_bytes(), star.ssrc(2, AT2).to_be_bytes());
    let request = Message::Request { priority: Some(5), indicator: None, functional_alias: None, location: None };
    let lists: [&[[u8; 4]]; 4] = [&[one, one], &[two], &[[9; 4]], &[]];
    for references in lists {
        let own = Track::new(true, 1);
        let track_info = message::TrackInfo { references, ..own.info() };
        let packet =
            message::Packet { ssrc: Ssrc(1), acknowledge: false, message: request, track_info: Some(track_info) };
        star.arrive(HOME, 1, FromTrunk::Floor { packet, holder: 0, talker: "" });
    }
    assert_eq!(star.systems[HOME].call.counters().misdirected, before + 4);
    assert_eq!(star.systems[HOME].call.floor().1, None, "nobody was granted");
    let before = star.systems[1].call.counters().misdirected;
    let own = Track::new(true, 1);
    let track_info = message::TrackInfo { references: &[one, two], ..own.info() };
    let message = Message::Granted { duration_s: 30, priority: 5, indicator: None, audio_ssrc: None };
    let packet = message::Packet { ssrc: Ssrc(1), acknowledge: false, message, track_info: Some(track_info) };
    star.arrive(1, 1, FromTrunk::Floor { packet, holder: 0, talker: "" });
    assert_eq!(star.systems[1].call.counters().misdirected, before + 1);
}

#[test]
fn who_leaves_while_its_grant_is_on_the_way_gives_it_back() {
    let mut star = Star::talking(2);
    star.lines[1].delay = Millis(200);
    star.request(1, 0, 5);
    star.run(300);
    star.leave(1, 0);
    star.run(1_000);
    assert!(starts(&star.last(HOME, AT0), "idle"), "{:?}", star.told(HOME, AT0));
    assert!(starts(&star.last(2, AT2), "idle"), "{:?}", star.told(2, AT2));
    star.request(2, 0, 5);
    star.run(50);
    assert_eq!(star.last(2, AT2), "granted 30");
}

#[test]
fn who_gives_up_while_its_grant_is_on_the_way_gives_it_back() {
    let mut star = Star::talking(1);
    star.lines[1].delay = Millis(200);
    star.request(1, 0, 5);
    star.run(300);
    star.release(1, 0);
    star.run(1_000);
    assert!(!star.told(1, AT1).iter().any(|said| starts(said, "granted")), "{:?}", star.told(1, AT1));
    assert!(starts(&star.last(HOME, AT0), "idle"), "{:?}", star.told(HOME, AT0));
}

#[test]
fn a_request_repeated_while_under_way_crosses_once() {
    let mut star = Star::talking(1);
    star.lines[1].delay = Millis(700);
    for _ in 0..3 {
        star.request(1, 0, 5);
        star.run(300);
    }
    star.run(2_000);
    let granted = star.told(1, AT1).into_iter().filter(|said| starts(said, "granted")).count();
    assert!((1..=2).contains(&granted), "{:?}", star.told(1, AT1));
    assert!(starts(&star.last(HOME, AT0), "taken(sip:at1@a)"));
}

#[test]
fn an_implicit_request_in_a_partners_call_goes_to_the_home() {
    let mut star = Star::talking(2);
    let who = Participant { implicit_floor_request: true, ..star.who(1, "sip:fay@a", 7000) };
    star.enter_as(1, 3, who);
    star.run(50);
    assert_eq!(star.last(1, 7000), "granted 30");
    assert!(starts(&star.last(2, AT2), "taken(sip:fay@a)"));
    // A second one waits or is told who talks, and is not refused aloud.
    let who = Participant { implicit_floor_request: true, queueing: false, ..star.who(2, "sip:gil@a", 8000) };
    star.enter_as(2, 3, who);
    star.run(50);
    assert!(star.told(2, 8000).iter().all(|said| starts(said, "taken(sip:fay@a)")), "{:?}", star.told(2, 8000));
}

#[test]
fn what_the_api_asks_in_a_partners_call_is_answered_when_the_home_has() {
    let mut star = Star::talking(1);
    star.lines[1].delay = Millis(300);
    star.tell(1, Input::Ask { slot: Slot(0), token: 1, action: Action::Request(5) });
    star.run(500);
    assert_eq!(star.systems[1].answers, []);
    star.run(200);
    assert_eq!(star.systems[1].answers, [(1, Answer::Granted(30))]);
    star.tell(1, Input::Ask { slot: Slot(0), token: 2, action: Action::Release });
    star.run(700);
    assert_eq!(star.systems[1].answers[1..], [(2, Answer::Released)]);
    assert!(starts(&star.last(HOME, AT0), "idle"));
    star.tell(1, Input::Ask { slot: Slot(0), token: 3, action: Action::Request(5) });
    star.run(100);
    star.leave(1, 0);
    assert_eq!(star.systems[1].answers[2..], [(3, Answer::Left)]);
}

#[test]
fn what_the_api_gives_up_while_it_is_under_way_is_not_granted_later() {
    let mut star = Star::talking(1);
    star.lines[1].delay = Millis(300);
    star.tell(1, Input::Ask { slot: Slot(0), token: 1, action: Action::Request(5) });
    star.run(100);
    star.tell(1, Input::Ask { slot: Slot(0), token: 2, action: Action::Release });
    star.run(1_500);
    let mut answers = star.systems[1].answers.clone();
    answers.sort_by_key(|answer| answer.0);
    assert_eq!(answers, [(1, Answer::Released), (2, Answer::Released)]);
    assert_eq!(star.systems[1].call.floor().1, None);
    assert!(starts(&star.last(HOME, AT0), "idle"), "{:?}", star.told(HOME, AT0));
    // A floor message gives up what the API asked as well.
    star.tell(1, Input::Ask { slot: Slot(0), token: 3, action: Action::Request(5) });
    star.run(100);
    star.release(1, 0);
    star.run(1_500);
    assert_eq!(star.systems[1].answers[2..], [(3, Answer::Released)]);
}

#[test]
fn what_the_api_asks_behind_a_broken_trunk_is_denied() {
    let mut star = Star::talking(1);
    star.lines[1].delay = Millis(300);
    star.tell(1, Input::Ask { slot: Slot(0), token: 1, action: Action::Request(5) });
    star.run(100);
    star.cut(1);
    assert_eq!(star.systems[1].answers, [(1, Answer::Denied(crate::floor::cause::DenyCause::Other))]);
    star.tell(1, Input::Ask { slot: Slot(0), token: 2, action: Action::Request(5) });
    assert_eq!(star.systems[1].answers.len(), 2);
}

#[test]
fn a_talker_behind_a_trunk_whose_leg_is_replaced_goes_on_talking() {
    let mut star = Star::talking(1);
    star.request(1, 0, 5);
    star.run(50);
    let eva = star.ssrc(1, AT1);
    star.talk(1, 0, eva, 0..10);
    let who = Participant { leg: leg(7000).into(), ..star.who(1, "sip:at1@a", AT1) };
    star.systems[1].now = star.now;
    star.systems[1].replace(0, who);
    star.collect();
    assert!(starts(&star.last(1, 7000), "granted"), "{:?}", star.told(1, 7000));
    star.talk(1, 0, eva, 10..20);
    star.run(20);
    assert_eq!(star.heard(HOME, AT0), super::star::numbers(eva, 0..20));
    assert_eq!(star.heard(1, 7000), []);
    assert!(star.noted.is_empty(), "{:?}", star.noted);
}

#[test] //= DESIGN §7 test
fn granted_comes_before_taken_however_much_happens_before_the_home_may_speak() {
    let mut star = Star::talking(1);
    star.enter(1, 1, "sip:fay@a", 7000);
    star.request(HOME, 0, 5);
    star.run(50);
    star.request(1, 0, 5);
    // One turn of the home: its talker stops, then the request comes, and only then may it speak.
    let packet = message::Packet {
        ssrc: Ssrc(0),
        acknowledge: false,
        message: Message::Release { indicator: None },
        track_info: None,
    };
    star.systems[HOME].call.handle(Input::Floor { slot: Slot(0), packet }, star.now);
    star.run(50);
    assert_eq!(star.last(1, AT1), "granted 30");
    let taken = star.told(1, 7000).into_iter().filter(|said| starts(said, "taken(sip:at1@a)")).count();
    assert_eq!(taken, 1, "{:?}", star.told(1, 7000));
}
