//! The functions that are counted. What stands in `setup` is not.

#![allow(missing_docs, unreachable_pub, clippy::print_stdout)] // what the macros write

use std::{hint::black_box, net::SocketAddr};

use gungraun::{library_benchmark, library_benchmark_group, main};
use relay_core::{
    Slot, Ssrc, Time,
    call::Call,
    floor::message::{self, Message},
    roster::Participant,
    rtp,
};
use relay_table::{Limits, Reader, Row, table};

use crate::call::{Said, TALKED, enter, newcomer, packet, talk, talking};

const PARTICIPANTS: u32 = 1_000;

const TAKEN: message::Packet<'static> = message::Packet {
    ssrc: Ssrc(0xcafe_0001),
    acknowledge: true,
    message: Message::Taken {
        granted_party: Some("sip:alice@mc1.example"),
        may_request: Some(true),
        message_sequence_number: 7,
        indicator: Some(message::Indicator::NORMAL),
        audio_ssrc: Some(Ssrc(0xa0a0_b0b1)),
        functional_alias: None,
        location: None,
    },
    track_info: None,
};

fn running() -> (Call<SocketAddr>, Time, Participant) {
    let (call, now) = talking(PARTICIPANTS);
    (call, now, newcomer(PARTICIPANTS))
}

fn taken() -> Vec<u8> {
    let mut out = vec![0; message::SIZE_MAX];
    let length = TAKEN.write(&mut out).expect("room");
    out.truncate(length);
    out
}

/// A row of 1,000 that was looked at.
fn seen() -> (Reader<SocketAddr>, Row) {
    let (table, readers) = table(Limits::default(), 1);
    let mut writer = table.open(0, PARTICIPANTS).expect("a row");
    for address in bench::raw::targets(PARTICIPANTS as usize, &[4000]) {
        writer.enter(address).expect("room");
    }
    writer.publish();
    let mut reader = readers.into_iter().next().expect("one reader");
    let row = reader.changed().expect("it was published");
    reader.look(row, |_| {});
    // The row stays open: closing it would be a change.
    std::mem::forget(writer);
    (reader, row)
}

#[library_benchmark]
#[bench::of_1000(setup = running)]
fn distribute_to_1000(
    (mut call, now, who): (Call<SocketAddr>, Time, Participant),
) -> (Said, Call<SocketAddr>, Participant) {
    let said = talk(&mut call, TALKED, now);
    assert_eq!(said.distributed, PARTICIPANTS as usize - 1);
    (said, call, who)
}

#[library_benchmark]
#[bench::of_1000(setup = running)]
fn late_entry((mut call, now, who): (Call<SocketAddr>, Time, Participant)) -> (Said, Call<SocketAddr>) {
    let said = enter(&mut call, Slot(PARTICIPANTS), u64::from(PARTICIPANTS), who, now);
    assert_eq!((said.entered, said.replayed), (1, 10));
    (said, call)
}

#[library_benchmark]
#[bench::taken(setup = taken)]
fn write_floor_message(mut out: Vec<u8>) -> Vec<u8> {
    assert_eq!(black_box(&TAKEN).write(&mut out), Ok(out.len()));
    out
}

#[library_benchmark]
#[bench::taken(setup = taken)]
fn read_floor_message(bytes: Vec<u8>) -> Vec<u8> {
    assert!(matches!(black_box(message::read(&bytes).next()), Some(Ok(message::Item::Packet(_)))));
    bytes
}

#[library_benchmark]
#[bench::amr_wb(packet(7))]
fn read_rtp(bytes: [u8; 74]) -> Ssrc {
    black_box(rtp::Packet::parse(black_box(&bytes))).expect("a packet").ssrc()
}

#[library_benchmark]
#[bench::of_1000(setup = seen)]
fn table_unchanged((mut reader, row): (Reader<SocketAddr>, Row)) -> (Reader<SocketAddr>, Option<Row>) {
    let changed = black_box(&mut reader).changed();
    assert!(changed.is_none() && reader.value(row, 7).is_some());
    (reader, changed)
}

library_benchmark_group!(
    name = path,
    benchmarks = [distribute_to_1000, late_entry, write_floor_message, read_floor_message, read_rtp, table_unchanged]
);

main!(library_benchmark_groups = path);

/// Hands all of them to the runner, or does one of them for it.
pub(crate) fn run() {
    main();
}
