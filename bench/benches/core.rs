//! Small things of the core, by criterion: `cargo bench -p bench`.

use std::{hint::black_box, net::SocketAddr};

use criterion::{Criterion, criterion_group, criterion_main};
use relay_core::{
    Millis, Slot, Ssrc, Time,
    call::{Action, Call, Input, Output, Settings},
    floor::{self, message},
    late_entry::ResumePoint,
    roster::{Leg, Participant},
    rtp,
};

fn participant(number: u32) -> Participant {
    let address = |port| SocketAddr::from((std::net::Ipv4Addr::from(0x7f01_0000 + number), port));
    let leg = Leg { rtp: address(4000), floor: Some(address(4002)) };
    Participant::new(&format!("sip:{number}@bench"), "bench", leg, Ssrc(number + 1))
}

fn packet(sequence: u16) -> [u8; 74] {
    let mut bytes = [0; 74];
    let payload_type = rtp::PayloadType::try_from(96).expect("seven bits");
    let header = rtp::Header { marker: false, payload_type, sequence, timestamp: 0, ssrc: Ssrc(1) };
    header.write(&mut bytes).expect("room");
    bytes
}

fn drain(call: &mut Call<SocketAddr>) -> usize {
    let mut outputs = 0;
    while !matches!(black_box(call.poll()), Output::Wake(_)) {
        outputs += 1;
    }
    outputs
}

/// A call of `participants` in which slot 0 has talked for ten seconds.
fn talking(participants: u32) -> (Call<SocketAddr>, Time, u16) {
    let settings = Settings {
        floor: floor::settings::Settings::default(),
        retention: Millis(10_000),
        entry: Millis(200),
        packets_per_s: 1_000_000,
        bytes_per_s: 10_000_000,
        privacy: false,
    };
    let mut call = Call::new(Settings { packets_per_s: 200, bytes_per_s: 65_536, ..settings }, Ssrc(0));
    for number in 0..participants {
        let input = Input::Enter { slot: Slot(number), entry: u64::from(number), participant: participant(number) };
        call.handle(input, Time::ZERO);
        drain(&mut call);
    }
    call.handle(Input::Ask { slot: Slot(0), token: 0, action: Action::Request(0) }, Time::ZERO);
    drain(&mut call);
    let mut now = Time::ZERO;
    for sequence in 0..500 {
        now = now + Millis(20);
        let bytes = packet(sequence);
        let packet = rtp::Packet::parse(&bytes).expect("a packet");
        call.handle(Input::Media { slot: Slot(0), packet }, now);
        drain(&mut call);
    }
    (call, now, 500)
}

fn entering(criterion: &mut Criterion) {
    for participants in [10, 1_000] {
        let (mut call, now, _) = talking(participants);
        let slot = Slot(participants);
        let resume = vec![ResumePoint { ssrc: Ssrc(1), sequence: 490 }];
        criterion.bench_function(&format!("late entry and leave, call of {participants}"), |bencher| {
            let mut entry = u64::from(participants);
            bencher.iter(|| {
                entry += 1;
                let newcomer = Participant { resume: resume.clone(), ..participant(participants) };
                call.handle(Input::Enter { slot, entry, participant: newcomer }, now);
                drain(&mut call);
                call.handle(Input::Leave { slot }, now);
                drain(&mut call)
            });
        });
    }
}

fn distributing(criterion: &mut Criterion) {
    let (mut call, mut now, mut sequence) = talking(1_000);
    criterion.bench_function("one packet to 1,000 participants, without the kernel", |bencher| {
        bencher.iter(|| {
            sequence = sequence.wrapping_add(1);
            now = now + Millis(20);
            let bytes = packet(sequence);
            let packet = rtp::Packet::parse(&bytes).expect("a packet");
            call.handle(Input::Media { slot: Slot(0), packet }, now);
            drain(&mut call)
        });
    });
}

fn codecs(criterion: &mut Criterion) {
    let taken = message::Message::Taken {
        granted_party: Some("sip:alice@mc1.example"),
        may_request: Some(true),
        message_sequence_number: 7,
        indicator: Some(message::Indicator::NORMAL),
        audio_ssrc: Some(Ssrc(0xa0a0_b0b1)),
        functional_alias: None,
        location: None,
    };
    let taken = message::Packet { ssrc: Ssrc(0xcafe_0001), acknowledge: true, message: taken, track_info: None };
    let mut out = [0; message::SIZE_MAX];
    criterion.bench_function("write Floor Taken", |bencher| bencher.iter(|| black_box(&taken).write(&mut out)));
    let length = taken.write(&mut out).expect("room");
    criterion.bench_function("read Floor Taken", |bencher| {
        bencher.iter(|| message::read(black_box(&out[..length])).next());
    });
    let bytes = packet(1);
    criterion.bench_function("read RTP", |bencher| bencher.iter(|| rtp::Packet::parse_protected(black_box(&bytes))));
}

criterion_group!(benches, entering, distributing, codecs);
criterion_main!(benches);
