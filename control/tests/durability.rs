//! The store and the audit trail of a process that is killed, or whose disk has no room. The processes are this test itself,
//! started again with a data directory in `CHILD`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::SystemTime,
};

use control::{
    audit::Audit,
    store::{OpenError, Redb, Store},
};
use control_core::system::{self, Record};
use rand::RngExt;

const CHILD: &str = "CARRYOVER_TEST_DIRECTORY";
const ROUNDS: usize = 20;
const COUNTERS: u64 = 8;
/// Writes of a child that wait at once.
const AHEAD: u64 = 64;

fn child_directory() -> Option<PathBuf> {
    env::var_os(CHILD).map(PathBuf::from)
}

fn child(test: &str, dir: &Path, mut command: Command) -> Child {
    command.args(["--exact", test, "--nocapture", "--test-threads", "1"]).env(CHILD, dir);
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// A line of its own, whatever the test harness writes around it.
fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "\n{line}")
}

/// Each counter with its value. Every write has two rows, which have to agree.
fn values(dir: &Path) -> BTreeMap<String, u64> {
    let (store, rows) = Redb::open(dir).unwrap();
    store.stop();
    let of = |table: &str| {
        let rows = rows.iter().filter(|row| row.table == table);
        rows.map(|row| (row.key.clone(), u64::from_le_bytes(row.value.as_slice().try_into().unwrap()))).collect()
    };
    let counters: BTreeMap<String, u64> = of("counters");
    assert_eq!(counters, of("identities"), "both rows of a write are there, or neither");
    counters
}

/// Counts on from what is stored, and says each number once it is told that it is stored. Ends only by being killed.
fn count(dir: &Path) -> ! {
    let (store, rows) = Redb::open(dir).unwrap();
    let mut number = rows.iter().map(|row| u64::from_le_bytes(row.value.as_slice().try_into().unwrap())).max();
    let (give, places) = std::sync::mpsc::channel();
    (0..AHEAD).for_each(|_| give.send(()).unwrap());
    loop {
        places.recv().unwrap();
        let next = number.map_or(0, |number| number + 1);
        number = Some(next);
        let (key, value) = ((next % COUNTERS).to_string(), Some(next.to_le_bytes().to_vec()));
        let record = |table| Record { table, key: key.clone(), value: value.clone() };
        let give = give.clone();
        store.write(vec![record("counters"), record("identities")], move |result| {
            // Nobody counts on after a failure, or when nobody listens any more.
            if result.is_err() || say(&format!("stored {next}")).is_err() || give.send(()).is_err() {
                std::process::exit(1);
            }
        });
    }
}

#[test]
fn what_was_acknowledged_survives_kill_nine() {
    if let Some(dir) = child_directory() {
        count(&dir);
    }
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeMap::new();
    let mut random = rand::rng();
    for round in 0..ROUNDS {
        // The first is killed while it makes its store.
        let until = if round == 0 { 0 } else { random.random_range(0..400) };
        let command = Command::new(env::current_exe().unwrap());
        let mut child = child("what_was_acknowledged_survives_kill_nine", dir.path(), command);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut told = 0;
        let mut hear = |line: &str| {
            if let Some(number) = line.strip_prefix("stored ") {
                let number: u64 = number.parse().unwrap();
                acknowledged.insert((number % COUNTERS).to_string(), number);
                told += 1;
            }
            told
        };
        while hear(&lines.next().unwrap()) < until {}
        if hear("") > 0 {
            let refused = Redb::open(dir.path()).map(|_| ()).unwrap_err();
            assert!(matches!(refused, OpenError::Locked { .. }), "{refused}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died was said.
        for line in lines {
            hear(&line);
        }
        let found = values(dir.path());
        for (counter, number) in &acknowledged {
            let stored = found.get(counter).copied();
            assert!(stored >= Some(*number), "round {round}: {number} was acknowledged, {counter} has {stored:?}");
        }
    }
    assert!(acknowledged.len() as u64 == COUNTERS, "only {acknowledged:?} was ever acknowledged");
}

/// A shell that gives the test no more than `blocks` of 512 or 1024 octets per file, and lets it live to see the error.
fn without_room(blocks: usize) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")])
        .arg(env::current_exe().unwrap());
    shell
}

#[test]
fn a_directory_without_room_is_refused_and_left_empty() {
    if let Some(dir) = child_directory() {
        let error = Redb::open(&dir).map(|_| ()).unwrap_err();
        say(&format!("refused: {error}")).unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let child = child("a_directory_without_room_is_refused_and_left_empty", dir.path(), without_room(1));
    let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let refused = said.lines().find(|line| line.starts_with("refused: ")).unwrap();
    assert!(refused.contains("data directory") && refused.contains("free space"), "{refused}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    assert_eq!(values(dir.path()), BTreeMap::new(), "with room it is taken");
}

#[test]
fn a_line_that_has_no_room_is_taken_back_whole() {
    let line = |detail| system::Audit {
        event: "migration-authorized",
        system: "b.example".into(),
        user: None,
        cause: None,
        detail,
    };
    if let Some(dir) = child_directory() {
        let trail = Audit::open(&dir).unwrap();
        (0..50).for_each(|number| trail.append(&line(format!("number {number}")), SystemTime::now()));
        trail.stop();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut child = child("a_line_that_has_no_room_is_taken_back_whole", dir.path(), without_room(1));
    assert!(child.wait().unwrap().success());
    let text = fs::read_to_string(dir.path().join("audit.jsonl")).unwrap();
    assert!(text.ends_with('\n') && (300..=1024).contains(&text.len()), "{} octets", text.len());
    for (number, line) in text.lines().enumerate() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["detail"], format!("number {number}"));
    }
}
