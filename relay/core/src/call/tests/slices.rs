//! An owner and its parts, with any delay between them: who hears what, who is told that it is over, and what is counted.

mod stage;

use alloc::vec;

use proptest::prelude::*;

pub(super) use stage::handed;
use stage::{MAIL_MAX, Sliced, Worker};

use super::*;
use crate::distributor::slice::{Handed, Slice};

#[derive(Clone, Debug)]
enum Step {
    Enter,
    Leave(usize),
    Replace(usize),
    Talk,
    Switch(usize),
    Own(usize),
    Part(usize, usize),
    Answer(usize),
    Tick,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Enter),
        2 => (0usize..12).prop_map(Step::Leave),
        2 => (0usize..12).prop_map(Step::Replace),
        12 => Just(Step::Talk),
        1 => (0usize..12).prop_map(Step::Switch),
        14 => (1usize..6).prop_map(Step::Own),
        16 => (0usize..3, 1usize..4).prop_map(|(part, max)| Step::Part(part, max)),
        6 => (0usize..3).prop_map(Step::Answer),
        2 => Just(Step::Tick),
    ]
}

impl Sliced {
    fn play(&mut self, step: &Step) {
        match *step {
            Step::Enter => _ = self.enter(),
            Step::Leave(which) => self.leave(which),
            Step::Replace(which) => self.replace(which),
            Step::Talk => self.talk(),
            Step::Switch(which) => self.switch(which),
            Step::Own(outputs) => _ = self.own(outputs),
            Step::Part(at, max) => _ = at < self.workers.len() && self.part(at, max),
            Step::Answer(at) => _ = at < self.workers.len() && self.answer(at),
            Step::Tick => self.tick(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever the delays: nothing is missing but what was counted as lost, nothing comes twice, late, or to whom it is
    /// from, and after an answer nothing comes to who has left, or to a leg that was replaced.
    #[test]
    fn everybody_hears_everything_once(steps in prop::collection::vec(step(), 1..300), parts in 1u8..4) {
        let mut sliced = Sliced::new(parts, 2);
        steps.iter().for_each(|step| sliced.play(step));
        sliced.finish();
        sliced.judge();
    }
}

/// A call in which everybody of `participants` is live and the first talks.
fn running(participants: u32, parts: u8, least: usize) -> Sliced {
    let mut sliced = Sliced::new(parts, least);
    (0..participants).for_each(|_| _ = sliced.enter());
    sliced.finish();
    sliced.talk();
    sliced.finish();
    sliced
}

fn sizes(sliced: &Sliced) -> Vec<usize> {
    (0..sliced.workers.len()).map(|part| sliced.call.part_size(Part(part as u8))).collect()
}

#[test]
fn a_small_call_stays_with_its_owner_and_a_large_one_is_shared_evenly() {
    let mut sliced = running(SLICE_MIN as u32, 2, SLICE_MIN);
    assert_eq!(sizes(&sliced), [0, 0]);
    assert_eq!(sliced.call.parts().count(), 0, "no other worker has heard of it");
    sliced.enter();
    sliced.finish();
    assert_eq!(sizes(&sliced), [1, 0]);
    (0..SLICE_MIN * 2 + 2).for_each(|_| _ = sliced.enter());
    sliced.finish();
    assert_eq!(sizes(&sliced), [SLICE_MIN + 1, SLICE_MIN + 1]);
    assert_eq!(sliced.call.distributor.len(), SLICE_MIN + 1);
    sliced.judge();
}

#[test]
fn what_does_not_fit_is_counted_for_whom_it_was_meant() {
    let mut sliced = running(12, 1, 2);
    assert_eq!(sizes(&sliced), [6]);
    // The talker's user is slots 0, 5 and 10; who of them is in the part is not meant.
    let place = |slot| sliced.call.seat(Slot(slot)).expect("it is here").place;
    let own = [0, 5, 10].into_iter().filter(|slot| place(*slot).is_some()).count();
    assert!((1..3).contains(&own), "{own}");
    for _ in 0..MAIL_MAX {
        sliced.talk();
        while sliced.own(1) {}
    }
    assert_eq!(sliced.call.counters().worker_full, 0, "so many fit");
    sliced.talk();
    while sliced.own(1) {}
    assert_eq!(sliced.call.counters().worker_full, 6 - own as u64, "and one more does not");
    sliced.finish();
    sliced.judge();
    let lost = |slot| sliced.call.participant(Slot(slot)).expect("it is here").lost;
    assert_eq!((0..12).map(lost).sum::<u64>(), 6 - own as u64);
}

/// Somebody in the part, with the packets that the part has not sent yet.
fn behind(sliced: &mut Sliced) -> usize {
    (0..3).for_each(|_| sliced.talk());
    while sliced.own(1) {}
    let place = |slot: u32| sliced.call.seat(Slot(slot)).expect("it is here").place;
    sliced.here().iter().position(|here| place(here.1).is_some()).expect("somebody is in the part")
}

#[test]
fn a_replaced_leg_is_answered_for_and_served_once_the_part_has_let_go_of_the_old_one() {
    let mut sliced = running(4, 1, 2);
    let which = behind(&mut sliced);
    sliced.replace(which);
    while sliced.own(1) {}
    let heard = sliced.lives[which].heard.clone();
    assert_eq!(sliced.replaced.len(), 1, "nobody was told that the old leg is silent");
    while sliced.part(0, 9) {}
    assert_eq!(sliced.lives[which].heard.len(), heard.len() + 3, "the part sends what it was handed before");
    assert_eq!(sliced.replaced.len(), 1);
    sliced.talk();
    while sliced.own(1) {}
    assert_eq!(sliced.lives[which].heard.len(), heard.len() + 3, "the owner waits");
    assert!(sliced.answer(0));
    while sliced.own(1) {}
    assert!(sliced.replaced.is_empty(), "now it was");
    assert_eq!(sliced.lives[which].heard.len(), heard.len() + 4);
    sliced.finish();
    sliced.judge();
}

#[test]
fn who_is_taken_out_of_a_part_was_sent_what_the_part_was_handed() {
    let mut sliced = running(4, 1, 2);
    let which = behind(&mut sliced);
    sliced.talk();
    // The part was not handed this one.
    let slot = sliced.here()[which].1;
    let points = sliced.call.take_out(Slot(slot), sliced.now);
    assert_eq!(points, [ResumePoint { ssrc: Ssrc(1000), sequence: 2 }]);
    assert_eq!(sliced.call.leaves(Part(0)), 1, "and the part may still send it");
    sliced.lives[which].here = false;
    sliced.finish();
    assert_eq!(sliced.lives[which].heard.last(), Some(&2));
}

#[test]
fn a_part_that_has_ended_is_replaced_by_the_owner() {
    let mut sliced = running(6, 2, 2);
    assert_eq!(sizes(&sliced), [2, 2]);
    sliced.talk();
    while sliced.own(1) {}
    while sliced.part(0, 9) || sliced.part(1, 9) {}
    sliced.call.handle(Input::Gone { part: Part(0) }, sliced.now);
    sliced.workers[0] = Worker { answered: u64::MAX, ..Worker::default() };
    (0..3).for_each(|_| sliced.talk());
    let slot = sliced.enter();
    sliced.finish();
    assert_eq!(sizes(&sliced)[0], 0, "and gets nobody any more");
    sliced.talk();
    sliced.finish();
    sliced.judge();
    assert_eq!(sliced.call.participant(Slot(slot)).map(|facts| facts.lost), Some(0));
    assert_eq!(sliced.call.counters().worker_full, 0);
}

#[test]
fn the_end_of_a_call_overtakes_what_waits() {
    let mut slice: Slice<u8, u8> = Slice::new();
    let enter = |slot| Handed::Enter { slot: Slot(slot), entry: 7, target: slot as u8, from: Order(0) };
    let packet = |epoch| Handed::Packet { order: Order(0), epoch: crate::distributor::SliceEpoch(epoch), packet: 9 };
    (0..2).for_each(|slot| slice.hand(enter(slot)));
    slice.hand(packet(2));
    assert_eq!(slice.step(1).map(|piece| piece.targets.to_vec()), Some(vec![1]));
    slice.hand(Handed::Leave { slot: Slot(0) });
    slice.hand(packet(3));
    assert_eq!((slice.packets(), slice.through(), slice.entry(Slot(1))), (2, 0, Some(7)));
    slice.hand(Handed::End { through: 3 });
    assert!(slice.step(9).is_none(), "nothing is sent any more");
    assert_eq!((slice.packets(), slice.through()), (0, 3), "everything is done that the end names");
    // The row's next call begins anew.
    slice.hand(enter(5));
    slice.hand(packet(1));
    assert_eq!(slice.step(9).map(|piece| piece.slots.to_vec()), Some(vec![Slot(5)]));
}
