use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::floor::general::tests::{request, settings, words};
use crate::floor::script;

type Machine = NonControlling<&'static str>;

pub(super) fn machine() -> Machine {
    NonControlling::new(settings(), "elsewhere", Time::ZERO)
}

fn said(output: &Output<&'static str>) -> String {
    match output {
        Output::Local(output) => words(output),
        Output::Stopped(who) => format!("stopped {who}"),
        Output::Home(ToHome::Request(request)) => format!("up request {}", request.from),
        Output::Home(ToHome::Release { from }) => format!("up release {from}"),
        Output::Home(ToHome::QueuePositionRequest { from }) => format!("up asks-position {from}"),
        Output::Wake(_) => "wake".to_string(),
    }
}

pub(super) fn drain(floor: &mut Machine) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        match floor.poll() {
            Output::Wake(_) => return all,
            output => all.push(said(&output)),
        }
    }
}

/// The timers that run.
pub(super) fn timers(floor: &Machine) -> Vec<Why> {
    let t20 = matches!(&floor.phase, Phase::Taken(burst) if burst.t20.is_some());
    let lease = floor.is_reachable() && !matches!(floor.phase, Phase::Releasing);
    let timers = [(t20, Why::T20), (lease, Why::Lease)];
    timers.into_iter().filter(|(runs, _)| *runs).map(|(_, why)| why).collect()
}

fn deny_cause(code: &str) -> DenyCause {
    let row = DenyCause::TABLE.iter().find(|row| row.1.to_string() == code);
    row.expect("a cause of Floor Deny").0
}

fn revoke_cause(code: &str) -> RevokeCause {
    let row = RevokeCause::TABLE.iter().find(|row| row.1.to_string() == code);
    row.expect("a cause of Floor Revoke").0
}

fn input(event: &'static str) -> Input<&'static str> {
    let event: Vec<&'static str> = event.split_whitespace().collect();
    let local = match event[..] {
        ["heard"] => return Input::Heard,
        ["lost"] => return Input::Lost,
        ["back"] => return Input::Back,
        ["home-grants", to] => return Input::Home(FromHome::Granted { to, duration_s: 10, priority: 3 }),
        ["home-taken"] => return Input::Home(FromHome::Taken { by: None }),
        ["home-taken", by] => return Input::Home(FromHome::Taken { by: Some(by) }),
        ["home-idle"] => return Input::Home(FromHome::Idle),
        ["home-denies", to, cause] => return Input::Home(FromHome::Deny { to, cause: deny_cause(cause) }),
        ["home-revokes", to, cause] => return Input::Home(FromHome::Revoke { to, cause: revoke_cause(cause) }),
        ["home-queues", to, position] => {
            let position = position.parse().expect("a position");
            return Input::Home(FromHome::Queued { to, position, priority: 3 });
        }
        ["home-queues-not", to] => return Input::Home(FromHome::NotQueued { to }),
        ["set-up"] => general::Input::SetUp { implicit: None },
        ["set-up", from, ref options @ ..] => general::Input::SetUp { implicit: Some(request(from, options)) },
        ["release-call"] => general::Input::ReleaseCall,
        ["configure", queueing, burst] => general::Input::Configure(Settings {
            queueing: queueing == "queueing",
            max_burst_s: burst.parse().expect("seconds"),
            ..settings()
        }),
        [from, "enters"] => general::Input::Entered(from),
        [from, "requests", ref options @ ..] => general::Input::Request(request(from, options)),
        [from, "releases"] => general::Input::Release(from),
        [from, "leaves"] => general::Input::Left(from),
        [from, "asks-position"] => general::Input::QueuePositionRequest(from),
        [from, "sends"] => general::Input::Media(from),
        ref other => panic!("no such event: {other:?}"),
    };
    Input::Local(local)
}

pub(super) fn play(floor: &mut Machine, event: &'static str, time: Time) -> Vec<String> {
    floor.handle(input(event), time);
    drain(floor)
}

/// Fires what is due up to `time`, each timer at its own instant and named before what it does.
fn wait(floor: &mut Machine, time: Time) -> Vec<String> {
    let mut all = Vec::new();
    while let Output::Wake(Some((due, why))) = floor.poll() {
        if due > time {
            break;
        }
        floor.handle(Input::Local(general::Input::Timer), due);
        all.push(format!("{why:?}"));
        all.append(&mut drain(floor));
    }
    all
}

fn check(text: &'static str) {
    let mut floor = machine();
    script::check(text, |time, events| {
        let mut all = wait(&mut floor, time);
        for event in events {
            all.append(&mut play(&mut floor, event, time));
        }
        all
    });
}

#[test] //= TS 24.380 §6.5.5 test
fn a_request_goes_up_once_and_the_grant_opens_the_gate_before_anybody_is_told() {
    check(
        "0 ms    ana enters, ben enters, home-idle -> idle
         10 ms   ana requests                      -> up request ana
         400 ms  ana requests, ana requests        ->
         600 ms  home-grants ana                   -> open ana #1, granted ana 10 s p3, taken ana
         600 ms  home-taken ana                    ->
         700 ms  ana sends                         ->
         900 ms  ana releases                      -> close, stopped ana, up release ana
         950 ms  ana releases, ana sends           ->
         1200 ms home-idle                         -> idle",
    );
}

#[test]
fn nobody_hears_idle_before_the_home_says_so() {
    check(
        "0 ms    ana enters, ben enters, home-idle -> idle
         0 ms    ana requests, home-grants ana -> up request ana, open ana #1, granted ana 10 s p3, taken ana
         100 ms  ana sends, ana releases           -> close, stopped ana, up release ana
         700 ms  home-taken                        -> taken elsewhere",
    );
}

#[test]
fn what_is_asked_before_the_home_has_spoken_goes_up_when_it_has() {
    check(
        "0 ms    ana enters, set-up ana implicit, ben enters, ben requests, ben releases ->
         100 ms  ana requests                      ->
         200 ms  home-taken                        -> taken elsewhere, up request ana
         300 ms  home-queues ana 2                 -> queued ana 2",
    );
}

#[test]
fn a_talker_that_asks_again_is_answered_here_unless_it_asks_for_more() {
    check(
        "0 ms     ana enters, home-idle -> idle
         0 ms     ana requests, home-grants ana    -> up request ana, open ana #1, granted ana 10 s p3, taken ana
         0 ms     ana sends                        ->
         1500 ms  heard, ana requests              -> granted ana 8 s p3
         1600 ms  ana requests emergency           -> up request ana
         1900 ms  home-grants ana                  -> granted ana 10 s p3",
    );
}

#[test]
fn a_more_urgent_request_overtakes_the_one_under_way_and_one_answer_is_heard() {
    check(
        "0 ms    ana enters, home-taken            -> taken elsewhere
         10 ms   ana requests                      -> up request ana
         20 ms   ana requests emergency            -> up request ana
         30 ms   ana requests                      ->
         400 ms  home-denies ana 1                 ->
         410 ms  home-queues ana 1                 -> queued ana 1",
    );
}

#[test]
fn a_grant_for_a_client_that_gave_up_is_given_back() {
    check(
        "0 ms    ana enters, ben enters, home-idle -> idle
         10 ms   ana requests, ana releases        -> up request ana
         500 ms  home-grants ana                   -> up release ana
         510 ms  home-taken                        -> taken elsewhere
         520 ms  ben requests, ben releases        -> up request ben
         900 ms  home-queues ben 1                 -> up release ben
         910 ms  home-grants ben, home-grants eva  -> up release ben, up release eva",
    );
}

#[test]
fn who_asks_again_before_the_answer_need_not_ask_twice() {
    check(
        "0 ms    ana enters, home-idle             -> idle
         10 ms   ana requests, ana releases        -> up request ana
         300 ms  ana requests                      ->
         500 ms  home-grants ana                   -> open ana #1, granted ana 10 s p3, taken ana",
    );
}

#[test]
fn a_request_that_the_home_never_answers_goes_up_again_with_a_later_press() {
    check(
        "0 ms     ana enters, home-idle, ana requests -> idle, up request ana
         2000 ms  heard, ana requests              ->
         4000 ms  heard                            ->
         5999 ms  heard, ana requests, ana releases ->
         6000 ms  ana requests                     -> up request ana
         6100 ms  home-grants ana                  -> open ana #1, granted ana 10 s p3, taken ana",
    );
}

#[test]
fn a_grant_is_a_lease_that_ends_three_seconds_after_the_home_was_heard() {
    check(
        "0 ms     ana enters, ben enters, home-idle -> idle
         0 ms     ana requests, home-grants ana    -> up request ana, open ana #1, granted ana 10 s p3, taken ana
         0 ms     ana sends                        ->
         2999 ms  heard                            ->
         3000 ms  ben requests                     -> up request ben
         5998 ms                                   ->
         5999 ms                                   -> Lease, revoke ana 255, close, deny ben 255, idle
         6000 ms  ana requests, ana sends          -> deny ana 255
         9000 ms  ben requests                     -> deny ben 255",
    );
}

#[test]
fn a_home_that_is_heard_again_is_told_what_ended_and_says_how_the_floor_is() {
    check(
        "0 ms     ana enters, ben enters, home-idle -> idle
         0 ms     ana requests, home-grants ana -> up request ana, open ana #1, granted ana 10 s p3, taken ana
         10 ms    ana sends, ben requests          -> up request ben
         3000 ms                                   -> Lease, revoke ana 255, close, deny ben 255, idle
         3500 ms  heard                            -> up release ana, up release ben
         3600 ms  home-grants ben, home-idle       -> up release ben, idle
         3700 ms  ana requests                     -> up request ana",
    );
}

#[test]
fn who_talks_elsewhere_is_silent_for_us_while_the_home_is() {
    check(
        "0 ms     ana enters, home-taken           -> taken elsewhere
         3000 ms                                   -> Lease, idle
         3500 ms  heard                            -> taken elsewhere
         6500 ms                                   -> Lease, idle
         7000 ms  home-idle                        -> taken elsewhere, idle",
    );
}

#[test]
fn a_lost_trunk_ends_everything_at_once_and_a_new_one_starts_afresh() {
    check(
        "0 ms     ana enters, ben enters, home-idle -> idle
         0 ms     ana requests, home-grants ana -> up request ana, open ana #1, granted ana 10 s p3, taken ana
         10 ms    ana sends, ben requests          -> up request ben
         500 ms   lost                             -> revoke ana 255, close, deny ben 255, idle
         600 ms   ana requests, heard, home-grants ana -> deny ana 255
         9000 ms  back, ben requests               ->
         9200 ms  home-taken                       -> taken elsewhere, up request ben",
    );
}

#[test] //= TS 24.380 §6.3.5.6 test
fn a_talker_that_has_to_stop_is_heard_until_the_home_ends_it() {
    check(
        "0 ms     ana enters, ben enters, home-idle -> idle
         0 ms     ana requests, home-grants ana    -> up request ana, open ana #1, granted ana 10 s p3, taken ana
         0 ms     ana sends                        ->
         500 ms   home-revokes ana 4, home-revokes ana 4 -> revoke ana 4
         2000 ms  heard, ana sends                 ->
         3500 ms  home-taken                       -> close, taken elsewhere",
    );
}

#[test]
fn the_floor_goes_from_one_of_ours_to_another_without_a_gap() {
    check(
        "0 ms    ana enters, ben enters, home-idle -> idle
         0 ms    ana requests, home-grants ana, ana sends -> up request ana, open ana #1, granted ana 10 s p3, taken ana
         10 ms   ben requests, home-queues ben 1   -> up request ben, queued ben 1
         500 ms  home-grants ben, home-taken ben   -> open ben #2, granted ben 10 s p3, taken ben",
    );
}

#[test] //= TS 24.380 §6.3.4.4.9 test
fn a_grant_is_repeated_until_media_comes_or_three_were_sent() {
    check(
        "0 ms     ana enters, ben enters, home-idle -> idle
         0 ms     ana requests, home-grants ana -> up request ana, open ana #1, granted ana 10 s p3, taken ana
         1000 ms  heard                            -> T20, granted ana 10 s p3
         2000 ms  heard                            -> T20, granted ana 10 s p3
         4500 ms  heard                            ->
         4600 ms  home-idle                        -> close, idle
         4600 ms  ben requests, home-grants ben    -> up request ben, open ben #2, granted ben 10 s p3, taken ben
         4600 ms  ben sends                        ->
         7000 ms                                   ->",
    );
}

#[test]
fn who_leaves_leaves_the_floor_and_the_queue_at_the_home() {
    check(
        "0 ms   ana enters, ben enters, eva enters, home-idle -> idle
         0 ms   ana requests, home-grants ana -> up request ana, open ana #1, granted ana 10 s p3, taken ana
         10 ms  ben requests, home-queues ben 1, eva requests -> up request ben, queued ben 1, up request eva
         20 ms  ben leaves, eva leaves             -> up release ben, up release eva
         30 ms  ana leaves                         -> close, stopped ana, up release ana",
    );
}

#[test]
fn a_talker_that_only_the_home_believes_in_is_released() {
    check(
        "0 ms   ana enters, ben enters, home-taken ana -> taken ana, up release ana
         10 ms  home-taken ana                     ->
         90 ms  home-idle                          -> idle",
    );
}

#[test]
fn readers_tell_what_a_late_participant_needs() {
    let mut floor = machine();
    let at = |ms| Time::ZERO + Millis(ms);
    let mut play = |event, ms| {
        play(&mut floor, event, at(ms));
        (floor.state(), floor.holder(), floor.remaining(at(ms)), floor.since())
    };
    assert_eq!(play("ana enters", 0), (State::StartStop, None, None, at(0)));
    assert_eq!(play("home-taken", 5), (State::Taken { holder: "elsewhere" }, Some("elsewhere"), None, at(5)));
    assert_eq!(play("home-idle", 9), (State::Idle, None, None, at(9)));
    play("ana requests", 10);
    let taken = State::Taken { holder: "ana" };
    assert_eq!(play("home-grants ana", 20), (taken, Some("ana"), Some(Millis(10_000)), at(20)));
    play("ana sends", 1000);
    assert_eq!(play("heard", 1500), (taken, Some("ana"), Some(Millis(9_500)), at(20)));
    assert_eq!(play("ana releases", 1600), (taken, None, None, at(20)));
    play("ana requests", 1700);
    play("home-queues ana 1", 1800);
    assert!(floor.waits("ana") && !floor.is_under_way("ana") && floor.is_reachable());
    assert_eq!((floor.queue_len(), floor.participants()), (1, 1));
    assert_eq!(floor.poll(), Output::Wake(Some((at(4800), Why::Lease))));
}

#[test]
fn what_happens_at_the_edge_is_counted() {
    let mut floor = machine();
    let events = ["ana enters", "home-idle", "ana requests", "ana requests", "home-grants ana", "home-grants ben"];
    for event in events.into_iter().chain(["ben requests", "lost", "ana requests"]) {
        play(&mut floor, event, Time::ZERO);
    }
    assert_eq!(*floor.counters(), Counters { absorbed: 1, unreachable: 2, lapsed: 1, unwanted: 1 });
}
