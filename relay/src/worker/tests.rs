//! A worker without its thread: the test is the thread, so what lies between two of its steps is no matter of luck.

mod slices;

use relay_core::{Slot, Ssrc, call::Action, late_entry::Facts, roster};
use relay_table::{Limits, Table, Writer, table};

use super::*;
use crate::{
    CallSettings, Config,
    mail::Opening,
    status::{Snapshot, StatusReader, StatusWords},
};

struct Stage {
    worker: Worker,
    table: Table<Participant>,
}

/// A call as control holds it.
struct Held {
    writer: Writer<Participant>,
    row: Row,
    status: StatusReader,
}

/// Whoever waits for an answer: reads the status row in the moment in which the answer wakes it.
struct Waiting {
    status: StatusReader,
    talker: std::sync::Mutex<Option<Slot>>,
}

impl std::task::Wake for Waiting {
    fn wake(self: Arc<Self>) {
        *self.talker.lock().expect("nobody panics here") = Snapshot::read(&self.status).talker;
    }
}

impl Stage {
    fn new() -> Stage {
        let config = Config { media: "127.0.0.1:0".parse().unwrap(), workers: 1, calls_max: 1 };
        let sockets = Sockets::open(&config, 0).expect("loopback is there");
        let (table, mut readers) = table(Limits { rows: 1, ..Limits::default() }, 1);
        let (bell, sleeper) = relay_table::bell(|| {});
        let post = Post { letterbox: Letterbox::new(bell), settling: Vec::new(), stopping: false };
        let calls = Calls::new(
            sockets,
            Clock::start(),
            Arc::default(),
            (mpsc::channel(1).0, Arc::new(crate::exchange::Exchange::new(Clock::start()))),
            ways::Ways::default(),
        );
        Stage { worker: Worker { reader: readers.remove(0), sleeper, post, calls }, table }
    }

    fn open(&self) -> Held {
        let writer = self.table.open(0, 10).expect("a row is free");
        let row = writer.row();
        let (status, reader) = StatusWords::new();
        self.post(opening(row, &CallSettings::default(), status));
        Held { writer, row, status: reader }
    }

    fn post(&self, mail: Mail) {
        self.worker.post.letterbox.post(mail).expect("there is room");
    }

    /// Publishes a participant, its letter first, as control does.
    fn enter(&self, call: &mut Held, number: u16) -> oneshot::Receiver<Facts> {
        let place = call.writer.enter(participant(number)).expect("there is room");
        let (reply, facts) = oneshot::channel();
        self.post(Mail::Expect { row: call.row, entry: place.entry, reply });
        call.writer.publish();
        facts
    }

    fn describe(&mut self, row: Row) -> Option<Facts> {
        let (reply, mut facts) = oneshot::channel();
        self.post(Mail::Describe { row, reply });
        self.worker.calls.tick();
        self.worker.attend();
        facts.try_recv().ok()
    }
}

/// What a worker is told of a call that begins.
fn opening(row: Row, settings: &CallSettings, status: StatusWords) -> Mail {
    let settings = settings.for_core();
    Mail::Open(Box::new(Opening {
        row,
        id: Arc::from("call"),
        settings,
        urgent: false,
        floor_ssrc: Ssrc(1),
        status,
        span: None,
        joined: None,
    }))
}

fn participant(number: u16) -> Participant {
    let leg = roster::Leg { rtp: ([127, 0, 0, 1], 40_000 + number).into(), floor: None };
    Participant::new(&format!("sip:{number}@a"), "radio", leg, Ssrc(100 + u32::from(number)))
}

#[test]
fn a_look_answers_everybody_whom_it_finds() {
    let mut stage = Stage::new();
    let mut call = stage.open();
    let mut first = stage.enter(&mut call, 0);
    stage.worker.post.take(&mut stage.worker.calls);
    assert_eq!(stage.worker.reader.changed(), Some(call.row));
    // Between the mail and the look somebody else enters.
    let mut second = stage.enter(&mut call, 1);
    stage.worker.look_at(call.row);
    assert!(first.try_recv().is_ok() && second.try_recv().is_ok(), "nobody waits for ever");
}

#[test]
fn a_call_that_ends_before_its_owner_has_read_of_it_leaves_nothing() {
    let mut stage = Stage::new();
    let call = stage.open();
    let row = call.row;
    drop(call);
    stage.worker.look_at(row);
    assert_eq!(stage.worker.calls.counters.calls.read(), 0);
    assert_eq!(stage.describe(row), None);
}

#[test]
fn whoever_waits_for_a_departure_is_answered_once_it_is_seen() {
    let mut stage = Stage::new();
    let mut call = stage.open();
    let facts = stage.enter(&mut call, 0);
    stage.worker.attend();
    drop(facts);
    assert_eq!(stage.worker.calls.counters.participants.read(), 1);
    call.writer.leave(0).expect("it is there");
    call.writer.publish();
    // The mark of the change is taken, the look is still to come: the letter alone has to bring it about.
    assert_eq!(stage.worker.reader.changed(), Some(call.row));
    let (reply, mut settled) = oneshot::channel();
    stage.post(Mail::Settle { row: call.row, reply });
    stage.worker.attend();
    assert_eq!(settled.try_recv(), Ok(()));
    assert_eq!(stage.worker.calls.counters.participants.read(), 0);
}

#[test]
fn the_age_of_the_floor_grows_while_nothing_happens() {
    let mut stage = Stage::new();
    let mut call = stage.open();
    _ = stage.enter(&mut call, 0);
    let first = stage.describe(call.row).expect("the call runs").floor.since;
    let begin = std::time::Instant::now();
    while stage.describe(call.row).expect("the call runs").floor.since == first {
        assert!(begin.elapsed() < std::time::Duration::from_secs(5), "it stands at {first:?}");
    }
}

#[test]
fn the_status_row_is_no_older_than_an_answer() {
    let mut stage = Stage::new();
    let mut call = stage.open();
    let _entering = [stage.enter(&mut call, 0), stage.enter(&mut call, 1)];
    stage.worker.attend();
    let (reply, mut answer) = oneshot::channel();
    stage.post(Mail::Ask { row: call.row, slot: Slot(1), entry: 2, action: Action::Request(0), reply });
    let waiting = Arc::new(Waiting { status: call.status, talker: std::sync::Mutex::default() });
    let waker = std::task::Waker::from(Arc::clone(&waiting));
    assert!(std::pin::pin!(&mut answer).poll(&mut std::task::Context::from_waker(&waker)).is_pending());
    stage.worker.attend();
    while stage.worker.calls.work() {}
    assert!(answer.try_recv().is_ok());
    assert_eq!(*waiting.talker.lock().expect("nobody panics here"), Some(Slot(1)));
}
