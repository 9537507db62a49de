use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn retention(age_ms: u32, bytes: usize, packets: usize) -> Retention {
    Retention::new(Limits { age: Millis(age_ms), bytes, packets })
}

fn append(kept: &mut Retention, number: u64, length: usize, at_ms: u32) -> Order {
    let bytes: Vec<u8> = (0..length).map(|at| (number as u8).wrapping_add(at as u8)).collect();
    kept.append(&bytes, Ssrc(1), Sequence(number), Time::ZERO + Millis(at_ms))
}

#[test]
fn nothing_is_allocated_before_the_first_packet() {
    let mut kept = retention(1000, 4096, 16);
    assert_eq!((kept.ring.capacity(), kept.packets.capacity()), (0, 0));
    append(&mut kept, 0, 10, 0);
    assert_eq!(kept.ring.len(), 4096);
}

#[test]
fn memory_follows_what_is_kept_up_to_the_limit() {
    // AMR-WB 23.85 for a minute, under the default limits of a call.
    let mut kept = retention(10_000, 655_360, 2_000);
    let taken = |kept: &Retention| kept.ring.capacity() + kept.packets.capacity() * size_of::<Kept>();
    let mut most = 0;
    for number in 0..3_000 {
        append(&mut kept, number, 74, 20 * number as u32);
        most = most.max(taken(&kept));
    }
    assert_eq!(kept.end().0 - kept.oldest().0, 501, "ten seconds, both ends included");
    assert!(most <= 10 * 6 * 1024, "{most} bytes");
    // Bursts of large packets reach the limit, and no more.
    (3_000..4_000).for_each(|number| _ = append(&mut kept, number, 1_400, 60_000));
    assert_eq!(kept.ring.len(), 655_360);
    assert_eq!(kept.end().0 - kept.oldest().0, 655_360 / 1_400);
}

#[test]
fn age_lets_go_of_what_is_older_and_keeps_the_edge() {
    let mut kept = retention(1000, 4096, 16);
    append(&mut kept, 0, 10, 0);
    kept.expire(Time::ZERO + Millis(1000));
    assert_eq!(kept.oldest(), Order(0));
    kept.expire(Time::from_micros(1_000_001));
    assert_eq!((kept.oldest(), kept.end()), (Order(1), Order(1)));
}

#[test]
fn the_packet_limit_is_reached_and_one_more_drops_the_oldest() {
    let mut kept = retention(1000, 4096, 4);
    (0..4).for_each(|number| assert_eq!(append(&mut kept, number, 10, 0), Order(number)));
    assert_eq!(kept.oldest(), Order(0));
    append(&mut kept, 4, 10, 0);
    assert_eq!((kept.oldest(), kept.end()), (Order(1), Order(5)));
}

#[test]
fn the_byte_limit_is_reached_and_one_more_byte_drops_the_oldest() {
    let mut kept = retention(1000, 40, 100);
    (0..4).for_each(|number| _ = append(&mut kept, number, 10, 0));
    assert_eq!(kept.oldest(), Order(0));
    append(&mut kept, 4, 1, 0);
    assert_eq!(kept.oldest(), Order(1));
}

#[test]
fn a_packet_larger_than_the_ring_gets_a_number_and_no_place() {
    let mut kept = retention(1000, 40, 100);
    assert_eq!(append(&mut kept, 0, 41, 0), Order(0));
    assert_eq!(append(&mut kept, 1, 40, 0), Order(1));
    assert_eq!(kept.packet(Order(0)), None);
    assert_eq!(kept.packet(Order(1)).map(<[u8]>::len), Some(40));
}

proptest! {
    /// Whatever sizes come: every packet that is kept is kept whole, in order, and the limits hold.
    #[test]
    fn what_is_kept_is_kept_whole(sizes in prop::collection::vec(1usize..60, 1..300), bytes in 60usize..500, packets in 1usize..40) {
        let mut kept = retention(100_000, bytes, packets);
        for (number, size) in sizes.iter().enumerate() {
            let order = append(&mut kept, number as u64, *size, number as u32);
            prop_assert_eq!(order, Order(number as u64));
            prop_assert!(kept.packets.len() <= packets);
            prop_assert!(kept.packet(order).is_some());
            let mut held = 0;
            for (at, row) in kept.from(Order(0)) {
                let expected: Vec<u8> = (0..sizes[at.0 as usize]).map(|i| (at.0 as u8).wrapping_add(i as u8)).collect();
                prop_assert_eq!(kept.packet(at), Some(expected.as_slice()));
                prop_assert_eq!(row.sequence, Sequence(at.0));
                held += expected.len();
            }
            prop_assert!(held <= bytes);
        }
    }
}
