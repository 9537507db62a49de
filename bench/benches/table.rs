//! The roster table beside what else could hold who is in a call: read with every packet, written when somebody enters or leaves.
//! `cargo bench -p bench --bench table`.
//!
//! One call, 16 or 512 targets; every 64th packet finds one more that entered, or one fewer. The time is one packet's: reading all
//! targets, with its share of the changes. With 1 thread the same thread writes between two packets, and its writes are on
//! the clock. With 2 threads the writer has its own and makes its change while the reader reads; what is on the clock is the
//! reader's time alone, with whatever the writer costs it.

#[path = "table/contenders.rs"]
mod contenders;

use std::{
    hint::spin_loop,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use bench::raw;
use contenders::{Read, Write};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Packets between two changes.
const PACKETS_PER_CHANGE: u64 = 64;

fn newcomer() -> SocketAddr {
    SocketAddr::from(([127, 9, 9, 9], 4000))
}

/// Enters and leaves in turn.
fn change(writer: &mut impl Write, number: u64) {
    if number.is_multiple_of(2) { writer.enter(newcomer()) } else { writer.leave() }
}

/// Writes and reads by turns.
fn one_thread(writer: &mut impl Write, reader: &mut impl Read, changes: &mut u64, packets: u64) -> (Duration, u64) {
    let mut touched = 0;
    let start = Instant::now();
    for packet in 1..=packets {
        touched += reader.packet() as u64;
        if packet.is_multiple_of(PACKETS_PER_CHANGE) {
            change(writer, *changes);
            *changes += 1;
        }
    }
    (start.elapsed(), touched)
}

/// The writer follows the reader's count on a thread of its own, one change behind: with each 64 packets one change is made. While
/// the system keeps the writer from its core the clock stands; otherwise the reader would be measured alone.
fn two_threads(writer: &mut impl Write, reader: &mut impl Read, changes: &mut u64, packets: u64) -> (Duration, u64) {
    let (due, made) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut own = 0;
            while own < packets / PACKETS_PER_CHANGE {
                if due.load(Ordering::Acquire) == own {
                    spin_loop();
                    continue;
                }
                change(writer, *changes);
                (own, *changes) = (own + 1, *changes + 1);
                made.store(own, Ordering::Release);
            }
        });
        let (mut spent, mut touched, mut read) = (Duration::ZERO, 0, 0);
        while read < packets {
            let until = packets.min(read + PACKETS_PER_CHANGE);
            let start = Instant::now();
            while read < until {
                touched += reader.packet() as u64;
                read += 1;
            }
            spent += start.elapsed();
            while made.load(Ordering::Acquire) < due.load(Ordering::Relaxed) {
                spin_loop();
            }
            due.store(read / PACKETS_PER_CHANGE, Ordering::Release);
        }
        (spent, touched)
    })
}

/// Measures one contender, and that what it read is what was written.
fn contend<W: Write, R: Read>(criterion: &mut Criterion, name: &str, make: impl Fn(&[SocketAddr]) -> (W, R)) {
    for targets in [16, 512] {
        let addresses = raw::targets(targets, &[4000]);
        let mut group = criterion.benchmark_group(format!("read {targets} targets per packet"));
        group.throughput(Throughput::Elements(targets as u64));
        for (threads, run) in [(1, one_thread as Run<W, R>), (2, two_threads as Run<W, R>)] {
            let (mut writer, mut reader) = make(&addresses);
            let mut changes = 0;
            let (_, touched) = run(&mut writer, &mut reader, &mut changes, 3 * PACKETS_PER_CHANGE);
            assert_eq!(changes, 3, "the writer keeps pace");
            assert!(touched >= 3 * PACKETS_PER_CHANGE * targets as u64, "every packet reads all targets");
            group.bench_function(BenchmarkId::new(name, threads), |bencher| {
                bencher.iter_custom(|packets| {
                    let (spent, touched) = run(&mut writer, &mut reader, &mut changes, packets);
                    let least = packets * targets as u64;
                    assert!((least..=least + packets).contains(&touched), "every packet reads all targets");
                    spent
                });
            });
            let present = targets + (changes % 2) as usize;
            assert_eq!(reader.packet(), present, "after {changes} changes everybody is there");
        }
    }
}

type Run<W, R> = fn(&mut W, &mut R, &mut u64, u64) -> (Duration, u64);

fn tables(criterion: &mut Criterion) {
    contend(criterion, "relay-table", contenders::table);
    contend(criterion, "dashmap", contenders::dashmap);
    contend(criterion, "arc-swap", contenders::arc_swap);
    contend(criterion, "papaya", contenders::papaya);
    contend(criterion, "private copy by mail", contenders::private_copy);
}

/// Three seconds for each: there are many, and each is short.
fn config() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = config(); targets = tables }
criterion_main!(benches);
