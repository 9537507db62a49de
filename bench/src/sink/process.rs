//! The sink process itself.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, Write},
    net::{Ipv4Addr, UdpSocket},
    process::ExitCode,
    sync::mpsc::{self, TryRecvError},
    time::{Duration, Instant},
};

use crate::raw::{self, Drain};

/// Between two sweeps. At 500,000 datagrams a second 250 come meanwhile.
const NAP: Duration = Duration::from_micros(500);

/// Receive queue of one socket. Bytes; the kernel counts whole buffers, so about 50,000 small datagrams.
const QUEUE: usize = 64 << 20;

/// Batches taken from one socket in one sweep: a flood on one does not hide the others.
const BATCHES: usize = 256;

/// What the process is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Sockets to open.
    #[arg(long, default_value_t = super::SOCKETS)]
    sockets: usize,
    /// Receive queue of each. Bytes.
    #[arg(long, default_value_t = QUEUE)]
    queue: usize,
    /// Core to stay on.
    #[arg(long, default_value_t = 1)]
    core: usize,
}

struct Sinks {
    sockets: Vec<UdpSocket>,
    drain: Drain,
    begin: Instant,
    delivered: u64,
    stamping: bool,
    /// First and last stamp and number of datagrams, by RTP sequence number.
    arrivals: BTreeMap<u16, (u64, u64, u64)>,
}

/// Serves until the input ends.
pub fn serve(options: &Options) -> ExitCode {
    raw::pin(options.core);
    match Sinks::open(options).and_then(|mut sinks| sinks.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the sinks ended: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Sinks {
    fn open(options: &Options) -> io::Result<Sinks> {
        let socket = |_| {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            raw::deepen(&socket, options.queue);
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let sockets = (0..options.sockets).map(socket).collect::<io::Result<_>>()?;
        let (drain, begin, arrivals) = (Drain::new(), Instant::now(), BTreeMap::new());
        Ok(Sinks { sockets, drain, begin, delivered: 0, stamping: false, arrivals })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut output = io::stdout().lock();
        write!(output, "ports")?;
        for socket in &self.sockets {
            write!(output, " {}", socket.local_addr()?.port())?;
        }
        writeln!(output)?;
        output.flush()?;
        let (asking, questions) = mpsc::channel();
        std::thread::spawn(move || {
            io::stdin().lock().lines().map_while(Result::ok).all(|line| asking.send(line).is_ok())
        });
        loop {
            self.sweep();
            match questions.try_recv() {
                Ok(question) => self.answer(question.trim(), &mut output)?,
                Err(TryRecvError::Disconnected) => return Ok(()),
                Err(TryRecvError::Empty) => std::thread::sleep(NAP),
            }
        }
    }

    fn sweep(&mut self) {
        let Sinks { sockets, drain, delivered, stamping, arrivals, .. } = self;
        for socket in sockets {
            for _ in 0..BATCHES {
                let taken = match stamping {
                    false => drain.take(socket),
                    true => drain.take_each(socket, |datagram, stamp| remember(arrivals, datagram, stamp)),
                };
                *delivered += taken as u64;
                if taken < raw::BATCH {
                    break;
                }
            }
        }
    }

    fn answer(&mut self, question: &str, output: &mut impl Write) -> io::Result<()> {
        self.sweep();
        match question {
            "count" => {
                let dropped: u64 = self.sockets.iter().map(raw::kernel_drops).sum();
                writeln!(output, "count {} {dropped} {}", self.delivered, self.begin.elapsed().as_nanos())?;
            }
            "stamp" => {
                self.sockets.iter().for_each(raw::stamp);
                self.stamping = true;
                writeln!(output, "stamp")?;
            }
            "stamps" => {
                writeln!(output, "stamps {}", self.arrivals.len())?;
                for (sequence, (first, last, number)) in std::mem::take(&mut self.arrivals) {
                    writeln!(output, "{sequence} {first} {last} {number}")?;
                }
            }
            other => return Err(io::Error::other(format!("nobody knows the question {other:?}"))),
        }
        output.flush()
    }
}

fn remember(arrivals: &mut BTreeMap<u16, (u64, u64, u64)>, datagram: &[u8], stamp: u64) {
    let Some([high, low]) = datagram.get(2..4) else { return };
    let row = arrivals.entry(u16::from_be_bytes([*high, *low])).or_insert((stamp, stamp, 0));
    *row = (row.0.min(stamp), row.1.max(stamp), row.2 + 1);
}
