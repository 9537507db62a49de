//! Looks at a thread of the process that started it, instruction by instruction, while that process has it send packets. A process
//! cannot hold its own threads, so this is one of its own: a hidden command of the same binary.
//!
//! It says `ready` once the thread is held, and when its input ends (the thread has to wake once more), what it has seen:
//! `<instructions> <locked> <between> <chunks>`, where `between` are the instructions that locked the bus between two calls of
//! `sendmmsg` with no other system call between them, and `chunks` is how many such pairs there were.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    process::{ChildStdout, Command, ExitCode, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::raw::{self, Step, Steps};

/// What the process is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The kernel's number of the thread.
    #[arg(long)]
    thread: i32,
}

/// What was seen of a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Instructions in user space.
    pub instructions: u64,
    /// Those that locked the bus.
    pub locked: u64,
    /// Those of them between two calls of `sendmmsg` with no other system call between them.
    pub between: u64,
    /// How many such pairs of calls there were.
    pub chunks: u64,
}

/// Holds the thread until the input ends.
#[expect(clippy::print_stdout, reason = "whoever started it reads that")]
pub fn serve(options: &Options) -> ExitCode {
    raw::pin(1);
    match look(options.thread) {
        Ok(seen) => {
            println!("{} {} {} {}", seen.instructions, seen.locked, seen.between, seen.chunks);
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn look(thread: i32) -> io::Result<Seen> {
    let mut steps = Steps::of(thread)?;
    let ended = Arc::new(AtomicBool::new(false));
    let ending = Arc::clone(&ended);
    std::thread::spawn(move || {
        _ = io::stdin().lock().read_to_end(&mut Vec::new());
        ending.store(true, Ordering::Relaxed);
    });
    writeln!(io::stdout(), "ready")?;
    let (mut seen, mut since_sent) = (Seen::default(), None);
    while !ended.load(Ordering::Relaxed) {
        seen.instructions += 1;
        match steps.step()? {
            Step::Plain => {}
            Step::Locked => {
                seen.locked += 1;
                since_sent = since_sent.map(|locked: u64| locked + 1);
            }
            Step::SystemCall(libc::SYS_sendmmsg) => {
                if let Some(locked) = since_sent.replace(0) {
                    seen.between += locked;
                    seen.chunks += 1;
                }
            }
            Step::SystemCall(_) => since_sent = None,
        }
    }
    steps.end()?;
    Ok(seen)
}

/// Has `thread` of this process looked at during `work`, and wakes it by `wake` at the end. Says why, if that cannot be done here.
pub fn during(thread: i32, work: impl FnOnce(), wake: impl FnOnce()) -> Result<Seen, String> {
    let start = || {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["step", "--thread", &thread.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.spawn()
    };
    let mut child = start().map_err(|error| format!("the process that steps did not start: {error}"))?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let mut output = BufReader::new(output.ok_or("the process that steps has no pipes")?);
    let ready = line(&mut output);
    let seen = match ready.as_str() {
        "ready" => {
            work();
            drop(input);
            wake();
            line(&mut output)
        }
        _ => ready,
    };
    _ = child.wait();
    let numbers: Vec<u64> = seen.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match numbers[..] {
        [instructions, locked, between, chunks] => Ok(Seen { instructions, locked, between, chunks }),
        _ => Err(format!("the worker could not be stepped: {seen}; run it with the right to trace")),
    }
}

fn line(output: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    _ = output.read_line(&mut line);
    line.trim().to_owned()
}
