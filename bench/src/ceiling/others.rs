//! P1: what one delivered packet costs in CPU time, beside two programs that other people wrote for the same task.
//!
//! Every contender has 256 targets and gets the same talker's packets, 200 a second of 74 octets: below the ceiling of each, so
//! that none is measured while it waits or drops. They take turns within a round. What is divided: CPU time, user and system,
//! of all threads of the contender, as the kernel accounts it to the process; by the datagrams that the sinks counted. A
//! turn counts if hardly any is missing: what is lost was paid for and not delivered, and makes its contender look dearer.
//!
//! It is no race between products: rtpengine is here in user space, as it runs where its kernel module cannot, and does more per
//! packet than this relay (statistics, codecs); `multiudpsink` does less (no floor, no retention, nobody comes or goes).

mod accounting;
mod ng;
mod program;

use std::{
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

use relay::{Call, CallSettings, Config, FloorAction, FloorResult, FloorSettings, Relay};
use relay_core::{Slot, Ssrc, roster, rtp};
use tokio::runtime::{Builder, Runtime};

use self::{accounting::Account, program::Program};
use super::{Must, Options, Row, pin};
use crate::raw::{self, Sinks};

/// Participants that hear the talker.
const PARTICIPANTS: usize = 256;

/// Sockets that share their datagrams.
const SINKS: usize = 8;

/// RTP packet with one AMR-WB 23.85 frame in octet-aligned mode.
const PACKET: usize = 74;

/// Between two packets of the talker: 200 a second, what a talker may send.
const INTERVAL: Duration = Duration::from_millis(5);

/// The kernel accounts in steps of 10 ms: a turn is long enough for one step to be about a hundredth of the cheapest.
const TURN_MIN: Duration = Duration::from_secs(6);

/// Rounds, after one that warms up: at most, for each has three turns.
const ROUNDS_MAX: usize = 6;

/// Share of a turn's datagrams that must arrive.
const DELIVERED_MIN: f64 = 0.99;

/// After its last packet a turn waits for stragglers until nothing came for so long.
const QUIET: Duration = Duration::from_millis(100);

/// One way to give a packet to everybody.
struct Contender {
    /// Where the talker sends to.
    entrance: SocketAddr,
    talker: UdpSocket,
    ssrc: Ssrc,
    sequence: u16,
    account: Account,
    running: Running,
}

/// What ends when the contender is dropped.
enum Running {
    Relay(Holder),
    Program { _program: Program },
}

/// Who talks in a call of a relay.
struct Holder {
    relay: Relay,
    runtime: Runtime,
    call: Call,
    slot: Slot,
    entry: u64,
}

impl Holder {
    /// While the others have their turns it is silent, and a silent talker loses the floor.
    fn take_floor(&self) {
        let asked = self.call.floor(self.slot, self.entry, FloorAction::Request { priority: 0 });
        let answer = self.runtime.block_on(asked).expect("the owner answers");
        assert_eq!(answer.result, FloorResult::Granted, "nobody else asks");
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.relay.stop();
    }
}

/// Rows P1a, P1b and what they are made of. A contender that is not installed is said so.
pub(super) fn measure(options: &Options) -> Vec<Row> {
    pin(1);
    let mut sinks = Sinks::open(SINKS).expect("sinks");
    let targets = raw::targets(PARTICIPANTS, &sinks.ports());
    let mut relay = start_relay(&targets);
    // What is started here inherits the core of the relay's worker.
    pin(0);
    let mut rtpengine = start_rtpengine(&targets);
    let mut multiudpsink = start_multiudpsink(&targets);
    pin(1);
    let mut costs: [Vec<Option<f64>>; 3] = Default::default();
    for round in 0..=options.rounds.clamp(2, ROUNDS_MAX) {
        let turn = TURN_MIN.max(Duration::from_millis(options.round_ms));
        // The first round warms up: caches, and every program's own first second.
        let turn = if round == 0 { turn / 4 } else { turn };
        let contenders = [Some(&mut relay), rtpengine.as_mut().ok(), multiudpsink.as_mut().ok()];
        for (costs, contender) in costs.iter_mut().zip(contenders) {
            let cost = contender.and_then(|contender| contender.turn(&mut sinks, turn));
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    let [relay_costs, rtpengine_costs, multiudpsink_costs] = &costs;
    let good = |costs: &[Option<f64>]| costs.iter().copied().flatten().collect::<Vec<_>>();
    let mut rows = compared(
        ["P1a", "P1d"],
        ["CPU time per delivered packet, rtpengine / relay, N = 256", "rtpengine in user space"],
        (rtpengine_costs, relay_costs, rtpengine.err()),
        1.8,
    );
    rows.extend(compared(
        ["P1b", "P1e"],
        ["CPU time per delivered packet, multiudpsink / relay, N = 256", "GStreamer multiudpsink"],
        (multiudpsink_costs, relay_costs, multiudpsink.err()),
        1.2,
    ));
    rows.push(Row::of("P1c", "CPU time per delivered packet, relay", &good(relay_costs), "ns", Must::Print));
    rows
}

/// The ratio, round by round, and the cost itself; or why there is none.
fn compared(
    [ratio, cost]: [&'static str; 2],
    [meaning, name]: [&'static str; 2],
    (theirs, ours, absent): (&[Option<f64>], &[Option<f64>], Option<&'static str>),
    must: f64,
) -> Vec<Row> {
    if let Some(why) = absent {
        return vec![Row::single(ratio, why, f64::NAN, "ratio", Must::Print)];
    }
    let ratios: Vec<f64> = theirs.iter().zip(ours).filter_map(|(theirs, ours)| Some((*theirs)? / (*ours)?)).collect();
    let costs: Vec<f64> = theirs.iter().copied().flatten().collect();
    vec![Row::of(ratio, meaning, &ratios, "ratio", Must::AtLeast(must)), Row::of(cost, name, &costs, "ns", Must::Print)]
}

impl Contender {
    fn new(entrance: SocketAddr, talker: UdpSocket, ssrc: Ssrc, account: Account, running: Running) -> Contender {
        Contender { entrance, talker, ssrc, sequence: 0, account, running }
    }

    fn talk(&mut self) {
        let payload_type = rtp::PayloadType::try_from(96).expect("seven bits");
        let timestamp = u32::from(self.sequence) * 80;
        let header = rtp::Header { marker: false, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc };
        let mut packet = [0u8; PACKET];
        header.write(&mut packet).expect("room");
        self.talker.send_to(&packet, self.entrance).expect("loopback takes it");
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// Nanoseconds of CPU time per delivered packet; `None` if too much is missing.
    fn turn(&mut self, sinks: &mut Sinks, length: Duration) -> Option<f64> {
        while sinks.take() > 0 {}
        if let Running::Relay(holder) = &self.running {
            holder.take_floor();
        }
        let (mut sent, mut delivered) = (0u64, 0u64);
        let before = self.account.cpu();
        let start = Instant::now();
        while start.elapsed() < length {
            if start.elapsed() >= INTERVAL * sent as u32 {
                self.talk();
                sent += 1;
            }
            delivered += sinks.take() as u64;
        }
        let mut last = Instant::now();
        while last.elapsed() < QUIET {
            match sinks.take() as u64 {
                0 => {}
                more => (delivered, last) = (delivered + more, Instant::now()),
            }
        }
        let cpu = self.account.cpu().saturating_sub(before);
        let delivered = delivered as f64;
        (delivered >= DELIVERED_MIN * (sent * PARTICIPANTS as u64) as f64).then(|| cpu.as_nanos() as f64 / delivered)
    }
}

/// A relay with one worker, whose thread is what is accounted.
fn start_relay(targets: &[SocketAddr]) -> Contender {
    let before = accounting::own_threads();
    let floor = FloorSettings { max_burst_s: 3600, ..CallSettings::default().floor };
    let settings = CallSettings { floor, packets_per_s: 1000, bytes_per_s: 1_000_000, ..CallSettings::default() };
    let config = Config { media: "127.0.0.1:0".parse().expect("an address"), workers: 1, calls_max: 16 };
    let (relay, _events) = Relay::start(config).expect("the relay starts");
    let account = Account::threads_since(&before);
    let call = relay.open_call(Arc::from("others"), settings).expect("a call");
    let talker = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let ssrc = call.assign_ssrc().expect("a free SSRC");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let own = runtime.block_on(async {
        let leg = |rtp| roster::Leg { rtp, floor: None };
        let own = talker.local_addr().expect("an address");
        let own = roster::Participant::new("sip:talker@bench", "bench", leg(own), ssrc);
        let own = call.enter(own).await.expect("the talker enters");
        for (number, address) in targets.iter().enumerate() {
            let ssrc = call.assign_ssrc().expect("a free SSRC");
            let who = roster::Participant::new(&format!("sip:{number}@bench"), "bench", leg(*address), ssrc);
            call.enter(who).await.expect("a participant enters");
        }
        own
    });
    let entrance = call.ports().rtp;
    let holder = Holder { relay, runtime, call, slot: own.slot, entry: own.entry };
    Contender::new(entrance, talker, ssrc, account, Running::Relay(holder))
}

/// rtpengine with one talker that publishes and everybody else subscribed to it, or why not.
fn start_rtpengine(targets: &[SocketAddr]) -> Result<Contender, &'static str> {
    let talker = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let control = free_address();
    let mut program =
        Program::start("rtpengine", &ng::arguments(control)).ok_or("not measured: rtpengine is not installed")?;
    let refused = "not measured: rtpengine did not take the call";
    let mut client = ng::Client::to(control, || program.runs()).ok_or(refused)?;
    let entrance = client.publish(talker.local_addr().expect("an address")).ok_or(refused)?;
    for target in targets {
        client.subscribe(*target).ok_or(refused)?;
    }
    let account = Account::process(program.id());
    Ok(Contender::new(entrance, talker, Ssrc(0x7001), account, Running::Program { _program: program }))
}

/// A pipeline that receives and gives to everybody, or why not.
fn start_multiudpsink(targets: &[SocketAddr]) -> Result<Contender, &'static str> {
    let absent = "not measured: GStreamer's multiudpsink is not installed";
    if !program::succeeds("gst-inspect-1.0", &["multiudpsink"]) {
        return Err(absent);
    }
    let entrance = free_address();
    let clients: Vec<String> = targets.iter().map(ToString::to_string).collect();
    let source = ["udpsrc".to_owned(), format!("address={}", entrance.ip()), format!("port={}", entrance.port())];
    let sink = ["multiudpsink".to_owned(), format!("clients={}", clients.join(",")), "sync=false".to_owned()];
    let pipeline = [&["-q".to_owned()][..], &source, &["!".to_owned()], &sink].concat();
    let program = Program::start("gst-launch-1.0", &pipeline).ok_or(absent)?;
    let talker = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let account = Account::process(program.id());
    Ok(Contender::new(entrance, talker, Ssrc(0x7002), account, Running::Program { _program: program }))
}

/// An address that nobody used a moment ago: the programs take no socket, only a number.
fn free_address() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.local_addr().expect("an address")
}
