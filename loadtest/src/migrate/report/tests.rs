use super::*;
use crate::migrate::{judge::Counts, plan::Driver, record::Phase};

const FIRE: &str = "fire";

fn row(late_ms: f64, lost: usize, broken: Vec<Break>) -> Row {
    let splice = Splice {
        to: System::B,
        interruption_ms: Some(late_ms * 10.0),
        late_ms: Some(late_ms),
        lost,
        resumed: 5,
        floor_right: lost == 0,
    };
    let counts = Counts { heard: 100, lost, ..Counts::default() };
    Row { group: FIRE, moves: true, verdict: Verdict { name: "mover-0".into(), counts, splices: vec![splice], broken } }
}

fn journey(ms: f64, cause: Option<&str>) -> Journey {
    Journey {
        user: 0,
        to: System::B,
        driver: Driver::System,
        total_ms: 2.0 * ms,
        phases: vec![Phase { phase: "P6".into(), ms, result: cause.unwrap_or("ok").into() }],
        rolled_back: cause.is_some(),
        cause: cause.map(Into::into),
    }
}

fn report(late_ms: f64, samples: usize) -> Report {
    // A commit takes 0.5 ms: one round trip and one commit 2.
    let samples_of = |ms: f64| vec![ms; samples];
    let pairs = Pairs {
        late_ms: samples_of(late_ms),
        asked_ms: samples_of(3.0),
        stored_ms: samples_of(0.75),
        bare_ms: samples_of(0.25),
    };
    Report::new(1, vec![journey(4.0, None)], vec![row(1.0, 0, Vec::new())], &pairs, Vec::new())
}

#[test]
fn values_spread_by_rank() {
    let spread = Spread::of((1..=100).rev().map(f64::from));
    assert_eq!((spread.count, spread.p50, spread.p95, spread.max), (100, Some(51.0), Some(96.0), Some(100.0)));
    assert_eq!(Spread::of([].into_iter()), Spread::default());
    assert_eq!(Spread::of([7.0].into_iter()).p99, Some(7.0));
}

#[test]
fn the_late_entry_part_is_held_against_its_promise_once_there_are_enough_samples() {
    assert_eq!(report(6.0, SAMPLES_MIN).broken, 0, "three times is kept");
    let slow = report(6.1, SAMPLES_MIN);
    assert_eq!((slow.broken, slow.others[0].promise), (1, Promise::AtOnce));
    assert_eq!(report(6.1, SAMPLES_MIN - 1).broken, 0, "too few say nothing");
    assert!(slow.table().contains("20 times: p50 6.10 p95 6.10 p99 6.10 max 6.10 ms; ÷ that: 3.05"));
}

#[test]
fn what_was_broken_is_counted_and_shown() {
    let lost = Break::new(Promise::Complete, "3 promised packets came in neither system");
    let rows = vec![row(1.0, 3, vec![lost]), row(1.0, 0, Vec::new())];
    let seen = Break::new(Promise::SeenLeaving, "A still lists participant 7");
    let journeys = vec![journey(4.0, None), journey(8.0, Some("ticket-spent"))];
    let report = Report::new(1, journeys, rows, &Pairs::default(), vec![seen]);
    assert_eq!(report.broken, 2);
    let row = &report.groups[0];
    assert_eq!((row.entries, row.lost, row.resumed, row.floor_wrong), (2, 3, 10, 1));
    let table = report.table();
    for words in ["mover-0 in fire: Complete: 3", "A still lists", "2 moves, 1 rolled back, 1 failed", "BROKEN 2 times"]
    {
        assert!(table.contains(words), "no {words} in\n{table}");
    }
    let phase = report.phases.iter().find(|row| row.phase == "P6").unwrap();
    assert_eq!((phase.ms.count, phase.ms.max, phase.failed), (2, Some(8.0), 1));
}
