use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::floor::script;
use crate::trunk::wire::{
    Announce, Depart, Ended, Expel, Floor, Heartbeat, Refused, Spacing, Subscribe, Subscribed, Unsubscribe,
};

mod quotas;
mod words;

pub(super) use words::{input, spell};

/// Small ones, so that a few lines stand on both sides of them.
pub(super) const LIMITS: Limits =
    Limits { frames_per_s: 20, letters_per_s: 20, calls: 2, participants: 2, packets_per_s: 10, bytes_per_s: 1_000 };

pub(super) fn link() -> Link {
    Link::new("a.example", "b.example", 41, LIMITS)
}

pub(super) fn drain(link: &mut Link) -> Vec<String> {
    let mut said = Vec::new();
    loop {
        match link.poll() {
            Output::Wake(_) => return said,
            output => said.push(spell(&output)),
        }
    }
}

/// Lets every timer come that is due until `time`; heartbeats of this side are not shown.
fn wait(link: &mut Link, time: Time) -> Vec<String> {
    let mut said = Vec::new();
    while let Output::Wake(Some((due, why))) = link.poll() {
        if due > time {
            break;
        }
        link.handle(Input::Timer, due);
        match why {
            Why::Heartbeat => drop(drain(link)),
            Why::Silence => said.append(&mut drain(link)),
        }
    }
    said
}

/// A dot: nothing is said.
fn check_with(link: &mut Link, text: &'static str) {
    script::check(text, |time, events| {
        let mut said = wait(link, time);
        for event in events {
            link.handle(input(event), time);
            said.append(&mut drain(link));
        }
        if said.is_empty() { Vec::from([".".to_string()]) } else { said }
    });
}

fn check(text: &'static str) -> Link {
    let mut link = link();
    check_with(&mut link, text);
    link
}

/// A link that is ready since 0 ms; nothing of that is left to say.
fn ready() -> Link {
    let mut link = link();
    for event in ["up", "hello"] {
        link.handle(input(event), Time::ZERO);
    }
    drain(&mut link);
    link
}

#[test]
fn both_sides_greet_and_the_round_trip_is_known_after_one() {
    check(
        "0 ms   up                     -> send hello a.example v1 41
         20 ms  hello                  -> ready 5, send heartbeat at 21 echo 0 held 0
         30 ms  heartbeat 700 0 0      -> send heartbeat at 31 echo 700 held 0
         60 ms  heartbeat 730 21 10    -> round-trip 30
         70 ms  heartbeat 740 0 0      -> .",
    );
}

#[test]
fn the_round_trip_is_smoothed_and_does_not_believe_a_strange_echo() {
    let mut link = ready();
    check_with(
        &mut link,
        "100 ms  heartbeat 1 1 0    -> round-trip 100
         100 ms  heartbeat 2 21 0   -> round-trip 97
         100 ms  heartbeat 3 1 900  -> round-trip 85
         100 ms  heartbeat 4 102 0  -> .",
    );
    assert_eq!((link.counters().echoes_refused, link.round_trip()), (1, Some(Millis(85))));
    check_with(
        &mut link,
        "200 ms  up                -> lost, send hello a.example v1 41
         200 ms  hello             -> ready 5, send heartbeat at 201 echo 0 held 0
         250 ms  heartbeat 9 200 0 -> .",
    );
    assert_eq!((link.counters().echoes_refused, link.round_trip()), (2, None), "an echo of an older connection");
}

#[test]
fn a_heartbeat_goes_every_second() {
    let mut link = ready();
    let mut beats = 0;
    while let Output::Wake(Some((due, Why::Heartbeat))) = link.poll() {
        beats += 1;
        assert_eq!(due, Time::ZERO + Millis(1000 * beats));
        link.handle(Input::Timer, due);
        let clock = 1000 * beats + 1;
        assert_eq!(drain(&mut link), [format!("send heartbeat at {clock} echo 0 held 0")]);
    }
    assert_eq!(beats, 3, "and at 4 s the trunk is silent");
}

#[test]
fn a_trunk_lives_for_4_s_without_a_frame_and_then_it_is_lost() {
    let mut link = ready();
    check_with(
        &mut link,
        "100 ms   heartbeat 1 0 0 -> send heartbeat at 101 echo 1 held 0
         4099 ms                  -> .
         4100 ms                  -> send goodbye silent, lost, close silent
         4200 ms  heartbeat 2 0 0 -> .
         9000 ms  down            -> .",
    );
    assert_eq!(link.counters().late, 1);
    check(
        "0 ms     up -> send hello a.example v1 41
         3999 ms     -> .
         4000 ms     -> send goodbye silent, close silent",
    );
}

#[test]
fn media_does_not_keep_a_trunk_alive() {
    let mut link = ready();
    for at in 0..400 {
        link.allows_media(1, Time::ZERO + Millis(at * 10));
    }
    let told = drain(&mut link);
    assert!(told.len() <= 4 && told.iter().all(|said| said == "overstepped Media limit-reached"), "{told:?}");
    check_with(&mut link, "4000 ms -> send goodbye silent, lost, close silent");
}

#[test]
fn another_version_and_another_system_are_told_so() {
    check("0 ms  up, hello b.example v2 -> send hello a.example v1 41, send goodbye version, close version");
    check("0 ms  up, hello c.example v1 -> send hello a.example v1 41, send goodbye wrong-system, close wrong-system");
    check("0 ms  up, hello c.example v2 -> send hello a.example v1 41, send goodbye version, close version");
}

#[test]
fn whatever_comes_before_hello_and_a_second_hello_are_malformed() {
    for event in ["heartbeat 1 0 0", "b subscribe 7 fire", "b floor 1", "nothing", "malformed"] {
        let mut link = link();
        link.handle(Input::Up, Time::ZERO);
        link.handle(input(event), Time::ZERO);
        let said = drain(&mut link);
        assert_eq!(said[1..], ["send goodbye malformed", "close malformed"], "{event}");
        assert_eq!((link.counters().malformed, link.state()), (1, State::Closing), "{event}");
    }
    for event in ["hello", "nothing", "malformed"] {
        let mut link = ready();
        link.handle(input(event), Time::ZERO);
        assert_eq!(drain(&mut link), ["send goodbye malformed", "lost", "close malformed"], "{event}");
    }
}

#[test]
fn a_goodbye_a_cut_and_an_end_of_ours_lose_the_trunk_once() {
    check_with(&mut ready(), "10 ms  goodbye moving -> lost, close goodbye");
    check_with(&mut ready(), "10 ms  down -> lost\n 20 ms down -> .");
    check_with(&mut ready(), "10 ms  end -> send goodbye removed, lost, close removed\n 20 ms end, down -> .");
    check_with(&mut ready(), "10 ms  up  -> lost, send hello a.example v1 41");
}

#[test]
fn a_partner_that_started_anew_is_known_by_its_incarnation() {
    check(
        "0 ms   up, hello, down, up    -> send hello a.example v1 41, ready 5, send heartbeat at 1 echo 0 held 0, lost, send hello a.example v1 41
         10 ms  hello                  -> ready 5, send heartbeat at 11 echo 0 held 0
         20 ms  down, up, hello anew   -> lost, send hello a.example v1 41, ready 6 restarted, send heartbeat at 21 echo 0 held 0",
    );
}

#[test]
fn what_the_partner_subscribed_and_announced_is_gone_with_the_connection() {
    let mut link = ready();
    check_with(
        &mut link,
        "0 ms  b subscribe 7 fire    -> deliver subscribe 7 fire
         0 ms  a subscribed 7 4711   -> send subscribed 7 4711
         0 ms  b announce 4711 1     -> deliver announce 4711 1
         0 ms  a subscribe 12 flood  -> send subscribe 12 flood",
    );
    assert_eq!((link.role(4711), link.role(12)), (Some(Role::Home), Some(Role::Asked)));
    check_with(
        &mut link,
        "5 ms  down, up, hello -> lost, send hello a.example v1 41, ready 5, send heartbeat at 6 echo 0 held 0",
    );
    assert_eq!((link.subscriptions(), link.participants()), (0, 0));
    assert_eq!((link.role(4711), link.role(12), link.announced(4711, 1)), (None, None, false));
    check_with(&mut link, "9 ms  b announce 4711 2, b subscribed 12 90 -> send unsubscribe 90");
    assert_eq!(link.counters().unknown_flow, 1);
}

#[test]
fn a_reference_announced_twice_in_a_call_is_nobodys() {
    let mut link = ready();
    check_with(
        &mut link,
        "0 ms  b subscribe 7 fire, a subscribed 7 1   -> deliver subscribe 7 fire, send subscribed 7 1
         0 ms  b subscribe 8 water, a subscribed 8 2  -> deliver subscribe 8 water, send subscribed 8 2
         0 ms  b announce 1 5, b announce 2 5         -> deliver announce 1 5, deliver announce 2 5
         0 ms  b announce 1 5                         -> send expel 7 5 forged-reference, overstepped Participant forged-reference, deliver depart 1 5",
    );
    assert_eq!((link.counters().references_forged, link.participants()), (1, 1));
    assert_eq!((link.announced(1, 5), link.announced(2, 5)), (false, true));
}

#[test]
fn the_call_of_a_group_is_carried_once() {
    let link = {
        let mut link = ready();
        check_with(
            &mut link,
            "0 ms  b subscribe 7 fire  -> deliver subscribe 7 fire
             0 ms  b subscribe 8 fire  -> send refused 8 already-subscribed, overstepped Subscription already-subscribed
             0 ms  b subscribe 7 water -> .",
        );
        link
    };
    assert_eq!((link.counters().subscribed_twice, link.counters().out_of_place), (1, 1));
}

#[test]
fn what_is_withdrawn_before_its_answer_is_unsubscribed_by_it() {
    let mut link = ready();
    check_with(
        &mut link,
        "0 ms  a subscribe 12 fire, withdraw 12  -> send subscribe 12 fire
         0 ms  b subscribed 12 90                -> send unsubscribe 90
         0 ms  a subscribe 12 fire, withdraw 12  -> send subscribe 12 fire
         0 ms  b refused 12 x                    -> .
         0 ms  a subscribe 12 fire, withdraw 12  -> send subscribe 12 fire
         0 ms  a subscribe 12 fire               -> .
         0 ms  b ended 12                        -> .
         0 ms  b subscribed 12 91                -> deliver subscribed 12 91
         0 ms  withdraw 12, withdraw 12          -> send unsubscribe 91
         0 ms  b floor 12, b ended 12            -> .",
    );
    let counters = link.counters();
    assert_eq!((counters.unwanted, counters.out_of_place, counters.unknown_flow, counters.unsent), (2, 1, 2, 0));
}

/// The home carries a group once: a second Subscribe before its answer to the first would be refused, and held against us.
#[test]
fn a_group_is_asked_for_again_after_the_answer_to_what_was_withdrawn() {
    let mut link = ready();
    check_with(
        &mut link,
        "0 ms  a subscribe 12 fire, withdraw 12    -> send subscribe 12 fire
         0 ms  a subscribe 13 fire                 -> .
         0 ms  a subscribe 14 water                -> send subscribe 14 water
         0 ms  b subscribed 13 95, b refused 13 x  -> .
         0 ms  b subscribed 12 90                  -> send unsubscribe 90, send subscribe 13 fire
         0 ms  withdraw 13, a subscribe 15 fire    -> .
         0 ms  withdraw 15, a subscribe 16 fire    -> .
         0 ms  b refused 13 x                      -> send subscribe 16 fire
         0 ms  b subscribed 16 91                  -> deliver subscribed 16 91
         0 ms  b ended 15                          -> .",
    );
    let counters = link.counters();
    assert_eq!((counters.unwanted, counters.out_of_place, counters.unknown_flow), (2, 2, 1));
}

#[test]
fn one_number_of_the_partner_names_one_call() {
    let mut link = ready();
    check_with(
        &mut link,
        "0 ms  a subscribe 12 fire, b subscribed 12 90   -> send subscribe 12 fire, deliver subscribed 12 90
         0 ms  a subscribe 13 water, b subscribed 13 90  -> send subscribe 13 water, deliver refused 13 flow-in-use
         0 ms  b subscribe 90 air                        -> .
         0 ms  b subscribe 91 air                        -> deliver subscribe 91 air
         0 ms  a subscribe 13 water, b subscribed 13 91  -> send subscribe 13 water, deliver refused 13 flow-in-use
         0 ms  b subscribed 14 90                        -> .",
    );
    assert_eq!((link.counters().out_of_place, link.partner_flow(12)), (4, Some(90)));
}

#[test]
fn frames_and_datagrams_go_by_the_number_of_their_receiver() {
    let mut link = ready();
    check_with(
        &mut link,
        "0 ms  b subscribe 7 fire, a subscribed 7 4711 -> deliver subscribe 7 fire, send subscribed 7 4711
         0 ms  a subscribe 12 air, b subscribed 12 90  -> send subscribe 12 air, deliver subscribed 12 90
         0 ms  b floor 4711, b floor 12                -> deliver floor 4711, deliver floor 12
         0 ms  b floor 7, b floor 90, b spacing 4711, b expel 4711 1, b ended 4711 -> .
         0 ms  a floor 7, a floor 90, a spacing 7, a announce 90 3 -> send floor 7, send floor 90, send spacing 7, send announce 90 3
         0 ms  a floor 4711, a floor 12, a spacing 90, a hello, nothing-of-ours -> .",
    );
    assert_eq!((link.counters().unknown_flow, link.counters().unsent), (5, 5));
    assert_eq!((link.role(4711), link.partner_flow(4711)), (Some(Role::Home), Some(7)));
    assert_eq!((link.role(12), link.partner_flow(12)), (Some(Role::Partner), Some(90)));
    assert_eq!((link.role(7), link.role(90), link.partner_flow(7)), (None, None, None));
}

#[test]
fn of_two_connections_the_one_dialled_by_the_smaller_id_stays() {
    assert!(keeps("a.example", "b.example", true) && !keeps("a.example", "b.example", false));
    assert!(keeps("b.example", "a.example", false) && !keeps("b.example", "a.example", true));
}
