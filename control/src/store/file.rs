//! The file of the store: found, locked, made, checked and read.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition, TableError, TableHandle,
    backends::FileBackend,
};

use super::{FORMAT, Loaded, OpenError};

/// Rows as everybody writes them.
pub(super) type Rows = TableDefinition<'static, &'static str, &'static [u8]>;

/// What is true of the file itself.
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

const VERSION: &str = "format";
const NAME: &str = "carryover.redb";
const NEW: &str = "carryover.redb.new";

/// Pages kept in memory. Octets: rows are read once, at the start, and from then on only written.
const CACHE_OCTETS: usize = 64 << 20;

/// An open store and the lock of its directory, which is held until the store is closed.
pub(super) struct Opened {
    pub(super) database: Database,
    pub(super) lock: File,
    pub(super) rows: Vec<Loaded>,
}

/// Opens the store in `dir`, or makes an empty one.
pub(super) fn open(dir: &Path) -> Result<Opened, OpenError> {
    let place = Place { dir, file: dir.join(NAME) };
    let lock = place.lock()?;
    if !place.file.try_exists().map_err(|source| place.directory(source))? {
        place.create()?;
    } else if let Some(found) = place.version_unchanged()? {
        place.check(found)?;
    }
    let database = builder().open(&place.file).map_err(|error| place.refuse(error))?;
    place.check(version(&database).map_err(|error| place.refuse_storage(error))?)?;
    let rows = load(&database).map_err(|error| place.refuse_storage(error))?;
    Ok(Opened { database, lock, rows })
}

/// Everything but `meta`.
pub(super) fn load(database: &Database) -> Result<Vec<Loaded>, redb::Error> {
    let read = database.begin_read()?;
    let names: Vec<String> = read.list_tables()?.map(|table| table.name().to_owned()).collect();
    let mut rows = Vec::new();
    for table in names.into_iter().filter(|name| name != META.name()) {
        let definition: TableDefinition<'_, &str, &[u8]> = TableDefinition::new(&table);
        for row in read.open_table(definition)?.iter()? {
            let (key, value) = row?;
            let (key, value) = (key.value().to_owned(), value.value().to_owned());
            rows.push(Loaded { table: table.clone(), key, value });
        }
    }
    Ok(rows)
}

/// Marks an empty database as a store of this build.
pub(super) fn mark(database: &Database, version: u64) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    write.open_table(META)?.insert(VERSION, version)?;
    write.commit()?;
    Ok(())
}

/// `None`: it has no format, and is not a store of ours.
fn version(database: &impl ReadableDatabase) -> Result<Option<u64>, redb::Error> {
    match database.begin_read()?.open_table(META) {
        Ok(meta) => Ok(meta.get(VERSION)?.map(|version| version.value())),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_OCTETS);
    builder
}

/// Where the store is.
struct Place<'a> {
    dir: &'a Path,
    file: PathBuf,
}

impl Place<'_> {
    /// Makes the directory if it is missing, and takes it for this node. The lock is the directory's own, so that one that is
    /// refused holds nothing new.
    fn lock(&self) -> Result<File, OpenError> {
        let missing = self.dir.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists()).count();
        // What it holds names people: nobody else on this machine reads it.
        let made = DirBuilder::new().recursive(true).mode(0o700).create(self.dir);
        made.map_err(|source| self.directory(source))?;
        for above in self.dir.ancestors().skip(1).take(missing) {
            let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
            sync(above).map_err(|source| self.directory(source))?;
        }
        let lock = File::open(self.dir).map_err(|source| self.directory(source))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => Err(self.locked()),
            Err(TryLockError::Error(source)) => Err(self.directory(source)),
        }
    }

    /// Makes an empty store beside its place and moves it there, so that a crash in the middle leaves none rather than half of one.
    fn create(&self) -> Result<(), OpenError> {
        let new = self.dir.join(NEW);
        let made = self.fill(&new).and_then(|()| {
            fs::rename(&new, &self.file).and_then(|()| sync(self.dir)).map_err(|source| self.directory(source))
        });
        if made.is_err() {
            // It may not have come into being; the cause is what is told.
            _ = fs::remove_file(&new);
        }
        made
    }

    fn fill(&self, new: &Path) -> Result<(), OpenError> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(new);
        let backend = FileBackend::new(file.map_err(|source| self.directory(source))?);
        let backend = backend.map_err(|error| self.refuse(error))?;
        let database = builder().create_with_backend(backend).map_err(|error| self.refuse(error))?;
        mark(&database, FORMAT).map_err(|error| self.refuse_storage(error))?;
        database.close().map_err(|error| self.refuse(error))
    }

    /// The format, read without touching the file; `None`: it was not closed properly and can only be read after a repair, which
    /// keeps every row.
    fn version_unchanged(&self) -> Result<Option<Option<u64>>, OpenError> {
        match builder().open_read_only(&self.file) {
            Ok(database) => version(&database).map(Some).map_err(|error| self.refuse_storage(error)),
            Err(DatabaseError::RepairAborted) => Ok(None),
            Err(error) => Err(self.refuse(error)),
        }
    }

    fn check(&self, version: Option<u64>) -> Result<(), OpenError> {
        match version {
            Some(FORMAT) => Ok(()),
            Some(found) if found > FORMAT => Err(OpenError::Newer { file: self.file.clone(), found }),
            Some(_) | None => Err(self.damaged("it was not made by a node")),
        }
    }

    fn refuse(&self, error: DatabaseError) -> OpenError {
        match error {
            DatabaseError::DatabaseAlreadyOpen => self.locked(),
            error => self.refuse_storage(error.into()),
        }
    }

    fn refuse_storage(&self, error: redb::Error) -> OpenError {
        match error {
            redb::Error::Io(source) if source.kind() != io::ErrorKind::InvalidData => self.directory(source),
            redb::Error::Io(source) => self.damaged(source),
            error => self.damaged(error),
        }
    }

    fn directory(&self, source: io::Error) -> OpenError {
        OpenError::Directory { dir: self.dir.to_owned(), source }
    }

    fn locked(&self) -> OpenError {
        OpenError::Locked { dir: self.dir.to_owned() }
    }

    fn damaged(&self, reason: impl ToString) -> OpenError {
        OpenError::Damaged { file: self.file.clone(), reason: reason.to_string() }
    }
}

/// Makes the names in a directory durable.
fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
