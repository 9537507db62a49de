//! A partner that speaks the protocol and breaks its rules, octet by octet: each attempt is answered, on record under its name and
//! cause, and nothing to anybody else.

use std::sync::{
    Arc, OnceLock, Weak,
    mpsc::{Receiver, channel},
};

use relay::trunk::{Arrival, FRAMES_MAX, TrunkConfig, Trunks};
use relay_core::{
    Ssrc, TrunkId,
    rtp::{self, PayloadType},
    trunk::{
        Range, frame,
        link::VERSION,
        stream::{Bytes, BytesMut, write_quic_number},
        wire::{self, Frame, Letter, frame::What, letter},
    },
};
use serde_json::json;

use super::{
    host::{PATIENCE, until},
    radio::Seat,
    stage::{A, ANA, B, CHAT, FIRE, MIA, Stage, TOM},
};

const C: &str = "c.example";
const CAT: &str = "sip:cat@c.example";

/// The network side of a system, without the rules.
struct Bare {
    trunks: Arc<Trunks>,
    trunk: TrunkId,
    arrivals: Receiver<Arrival>,
}

impl Bare {
    fn start(stage: &Stage) -> Bare {
        let pair = stage.certs.systems.iter().find(|pair| pair.system == C).unwrap();
        let config = TrunkConfig {
            system: C.into(),
            address: "127.0.0.1:0".parse().unwrap(),
            certificate: pair.certificate.clone(),
            key: pair.key.clone(),
            ca: stage.certs.ca.clone(),
        };
        let (sender, arrivals) = channel();
        let own = Arc::<OnceLock<Weak<Trunks>>>::default();
        let started = Arc::clone(&own);
        let trunks = Trunks::start(&config, move |arrival| {
            // Each heartbeat is answered with one, so that the trunk lives however slow the test is.
            if let Arrival::Frame { trunk, bytes } = &arrival
                && let Ok(Frame { what: Some(What::Heartbeat(_)) }) = frame::parse(bytes)
                && let Some(trunks) = started.get().and_then(Weak::upgrade)
            {
                _ = trunks.frame(*trunk, heartbeat());
            }
            // Nobody listens any more when the test is over.
            _ = sender.send(arrival);
        });
        let trunks = Arc::new(trunks.unwrap());
        own.set(Arc::downgrade(&trunks)).unwrap();
        let trunk = trunks.put_partner(A, Some(stage.a.trunk)).unwrap();
        Bare { trunks, trunk, arrivals }
    }

    /// What comes next and is looked for.
    #[track_caller]
    fn until<T>(&self, what: &str, mut found: impl FnMut(Arrival) -> Option<T>) -> T {
        loop {
            let arrival = self.arrivals.recv_timeout(PATIENCE);
            let arrival = arrival.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"));
            if let Some(found) = found(arrival) {
                return found;
            }
        }
    }

    fn answer<T>(&self, what: &str, mut found: impl FnMut(What) -> Option<T>) -> T {
        self.until(what, |arrival| match arrival {
            Arrival::Frame { bytes, .. } => frame::parse::<Frame>(&bytes).unwrap().what.and_then(&mut found),
            _ => None,
        })
    }

    fn say(&self, what: What) {
        let bytes = frame::bytes(&Frame { what: Some(what) }).unwrap();
        self.trunks.frame(self.trunk, bytes.into()).unwrap();
    }

    /// Greets on the next connection.
    fn greet(&self, version: u32) {
        self.until("a connection", |arrival| matches!(arrival, Arrival::Up { .. }).then_some(()));
        self.say(What::Hello(wire::Hello { system: C.into(), version, incarnation: 7 }));
    }

    #[track_caller]
    fn refused(&self, what: What) -> String {
        self.say(what);
        self.answer("a refusal", |what| match what {
            What::Refused(refused) => Some(refused.cause),
            _ => None,
        })
    }

    #[track_caller]
    fn expelled(&self, announce: wire::Announce) -> String {
        let asked = announce.reference;
        self.say(What::Announce(announce));
        self.answer("an Expel", |what| match what {
            What::Expel(expel) if expel.reference == asked => Some(expel.cause),
            _ => None,
        })
    }

    fn media(&self, flow: u32, ssrc: u32) {
        let payload_type = PayloadType::try_from(96).unwrap();
        let header = rtp::Header { marker: false, payload_type, sequence: 9, timestamp: 0, ssrc: Ssrc(ssrc) };
        let mut packet = [0; 60];
        header.write(&mut packet).unwrap();
        let mut datagram = BytesMut::new();
        write_quic_number(flow, &mut datagram);
        datagram.extend_from_slice(&packet);
        self.trunks.media(self.trunk, datagram.freeze());
    }
}

fn heartbeat() -> Bytes {
    let heartbeat = What::Heartbeat(wire::Heartbeat { at: 1, echo: 0, held: 0 });
    frame::bytes(&Frame { what: Some(heartbeat) }).unwrap().into()
}

fn subscribe(flow: u32, group: &str) -> What {
    What::Subscribe(wire::Subscribe { flow, group: group.into(), ..Default::default() })
}

fn is_on_record(stage: &Stage, event: &str, cause: &str) {
    assert_eq!(stage.a.audited(event, Some(cause))["system"], C, "{event} {cause}");
}

/// Calls in which it has nobody, and the same call twice; its number of the call and its range.
fn subscribes(stage: &Stage, c: &Bare) -> (u32, Range) {
    assert_eq!(c.refused(subscribe(5, CHAT)), "not-affiliated");
    is_on_record(stage, "subscription-refused", "not-affiliated");
    let request = wire::AffiliationRequest {
        user: CAT.into(),
        partner_user: CAT.into(),
        client: "radio".into(),
        generation: 0,
        groups: vec![FIRE.into()],
    };
    let affiliate = Letter { id: 1, what: Some(letter::What::Affiliate(request)) };
    c.trunks.letter(c.trunk, frame::bytes(&affiliate).unwrap().into()).unwrap();
    let item = c.until("an answer", |arrival| match arrival {
        Arrival::Letter { bytes, .. } => match frame::parse::<Letter>(&bytes).unwrap().what {
            Some(letter::What::Affiliation(answer)) => answer.items.into_iter().next(),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(item.cause, "", "{}", item.detail);
    c.say(subscribe(7, FIRE));
    let call = c.answer("the call", |what| match what {
        What::Subscribed(subscribed) => Some((subscribed.home_flow, Range::from_wire(subscribed.range).unwrap())),
        _ => None,
    });
    assert_eq!(c.refused(subscribe(8, FIRE)), "already-subscribed");
    is_on_record(stage, "subscription-refused", "already-subscribed");
    call
}

/// Participants: one with an SSRC of somebody else, one that is not affiliated, one too many, one twice.
fn announces(stage: &Stage, c: &Bare, seat: &Seat, (flow, range): (u32, Range)) {
    let announce = |reference: u32, user: &str, audio_ssrc: u32| wire::Announce {
        flow,
        reference,
        user: user.into(),
        client: "radio".into(),
        audio_ssrc,
        queueing: true,
        priority: 5,
    };
    let own = range.at(1).0;
    let refused = |announce: wire::Announce, cause: &str| {
        assert_eq!(c.expelled(announce), cause);
        is_on_record(stage, "participant-refused", cause);
    };
    refused(announce(1, CAT, seat.ssrc), "ssrc-out-of-range");
    refused(announce(2, "sip:dan@c.example", own), "not-affiliated");
    c.say(What::Announce(announce(3, CAT, own)));
    stage.a.lists(&seat.call, &[ANA, CAT, MIA, TOM]);
    refused(announce(4, CAT, range.at(2).0), "limit-reached");
    refused(announce(3, CAT, own), "forged-reference");
    stage.a.lists(&seat.call, &[ANA, MIA, TOM]);
}

/// More frames than are taken in a second, for as long as the trunk stands.
fn floods(c: &Bare) {
    let sent = || {
        let frames = |metric: &relay::metrics::Metric| {
            metric.name == "trunk_messages_sent_total" && metric.labels == [("kind", String::from("frame"))]
        };
        c.trunks.counters().into_iter().find(frames).unwrap().value as u64
    };
    let mut said = sent();
    loop {
        while let Ok(arrival) = c.arrivals.try_recv() {
            if let Arrival::Down { .. } = arrival {
                return;
            }
        }
        // So many as wait for the network without ending the trunk on this side.
        if said < sent() + FRAMES_MAX as u64 / 2 {
            c.trunks.frame(c.trunk, heartbeat()).unwrap();
            said += 1;
        } else {
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_partner_that_breaks_the_rules_is_on_record_for_each_and_disturbs_nobody() {
    let stage = Stage::new();
    let members: Vec<_> = [TOM, ANA, MIA, CAT].iter().map(|user| json!({"user": user})).collect();
    stage.put_group(FIRE, json!({"members": members}));
    stage.a.put("/v1/partners/c.example", &json!({"address": null, "limits": {"participants": 1}})).expect(200);
    let (tom, seat) = stage.talker(TOM, FIRE);
    let listening = [ANA, MIA].map(|user| stage.radio(user, &[FIRE]));
    listening.iter().for_each(|radio| drop(stage.a.entered(radio, FIRE)));

    let c = Bare::start(&stage);
    c.greet(VERSION);
    let call = subscribes(&stage, &c);
    announces(&stage, &c, &seat, call);
    // Media under the SSRC of somebody else. A datagram may be lost, and is sent again.
    let arrived = || stage.a.metric("carryover_trunk_media_received_total");
    let before = arrived();
    until("media of others arrive", || {
        c.media(call.0, seat.ssrc);
        arrived() > before
    });
    is_on_record(&stage, "media-refused", "ssrc-out-of-range");
    floods(&c);
    is_on_record(&stage, "trunk-refused", "flood");
    c.greet(VERSION + 1);
    is_on_record(&stage, "trunk-refused", "version");

    let said = stage.speak(&tom, &seat, 0..20);
    for radio in &listening {
        assert_eq!(radio.hear(20), said, "{} hears every packet of the talker and nothing else", radio.user);
    }
    stage.a.lists(&seat.call, &[ANA, MIA, TOM]);
    assert!(stage.a.is_up(B) && stage.b.is_up(A));
    assert_eq!(stage.b.metric("carryover_trunks_down_total"), 0, "the trunk of another partner never ended");
}
