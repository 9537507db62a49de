//! P1: what one delivered packet costs in CPU time, beside two programs that other people wrote for the same task.
//!
//! Every contender has 1,000 targets and gets the same talker's packets, 50 a second of 74 octets, as a voice sends them: below the
//! ceiling of each, so that none is measured while it waits or drops. They take turns within a round, on the core of the relay's worker. What is
//! divided: CPU time, user and system, of all threads of the contender, as the kernel accounts it to the process; by the
//! datagrams that the sink process counted. A round counts if hardly any is missing: what is lost was paid for and not delivered.
//!
//! It is no race between products: rtpengine is here in user space, as it runs where its kernel module cannot, and does more per
//! packet than this relay (statistics, codecs); `multiudpsink` does less (no floor, no retention, nobody comes or goes). A bare
//! loop runs beside them: what is left of a cost below its own is nobody's to save by sending through the kernel's UDP.

mod accounting;
mod ng;
mod program;

use std::{
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

use relay::{Call, CallSettings, FloorAction, FloorResult, FloorSettings, Relay};
use relay_core::{Slot, Ssrc, rtp};
use tokio::runtime::{Builder, Runtime};

use self::{accounting::Account, program::Program};
use super::{
    Must, Row, Run, discarded,
    profile::{self, Whom},
    stage::{self, PACKET, participant, wait_until},
};
use crate::{raw, sink::Sink};

/// Participants that hear the talker.
const PARTICIPANTS: usize = 1000;

/// Between two packets of the talker.
const INTERVAL: Duration = Duration::from_millis(20);

/// The kernel accounts in steps of 10 ms: a turn is long enough for one step to be about a hundredth of the cheapest.
const TURN: Duration = Duration::from_secs(6);

/// Share of a turn's datagrams that must arrive.
const DELIVERED_MIN: f64 = 0.99;

/// What each one row divides, and the promise.
const RTPENGINE: Comparison = Comparison {
    ids: ["P1a", "P1d"],
    meanings: [
        "CPU time per delivered packet, rtpengine / relay, N = 1,000",
        "CPU time per delivered packet, rtpengine",
    ],
    must: Must::AtLeast(1.8),
};
const MULTIUDPSINK: Comparison = Comparison {
    ids: ["P1b", "P1e"],
    meanings: [
        "CPU time per delivered packet, multiudpsink / relay, N = 1,000",
        "CPU time per delivered packet, GStreamer multiudpsink",
    ],
    must: Must::AtLeast(1.2),
};
const BARE: Comparison = Comparison {
    ids: ["P1f", "P1g"],
    meanings: [
        "CPU time per delivered packet, bare loop / relay, N = 1,000",
        "CPU time per delivered packet, bare loop at the same pace",
    ],
    must: Must::Print,
};

struct Comparison {
    ids: [&'static str; 2],
    meanings: [&'static str; 2],
    must: Must,
}

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
    Bare { _repeater: raw::Repeater },
    Program { program: Program },
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

/// Rows P1a, P1b and what they are made of.
pub(super) fn measure(run: &mut Run<'_>) -> Vec<Row> {
    let targets = raw::targets(PARTICIPANTS, run.sink.ports());
    let mut relay = start_relay(&targets);
    // What is started here inherits the core of the relay's worker.
    raw::pin(0);
    let mut rtpengine = start_rtpengine(&targets);
    let mut multiudpsink = start_multiudpsink(&targets);
    raw::pin(1);
    let mut bare = start_bare(&targets);
    let turn = if run.options.short { TURN / 6 } else { TURN };
    let (rounds, thrown) = run.rounds(|run| {
        let mut costs = [None; 4];
        let contenders = [Some(&mut relay), rtpengine.as_mut().ok(), multiudpsink.as_mut().ok(), Some(&mut bare)];
        for (cost, contender) in costs.iter_mut().zip(contenders) {
            if let Some(contender) = contender {
                *cost = Some(contender.turn(&mut run.sink, turn)?);
            }
        }
        Some(costs)
    });
    let costs = |at: usize| rounds.iter().filter_map(|costs| *costs.get(at)?).collect::<Vec<f64>>();
    let (ours, word) = (costs(0), discarded(thrown));
    let mut rows = compared(&RTPENGINE, &costs(1), &ours, rtpengine.err());
    let profile = multiudpsink.as_mut().ok().and_then(Contender::profile);
    rows.extend(compared(&MULTIUDPSINK, &costs(2), &ours, multiudpsink.err()));
    rows.extend(profile);
    rows.extend(compared(&BARE, &costs(3), &ours, None));
    rows.push(Row::of("P1c", "CPU time per delivered packet, relay", &ours, "ns", Must::Print));
    rows.into_iter().map(|row| if thrown == 0 { row } else { row.noting(word.clone()) }).collect()
}

/// The ratio, round by round, and the cost itself; or why there is none.
fn compared(comparison: &Comparison, theirs: &[f64], ours: &[f64], absent: Option<&'static str>) -> Vec<Row> {
    let Comparison { ids: [ratio, cost], meanings: [divided, alone], must } = *comparison;
    if let Some(why) = absent {
        return vec![Row::unmeasured(ratio, divided, "ratio", must, why)];
    }
    let ratios: Vec<f64> = theirs.iter().zip(ours).map(|(theirs, ours)| theirs / ours).collect();
    vec![Row::of(ratio, divided, &ratios, "ratio", must), Row::of(cost, alone, theirs, "ns", Must::Print)]
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

    /// Where a program spends its time at this pace.
    fn profile(&mut self) -> Option<Row> {
        let Running::Program { program } = &self.running else { return None };
        let whom = Whom::Process(program.id());
        let meaning = "user-space share of multiudpsink's CPU time, cpu-clock samples, at the same pace";
        Some(match profile::sample(whom, || _ = self.say(profile::LENGTH)) {
            Ok(profile) => {
                Row::single("P1h", meaning, profile.user_share(), "share", Must::Print).noting(profile.note())
            }
            Err(why) => Row::unmeasured("P1h", meaning, "share", Must::Print, why),
        })
    }

    /// The talker's packets for so long; answers how many.
    fn say(&mut self, length: Duration) -> u32 {
        let begin = Instant::now();
        let packets = (length.as_nanos() / INTERVAL.as_nanos()) as u32;
        for number in 0..packets {
            wait_until(begin + INTERVAL * number);
            self.talk();
        }
        packets
    }

    /// Nanoseconds of CPU time per delivered packet; `None` if too much is missing, or the sinks dropped something.
    fn turn(&mut self, sink: &mut Sink, length: Duration) -> Option<f64> {
        if let Running::Relay(holder) = &self.running {
            holder.take_floor();
        }
        let before = (sink.count(), self.account.cpu());
        let packets = self.say(length);
        let due = u64::from(packets) * PARTICIPANTS as u64;
        let after = sink.settle(before.0, due);
        let cpu = self.account.cpu().saturating_sub(before.1);
        let delivered = (after.delivered - before.0.delivered) as f64;
        let good = after.dropped == before.0.dropped && delivered >= DELIVERED_MIN * due as f64;
        good.then(|| cpu.as_nanos() as f64 / delivered)
    }
}

/// A relay with one worker, whose thread is what is accounted.
fn start_relay(targets: &[SocketAddr]) -> Contender {
    let before = accounting::own_threads();
    let relay = stage::start(1);
    let account = Account::threads_since(&before);
    let floor = FloorSettings { max_burst_s: 3600, ..CallSettings::default().floor };
    // The talker is never quite on time, and what it catches up is no flood.
    let settings = CallSettings { floor, packets_per_s: 1_000, bytes_per_s: 1_000_000, ..CallSettings::default() };
    let call = relay.open_call(Arc::from("others"), settings).expect("a call");
    let talker = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let ssrc = call.assign_ssrc().expect("a free SSRC");
    let own = participant("sip:talker@bench", talker.local_addr().expect("an address"), ssrc);
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let own = runtime.block_on(async {
        let own = call.enter(own).await.expect("the talker enters");
        for (number, address) in targets.iter().enumerate() {
            let ssrc = call.assign_ssrc().expect("a free SSRC");
            call.enter(participant(&format!("sip:{number}@bench"), *address, ssrc)).await.expect("it enters");
        }
        own
    });
    let entrance = call.ports().rtp;
    let holder = Holder { relay, runtime, call, slot: own.slot, entry: own.entry };
    Contender::new(entrance, talker, ssrc, account, Running::Relay(holder))
}

/// A thread that does nothing but receive and send.
fn start_bare(targets: &[SocketAddr]) -> Contender {
    let before = accounting::own_threads();
    let repeater = raw::Repeater::start(0, targets);
    let account = Account::threads_since(&before);
    let talker = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    Contender::new(repeater.address(), talker, Ssrc(0x7003), account, Running::Bare { _repeater: repeater })
}

/// rtpengine with one talker that publishes and everybody else subscribed to it, or why not.
fn start_rtpengine(targets: &[SocketAddr]) -> Result<Contender, &'static str> {
    let talker = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let control = free_address();
    let mut program = Program::start("rtpengine", &ng::arguments(control)).ok_or("rtpengine is not installed")?;
    let refused = "rtpengine did not take the call";
    let mut client = ng::Client::to(control, || program.runs()).ok_or(refused)?;
    let entrance = client.publish(talker.local_addr().expect("an address")).ok_or(refused)?;
    for target in targets {
        client.subscribe(*target).ok_or(refused)?;
    }
    let account = Account::process(program.id());
    Ok(Contender::new(entrance, talker, Ssrc(0x7001), account, Running::Program { program }))
}

/// A pipeline that receives and gives to everybody, or why not.
fn start_multiudpsink(targets: &[SocketAddr]) -> Result<Contender, &'static str> {
    let absent = "GStreamer's multiudpsink is not installed";
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
    Ok(Contender::new(entrance, talker, Ssrc(0x7002), account, Running::Program { program }))
}

/// An address that nobody used a moment ago: the programs take no socket, only a number.
fn free_address() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.local_addr().expect("an address")
}
