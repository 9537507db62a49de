//! Copies of a payload between retention and the system call, seen at the core's face.

use std::{collections::BTreeSet, net::SocketAddr};

use relay_core::{
    Millis, Slot, Ssrc, Time,
    call::{Action, Call, Input, Output, Settings},
    floor, rtp,
};

use super::stage::{PACKET, participant};
use crate::raw;

const PARTICIPANTS: usize = 512;

/// How many different places in memory one packet is sent from, over all its chunks and a replay, beyond the first; per delivery.
pub(super) fn per_delivery() -> f64 {
    let settings = Settings {
        floor: floor::settings::Settings::default(),
        retention: Millis(1000),
        entry: Millis(200),
        packets_per_s: 200,
        bytes_per_s: 65_536,
        privacy: false,
    };
    let mut call: Call<SocketAddr> = Call::new(settings, Ssrc(1));
    for (number, address) in raw::targets(PARTICIPANTS, &[1]).into_iter().enumerate() {
        let who = participant(&format!("sip:{number}@bench"), address, Ssrc(number as u32 + 10));
        let slot = Slot(number as u32);
        call.handle(Input::Enter { slot, entry: number as u64, participant: who }, Time::ZERO);
        while !matches!(call.poll(), Output::Wake(_)) {}
    }
    call.handle(Input::Ask { slot: Slot(0), token: 0, action: Action::Request(0) }, Time::ZERO);
    while !matches!(call.poll(), Output::Wake(_)) {}
    let mut bytes = [0u8; PACKET];
    let payload_type = rtp::PayloadType::try_from(96).expect("seven bits");
    let header = rtp::Header { marker: false, payload_type, sequence: 0, timestamp: 0, ssrc: Ssrc(10) };
    header.write(&mut bytes).expect("room");
    let packet = rtp::Packet::parse(&bytes).expect("a packet");
    call.handle(Input::Media { slot: Slot(0), packet }, Time::ZERO);
    let late = participant("sip:late@bench", "127.0.0.1:9".parse().expect("an address"), Ssrc(9));
    call.handle(Input::Enter { slot: Slot(PARTICIPANTS as u32), entry: 9999, participant: late }, Time::ZERO);
    let (mut places, mut delivered) = (BTreeSet::new(), 0);
    loop {
        match call.poll() {
            Output::Distribute { packet, targets, .. } => {
                places.insert(packet.as_ptr() as usize);
                delivered += targets.len();
            }
            Output::Replay { orders, kept, .. } => {
                places
                    .extend(orders.iter().filter_map(|order| kept.packet(*order)).map(|bytes| bytes.as_ptr() as usize));
                delivered += orders.len();
            }
            Output::Wake(_) => break,
            _ => {}
        }
    }
    assert_eq!(delivered, PARTICIPANTS, "everybody but the talker, and the newcomer");
    (places.len() - 1) as f64 / delivered as f64
}
