use std::{
    io,
    sync::mpsc::{Receiver, Sender, channel},
};

use redb::StorageBackend;

use super::*;

/// After this a test has failed; none ever waits so long when it passes.
const PATIENCE: Duration = Duration::from_secs(10);

/// A disk that keeps, when the power goes, exactly what was there at the last sync; syncs can be held and fail.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<(Mutex<Platter>, Condvar)>);

#[derive(Debug, Default)]
struct Platter {
    now: Vec<u8>,
    durable: Vec<u8>,
    held: bool,
    syncing: bool,
    full: bool,
}

impl Disk {
    /// A disk as it is found after the power went.
    fn after_power_loss(&self) -> Disk {
        let durable = self.platter().durable.clone();
        let disk = Disk::default();
        *disk.platter() = Platter { now: durable.clone(), durable, ..Platter::default() };
        disk
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.0.lock().unwrap()
    }

    fn database(&self) -> Database {
        Database::builder().create_with_backend(self.clone()).unwrap()
    }

    fn store(&self) -> Redb {
        let database = self.database();
        file::mark(&database, 1).unwrap();
        Redb::start(database, None).unwrap()
    }

    fn hold(&self, held: bool) {
        self.platter().held = held;
        self.0.1.notify_all();
    }

    fn wait_for_sync(&self) {
        let waited = self.0.1.wait_timeout_while(self.platter(), PATIENCE, |platter| !platter.syncing).unwrap();
        assert!(!waited.1.timed_out(), "the writer never asked for a sync");
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.platter().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let from = offset as usize;
        let platter = self.platter();
        out.copy_from_slice(platter.now.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.platter().now.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.platter();
        platter.syncing = true;
        self.0.1.notify_all();
        // A test that failed while it held the disk ends too.
        platter = self.0.1.wait_timeout_while(platter, PATIENCE, |platter| platter.held).unwrap().0;
        platter.syncing = false;
        if platter.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        platter.durable = platter.now.clone();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let from = offset as usize;
        self.platter().now.get_mut(from..from + data.len()).unwrap().copy_from_slice(data);
        Ok(())
    }
}

fn put(table: &'static str, key: &str, value: &[u8]) -> Record {
    Record { table, key: key.into(), value: Some(value.into()) }
}

fn row(table: &str, key: &str, value: &[u8]) -> Loaded {
    Loaded { table: table.into(), key: key.into(), value: value.into() }
}

type Told = Result<(), WriteError>;

fn tell(to: &Sender<Told>) -> impl FnOnce(Told) + Send + 'static {
    let to = to.clone();
    // A test that has failed no longer listens.
    move |told| drop(to.send(told))
}

fn next<T>(told: &Receiver<T>) -> T {
    told.recv_timeout(PATIENCE).expect("somebody is told")
}

fn all<T>(told: &Receiver<T>, count: usize) -> Vec<T> {
    (0..count).map(|_| next(told)).collect()
}

#[test]
fn whoever_is_told_can_pull_the_plug() {
    let disk = Disk::default();
    let store = disk.store();
    for number in 0..50_u8 {
        let (tell, told) = channel();
        let at_that_moment = disk.clone();
        let records = vec![put("users", "ana", &[number]), put("affiliations", &number.to_string(), b"a")];
        store.write(records, move |result| tell.send((result, at_that_moment.after_power_loss())).unwrap());
        let (result, disk) = next(&told);
        assert_eq!(result, Ok(()));
        let rows = file::load(&disk.database()).unwrap();
        assert!(rows.contains(&row("users", "ana", &[number])), "{number}: {rows:?}");
        assert_eq!(rows.iter().filter(|row| row.table == "affiliations").count(), usize::from(number) + 1);
    }
}

#[test]
fn what_arrives_during_a_commit_shares_the_next_one_in_order() {
    let disk = Disk::default();
    let store = disk.store();
    let before = store.counters();
    let (told, tellings) = channel();
    disk.hold(true);
    store.write(vec![put("users", "ana", b"0")], tell(&told));
    disk.wait_for_sync();
    for number in 1..=100_u8 {
        store.write(vec![put("users", "ana", &[number]), put("users", "ben", &[number])], tell(&told));
    }
    store.write(vec![Record { table: "users", key: "ben".into(), value: None }], tell(&told));
    disk.hold(false);
    assert_eq!(all(&tellings, 102), vec![Ok(()); 102]);
    let now = store.counters();
    assert_eq!((now.commits - before.commits, now.records - before.records, now.longest_queue), (2, 202, 101));
    store.stop();
    assert_eq!(file::load(&disk.database()).unwrap(), [row("users", "ana", &[100])]);
}

#[test]
fn the_queue_has_room_for_its_limit_and_not_for_one_more() {
    let disk = Disk::default();
    let store = disk.store();
    let (told, tellings) = channel();
    disk.hold(true);
    store.write(vec![put("counters", "first", b"")], tell(&told));
    disk.wait_for_sync();
    for number in 0..WRITES_MAX {
        store.write(vec![put("counters", "n", &number.to_le_bytes())], tell(&told));
    }
    assert!(tellings.try_recv().is_err(), "nothing is told while the disk is busy, and nothing was refused");
    assert_eq!((store.counters().longest_queue, store.counters().refused), (WRITES_MAX, 0));
    store.write(vec![put("counters", "late", b"")], tell(&told));
    assert_eq!(tellings.try_recv(), Ok(Err(WriteError::Full)));
    assert_eq!(store.counters().refused, 1);
    disk.hold(false);
    assert!(all(&tellings, WRITES_MAX + 1).iter().all(Result::is_ok));
    store.write(vec![put("counters", "later", b"")], tell(&told));
    assert_eq!(next(&tellings), Ok(()), "there is room again");
}

#[test]
fn stopping_writes_what_waits() {
    let disk = Disk::default();
    let store = disk.store();
    let (told, tellings) = channel();
    disk.hold(true);
    store.write(vec![put("users", "ana", b"")], tell(&told));
    disk.wait_for_sync();
    store.write(vec![put("users", "ben", b"")], tell(&told));
    let stopped = thread::spawn(move || store.stop());
    disk.hold(false);
    stopped.join().unwrap();
    assert_eq!(tellings.try_iter().collect::<Vec<_>>(), [Ok(()), Ok(())]);
    let rows = file::load(&disk.after_power_loss().database()).unwrap();
    assert_eq!(rows, [row("users", "ana", b""), row("users", "ben", b"")]);
}

#[test]
fn a_disk_that_fails_once_is_not_written_to_again() {
    let disk = Disk::default();
    let store = disk.store();
    let (told, tellings) = channel();
    store.write(vec![put("users", "ana", b"")], tell(&told));
    assert_eq!(next(&tellings), Ok(()));
    disk.hold(true);
    store.write(vec![put("users", "ben", b"")], tell(&told));
    disk.wait_for_sync();
    store.write(vec![put("users", "eva", b"")], tell(&told));
    disk.platter().full = true;
    disk.hold(false);
    let failures = all(&tellings, 2);
    disk.platter().full = false;
    store.write(vec![put("users", "ida", b"")], tell(&told));
    for failure in failures.into_iter().chain([next(&tellings)]) {
        let error = failure.unwrap_err();
        assert!(matches!(error, WriteError::Failed(_)) && error.to_string().contains("free space"), "{error}");
    }
    assert_eq!((store.counters().failed, store.counters().commits), (3, 1));
    drop(store);
    let rows = file::load(&disk.after_power_loss().database()).unwrap();
    assert_eq!(rows, [row("users", "ana", b"")]);
}

#[test]
fn a_waiter_that_panics_leaves_nobody_waiting() {
    let disk = Disk::default();
    let store = disk.store();
    let (told, tellings) = channel();
    disk.hold(true);
    store.write(vec![put("users", "ana", b"")], |_| panic!("a waiter of the test"));
    disk.wait_for_sync();
    store.write(vec![put("users", "ben", b"")], tell(&told));
    disk.hold(false);
    let failed = Err(WriteError::Failed("its writer panicked".into()));
    assert_eq!(next(&tellings), failed);
    store.write(vec![], tell(&told));
    assert_eq!(next(&tellings), failed);
}

#[test]
fn the_last_owner_may_be_told_on_the_writers_thread() {
    let disk = Disk::default();
    let store = Arc::new(disk.store());
    let (told, tellings) = channel();
    let (own, (handed, last)) = (Arc::clone(&store), channel::<()>());
    store.write(vec![put("users", "ana", b"")], move |result| {
        last.recv().unwrap();
        drop(own);
        told.send(result).unwrap();
    });
    drop(store);
    handed.send(()).unwrap();
    assert_eq!(next(&tellings), Ok(()));
}

#[test]
fn only_company_is_waited_for_and_at_most_two_milliseconds() {
    let ms = Duration::from_millis;
    assert_eq!(linger(0, 1, ms(0)), None, "the first write goes at once");
    assert_eq!(linger(1, 1, ms(0)), None, "somebody who writes alone is not kept");
    assert_eq!(linger(3, 2, ms(1)), Some(ms(1)), "three came last time");
    assert_eq!(linger(3, 3, ms(1)), None, "all are here");
    assert_eq!(linger(3, 2, ms(2)), None);
    assert_eq!(linger(3, 2, ms(9)), None);
}

#[test]
#[should_panic(expected = "the table meta is the store's own")]
fn nobody_else_writes_meta() {
    Disk::default().store().write(vec![put("meta", "format", b"")], |_| ());
}
