use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::trunk::{
    stream::Splitter,
    wire::{self, Frame, Letter, frame, letter},
};

mod domains;

fn say(what: frame::What) -> Frame {
    Frame { what: Some(what) }
}

fn heartbeat(at: u64) -> Frame {
    say(frame::What::Heartbeat(wire::Heartbeat { at, echo: 0, held: 0 }))
}

fn stream(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(|frame| delimited(&bytes(frame).unwrap())).collect()
}

/// What a stream says until a length is wrong.
fn read<M: Checked>(octets: &[u8]) -> Vec<Result<M, Malformed>> {
    let mut splitter = Splitter::messages();
    splitter.push(octets);
    std::iter::from_fn(|| splitter.take().unwrap_or(None)).map(|message| parse(&message)).collect()
}

/// A frame of exactly `size` octets: a Spacing of one age, and the rest a field that nobody knows.
fn padded(size: usize) -> Vec<u8> {
    let known = say(frame::What::Spacing(wire::Spacing { flow: 7, age: vec![20] })).encode_to_vec();
    let mut octets = known.clone();
    // Field 100, delimited: two octets of tag and three of length.
    let filler = size - known.len() - 5;
    octets.extend([0xa2, 0x06, (filler & 0x7f) as u8 | 0x80, (filler >> 7 & 0x7f) as u8 | 0x80, (filler >> 14) as u8]);
    octets.resize(size, 0);
    octets
}

fn delimited(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encode_length_delimiter(octets.len(), &mut out).unwrap();
    out.extend(octets);
    out
}

#[test]
fn a_frame_of_65536_octets_is_read_and_one_more_ends_the_stream() {
    let mut octets = delimited(&padded(SIZE_MAX));
    octets.extend(stream(&[heartbeat(1)]));
    let spacing = say(frame::What::Spacing(wire::Spacing { flow: 7, age: vec![20] }));
    assert_eq!(read(&octets), [Ok(spacing), Ok(heartbeat(1))]);

    let mut octets = delimited(&padded(SIZE_MAX + 1));
    octets.extend(stream(&[heartbeat(1)]));
    assert_eq!(read::<Frame>(&octets), []);
    assert_eq!(parse::<Frame>(&padded(SIZE_MAX + 1)), Err(Malformed::Length));
}

#[test]
fn a_frame_that_is_malformed_inside_does_not_hide_the_next() {
    let mut octets = vec![0];
    octets.extend(delimited(&[0x0a, 0x7f]));
    octets.extend(delimited(&[0xaa, 0x06, 0x00]));
    octets.extend(delimited(&[0x0a, 0x03, 0x0a, 0x01, 0xff]));
    octets.extend(stream(&[heartbeat(3)]));
    let expected =
        [Err(Malformed::Unknown), Err(Malformed::Encoding), Err(Malformed::Unknown), Err(Malformed::Encoding)];
    let mut items = read(&octets);
    assert_eq!(items.pop(), Some(Ok(heartbeat(3))));
    assert_eq!(items, expected);
}

#[test]
fn a_message_of_ours_outside_its_domain_is_not_sent() {
    let wrong = say(frame::What::Unsubscribe(wire::Unsubscribe { flow: FLOW_MAX + 1 }));
    assert_eq!(bytes(&wrong), Err(Malformed::Value { field: "unsubscribe.flow" }));

    let voice = wire::Voice { user: "u".repeat(ID_OCTETS_MAX), sequence: SEQUENCE_MAX, ..Default::default() };
    let snapshot = wire::Snapshot { voices: vec![voice; VOICES_MAX], ..Default::default() };
    let subscribed = wire::Subscribed { range: 1, snapshot: Some(snapshot), ..Default::default() };
    let long = say(frame::What::Subscribed(subscribed));
    assert!(long.encoded_len() > SIZE_MAX);
    assert_eq!(bytes(&long), Err(Malformed::Length));
}

#[test]
fn each_fault_says_what_is_wrong() {
    let told = |malformed: Malformed| malformed.to_string();
    assert_eq!(told(Malformed::Value { field: "hello.system" }), "hello.system is outside its domain");
    assert_eq!(
        told(Malformed::TooMany { field: "subscribe.last", limit: 64 }),
        "subscribe.last has more than 64 entries"
    );
}

fn id() -> impl Strategy<Value = String> {
    "[a-z:@.0-9]{1,40}"
}

fn frames() -> impl Strategy<Value = Frame> {
    let flow = || 0..=FLOW_MAX;
    prop_oneof![
        any::<(u64, u64, u64)>().prop_map(|(at, echo, held)| say(frame::What::Heartbeat(wire::Heartbeat {
            at,
            echo,
            held
        }))),
        (flow(), id(), any::<bool>(), prop::collection::vec((any::<u32>(), 0..=SEQUENCE_MAX), 0..=POINTS_MAX))
            .prop_map(|(flow, group, start, last)| {
                let last = last.into_iter().map(|(ssrc, sequence)| wire::Point { ssrc, sequence }).collect();
                say(frame::What::Subscribe(wire::Subscribe { flow, group, start, range: 0, last }))
            }),
        (flow(), 1_u32.., id(), id(), any::<u8>()).prop_map(|(flow, reference, user, client, priority)| {
            let priority = priority.into();
            let announce = wire::Announce { flow, reference, user, client, priority, ..Default::default() };
            say(frame::What::Announce(announce))
        }),
        (flow(), prop::collection::vec(any::<u8>(), 1..300)).prop_map(|(flow, message)| {
            say(frame::What::Floor(wire::Floor { flow, message, holder: 0, talker: String::new() }))
        }),
        (flow(), prop::collection::vec(any::<u32>(), 0..300))
            .prop_map(|(flow, age)| say(frame::What::Spacing(wire::Spacing { flow, age }))),
    ]
}

proptest! {
    #[test]
    fn frames_come_out_as_they_went_in_however_the_stream_is_cut(
        frames in prop::collection::vec(frames(), 0..8), cuts in prop::collection::vec(1_usize..200, 1..40),
    ) {
        let octets = stream(&frames);
        let (mut rest, mut cuts) = (&octets[..], cuts.iter().cycle());
        let mut splitter = Splitter::messages();
        let mut read: Vec<Frame> = Vec::new();
        while !rest.is_empty() {
            let (now, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            rest = later;
            splitter.push(now);
            read.extend(std::iter::from_fn(|| splitter.take().unwrap()).map(|message| parse(&message).unwrap()));
        }
        prop_assert_eq!(read, frames);
        prop_assert!(splitter.is_empty());
    }

    #[test]
    fn any_bytes_end_without_panic(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let count = read::<Frame>(&octets).len();
        prop_assert!(count <= octets.len());
        prop_assert_eq!(read::<Letter>(&octets).len(), count);
    }
}
