//! Models: every order of steps that loom reaches, up to `PREEMPTIONS` forced switches of threads in one execution.
//!
//! A model holds one property and at most three threads. `Witness` in an entry lets loom check that what the writer put into a value
//! happens before the reader reads it. The collector of crossbeam-epoch is part of every table model, through its own loom
//! support; chunks and counts inside `std::sync::Arc` are trusted. A failed table model aborts the process, because the collector is
//! dropped while it panics: `-- --nocapture --test-threads 1` shows what failed first.
#![cfg(loom)]

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use loom::{
    cell::UnsafeCell,
    model::Builder,
    sync::{Condvar, Mutex},
    thread,
};
use relay_table::{Change, Epoch, Limits, Look, Reader, Row, Table, Words, WordsReader, Writer, bell, table, words};

/// Enough for every lost wake-up and torn read that we know of; without a bound the collector's own steps make the models endless.
const PREEMPTIONS: usize = 2;

fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.check(check);
}

/// A value whose reading loom checks against its writing.
struct Witness(UnsafeCell<u32>);

// SAFETY: it is written before it is shared, and afterwards only read; loom fails the model if that does not hold.
#[allow(unsafe_code)]
unsafe impl Sync for Witness {}

impl Witness {
    fn new(value: u32) -> Self {
        Witness(UnsafeCell::new(value))
    }

    fn read(&self) -> u32 {
        #[allow(unsafe_code)]
        // SAFETY: nobody writes a shared witness, see above.
        self.0.with(|value| unsafe { *value })
    }
}

/// What a reader was told: slot to entry number and value.
#[derive(Default, Debug, PartialEq, Eq, Clone)]
struct Told(BTreeMap<u32, (u64, u32)>);

impl Told {
    fn look(&mut self, reader: &mut Reader<Witness>, row: Row) -> Look {
        reader.look(row, |change| match change {
            Change::Left { slot, entry } => assert_eq!(self.0.remove(&slot).map(|(entry, _)| entry), Some(entry)),
            Change::Entered { slot, entry, value } => assert_eq!(self.0.insert(slot, (entry, value.read())), None),
            Change::Replaced { slot, entry, value } => {
                let old = self.0.insert(slot, (entry, value.read()));
                assert!(old.is_some_and(|(old, _)| old < entry));
            }
        })
    }

    fn values(&self) -> Vec<u32> {
        self.0.values().map(|(_, value)| *value).collect()
    }
}

fn one_row(log: u32) -> (Table<Witness>, Reader<Witness>, Writer<Witness>, Row) {
    let (table, mut readers) = table(Limits { rows: 1, log }, 1);
    let writer = table.open(0, 16).expect("an empty table has a row");
    let row = writer.row();
    (table, readers.remove(0), writer, row)
}

fn enter(writer: &mut Writer<Witness>, value: u32) -> u32 {
    writer.enter(Witness::new(value)).expect("room").slot
}

#[test]
fn a_look_sees_a_whole_publication_or_none() {
    model(|| {
        let (_table, mut reader, mut writer, row) = one_row(8);
        let writing = thread::spawn(move || {
            // Two chunks, so that half of it could be seen if a spine were shared.
            (0..5).for_each(|value| _ = enter(&mut writer, value));
            writer.publish();
            writer
        });
        let mut told = Told::default();
        let mut epoch = Epoch::default();
        for _ in 0..2 {
            let look = told.look(&mut reader, row);
            assert!(look.epoch >= epoch);
            epoch = look.epoch;
            let expected: &[u32] = if look.epoch == Epoch::default() { &[] } else { &[0, 1, 2, 3, 4] };
            assert_eq!(told.values(), expected);
        }
        drop(writing.join());
    });
}

fn two_publications(log: u32) {
    model(move || {
        let (_table, mut reader, mut writer, row) = one_row(log);
        enter(&mut writer, 10);
        enter(&mut writer, 11);
        writer.publish();
        let mut told = Told::default();
        told.look(&mut reader, row);
        let writing = thread::spawn(move || {
            writer.replace(0, Witness::new(20)).expect("entered");
            enter(&mut writer, 12);
            writer.publish();
            writer.leave(1).expect("entered");
            writer.leave(2).expect("entered");
            enter(&mut writer, 13);
            writer.publish();
            writer
        });
        for _ in 0..2 {
            let expected: &[(u32, (u64, u32))] = match told.look(&mut reader, row).epoch.number() {
                1 => &[(0, (1, 10)), (1, (2, 11))],
                2 => &[(0, (3, 20)), (1, (2, 11)), (2, (4, 12))],
                _ => &[(0, (3, 20)), (1, (5, 13))],
            };
            assert!(told.0.iter().map(|(slot, entry)| (*slot, *entry)).eq(expected.iter().copied()), "{told:?}");
        }
        drop(writing.join());
    });
}

#[test]
fn two_publications_give_the_net_change_by_the_log() {
    two_publications(8);
}

#[test]
fn two_publications_give_the_net_change_by_chunks() {
    two_publications(0);
}

#[test]
fn who_is_withdrawn_is_not_held_after_the_acknowledgement() {
    model(|| {
        let (_table, mut reader, mut writer, row) = one_row(8);
        // What the reader keeps, in a cell that loom watches: reading it without an order after the reader's last write fails.
        let held = Arc::new(Held(UnsafeCell::new(Told::default())));
        let reading = thread::spawn({
            let held = Arc::clone(&held);
            move || {
                for _ in 0..2 {
                    // Applied inside the look, as a worker does it, so the acknowledgement comes after.
                    reader.look(row, |change| held.apply(&change));
                }
                reader
            }
        });
        let slot = enter(&mut writer, 1);
        writer.publish();
        writer.leave(slot).expect("entered");
        let gone = writer.publish();
        if writer.acknowledged() >= gone {
            // Nothing will ever change what is held again, so this look at it is no race.
            assert!(held.is_empty(), "withdrawn, acknowledged and still held");
        }
        drop(reading.join());
    });
}

#[test]
fn an_acknowledgement_comes_after_what_the_look_did() {
    model(|| {
        let (_table, mut reader, mut writer, row) = one_row(8);
        let held = Arc::new(Held(UnsafeCell::new(Told::default())));
        let slot = enter(&mut writer, 1);
        writer.publish();
        reader.look(row, |change| held.apply(&change));
        let reading = thread::spawn({
            let held = Arc::clone(&held);
            move || {
                reader.look(row, |change| held.apply(&change));
                reader
            }
        });
        writer.leave(slot).expect("entered");
        let gone = writer.publish();
        if writer.acknowledged() >= gone {
            assert!(held.is_empty(), "withdrawn, acknowledged and still held");
        }
        drop(reading.join());
    });
}

struct Held(UnsafeCell<Told>);

// SAFETY: the reader's thread alone writes, and the writer's reads only after the acknowledgement; loom fails the model otherwise.
#[allow(unsafe_code)]
unsafe impl Sync for Held {}
// SAFETY: as above; what is inside is plain data.
#[allow(unsafe_code)]
unsafe impl Send for Held {}

impl Held {
    fn apply(&self, change: &Change<'_, Witness>) {
        self.0.with_mut(|told| {
            #[allow(unsafe_code)]
            // SAFETY: only the reader's thread calls this, and loom checks that nobody reads meanwhile.
            let told = unsafe { &mut *told };
            match change {
                Change::Left { slot, .. } => assert!(told.0.remove(slot).is_some()),
                Change::Entered { slot, entry, value } | Change::Replaced { slot, entry, value } => {
                    told.0.insert(*slot, (*entry, value.read()));
                }
            }
        });
    }

    fn is_empty(&self) -> bool {
        #[allow(unsafe_code)]
        // SAFETY: called after the acknowledgement of the last publication.
        self.0.with(|told| unsafe { &*told }.0.is_empty())
    }
}

#[test]
fn leave_and_enter_at_one_slot_is_another_entry() {
    model(|| {
        let (_table, mut reader, mut writer, row) = one_row(8);
        let slot = enter(&mut writer, 1);
        writer.publish();
        let mut told = Told::default();
        told.look(&mut reader, row);
        let writing = thread::spawn(move || {
            writer.leave(slot).expect("entered");
            writer.publish();
            assert_eq!(enter(&mut writer, 1), slot);
            writer.publish();
            writer
        });
        let mut changes = Vec::new();
        let epoch = reader
            .look(row, |change| match change {
                Change::Left { entry, .. } => changes.push(("left", entry)),
                Change::Entered { entry, .. } => changes.push(("entered", entry)),
                Change::Replaced { entry, .. } => changes.push(("replaced", entry)),
            })
            .epoch;
        let expected: &[(&str, u64)] = match epoch.number() {
            1 => &[],
            2 => &[("left", 1)],
            _ => &[("left", 1), ("entered", 2)],
        };
        assert_eq!(changes, expected);
        drop(writing.join());
    });
}

#[test]
fn a_row_is_used_again_only_after_its_reader_saw_it_close() {
    model(|| {
        let (table, mut reader, mut writer, row) = one_row(8);
        enter(&mut writer, 1);
        writer.publish();
        let writing = thread::spawn(move || {
            drop(writer);
            // One try: a reader that has not looked yet keeps the row, and that is right too.
            let mut again = table.open(0, 16).ok()?;
            enter(&mut again, 2);
            again.publish();
            Some((table, again))
        });
        let mut told = Told::default();
        let mut closes = 0;
        let mut looks = |told: &mut Told, reader: &mut Reader<Witness>| {
            while let Some(changed) = reader.changed() {
                assert_eq!(changed, row);
                let look = told.look(reader, row);
                closes += u32::from(look.closed);
                let expected: &[u32] = match look.epoch.number() {
                    1 => &[1],
                    2 => &[],
                    _ => &[2],
                };
                assert_eq!(told.values(), expected);
            }
            closes
        };
        looks(&mut told, &mut reader);
        let again = writing.join().expect("the writer does not panic");
        assert_eq!(looks(&mut told, &mut reader), 1, "each close is told once");
        assert_eq!(told.values(), if again.is_some() { &[2][..] } else { &[] });
    });
}

/// A wake that sticks, as an eventfd does.
#[derive(Clone)]
struct Wake(Arc<(Mutex<bool>, Condvar)>);

impl Wake {
    fn new() -> Self {
        Wake(Arc::new((Mutex::new(false), Condvar::new())))
    }

    fn wake(&self) {
        *self.0.0.lock().expect("no panic") = true;
        self.0.1.notify_one();
    }

    fn sleep(&self) {
        let mut woken = self.0.0.lock().expect("no panic");
        while !*woken {
            woken = self.0.1.wait(woken).expect("no panic"); // a lost wake-up is a deadlock here, and loom reports it
        }
        *woken = false;
    }
}

#[test]
fn no_ring_is_lost_with_a_queue() {
    model(|| {
        let wake = Wake::new();
        let (bell, mut sleeper) = bell({
            let wake = wake.clone();
            move || wake.wake()
        });
        let queue = Arc::new(Mutex::new(VecDeque::new()));
        let ringers: Vec<_> = (0..2)
            .map(|number| {
                let (bell, queue) = (bell.clone(), Arc::clone(&queue));
                thread::spawn(move || {
                    queue.lock().expect("no panic").push_back(number);
                    bell.ring();
                })
            })
            .collect();
        let mut got = 0;
        while got < 2 {
            if queue.lock().expect("no panic").pop_front().is_some() {
                got += 1;
            } else if sleeper.prepare(|| !queue.lock().expect("no panic").is_empty()) {
                wake.sleep();
                sleeper.awake();
            }
        }
        ringers.into_iter().for_each(|ringer| ringer.join().expect("a ringer does not panic"));
    });
}

#[test]
fn no_ring_is_lost_with_changed_rows() {
    model(|| {
        let wake = Wake::new();
        let (bell, mut sleeper) = bell({
            let wake = wake.clone();
            move || wake.wake()
        });
        let (_table, mut reader, mut writer, row) = one_row(8);
        let writing = thread::spawn(move || {
            enter(&mut writer, 1);
            writer.publish();
            bell.ring();
            writer
        });
        let mut told = Told::default();
        while told.0.is_empty() {
            if let Some(changed) = reader.changed() {
                assert_eq!(changed, row);
                told.look(&mut reader, changed);
            } else if sleeper.prepare(|| reader.any_changed()) {
                wake.sleep();
                sleeper.awake();
            }
        }
        drop(writing.join());
    });
}

fn check_words(reader: &WordsReader<2>, last: u64) -> u64 {
    let [first, second] = reader.read();
    assert_eq!(first, second, "a mix of two publications");
    assert!(first >= last, "older than before");
    first
}

#[test]
fn words_are_never_a_mix() {
    model(|| {
        let (mut writer, reader): (Words<2>, WordsReader<2>) = words();
        let writing = thread::spawn(move || (1..=3).for_each(|number| writer.publish([number; 2])));
        let first = check_words(&reader, 0);
        check_words(&reader, first);
        writing.join().expect("the writer does not panic");
        check_words(&reader, 3);
    });
}
