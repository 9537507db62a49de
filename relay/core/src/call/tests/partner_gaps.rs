//! What a backfill lacks: who is told, and of which packets.

use super::{
    partner_backfill::{after, again, resume},
    span::Spanning,
    star::{HOME, Star, numbers},
    *,
};

const AT0: u16 = 4000;
const EVA: u16 = 7000;

/// What control was told of the partner's call.
fn missed(star: &Star) -> Vec<(u32, u64, u64)> {
    let gap = |noted: &(usize, Spanning)| match noted {
        (1, Spanning::Missed(ssrc, first, last)) => Some((ssrc.0, *first, *last)),
        _ => None,
    };
    star.noted.iter().filter_map(gap).collect()
}

/// Eva enters in the partner with a resume point in the media of `at0`, and is told what she missed of it.
fn enters(star: &mut Star, heard: u64) -> Option<(u64, u64)> {
    let who = resume(star, EVA, "sip:eva@a", &[(AT0.into(), heard)]);
    star.enter_as(1, 1, who);
    let facts = &star.systems[1].facts[&Slot(1)];
    facts.media.iter().find(|media| media.ssrc.0 == u32::from(AT0)).and_then(|media| media.missed)
}

/// Fifty packets came live, and of the next fifty these by a backfill.
fn filled(brought: &[core::ops::Range<u16>]) -> Star {
    let mut star = Star::talking(1);
    star.request(HOME, 0, 5);
    star.talk(HOME, 0, AT0.into(), 0..50);
    star.cut(1);
    again(star, brought, true)
}

#[test] //= DESIGN §7 test
fn a_hole_in_a_backfill_is_missed_by_whoever_stands_in_it() {
    for (heard, told, next) in [
        (58, None, 59),
        (59, Some((60, 64)), 65),
        (61, Some((62, 64)), 65),
        (63, Some((64, 64)), 65),
        (64, None, 65),
        (65, None, 66),
    ] {
        let mut star = filled(&[50..60, 65..100]);
        star.run(500);
        assert_eq!(missed(&star), [(AT0.into(), 60, 64)]);
        assert_eq!(enters(&mut star, heard), told, "heard {heard}");
        star.run(1_000);
        let mut expected = numbers(AT0.into(), next..60.max(next));
        expected.extend(numbers(AT0.into(), next.max(65)..101));
        assert_eq!(star.heard(1, EVA), expected, "heard {heard}");
    }
}

#[test]
fn a_hole_at_its_end_is_missed_too_and_what_came_behind_it_follows() {
    let mut star = filled(&[50..60, 60..70]);
    star.run(500);
    assert_eq!(missed(&star), [(AT0.into(), 70, 99)]);
    assert_eq!(enters(&mut star, 80), Some((81, 99)));
    star.run(1_000);
    assert_eq!(star.heard(1, EVA), numbers(AT0.into(), 100..101));
}

#[test]
fn what_the_home_never_had_is_no_gap_of_a_backfill() {
    let mut star = Star::talking(1);
    star.request(HOME, 0, 5);
    star.talk(HOME, 0, AT0.into(), 0..50);
    star.cut(1);
    star.talk(HOME, 0, AT0.into(), 50..60);
    star.talk(HOME, 0, AT0.into(), 65..100);
    star.connect(1);
    star.run(500);
    assert_eq!(missed(&star), []);
    assert_eq!(enters(&mut star, 59), None);
}

#[test]
fn who_enters_after_a_first_backfill_that_is_wholly_late_is_told_what_it_missed() {
    for talks_on in [false, true] {
        let mut star = after(100);
        if !talks_on {
            star.release(HOME, 0);
        }
        star.lines[1].late_backfill = Millis(5_000);
        star.connect(1);
        star.run(1_100);
        if talks_on {
            star.talk(HOME, 0, AT0.into(), 100..110);
        }
        assert_eq!(enters(&mut star, 29), Some((30, 99)), "talks on: {talks_on}");
        let facts = &star.systems[1].facts[&Slot(1)];
        assert_eq!(facts.media[0].resumed_from, talks_on.then_some(100));
    }
}

#[test]
fn who_entered_before_a_backfill_that_is_wholly_late_is_told_by_the_call() {
    // A point older than what the home said that it sends counts from there on.
    for (heard, first) in [(1_029, 1_030), (1_098, 1_099), (500, 1_000)] {
        let mut star = Star::new(1, settings());
        star.enter(HOME, 0, "sip:at0@a", AT0);
        star.enter(HOME, 1, "sip:ben@a", 4100);
        star.request(HOME, 0, 5);
        star.talk(HOME, 0, AT0.into(), 1_000..1_100);
        star.lines[1].late_backfill = Millis(5_000);
        star.connect(1);
        star.run(100);
        star.lines[1].range = star.systems[1].call.uplink.as_ref().and_then(Uplink::range);
        assert_eq!(enters(&mut star, heard), None, "nothing is known of it yet");
        star.run(1_100);
        assert_eq!(missed(&star), [(AT0.into(), first, 1_099)], "heard {heard}");
    }
    // Who has heard it to its end misses nothing.
    let mut star = after(100);
    star.lines[1].late_backfill = Millis(5_000);
    star.connect(1);
    star.run(100);
    star.lines[1].range = star.systems[1].call.uplink.as_ref().and_then(Uplink::range);
    assert_eq!(enters(&mut star, 99), None);
    star.run(1_100);
    assert_eq!(missed(&star), []);
}
