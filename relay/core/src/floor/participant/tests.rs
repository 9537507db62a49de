use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::floor::script;

/// What the machine says, in words. `revoke 3` shows the number that travels.
pub(super) fn words(output: Output) -> String {
    match output {
        Output::Acknowledge => "ack".to_string(),
        Output::ToGeneral(asked) => format!("to-general {asked:?}"),
        Output::Current => "current".to_string(),
        Output::Revoke(cause) => format!("revoke {}", cause.code()),
        Output::Distribute => "distribute".to_string(),
        Output::Drop(reason) => format!("drop {reason:?}"),
        Output::GaveUp => "gave-up".to_string(),
        Output::Wake(_) => "wake".to_string(),
    }
}

pub(super) fn drain(participant: &mut Participant) -> Vec<String> {
    let mut said = Vec::new();
    loop {
        match participant.poll() {
            Output::Wake(_) => return said,
            output => said.push(words(output)),
        }
    }
}

fn wait(participant: &mut Participant, time: Time) -> Vec<String> {
    let mut said = Vec::new();
    while let Output::Wake(Some((due, why))) = participant.poll() {
        if due > time {
            break;
        }
        participant.handle(Input::Timer, due);
        said.push(format!("{why:?}"));
        said.append(&mut drain(participant));
    }
    said
}

pub(super) fn input(event: &str) -> Input {
    match event {
        "media" => Input::Media,
        "request" => Input::Request,
        "release" => Input::Release { acknowledge: false },
        "release!" => Input::Release { acknowledge: true },
        "ask-position" => Input::QueuePositionRequest,
        "leave" => Input::Leave,
        "granted" => Input::Told(Told::Granted),
        "taken" => Input::Told(Told::Taken),
        "idle" => Input::Told(Told::Idle),
        "deny" => Input::Told(Told::Deny),
        "queued" => Input::Told(Told::Queued),
        "revoked" => Input::Told(Told::Revoke(RevokeCause::Preempted)),
        other => panic!("no such event: {other}"),
    }
}

/// The state after a line is its last word, in brackets.
fn check(taken: bool, text: &'static str) {
    let mut participant = Participant::enter(taken, &Timers::default());
    script::check(text, |time, events| {
        let mut said = wait(&mut participant, time);
        for event in events {
            participant.handle(input(event), time);
            said.append(&mut drain(&mut participant));
        }
        let state = format!("[{:?}]", participant.state());
        std::vec![[said.join(", "), state].join(" ")]
    });
}

#[test]
fn a_participant_costs_one_cache_line() {
    assert!(core::mem::size_of::<Participant>() <= 64, "{} bytes", core::mem::size_of::<Participant>());
}

#[test] //= TS 24.380 §6.3.5.3.8 test
fn media_without_the_floor_is_dropped_and_revoked_once_then_by_t8() {
    check(
        false,
        "0 ms     media  -> drop NoPermission, revoke 3 [SendsMedia]
         20 ms    media  -> drop NoPermission [SendsMedia]
         900 ms   media  -> drop NoPermission [SendsMedia]
         1000 ms         -> T8, revoke 3 [SendsMedia]
         1900 ms  idle, taken, media -> drop NoPermission [SendsMedia]
         2000 ms         -> T8, revoke 3 [SendsMedia]
         3899 ms         -> T8, revoke 3 [SendsMedia]
         3900 ms         -> Silence, current [NotPermittedTaken]
         9000 ms         -> [NotPermittedTaken]",
    );
}

#[test] //= TS 24.380 §6.3.5.4.6 test
fn a_client_that_never_stops_is_given_up_once() {
    check(
        true,
        "0 ms     media                 -> drop NoPermission, revoke 3 [SendsMedia]
         1500 ms  media                 -> T8, revoke 3, drop NoPermission [SendsMedia]
         3000 ms  media                 -> T8, revoke 3, T8, revoke 3, drop NoPermission [SendsMedia]
         4900 ms  media                 -> T8, revoke 3, drop NoPermission [SendsMedia]
         6500 ms  media                 -> T8, revoke 3, T8, gave-up, drop NoPermission [SendsMedia]
         8400 ms  media                 -> drop NoPermission [SendsMedia]
         10400 ms                       -> Silence, current [NotPermittedTaken]",
    );
}

#[test] //= TS 24.380 §6.3.5.7 test
fn a_release_ends_the_offence_and_tells_the_state() {
    check(
        false,
        "0 ms    media    -> drop NoPermission, revoke 3 [SendsMedia]
         10 ms   release! -> ack, to-general Release, current [NotPermittedIdle]
         309 ms  media    -> drop Tail [NotPermittedIdle]
         310 ms  media    -> drop NoPermission, revoke 3 [SendsMedia]",
    );
}

#[test] //= TS 24.380 §6.3.5.3.7 test
fn a_repeated_release_gets_the_same_answer() {
    check(
        true,
        "0 ms   granted  -> [Permitted]
         10 ms  release! -> ack, to-general Release [Permitted]
         10 ms  idle     -> [NotPermittedIdle]
         20 ms  release! -> ack, to-general Release, current [NotPermittedIdle]
         30 ms  release! -> ack, to-general Release, current [NotPermittedIdle]
         40 ms  taken, release -> to-general Release, current [NotPermittedTaken]",
    );
}

#[test]
fn what_was_in_flight_at_the_release_still_leaves_while_the_floor_is_idle() {
    check(
        false,
        "0 ms    granted, media  -> distribute [Permitted]
         10 ms   release, idle   -> to-general Release [NotPermittedIdle]
         109 ms  media           -> distribute [NotPermittedIdle]
         110 ms  media           -> drop Tail [NotPermittedIdle]
         309 ms  idle, media     -> drop Tail [NotPermittedIdle]
         310 ms  media           -> drop NoPermission, revoke 3 [SendsMedia]",
    );
}

#[test]
fn what_was_in_flight_is_dropped_once_another_talks() {
    check(
        false,
        "0 ms    granted, release, idle, taken, media -> to-general Release, drop Tail [NotPermittedTaken]
         50 ms   idle, media                          -> drop Tail [NotPermittedIdle]
         300 ms  media                                -> drop NoPermission, revoke 3 [SendsMedia]",
    );
}

#[test]
fn a_floor_that_ended_without_release_leaves_no_tail_to_distribute() {
    check(
        false,
        "0 ms    granted, media  -> distribute [Permitted]
         50 ms   idle, media     -> drop Tail [NotPermittedIdle]
         350 ms  media           -> drop NoPermission, revoke 3 [SendsMedia]",
    );
}

#[test] //= TS 24.380 §6.3.5.6 test
fn a_revoke_is_repeated_until_the_floor_ends_and_media_leaves_until_then() {
    check(
        true,
        "0 ms     granted, revoked, media  -> revoke 4, distribute [PendingRevoke]
         1000 ms                           -> T8, revoke 4 [PendingRevoke]
         2500 ms  media                    -> T8, revoke 4, distribute [PendingRevoke]
         2600 ms  taken, media             -> drop Tail [NotPermittedTaken]
         9000 ms                           -> [NotPermittedTaken]",
    );
    check(
        true,
        "0 ms     granted, revoked -> revoke 4 [PendingRevoke]
         6000 ms                   -> T8, revoke 4, T8, revoke 4, T8, revoke 4, T8, revoke 4, T8, revoke 4, T8, gave-up [PendingRevoke]
         60000 ms                  -> [PendingRevoke]
         60010 ms release!, idle, media -> ack, to-general Release, distribute [NotPermittedIdle]",
    );
}

#[test] //= TS 24.380 §6.3.5.6.7 test
fn idle_ends_the_repetition_of_a_revoke() {
    check(
        true,
        "0 ms     granted, revoked -> revoke 4 [PendingRevoke]
         500 ms   idle             -> [NotPermittedIdle]
         9000 ms                   -> [NotPermittedIdle]",
    );
}

#[test] //= TS 24.380 §6.3.5.4.4 test
fn a_request_goes_to_the_general_machine_in_every_state() {
    check(
        true,
        "0 ms   request, queued, deny -> to-general Request [NotPermittedTaken]
         10 ms  ask-position    -> to-general QueuePositionRequest [NotPermittedTaken]
         20 ms  media, request  -> drop NoPermission, revoke 3, to-general Request [SendsMedia]
         30 ms  granted, request, media -> to-general Request, distribute [Permitted]
         40 ms  revoked, request -> revoke 4, to-general Request [PendingRevoke]
         50 ms  idle, request   -> to-general Request [NotPermittedIdle]
         9000 ms                -> [NotPermittedIdle]",
    );
}

#[test]
fn who_leaves_is_heard_no_more() {
    check(
        true,
        "0 ms     granted, leave    -> to-general Left [Releasing]
         10 ms    media, request, release!, leave, idle, granted -> drop Leaving [Releasing]
         9000 ms                    -> [Releasing]",
    );
}
