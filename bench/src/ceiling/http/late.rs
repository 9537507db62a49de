//! L1: a late entry as a client sees it, from its HTTP request to the first retained packet, beside `GET /healthz` on the same
//! connection. Both begin on one clock; the packet is stamped by the kernel as it comes in.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use relay_core::{Ssrc, rtp};
use serde_json::{Value, json};

use super::{super::stage::PACKET, client::Client, node::Node};
use crate::{allocations, raw};

/// Participants of the call, the talker not counted.
const PARTICIPANTS: usize = 500;

/// Enters of one round, each paired with a leave and a `GET /healthz`.
const ENTRIES: u64 = 500;

/// 500 a second.
const PAUSE: Duration = Duration::from_millis(2);

/// A packet every 20 ms, as AMR-WB speaks.
const PTIME: Duration = Duration::from_millis(20);

const GROUP: &str = "/v1/groups/sip%3Alate%40bench.example";

/// What was seen.
pub(super) struct Seen {
    /// Per round: p50 of the entries by p50 of healthz.
    pub(super) ratios: Vec<f64>,
    /// Nanoseconds.
    pub(super) entries: Histogram<u64>,
    /// Nanoseconds.
    pub(super) healthz: Histogram<u64>,
    /// Per round.
    pub(super) entries_per_s: Vec<f64>,
}

/// Plays `rounds` after one that warms up.
pub(super) fn measure(node: &Node, rounds: usize) -> io::Result<Seen> {
    let mut stage = Stage::set(node)?;
    let mut seen = Seen { ratios: Vec::new(), entries: histogram(), healthz: histogram(), entries_per_s: Vec::new() };
    for round in 0..=rounds {
        let (mut entries, mut healthz) = (histogram(), histogram());
        let begin = Instant::now();
        for entry in 0..ENTRIES as u32 {
            stage.wait(begin + PAUSE * entry)?;
            record(&mut entries, stage.enter_and_leave()?);
            stage.wait(begin + PAUSE * entry + PAUSE / 2)?;
            record(&mut healthz, stage.healthz()?);
        }
        if round > 0 {
            seen.ratios.push(entries.value_at_quantile(0.5) as f64 / healthz.value_at_quantile(0.5) as f64);
            seen.entries_per_s.push(ENTRIES as f64 / begin.elapsed().as_secs_f64());
            for (all, round) in [(&mut seen.entries, &entries), (&mut seen.healthz, &healthz)] {
                all.add(round).map_err(io::Error::other)?;
            }
        }
    }
    Ok(seen)
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 10_000_000_000, 3).expect("sensible bounds")
}

fn record(histogram: &mut Histogram<u64>, nanoseconds: u64) {
    histogram.record(nanoseconds.max(1)).expect("within range");
}

/// A call of 500 in which somebody talks without an end, and a newcomer.
struct Stage {
    client: Client,
    call: String,
    talker: UdpSocket,
    ssrc: Ssrc,
    media: SocketAddr,
    begin: Instant,
    sequence: u16,
    newcomer: UdpSocket,
    floor: UdpSocket,
    sink: Sink,
}

impl Stage {
    fn set(node: &Node) -> io::Result<Stage> {
        let mut client = Client::connect(node.http())?;
        let floor = json!({"max_burst_s": 3600, "hang_time_s": 0});
        let group = json!({"model": "chat", "open": true, "floor": floor});
        client.ask("PUT", GROUP, &group.to_string(), 200)?;
        let talker = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let talks = entry("sip:talker@bench.example", talker.local_addr()?, None);
        let started = client.ask("POST", &format!("{GROUP}/calls"), &talks.to_string(), 201)?;
        let started: Value = serde_json::from_slice(&started)?;
        let text = |path: &str| started.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let call = format!("/v1/calls/{}", text("/call"));
        let sink = Sink::open()?;
        let people: Vec<Value> = raw::targets(PARTICIPANTS, &[sink.port])
            .into_iter()
            .enumerate()
            .map(|(number, rtp)| entry(&format!("sip:user-{number}@bench.example"), rtp, None))
            .collect();
        client.ask("POST", &format!("{call}/participants"), &json!({"items": people}).to_string(), 200)?;
        let floor = format!("{call}/participants/{}/floor", text("/participant"));
        client.ask("POST", &floor, r#"{"action":"request"}"#, 200)?;
        let ssrc = started["leg"]["audio_ssrc"].as_u64().unwrap_or_default() as u32;
        let newcomer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        raw::stamp(&newcomer);
        newcomer.set_read_timeout(Some(Duration::from_secs(2)))?;
        let mut stage = Stage {
            client,
            call,
            talker,
            ssrc: Ssrc(ssrc),
            media: text("/leg/rtp").parse().map_err(io::Error::other)?,
            begin: Instant::now(),
            sequence: 0,
            newcomer,
            floor: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?,
            sink,
        };
        // Until a burst of 200 ms is there.
        while stage.sequence < 10 {
            stage.talk()?;
        }
        Ok(stage)
    }

    /// Talks until then. Half a pause lies before either question: both find a node that has gone to sleep.
    fn wait(&mut self, until: Instant) -> io::Result<()> {
        while Instant::now() < until {
            self.talk()?;
            std::hint::spin_loop();
        }
        self.talk()
    }

    /// Sends the packet that is due, if one is.
    fn talk(&mut self) -> io::Result<()> {
        if self.begin.elapsed() < PTIME * u32::from(self.sequence) {
            return Ok(());
        }
        let payload_type = rtp::PayloadType::try_from(96).expect("seven bits");
        let timestamp = u32::from(self.sequence) * 320;
        let header = rtp::Header { marker: false, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc };
        let mut packet = [0u8; PACKET];
        header.write(&mut packet).expect("room");
        self.talker.send_to(&packet, self.media)?;
        self.sequence += 1;
        Ok(())
    }

    /// Enters, takes the first packet, leaves. Nanoseconds from the request to that packet.
    fn enter_and_leave(&mut self) -> io::Result<u64> {
        let body = entry("sip:late@bench.example", self.newcomer.local_addr()?, Some(self.floor.local_addr()?));
        let request = self.client.request("POST", &format!("{}/participants", self.call), &body.to_string());
        let mut space = [0u8; 2048];
        let begin = raw::wall_ns();
        self.client.send(&request)?;
        let (_, stamp) = raw::receive_stamped(&self.newcomer, &mut space)?;
        let answer: Value = serde_json::from_slice(&self.client.receive()?.expect(201)?)?;
        let media = &answer["late_entry"]["media"][0];
        if media["resumed_from"].is_null() {
            return Err(io::Error::other(format!("nothing retained was sent: {answer}")));
        }
        let participant = answer["participant"].as_str().unwrap_or_default();
        self.client.ask("DELETE", &format!("{}/participants/{participant}", self.call), "", 204)?;
        // Nothing more is sent to it: what waits is the rest of this entry.
        for socket in [&self.newcomer, &self.floor] {
            socket.set_nonblocking(true)?;
            while socket.recv(&mut space).is_ok() {}
            socket.set_nonblocking(false)?;
        }
        Ok(stamp.saturating_sub(begin))
    }

    fn healthz(&mut self) -> io::Result<u64> {
        let request = self.client.request("GET", "/healthz", "");
        let begin = raw::wall_ns();
        self.client.send(&request)?;
        let answer = self.client.receive()?;
        let end = raw::wall_ns();
        answer.expect(200)?;
        Ok(end.saturating_sub(begin))
    }
}

fn entry(user: &str, rtp: SocketAddr, floor: Option<SocketAddr>) -> Value {
    json!({"user": user, "client": "radio", "leg": {"udp": {"rtp": rtp, "floor": floor}}, "expires_s": 0})
}

/// Takes what the other participants hear, a hundred times a second.
struct Sink {
    port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sink {
    fn open() -> io::Result<Sink> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.set_nonblocking(true)?;
        socket2::SockRef::from(&socket).set_recv_buffer_size(8 << 20)?;
        let port = socket.local_addr()?.port();
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            allocations::unwatch_this_thread();
            let mut space = [0u8; 2048];
            while !stopping.load(Ordering::Relaxed) {
                while socket.recv(&mut space).is_ok() {}
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        Ok(Sink { port, stop, thread: Some(thread) })
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A sink that broke off has taken nothing since, which nobody measures.
        _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The call ends with its node at the latest.
        _ = self.client.ask("DELETE", &self.call, "", 204);
        self.sink.stop.store(true, Ordering::Relaxed);
    }
}
