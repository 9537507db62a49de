//! The media plane on real sockets: a talker, an early and a late participant, as control would enter them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::{net::UdpSocket, sync::Arc, time::Duration};

use relay::{Call, CallSettings, Config, FloorAction, FloorResult, Relay, call::AskError};
use relay_core::{Slot, Ssrc, floor::message, late_entry::ResumePoint, roster, rtp};

/// A client with its two sockets.
struct Client {
    rtp: UdpSocket,
    floor: UdpSocket,
    ssrc: Ssrc,
    slot: Slot,
    entry: u64,
}

fn start(workers: usize) -> Relay {
    start_at("127.0.0.1:0", workers)
}

fn start_at(media: &str, workers: usize) -> Relay {
    let config = Config { media: media.parse().unwrap(), workers, calls_max: 16 };
    Relay::start(config).expect("loopback is there").0
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket
}

fn describe(user: &str, rtp: &UdpSocket, floor: &UdpSocket, ssrc: Ssrc) -> roster::Participant {
    let leg = roster::Leg { rtp: rtp.local_addr().unwrap(), floor: Some(floor.local_addr().unwrap()) };
    roster::Participant::new(user, "radio", leg, ssrc)
}

async fn enter(call: &Call, user: &str, resume: Vec<ResumePoint>) -> Client {
    let (rtp, floor, ssrc) = (socket(), socket(), call.assign_ssrc().unwrap());
    let participant = roster::Participant { resume, ..describe(user, &rtp, &floor, ssrc) };
    let entered = call.enter(participant).await.expect("the owner answers");
    Client { rtp, floor, ssrc, slot: entered.slot, entry: entered.entry }
}

/// A Floor Release that asks for a Floor Ack.
fn release(ssrc: Ssrc) -> Vec<u8> {
    let packet = message::Packet {
        ssrc,
        acknowledge: true,
        message: message::Message::Release { indicator: None },
        track_info: None,
    };
    let mut datagram = [0; 64];
    let length = packet.write(&mut datagram).unwrap();
    datagram[..length].to_vec()
}

/// How many datagrams were dropped for this cause.
fn dropped(relay: &Relay, cause: &str) -> f64 {
    let of = |metric: &relay::metrics::Metric| metric.labels.iter().any(|(_, value)| value == cause);
    relay.metrics().into_iter().find(of).expect("the cause is counted").value
}

impl Client {
    fn talk(&self, call: &Call, numbers: std::ops::Range<u16>) {
        for sequence in numbers {
            let payload_type = rtp::PayloadType::try_from(96).unwrap();
            let header = rtp::Header { marker: false, payload_type, sequence, timestamp: 0, ssrc: self.ssrc };
            let mut packet = [0u8; 60];
            header.write(&mut packet).unwrap();
            self.rtp.send_to(&packet, call.ports().rtp).unwrap();
        }
    }

    fn hear(&self) -> u16 {
        let mut datagram = [0; 2048];
        let length = self.rtp.recv(&mut datagram).expect("media comes");
        rtp::Packet::parse(&datagram[..length]).unwrap().sequence()
    }

    fn hear_many(&self, numbers: std::ops::Range<u16>) {
        numbers.for_each(|number| assert_eq!(self.hear(), number));
    }

    fn told(&self) -> u8 {
        let mut datagram = [0; 2048];
        self.floor.recv(&mut datagram).expect("a floor message comes");
        datagram[0] & 0x1f
    }

    /// Nothing more comes: everything that could was sent before the answer that this follows.
    fn silent(&self) {
        self.rtp.set_nonblocking(true).unwrap();
        assert!(self.rtp.recv(&mut [0; 2048]).is_err(), "nothing comes after leaving");
    }
}

#[tokio::test]
async fn a_late_participant_hears_floor_retained_and_live() {
    let relay = start(2);
    for owner in 0..2 {
        let call = relay.open_call(Arc::from(format!("call-{owner}")), CallSettings::default()).unwrap();
        let ana = enter(&call, "sip:ana@a", vec![]).await;
        let ben = enter(&call, "sip:ben@a", vec![]).await;
        let answer = call.floor(ana.slot, ana.entry, FloorAction::Request { priority: 0 }).await.unwrap();
        assert_eq!(answer.result, FloorResult::Granted);
        let status = call.status();
        assert_eq!(status.floor.talker.as_deref(), Some("sip:ana@a"), "the status row is no older than the answer");
        ana.talk(&call, 0..20);
        ben.hear_many(0..20);
        let eva = enter(&call, "sip:eva@a", vec![ResumePoint { ssrc: ana.ssrc, sequence: 9 }]).await;
        assert_eq!(eva.told(), 18, "Floor Taken, acknowledgement wanted");
        ana.talk(&call, 20..25);
        eva.hear_many(10..25);
        ben.hear_many(20..25);
        call.leave(ben.slot, ben.entry).await.unwrap();
        ana.talk(&call, 25..30);
        eva.hear_many(25..30);
        ben.silent();
        let status = call.status();
        assert_eq!(status.floor.talker.as_deref(), Some("sip:ana@a"));
        assert_eq!(status.newest.map(|media| media.sequence), Some(29));
        call.close().await.unwrap();
        ana.talk(&call, 30..31);
    }
    relay.stop();
}

#[tokio::test]
async fn one_leg_address_serves_calls_of_two_workers() {
    let relay = start(2);
    let calls: Vec<Call> =
        (0..2).map(|n| relay.open_call(Arc::from(format!("{n}")), CallSettings::default()).unwrap()).collect();
    assert_ne!(calls[0].ports(), calls[1].ports());
    let (rtp, floor) = (socket(), socket());
    let mut talkers = vec![];
    for call in &calls {
        let eva = describe("sip:eva@a", &rtp, &floor, call.assign_ssrc().unwrap());
        call.enter(eva).await.unwrap();
        let ana = enter(call, "sip:ana@a", vec![]).await;
        call.floor(ana.slot, ana.entry, FloorAction::Request { priority: 0 }).await.unwrap();
        talkers.push(ana);
    }
    for (call, ana) in calls.iter().zip(&talkers) {
        ana.talk(call, 0..10);
        let mut datagram = [0; 2048];
        for number in 0..10 {
            let (length, from) = rtp.recv_from(&mut datagram).expect("media comes");
            let packet = rtp::Packet::parse(&datagram[..length]).unwrap();
            assert_eq!((packet.ssrc(), packet.sequence(), from), (ana.ssrc, number, call.ports().rtp));
        }
    }
    relay.stop();
}

#[tokio::test]
async fn strangers_are_counted_and_cost_nobody_a_packet() {
    let relay = start(1);
    let call = relay.open_call(Arc::from("call"), CallSettings::default()).unwrap();
    let ana = enter(&call, "sip:ana@a", vec![]).await;
    let ben = enter(&call, "sip:ben@a", vec![]).await;
    call.floor(ana.slot, ana.entry, FloorAction::Request { priority: 0 }).await.unwrap();
    let stranger_floor = socket();
    let stranger =
        Client { rtp: socket(), floor: stranger_floor.try_clone().unwrap(), ssrc: ana.ssrc, slot: ana.slot, entry: 0 };
    stranger.talk(&call, 0..50);
    Client { ssrc: Ssrc(ana.ssrc.0 ^ 1), rtp: ana.rtp.try_clone().unwrap(), ..stranger }.talk(&call, 0..20);
    for length in 0..60 {
        ana.rtp.send_to(&vec![0x80; length], call.ports().rtp).unwrap();
        ana.floor.send_to(&vec![0x80; length], call.ports().floor).unwrap();
    }
    ana.talk(&call, 0..100);
    ben.hear_many(0..100);
    // A release in Ana's name from another address ends nothing.
    stranger_floor.send_to(&release(ana.ssrc), call.ports().floor).unwrap();
    // The owner answers this behind everything else that came to its floor socket.
    ben.floor.send_to(&release(ben.ssrc), call.ports().floor).unwrap();
    while ben.told() != message::Kind::Ack.number() {}
    assert_eq!(call.status().floor.audio_ssrc, Some(ana.ssrc), "she still talks");
    let count = |cause| dropped(&relay, cause);
    assert_eq!((count("rtp-stranger"), count("rtp-wrong-ssrc")), (50.0, 20.0 + 48.0));
    assert_eq!(count("rtp-malformed"), 12.0);
    assert_eq!(count("floor-stranger"), 1.0);
    assert!(count("floor-malformed") > 0.0);
    relay.stop();
}

#[tokio::test]
async fn a_replaced_leg_is_a_stranger_and_its_entry_is_nobodys() {
    let relay = start(1);
    let call = relay.open_call(Arc::from("call"), CallSettings::default()).unwrap();
    let ana = enter(&call, "sip:ana@a", vec![]).await;
    let ben = enter(&call, "sip:ben@a", vec![]).await;
    call.floor(ana.slot, ana.entry, FloorAction::Request { priority: 0 }).await.unwrap();
    let (rtp, floor) = (socket(), socket());
    let moved = call.replace(ana.slot, describe("sip:ana@a", &rtp, &floor, ana.ssrc)).await.unwrap();
    let now = Client { rtp, floor, ssrc: ana.ssrc, slot: moved.slot, entry: moved.entry };
    ana.talk(&call, 0..3);
    now.talk(&call, 3..6);
    ben.hear_many(3..6);
    assert_eq!((dropped(&relay, "rtp-stranger"), dropped(&relay, "rtp-wrong-ssrc")), (3.0, 0.0));
    assert_eq!(call.floor(ana.slot, ana.entry, FloorAction::Release).await.unwrap_err(), AskError::Left);
    assert_eq!(call.leave(ana.slot, ana.entry).await, Err(AskError::Left));
    now.talk(&call, 6..7);
    ben.hear_many(6..7);
    call.leave(now.slot, now.entry).await.unwrap();
    now.talk(&call, 7..9);
    // What came to the RTP socket before it was read before this.
    ben.talk(&call, 0..1);
    let begin = std::time::Instant::now();
    while dropped(&relay, "no-permission") < 1.0 {
        assert!(begin.elapsed() < Duration::from_secs(5), "Ben's packet is counted");
        tokio::task::yield_now().await;
    }
    assert_eq!(dropped(&relay, "rtp-stranger"), 5.0);
    relay.stop();
}

#[tokio::test]
async fn more_floor_messages_than_a_leg_may_send_are_counted() {
    let relay = start(1);
    let call = relay.open_call(Arc::from("call"), CallSettings::default()).unwrap();
    let ana = enter(&call, "sip:ana@a", vec![]).await;
    let limit = relay.limits().into_iter().find(|limit| limit.name == "floor.messages_per_s").unwrap().value as f64;
    let begin = std::time::Instant::now();
    let sent = 4.0 * limit;
    for _ in 0..sent as usize {
        ana.floor.send_to(&release(ana.ssrc), call.ports().floor).unwrap();
    }
    let received = || {
        let metrics = relay.metrics();
        metrics.into_iter().find(|metric| metric.name == "floor_messages_received_total").unwrap().value
    };
    while received() + dropped(&relay, "floor.messages_per_s") < sent {
        assert!(begin.elapsed() < Duration::from_secs(5), "every message is counted");
        tokio::task::yield_now().await;
    }
    let most = limit * (1.0 + begin.elapsed().as_secs_f64()) + 1.0;
    assert!((limit..=most).contains(&received()), "{} of {sent}", received());
    relay.stop();
}

#[tokio::test]
async fn what_the_kernel_refuses_is_shown_for_its_participant_alone() {
    let relay = start(1);
    let call = relay.open_call(Arc::from("call"), CallSettings::default()).unwrap();
    let ana = enter(&call, "sip:ana@a", vec![]).await;
    let ben = enter(&call, "sip:ben@a", vec![]).await;
    let mut nowhere = describe("sip:eva@a", &socket(), &socket(), call.assign_ssrc().unwrap());
    // Port 0 is refused by the kernel at once.
    nowhere.leg = roster::Leg { rtp: ([127, 0, 0, 1], 0).into(), floor: None }.into();
    let eva = call.enter(nowhere).await.unwrap();
    call.floor(ana.slot, ana.entry, FloorAction::Request { priority: 0 }).await.unwrap();
    ana.talk(&call, 0..3);
    ben.hear_many(0..3);
    // A packet counts once it is out for everybody, which may be a moment after Ben has it.
    let facts = loop {
        let facts = call.participants(None, 9).await.unwrap();
        let of = |slot| facts.iter().find(|facts| facts.slot == slot).map(|facts| (facts.sent, facts.dropped.clone()));
        if of(ben.slot) != Some((2, vec![])) {
            break (of(ben.slot), of(eva.slot));
        }
    };
    assert_eq!(facts, (Some((3, vec![])), Some((0, vec![("other", 3)]))));
    relay.stop();
}
