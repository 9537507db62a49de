//! Which thread runs on which core.
//!
//! A thread inherits the cores of whoever starts it. So the cores that there are must be asked for before anybody is pinned, and
//! what is to have all of them must not be started by a thread that has one.

use std::{mem::zeroed, sync::OnceLock};

/// The cores that this process may use, in order; found at the first call, which therefore belongs to the beginning of `main`.
pub fn cores() -> &'static [usize] {
    static CORES: OnceLock<Vec<usize>> = OnceLock::new();
    CORES.get_or_init(|| {
        // SAFETY: the kernel writes one cpu_set_t; all zeros is a value of it.
        let set = unsafe {
            let mut set: libc::cpu_set_t = zeroed();
            libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set);
            set
        };
        // SAFETY: the numbers lie within the set.
        (0..libc::CPU_SETSIZE as usize).filter(|core| unsafe { libc::CPU_ISSET(*core, &set) }).collect()
    })
}

/// Keeps this thread on one core, counted among those that there are, if the system allows it.
pub fn pin(number: usize) {
    if let Some(core) = cores().get(number % cores().len().max(1)) {
        keep_on(&[*core]);
    }
}

/// Does `work` on any core, so that the threads that it starts are free to choose, and keeps this thread on core `number` after.
pub fn unpinned<R>(number: usize, work: impl FnOnce() -> R) -> R {
    keep_on(cores());
    let result = work();
    pin(number);
    result
}

fn keep_on(cores: &[usize]) {
    // SAFETY: the set is filled with numbers that lie within it, and the kernel reads no more than its size.
    unsafe {
        let mut set: libc::cpu_set_t = zeroed();
        cores.iter().for_each(|core| libc::CPU_SET(*core, &mut set));
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cores that a new thread may use.
    fn inherited() -> Vec<usize> {
        let read = || {
            // SAFETY: as above.
            let set = unsafe {
                let mut set: libc::cpu_set_t = zeroed();
                libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set);
                set
            };
            // SAFETY: the numbers lie within the set.
            (0..libc::CPU_SETSIZE as usize).filter(|core| unsafe { libc::CPU_ISSET(*core, &set) }).collect()
        };
        std::thread::spawn(read).join().expect("it ends")
    }

    #[test]
    fn a_pinned_thread_can_start_threads_that_are_not() {
        let all = cores().to_vec();
        pin(0);
        assert_eq!(inherited(), all[..1]);
        assert_eq!(unpinned(0, inherited), all);
        assert_eq!(inherited(), all[..1]);
        let elsewhere = std::thread::spawn(|| {
            pin(1);
            inherited()
        });
        assert_eq!(elsewhere.join().expect("it ends"), [all[1 % all.len()]], "whoever started it was pinned");
    }
}
