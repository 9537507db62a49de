//! Everything that is read from a datagram or a stream, and written to one. `cargo bench -p bench --bench codecs`.

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use relay_core::{
    Ssrc,
    floor::message::{self, Message},
    rtcp, rtp,
    trunk::{
        frame,
        stream::{BytesMut, Splitter, write_message},
        wire::{self, Frame, Letter},
    },
};

fn rtp(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("RTP");
    let mut bytes = [0; 74];
    let payload_type = rtp::PayloadType::try_from(96).expect("seven bits");
    let header = rtp::Header { marker: false, payload_type, sequence: 7, timestamp: 2_240, ssrc: Ssrc(1) };
    assert_eq!(header.write(&mut bytes), Some(12));
    assert_eq!(rtp::Packet::parse(&bytes).expect("a packet").ssrc(), Ssrc(1));
    assert_eq!(rtp::Packet::parse_protected(&bytes).expect("a packet").ssrc(), Ssrc(1));
    group.bench_function("read", |bencher| bencher.iter(|| rtp::Packet::parse(black_box(&bytes))));
    group.bench_function("read, protected", |bencher| bencher.iter(|| rtp::Packet::parse_protected(black_box(&bytes))));
    group
        .bench_function("write the header", |bencher| bencher.iter(|| black_box(&header).write(black_box(&mut bytes))));
}

fn floor(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("floor message");
    let taken = Message::Taken {
        granted_party: Some("sip:alice@mc1.example"),
        may_request: Some(true),
        message_sequence_number: 7,
        indicator: Some(message::Indicator::NORMAL),
        audio_ssrc: Some(Ssrc(0xa0a0_b0b1)),
        functional_alias: None,
        location: None,
    };
    let request = Message::Request { priority: Some(3), indicator: None, functional_alias: None, location: None };
    let idle = Message::Idle { message_sequence_number: 7, indicator: None };
    for (name, message) in [("Taken", taken), ("Request", request), ("Idle", idle)] {
        let acknowledge = message.kind().can_be_acknowledged();
        let packet = message::Packet { ssrc: Ssrc(0xcafe_0001), acknowledge, message, track_info: None };
        let mut out = [0; message::SIZE_MAX];
        let length = packet.write(&mut out).expect("room");
        let bytes = out[..length].to_vec();
        let read = message::read(&bytes).next();
        assert!(matches!(read, Some(Ok(message::Item::Packet(read))) if read == packet), "what is written is read");
        group.bench_function(format!("write {name}"), |bencher| bencher.iter(|| black_box(&packet).write(&mut out)));
        group
            .bench_function(format!("read {name}"), |bencher| bencher.iter(|| message::read(black_box(&bytes)).next()));
    }
}

fn rtcp(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("RTCP");
    // A receiver report without blocks, and an APP packet.
    let mut compound = vec![0x80, 201, 0, 1, 0, 0, 0, 1];
    let subtype = rtcp::Subtype::try_from(3).expect("five bits");
    let app = rtcp::App { subtype, ssrc: Ssrc(1), name: *b"TEST", data: &[0; 16] };
    let mut space = [0; 64];
    let length = app.write(&mut space).expect("room");
    compound.extend_from_slice(&space[..length]);
    assert!(rtcp::valid_compound(&compound));
    assert_eq!(rtcp::packets(&compound).filter(Result::is_ok).count(), 2);
    group.bench_function("check a compound of two", |bencher| {
        bencher.iter(|| rtcp::valid_compound(black_box(&compound)))
    });
    group.bench_function("read a compound of two", |bencher| {
        bencher.iter(|| rtcp::packets(black_box(&compound)).map(black_box).filter(Result::is_ok).count());
    });
    group.bench_function("write APP", |bencher| bencher.iter(|| black_box(&app).write(&mut space)));
}

fn trunk(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("trunk frame");
    let say = |what| Frame { what: Some(what) };
    let heartbeat = say(wire::frame::What::Heartbeat(wire::Heartbeat { at: 1_000_000, echo: 999_000, held: 12 }));
    let announce = say(wire::frame::What::Announce(wire::Announce {
        flow: 7,
        reference: 0xdead_0001,
        user: "sip:alice@mc1.example".to_owned(),
        client: "urn:uuid:0".to_owned(),
        audio_ssrc: 0xa0a0_b0b1,
        queueing: true,
        priority: 3,
    }));
    for (name, frame) in [("Heartbeat", heartbeat), ("Announce", announce)] {
        let write = |frame: &Frame, out: &mut BytesMut| {
            out.clear();
            write_message(&frame::bytes(frame).expect("within its domains"), out);
        };
        let mut splitter = Splitter::messages();
        let mut read = |bytes: &[u8]| {
            splitter.push(bytes);
            let message = splitter.take().expect("it is well formed").expect("it is whole");
            frame::parse::<Frame>(&message)
        };
        let mut out = BytesMut::new();
        write(&frame, &mut out);
        let bytes = out.to_vec();
        assert_eq!(read(&bytes), Ok(frame.clone()), "what is written is read");
        group.bench_function(format!("write {name}"), |bencher| {
            bencher.iter(|| write(black_box(&frame), &mut out));
        });
        group.bench_function(format!("read {name}"), |bencher| {
            bencher.iter(|| read(black_box(&bytes)));
        });
    }
    let letter = Letter::default();
    assert!(frame::bytes(&letter).is_err(), "a letter that says nothing is not written");
}

/// Three seconds for each: there are many, and each is short.
fn config() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = config(); targets = rtp, floor, rtcp, trunk }
criterion_main!(benches);
