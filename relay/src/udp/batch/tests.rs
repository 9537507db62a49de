use std::net::{SocketAddr, UdpSocket};

use super::*;

fn socket() -> Socket {
    Socket::open("127.0.0.1:0".parse().unwrap()).expect("loopback is there")
}

fn sink() -> (UdpSocket, SocketAddr) {
    let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
    sink.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    let address = sink.local_addr().unwrap();
    (sink, address)
}

fn take(sink: &UdpSocket) -> Vec<u8> {
    let mut datagram = [0; 2048];
    let length = sink.recv(&mut datagram).expect("a datagram comes");
    datagram[..length].to_vec()
}

#[test]
fn one_payload_reaches_every_target_across_batches() {
    let (sink, address) = sink();
    let targets = vec![Address::from(address); BATCH + 3];
    let calls = Batch::new().send_same(&socket(), b"smoke", &targets, |at, why| panic!("{at}: {why:?}"));
    assert_eq!(calls, 2);
    (0..targets.len()).for_each(|_| assert_eq!(take(&sink), b"smoke"));
}

#[test]
fn a_target_that_cannot_be_sent_to_costs_nobody_else() {
    let (sink, address) = sink();
    // Port 0 is refused by the kernel at once.
    let bad = Address::from("127.0.0.1:0".parse::<SocketAddr>().unwrap());
    let good = Address::from(address);
    let targets = [bad, good, bad, bad, good];
    let mut failures = Vec::new();
    Batch::new().send_same(&socket(), b"x", &targets, |at, _| failures.push(at));
    assert_eq!(failures, [0, 2, 3]);
    assert_eq!((take(&sink), take(&sink)), (b"x".to_vec(), b"x".to_vec()));
}

#[test]
fn each_payload_reaches_its_target_in_order() {
    let (sink, address) = sink();
    let payloads: Vec<Vec<u8>> = (0..BATCH as u8 + 9).map(|number| vec![number; 3]).collect();
    let target = Address::from(address);
    let datagrams = payloads.iter().map(|payload| (&target, payload.as_slice()));
    Batch::new().send_each(&socket(), datagrams, |at, why| panic!("{at}: {why:?}"));
    payloads.iter().for_each(|payload| assert_eq!(&take(&sink), payload));
}
