use alloc::{collections::BTreeMap, vec::Vec};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Enter,
    Leave(usize),
    Offer(Option<usize>),
    Chunk(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Enter),
        2 => (0usize..64).prop_map(Step::Leave),
        3 => proptest::option::of(0usize..64).prop_map(Step::Offer),
        8 => (1usize..5).prop_map(Step::Chunk),
    ]
}

/// What must have happened, kept beside the distributor.
#[derive(Default)]
struct Model {
    serial: u64,
    offered: u64,
    own: BTreeMap<u64, Vec<Slot>>,
    /// Slot → (serial, first order, what it got).
    here: BTreeMap<u32, (u64, u64, Vec<u64>)>,
    /// First order not given, first order, what it got.
    gone: Vec<(Slot, u64, u64, Vec<u64>)>,
}

impl Model {
    fn take(&mut self, order: Order, slots: &[Slot], targets: &[u64]) {
        for (slot, target) in slots.iter().zip(targets) {
            let here = self.here.get_mut(&slot.0).expect("a packet goes to nobody who left");
            assert_eq!(here.0, *target, "a reused slot is not served for its predecessor");
            here.2.push(order.0);
        }
    }

    fn expected(&self, slot: Slot, from: u64, until: u64) -> Vec<u64> {
        (from..until).filter(|order| !self.own[order].contains(&slot)).collect()
    }
}

fn run(distributor: &mut Distributor<u64>, model: &mut Model, max: usize) -> bool {
    if distributor.at_beginning() {
        let order = distributor.next_order().expect("a packet is offered");
        let own = model.own[&order.0].clone();
        distributor.begin(&own);
    }
    match distributor.step(max) {
        Some((order, _, places)) => {
            assert!(places.len() <= max);
            let (targets, slots) = distributor.targets(places);
            model.take(order, slots, targets);
            true
        }
        None => distributor.next_order().is_some(),
    }
}

proptest! {
    /// Everybody gets exactly the packets from entering to leaving, once each and in order, but never its own.
    #[test]
    fn nobody_loses_or_doubles_a_packet(steps in prop::collection::vec(step(), 1..200)) {
        let mut distributor = Distributor::new();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Enter => {
                    let slot = (0..).find(|slot| !model.here.contains_key(slot)).expect("a free slot");
                    model.serial += 1;
                    distributor.enter(Slot(slot), model.serial, Order(model.offered));
                    model.here.insert(slot, (model.serial, model.offered, Vec::new()));
                }
                Step::Leave(which) => {
                    let Some(slot) = model.here.keys().copied().nth(which) else { continue };
                    let next = distributor.leave(Slot(slot)).expect("it was served").0.min(model.offered);
                    let (_, from, got) = model.here.remove(&slot).expect("it is here");
                    model.gone.push((Slot(slot), next, from, got));
                }
                Step::Offer(who) => {
                    let own = who.and_then(|who| model.here.keys().copied().nth(who)).map(Slot);
                    model.own.insert(model.offered, own.into_iter().collect());
                    distributor.offer(Order(model.offered));
                    model.offered += 1;
                }
                Step::Chunk(max) => _ = run(&mut distributor, &mut model, max),
            }
        }
        while run(&mut distributor, &mut model, 3) {}
        for (slot, (_, from, got)) in &model.here {
            prop_assert_eq!(got, &model.expected(Slot(*slot), *from, model.offered));
        }
        for (slot, next, from, got) in &model.gone {
            // Its own packet in flight counts as given: it never gets that one.
            prop_assert_eq!(got, &model.expected(*slot, *from, *next));
        }
        prop_assert_eq!(distributor.len(), model.here.len());
    }
}

#[test]
fn the_first_place_moves_on_with_every_packet() {
    let mut distributor = Distributor::new();
    (0..4).for_each(|slot| distributor.enter(Slot(slot), slot, Order(0)));
    let mut firsts = Vec::new();
    for order in 0..4 {
        distributor.offer(Order(order));
        distributor.begin(&[]);
        let (_, _, place) = distributor.step(1).expect("four targets");
        firsts.push(distributor.targets(place).1[0]);
        while distributor.step(9).is_some() {}
    }
    firsts.sort();
    assert_eq!(firsts, [Slot(0), Slot(1), Slot(2), Slot(3)]);
}

#[test]
fn a_packet_carries_the_epoch_under_which_it_began() {
    let mut distributor = Distributor::new();
    (0..4).for_each(|slot| distributor.enter(Slot(slot), slot, Order(0)));
    let mut epochs = Vec::new();
    for order in 0..3 {
        distributor.offer(Order(order));
        distributor.begin(&[]);
        let (_, began, _) = distributor.step(1).expect("there is somebody");
        // A departure and a splice between two chunks belong to the next packet.
        distributor.leave(Slot(order as u32));
        distributor.enter(Slot(order as u32), 9, Order(order + 1));
        while let Some((_, epoch, _)) = distributor.step(1) {
            assert_eq!(epoch, began);
        }
        epochs.push(began.0);
    }
    assert_eq!(epochs, [4, 6, 8]);
    assert_eq!(distributor.leave(Slot(77)), None, "who is not served changes nothing");
}
