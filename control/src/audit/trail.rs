//! The files of the trail: one that grows, and numbered ones that it was before, 1 the newest.
//!
//! A line is in exactly one of them, whatever fails: a file is renamed only to a name that nothing has, and what cannot be renamed
//! goes on growing.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use super::{Counts, Sink};

/// `audit.file_bytes`: what a file may hold; a line that would exceed it begins the next one.
pub const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// `audit.files`: files that are kept beside the one that grows. The oldest makes room, counted in `Counters::removed`.
pub const FILES_MAX: usize = 15;

const NAME: &str = "audit.jsonl";

pub(super) struct Trail {
    dir: PathBuf,
    file: File,
    bytes_max: usize,
    counts: Arc<Counts>,
    /// When the file has grown to this, another one begins. Further away if that failed: lines do not wait for the next attempt.
    turn_at: u64,
}

impl Trail {
    /// Goes on behind the last line.
    pub(super) fn open(dir: &Path, bytes_max: usize, counts: Arc<Counts>) -> io::Result<Trail> {
        let file = end_last_line(writable(&dir.join(NAME))?)?;
        Ok(Trail { dir: dir.to_owned(), file, bytes_max, counts, turn_at: bytes_max as u64 })
    }

    fn numbered(&self, number: usize) -> PathBuf {
        self.dir.join(format!("{NAME}.{number}"))
    }

    /// Begins the next file.
    fn turn(&mut self) -> io::Result<()> {
        // What stands in this one is durable before anything says that it is done with.
        self.file.sync_data()?;
        let fresh = self.dir.join(format!("{NAME}.new"));
        let next = writable(&fresh)?;
        let mut free = FILES_MAX;
        for number in 1..=FILES_MAX {
            if !self.numbered(number).try_exists()? {
                free = number;
                break;
            }
        }
        let oldest = self.numbered(free);
        if oldest.try_exists()? {
            fs::remove_file(&oldest)?;
            self.counts.removed.fetch_add(1, Relaxed);
            tracing::warn!(
                "{} removed: audit.files is full at {FILES_MAX}; copy such files elsewhere to keep them longer",
                oldest.display()
            );
        }
        for number in (1..free).rev() {
            fs::rename(self.numbered(number), self.numbered(number + 1))?;
        }
        let named = self.dir.join(NAME);
        // It is not there if the last attempt ended between these two.
        if named.try_exists()? {
            fs::rename(&named, self.numbered(1))?;
        }
        fs::rename(&fresh, &named)?;
        self.file = next;
        self.counts.begun.fetch_add(1, Relaxed);
        File::open(&self.dir)?.sync_all()
    }
}

impl Sink for Trail {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let mut before = self.file.metadata()?.len();
        if before > 0 && before + line.len() as u64 > self.turn_at {
            self.turn_at = self.bytes_max as u64;
            if let Err(error) = self.turn() {
                // The line is worth more than the limit.
                tracing::error!("{NAME} grows beyond {before} octets: {error}; look at the data directory");
                self.turn_at += before;
            }
            before = self.file.metadata()?.len();
        }
        // One write per line: whoever reads along never sees a part of one.
        match self.file.write(line) {
            Ok(taken) if taken == line.len() => Ok(()),
            Ok(_) => {
                self.file.set_len(before)?;
                Err(io::ErrorKind::StorageFull.into())
            }
            Err(error) => Err(error),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}

fn writable(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

/// A crash in the middle of a write leaves a part of a line; it must not swallow the next one.
fn end_last_line(mut file: File) -> io::Result<File> {
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &Path) -> Trail {
        Trail::open(dir, 20, Arc::default()).unwrap()
    }

    fn say(trail: &mut Trail, numbers: std::ops::Range<usize>) {
        numbers.for_each(|number| trail.append(format!("line {number:04}\n").as_bytes()).unwrap());
    }

    /// The files, the oldest first, and the lines of each.
    fn files(dir: &Path) -> Vec<Vec<usize>> {
        let names = (1..=FILES_MAX + 1).rev().map(|number| format!("{NAME}.{number}")).chain([NAME.to_owned()]);
        let texts = names.filter_map(|name| fs::read_to_string(dir.join(name)).ok());
        let number = |line: &str| line.strip_prefix("line ").unwrap().parse().unwrap();
        texts.map(|text| text.lines().map(number).collect()).collect()
    }

    #[test]
    fn a_file_is_filled_to_its_limit_and_one_more_line_begins_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let mut trail = open(dir.path());
        say(&mut trail, 0..2);
        assert_eq!(files(dir.path()), [[0, 1]], "20 octets");
        say(&mut trail, 2..3);
        assert_eq!(files(dir.path()), [vec![0, 1], vec![2]]);
        assert_eq!(trail.counts.begun.load(Relaxed), 1);
        drop(trail);
        say(&mut open(dir.path()), 3..5);
        assert_eq!(files(dir.path()), [vec![0, 1], vec![2, 3], vec![4]], "also after a restart");
        let long = [b'x'; 50];
        open(dir.path()).append(&long).unwrap();
        assert_eq!(fs::read(dir.path().join(NAME)).unwrap(), long, "a line is never cut");
    }

    #[test]
    fn the_oldest_file_makes_room_when_all_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let mut trail = open(dir.path());
        let lines = 2 * (FILES_MAX + 1);
        say(&mut trail, 0..lines);
        let all: Vec<usize> = (0..lines).collect();
        assert_eq!((files(dir.path()).concat(), trail.counts.removed.load(Relaxed)), (all, 0));
        say(&mut trail, lines..lines + 1);
        let rest: Vec<usize> = (2..=lines).collect();
        assert_eq!((files(dir.path()).concat(), trail.counts.removed.load(Relaxed)), (rest, 1));
    }

    #[test]
    fn no_line_is_lost_while_the_next_file_cannot_be_begun() {
        let dir = tempfile::tempdir().unwrap();
        let mut trail = open(dir.path());
        let fresh = dir.path().join(format!("{NAME}.new"));
        fs::create_dir(&fresh).unwrap();
        say(&mut trail, 0..5);
        assert_eq!(files(dir.path()), [[0, 1, 2, 3, 4]]);
        fs::remove_dir(&fresh).unwrap();
        // It is tried again when as much as a file may hold has been written.
        say(&mut trail, 5..9);
        assert_eq!(files(dir.path()), [vec![0, 1, 2, 3, 4, 5], vec![6, 7], vec![8]]);
    }

    #[test]
    fn a_crash_between_two_names_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        say(&mut open(dir.path()), 0..3);
        // The file that grew has its number, the next one not yet its name.
        fs::rename(dir.path().join(format!("{NAME}.1")), dir.path().join(format!("{NAME}.2"))).unwrap();
        fs::rename(dir.path().join(NAME), dir.path().join(format!("{NAME}.1"))).unwrap();
        fs::write(dir.path().join(format!("{NAME}.new")), "").unwrap();
        say(&mut open(dir.path()), 3..6);
        assert_eq!(files(dir.path()), [vec![0, 1], vec![2], vec![3, 4], vec![5]]);
    }
}
