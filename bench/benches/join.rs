//! Join latency of a running relay: how long until a newcomer of a silent call has its first datagram. `cargo bench -p bench --bench join`.
//!
//! Nobody talks, so the first datagram is Floor Idle on the newcomer's floor address. The clock starts before the roster with the
//! newcomer is published (the copy of a chunk and of the spine are in it) and stops with the kernel's stamp on the datagram: the
//! instant at which loopback took it. In between lie the wake of the owner, its look at the table, the entry, and `sendmmsg`. The
//! others are entered before and stay; they hold what they always hold and are sent nothing.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use bench::raw;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use relay::{Call, CallSettings, Config, FloorSettings, Relay};
use relay_core::{floor::message, roster};
use tokio::runtime::{Builder, Runtime};

/// A relay with one worker and one silent call.
struct Stage {
    relay: Relay,
    runtime: Runtime,
    call: Call,
    newcomer: UdpSocket,
}

impl Stage {
    fn set(participants: u32) -> Stage {
        let config = Config { media: "127.0.0.1:0".parse().expect("an address"), workers: 1, calls_max: 4 };
        let (relay, _events) = Relay::start(config).expect("the relay starts");
        // The call stays however long nobody talks.
        let floor = FloorSettings { hang_time_s: 0, ..CallSettings::default().floor };
        let settings = CallSettings { floor, participants_max: participants + 1, ..CallSettings::default() };
        let call = relay.open_call(Arc::from("silent"), settings).expect("a call");
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        for number in 0..participants {
            let address = SocketAddr::from((Ipv4Addr::from(0x7f02_0000 + number), 4000));
            let leg = roster::Leg { rtp: address, floor: None };
            let ssrc = call.assign_ssrc().expect("a free SSRC");
            let who = roster::Participant::new(&format!("sip:{number}@bench"), "bench", leg, ssrc);
            runtime.block_on(call.enter(who)).expect("a participant enters");
        }
        let newcomer = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        raw::stamp(&newcomer);
        newcomer.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout");
        Stage { relay, runtime, call, newcomer }
    }

    /// Enters, takes the first datagram, leaves.
    fn join_once(&self) -> Duration {
        let own = self.newcomer.local_addr().expect("an address");
        let ssrc = self.call.assign_ssrc().expect("a free SSRC");
        // The RTP address is another one: what arrives on the socket is the floor's.
        let rtp = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 1), 9));
        let who = roster::Participant::new("sip:late@bench", "bench", roster::Leg { rtp, floor: Some(own) }, ssrc);
        let begin = raw::wall_ns();
        let entered = self.runtime.block_on(self.call.enter(who)).expect("the owner answers");
        let mut space = [0u8; 2048];
        let (length, stamp) = raw::receive_stamped(&self.newcomer, &mut space).expect("the first datagram comes");
        let first = message::read(&space[..length]).next();
        let Some(Ok(message::Item::Packet(first))) = first else { panic!("{first:?} is no floor message") };
        assert_eq!(first.message.kind(), message::Kind::Idle, "nobody talks");
        self.runtime.block_on(self.call.leave(entered.slot, entered.entry)).expect("the owner answers");
        // A repeat may have come before it left.
        self.newcomer.set_nonblocking(true).expect("a mode");
        while self.newcomer.recv(&mut space).is_ok() {}
        self.newcomer.set_nonblocking(false).expect("a mode");
        Duration::from_nanos(stamp.saturating_sub(begin))
    }
}

fn joining(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("join to first datagram");
    for participants in [10, 1_000, 10_000, 100_000] {
        let stage = Stage::set(participants);
        group.bench_function(BenchmarkId::new("silent call of", participants), |bencher| {
            bencher.iter_custom(|iterations| (0..iterations).map(|_| stage.join_once()).sum());
        });
        stage.relay.stop();
    }
}

/// Three seconds for each: there are many, and each is short.
fn config() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = config(); targets = joining }
criterion_main!(benches);
