//! Two nodes as processes of their own, and users that move between them in running calls: nothing is missing, twice, changed or
//! their own, and the floor is right at every entry.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use loadtest::migrate::{
    nodes::{Nodes, find},
    plan::{Options, Plan, System},
    play::play,
};
use relay_core::Millis;

const USERS: usize = 6;

#[test]
fn six_users_move_there_and_back_and_there_again_and_miss_nothing() {
    let seed = 20;
    let options = Options { seed, users: USERS, rounds: 2, per_second: 10, stay: Millis(1500) };
    let plan = Plan::new(options).unwrap();
    let mut nodes = Nodes::start(&find(None).unwrap()).unwrap();
    let report = play(&mut nodes, &plan).unwrap();
    assert_eq!(
        report.broken,
        0,
        "`loadtest run migrate --seed {seed} --users {USERS} --rounds 2`:\n{}",
        report.table()
    );

    // What was judged is enough to prove something.
    assert_eq!(report.journeys.len(), 3 * USERS);
    let kinds: BTreeSet<_> = report.journeys.iter().map(|journey| (journey.to, journey.driver)).collect();
    assert_eq!(kinds.len(), 4, "both ways, each driven by the client and by the system: {kinds:?}");
    for row in &report.groups {
        let expected = if row.to == System::B { 2 * USERS } else { USERS };
        assert_eq!(
            (row.entries, row.interruption_ms.count, row.late_ms.count),
            (expected, expected, expected),
            "{row:?}"
        );
    }
    assert_eq!(report.groups.len(), 6, "three groups, both ways");
    let gates = ["P1", "P4", "P6", "P7", "P8"];
    for gate in gates {
        let row = report.phases.iter().find(|row| row.to == System::B && row.phase == gate);
        assert_eq!(row.map(|row| row.ms.count), Some(2 * USERS), "{gate}");
    }
    // 4.5 s of speech at least, 50 packets per second.
    let movers: Vec<_> = report.participants.iter().filter(|row| row.moves).collect();
    assert_eq!(movers.len(), 3 * USERS);
    assert!(movers.iter().all(|row| row.verdict.counts.heard > 225), "{}", report.table());
}
