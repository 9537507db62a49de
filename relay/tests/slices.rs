//! A large call on real sockets: two workers send it, and nobody can tell.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::{
    collections::HashMap,
    io::IoSliceMut,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use relay::{Call, CallSettings, Config, Entered, FloorAction, Relay, udp::Socket};
use relay_core::{Millis, Ssrc, roster, rtp};

/// More than four times what an owner keeps for itself.
const PARTICIPANTS: u32 = 1_100;

/// Enough for two slices, and few enough that a debug build on a busy machine keeps up with a talker.
const UNDER_LOAD: u32 = 560;

/// Receive batches between two looks at something else.
const BATCHES: usize = 64;

/// Between two packets of a talker.
const SPACING: Duration = Duration::from_millis(20);

/// Every address of the loopback net, at one port.
struct Sink {
    socket: Socket,
    state: UdpSocketState,
    space: Vec<u8>,
    heard: HashMap<IpAddr, Vec<u16>>,
    total: usize,
    /// Who may send.
    from: SocketAddr,
}

/// A call of two workers with a talker and a sink for everybody else.
struct Scene {
    relay: Relay,
    call: Call,
    sink: Sink,
    talker: Arc<Talker>,
}

struct Talker {
    socket: UdpSocket,
    to: SocketAddr,
    ssrc: Ssrc,
    /// The number of the next packet.
    next: AtomicU16,
}

fn address(number: u32) -> IpAddr {
    Ipv4Addr::from(0x7f10_0000 + number).into()
}

impl Talker {
    fn talk(&self) {
        let sequence = self.next.fetch_add(1, Ordering::SeqCst);
        let payload_type = rtp::PayloadType::try_from(96).unwrap();
        let header = rtp::Header { marker: false, payload_type, sequence, timestamp: 0, ssrc: self.ssrc };
        let mut packet = [0u8; 60];
        header.write(&mut packet).unwrap();
        self.socket.send_to(&packet, self.to).unwrap();
    }

    /// What comes after this was said after now.
    fn next(&self) -> u16 {
        self.next.load(Ordering::SeqCst)
    }

    /// Talks in a thread of its own until it is stopped.
    fn keep_talking(self: &Arc<Self>, pause: Duration) -> (Arc<AtomicBool>, JoinHandle<()>) {
        let (stop, talker) = (Arc::new(AtomicBool::new(false)), Arc::clone(self));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                talker.talk();
                std::thread::park_timeout(pause);
            }
        });
        (stop, thread)
    }
}

impl Sink {
    fn new(from: SocketAddr) -> Sink {
        let socket = Socket::open("0.0.0.0:0".parse().unwrap()).unwrap();
        let state = UdpSocketState::new((&socket).into()).unwrap();
        Sink { socket, state, space: vec![0; 2048 * BATCH_SIZE], heard: HashMap::new(), total: 0, from }
    }

    /// Takes what is there.
    fn take(&mut self) {
        while self.take_some() {}
    }

    /// Takes so much that a relay which sends faster than this sink takes does not keep it for ever; false if nothing more is there.
    fn take_some(&mut self) -> bool {
        let mut meta = [RecvMeta::default(); BATCH_SIZE];
        for _ in 0..BATCHES {
            let mut slices: Vec<IoSliceMut<'_>> = self.space.chunks_mut(2048).map(IoSliceMut::new).collect();
            let Ok(count) = self.state.recv((&self.socket).into(), &mut slices, &mut meta) else { return false };
            for (space, meta) in self.space.chunks(2048).zip(&meta[..count]) {
                assert_eq!(meta.addr, self.from, "participants know the owner's address alone");
                for datagram in space[..meta.len].chunks(meta.stride) {
                    let number = rtp::Packet::parse(datagram).unwrap().sequence();
                    self.heard.entry(meta.dst_ip.expect("the kernel says it")).or_default().push(number);
                    self.total += 1;
                }
            }
        }
        true
    }

    fn take_until(&mut self, total: usize) {
        let begin = Instant::now();
        while self.total < total {
            self.take();
            assert!(begin.elapsed() < Duration::from_secs(60), "{} of {total} came", self.total);
            std::thread::yield_now();
        }
    }

    /// Takes what comes until the talker says something more, which is then on its way to everybody.
    fn take_while(&mut self, talker: &Talker) {
        let before = talker.next();
        while talker.next() == before {
            self.take_some();
            std::thread::yield_now();
        }
    }

    fn of(&self, number: u32) -> &[u16] {
        self.heard.get(&address(number)).map_or(&[], Vec::as_slice)
    }
}

impl Scene {
    async fn new(participants: u32) -> Scene {
        let config = Config { media: "127.0.0.1:0".parse().unwrap(), workers: 2, calls_max: 4 };
        let relay = Relay::start(config).expect("loopback is there").0;
        let settings = CallSettings { packets_per_s: 5_000, bytes_per_s: 1 << 20, ..CallSettings::default() };
        let call = relay.open_call(Arc::from("call"), settings).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let ssrc = call.assign_ssrc().unwrap();
        let leg = roster::Leg { rtp: socket.local_addr().unwrap(), floor: None };
        let ana = call.enter(roster::Participant::new("sip:ana@a", "radio", leg, ssrc)).await.unwrap();
        let talker = Arc::new(Talker { socket, to: call.ports().rtp, ssrc, next: AtomicU16::new(0) });
        let sink = Sink::new(call.ports().rtp);
        let scene = Scene { relay, call, sink, talker };
        for number in 0..participants {
            scene.call.enter(scene.participant(number)).await.unwrap();
        }
        scene.call.floor(ana.slot, ana.entry, FloorAction::Request { priority: 0 }).await.unwrap();
        scene
    }

    fn participant(&self, number: u32) -> roster::Participant {
        let rtp = SocketAddr::new(address(number), self.sink.socket.address().port());
        let leg = roster::Leg { rtp, floor: None };
        roster::Participant::new(&format!("sip:{number}@a"), "radio", leg, self.call.assign_ssrc().unwrap())
    }

    fn metric(&self, name: &str) -> f64 {
        self.relay.metrics().iter().filter(|metric| metric.name == name).map(|metric| metric.value).sum()
    }

    /// Everybody whom the call still has hears everything that was said until now.
    fn finish(&mut self, numbers: impl Iterator<Item = u32>) {
        let until = self.talker.next();
        let begin = Instant::now();
        let whole: Vec<u16> = (0..until).collect();
        for number in numbers {
            while self.sink.of(number).last().is_none_or(|last| last + 1 < until) {
                self.sink.take();
                assert!(begin.elapsed() < Duration::from_secs(60), "{number} hears {:?}", self.sink.of(number).last());
                std::thread::yield_now();
            }
            assert_eq!(self.sink.of(number), whole, "{number}");
        }
        assert_eq!(self.metric("deliveries_lost_total"), 0.0);
    }

    async fn enter(&self, number: u32) -> Entered {
        self.call.enter(self.participant(number)).await.unwrap()
    }
}

#[tokio::test]
async fn everybody_in_a_large_call_hears_everything_once_and_in_order() {
    let mut scene = Scene::new(PARTICIPANTS).await;
    for _ in 0..8 {
        (0..5).for_each(|_| scene.talker.talk());
        scene.sink.take_until(usize::from(scene.talker.next()) * PARTICIPANTS as usize);
    }
    scene.finish(0..PARTICIPANTS);
    let sliced = scene.metric("media_sliced_total");
    let own = f64::from(40 * PARTICIPANTS) - sliced;
    assert!(sliced > 40.0 * 500.0 && own > 40.0 * 500.0, "{sliced} came from the other worker, {own} from the owner");
    // Who entered before anything was said has been sent everything that it heard.
    let facts = scene.call.participants(None, 2_000).await.unwrap();
    assert!(facts[1..].iter().all(|facts| facts.sent == 40 && facts.dropped.is_empty()));
    scene.relay.stop();
}

#[tokio::test]
async fn nothing_comes_after_leaving_a_call_under_load() {
    let mut scene = Scene::new(UNDER_LOAD).await;
    let (stop, talking) = scene.talker.keep_talking(SPACING);
    let mut gone = Vec::new();
    for number in (0..UNDER_LOAD).step_by(9) {
        // The talker is at slot 0, number 0 at slot 1; entries are counted from 1.
        let (slot, entry) = (relay_core::Slot(number + 1), u64::from(number) + 2);
        scene.call.leave(slot, entry).await.unwrap();
        gone.push((number, scene.talker.next()));
        scene.sink.take_while(&scene.talker);
    }
    stop.store(true, Ordering::SeqCst);
    talking.join().unwrap();
    (0..5).for_each(|_| scene.talker.talk());
    scene.finish((0..UNDER_LOAD).filter(|number| number % 9 != 0));
    for (number, until) in gone {
        let heard = scene.sink.of(number);
        assert!(heard.iter().copied().eq(0..heard.len() as u16), "{number} has a hole: {heard:?}");
        assert!(
            heard.len() <= usize::from(until),
            "{number} hears {heard:?}, but was told at {until} that it would not"
        );
    }
    scene.relay.stop();
}

#[tokio::test]
async fn a_leg_replaced_under_load_loses_and_doubles_nothing() {
    let mut scene = Scene::new(UNDER_LOAD).await;
    let (stop, talking) = scene.talker.keep_talking(SPACING);
    let mut moved = Vec::new();
    for number in (0..UNDER_LOAD).step_by(15) {
        let slot = relay_core::Slot(number + 1);
        let new = number + 10_000;
        let ssrc = scene.call.assign_ssrc().unwrap();
        let who = roster::Participant { audio_ssrc: ssrc, ..scene.participant(new) };
        scene.call.replace(slot, who).await.unwrap();
        moved.push((number, new, scene.talker.next()));
        scene.sink.take_while(&scene.talker);
    }
    stop.store(true, Ordering::SeqCst);
    talking.join().unwrap();
    (0..5).for_each(|_| scene.talker.talk());
    scene.finish((0..UNDER_LOAD).filter(|number| number % 15 != 0));
    let until = scene.talker.next();
    let begin = Instant::now();
    for (old, new, answered) in moved {
        while scene.sink.of(new).last().is_none_or(|last| last + 1 < until) {
            scene.sink.take();
            assert!(begin.elapsed() < Duration::from_secs(60), "{new} hears {:?}", scene.sink.of(new));
            std::thread::yield_now();
        }
        let both: Vec<u16> = scene.sink.of(old).iter().chain(scene.sink.of(new)).copied().collect();
        assert!(both.iter().copied().eq(0..until), "{old} and then {new}: {both:?}");
        assert!(scene.sink.of(old).len() <= usize::from(answered));
    }
    scene.relay.stop();
}

/// More is said than two workers can send: what does not fit is lost, but nobody waits for a backlog to leave, or to enter.
#[tokio::test]
async fn a_saturated_call_lets_everybody_in_and_out() {
    let mut scene = Scene::new(PARTICIPANTS).await;
    let (stop, talking) = scene.talker.keep_talking(Duration::from_micros(100));
    while scene.metric("deliveries_lost_total") == 0.0 && scene.talker.next() < 20_000 {
        scene.sink.take_some();
        std::thread::yield_now();
    }
    for number in (0..PARTICIPANTS).step_by(100) {
        let slot = relay_core::Slot(number + 1);
        scene.call.leave(slot, u64::from(number) + 2).await.expect("it is answered in time");
        scene.enter(30_000 + number).await;
    }
    stop.store(true, Ordering::SeqCst);
    talking.join().unwrap();
    scene.relay.stop();
}

#[tokio::test]
async fn a_large_call_that_is_closed_is_silent_and_its_row_serves_the_next() {
    let mut scene = Scene::new(UNDER_LOAD).await;
    let (stop, talking) = scene.talker.keep_talking(SPACING);
    let begin = Instant::now();
    while scene.sink.of(UNDER_LOAD - 1).len() < 20 {
        scene.sink.take();
        assert!(begin.elapsed() < Duration::from_secs(60));
        std::thread::yield_now();
    }
    scene.call.close().await.unwrap();
    let until = scene.talker.next();
    stop.store(true, Ordering::SeqCst);
    talking.join().unwrap();
    // Another call comes and goes at both workers; whatever the old one left would be seen by now.
    for _ in 0..2 {
        let settings = CallSettings { retention: Millis(1_000), ..CallSettings::default() };
        scene.call = scene.relay.open_call(Arc::from("next"), settings).unwrap();
        for number in 0..300 {
            scene.enter(20_000 + number).await;
        }
        scene.call.close().await.unwrap();
    }
    scene.sink.take();
    for number in 0..UNDER_LOAD {
        let heard = scene.sink.of(number);
        assert!(heard.iter().copied().eq(0..heard.len() as u16) && heard.len() <= usize::from(until), "{heard:?}");
    }
    assert_eq!((scene.metric("calls"), scene.metric("participants")), (0.0, 0.0));
    scene.relay.stop();
}
