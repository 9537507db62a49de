//! A call in virtual time: what is handed out is captured per participant, and judged.

mod behind;
mod bounds;
mod company;
mod floor;
mod late_entry;
mod legs;
mod partner;
mod partner_backfill;
mod partner_edges;
mod partner_floor;
mod partner_gaps;
mod partner_media;
mod partner_random;
mod resume;
mod slices;
mod span;
mod star;

use alloc::{collections::BTreeMap, format, string::String, sync::Arc, vec::Vec};
use core::net::SocketAddr;

use span::Spanning;

use super::*;
use crate::{
    distributor::slice::{Handed, Slice},
    late_entry::{Facts, ResumePoint},
    roster::{Leg, Participant},
    rtp::{self, Header},
};

/// What a participant saw on its leg.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    /// A floor message, in words.
    Floor(String),
    /// A media packet.
    Media(Ssrc, u16),
}

/// One call with its network.
struct World {
    call: Call<SocketAddr>,
    now: Time,
    wake: Option<Time>,
    /// By address, with a number that tells the order over all of them.
    seen: BTreeMap<SocketAddr, Vec<(usize, Time, Seen)>>,
    captured: usize,
    facts: BTreeMap<Slot, Facts>,
    answers: Vec<(u64, Answer)>,
    inactive: usize,
    expired: Vec<(Slot, u64)>,
    entries: u64,
    /// What goes over trunks, and what control is told of them.
    spanning: Vec<(TrunkId, Spanning)>,
    /// The slice of a part that does everything at once.
    part: Slice<SocketAddr, Vec<u8>>,
}

fn settings() -> Settings {
    Settings {
        floor: crate::floor::settings::Settings::default(),
        retention: Millis(10_000),
        entry: Millis(200),
        packets_per_s: 200,
        bytes_per_s: 65_536,
        privacy: false,
    }
}

fn at(ms: u32) -> Time {
    Time::ZERO + Millis(ms)
}

fn leg(port: u16) -> Leg {
    let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
    Leg { rtp: address(port), floor: Some(address(port + 1)) }
}

/// A participant named by its port; its SSRC is the port too.
fn participant(user: &str, port: u16) -> Participant {
    let client = format!("{user}-{port}");
    Participant { priority: 5, ..Participant::new(user, &client, leg(port), Ssrc(u32::from(port))) }
}

impl World {
    fn new(settings: Settings) -> World {
        World {
            call: Call::new(settings, Ssrc(0xcafe)),
            now: Time::ZERO,
            wake: None,
            seen: BTreeMap::new(),
            captured: 0,
            facts: BTreeMap::new(),
            answers: Vec::new(),
            inactive: 0,
            expired: Vec::new(),
            entries: 0,
            spanning: Vec::new(),
            part: Slice::new(),
        }
    }

    /// From the second participant on everybody else is served by another worker.
    fn shared(&mut self) {
        self.call.slices.least = 1;
        self.call.slices.add(1);
    }

    /// Tells the call something and lets it do everything that follows.
    fn tell(&mut self, input: Input<'_>) {
        self.call.handle(input, self.now);
        self.pump(usize::MAX);
    }

    /// Takes up to `outputs` outputs. True if the call has nothing more to do.
    fn pump(&mut self, outputs: usize) -> bool {
        for _ in 0..outputs {
            match self.call.poll() {
                Output::Floor { to, message } => {
                    let seen = Seen::Floor(words(message));
                    self.captured += 1;
                    self.seen.entry(to).or_default().push((self.captured, self.now, seen));
                }
                Output::Replay { to, orders, kept, .. } => {
                    for order in orders {
                        let seen = media_seen(kept.packet(*order).expect("a replayed packet is kept"));
                        self.captured += 1;
                        self.seen.entry(to).or_default().push((self.captured, self.now, seen));
                    }
                }
                Output::Distribute { packet, targets, .. } => {
                    for to in targets {
                        self.captured += 1;
                        self.seen.entry(*to).or_default().push((self.captured, self.now, media_seen(packet)));
                    }
                }
                Output::Slice { change, .. } => {
                    self.part.hand(slices::handed(change));
                    self.part_sends();
                }
                Output::Hand { order, epoch, packet, .. } => {
                    self.part.hand(Handed::Packet { order, epoch, packet: packet.to_vec() });
                    self.part_sends();
                }
                Output::Entered { slot, facts, .. } => _ = self.facts.insert(slot, facts),
                Output::Answer { token, answer } => self.answers.push((token, answer)),
                Output::Inactive => self.inactive += 1,
                Output::Expired { slot, entry } => self.expired.push((slot, entry)),
                Output::Wake(wake) => {
                    self.wake = wake.map(|(at, _)| at);
                    return true;
                }
                output => self.spanning.push(Spanning::of(output)),
            }
        }
        false
    }

    fn part_sends(&mut self) {
        while let Some(piece) = self.part.step(CHUNK) {
            for to in piece.targets {
                self.captured += 1;
                self.seen.entry(*to).or_default().push((self.captured, self.now, media_seen(piece.packet)));
            }
        }
        self.call.handle(Input::Through { part: Part(0), leaves: self.part.through() }, self.now);
    }

    /// Lets time pass until `until`, waking the call whenever it asks.
    fn run_until(&mut self, until: Time) {
        while let Some(wake) = self.wake.filter(|wake| *wake <= until) {
            assert!(wake > self.now || self.call_is_due(), "the call asks for a past wake for ever");
            self.now = self.now.max(wake);
            self.tell(Input::Timer);
        }
        self.now = self.now.max(until);
    }

    fn call_is_due(&mut self) -> bool {
        let before = self.wake;
        self.tell(Input::Timer);
        self.wake != before
    }

    fn enter(&mut self, slot: u32, participant: Participant) {
        self.entries += 1;
        self.tell(Input::Enter { slot: Slot(slot), entry: self.entries, participant });
    }

    fn replace(&mut self, slot: u32, participant: Participant) {
        self.entries += 1;
        self.tell(Input::Replace { slot: Slot(slot), entry: self.entries, participant });
    }

    fn leave(&mut self, slot: u32) {
        self.tell(Input::Leave { slot: Slot(slot) });
    }

    fn request(&mut self, slot: u32, port: u16, priority: u8) {
        let message = message::Message::Request {
            priority: Some(priority),
            indicator: None,
            functional_alias: None,
            location: None,
        };
        self.floor(slot, port, message, false);
    }

    fn release(&mut self, slot: u32, port: u16) {
        self.floor(slot, port, message::Message::Release { indicator: None }, false);
    }

    fn acknowledge(&mut self, slot: u32, port: u16) {
        let message =
            message::Message::Ack { source: message::Source::Participant, acknowledged: message::Kind::Taken };
        self.floor(slot, port, message, false);
    }

    fn floor(&mut self, slot: u32, port: u16, message: message::Message<'_>, acknowledge: bool) {
        let packet = message::Packet { ssrc: Ssrc(u32::from(port)), acknowledge, message, track_info: None };
        self.tell(Input::Floor { slot: Slot(slot), packet });
    }

    fn media(&mut self, slot: u32, ssrc: u32, sequence: u16) {
        let bytes = rtp_bytes(ssrc, sequence);
        let packet = rtp::Packet::parse(&bytes).expect("a packet");
        self.tell(Input::Media { slot: Slot(slot), packet });
    }

    /// Media that comes before the call may hand anything out.
    fn offer(&mut self, slot: u32, ssrc: u32, sequence: u16) {
        let bytes = rtp_bytes(ssrc, sequence);
        let packet = rtp::Packet::parse(&bytes).expect("a packet");
        self.call.handle(Input::Media { slot: Slot(slot), packet }, self.now);
    }

    /// Everything that went to a participant, in the order in which it left.
    fn seen(&self, port: u16) -> Vec<Seen> {
        let both = [leg(port).rtp, SocketAddr::from(([127, 0, 0, 1], port + 1))];
        let mut both: Vec<_> = both.iter().filter_map(|address| self.seen.get(address)).flatten().collect();
        both.sort_by_key(|(number, ..)| *number);
        both.into_iter().map(|(_, _, seen)| seen.clone()).collect()
    }

    /// The media that went to a port, in order.
    fn heard(&self, port: u16) -> Vec<(u32, u16)> {
        let media = |seen| match seen {
            Seen::Media(ssrc, sequence) => Some((ssrc.0, sequence)),
            Seen::Floor(_) => None,
        };
        self.seen(port).into_iter().filter_map(media).collect()
    }

    /// The floor messages that went to a port, in words.
    fn told(&self, port: u16) -> Vec<String> {
        let floor = |seen| match seen {
            Seen::Floor(text) => Some(text),
            Seen::Media(..) => None,
        };
        self.seen(port).into_iter().filter_map(floor).collect()
    }

    /// When the first datagram left for a port.
    fn first(&self, port: u16) -> Option<Time> {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        self.seen.get(&address)?.first().map(|(_, at, _)| *at)
    }
}

impl Participant {
    /// The same under another name and address, one of thousands.
    fn named(self, number: u32) -> Participant {
        let address = |port| SocketAddr::from((core::net::Ipv4Addr::from(0x7f10_0000 + number), port));
        let leg = Leg { rtp: address(1), floor: Some(address(2)) };
        Participant { user: Arc::from(format!("sip:{number}@a")), leg: leg.into(), ..self }
    }
}

fn rtp_bytes(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut bytes = [0u8; 40];
    let header = Header {
        marker: false,
        payload_type: rtp::PayloadType::try_from(96).expect("seven bits"),
        sequence,
        timestamp: u32::from(sequence) * 320,
        ssrc: Ssrc(ssrc),
    };
    let length = header.write(&mut bytes).expect("room");
    bytes[..length + 20].to_vec()
}

fn media_seen(packet: &[u8]) -> Seen {
    let packet = rtp::Packet::parse(packet).expect("what leaves is what came");
    Seen::Media(packet.ssrc(), packet.sequence())
}

/// A floor message in words: kind, whom or why, and its message sequence number; `!` asks for an acknowledgement.
fn words(datagram: &[u8]) -> String {
    use message::{Item, Message};
    let Some(Ok(Item::Packet(packet))) = message::read(datagram).next() else { panic!("not a floor message") };
    let mark = if packet.acknowledge { "!" } else { "" };
    match packet.message {
        Message::Taken { granted_party, message_sequence_number, may_request, .. } => {
            let listen = if may_request == Some(false) { " listen only" } else { "" };
            format!("taken({}){mark} {message_sequence_number}{listen}", granted_party.unwrap_or("-"))
        }
        Message::Idle { message_sequence_number, .. } => format!("idle{mark} {message_sequence_number}"),
        Message::Granted { duration_s, .. } => format!("granted {duration_s}"),
        Message::Deny { cause, .. } => format!("deny {cause}"),
        Message::Revoke { cause, .. } => format!("revoke {cause}"),
        Message::QueuePositionInfo { position, .. } => format!("queued {position}"),
        Message::Ack { .. } => String::from("ack"),
        other => format!("{other:?}"),
    }
}
