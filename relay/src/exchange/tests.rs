//! What comes before the greeting of its trunk, and what control does not take.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use relay_core::{
    Millis, TrunkId,
    call::ROUND_TRIP_MAX,
    trunk::{
        Overstep, Range, frame,
        link::{Limits, VERSION},
        wire::{CallStarted, Frame, Hello, Letter, Subscribe, frame::What, letter},
    },
};

use super::{Exchange, arriving::EARLY_MAX};
use crate::{
    clock::Clock,
    event::{TRUNK_EVENTS_MAX, TrunkEvent},
    trunk::{Arrival, TrunkConfig},
};

fn config(dir: &std::path::Path) -> TrunkConfig {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![String::from("a.example")]).unwrap().signed_by(&key, &issuer).unwrap();
    let path = |name: &str, text: String| {
        let path = dir.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    TrunkConfig {
        system: String::from("a.example"),
        address: "127.0.0.1:0".parse().unwrap(),
        certificate: path("a.pem", certificate.pem()),
        key: path("a-key.pem", key.serialize_pem()),
        ca: path("ca.pem", issuer.pem()),
    }
}

#[test]
fn letters_that_come_before_the_greeting_are_told_after_it_up_to_their_limit() {
    let dir = tempfile::tempdir().unwrap();
    let exchange = Arc::new(Exchange::new(Clock::start()));
    let mut events = exchange.span(&config(dir.path()), Range::new(1)).unwrap();
    let trunk = exchange.put_partner("b.example", None, Limits::default()).unwrap();
    let system: Arc<str> = Arc::from("b.example");
    let started = letter::What::CallStarted(CallStarted { group: String::from("sip:fire@b.example") });
    let letter = Letter { id: 1, what: Some(started) };
    let bytes = Bytes::from(frame::bytes(&letter).unwrap());
    exchange.arrived(Arrival::Up { trunk, system: Arc::clone(&system) });
    for _ in 0..=EARLY_MAX {
        exchange.arrived(Arrival::Letter { trunk, bytes: bytes.clone() });
    }
    assert!(events.try_recv().is_err(), "nobody knows yet whether both speak the same protocol");
    let hello = Hello { system: String::from("b.example"), version: VERSION, incarnation: 1 };
    let hello = frame::bytes(&Frame { what: Some(What::Hello(hello)) }).unwrap();
    exchange.arrived(Arrival::Frame { trunk, bytes: Bytes::from(hello) });
    assert_eq!(events.try_recv().unwrap(), TrunkEvent::Up { system: Arc::clone(&system) });
    for _ in 0..EARLY_MAX {
        let letter = Box::new(letter.clone());
        assert_eq!(events.try_recv().unwrap(), TrunkEvent::Letter { system: Arc::clone(&system), letter });
    }
    assert!(events.try_recv().is_err(), "one more is too many: its trunk is closed");
    exchange.stop();
}

fn started(group: &str) -> Letter {
    Letter { id: 0, what: Some(letter::What::CallStarted(CallStarted { group: group.into() })) }
}

/// A partner whose trunk stands.
fn greeted(exchange: &Arc<Exchange>, system: &str, limits: Limits) -> TrunkId {
    let trunk = exchange.put_partner(system, None, limits).unwrap();
    greet(exchange, trunk, system);
    trunk
}

fn greet(exchange: &Arc<Exchange>, trunk: TrunkId, system: &str) {
    exchange.arrived(Arrival::Up { trunk, system: Arc::from(system) });
    let hello = Hello { system: system.into(), version: VERSION, incarnation: 1 };
    let hello = frame::bytes(&Frame { what: Some(What::Hello(hello)) }).unwrap();
    exchange.arrived(Arrival::Frame { trunk, bytes: Bytes::from(hello) });
}

fn refused(exchange: &Exchange, system: &str, cause: &str) -> f64 {
    let labels = vec![("system", system.to_owned()), ("cause", cause.to_owned())];
    let all = exchange.metrics();
    all.iter().find(|metric| metric.name == "trunk_refused_total" && metric.labels == labels).unwrap().value
}

#[test]
fn a_flood_of_letters_ends_the_trunk_of_its_sender_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let exchange = Arc::new(Exchange::new(Clock::start()));
    let mut events = exchange.span(&config(dir.path()), Range::new(1)).unwrap();
    let limits = Limits { letters_per_s: 100, ..Limits::default() };
    let [b, c] = ["b.example", "c.example"].map(|system| greeted(&exchange, system, limits));
    let write = |trunk, group: &str| {
        let bytes = Bytes::from(frame::bytes(&started(group)).unwrap());
        exchange.arrived(Arrival::Letter { trunk, bytes });
    };
    for flood in 1..=2_u32 {
        // Far more than come back to the bucket meanwhile.
        (0..10_000).for_each(|_| write(b, "sip:flood@b.example"));
        assert!(!exchange.is_ready(b) && exchange.is_ready(c));
        assert_eq!(refused(&exchange, "b.example", "trunk.letters_per_s"), f64::from(flood));
        assert_eq!(refused(&exchange, "c.example", "trunk.letters_per_s"), 0.0);
        exchange.arrived(Arrival::Down { trunk: b, system: Arc::from("b.example"), why: Arc::from("flood") });
        greet(&exchange, b, "b.example");
    }
    write(c, "sip:fire@c.example");
    let (mut told, mut of_c) = (Vec::new(), Vec::new());
    while let Ok(event) = events.try_recv() {
        match event {
            TrunkEvent::Refused { system, cause, .. } => told.push((system.unwrap(), cause)),
            TrunkEvent::Down { system, .. } => assert_eq!(&*system, "b.example"),
            TrunkEvent::Letter { system, letter } if &*system == "c.example" => of_c.push(*letter),
            _ => {}
        }
    }
    assert_eq!(told, [(String::from("b.example"), "flood")], "two are counted, and one is told within a minute");
    assert_eq!(of_c, [started("sip:fire@c.example")]);
    exchange.stop();
}

#[test]
fn what_a_partner_may_not_is_told_once_a_minute_and_cause_and_counted_every_time() {
    let dir = tempfile::tempdir().unwrap();
    let exchange = Arc::new(Exchange::new(Clock::start()));
    let mut events = exchange.span(&config(dir.path()), Range::new(1)).unwrap();
    let limits = Limits { calls: 0, ..Limits::default() };
    let [b, c] = ["b.example", "c.example"].map(|system| greeted(&exchange, system, limits));
    let subscribe = |trunk, flow| {
        let ask = Subscribe { flow, group: String::from("sip:fire@a.example"), ..Default::default() };
        let bytes = frame::bytes(&Frame { what: Some(What::Subscribe(ask)) }).unwrap();
        exchange.arrived(Arrival::Frame { trunk, bytes: Bytes::from(bytes) });
    };
    [(b, 1), (b, 2), (c, 1)].into_iter().for_each(|(trunk, flow)| subscribe(trunk, flow));
    for _ in 0..3 {
        exchange.overstepped(b, Overstep::Participant, "ssrc-out-of-range", String::from("under 0x7"));
    }
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let TrunkEvent::Overstepped { system, what, cause, .. } = event {
            told.push((system.to_string(), what, cause));
        }
    }
    let entry = |system: &str, what, cause| (String::from(system), what, cause);
    assert_eq!(
        told,
        [
            entry("b.example", Overstep::Subscription, "limit-reached"),
            entry("c.example", Overstep::Subscription, "limit-reached"),
            entry("b.example", Overstep::Participant, "ssrc-out-of-range"),
        ]
    );
    assert_eq!(refused(&exchange, "b.example", "trunk.calls"), 2.0);
    assert_eq!(refused(&exchange, "b.example", "ssrc-out-of-range"), 3.0);
    assert_eq!(refused(&exchange, "c.example", "ssrc-out-of-range"), 0.0);
    exchange.stop();
}

/// Counts warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<AtomicU64>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn a_round_trip_above_2_s_warns_and_counts_each_time_that_it_becomes_so() {
    let dir = tempfile::tempdir().unwrap();
    let exchange = Arc::new(Exchange::new(Clock::start()));
    let _events = exchange.span(&config(dir.path()), Range::new(1)).unwrap();
    let b = greeted(&exchange, "b.example", Limits::default());
    let warnings = Warnings::default();
    let counted = || {
        let all = exchange.metrics();
        let exceeded = all.iter().find(|metric| metric.name == "trunk_round_trip_exceeded_total").unwrap();
        (exceeded.value as u64, warnings.0.load(Ordering::Relaxed))
    };
    tracing::subscriber::with_default(warnings.clone(), || {
        let most = ROUND_TRIP_MAX.0;
        for (round_trip, times) in [(most, 0), (most + 1, 1), (most + 500, 1), (most, 1), (most + 1, 2)] {
            exchange.watch(exchange.lines().get_mut(&b).unwrap(), Millis(round_trip));
            assert_eq!(counted(), (times, times), "after {round_trip} ms");
        }
    });
    exchange.stop();
}

#[test]
fn events_wait_for_control_up_to_their_limit_and_one_more_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let exchange = Arc::new(Exchange::new(Clock::start()));
    let mut events = exchange.span(&config(dir.path()), Range::new(1)).unwrap();
    let event = || TrunkEvent::Up { system: Arc::from("b.example") };
    let shed = || exchange.counters.events_shed.load(Ordering::Relaxed);
    for _ in 0..TRUNK_EVENTS_MAX {
        exchange.tell(None, event());
    }
    assert_eq!(shed(), 0);
    exchange.tell(None, event());
    assert_eq!(shed(), 1);
    assert_eq!(events.try_recv().unwrap(), event());
    exchange.tell(None, event());
    assert_eq!((shed(), events.len()), (1, TRUNK_EVENTS_MAX));
    exchange.stop();
}
