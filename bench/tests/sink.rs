//! The sink process counts what came, says what its own queues lost, and knows when each packet came.

use std::{net::UdpSocket, path::Path};

use bench::{raw, sink::Sink};

fn sink(sockets: usize) -> Sink {
    Sink::start_from(Path::new(env!("CARGO_BIN_EXE_bench")), sockets).expect("the sink process starts")
}

/// An RTP packet as far as a sink looks into it.
fn packet(sequence: u16) -> Vec<u8> {
    let [high, low] = sequence.to_be_bytes();
    vec![0x80, 96, high, low, 0, 0, 0, 0, 0, 0, 0, 0]
}

#[test]
fn a_sink_counts_what_came_and_no_more() {
    let mut sink = sink(3);
    let before = sink.count();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let targets = raw::targets(100, sink.ports());
    for target in &targets {
        socket.send_to(&packet(1), target).expect("loopback takes it");
    }
    let settled = sink.settle(before, 100);
    assert_eq!((settled.delivered - before.delivered, settled.dropped), (100, 0));
    // One more is waited for in vain.
    assert_eq!(sink.settle(before, 101).delivered, settled.delivered);
    assert!(settled.at_ns > before.at_ns);
}

#[test]
fn a_sink_knows_when_the_first_and_the_last_participant_had_a_packet() {
    let mut sink = sink(2);
    sink.stamp();
    let before = sink.count();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let begin = raw::wall_ns();
    for sequence in [7, 65_535] {
        for target in raw::targets(10, sink.ports()) {
            socket.send_to(&packet(sequence), target).expect("loopback takes it");
        }
    }
    let end = raw::wall_ns();
    sink.settle(before, 20);
    let arrivals = sink.arrivals();
    assert_eq!(
        arrivals.iter().map(|arrival| (arrival.sequence, arrival.number)).collect::<Vec<_>>(),
        [(7, 10), (65_535, 10)]
    );
    let [early, late] = arrivals[..] else { panic!("two packets came") };
    assert!(
        begin <= early.first && early.first < early.last && early.last <= late.first && late.last <= end,
        "{arrivals:?}"
    );
    assert_eq!(sink.arrivals(), [], "told once");
}
