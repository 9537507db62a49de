//! Where measured datagrams end: sockets in a process of their own, on a core of their own, that count what was *delivered*.
//!
//! The process is a hidden command of the same binary. It sleeps between two sweeps instead of waiting on its sockets, so that no
//! sender ever pays for waking it, and its queues are deep enough for what comes meanwhile. What the kernel had to drop
//! all the same is counted per socket: then the sinks were measured, and the round is worth nothing.
//!
//! One line asks, one line answers: `count` → `count <delivered> <dropped> <ns>`, `stamp` → `stamp`, and `stamps` →
//! `stamps <n>`, followed by n lines `<sequence> <first> <last> <number>`. The process ends with its input.

mod process;

use std::{
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

pub use process::{Options, serve};

/// Sockets of a sink: several, so that sender and sink do not fight over one queue.
pub const SOCKETS: usize = 8;

/// How long nothing more may come until all has come.
const QUIET: Duration = Duration::from_millis(100);

/// A running sink process.
#[derive(Debug)]
pub struct Sink {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    ports: Vec<u16>,
}

/// What came so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Datagrams that were received.
    pub delivered: u64,
    /// Datagrams that the kernel dropped at the sink's own sockets.
    pub dropped: u64,
    /// When that was, on the sink's clock. Nanoseconds.
    pub at_ns: u64,
}

/// When one RTP packet came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its RTP sequence number.
    pub sequence: u16,
    /// The first participant's datagram was in the kernel. Nanoseconds of the wall clock.
    pub first: u64,
    /// The last participant's was.
    pub last: u64,
    /// How many participants it reached.
    pub number: u64,
}

impl Sink {
    /// Starts this binary again, as a sink.
    pub fn start() -> io::Result<Sink> {
        Sink::start_from(&std::env::current_exe()?, SOCKETS)
    }

    /// Starts `program` as a sink with `sockets` sockets.
    pub fn start_from(program: &Path, sockets: usize) -> io::Result<Sink> {
        let mut command = Command::new(program);
        command.args(["sink", "--sockets", &sockets.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let missing = || io::Error::other("the sink process has no pipes");
        let output = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        let input = child.stdin.take();
        let mut sink = Sink { child, input, output, ports: Vec::new() };
        let ports = sink.answer("ports")?;
        sink.ports = ports.iter().filter_map(|port| u16::try_from(*port).ok()).collect();
        Ok(sink)
    }

    /// Where it takes datagrams, on every loopback address.
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// What came until now.
    ///
    /// # Panics
    /// The sink process has ended: nothing can be measured any more. So do the other questions.
    pub fn count(&mut self) -> Count {
        match *self.ask("count") {
            [delivered, dropped, at_ns] => Count { delivered, dropped, at_ns },
            ref other => panic!("the sink counts three numbers, not {other:?}"),
        }
    }

    /// Waits until `expected` datagrams have come since `before`, or nothing more comes.
    pub fn settle(&mut self, before: Count, expected: u64) -> Count {
        let mut count = self.count();
        let mut changed = Instant::now();
        while count.delivered - before.delivered < expected && changed.elapsed() < QUIET {
            std::thread::sleep(Duration::from_millis(2));
            let next = self.count();
            if next.delivered != count.delivered {
                changed = Instant::now();
            }
            count = next;
        }
        count
    }

    /// From now on the kernel stamps what comes, and the sink remembers when each RTP packet came. Costs every receiver of the
    /// machine some time per datagram: both halves of a comparison must have it.
    pub fn stamp(&mut self) {
        self.ask("stamp");
    }

    /// When each packet came since this was asked last, by sequence number.
    pub fn arrivals(&mut self) -> Vec<Arrival> {
        let number = self.ask("stamps").first().copied().unwrap_or(0);
        let mut arrivals = Vec::new();
        for _ in 0..number {
            match *self.line().expect("the sink process runs") {
                [sequence, first, last, number] => {
                    arrivals.push(Arrival { sequence: sequence as u16, first, last, number });
                }
                ref other => panic!("an arrival has four numbers, not {other:?}"),
            }
        }
        arrivals
    }

    fn ask(&mut self, question: &str) -> Vec<u64> {
        let input = self.input.as_mut().expect("the input is open until the sink is dropped");
        writeln!(input, "{question}").expect("the sink process runs");
        self.answer(question).expect("the sink process runs")
    }

    /// The numbers after the first word, which must be the question's.
    fn answer(&mut self, question: &str) -> io::Result<Vec<u64>> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let rest = line.strip_prefix(question);
        let rest = rest.ok_or_else(|| io::Error::other(format!("the sink answered {line:?} to {question}")))?;
        Ok(numbers(rest))
    }

    fn line(&mut self) -> io::Result<Vec<u64>> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(numbers(&line))
    }
}

fn numbers(text: &str) -> Vec<u64> {
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

impl Drop for Sink {
    fn drop(&mut self) {
        // Its input is closed, so it ends by itself.
        self.input = None;
        _ = self.child.wait();
    }
}

impl Count {
    /// Datagrams per second since `before`.
    pub fn rate_since(&self, before: &Count) -> f64 {
        (self.delivered - before.delivered) as f64 / ((self.at_ns - before.at_ns).max(1) as f64 / 1e9)
    }
}
