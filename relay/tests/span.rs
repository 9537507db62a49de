//! One call in two systems on real sockets: two relays, the trunk between them, and control played by the test.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::{fs, net::UdpSocket, path::Path, sync::Arc, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use relay::{Call, CallSettings, Config, FloorAction, FloorResult, PartnerCall, Relay, TrunkEvent, trunk::TrunkConfig};
use relay_core::{
    Slot, Ssrc,
    late_entry::ResumePoint,
    roster::{Attachment, Behind, Leg, Participant},
    rtp,
    trunk::link::Limits,
};
use tokio::sync::mpsc::Receiver;

/// Longer than anything here takes; whoever waits for longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

struct System {
    relay: Relay,
    events: Receiver<TrunkEvent>,
}

/// A certificate for each system, by one authority.
fn certificates(dir: &Path, systems: &[&str]) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    fs::write(dir.join("ca.pem"), issuer.pem()).unwrap();
    for system in systems {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![(*system).to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        fs::write(dir.join(format!("{system}.pem")), certificate.pem()).unwrap();
        fs::write(dir.join(format!("{system}-key.pem")), key.serialize_pem()).unwrap();
    }
}

fn start(dir: &Path, system: &str) -> System {
    let config = Config { media: "127.0.0.1:0".parse().unwrap(), workers: 2, calls_max: 16 };
    let relay = Relay::start(config).unwrap().0;
    let trunk = TrunkConfig {
        system: system.into(),
        address: "127.0.0.1:0".parse().unwrap(),
        certificate: dir.join(format!("{system}.pem")),
        key: dir.join(format!("{system}-key.pem")),
        ca: dir.join("ca.pem"),
    };
    let events = relay.span(&trunk).unwrap();
    System { relay, events }
}

impl System {
    async fn event(&mut self) -> TrunkEvent {
        tokio::time::timeout(PATIENCE, self.events.recv()).await.expect("an event comes").expect("the relay runs")
    }

    async fn up(&mut self) {
        while !matches!(self.event().await, TrunkEvent::Up { .. }) {}
    }
}

/// A client on a leg of its own.
struct Client {
    rtp: UdpSocket,
    ssrc: Ssrc,
    slot: Slot,
    entry: u64,
}

async fn enter(call: &Call, user: &str, resume: Vec<ResumePoint>) -> Client {
    let rtp = UdpSocket::bind("127.0.0.1:0").unwrap();
    rtp.set_read_timeout(Some(PATIENCE)).unwrap();
    let ssrc = call.assign_ssrc().unwrap();
    let leg = Leg { rtp: rtp.local_addr().unwrap(), floor: None };
    let participant = Participant { resume, ..Participant::new(user, "radio", leg, ssrc) };
    let entered = call.enter(participant).await.expect("the owner answers");
    Client { rtp, ssrc, slot: entered.slot, entry: entered.entry }
}

impl Client {
    fn talk(&self, call: &Call, numbers: std::ops::Range<u16>) {
        for sequence in numbers {
            self.rtp.send_to(&packet(self.ssrc, sequence), call.ports().rtp).unwrap();
        }
    }

    fn hears(&self, from: Ssrc, numbers: std::ops::Range<u16>) {
        let mut datagram = [0; 2048];
        for sequence in numbers {
            let length = self.rtp.recv(&mut datagram).expect("media comes");
            assert_eq!(&datagram[..length], packet(from, sequence), "packet {sequence}, every byte of it");
        }
    }

    async fn request(&self, call: &Call) -> FloorResult {
        call.floor(self.slot, self.entry, FloorAction::Request { priority: 0 }).await.unwrap().result
    }
}

fn packet(ssrc: Ssrc, sequence: u16) -> Vec<u8> {
    let payload_type = rtp::PayloadType::try_from(96).unwrap();
    let header = rtp::Header { marker: false, payload_type, sequence, timestamp: u32::from(sequence) * 320, ssrc };
    let mut packet = vec![sequence as u8; 60];
    header.write(&mut packet).unwrap();
    packet
}

/// Answers the next subscription.
async fn admit(home: &mut System, call: &Call) {
    loop {
        if let TrunkEvent::Subscribe(subscription) = home.event().await {
            assert_eq!((subscription.system(), subscription.group()), ("b.example", "sip:fire@a.example"));
            return home.relay.answer(*subscription, Ok(call));
        }
    }
}

/// Lets the next announced participant in, and answers the SSRC that it was announced with.
async fn welcome(home: &mut System, call: &Call) -> Ssrc {
    loop {
        if let TrunkEvent::Announced { trunk, announced, .. } = home.event().await {
            let leg = Attachment::Trunk(Behind { trunk, reference: announced.reference });
            let who = Participant::new(&announced.user, &announced.client, leg, announced.audio_ssrc);
            call.enter(who).await.unwrap();
            return announced.audio_ssrc;
        }
    }
}

async fn pair() -> (tempfile::TempDir, System, System) {
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path(), &["a.example", "b.example"]);
    let (mut a, mut b) = (start(dir.path(), "a.example"), start(dir.path(), "b.example"));
    let address = b.relay.trunk_addr();
    b.relay.put_partner("a.example", a.relay.trunk_addr(), Limits::default()).unwrap();
    a.relay.put_partner("b.example", address, Limits::default()).unwrap();
    a.up().await;
    b.up().await;
    (dir, a, b)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_one_call_in_two_systems() {
    let (_dir, mut a, b) = pair().await;
    let home = a.relay.open_call(Arc::from("home"), CallSettings::default()).unwrap();
    let ana = enter(&home, "sip:ana@a.example", vec![]).await;
    let ben = enter(&home, "sip:ben@a.example", vec![]).await;
    assert_eq!(ana.request(&home).await, FloorResult::Granted);
    ana.talk(&home, 0..20);
    ben.hears(ana.ssrc, 0..20);
    // The partner comes: all that was said is there before anybody enters.
    let there = PartnerCall { system: "a.example", group: "sip:fire@a.example", start: false };
    let away = b.relay.open_partner_call(Arc::from("away"), CallSettings::default(), there).unwrap().unwrap();
    admit(&mut a, &home).await;
    away.joined().await.expect("the home takes it in");
    let eva = enter(&away, "sip:eva@b.example", vec![ResumePoint { ssrc: ana.ssrc, sequence: 4 }]).await;
    eva.hears(ana.ssrc, 5..20);
    assert_eq!(welcome(&mut a, &home).await, eva.ssrc);
    ana.talk(&home, 20..40);
    ben.hears(ana.ssrc, 20..40);
    eva.hears(ana.ssrc, 20..40);
    let (asked, row) = (away.describe().await.unwrap().floor, away.status().floor);
    assert_eq!((asked.talker.as_deref(), asked.audio_ssrc), (Some("sip:ana@a.example"), Some(ana.ssrc)));
    assert_eq!((&row.talker, row.audio_ssrc), (&asked.talker, asked.audio_ssrc), "the row names who talks at home");
    // eva asks the home through her own system, and is heard in both.
    home.floor(ana.slot, ana.entry, FloorAction::Release).await.unwrap();
    assert_eq!(eva.request(&away).await, FloorResult::Granted);
    eva.talk(&away, 0..20);
    ana.hears(eva.ssrc, 0..20);
    ben.hears(eva.ssrc, 0..20);
    assert_eq!(home.describe().await.unwrap().floor.talker.as_deref(), Some("sip:eva@b.example"));
    for call in [&home, &away] {
        assert_eq!(call.status().floor.talker.as_deref(), Some("sip:eva@b.example"));
    }
    away.close().await.unwrap();
    a.relay.stop();
    b.relay.stop();
}
