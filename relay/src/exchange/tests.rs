//! What comes before the greeting of its trunk, and what control does not take.

use std::{
    fs,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use relay_core::trunk::{
    Range, frame,
    link::{Limits, VERSION},
    wire::{CallStarted, Frame, Hello, Letter, frame::What, letter},
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
