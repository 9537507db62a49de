//! Scenarios of the client's floor as plain text: `time ms  events -> what it says and tells`.

use relay_core::{
    Millis, Ssrc, Time,
    floor::message::{Indicator, Kind, Message, Packet},
};

use super::{Client, Input, Output, Said, Timers, Told};

/// The talker whose media others hear, in every scenario.
const TALKER: Ssrc = Ssrc(0xa);
/// What this client is granted.
const OWN: Ssrc = Ssrc(0xb);

pub(super) fn play(client: &mut Client, event: &str, now: Time) {
    let (event, acknowledge) = event.strip_suffix('!').map_or((event, false), |event| (event, true));
    let mut words = event.split_whitespace();
    let first = words.next().expect("an event has a word");
    let number = words.clone().find_map(|word| word.parse().ok()).unwrap_or(0);
    let indicator = words.clone().any(|word| word == "dual").then_some(Indicator::DUAL_FLOOR);
    let message = match first {
        "enters" => return client.handle(Input::Enter { implicit: event.ends_with("implicit") }, now),
        "presses" => return client.handle(Input::Press, now),
        "lets-go" => return client.handle(Input::LetGo, now),
        "asks" => return client.handle(Input::AskPosition, now),
        "hears" => return client.handle(Input::Media, now),
        "time" => return client.handle(Input::Timer, now),
        "granted" => Message::Granted { duration_s: 30, priority: 0, indicator, audio_ssrc: Some(OWN) },
        "taken" => Message::Taken {
            granted_party: Some("sip:ana@a.example"),
            may_request: Some(true),
            message_sequence_number: number,
            indicator,
            audio_ssrc: Some(TALKER),
            functional_alias: None,
            location: None,
        },
        "idle" => Message::Idle { message_sequence_number: number, indicator },
        "deny" => Message::Deny { cause: number, phrase: None, indicator },
        "revoke" => Message::Revoke { cause: number, phrase: None, indicator },
        "position" => Message::QueuePositionInfo { position: number as u8, priority: 0, indicator },
        "ack" => Message::Ack {
            source: relay_core::floor::message::Source::ControllingFunction,
            acknowledged: Kind::Release,
        },
        other => panic!("no such event: {other}"),
    };
    client.handle(Input::Message(Packet { ssrc: Ssrc(1), acknowledge, message, track_info: None }), now);
}

pub(super) fn drain(client: &mut Client) -> Vec<String> {
    let mut words = Vec::new();
    loop {
        words.push(match client.poll() {
            Output::Wake(_) => return words,
            Output::Say(Said::Request) => "request".into(),
            Output::Say(Said::Release(None)) => "release".into(),
            Output::Say(Said::Release(Some(indicator))) => format!("release {:#06x}", indicator.0),
            Output::Say(Said::AskPosition) => "ask-position".into(),
            Output::Say(Said::Acknowledge(kind)) => format!("ack {kind:?}"),
            Output::Tell(Told::Talker(Some(ssrc))) => format!("[talker {:x}]", ssrc.0),
            Output::Tell(Told::Talk(Some(ssrc))) => format!("[talk as {:x}]", ssrc.0),
            Output::Tell(told) => format!("[{told:?}]").to_lowercase(),
        });
    }
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn check(text: &str) {
    let mut client = Client::new(Timers::default());
    let (mut expected, mut actual) = (Vec::new(), Vec::new());
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (time, rest) = line.split_once(" ms").expect("a line starts with `<number> ms`");
        let (events, outputs) = rest.split_once("->").expect("a line has an arrow");
        let now = Time::ZERO + Millis(time.trim().parse().expect("milliseconds"));
        for event in events.split(',') {
            play(&mut client, event.trim(), now);
        }
        let step = |outputs: &str| format!("{} ms {} -> {}", time.trim(), words(events), words(outputs));
        expected.push(step(outputs));
        actual.push(step(&drain(&mut client).join(", ")));
    }
    assert!(!expected.is_empty(), "a scenario has lines");
    assert_eq!(expected, actual);
}

#[test] //= TS 24.380 §6.2.4.2 test
fn a_late_client_asks_for_nothing_and_hears_who_talks() {
    check(
        "  0 ms  enters    ->
           1 ms  taken 1!  -> ack Taken, [talker a]
           2 ms  hears     ->
         900 ms  idle 2    -> [idle]",
    );
}

#[test] //= TS 24.380 §6.2.4.4.2 test
fn a_request_is_granted_and_given_back() {
    check(
        "  0 ms  enters    ->
          10 ms  presses   -> request
          20 ms  granted!  -> ack Granted, [talk as b]
         900 ms  lets-go   -> release
         910 ms  ack       ->
         911 ms  idle 1    -> [released], [idle]",
    );
}

#[test]
fn a_request_that_nobody_answers_is_sent_three_times() {
    check(
        "   0 ms  enters   ->
           10 ms  presses  -> request
          500 ms  time     ->
         1010 ms  time     -> request
         2010 ms  time     -> request
         3010 ms  time     -> [unanswered]
         4010 ms  time     ->",
    );
}

#[test]
fn a_release_that_nobody_answers_is_sent_three_times() {
    check(
        "   0 ms  enters, presses, granted  -> request, [talk as b]
          100 ms  lets-go                  -> release
         1100 ms  time                     -> release
         2100 ms  granted!, time           -> ack Granted, release
         3100 ms  time                     -> [released]",
    );
}

#[test] //= TS 24.380 §8.2.3.10 test
fn a_copy_is_acknowledged_again_and_an_older_state_says_nothing() {
    check(
        "  0 ms  enters         ->
           1 ms  taken 65535!   -> ack Taken, [talker a]
           2 ms  taken 65535!   -> ack Taken
           3 ms  idle 4         -> [idle]
           4 ms  taken 65535!   -> ack Taken
           5 ms  taken 2        ->",
    );
}

#[test] //= TS 24.380 §6.2.4.5 test
fn a_revoked_talker_stops_and_releases() {
    check(
        "  0 ms  enters, presses, granted  -> request, [talk as b]
          50 ms  revoke 2 dual             -> [stop], release 0x0200
          60 ms  revoke 2                  ->
          70 ms  idle 1                    -> [released], [idle]",
    );
}

#[test] //= TS 24.380 §6.2.4.6 test
fn media_of_somebody_else_answers_a_release() {
    check(
        "   0 ms  enters, presses, granted, lets-go  -> request, [talk as b], release
           10 ms  hears                             -> [released]
         4010 ms  time                              -> [silence]",
    );
}

#[test] //= TS 24.380 §6.2.4.9 test
fn a_grant_from_the_queue_waits_for_the_user() {
    check(
        "   0 ms  enters, presses       -> request
           10 ms  position 2!           -> ack QueuePositionInfo, [queued(2)]
           20 ms  taken 1               -> [talker a]
           30 ms  asks                  -> ask-position
           40 ms  position 1            -> [queued(1)]
          100 ms  granted!              -> ack Granted, [yourturn]
          900 ms  presses               -> [talk as b]",
    );
    check(
        "   0 ms  enters, presses, position 1  -> request, [queued(1)]
           10 ms  granted                      -> [yourturn]
         2010 ms  time                         -> release",
    );
}

#[test] //= TS 24.380 §6.2.4.9 test
fn a_waiting_client_that_hears_floor_idle_waits_no_longer() {
    check(
        "  0 ms  enters, presses, position 1  -> request, [queued(1)]
          10 ms  idle 1                       -> [idle]
          20 ms  granted                      ->",
    );
}

#[test]
fn the_second_talker_of_a_dual_floor_takes_nothing_away() {
    check(
        "  0 ms  enters, presses, granted  -> request, [talk as b]
          10 ms  taken 1 dual              -> [talker a]
          20 ms  idle 2 dual               -> [idle]
          30 ms  taken 3                   ->",
    );
}
