//! How many system calls one thread makes: the kernel's own tracepoint counts them, all of them, whoever makes them.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::FromRawFd,
};

/// Where the tracepoint's number may stand.
const PLACES: [&str; 2] = [
    "/sys/kernel/tracing/events/raw_syscalls/sys_enter/id",
    "/sys/kernel/debug/tracing/events/raw_syscalls/sys_enter/id",
];

/// `PERF_TYPE_TRACEPOINT`, the size of the first version of its attributes, and `PERF_FLAG_FD_CLOEXEC` (linux/perf_event.h).
const TRACEPOINT: u64 = 2;
const ATTRIBUTES_SIZE: u64 = 64;
const CLOSE_ON_EXEC: libc::c_ulong = 8;

/// The count of one thread.
#[derive(Debug)]
pub struct SystemCalls(File);

impl SystemCalls {
    /// Begins to count the thread's system calls. Fails without tracepoints or without the right to read them.
    pub fn of(thread: i32) -> io::Result<SystemCalls> {
        let id = PLACES.iter().find_map(|place| std::fs::read_to_string(place).ok());
        let id = id.and_then(|id| id.trim().parse::<u64>().ok());
        let id = id.ok_or_else(|| io::Error::other("the kernel shows no tracepoint raw_syscalls:sys_enter"))?;
        // Type and size share the first word; everything else is off.
        let attributes: [u64; 8] = [TRACEPOINT | ATTRIBUTES_SIZE << 32, id, 0, 0, 0, 0, 0, 0];
        // SAFETY: the kernel reads the 64 bytes that the attributes say they have.
        let fd =
            unsafe { libc::syscall(libc::SYS_perf_event_open, attributes.as_ptr(), thread, -1, -1, CLOSE_ON_EXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor, and nobody else has it.
        Ok(SystemCalls(unsafe { File::from_raw_fd(fd as i32) }))
    }

    /// System calls since it began.
    pub fn read(&mut self) -> io::Result<u64> {
        let mut count = [0; 8];
        self.0.read_exact(&mut count)?;
        Ok(u64::from_ne_bytes(count))
    }
}
