use std::{collections::BTreeMap, fs, sync::mpsc::channel};

use super::*;

fn write(store: &Redb, table: &'static str, key: &str, value: Option<&[u8]>) {
    let (tell, told) = channel();
    let record = Record { table, key: key.into(), value: value.map(Into::into) };
    store.write(vec![record], move |result| tell.send(result).unwrap());
    assert_eq!(told.recv(), Ok(Ok(())));
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

/// What opening says; it has to leave the directory as it was.
fn refusal(dir: &Path) -> OpenError {
    let before = files(dir);
    let error = Redb::open(dir).map(|_| ()).unwrap_err();
    assert!(files(dir) == before, "{error}, but the directory has changed: {:?}", files(dir).keys());
    error
}

fn store_of_format(dir: &Path, format: u64) {
    let database = redb::Database::create(dir.join("carryover.redb")).unwrap();
    file::mark(&database, format).unwrap();
}

#[test]
fn rows_come_back_and_what_was_deleted_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("missing").join("too");
    let (store, rows) = Redb::open(&data).unwrap();
    assert_eq!(rows, []);
    write(&store, "users", "sip:ana@a", Some(b"1"));
    write(&store, "users", "sip:ben@a", Some(b""));
    write(&store, "users", "sip:ana@a", Some(b"2"));
    write(&store, "groups", "fire", Some(b"x"));
    write(&store, "groups", "fire", None);
    write(&store, "partners", "never", None);
    store.stop();
    let (store, rows) = Redb::open(&data).unwrap();
    let row = |key: &str, value: &[u8]| Loaded { table: "users".into(), key: key.into(), value: value.into() };
    assert_eq!(rows, [row("sip:ana@a", b"2"), row("sip:ben@a", b"")]);
    store.stop();
    assert_eq!(files(&data).keys().collect::<Vec<_>>(), ["carryover.redb"]);
}

#[test]
fn a_directory_has_one_node() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Redb::open(dir.path()).unwrap();
    let error = refusal(dir.path());
    assert!(matches!(error, OpenError::Locked { .. }) && error.to_string().contains("another node"), "{error}");
    write(&store, "users", "ana", Some(b"1"));
    store.stop();
    assert_eq!(Redb::open(dir.path()).unwrap().1.len(), 1);
}

#[test]
fn a_directory_whose_store_is_just_being_made_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let maker = fs::File::open(dir.path()).unwrap();
    maker.try_lock().unwrap();
    assert!(matches!(refusal(dir.path()), OpenError::Locked { .. }));
}

#[test]
fn the_format_of_this_build_is_read_and_a_newer_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    store_of_format(dir.path(), FORMAT);
    Redb::open(dir.path()).unwrap().0.stop();
    store_of_format(dir.path(), FORMAT + 1);
    let error = refusal(dir.path());
    assert!(matches!(error, OpenError::Newer { found: 2, .. }), "{error}");
    assert!(error.to_string().contains("start the build that wrote it"), "{error}");
}

#[test]
fn what_is_no_store_of_ours_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("carryover.redb");
    for junk in [&b""[..], b"not a database", &[0; 8192]] {
        fs::write(&file, junk).unwrap();
        let error = refusal(dir.path());
        assert!(matches!(error, OpenError::Damaged { .. }) && error.to_string().contains("copy"), "{error}");
    }
    fs::remove_file(&file).unwrap();
    store_of_format(dir.path(), 0);
    assert!(matches!(refusal(dir.path()), OpenError::Damaged { .. }));
    fs::remove_file(&file).unwrap();
    drop(redb::Database::create(&file).unwrap());
    assert!(matches!(refusal(dir.path()), OpenError::Damaged { .. }), "a database without a format");
}

#[test]
fn a_store_whose_making_was_cut_short_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("carryover.redb.new"), [7; 5000]).unwrap();
    Redb::open(dir.path()).unwrap().0.stop();
    assert_eq!(files(dir.path()).keys().collect::<Vec<_>>(), ["carryover.redb"]);
}

#[test]
fn a_file_is_no_directory_and_nothing_goes_below_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"precious").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = Redb::open(&path).map(|_| ()).unwrap_err();
        let OpenError::Directory { dir, source } = &error else { panic!("{error}") };
        assert_eq!(dir, &path);
        let cannot = [io::ErrorKind::NotADirectory, io::ErrorKind::AlreadyExists];
        assert!(
            cannot.contains(&source.kind()) && error.to_string().ends_with("give a directory with --data"),
            "{error}"
        );
    }
    assert_eq!(files(dir.path()), BTreeMap::from([("file".into(), b"precious".to_vec())]));
}

#[test]
fn each_fault_of_a_directory_says_what_to_do() {
    use io::ErrorKind::{FileTooLarge, Other, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    for (kinds, what) in [
        (&[PermissionDenied, ReadOnlyFilesystem][..], "make it writable"),
        (&[StorageFull, QuotaExceeded, FileTooLarge], "free space"),
        (&[Other], "check its disk"),
    ] {
        for kind in kinds {
            let error = OpenError::Directory { dir: "/data".into(), source: (*kind).into() }.to_string();
            assert!(error.starts_with("data directory /data cannot be used: ") && error.contains(what), "{error}");
        }
    }
}
