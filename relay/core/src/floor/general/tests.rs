use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::floor::script;
use crate::floor::settings::Timers;

/// Short burst and hang time, so that scenarios stay readable; all timers at their defaults.
pub(in crate::floor) fn settings() -> Settings {
    Settings { queueing: true, max_burst_s: 10, hang_time_s: 30, queue_limit: 2, timers: Timers::default() }
}

/// What the machine says, in words. `deny ben 1` and `revoke ana 4` show the number that travels.
pub(in crate::floor) fn words(output: &Output<&str>) -> String {
    match output {
        Output::Talker(Some(grant)) => format!("open {} #{}", grant.holder(), grant.number()),
        Output::Talker(None) => "close".to_string(),
        Output::Granted { to, duration_s, priority } => format!("granted {to} {duration_s} s p{priority}"),
        Output::Taken { by } => format!("taken {by}"),
        Output::Idle => "idle".to_string(),
        Output::Deny { to, cause } => format!("deny {to} {}", cause.code()),
        Output::Queued { to, position, tell, .. } => {
            format!("queued {to} {position}{}", if *tell { "" } else { " untold" })
        }
        Output::NotQueued { to } => format!("not-queued {to}"),
        Output::Revoke { to, cause } => format!("revoke {to} {}", cause.code()),
        Output::Inactive => "inactive".to_string(),
        Output::Wake(_) => "wake".to_string(),
    }
}

pub(super) fn drain(general: &mut General<&'static str>) -> Vec<String> {
    let mut said = Vec::new();
    loop {
        match general.poll() {
            Output::Wake(_) => return said,
            output => said.push(words(&output)),
        }
    }
}

/// `ben` and then any of: `emergency`, `peril`, a priority, `unqueued`, `listener`, `implicit`, `afar`.
pub(in crate::floor) fn request(from: &'static str, options: &[&str]) -> Request<&'static str> {
    let (class, extra) = (Class::Normal, Millis(0));
    let mut request = Request { from, class, priority: 0, queueing: true, receive_only: false, implicit: false, extra };
    for option in options {
        match *option {
            "emergency" => request.class = Class::Emergency,
            "peril" => request.class = Class::ImminentPeril,
            "unqueued" => request.queueing = false,
            "listener" => request.receive_only = true,
            "implicit" => request.implicit = true,
            "afar" => request.extra = Millis(1500),
            "very-far" => request.extra = Millis(2500),
            priority => request.priority = priority.parse().expect("an option or a priority"),
        }
    }
    request
}

/// Fires what is due up to `time`, each timer at its own instant and named before what it does.
fn wait(general: &mut General<&'static str>, time: Time) -> Vec<String> {
    let mut said = Vec::new();
    while let Output::Wake(Some((due, why))) = general.poll() {
        if due > time {
            break;
        }
        general.handle(Input::Timer, due);
        said.push(format!("{why:?}"));
        said.append(&mut drain(general));
    }
    said
}

pub(super) fn play(general: &mut General<&'static str>, event: &'static str, time: Time) -> Vec<String> {
    let event: Vec<&'static str> = event.split_whitespace().collect();
    let input = match event[..] {
        ["set-up"] => Input::SetUp { implicit: None },
        ["set-up", from, ref options @ ..] => Input::SetUp { implicit: Some(request(from, options)) },
        ["release-call"] => Input::ReleaseCall,
        ["configure", queueing, burst] => Input::Configure(Settings {
            queueing: queueing == "queueing",
            max_burst_s: burst.parse().expect("seconds"),
            ..settings()
        }),
        [from, "enters"] => Input::Entered(from),
        [from, "requests", ref options @ ..] => Input::Request(request(from, options)),
        [from, "releases"] => Input::Release(from),
        [from, "leaves"] => Input::Left(from),
        [from, "asks-position"] => Input::QueuePositionRequest(from),
        [from, "sends"] => Input::Media(from),
        ref other => panic!("no such event: {other:?}"),
    };
    general.handle(input, time);
    drain(general)
}

fn check_with(settings: Settings, text: &'static str) {
    let mut general = General::new(settings);
    script::check(text, |time, events| {
        let mut said = wait(&mut general, time);
        for event in events {
            said.append(&mut play(&mut general, event, time));
        }
        said
    });
}

pub(super) fn check(text: &'static str) {
    check_with(settings(), text);
}

#[test] //= TS 24.380 §6.3.4.3.3 test
fn an_idle_floor_goes_to_who_asks_and_comes_back_with_the_release() {
    check(
        "0 ms    ana enters, ben enters, set-up -> idle
         10 ms   ana requests 3                 -> open ana #1, granted ana 10 s p3, taken ana
         20 ms   ana sends                      ->
         500 ms  ana releases                   -> close, idle",
    );
}

#[test] //= TS 24.380 §6.3.4.4.6 test
fn a_repeated_release_changes_nothing() {
    check(
        "0 ms    ana enters, ben enters, set-up -> idle
         10 ms   ana requests                   -> open ana #1, granted ana 10 s p0, taken ana
         500 ms  ana releases, ana releases     -> close, idle
         510 ms  ben requests, ana releases     -> open ben #2, granted ben 10 s p0, taken ben",
    );
}

#[test] //= TS 24.380 §6.3.4.3.3 test
fn nobody_talks_to_nobody_except_while_the_call_gathers() {
    check(
        "0 ms   ana enters, set-up              -> idle
         10 ms  ana requests                    -> deny ana 3
         20 ms  ana requests listener           -> deny ana 5
         30 ms  ana requests implicit           -> open ana #1, granted ana 10 s p0, taken ana
         40 ms  ana requests                    -> granted ana 10 s p0",
    );
    check("0 ms  ana enters, set-up ana implicit  -> open ana #1, granted ana 10 s p0, taken ana");
    check("0 ms  ana enters, set-up ana listener  -> deny ana 5, idle");
}

#[test] //= TS 24.380 §6.3.4.4.3 test
fn silence_ends_a_burst_after_t1() {
    check(
        "0 ms     ana enters, ben enters, set-up -> idle
         10 ms    ana requests                   -> open ana #1, granted ana 10 s p0, taken ana
         1000 ms  ana sends                      ->
         4999 ms                                 ->
         5000 ms                                 -> T1, close, idle",
    );
}

#[test] //= TS 24.380 §6.3.4.4.4 test
fn a_burst_that_is_too_long_is_revoked_and_then_cut() {
    check(
        "0 ms      ana enters, ben enters, set-up -> idle
         10 ms     ana requests                   -> open ana #1, granted ana 10 s p0, taken ana
         1000 ms   ana sends                      ->
         4500 ms   ana sends, ben sends           ->
         8000 ms   ana sends                      ->
         10999 ms  ana sends                      ->
         11000 ms                                 -> T2, revoke ana 2
         13000 ms  ana sends                      ->
         14000 ms                                 -> T3, close, idle
         14010 ms  ana sends                      ->",
    );
}

#[test] //= TS 24.380 §6.3.4.5 test
fn silence_during_a_revoke_ends_it_early() {
    check(
        "0 ms      ana enters, ben enters, set-up   -> idle
         10 ms     ana requests                     -> open ana #1, granted ana 10 s p0, taken ana
         2000 ms   ana sends                        ->
         5500 ms   ben requests emergency           -> queued ben 1, revoke ana 4
         6000 ms                                    -> T1, open ben #2, granted ben 10 s p0, taken ben",
    );
}

#[test] //= TS 24.380 §6.3.4.4.8 test
fn a_talker_who_asks_again_is_told_the_rest() {
    check(
        "0 ms     ana enters, ben enters, set-up -> idle
         10 ms    ana requests                   -> open ana #1, granted ana 10 s p0, taken ana
         1000 ms  ana sends                      ->
         3500 ms  ana requests, ana sends        -> granted ana 7 s p0
         6900 ms  ana sends                      ->
         10500 ms ana requests                   -> granted ana 1 s p0",
    );
}

#[test] //= TS 24.380 §6.3.5.4.4 test
fn a_busy_floor_denies_queues_or_says_that_the_queue_is_full() {
    check(
        "0 ms   ana enters, ben enters, eva enters, set-up -> idle
         10 ms  ana requests 5          -> open ana #1, granted ana 10 s p5, taken ana
         20 ms  ben requests unqueued   -> deny ben 1
         21 ms  ben requests listener   -> deny ben 5
         22 ms  ben requests emergency listener -> deny ben 5
         30 ms  ben requests 1          -> queued ben 1
         40 ms  ben requests 1          -> queued ben 1
         50 ms  eva requests 2          -> queued eva 1
         51 ms  ben asks-position       -> queued ben 2
         60 ms  tom requests 4          -> deny tom 7
         61 ms  tom asks-position       -> not-queued tom
         70 ms  ben requests 3          -> queued ben 1
         80 ms  eva releases, eva asks-position -> not-queued eva
         90 ms  ben leaves, ana releases -> close, idle",
    );
}

#[test] //= TS 24.380 §6.3.4.3.2 test
fn who_waits_gets_the_floor_with_no_idle_between() {
    check(
        "0 ms     ana enters, ben enters, eva enters, set-up -> idle
         10 ms    ana requests      -> open ana #1, granted ana 10 s p0, taken ana
         20 ms    ben requests, eva requests -> queued ben 1, queued eva 2
         500 ms   ana releases      -> open ben #2, granted ben 10 s p0, taken ben
         600 ms   ben sends         ->
         700 ms   ben leaves        -> open eva #3, granted eva 10 s p0, taken eva
         4700 ms                    -> T20, granted eva 10 s p0, T20, granted eva 10 s p0, T1, close, idle",
    );
}

#[test] //= TS 24.380 §6.3.4.4.9 test
fn only_a_queued_grant_is_repeated_and_media_ends_it() {
    check(
        "0 ms     ana enters, ben enters, set-up -> idle
         10 ms    ana requests              -> open ana #1, granted ana 10 s p0, taken ana
         1500 ms  ben requests, ana releases -> queued ben 1, open ben #2, granted ben 10 s p0, taken ben
         2600 ms                            -> T20, granted ben 10 s p0
         2700 ms  ben sends                 ->
         6600 ms                            ->",
    );
}

#[test] //= TS 24.380 §6.3.4.4.10 test
fn a_queued_grant_is_sent_c20_times() {
    check(
        "0 ms     ana enters, ben enters, set-up -> idle
         10 ms    ana requests, ben requests, ana releases -> open ana #1, granted ana 10 s p0, taken ana, queued ben 1, open ben #2, granted ben 10 s p0, taken ben
         3900 ms                            -> T20, granted ben 10 s p0, T20, granted ben 10 s p0
         4010 ms                            -> T1, close, idle",
    );
}

#[test] //= TS 24.380 §6.3.4.4.7 test
fn only_a_strictly_higher_request_preempts() {
    check(
        "0 ms   ana enters, ben enters, eva enters, set-up -> idle
         10 ms  ana requests peril 5             -> open ana #1, granted ana 10 s p5, taken ana
         20 ms  ben requests 200                 -> queued ben 1
         30 ms  eva requests peril 5 unqueued    -> deny eva 1
         40 ms  eva requests peril 6 unqueued    -> queued eva 1 untold, revoke ana 4
         50 ms  eva requests peril 6 unqueued    -> queued eva 1 untold
         60 ms  ana releases                     -> open eva #2, granted eva 10 s p6, taken eva
         70 ms  eva releases                     -> open ben #3, granted ben 10 s p200, taken ben",
    );
}

#[test] //= TS 24.380 §6.3.4.5 test
fn a_request_during_a_revoke_waits_or_is_denied_and_t3_runs_on() {
    check(
        "0 ms     ana enters, ben enters, eva enters, set-up -> idle
         10 ms    ana requests             -> open ana #1, granted ana 10 s p0, taken ana
         20 ms    ben requests peril       -> queued ben 1, revoke ana 4
         1000 ms  eva requests peril unqueued -> deny eva 1
         1100 ms  ana requests, ana sends  -> queued ana 2
         2000 ms  eva requests emergency   -> queued eva 1
         3020 ms                           -> T3, open eva #2, granted eva 10 s p0, taken eva
         3030 ms  eva requests, eva releases -> granted eva 10 s p0, open ben #3, granted ben 10 s p0, taken ben
         3040 ms  ana leaves, ben releases -> close, idle",
    );
}

#[test]
fn a_second_preemptor_needs_the_last_place_of_a_full_queue() {
    check(
        "0 ms   ana enters, ben enters, eva enters, set-up -> idle
         10 ms  ana requests                 -> open ana #1, granted ana 10 s p0, taken ana
         20 ms  ben requests, eva requests   -> queued ben 1, queued eva 2
         30 ms  tom requests peril           -> queued tom 1, revoke ana 4
         40 ms  kim requests emergency       -> deny eva 7, queued kim 1
         50 ms  eva asks-position, tom asks-position, ben asks-position -> not-queued eva, queued tom 2, queued ben 3",
    );
}

#[test]
fn a_talker_does_not_lose_its_level_by_asking_again() {
    check(
        "0 ms   ana enters, ben enters, set-up -> idle
         10 ms  ana requests emergency 3   -> open ana #1, granted ana 10 s p3, taken ana
         20 ms  ana requests               -> granted ana 10 s p3
         30 ms  ben requests emergency 3   -> queued ben 1",
    );
}

#[test] //= TS 24.380 §6.3.4.3 test
fn idle_is_said_c7_times() {
    let timers = Timers { c7: 3, ..Timers::default() };
    check_with(
        Settings { timers, ..settings() },
        "0 ms      ana enters, set-up -> idle
         900 ms                       ->
         20000 ms                     -> T7, idle, T7, idle",
    );
}

#[test] //= TS 24.380 §6.3.4.3.5 test
fn the_hang_time_is_reported_until_somebody_asks() {
    let timers = Timers { c7: 1, ..Timers::default() };
    let text = "0 ms      ana enters, ben enters, set-up -> idle
         29999 ms                                  ->
         30000 ms                                  -> T4, inactive
         60000 ms                                  -> T4, inactive
         60010 ms  ana requests                    -> open ana #1, granted ana 10 s p0, taken ana";
    check_with(Settings { timers, ..settings() }, text);
    let never = "0 ms          ana enters, ben enters, set-up -> idle
         4000000000 ms                                 ->";
    check_with(Settings { timers, hang_time_s: 0, ..settings() }, never);
}

#[test]
fn new_settings_count_from_the_next_burst() {
    check(
        "0 ms   ana enters, ben enters, set-up -> idle
         10 ms  ana requests                   -> open ana #1, granted ana 10 s p0, taken ana
         20 ms  configure unqueued 20          ->
         30 ms  ben requests, ben releases, ana requests -> queued ben 1, granted ana 10 s p0
         40 ms  ana releases                   -> close, idle
         50 ms  ana requests, ben requests     -> open ana #2, granted ana 20 s p0, taken ana, deny ben 1",
    );
}

#[test]
fn the_last_one_may_finish_its_burst() {
    check(
        "0 ms     ana enters, ben enters, set-up -> idle
         10 ms    ana requests                   -> open ana #1, granted ana 10 s p0, taken ana
         20 ms    ben leaves, ana sends          ->
         30 ms    ana releases                   -> close, idle
         40 ms    ana requests                   -> deny ana 3",
    );
}

#[test] //= TS 24.380 §6.3.4.6.2 test
fn a_released_call_says_nothing_more() {
    check(
        "0 ms      ana enters, ben enters, set-up -> idle
         10 ms     ana requests, ben requests     -> open ana #1, granted ana 10 s p0, taken ana, queued ben 1
         20 ms     release-call                   -> close
         30 ms     release-call, ana sends, ben requests, ana releases, ben leaves, set-up ->
         90000 ms                                 ->",
    );
}

#[test]
fn readers_tell_what_a_late_participant_needs() {
    let mut general = General::new(settings());
    let at = |ms| Time::ZERO + Millis(ms);
    for input in [Input::Entered("ana"), Input::Entered("ben"), Input::SetUp { implicit: None }] {
        general.handle(input, at(0));
    }
    assert_eq!((general.state(), general.holder(), general.remaining(at(0))), (State::Idle, None, None));
    general.handle(Input::Request(request("ana", &[])), at(10));
    assert_eq!((general.state(), general.since()), (State::Taken { holder: "ana" }, at(10)));
    assert_eq!(general.remaining(at(500)), Some(Millis(10_000)));
    general.handle(Input::Media("ana"), at(1000));
    assert_eq!(general.remaining(at(1500)), Some(Millis(9_500)));
    general.handle(Input::Request(request("ben", &["emergency"])), at(2000));
    assert_eq!(general.state(), State::PendingRevoke { holder: "ana", cause: RevokeCause::Preempted });
    assert_eq!((general.since(), general.holder(), general.remaining(at(2000))), (at(2000), Some("ana"), None));
    assert_eq!((general.queue().len(), general.participants()), (1, 2));
    let said = drain(&mut general);
    assert_eq!(said.last().map(String::as_str), Some("revoke ana 4"));
    assert_eq!(general.poll(), Output::Wake(Some((at(5000), Why::T1))));
}
