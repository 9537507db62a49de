use std::{
    fs,
    sync::{Condvar, Mutex},
    time::Duration,
};

use serde_json::{Value, json};

use super::*;

fn refused_ticket(detail: &str) -> system::Audit {
    system::Audit {
        event: "ticket-refused",
        system: "b.example".into(),
        user: Some("sip:ana@a".into()),
        cause: Some("ticket-spent"),
        detail: detail.into(),
    }
}

fn at(ms: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(ms)
}

fn lines(dir: &Path) -> Vec<Value> {
    let text = fs::read_to_string(dir.join("audit.jsonl")).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A disk that takes nothing while it is held, and refuses lines that say so.
#[derive(Clone, Default)]
struct Slow(Arc<(Mutex<Gate>, Condvar)>);

#[derive(Default)]
struct Gate {
    held: bool,
    asked: bool,
    taken: usize,
}

impl Sink for Slow {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let mut gate = self.0.0.lock().unwrap();
        gate.asked = true;
        self.0.1.notify_all();
        while gate.held {
            gate = self.0.1.wait(gate).unwrap();
        }
        if line.windows(4).any(|part| part == b"full") {
            return Err(io::ErrorKind::StorageFull.into());
        }
        gate.taken += 1;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_decision_is_one_line_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let trail = Audit::open(dir.path()).unwrap();
    trail.append(&refused_ticket("line one\nand \"two\""), at(1_000));
    let partner = system::Audit { user: None, cause: None, ..refused_ticket("") };
    trail.append(&partner, at(1_234));
    trail.stop();
    let trail = Audit::open(dir.path()).unwrap();
    trail.append(&partner, at(5_000));
    trail.stop();
    let all = lines(dir.path());
    assert_eq!(
        all[0],
        json!({"at": "1970-01-01T00:00:01.000Z", "event": "ticket-refused", "system": "b.example",
               "user": "sip:ana@a", "cause": "ticket-spent", "detail": "line one\nand \"two\""})
    );
    assert_eq!((&all[1]["at"], &all[1]["user"]), (&json!("1970-01-01T00:00:01.234Z"), &Value::Null));
    assert_eq!((&all[2]["at"], all.len()), (&json!("1970-01-01T00:00:05.000Z"), 3));
}

#[test]
fn a_part_of_a_line_does_not_swallow_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("audit.jsonl");
    fs::write(&file, "{\"at\":\"197").unwrap();
    let trail = Audit::open(dir.path()).unwrap();
    trail.append(&refused_ticket("after the crash"), at(0));
    trail.stop();
    let text = fs::read_to_string(&file).unwrap();
    let (part, line) = text.split_once('\n').unwrap();
    assert_eq!(part, "{\"at\":\"197", "nothing that was there is touched");
    assert_eq!(serde_json::from_str::<Value>(line).unwrap()["detail"], "after the crash");
}

#[test]
fn the_queue_has_room_for_its_limit_and_nobody_ever_waits() {
    let disk = Slow::default();
    disk.0.0.lock().unwrap().held = true;
    let trail = Audit::start(disk.clone(), Arc::default()).unwrap();
    trail.append(&refused_ticket("first"), at(0));
    let mut gate = disk.0.0.lock().unwrap();
    while !gate.asked {
        gate = disk.0.1.wait(gate).unwrap();
    }
    drop(gate);
    for _ in 0..LINES_MAX {
        trail.append(&refused_ticket("waits"), at(0));
    }
    assert_eq!(trail.counters(), Counters::default());
    trail.append(&refused_ticket("one more"), at(0));
    assert_eq!(trail.counters(), Counters { dropped: 1, ..Counters::default() });
    disk.0.0.lock().unwrap().held = false;
    disk.0.1.notify_all();
    trail.stop();
    assert_eq!(disk.0.0.lock().unwrap().taken, LINES_MAX + 1);
}

#[test]
fn a_line_that_the_disk_refuses_is_counted_and_the_next_one_is_tried() {
    let disk = Slow::default();
    let trail = Audit::start(disk.clone(), Arc::default()).unwrap();
    for detail in ["full", "fits", "full", "fits"] {
        trail.append(&refused_ticket(detail), at(0));
    }
    let counts = Arc::clone(&trail.counts);
    trail.stop();
    assert_eq!((counts.written.load(Relaxed), counts.failed.load(Relaxed)), (2, 2));
    assert_eq!(disk.0.0.lock().unwrap().taken, 2);
}

#[test]
fn a_trail_that_cannot_be_opened_says_why() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("audit.jsonl")).unwrap();
    let error = Audit::open(dir.path()).map(|_| ()).unwrap_err();
    assert!(
        matches!(&error, OpenError::Directory { source, .. } if source.kind() == io::ErrorKind::IsADirectory),
        "{error}"
    );
}
