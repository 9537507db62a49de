//! What one partner may use up: each limit from both of its sides.

use super::*;

#[test]
fn frames_up_to_the_limit_pass_and_one_more_ends_the_trunk() {
    let mut link = ready();
    let floors = LIMITS.frames_per_s - 1;
    for _ in 0..floors {
        link.handle(input("b floor 1"), Time::ZERO);
    }
    assert_eq!((drain(&mut link), link.counters().unknown_flow), (Vec::<String>::new(), u64::from(floors)));
    link.handle(input("b floor 1"), Time::ZERO);
    assert_eq!(drain(&mut link), ["send goodbye flood", "lost", "close flood"]);
    assert_eq!(link.counters().flooded, 1);

    let mut link = ready();
    for number in 0..200 {
        let time = Time::ZERO + Millis(1000 / LIMITS.frames_per_s * number);
        link.handle(input("b floor 1"), time);
        wait(&mut link, time);
    }
    assert_eq!((link.state(), link.counters().flooded), (State::Ready, 0), "a steady stream at the limit passes");
}

#[test]
fn letters_up_to_the_limit_pass_and_one_more_ends_the_trunk() {
    let allowed = |link: &mut Link, at| link.allows_letter(Time::ZERO + Millis(at));
    let mut link = ready();
    for _ in 0..LIMITS.letters_per_s {
        assert!(allowed(&mut link, 0));
    }
    assert_eq!((drain(&mut link), link.state()), (Vec::<String>::new(), State::Ready));
    assert!(!allowed(&mut link, 0));
    assert_eq!(drain(&mut link), ["send goodbye flood", "lost", "close flood"]);
    assert!(!allowed(&mut link, 9000), "it was given up");
    let counters = link.counters();
    assert_eq!((counters.letters, counters.letters_flooded, counters.letters_late), (20, 1, 1));

    // They may come before the greeting, and a steady stream at the limit passes.
    let mut link = self::link();
    assert!(!allowed(&mut link, 0), "there is no connection");
    link.handle(Input::Up, Time::ZERO);
    assert!((0..200).all(|number| allowed(&mut link, 1000 / LIMITS.letters_per_s * number)));
    assert_eq!((link.state(), link.counters().letters_flooded), (State::Greeting, 0));
}

#[test]
fn calls_up_to_the_limit_are_subscribed_and_one_more_is_refused() {
    let mut link = ready();
    check_with(
        &mut link,
        "0 ms  b subscribe 7 fire     -> deliver subscribe 7 fire
         0 ms  b subscribe 8 water    -> deliver subscribe 8 water
         0 ms  b subscribe 9 air      -> send refused 9 limit-reached, overstepped Subscription limit-reached
         0 ms  a refused 7 x          -> send refused 7 x
         0 ms  b subscribe 9 air      -> deliver subscribe 9 air
         0 ms  b subscribe 10 earth   -> send refused 10 limit-reached, overstepped Subscription limit-reached
         0 ms  a subscribed 9 1, a ended 9 -> send subscribed 9 1, send ended 9
         0 ms  b subscribe 10 earth   -> deliver subscribe 10 earth
         0 ms  a subscribed 10 2, b unsubscribe 2 -> send subscribed 10 2, deliver unsubscribe 2
         0 ms  b subscribe 11 fire    -> deliver subscribe 11 fire",
    );
    assert_eq!((link.counters().calls_refused, link.subscriptions()), (2, 2));
}

#[test]
fn participants_up_to_the_limit_are_announced_and_one_more_is_expelled() {
    let mut link = ready();
    check_with(
        &mut link,
        "0 ms  b subscribe 7 fire, a subscribed 7 1   -> deliver subscribe 7 fire, send subscribed 7 1
         0 ms  b subscribe 8 water, a subscribed 8 2  -> deliver subscribe 8 water, send subscribed 8 2
         0 ms  b announce 1 5, b announce 2 5         -> deliver announce 1 5, deliver announce 2 5
         0 ms  b announce 1 6                         -> send expel 7 6 limit-reached, overstepped Participant limit-reached
         0 ms  b depart 1 6                           -> .
         0 ms  b depart 2 5, b announce 1 6           -> deliver depart 2 5, deliver announce 1 6
         0 ms  b announce 2 9                         -> send expel 8 9 limit-reached, overstepped Participant limit-reached
         0 ms  a expel 7 6 x, b announce 2 9          -> send expel 7 6 x, deliver announce 2 9
         0 ms  b announce 2 10, b unsubscribe 1       -> send expel 8 10 limit-reached, overstepped Participant limit-reached, deliver unsubscribe 1
         0 ms  b announce 2 10                        -> deliver announce 2 10",
    );
    let counters = link.counters();
    assert_eq!((counters.participants_refused, counters.unknown_reference, link.participants()), (3, 1, 2));
}

#[test]
fn new_limits_count_at_once_and_take_nothing_away() {
    let mut link = ready();
    check_with(
        &mut link,
        "0 ms  b subscribe 7 fire, a subscribed 7 1 -> deliver subscribe 7 fire, send subscribed 7 1",
    );
    link.limit(Limits { participants: 1, ..LIMITS });
    check_with(
        &mut link,
        "0 ms  b announce 1 5 -> deliver announce 1 5
         0 ms  b announce 1 6 -> send expel 7 6 limit-reached, overstepped Participant limit-reached",
    );
    link.limit(Limits { participants: 0, ..LIMITS });
    assert_eq!(link.participants(), 1);
    link.limit(Limits { participants: 2, ..LIMITS });
    check_with(&mut link, "0 ms  b announce 1 6 -> deliver announce 1 6");
}

#[test]
fn media_up_to_either_limit_passes_and_one_more_is_counted() {
    let mut link = ready();
    let passed =
        |link: &mut Link, octets, at| (0..30).filter(|_| link.allows_media(octets, Time::ZERO + Millis(at))).count();
    assert_eq!(passed(&mut link, 10, 0), 10, "packets");
    assert_eq!(passed(&mut link, 10, 99), 0);
    assert_eq!(passed(&mut link, 10, 100), 1, "a tenth of a second later one more");
    assert_eq!(passed(&mut link, 300, 60_000), 3, "octets");
    assert_eq!(passed(&mut link, 100, 60_000), 1, "what is left of them");
    assert!(!link.allows_media(usize::MAX, Time::ZERO + Millis(90_000)));
    assert_eq!((link.counters().media_allowed, link.counters().media_refused), (15, 136));
    link.handle(Input::Down, Time::ZERO + Millis(90_000));
    assert!(!link.allows_media(1, Time::ZERO + Millis(99_000)), "a trunk that is down carries nothing");
}
