//! Limits of the media plane, from both sides, and an owner that does not answer.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::{
    net::UdpSocket,
    sync::Arc,
    time::{Duration, Instant},
};

use relay::{
    Call, CallSettings, Config, Exhausted, FloorAction, Relay,
    call::{AskError, EnterError},
    event::EVENTS_MAX,
};
use relay_core::{Millis, Slot, roster, rtp};

const CALLS_MAX: usize = 3;

fn start(media: &str) -> Relay {
    let config = Config { media: media.parse().unwrap(), workers: 2, calls_max: CALLS_MAX };
    Relay::start(config).expect("loopback is there").0
}

fn open(relay: &Relay, settings: CallSettings) -> Result<Call, Exhausted> {
    relay.open_call(Arc::from("call"), settings)
}

fn participant(call: &Call, user: &str, rtp: &UdpSocket) -> roster::Participant {
    let leg = roster::Leg { rtp: rtp.local_addr().unwrap(), floor: None };
    roster::Participant::new(user, "radio", leg, call.assign_ssrc().unwrap())
}

fn socket(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket
}

#[tokio::test]
async fn a_node_has_so_many_calls_and_one_that_ends_makes_room() {
    let relay = start("127.0.0.1:0");
    let calls: Vec<Call> = (0..CALLS_MAX).map(|_| open(&relay, CallSettings::default()).unwrap()).collect();
    let full = open(&relay, CallSettings::default()).unwrap_err();
    assert_eq!(full, Exhausted { limit: "calls", value: CALLS_MAX as u64 });
    for _ in 0..20 {
        calls[0].close().await.ok();
        let again = open(&relay, CallSettings::default()).expect("a call has ended");
        again.close().await.unwrap();
    }
    relay.stop();
}

/// A call that has ended gives its row to the next one. Who still holds it hears that it has ended, and nothing of the next.
#[tokio::test]
async fn a_call_that_has_ended_speaks_for_no_other() {
    let config = Config { media: "127.0.0.1:0".parse().unwrap(), workers: 1, calls_max: 1 };
    let relay = Relay::start(config).expect("loopback is there").0;
    let ended = open(&relay, CallSettings::default()).unwrap();
    ended.close().await.unwrap();
    let call = open(&relay, CallSettings::default()).unwrap();
    let rtp = socket("127.0.0.1:0");
    call.enter(participant(&call, "sip:ana@a", &rtp)).await.unwrap();
    assert_eq!(ended.describe().await, Err(AskError::Ended));
    assert_eq!(ended.participants(None, 9).await, Err(AskError::Ended));
    assert_eq!(ended.floor(Slot(0), 1, FloorAction::Release).await, Err(AskError::Ended));
    assert_eq!(ended.close().await, Err(AskError::Ended));
    assert_eq!(call.participants(None, 9).await.unwrap().len(), 1);
    relay.stop();
}

#[tokio::test]
async fn a_call_has_so_many_participants_and_one_that_leaves_makes_room() {
    let relay = start("127.0.0.1:0");
    let call = open(&relay, CallSettings { participants_max: 2, ..CallSettings::default() }).unwrap();
    let sockets: Vec<UdpSocket> = (0..3).map(|_| socket("127.0.0.1:0")).collect();
    let first = call.enter(participant(&call, "sip:ana@a", &sockets[0])).await.unwrap();
    call.enter(participant(&call, "sip:ben@a", &sockets[1])).await.unwrap();
    let full = call.enter(participant(&call, "sip:eva@a", &sockets[2])).await.unwrap_err();
    assert_eq!(full, EnterError::Exhausted(Exhausted { limit: "participants", value: 2 }));
    call.leave(first.slot, first.entry).await.unwrap();
    call.enter(participant(&call, "sip:eva@a", &sockets[2])).await.unwrap();
    assert_eq!(call.leave(first.slot, first.entry).await, Err(AskError::Left), "the slot is another's now");
    relay.stop();
}

#[tokio::test]
async fn an_owner_that_does_not_answer_costs_two_seconds_and_no_more() {
    let relay = start("127.0.0.1:0");
    let call = open(&relay, CallSettings::default()).unwrap();
    // A worker that has ended is a worker that is stuck for good.
    relay.stop();
    let rtp = socket("127.0.0.1:0");
    let begin = Instant::now();
    let refused = call.enter(participant(&call, "sip:ana@a", &rtp)).await.unwrap_err();
    assert_eq!(refused, EnterError::Unanswered);
    let waited = begin.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(4)).contains(&waited), "{waited:?}");
    assert_eq!(call.floor(Slot(0), 1, FloorAction::Release).await, Err(AskError::Unanswered));
}

#[tokio::test]
async fn the_mail_of_a_worker_is_bounded_and_says_so() {
    let relay = start("127.0.0.1:0");
    let call = open(&relay, CallSettings::default()).unwrap();
    relay.stop();
    let limit = relay.limits().into_iter().find(|limit| limit.name == "worker.mail").unwrap();
    let mut posted = 0;
    let full = loop {
        match call.configure(&CallSettings::default()) {
            Ok(()) => posted += 1,
            Err(full) => break full,
        }
    };
    assert_eq!(full, Exhausted { limit: "worker.mail", value: limit.value });
    assert!((limit.value - 1..=limit.value).contains(&posted), "{posted} letters, and perhaps the call's own");
    let rtp = socket("127.0.0.1:0");
    let refused = call.enter(participant(&call, "sip:ana@a", &rtp)).await.unwrap_err();
    assert_eq!(refused, EnterError::Exhausted(full));
}

/// Nobody takes the events: as many wait as may, and every further one is counted.
#[tokio::test]
async fn events_that_nobody_takes_are_bounded_and_counted() {
    let config = Config { media: "127.0.0.1:0".parse().unwrap(), workers: 1, calls_max: CALLS_MAX };
    let (relay, mut events) = Relay::start(config).unwrap();
    let call = open(&relay, CallSettings { participants_max: 10_000, ..CallSettings::default() }).unwrap();
    let more = 5;
    for number in 0..EVENTS_MAX as u32 + more {
        let address = std::net::Ipv4Addr::from(0x7f10_0000 + number);
        let leg = roster::Leg { rtp: (address, 4000).into(), floor: None };
        let rtp = socket("127.0.0.1:0");
        let who =
            roster::Participant { leg: leg.into(), expires: Some(Millis(1)), ..participant(&call, "sip:ana@a", &rtp) };
        call.enter(who).await.unwrap();
    }
    let lost = || relay.metrics().into_iter().find(|metric| metric.name == "events_lost_total").unwrap().value;
    let begin = Instant::now();
    while lost() < f64::from(more) {
        assert!(begin.elapsed() < Duration::from_secs(5), "{} are counted", lost());
        tokio::task::yield_now().await;
    }
    assert_eq!(events.len(), EVENTS_MAX);
    assert!(events.recv().await.is_some());
    relay.stop();
}

#[tokio::test]
async fn a_node_on_ipv6_serves_ipv6() {
    let relay = start("[::1]:0");
    let call = open(&relay, CallSettings::default()).unwrap();
    let (ana, ben) = (socket("[::1]:0"), socket("[::1]:0"));
    let talker = participant(&call, "sip:ana@a", &ana);
    let ssrc = talker.audio_ssrc;
    let entered = call.enter(talker).await.unwrap();
    call.enter(participant(&call, "sip:ben@a", &ben)).await.unwrap();
    call.floor(entered.slot, entered.entry, FloorAction::Request { priority: 0 }).await.unwrap();
    let payload_type = rtp::PayloadType::try_from(96).unwrap();
    let header = rtp::Header { marker: false, payload_type, sequence: 7, timestamp: 0, ssrc };
    let mut packet = [0u8; 40];
    header.write(&mut packet).unwrap();
    ana.send_to(&packet, call.ports().rtp).unwrap();
    let mut heard = [0u8; 100];
    assert_eq!(ben.recv(&mut heard).unwrap(), packet.len());
    assert_eq!(heard[..packet.len()], packet);
    relay.stop();
}

/// One address sends 10,000 junk datagrams a second, of every kind; the talker beside it loses nothing.
#[tokio::test]
async fn a_flood_of_junk_costs_nobody_a_packet() {
    let relay = start("127.0.0.1:0");
    let call = open(&relay, CallSettings::default()).unwrap();
    let (ana, ben, junk) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"), socket("127.0.0.1:0"));
    let talker = participant(&call, "sip:ana@a", &ana);
    let ssrc = talker.audio_ssrc;
    let entered = call.enter(talker).await.unwrap();
    call.enter(participant(&call, "sip:ben@a", &ben)).await.unwrap();
    call.floor(entered.slot, entered.entry, FloorAction::Request { priority: 0 }).await.unwrap();
    let ports = call.ports();
    let flood = std::thread::spawn(move || {
        let begin = Instant::now();
        for number in 0..10_000u32 {
            let mut datagram = [0x80u8; 64];
            datagram[8..12].copy_from_slice(&ssrc.0.to_be_bytes());
            datagram[1] = number as u8;
            let to = [ports.rtp, ports.rtcp, ports.floor][number as usize % 3];
            junk.send_to(&datagram[..number as usize % 64], to).unwrap();
            while begin.elapsed() < Duration::from_micros(100) * number {
                std::hint::spin_loop();
            }
        }
    });
    for sequence in 0..50u16 {
        let payload_type = rtp::PayloadType::try_from(96).unwrap();
        let header = rtp::Header { marker: false, payload_type, sequence, timestamp: 0, ssrc };
        let mut packet = [0u8; 40];
        header.write(&mut packet).unwrap();
        ana.send_to(&packet, call.ports().rtp).unwrap();
        let mut heard = [0u8; 100];
        assert_eq!(ben.recv(&mut heard).expect("media comes"), packet.len());
        assert_eq!(heard[..packet.len()], packet);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    flood.join().unwrap();
    let dropped = |metric: &relay::metrics::Metric| metric.name == "datagrams_dropped_total";
    let dropped: f64 = relay.metrics().iter().filter(|metric| dropped(metric)).map(|metric| metric.value).sum();
    assert!(dropped > 9_000.0, "{dropped} of 10,000 are counted");
    relay.stop();
}
