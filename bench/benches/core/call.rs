//! A call of the core in which slot 0 has talked for ten seconds, and one that is silent.

use std::{
    hint::black_box,
    net::{Ipv4Addr, SocketAddr},
};

use relay_core::{
    Millis, Slot, Ssrc, Time,
    call::{Action, Answer, Call, Input, Output, Settings},
    floor,
    late_entry::ResumePoint,
    roster::{Leg, Participant},
    rtp,
};

/// What slot 0 sends under.
const TALKER: Ssrc = Ssrc(1);

/// Packets of the talker before anything is measured: ten seconds.
pub(crate) const TALKED: u16 = 500;

/// The last packet that a newcomer has heard: ten were sent since.
const HEARD: u64 = 489;

pub(crate) fn participant(number: u32) -> Participant {
    let address = |port| SocketAddr::from((Ipv4Addr::from(0x7f01_0000 + number), port));
    let leg = Leg { rtp: address(4000), floor: Some(address(4002)) };
    Participant::new(&format!("sip:{number}@bench"), "bench", leg, Ssrc(number + 1))
}

/// The same with what it heard before.
pub(crate) fn newcomer(number: u32) -> Participant {
    Participant { resume: vec![ResumePoint { ssrc: TALKER, sequence: HEARD }], ..participant(number) }
}

pub(crate) fn packet(sequence: u16) -> [u8; 74] {
    let mut bytes = [0; 74];
    let payload_type = rtp::PayloadType::try_from(96).expect("seven bits");
    let header = rtp::Header { marker: false, payload_type, sequence, timestamp: 0, ssrc: TALKER };
    header.write(&mut bytes).expect("room");
    bytes
}

/// What a call said: each part is what a shell would have had to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// Addresses that a live packet goes to; each was read.
    pub(crate) distributed: usize,
    /// Retained packets for newcomers.
    pub(crate) replayed: usize,
    /// Floor messages.
    pub(crate) floor: usize,
    /// Entries answered.
    pub(crate) entered: usize,
    /// Answers that say granted.
    pub(crate) granted: usize,
}

/// Takes everything that the call says, reading each address as a shell would.
pub(crate) fn drain(call: &mut Call<SocketAddr>) -> Said {
    let mut said = Said::default();
    loop {
        match call.poll() {
            Output::Distribute { packet, targets, .. } => {
                black_box(packet);
                targets.iter().for_each(|target| _ = black_box(*target));
                said.distributed += targets.len();
            }
            Output::Replay { orders, kept, .. } => {
                said.replayed += orders.iter().filter_map(|order| black_box(kept.packet(*order))).count();
            }
            Output::Floor { message, .. } => {
                black_box(message);
                said.floor += 1;
            }
            Output::Entered { facts, .. } => {
                black_box(facts);
                said.entered += 1;
            }
            Output::Answer { answer: Answer::Granted(_), .. } => said.granted += 1,
            Output::Wake(_) => return said,
            other => _ = black_box(other),
        }
    }
}

/// A call of so many, in which nobody has talked.
pub(crate) fn silent(participants: u32) -> Call<SocketAddr> {
    let settings = Settings {
        floor: floor::settings::Settings { max_burst_s: u16::MAX, ..floor::settings::Settings::default() },
        retention: Millis(10_000),
        entry: Millis(200),
        packets_per_s: 200,
        bytes_per_s: 65_536,
        privacy: false,
    };
    let mut call = Call::new(settings, Ssrc(0));
    for number in 0..participants {
        let input = Input::Enter { slot: Slot(number), entry: u64::from(number), participant: participant(number) };
        call.handle(input, Time::ZERO);
        drain(&mut call);
    }
    call
}

/// A call of so many, in which slot 0 has talked for ten seconds and goes on.
pub(crate) fn talking(participants: u32) -> (Call<SocketAddr>, Time) {
    let mut call = silent(participants);
    let mut now = Time::ZERO;
    call.handle(Input::Ask { slot: Slot(0), token: 0, action: Action::Request(0) }, now);
    assert_eq!(drain(&mut call).granted, 1, "the floor is free");
    for sequence in 0..TALKED {
        now = now + Millis(20);
        let said = talk(&mut call, sequence, now);
        assert_eq!(said.distributed, participants as usize - 1, "everybody but the talker hears");
    }
    (call, now)
}

/// One packet of the talker, to everybody.
pub(crate) fn talk(call: &mut Call<SocketAddr>, sequence: u16, now: Time) -> Said {
    let bytes = packet(sequence);
    let packet = rtp::Packet::parse(&bytes).expect("a packet");
    call.handle(Input::Media { slot: Slot(0), packet }, now);
    drain(call)
}

/// One newcomer: what it is sent at once, floor and ten retained packets.
pub(crate) fn enter(call: &mut Call<SocketAddr>, slot: Slot, entry: u64, who: Participant, now: Time) -> Said {
    call.handle(Input::Enter { slot, entry, participant: who }, now);
    drain(call)
}
