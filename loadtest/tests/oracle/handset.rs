//! A participant with plain sockets: what it sends is written here, what it hears is kept as it came.

use std::{
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use relay_core::{
    Ssrc,
    floor::message::{Message, Packet, SIZE_MAX},
    rtp,
};
use serde_json::{Value, json};

use crate::node::{Api, address, ssrc};

/// Longer than anything here takes; reached only when something that must come does not.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// One participant.
pub(crate) struct Handset {
    pub(crate) rtp: UdpSocket,
    pub(crate) floor: UdpSocket,
    pub(crate) ssrc: Ssrc,
    /// What the node writes in its floor messages.
    pub(crate) floor_ssrc: Ssrc,
    /// Floor messages, as they came.
    pub(crate) told: Vec<Vec<u8>>,
    node_rtp: SocketAddr,
    node_floor: SocketAddr,
}

impl Handset {
    /// Enters the call of the group. `leg` adds to, or replaces, what a leg says: its queueing, its priority.
    pub(crate) fn enter(api: &Api, name: &str, leg: &Value) -> Handset {
        let (rtp, floor) = (socket(), socket());
        let mut all = json!({"rtp": rtp.local_addr().unwrap(), "floor": floor.local_addr().unwrap(), "queueing": true});
        all.as_object_mut().unwrap().extend(leg.as_object().unwrap().clone());
        let entered = api.enter(name, &all);
        let leg = &entered["leg"];
        Handset {
            rtp,
            floor,
            ssrc: Ssrc(ssrc(&leg["audio_ssrc"])),
            floor_ssrc: Ssrc(ssrc(&leg["floor_ssrc"])),
            told: vec![],
            node_rtp: address(&leg["rtp"]),
            node_floor: address(&leg["floor"]),
        }
    }

    /// Sends a floor message.
    pub(crate) fn say(&self, acknowledge: bool, message: Message<'_>) {
        let mut datagram = [0; SIZE_MAX];
        let length = Packet { ssrc: self.ssrc, acknowledge, message, track_info: None }.write(&mut datagram).unwrap();
        self.floor.send_to(&datagram[..length], self.node_floor).unwrap();
    }

    /// Asks for the floor.
    pub(crate) fn request(&self, priority: u8) {
        let priority = Some(priority);
        let request = Message::Request { priority, indicator: None, functional_alias: None, location: None };
        self.say(false, request);
    }

    /// Sends one packet of media.
    pub(crate) fn talk(&self, sequence: u16) {
        let payload_type = rtp::PayloadType::try_from(96).unwrap();
        let header = rtp::Header { marker: false, payload_type, sequence, timestamp: 0, ssrc: self.ssrc };
        let mut packet = [0; 73];
        header.write(&mut packet).unwrap();
        self.rtp.send_to(&packet, self.node_rtp).unwrap();
    }

    /// Listens until a floor message with this subtype comes that ends in these octets.
    pub(crate) fn until(&mut self, subtype: u8, end: &[u8]) {
        let mut datagram = [0; SIZE_MAX];
        loop {
            let length = self.floor.recv(&mut datagram).unwrap_or_else(|error| {
                panic!(
                    "no floor message with subtype {subtype} that ends in {end:02x?}: {error}; came: {:02x?}",
                    self.told
                )
            });
            self.told.push(datagram[..length].to_vec());
            if datagram[0] & 0x1f == subtype
                && datagram[..length].windows(end.len().max(1)).any(|at| at.starts_with(end))
            {
                return;
            }
        }
    }
}

/// A socket on a free port of the loopback.
pub(crate) fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}
