//! Real threads: a bounded storm of publications against a reader, ringers against a sleeper, and words.
#![cfg(not(loom))]

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use relay_table::{Change, Limits, Row, bell, table, words};

const ROUNDS: u64 = 20_000;

/// Every publication holds pairs: `value` and `value + 1` enter and leave together. A reader that sees one alone saw half of one.
#[test]
fn a_storm_of_publications_is_always_seen_whole() {
    let (table, mut readers) = table::<u64>(Limits { rows: 2, log: 16 }, 1);
    let mut reader = readers.remove(0);
    let (wake, woken) = mpsc::sync_channel::<()>(1);
    let (bell, mut sleeper) = bell(move || _ = wake.try_send(()));
    let writing = thread::spawn(move || {
        for round in 0..8 {
            let mut writer = loop {
                match table.open(0, 1_000) {
                    Ok(writer) => break writer,
                    Err(_) => thread::yield_now(), // the reader has yet to see the last close
                }
            };
            let mut pairs = Vec::new();
            for step in 0..ROUNDS / 8 {
                if step % 3 == 2 {
                    let (one, two) = pairs.swap_remove(step as usize % pairs.len());
                    writer.leave(one).expect("entered");
                    writer.leave(two).expect("entered");
                } else if pairs.len() < 400 {
                    let value = (round * ROUNDS + step) * 2;
                    pairs.push((writer.enter(value).expect("room").slot, writer.enter(value + 1).expect("room").slot));
                }
                writer.publish();
                bell.ring();
            }
            drop(writer);
            bell.ring();
        }
    });
    let mut rows: BTreeMap<Row, BTreeMap<u32, (u64, u64)>> = BTreeMap::new();
    let (mut closes, mut looks) = (0, 0);
    while closes < 8 {
        let Some(row) = reader.changed() else {
            if sleeper.prepare(|| reader.any_changed()) {
                woken.recv().expect("the bell outlives the sleep");
                sleeper.awake();
            }
            continue;
        };
        let held = rows.entry(row).or_default();
        let look = reader.look(row, |change| match change {
            Change::Left { slot, entry } => assert_eq!(held.remove(&slot).map(|(entry, _)| entry), Some(entry)),
            Change::Entered { slot, entry, value } => assert_eq!(held.insert(slot, (entry, *value)), None),
            Change::Replaced { slot, .. } => unreachable!("slot {slot}: nobody replaces"),
        });
        looks += 1;
        let mut values: Vec<u64> = held.values().map(|(_, value)| *value).collect();
        values.sort_unstable();
        assert!(
            values.chunks(2).all(|pair| pair.len() == 2 && pair[0] % 2 == 0 && pair[1] == pair[0] + 1),
            "half of a publication"
        );
        closes += usize::from(look.closed);
        assert!(!look.closed || held.is_empty(), "a row closed with entries");
    }
    writing.join().expect("the writer does not panic");
    assert!(looks >= 8);
}

#[test]
fn values_are_dropped_once_and_only_when_gone() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let (table, mut readers) = table(Limits { rows: 1, log: 4 }, 1);
    let mut writer = table.open(0, 600).expect("free");
    for _ in 0..600 {
        writer.enter(Counted(Arc::clone(&drops))).expect("room");
    }
    let row = writer.row();
    writer.publish();
    readers[0].look(row, |_| {});
    for slot in 0..300 {
        writer.leave(slot).expect("entered");
    }
    assert_eq!(drops.load(Ordering::Relaxed), 0, "the reader still holds them");
    writer.publish();
    readers[0].look(row, |_| {});
    assert!(drops.load(Ordering::Relaxed) <= 300);
    drop((writer, readers, table));
    // Deferred by the collector: it runs as threads pin, and other tests of this process may hold it up for a while.
    let mut turns = 0_u64;
    while drops.load(Ordering::Relaxed) < 600 {
        crossbeam_epoch::pin().flush();
        thread::yield_now();
        turns += 1;
        assert!(turns < 10_000_000, "{} of 600 were dropped", drops.load(Ordering::Relaxed));
    }
    assert_eq!(drops.load(Ordering::Relaxed), 600);
}

#[test]
fn no_ring_is_lost() {
    const RINGERS: usize = 3;
    let (wake, woken) = mpsc::sync_channel::<()>(1);
    let (bell, mut sleeper) = bell(move || _ = wake.try_send(()));
    let work = Arc::new(AtomicUsize::new(0));
    let start = Arc::new(Barrier::new(RINGERS));
    let ringers: Vec<_> = (0..RINGERS)
        .map(|_| {
            let (bell, work, start) = (bell.clone(), Arc::clone(&work), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                for _ in 0..ROUNDS {
                    work.fetch_add(1, Ordering::Relaxed);
                    bell.ring();
                }
            })
        })
        .collect();
    let mut done = 0;
    while done < RINGERS * ROUNDS as usize {
        if sleeper.prepare(|| work.load(Ordering::Relaxed) != done) {
            woken.recv().expect("the bell outlives the sleep"); // a lost ring hangs here
            sleeper.awake();
        }
        done = work.load(Ordering::Relaxed);
    }
    ringers.into_iter().for_each(|ringer| ringer.join().expect("a ringer does not panic"));
}

#[test]
fn words_are_never_a_mix() {
    let (mut writer, reader) = words::<5>();
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let reader = reader.clone();
            thread::spawn(move || {
                let mut last = 0;
                while last < ROUNDS {
                    let words = reader.read();
                    assert!(words.iter().all(|word| *word == words[0]), "{words:?}");
                    assert!(words[0] >= last, "older than before");
                    last = words[0];
                }
            })
        })
        .collect();
    for round in 1..=ROUNDS {
        writer.publish([round; 5]);
    }
    readers.into_iter().for_each(|reader| reader.join().expect("a reader does not panic"));
}
