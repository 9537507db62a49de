//! Every instruction that a thread executes in user space, one by one: slow, but it leaves nothing out.
//!
//! A lock cannot be taken without an instruction that locks the bus: `lock …`, or `xchg` with memory. So a stretch of code in
//! which none is executed takes no lock, whatever library it came from.

use std::{collections::HashMap, fs::File, io, mem::zeroed, os::unix::fs::FileExt, ptr};

/// What one instruction is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Enters the kernel, with this number.
    SystemCall(i64),
    /// Locks the bus.
    Locked,
    /// Anything else.
    Plain,
}

/// Longest instruction of the architecture.
const LONGEST: usize = 15;

/// A thread under control. Only on x86-64.
#[derive(Debug)]
pub struct Steps {
    thread: i32,
    memory: File,
    known: HashMap<u64, Kind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    SystemCall,
    Locked,
    Plain,
}

#[cfg(target_arch = "x86_64")]
impl Steps {
    /// Takes hold of a thread of another process.
    pub fn of(thread: i32) -> io::Result<Steps> {
        let memory = File::open(format!("/proc/{thread}/mem"))?;
        let steps = Steps { thread, memory, known: HashMap::new() };
        steps.trace(libc::PTRACE_SEIZE, ptr::null_mut())?;
        steps.trace(libc::PTRACE_INTERRUPT, ptr::null_mut())?;
        steps.wait()?;
        Ok(steps)
    }

    /// Lets it execute one instruction and says which. A system call may take as long as it likes.
    pub fn step(&mut self) -> io::Result<Step> {
        // SAFETY: user_regs_struct is plain old data; all zeros is a value of it.
        let mut registers: libc::user_regs_struct = unsafe { zeroed() };
        self.trace(libc::PTRACE_GETREGS, (&raw mut registers).cast())?;
        let step = match self.kind(registers.rip) {
            Kind::SystemCall => Step::SystemCall(registers.rax as i64),
            Kind::Locked => Step::Locked,
            Kind::Plain => Step::Plain,
        };
        self.trace(libc::PTRACE_SINGLESTEP, ptr::null_mut())?;
        self.wait()?;
        Ok(step)
    }

    /// Lets it run again.
    pub fn end(self) -> io::Result<()> {
        self.trace(libc::PTRACE_DETACH, ptr::null_mut())
    }

    fn kind(&mut self, at: u64) -> Kind {
        let Steps { memory, known, .. } = self;
        *known.entry(at).or_insert_with(|| {
            let mut code = [0; LONGEST];
            match memory.read_at(&mut code, at) {
                Ok(length) => kind(&code[..length]),
                Err(_) => Kind::Plain,
            }
        })
    }

    fn trace(&self, request: libc::c_uint, data: *mut libc::c_void) -> io::Result<()> {
        // SAFETY: `data` is null or points at registers that outlive the call; the kernel checks the rest.
        let answer = unsafe { libc::ptrace(request, self.thread, ptr::null_mut::<libc::c_void>(), data) };
        if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn wait(&self) -> io::Result<()> {
        let mut status = 0;
        // SAFETY: the kernel writes one int.
        let answer = unsafe { libc::waitpid(self.thread, &raw mut status, libc::__WALL) };
        match answer {
            ..0 => Err(io::Error::last_os_error()),
            _ if libc::WIFSTOPPED(status) => Ok(()),
            _ => Err(io::Error::other("the thread has ended")),
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Steps {
    /// Not on this architecture.
    pub fn of(_: i32) -> io::Result<Steps> {
        Err(io::Error::other("instructions are looked at on x86-64 only"))
    }

    /// Not on this architecture.
    pub fn step(&mut self) -> io::Result<Step> {
        Ok(Step::Plain)
    }

    /// Not on this architecture.
    pub fn end(self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads prefixes and opcode of an x86-64 instruction.
fn kind(code: &[u8]) -> Kind {
    let mut bytes = code.iter().copied();
    let mut next = || bytes.next().unwrap_or(0);
    let mut byte = next();
    while matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x64..=0x67 | 0xf2 | 0xf3) {
        byte = next();
    }
    if byte == 0xf0 {
        return Kind::Locked;
    }
    if matches!(byte, 0x40..=0x4f) {
        byte = next();
    }
    match (byte, next()) {
        (0x0f, 0x05) => Kind::SystemCall,
        // Exchange with memory locks without a prefix; between registers it does not.
        (0x86 | 0x87, modes) if modes >> 6 != 3 => Kind::Locked,
        _ => Kind::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_that_lock_the_bus_are_known() {
        for code in [
            &[0xf0, 0x0f, 0xb1, 0x0f][..],
            &[0xf0, 0x48, 0xff, 0x00],
            &[0x66, 0xf0, 0xff, 0x00],
            &[0x87, 0x07],
            &[0x48, 0x87, 0x07],
            &[0x86, 0x44, 0x24, 0x0f],
        ] {
            assert_eq!(kind(code), Kind::Locked, "{code:x?}");
        }
        // cmpxchg without lock, mov, xchg between registers, a shorter form of it, and nothing at all.
        for code in [&[0x0f, 0xb1, 0x0f][..], &[0x48, 0x89, 0xc3], &[0x87, 0xc1], &[0x48, 0x90], &[]] {
            assert_eq!(kind(code), Kind::Plain, "{code:x?}");
        }
        assert_eq!(kind(&[0x0f, 0x05]), Kind::SystemCall);
    }
}
