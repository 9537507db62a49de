//! What a call remembers, tells and keeps waiting at most, from both sides of each limit.

use super::{
    super::{
        backfill::HELD_MAX,
        trunks::SNAPSHOT_MAX,
        uplink::{NAMED_MAX, POINTS_MAX},
        work::OUTBOX_KEPT,
    },
    span::{Spanning, TRUNK},
    star::{HOME, Star},
    *,
};
use crate::{
    rtp::Sequence,
    trunk::{
        frame::{self, ID_OCTETS_MAX},
        wire::{self, frame::What},
    },
};

fn voice(user: &str, heard: Time) -> Voice {
    Voice::known(user.into(), Sequence(7), 0, 96, heard)
}

/// What one system writes when its trunk stands, or when it is asked.
fn frames(world: &World) -> impl Iterator<Item = &wire::Frame> {
    world.spanning.iter().filter_map(|said| match &said.1 {
        Spanning::Frame(frame) => Some(&**frame),
        _ => None,
    })
}

#[test]
fn a_subscription_names_the_newest_voices_up_to_the_limit() {
    for count in [POINTS_MAX as u32, POINTS_MAX as u32 + 1] {
        let mut star = Star::new(1, settings());
        let world = &mut star.systems[1];
        // The first one was heard last but one: the oldest has the highest SSRC.
        let voices = (0..count).map(|at| (Ssrc(1_000 + at), voice("sip:ana@a", self::at(10_000 - at))));
        world.call.voices = voices.collect();
        world.tell(Input::Trunk { from: TRUNK, what: FromTrunk::Up });
        let points = frames(world).find_map(|frame| match &frame.what {
            Some(What::Subscribe(subscribe)) => Some(subscribe.last.iter().map(|point| point.ssrc).collect::<Vec<_>>()),
            _ => None,
        });
        let expected: Vec<u32> = (1_000..1_000 + POINTS_MAX as u32).collect();
        assert_eq!(points, Some(expected), "of {count}");
    }
}

#[test]
fn a_snapshot_tells_of_the_newest_bursts_up_to_the_limit_and_fits_into_a_frame() {
    for count in [SNAPSHOT_MAX, SNAPSHOT_MAX + 1] {
        let mut star = Star::new(1, settings());
        let user: Arc<str> = "x".repeat(ID_OCTETS_MAX).into();
        let world = &mut star.systems[HOME];
        let burst = |at: usize| Burst {
            ssrc: Ssrc(at as u32),
            talker: user.clone(),
            began: Order(0),
            until: Order(0),
            last: Some(Sequence(frame::SEQUENCE_MAX - 1)),
            ended: Some(Time::ZERO),
        };
        world.call.bursts = (0..count).map(burst).collect();
        world.call.voices = (0..count).map(|at| (Ssrc(at as u32), voice(&user, Time::ZERO))).collect();
        let subscribe = wire::Subscribe { flow: 20, group: "fire".into(), ..wire::Subscribe::default() };
        world.tell(Input::Trunk { from: TrunkId(1), what: FromTrunk::Frame(What::Subscribe(subscribe)) });
        let answer = frames(world).next().expect("an answer");
        assert!(frame::bytes(answer).is_ok(), "a trunk takes it");
        let Some(What::Subscribed(subscribed)) = &answer.what else { panic!("{answer:?}") };
        let snapshot = subscribed.snapshot.as_ref().expect("a snapshot");
        assert_eq!((snapshot.voices.len(), snapshot.bursts.len()), (SNAPSHOT_MAX, SNAPSHOT_MAX), "of {count}");
        assert_eq!(snapshot.bursts.last().map(|burst| burst.ssrc as usize), Some(count - 1));
    }
}

#[test]
fn talkers_are_remembered_before_their_media_has_come_up_to_the_limit() {
    let mut star = Star::new(1, settings());
    let call = &mut star.systems[1].call;
    let name = |call: &mut Call<SocketAddr>, at: usize| {
        call.taken_elsewhere(&format!("sip:{at}@a"), Some(Ssrc(at as u32)));
    };
    let known = |call: &Call<SocketAddr>, at: usize| {
        call.uplink.as_ref().and_then(|uplink| uplink.user_of(Ssrc(at as u32))).map(|user| String::from(&*user))
    };
    (0..NAMED_MAX).for_each(|at| name(call, at));
    // Who talks again takes no second place.
    name(call, 1);
    assert_eq!(known(call, 0).as_deref(), Some("sip:0@a"));
    name(call, NAMED_MAX);
    assert_eq!((known(call, 0), known(call, 2).as_deref()), (None, Some("sip:2@a")));
    assert_eq!(known(call, NAMED_MAX), Some(format!("sip:{NAMED_MAX}@a")));
}

#[test]
fn live_packets_wait_for_a_backfill_up_to_the_limit_and_one_more_is_counted() {
    let mut star = Star::new(1, settings());
    let held = media::Drop::Held;
    star.systems[1].tell(Input::Trunk { from: TRUNK, what: FromTrunk::Up });
    let say = |star: &mut Star, sequence: usize| {
        let bytes = rtp_bytes(0x10, sequence as u16);
        let packet = rtp::Packet::parse(&bytes).expect("a packet");
        star.systems[1].tell(Input::Trunk { from: TRUNK, what: FromTrunk::Media(packet) });
    };
    (0..HELD_MAX).for_each(|sequence| say(&mut star, sequence));
    assert_eq!(star.dropped(1, held), 0);
    say(&mut star, HELD_MAX);
    assert_eq!(star.dropped(1, held), 1);
    let range = Range::new(7).wire();
    let answer = wire::Subscribed { flow: 20, home_flow: 10, generation: 1, range, snapshot: None, backfill: 0 };
    star.systems[1].tell(Input::Trunk { from: TRUNK, what: FromTrunk::Frame(What::Subscribed(answer)) });
    assert_eq!(star.systems[1].call.counters().from_trunk, HELD_MAX as u64, "whatever waited is given out");
    say(&mut star, HELD_MAX);
    assert_eq!((star.dropped(1, held), star.systems[1].call.counters().from_trunk), (1, HELD_MAX as u64 + 1));
}

#[test]
fn thousands_that_are_reminded_at_once_leave_no_memory_behind() {
    let reminded = |number: u32| {
        let mut world = World::new(settings());
        (0..number).for_each(|slot| world.enter(slot, participant("sip:x@a", 4000).named(slot)));
        let told = world.captured;
        world.run_until(at(150));
        assert_eq!(world.captured - told, number as usize, "everybody is told once more");
        world.call.outbox.capacity()
    };
    assert!((1..=OUTBOX_KEPT).contains(&reminded(8)), "a few always have room");
    assert!(reminded(4 * OUTBOX_KEPT as u32) <= OUTBOX_KEPT);
}
