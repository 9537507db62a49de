//! What comes to a trunk and has no business there: partners that ask for what is not theirs, certificates of nobody, junk.

use std::net::UdpSocket;

use control::certs;
use relay::{Relay, TrunkEvent, trunk::TrunkConfig};
use relay_core::trunk::{
    link::Limits,
    wire::{self, Letter, letter::What},
};
use serde_json::json;
use tokio::{runtime::Handle, sync::mpsc};

use super::{
    host::{PATIENCE, is_over, until},
    radio::{Radio, Seat},
    stage::{A, ANA, B, FIRE, MIA, Stage, TOM},
};

const C: &str = "c.example";

/// A system that says what the test wants, over a trunk to A.
struct Stranger {
    relay: Relay,
    events: mpsc::Receiver<TrunkEvent>,
    runtime: Handle,
    letters: u64,
}

impl Stranger {
    fn start(stage: &Stage, certs: &certs::Written, system: &str) -> Stranger {
        let pair = certs.systems.iter().find(|pair| pair.system == system).unwrap();
        let free = "127.0.0.1:0".parse().unwrap();
        let config = TrunkConfig {
            system: system.into(),
            address: free,
            certificate: pair.certificate.clone(),
            key: pair.key.clone(),
            ca: certs.ca.clone(),
        };
        let (relay, _) = Relay::start(relay::Config { media: free, workers: 1, calls_max: 4 }).unwrap();
        let events = relay.span(&config).unwrap();
        relay.put_partner(A, Some(stage.a.trunk), Limits::default()).unwrap();
        Stranger { relay, events, runtime: stage.runtime.handle().clone(), letters: 0 }
    }

    fn next(&mut self) -> TrunkEvent {
        let event = async { tokio::time::timeout(PATIENCE, self.events.recv()).await };
        self.runtime.block_on(event).expect("something comes").expect("the trunks run")
    }

    fn await_trunk(&mut self) {
        while !matches!(self.next(), TrunkEvent::Up { .. }) {}
    }

    /// What A answers.
    fn ask(&mut self, what: What) -> What {
        self.letters += 1;
        let id = self.letters;
        self.relay.write(A, &Letter { id, what: Some(what) }).unwrap();
        loop {
            if let TrunkEvent::Letter { letter, .. } = self.next()
                && letter.id == id
            {
                return letter.what.unwrap();
            }
        }
    }

    /// The cause with which A refuses.
    #[track_caller]
    fn refused(&mut self, what: What) -> String {
        match self.ask(what) {
            What::Refusal(refusal) => refusal.cause,
            other => panic!("it is not refused: {other:?}"),
        }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.relay.stop();
    }
}

/// Tom talks, Ana and Mia listen; what happens to strangers is nothing to them.
fn burst(stage: &Stage) -> (Radio, Seat, [Radio; 2]) {
    let (tom, seat) = stage.talker(TOM, FIRE);
    let listening = [stage.radio(ANA, &[FIRE]), stage.radio(MIA, &[FIRE])];
    listening.iter().for_each(|radio| drop(stage.a.entered(radio, FIRE)));
    (tom, seat, listening)
}

fn all_is_well(stage: &Stage, (tom, seat, listening): &(Radio, Seat, [Radio; 2]), numbers: std::ops::Range<u16>) {
    let count = numbers.len();
    let said = stage.speak(tom, seat, numbers);
    for radio in listening {
        assert_eq!(radio.hear(count), said, "{} hears on", radio.user);
    }
    stage.a.lists(&seat.call, &[ANA, MIA, TOM]);
}

#[test]
fn mig_37_a_partner_moves_nobody_who_did_not_ask() {
    let stage = Stage::new();
    stage.a.put("/v1/partners/c.example", &json!({"address": null})).expect(200);
    stage.put_user(MIA, json!({"groups": [FIRE], "partners": [B, C]}));
    let scene = burst(&stage);
    let mia = &scene.2[1];
    let mut c = Stranger::start(&stage, &stage.certs, C);
    c.await_trunk();
    let (user, client) = (MIA.to_owned(), mia.client.clone());
    let leave = |ticket: Vec<u8>| What::Leave(wire::Leave { ticket, user: user.clone(), client: client.clone() });
    let octets = |hex: &str| -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    };
    assert_eq!(c.refused(leave(Vec::new())), "ticket-missing");
    assert_eq!(c.refused(leave(vec![7; 32])), "ticket-unknown");
    assert_eq!(c.refused(leave(octets(&mia.ticket(B).unwrap()))), "ticket-foreign");
    let migration = vec![9; 32];
    let profile =
        wire::ProfileRequest { migration: migration.clone(), user: user.clone(), client: client.clone(), index: 1 };
    assert_eq!(c.refused(What::Profile(profile)), "superseded");
    let partner_user = "sip:mia-a.example@c.example".to_owned();
    let authorize = wire::AuthorizationRequest {
        migration: migration.clone(),
        user: user.clone(),
        client: client.clone(),
        partner_user: partner_user.clone(),
        index: 1,
    };
    assert_eq!(c.refused(What::Authorize(authorize)), "superseded");
    let affiliate = |user: &str, generation, group: &str| {
        let groups = vec![group.to_owned()];
        What::Affiliate(wire::AffiliationRequest {
            user: user.into(),
            partner_user: partner_user.clone(),
            client: client.clone(),
            generation,
            groups,
        })
    };
    let cause = |answer: What| match answer {
        What::Affiliation(answer) => answer.items[0].cause.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(cause(c.ask(affiliate(MIA, 1, FIRE))), "identity-superseded");
    assert_eq!(cause(c.ask(affiliate("sip:cat@c.example", 0, FIRE))), "not-a-member");
    assert_eq!(cause(c.ask(affiliate("sip:bea@b.example", 0, FIRE))), "not-authorized", "another partner's user");
    assert_eq!(cause(c.ask(affiliate("sip:cat@c.example", 0, "sip:none@a.example"))), "no-such-group");
    let give_up = wire::GiveUp { user, client, generation: 1, migration, cause: "x".into() };
    assert_eq!(c.ask(What::GiveUp(give_up)), What::Done(wire::Done {}), "there is nothing to give up");
    for (event, cause) in [
        ("ticket-refused", "ticket-missing"),
        ("ticket-refused", "ticket-unknown"),
        ("ticket-refused", "ticket-foreign"),
        ("migration-refused", "superseded"),
        ("affiliation-refused", "identity-superseded"),
        ("affiliation-refused", "not-a-member"),
        ("affiliation-refused", "not-authorized"),
    ] {
        assert_eq!(stage.a.audited(event, Some(cause))["system"], C);
    }
    all_is_well(&stage, &scene, 0..10);
    assert_eq!(stage.a.calls().len(), 1);
}

#[test]
fn who_leaves_for_one_system_is_not_taken_by_another() {
    let stage = Stage::new();
    stage.a.put("/v1/partners/c.example", &json!({"address": null})).expect(200);
    stage.put_user(MIA, json!({"groups": [FIRE], "partners": [B, C]}));
    let mia = stage.radio(MIA, &[FIRE]);
    let mut c = Stranger::start(&stage, &stage.certs, C);
    c.await_trunk();
    let octets = |hex: &str| -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    };
    let ticket = octets(&mia.ticket(C).unwrap());
    // C has her leave, and goes no further; then B is asked.
    let leave = wire::Leave { ticket, user: MIA.into(), client: mia.client.clone() };
    let What::Left(left) = c.ask(What::Leave(leave)) else { panic!("her ticket is good") };
    let migration = stage.b.begin_move(&mia, A, json!([{"group": FIRE}]));
    let moved = stage.b.watch(&migration, is_over);
    assert_eq!((&moved["phase"], &moved["cause"]["code"]), (&json!("rolled-back"), &json!("migration-under-way")));
    let (user, client) = (MIA.to_owned(), mia.client.clone());
    let give_up = wire::GiveUp { user, client, generation: 0, migration: left.migration, cause: "changed-mind".into() };
    c.ask(What::GiveUp(give_up));
    until("she is affiliated again", || stage.a.get(&format!("/v1/affiliations/{}", mia.affiliation)).status == 200);
    stage.a.audited("migration-rolled-back", None);
}

#[test]
fn certificates_of_nobody_and_junk_disturb_no_trunk() {
    let stage = Stage::new();
    let scene = burst(&stage);
    // The right name, and an authority that nobody knows.
    let forged = certs::make(&stage.folder.path().join("forged"), &[B.to_owned()]).unwrap();
    let refused = |host: &super::host::Host| host.metric("carryover_trunks_refused_total");
    let before = refused(&stage.a);
    let liar = Stranger::start(&stage, &forged, B);
    until("the forged certificate is refused", || refused(&stage.a) > before);
    // A right certificate, of a system that is no partner.
    let before = refused(&stage.a);
    let unknown = Stranger::start(&stage, &stage.certs, C);
    until("the unknown system is refused", || refused(&stage.a) > before);
    // Junk of every length, and what begins like QUIC.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..2000_u32 {
        let mut junk: Vec<u8> =
            (0..number % 1400).map(|at| (at.wrapping_mul(2_654_435_761) >> (number % 24)) as u8).collect();
        if let (true, Some(first)) = (number % 3 == 0, junk.first_mut()) {
            *first |= 0xc0;
        }
        socket.send_to(&junk, stage.a.trunk).unwrap();
    }
    assert!(!liar.relay.is_up(A) && !unknown.relay.is_up(A));
    assert_eq!(stage.a.get("/v1/partners/b.example").body["up"], true);
    all_is_well(&stage, &scene, 0..10);
    let mut mia = Radio::new(MIA);
    stage.a.authorize(&mut mia);
    let moved = stage.b.take_over(&mut mia, A, json!([{"group": FIRE}]));
    assert_eq!(moved["phase"], "P9", "and a move goes on as ever: {moved}");
}
