//! What one participant went through, from its first entry to the end, as it saw it.

use std::sync::Arc;

use relay_core::{Ssrc, Time, floor::message, rtp};
use serde::Serialize;

use super::plan::{Driver, System};
use crate::{
    answer::{Answer, ResumePoint},
    capture::{Channel, Heard},
    truth::Truth,
};

/// One participant of one call, over all systems in which it was.
#[derive(Clone, Debug)]
pub struct Record {
    /// What the report calls it.
    pub name: String,
    /// Primary MC service ID.
    pub user: Arc<str>,
    /// Its stays, in order. Each later one began with a move.
    pub stays: Vec<Stay>,
}

/// A participant in one call by one system.
#[derive(Clone, Debug)]
pub struct Stay {
    /// Who served it.
    pub system: System,
    /// When affiliation, or the wish to enter, was sent.
    pub asked: Time,
    /// When it had the answer.
    pub answered: Time,
    /// When it had made up what it heard last, to go elsewhere; or when it stopped listening.
    pub left: Time,
    /// What it said it had heard.
    pub resume: Vec<ResumePoint>,
    /// What it was told, or why it was not let in.
    pub answer: Result<Answer, String>,
    /// What reached it, in order.
    pub capture: Vec<Heard>,
}

/// One move of one client.
#[derive(Clone, Debug, Serialize)]
pub struct Journey {
    /// Which user.
    pub user: usize,
    /// Where to.
    pub to: System,
    /// Who drove it.
    pub driver: Driver,
    /// From the first question to the last answer. Milliseconds.
    pub total_ms: f64,
    /// What was passed, in order: as the node says, or as the client measured.
    pub phases: Vec<Phase>,
    /// Whether the client was given back to the old system.
    pub rolled_back: bool,
    /// Why it failed.
    pub cause: Option<String>,
}

/// One phase of a move.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Phase {
    /// `P1` to `P9`; with `client` behind it if the client did and measured it itself.
    pub phase: String,
    /// How long it took. Milliseconds.
    pub ms: f64,
    /// `ok` or the code of a cause.
    pub result: String,
}

/// What came to one pair of ports, which may serve several calls: the part of one call. `calls` holds each call's floor SSRC
/// and what was said in it; media that was said in none of them is shown to the first.
pub fn part_of(capture: &[Heard], calls: &[(Option<Ssrc>, &Truth)], number: usize) -> Vec<Heard> {
    let belongs = |heard: &&Heard| match heard.channel {
        Channel::Floor => calls.iter().position(|(floor, _)| *floor == floor_ssrc(&heard.bytes)),
        Channel::Media => match rtp::Packet::parse(&heard.bytes) {
            Ok(packet) => {
                let said = |truth: &Truth| {
                    let place = truth.place(packet.ssrc(), packet.sequence());
                    place.and_then(|place| truth.spoken().get(place)).is_some_and(|said| said.bytes == heard.bytes)
                };
                calls.iter().position(|(_, truth)| said(truth))
            }
            Err(_) => None,
        },
    };
    capture.iter().filter(|heard| belongs(heard).unwrap_or(0) == number).cloned().collect()
}

/// Who sends a floor message: its call, since a node has one SSRC per call for them.
pub fn floor_ssrc(datagram: &[u8]) -> Option<Ssrc> {
    message::read(datagram).find_map(|item| match item {
        Ok(message::Item::Packet(packet)) => Some(packet.ssrc),
        Ok(message::Item::Skipped(_)) | Err(_) => None,
    })
}
