//! The core without the kernel: late entry, one packet to everybody, a floor request. `cargo bench -p bench --bench core`.

#[path = "core/call.rs"]
mod call;

use std::{
    hint::black_box,
    net::SocketAddr,
    time::{Duration, Instant},
};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use relay_core::{
    Millis, Slot, Ssrc, Time,
    call::{Action, Call, Input},
    floor::message,
};

use call::{TALKED, drain, enter, newcomer, silent, talk, talking};

/// From the roster's change to the last output that leaves at once: Floor Taken, ten retained packets, the facts.
fn entering(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("late entry");
    for participants in [10, 1_000, 10_000] {
        let (mut call, now) = talking(participants);
        let (slot, who) = (Slot(participants), newcomer(participants));
        let said = enter(&mut call, slot, u64::from(participants), who.clone(), now);
        assert_eq!((said.entered, said.replayed), (1, 10), "the newcomer gets what it missed");
        assert!(said.floor >= 1, "the newcomer is told who talks");
        call.handle(Input::Leave { slot }, now);
        drain(&mut call);
        group.bench_function(BenchmarkId::new("assembled, call of", participants), |bencher| {
            let mut entry = u64::from(participants);
            bencher.iter_custom(|iterations| {
                let mut spent = Duration::ZERO;
                for _ in 0..iterations {
                    entry += 1;
                    let who = who.clone();
                    let start = Instant::now();
                    black_box(enter(&mut call, slot, entry, who, now));
                    spent += start.elapsed();
                    call.handle(Input::Leave { slot }, now);
                    drain(&mut call);
                }
                spent
            });
        });
    }
}

/// One packet, from its arrival to the last address; throughput is in participants.
fn distributing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("distribute, per participant");
    for participants in [10, 100, 1_000, 10_000] {
        let (mut call, mut now) = talking(participants);
        let mut sequence = TALKED - 1;
        group.throughput(Throughput::Elements(u64::from(participants) - 1));
        group.bench_function(BenchmarkId::new("call of", participants), |bencher| {
            bencher.iter(|| {
                sequence = sequence.wrapping_add(1);
                now = now + Millis(20);
                let said = talk(&mut call, sequence, now);
                assert_eq!(said.distributed, participants as usize - 1, "everybody but the talker hears");
            });
        });
    }
}

/// A request in an idle call to the answer and all that everybody is told; the floor is given back outside the clock.
fn granting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("floor request to grant");
    for participants in [10, 1_000] {
        let mut call = silent(participants);
        let mut now = Time::ZERO;
        let ask: fn(&mut Call<SocketAddr>, Time) = |call, now| {
            call.handle(Input::Ask { slot: Slot(0), token: 7, action: Action::Request(0) }, now);
        };
        let message =
            message::Message::Request { priority: None, indicator: None, functional_alias: None, location: None };
        let packet = message::Packet { ssrc: Ssrc(1), acknowledge: false, message, track_info: None };
        let send = |call: &mut Call<SocketAddr>, now| call.handle(Input::Floor { slot: Slot(0), packet }, now);
        let by_api = BenchmarkId::new("by the API, call of", participants);
        let by_message = BenchmarkId::new("by floor message, call of", participants);
        group.bench_function(by_api, |bencher| {
            bencher.iter_custom(|iterations| {
                (0..iterations).map(|_| grant_once(&mut call, &mut now, participants, ask)).sum()
            });
        });
        group.bench_function(by_message, |bencher| {
            bencher.iter_custom(|iterations| {
                (0..iterations).map(|_| grant_once(&mut call, &mut now, participants, send)).sum()
            });
        });
    }
}

fn grant_once(
    call: &mut Call<SocketAddr>,
    now: &mut Time,
    participants: u32,
    request: impl Fn(&mut Call<SocketAddr>, Time),
) -> Duration {
    *now = *now + Millis(1_000);
    let start = Instant::now();
    request(call, *now);
    let said = drain(call);
    let spent = start.elapsed();
    // Floor Taken to everybody else; the holder hears Floor Granted, or the answer of the API.
    assert!(said.floor >= participants as usize - 1, "everybody is told: {said:?}");
    *now = *now + Millis(1_000);
    call.handle(Input::Ask { slot: Slot(0), token: 8, action: Action::Release }, *now);
    assert!(drain(call).floor >= participants as usize - 1, "everybody is told that nobody talks");
    spent
}

/// Entering a silent call, the roster's value included: what an owner pays for each of many.
fn entering_silent(criterion: &mut Criterion) {
    criterion.bench_function("enter and leave, silent call of 1000", |bencher| {
        let mut call = silent(1_000);
        let (slot, mut entry) = (Slot(1_000), 1_000);
        bencher.iter_batched(
            || call::participant(1_000),
            |who| {
                entry += 1;
                let said = enter(&mut call, slot, entry, who, Time::ZERO);
                assert_eq!(said.entered, 1, "it is in");
                call.handle(Input::Leave { slot }, Time::ZERO);
                drain(&mut call)
            },
            BatchSize::SmallInput,
        );
    });
}

/// Three seconds for each: there are many, and each is short.
fn config() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = config(); targets = entering, distributing, granting, entering_silent }
criterion_main!(benches);
