//! Random edits, publications and looks against a plain map; the limits, from both sides.
#![cfg(not(loom))]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use relay_table::{CHUNK, Change, Full, Limit, Limits, NoSuchEntry, Place, Reader, Row, Table, Walk, Writer, table};

/// Slot to entry number, origin (the number that entered before any replacement) and value.
type Entries = BTreeMap<u32, (u64, u64, u32)>;

#[derive(Clone, Debug)]
enum Step {
    Enter(u32),
    EnterMany(u16),
    Replace(u16, u32),
    Leave(u16),
    Publish,
    Look,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<u32>().prop_map(Step::Enter),
        1 => (1..400_u16).prop_map(Step::EnterMany),
        4 => (any::<u16>(), any::<u32>()).prop_map(|(which, value)| Step::Replace(which, value)),
        6 => any::<u16>().prop_map(Step::Leave),
        5 => Just(Step::Publish),
        3 => Just(Step::Look),
        1 => Just(Step::Reopen),
    ]
}

/// One row beside its model: what the writer edited, what it published, and what the reader was told.
struct Pair {
    table: Table<u32>,
    reader: Reader<u32>,
    writer: Option<Writer<u32>>,
    edited: Entries,
    published: Entries,
    told: Entries,
    newest_entry: u64,
    newest_epoch: u64,
    walks: BTreeSet<&'static str>,
}

impl Pair {
    fn new(log: u32) -> Self {
        let (table, mut readers) = table(Limits { rows: 1, log }, 1);
        let writer = Some(table.open(0, 5_000).expect("an empty table has a row"));
        let reader = readers.remove(0);
        let (edited, published, told) = Default::default();
        Pair {
            table,
            reader,
            writer,
            edited,
            published,
            told,
            newest_entry: 0,
            newest_epoch: 0,
            walks: BTreeSet::new(),
        }
    }

    fn writer(&mut self) -> &mut Writer<u32> {
        self.writer.as_mut().expect("the row is open")
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Enter(value) => self.enter(value),
            Step::EnterMany(count) => (0..u32::from(count)).for_each(|value| self.enter(value)),
            Step::Replace(which, value) => self.replace(which, value),
            Step::Leave(which) => self.leave(which),
            Step::Publish => {
                let epoch = self.writer().publish().number();
                assert!(epoch >= self.newest_epoch);
                self.newest_epoch = epoch;
                self.published = self.edited.clone();
            }
            Step::Look => self.look(false),
            Step::Reopen => self.reopen(),
        }
        let writer = self.writer.as_ref().expect("the row is open");
        assert!(writer.entries().map(|(place, value)| (place.slot, place.entry, *value)).eq(bare(&self.edited)));
        assert_eq!(writer.len() as usize, self.edited.len());
    }

    fn enter(&mut self, value: u32) {
        if self.edited.len() == 5_000 {
            return;
        }
        let Place { slot, entry } = self.writer().enter(value).expect("below the limit");
        assert!(entry > self.newest_entry, "entry {entry} after {}", self.newest_entry);
        self.newest_entry = entry;
        assert_eq!(
            slot,
            (0..).find(|slot| !self.edited.contains_key(slot)).expect("a u32 is free"),
            "the lowest free slot"
        );
        self.edited.insert(slot, (entry, entry, value));
    }

    fn replace(&mut self, which: u16, value: u32) {
        let slot = self.pick(which);
        let Some(&(_, origin, _)) = self.edited.get(&slot) else {
            assert_eq!(self.writer().replace(slot, value), Err(NoSuchEntry { slot }));
            return;
        };
        let place = self.writer().replace(slot, value).expect("somebody is there");
        assert_eq!(place.slot, slot);
        assert!(place.entry > self.newest_entry);
        self.newest_entry = place.entry;
        self.edited.insert(slot, (place.entry, origin, value));
    }

    fn leave(&mut self, which: u16) {
        let slot = self.pick(which);
        let expected = self.edited.remove(&slot).map(|(entry, _, _)| entry).ok_or(NoSuchEntry { slot });
        assert_eq!(self.writer().leave(slot), expected);
    }

    /// Mostly a slot that somebody has, now and then one past the last.
    fn pick(&self, which: u16) -> u32 {
        u32::from(which) % (self.edited.last_key_value().map_or(0, |(slot, _)| slot + 1) + 1)
    }

    fn look(&mut self, closed: bool) {
        let row = self.writer.as_ref().map_or_else(|| self.reader.changed().expect("the row closed"), Writer::row);
        let (before, target) = (self.told.clone(), self.published.clone());
        let told = &mut self.told;
        let (mut seen, mut present) = (BTreeSet::new(), false);
        let look = self.reader.look(row, |change| match change {
            Change::Left { slot, entry } => {
                assert!(!present, "who left is told before the others");
                assert_eq!(told.remove(&slot).map(|(entry, _, _)| entry), Some(entry));
                let stays = target.get(&slot).is_some_and(|new| new.1 == before[&slot].1);
                assert!(!stays, "slot {slot} was replaced, it did not leave");
            }
            Change::Entered { slot, entry, value } => {
                present = true;
                assert!(seen.insert(slot) && told.insert(slot, (entry, target[&slot].1, *value)).is_none());
            }
            Change::Replaced { slot, entry, value } => {
                present = true;
                let old = told.insert(slot, (entry, target[&slot].1, *value)).expect("a replaced entry was there");
                assert!(seen.insert(slot) && old.0 < entry && old.1 == target[&slot].1);
            }
        });
        assert_eq!(self.told, self.published, "after the look the reader knows what is published");
        assert_eq!((look.epoch.number(), look.closed), (self.newest_epoch, closed));
        let held = self.reader.entries(row).map(|(place, value)| (place.slot, place.entry, *value));
        assert!(held.eq(bare(&self.published)));
        self.walks.insert(match look.walked {
            Walk::Log => "log",
            Walk::Chunks => "chunks",
            Walk::Nothing => "nothing",
        });
        if let Some(writer) = &self.writer {
            assert_eq!(writer.acknowledged(), look.epoch);
        }
    }

    fn reopen(&mut self) {
        let (index, acknowledged) = (self.writer().row(), self.writer().acknowledged().number());
        self.writer = None;
        self.edited.clear();
        self.published.clear();
        self.newest_epoch += 1;
        assert!(acknowledged < self.newest_epoch);
        assert_eq!(self.table.open(0, 5_000).err(), Some(Full { limit: Limit::Rows, most: 1 }), "nobody saw it close");
        self.look(true);
        while self.reader.changed().is_some() {}
        self.writer = Some(self.table.open(0, 5_000).expect("the reader saw it close"));
        assert_eq!(self.writer().row(), index);
    }
}

fn bare(entries: &Entries) -> impl Iterator<Item = (u32, u64, u32)> {
    entries.iter().map(|(slot, (entry, _, value))| (*slot, *entry, *value))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_look_tells_the_net_difference(log in prop_oneof![Just(0_u32), 1..8_u32, Just(1_024)], steps in prop::collection::vec(step(), 1..120)) {
        let mut pair = Pair::new(log);
        steps.into_iter().for_each(|step| pair.run(step));
        pair.run(Step::Publish);
        pair.run(Step::Look);
        if log == 0 {
            prop_assert!(!pair.walks.contains("log"), "without a log only chunks are compared");
        }
    }
}

fn one_row(log: u32, entries_max: u32) -> (Table<u32>, Reader<u32>, Writer<u32>, Row) {
    let (table, mut readers) = table(Limits { rows: 1, log }, 1);
    let writer = table.open(0, entries_max).expect("an empty table has a row");
    let row = writer.row();
    (table, readers.remove(0), writer, row)
}

#[test]
fn the_log_serves_up_to_its_limit_and_chunks_beyond() {
    for (edits, walked) in [(3, Walk::Log), (4, Walk::Log), (5, Walk::Chunks)] {
        let (_table, mut reader, mut writer, row) = one_row(4, 100);
        writer.enter(0).expect("room");
        writer.publish();
        assert_eq!(reader.look(row, |_| {}).walked, Walk::Log);
        for value in 0..edits {
            writer.enter(value).expect("room");
            writer.publish();
        }
        let mut told = 0;
        assert_eq!(reader.look(row, |_| told += 1).walked, walked, "{edits} edits");
        assert_eq!(told, edits);
        assert_eq!(reader.look(row, |_| unreachable!("nothing is new")).walked, Walk::Nothing);
    }
}

#[test]
fn an_acknowledged_change_makes_room_in_the_log() {
    let (_table, mut reader, mut writer, row) = one_row(2, 1_000);
    for value in 0..100 {
        writer.enter(value).expect("room");
        writer.publish();
        assert_eq!(reader.look(row, |_| {}).walked, Walk::Log);
    }
}

#[test]
fn entries_are_limited() {
    let (_table, _reader, mut writer, _) = one_row(8, 3);
    for value in 0..3 {
        assert_eq!(writer.enter(value).map(|place| place.slot), Ok(value));
    }
    assert_eq!(writer.enter(3), Err(Full { limit: Limit::Entries, most: 3 }));
    assert_eq!(writer.leave(1), Ok(2));
    assert_eq!(writer.enter(4), Ok(Place { slot: 1, entry: 4 }), "the refused enter took no number");
}

#[test]
fn rows_are_limited_per_reader() {
    let (table, mut readers) = table::<u32>(Limits { rows: 2, log: 8 }, 2);
    let first = table.open(0, 1).expect("free");
    let _second = table.open(0, 1).expect("free");
    assert_eq!(table.open(0, 1).err(), Some(Full { limit: Limit::Rows, most: 2 }));
    assert!(table.open(1, 1).is_ok(), "the other reader has its own rows");
    let row = first.row();
    drop(first);
    assert_eq!(table.open(0, 1).err(), Some(Full { limit: Limit::Rows, most: 2 }), "closed, and not yet seen closed");
    assert_eq!(readers[0].changed(), Some(row));
    assert!(readers[0].look(row, |_| {}).closed);
    assert_eq!(table.open(0, 1).map(|writer| writer.row()).ok(), Some(row));
}

#[test]
fn every_changed_row_is_named_once_and_none_starves() {
    let rows = 64 * 64 + 70;
    let (table, mut readers) = table::<u32>(Limits { rows, log: 8 }, 1);
    let mut writers: Vec<_> = (0..rows).map(|_| table.open(0, 1).expect("free")).collect();
    assert!(!readers[0].any_changed() && readers[0].changed().is_none());
    for writer in writers.iter_mut().step_by(3) {
        writer.enter(7).expect("room");
        writer.publish();
    }
    let mut named = BTreeSet::new();
    let mut turns = 0;
    while let Some(row) = readers[0].changed() {
        assert!(named.insert(row), "{row:?} twice");
        // A low row changes again all the time and must not keep the others waiting.
        turns += 1;
        if turns <= 2 * rows {
            let first = &mut writers[1];
            first.replace(0, 1).or_else(|_| first.enter(1).map_err(|_| NoSuchEntry { slot: 0 })).expect("either works");
            first.publish();
            named.remove(&first.row());
        } else if turns == 2 * rows + 1 {
            assert!(named.len() >= rows as usize / 3, "the others were served meanwhile");
        }
    }
    assert!(!readers[0].any_changed());
    let expected: BTreeSet<_> = writers.iter().step_by(3).map(Writer::row).collect();
    assert!(named.is_superset(&expected));
    assert!(named.len() <= expected.len() + 1);
}

#[test]
fn an_edit_costs_one_chunk() {
    let (_table, mut reader, mut writer, row) = one_row(0, 10_000);
    for value in 0..8 * CHUNK as u32 {
        writer.enter(value).expect("room");
    }
    writer.publish();
    reader.look(row, |_| {});
    let before: Vec<*const u32> = reader.entries(row).map(|(_, value)| std::ptr::from_ref(value)).collect();
    writer.replace(3 * CHUNK as u32 + 1, 77).expect("entered");
    writer.publish();
    let mut told = Vec::new();
    reader.look(row, |change| {
        if let Change::Replaced { slot, value, .. } = change {
            told.push((slot, *value));
        }
    });
    assert_eq!(told, [(3 * CHUNK as u32 + 1, 77)]);
    let moved = reader.entries(row).zip(before).filter(|((_, value), before)| !std::ptr::eq(*value, *before)).count();
    assert_eq!(moved, 1, "every other value stays where it is");
}

#[test]
#[should_panic(expected = "belongs to reader 0")]
fn a_row_of_another_reader_is_our_bug() {
    let (table, mut readers) = table::<u32>(Limits::default(), 2);
    let row = table.open(0, 1).expect("free").row();
    readers[1].look(row, |_| {});
}
