//! A client's device: one socket for media and floor, so that what it hears has an order; and its place in a call.

use std::{
    cell::RefCell,
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use relay_core::floor::message::{self, Item, Message};
use serde_json::{Value, json};

use super::host::PATIENCE;

/// What a radio hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// An RTP packet, every octet of it.
    Media(Vec<u8>),
    /// A floor message: its SSRC, and what it says.
    Floor(u32, Word),
}

/// What a floor message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Taken { talker: Option<String>, ssrc: Option<u32> },
    Idle,
    Granted,
    Deny(u16),
    Revoke(u16),
    Other,
}

/// A client of a user.
pub(crate) struct Radio {
    /// Primary MC service ID.
    pub(crate) user: String,
    pub(crate) client: String,
    /// As the serving system knows the user.
    pub(crate) alias: String,
    pub(crate) authorization: String,
    pub(crate) affiliation: String,
    pub(crate) tickets: Vec<Value>,
    socket: UdpSocket,
    heard: RefCell<Vec<Heard>>,
}

/// A place in a call.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) call: String,
    pub(crate) participant: String,
    pub(crate) ssrc: u32,
    pub(crate) rtp: SocketAddr,
    pub(crate) late_entry: Value,
}

impl Radio {
    pub(crate) fn new(user: &str) -> Radio {
        Radio::with_client(user, "radio")
    }

    pub(crate) fn with_client(user: &str, client: &str) -> Radio {
        let mut radio = Radio {
            user: user.into(),
            client: client.into(),
            alias: user.into(),
            authorization: String::new(),
            affiliation: String::new(),
            tickets: Vec::new(),
            socket: UdpSocket::bind("127.0.0.1:0").unwrap(),
            heard: RefCell::default(),
        };
        radio.new_leg();
        radio
    }

    /// Another access, another address; what was heard stays known.
    pub(crate) fn new_leg(&mut self) {
        self.socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    }

    pub(crate) fn leg(&self) -> Value {
        let address = self.socket.local_addr().unwrap().to_string();
        json!({"udp": {"rtp": address, "floor": address}})
    }

    /// The ticket for a system.
    pub(crate) fn ticket(&self, system: &str) -> Option<String> {
        let ticket = self.tickets.iter().find(|ticket| ticket["system"] == system)?;
        Some(ticket["ticket"].as_str().unwrap().to_owned())
    }

    /// Is what a migration that is done made of it.
    pub(crate) fn adopt(&mut self, shown: &Value) {
        let text = |field: &str| shown[field].as_str().unwrap_or_else(|| panic!("no {field} in {shown}")).to_owned();
        self.alias = text("user");
        self.authorization = text("authorization");
        self.affiliation = text("affiliation");
    }

    /// Takes what comes next.
    fn next(&self, patience: Duration) -> Option<Heard> {
        let mut datagram = [0; 2048];
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let length = self.socket.recv(&mut datagram).ok()?;
        let bytes = &datagram[..length];
        // An APP packet of RTCP; no word that is said has such a second octet.
        let heard = if bytes[1] == 204 { read_floor(bytes) } else { Heard::Media(bytes.to_vec()) };
        self.heard.borrow_mut().push(heard.clone());
        Some(heard)
    }

    /// The next so many media packets.
    #[track_caller]
    pub(crate) fn hear(&self, count: usize) -> Vec<Vec<u8>> {
        let (mut packets, begin) = (Vec::new(), Instant::now());
        while packets.len() < count {
            match self.next(PATIENCE) {
                Some(Heard::Media(packet)) => packets.push(packet),
                Some(Heard::Floor(..)) if begin.elapsed() < PATIENCE => {}
                _ => panic!("{} heard {} of {count} packets", self.user, packets.len()),
            }
        }
        packets
    }

    /// Waits for a floor message.
    #[track_caller]
    pub(crate) fn told(&self, what: impl Fn(&Word) -> bool) -> Word {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if let Some(Heard::Floor(_, word)) = self.next(PATIENCE)
                && what(&word)
            {
                return word;
            }
        }
        panic!("{} was told {:?}", self.user, self.heard.borrow());
    }

    /// Takes what is there; whether no media was among it.
    pub(crate) fn is_silent(&self) -> bool {
        let mut silent = true;
        while let Some(heard) = self.next(Duration::from_millis(1)) {
            silent &= !matches!(heard, Heard::Media(_));
        }
        silent
    }

    /// Everything that came so far, in its order.
    pub(crate) fn all(&self) -> Vec<Heard> {
        self.heard.borrow().clone()
    }

    /// All media that came so far, in its order.
    pub(crate) fn media(&self) -> Vec<Vec<u8>> {
        let media = |heard: &Heard| match heard {
            Heard::Media(packet) => Some(packet.clone()),
            Heard::Floor(..) => None,
        };
        self.heard.borrow().iter().filter_map(media).collect()
    }

    /// The last packet of every SSRC that was heard: resume points.
    pub(crate) fn points(&self) -> Value {
        let mut points = std::collections::BTreeMap::new();
        for packet in self.media() {
            let ssrc = u32::from_be_bytes(packet[8..12].try_into().unwrap());
            points.insert(ssrc, u16::from_be_bytes([packet[2], packet[3]]));
        }
        points.iter().map(|(ssrc, sequence)| json!({"ssrc": ssrc, "sequence": sequence})).collect()
    }

    /// A group with what was heard of it last.
    pub(crate) fn resuming(&self, group: &str) -> Value {
        json!([{"group": group, "resume": self.points()}])
    }

    /// Says words in a call: packets of which every one is like no other. What was said.
    pub(crate) fn say(&self, seat: &Seat, numbers: std::ops::Range<u16>) -> Vec<Vec<u8>> {
        let packets: Vec<Vec<u8>> = numbers.map(|number| self.word(seat, number)).collect();
        for packet in &packets {
            self.socket.send_to(packet, seat.rtp).unwrap();
        }
        packets
    }

    fn word(&self, seat: &Seat, number: u16) -> Vec<u8> {
        let mut packet = vec![0x80, 96];
        packet.extend(number.to_be_bytes());
        packet.extend((u32::from(number) * 320).to_be_bytes());
        packet.extend(seat.ssrc.to_be_bytes());
        packet.extend(format!("word {number} of {}", self.user).bytes());
        packet
    }
}

impl Seat {
    pub(crate) fn read(entered: &Value) -> Seat {
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{entered}")).to_owned();
        let number = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
        let leg = &entered["leg"];
        Seat {
            call: text(&entered["call"]),
            participant: text(&entered["participant"]),
            ssrc: number(&leg["audio_ssrc"]),
            rtp: text(&leg["rtp"]).parse().unwrap(),
            late_entry: entered["late_entry"].clone(),
        }
    }

    /// The place that an item of an affiliation or migration shows.
    #[track_caller]
    pub(crate) fn of_item(item: &Value) -> Seat {
        assert!(!item["entered"].is_null(), "not entered: {item}");
        Seat::read(&item["entered"])
    }
}

/// A datagram holds one floor message.
fn read_floor(bytes: &[u8]) -> Heard {
    let item = message::read(bytes).next().unwrap_or_else(|| panic!("nothing in {bytes:?}"));
    let Ok(Item::Packet(packet)) = item else { panic!("{item:?}: {bytes:?}") };
    let word = match packet.message {
        Message::Taken { granted_party, audio_ssrc, .. } => {
            Word::Taken { talker: granted_party.map(str::to_owned), ssrc: audio_ssrc.map(|ssrc| ssrc.0) }
        }
        Message::Idle { .. } => Word::Idle,
        Message::Granted { .. } => Word::Granted,
        Message::Deny { cause, .. } => Word::Deny(cause),
        Message::Revoke { cause, .. } => Word::Revoke(cause),
        _ => Word::Other,
    };
    Heard::Floor(packet.ssrc.0, word)
}
