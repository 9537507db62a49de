//! CPU time as the kernel accounts it to processes and threads.

use std::{fs, path::PathBuf, time::Duration};

/// Whose time is counted: every file says so for one process with all its threads, or for one thread.
#[derive(Debug)]
pub(super) struct Account {
    files: Vec<PathBuf>,
    tick: Duration,
}

impl Account {
    /// A process with all its threads.
    pub(super) fn process(id: u32) -> Account {
        Account::of(vec![PathBuf::from(format!("/proc/{id}/stat"))])
    }

    /// The threads of this process that did not exist `before`.
    pub(super) fn threads_since(before: &[PathBuf]) -> Account {
        let new: Vec<PathBuf> = own_threads().into_iter().filter(|thread| !before.contains(thread)).collect();
        assert!(!new.is_empty(), "a thread was started");
        Account::of(new.into_iter().map(|thread| thread.join("stat")).collect())
    }

    fn of(files: Vec<PathBuf>) -> Account {
        Account { files, tick: Duration::from_secs(1) / crate::raw::ticks_per_s() }
    }

    /// User and system time so far, in whole steps of the kernel's accounting.
    pub(super) fn cpu(&self) -> Duration {
        let ticks = |file| fs::read_to_string(file).ok().and_then(|text| ticks(&text));
        self.tick * self.files.iter().map(|file| ticks(file).expect("it runs while it is measured")).sum::<u32>()
    }
}

/// The threads of this process, as folders.
pub(super) fn own_threads() -> Vec<PathBuf> {
    let folders = fs::read_dir("/proc/self/task").expect("a process has threads");
    folders.filter_map(|folder| Some(folder.ok()?.path())).collect()
}

/// User and system ticks of a `stat` file: fields 14 and 15, counted after the name, which may hold anything.
fn ticks(stat: &str) -> Option<u32> {
    let (_, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_ascii_whitespace().skip(11);
    let (user, system) = (fields.next()?, fields.next()?);
    Some(user.parse::<u32>().ok()? + system.parse::<u32>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_program_does_not_shift_its_fields() {
        let fields = "S 1 2 3 4 5 6 7 8 9 10 123 45 0 0 20 0 1 0 99";
        for name in ["bench", "a b", "a) S 1 (b", ""] {
            assert_eq!(ticks(&format!("77 ({name}) {fields}")), Some(168), "{name}");
        }
        assert_eq!(ticks("77 (bench) S 1 2 3"), None);
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn work_of_a_thread_is_its_account() {
        let before = own_threads();
        let (work, begin) = std::sync::mpsc::channel::<()>();
        let (done, end) = std::sync::mpsc::channel();
        let (folder, is_at) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let own = fs::read_link("/proc/thread-self").expect("it is a thread");
            folder
                .send(PathBuf::from("/proc/self/task").join(own.file_name().expect("its id")))
                .expect("it is waited for");
            while begin.recv().is_ok() {
                done.send((0..30_000_000u64).fold(0, |sum, n| std::hint::black_box(sum ^ n)))
                    .expect("it is waited for");
            }
        });
        // Threads of other tests come and go meanwhile: this one is among the new ones, and it alone is measured.
        let own = is_at.recv().expect("it says where it is").join("stat");
        assert!(Account::threads_since(&before).files.contains(&own));
        let account = Account::of(vec![own]);
        let start = account.cpu();
        // However fast the machine: it is over once the account has moved.
        while account.cpu() < start + Duration::from_millis(50) {
            work.send(()).expect("it works");
            end.recv().expect("it answers");
        }
        drop(work);
        thread.join().expect("it ends");
    }
}
