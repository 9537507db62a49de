//! Models of the ways between workers: an owner that hands on, a part that does it, and control that waits for both.
//!
//! As in `loom.rs`: one property each, at most three threads, a bounded number of forced switches. The queue is the model's own.
#![cfg(loom)]

use std::{collections::VecDeque, sync::Arc};

use loom::{
    cell::UnsafeCell,
    model::Builder,
    sync::{Condvar, Mutex},
    thread,
};
use relay_table::{Bell, Chute, Feed, Fifo, Limits, Reader, Sleeper, bell, chute, table};

const PREEMPTIONS: usize = 2;

/// Packets that are said while the participant is there.
const PACKETS: u32 = 2;

fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.check(check);
}

/// A queue with room for `ROOM` items.
struct Queue<T>(Mutex<VecDeque<T>>);

const ROOM: usize = 2;

impl<T> Queue<T> {
    fn new() -> Self {
        Queue(Mutex::new(VecDeque::new()))
    }
}

impl<T> Fifo<T> for Queue<T> {
    fn push(&self, item: T) -> Result<(), T> {
        let mut items = self.0.lock().expect("no panic");
        if items.len() == ROOM {
            return Err(item);
        }
        items.push_back(item);
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        self.0.lock().expect("no panic").pop_front()
    }

    fn is_empty(&self) -> bool {
        self.0.lock().expect("no panic").is_empty()
    }
}

type Way<T> = (Feed<T, Queue<T>>, Chute<T, Queue<T>>);

fn way<T>(there: &Bell, here: &Bell) -> Way<T> {
    chute(Queue::new(), there.clone(), here.clone())
}

/// A wake that sticks, as an eventfd does.
#[derive(Clone)]
struct Wake(Arc<(Mutex<bool>, Condvar)>);

impl Wake {
    /// A bell, and who sleeps until it is rung.
    fn new() -> (Bell, Bed) {
        let wake = Wake(Arc::new((Mutex::new(false), Condvar::new())));
        let (bell, sleeper) = bell({
            let wake = wake.clone();
            move || {
                *wake.0.0.lock().expect("no panic") = true;
                wake.0.1.notify_one();
            }
        });
        (bell, Bed { wake, sleeper })
    }
}

struct Bed {
    wake: Wake,
    sleeper: Sleeper,
}

impl Bed {
    fn sleep_unless(&mut self, has_work: impl FnOnce() -> bool) {
        if !self.sleeper.prepare(has_work) {
            return;
        }
        let mut woken = self.wake.0.0.lock().expect("no panic");
        while !*woken {
            woken = self.wake.0.1.wait(woken).expect("no panic"); // a lost wake-up is a deadlock here, and loom reports it
        }
        *woken = false;
        drop(woken);
        self.sleeper.awake();
    }
}

/// What an owner hands on.
#[derive(Clone, Copy)]
enum Handed {
    Packet,
    Leave,
}

/// What was sent to a participant: loom checks that nobody sends while control, which was answered, looks.
struct Leg(UnsafeCell<u32>);

// SAFETY: the part alone writes, and control reads once it was answered; loom fails the model if that does not hold.
#[allow(unsafe_code)]
unsafe impl Sync for Leg {}

impl Leg {
    fn send(&self) {
        #[allow(unsafe_code)]
        // SAFETY: only the part's thread sends, and loom checks that nobody reads meanwhile.
        self.0.with_mut(|sent| unsafe { *sent += 1 });
    }

    fn sent(&self) -> u32 {
        #[allow(unsafe_code)]
        // SAFETY: called after the answer.
        self.0.with(|sent| unsafe { *sent })
    }
}

/// The part: sends packets to the one participant that it has, until it hears that it left.
fn part(mut theirs: Chute<Handed, Queue<Handed>>, mut say: Feed<u32, Queue<u32>>, mut bed: Bed, leg: &Leg) {
    loop {
        match theirs.take() {
            Some(Handed::Packet) => leg.send(),
            Some(Handed::Leave) => return say.keep(1),
            None => bed.sleep_unless(|| !theirs.is_empty()),
        }
    }
}

/// The owner: hands packets while its roster has the participant, then that it left; answers once the part has said so.
fn owner(
    mut reader: Reader<u32>,
    mut shares: Feed<Handed, Queue<Handed>>,
    mut said: Chute<u32, Queue<u32>>,
    mut bed: Bed,
) {
    let (mut told, mut packets) = (false, 0);
    while said.take().is_none() {
        while let Some(row) = reader.changed() {
            reader.look(row, |change| {
                if matches!(change, relay_table::Change::Left { .. }) {
                    told = true;
                    shares.keep(Handed::Leave);
                }
            });
        }
        if !told && packets < PACKETS {
            packets += 1;
            _ = shares.offer(Handed::Packet);
        }
        if !shares.flush() {
            thread::yield_now();
        }
        bed.sleep_unless(|| reader.any_changed() || !said.is_empty() || shares.waiting() > 0);
    }
}

/// Two publications may come between two looks; nobody sleeps over anything; once control is answered nothing is sent.
#[test]
fn nothing_is_sent_after_the_answer() {
    model(|| {
        let ((to_owner, owner_bed), (to_part, part_bed)) = (Wake::new(), Wake::new());
        let (shares, theirs) = way::<Handed>(&to_part, &to_owner);
        let (say, said) = way::<u32>(&to_owner, &to_part);
        let (table, mut readers) = table(Limits { rows: 1, log: 8 }, 1);
        let mut writer = table.open(0, 4).expect("an empty table has a row");
        let slot = writer.enter(1).expect("room").slot;
        writer.publish();
        let mut reader = readers.remove(0);
        while let Some(row) = reader.changed() {
            reader.look(row, |_| {});
        }
        let leg = Arc::new(Leg(UnsafeCell::new(0)));
        let parting = thread::spawn({
            let leg = Arc::clone(&leg);
            move || part(theirs, say, part_bed, &leg)
        });
        let controlling = thread::spawn(move || {
            writer.enter(2).expect("room");
            writer.publish();
            writer.leave(slot).expect("entered");
            writer.publish();
            to_owner.ring();
            writer
        });
        owner(reader, shares, said, owner_bed);
        // The answer: from here on nobody sends, whatever else still runs.
        assert!(leg.sent() <= PACKETS);
        drop(controlling.join());
        parting.join().expect("the part does not panic");
    });
}

/// What must not be lost arrives in its order, behind what had room before it, and what may be lost comes back or arrives.
#[test]
fn what_is_kept_arrives_in_order() {
    model(|| {
        let ((here, mut bed), (there, mut there_bed)) = (Wake::new(), Wake::new());
        let (mut feed, mut end) = way::<u32>(&there, &here);
        let taking = thread::spawn(move || {
            let mut taken = Vec::new();
            while taken.last() != Some(&9) {
                match end.take() {
                    Some(number) => taken.push(number),
                    None => there_bed.sleep_unless(|| !end.is_empty()),
                }
            }
            here.ring();
            taken
        });
        feed.keep(1);
        feed.keep(2);
        // There is room for two: this waits, unless one was taken meanwhile.
        feed.keep(3);
        let offered = feed.offer(4).is_ok();
        feed.keep(9);
        while !feed.flush() {
            thread::yield_now();
        }
        let taken = taking.join().expect("nobody panics");
        assert_eq!(taken, if offered { vec![1, 2, 3, 4, 9] } else { vec![1, 2, 3, 9] });
        bed.sleeper.awake();
    });
}

/// An item that nobody will take is dropped, whichever side comes last, and the sender is rung for.
#[test]
fn a_receiver_that_has_gone_holds_nobody_up() {
    model(|| {
        let ((here, mut bed), (there, _there_bed)) = (Wake::new(), Wake::new());
        let (mut feed, end) = way::<Arc<()>>(&there, &here);
        let ending = thread::spawn(move || drop(end));
        let item = Arc::new(());
        feed.keep(Arc::clone(&item));
        while !feed.is_closed() {
            bed.sleep_unless(|| feed.is_closed());
        }
        ending.join().expect("nobody panics");
        feed.keep(Arc::clone(&item));
        assert!(feed.flush());
        assert_eq!(Arc::strong_count(&item), 1, "nothing is kept for nobody");
    });
}
