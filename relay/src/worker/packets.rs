//! Packets on their way to other workers: copied once for all of them, into memory that is used again.

use std::sync::Arc;

/// Packets of a worker's calls that may be on their way to other workers at once. One more is lost and counted.
pub(crate) const SLICE_PACKETS_MAX: usize = 1024;

/// How many places are looked at before new memory is taken: parts finish nearly in the order in which they were handed.
const LOOKS: usize = 8;

/// What a place holds without growing: a packet that fits into an Ethernet frame.
const USUAL: usize = 1500;

/// A copy of a packet, shared by everybody who still has to send it.
#[derive(Debug)]
pub(super) struct Packet(Vec<u8>);

/// A worker's copies. A place whose packet nobody holds any more is free.
#[derive(Debug, Default)]
pub(super) struct Packets {
    places: Vec<Arc<Packet>>,
    next: usize,
}

impl Packet {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Packets {
    /// Copies a packet; `None` if every place is in use.
    pub(super) fn copy(&mut self, bytes: &[u8]) -> Option<Arc<Packet>> {
        for _ in 0..LOOKS.min(self.places.len()) {
            let at = self.next;
            self.next = (at + 1) % self.places.len();
            if let Some(packet) = Arc::get_mut(&mut self.places[at]) {
                packet.0.clear();
                packet.0.extend_from_slice(bytes);
                return Some(Arc::clone(&self.places[at]));
            }
        }
        if self.places.len() >= SLICE_PACKETS_MAX {
            return None;
        }
        let mut space = Vec::with_capacity(USUAL.max(bytes.len()));
        space.extend_from_slice(bytes);
        let packet = Arc::new(Packet(space));
        self.places.push(Arc::clone(&packet));
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_packets_are_on_their_way_and_one_that_arrives_makes_room() {
        let mut packets = Packets::default();
        let mut held: Vec<_> = (0..SLICE_PACKETS_MAX).map(|_| packets.copy(&[7]).expect("there is room")).collect();
        assert!(packets.copy(&[8]).is_none());
        held.drain(..LOOKS);
        let again = packets.copy(&[9; 3]).expect("a place is free");
        assert_eq!((again.bytes(), held[0].bytes()), (&[9; 3][..], &[7][..]));
        assert_eq!(packets.places.len(), SLICE_PACKETS_MAX);
    }

    #[test]
    fn a_packet_at_a_time_takes_one_place() {
        let mut packets = Packets::default();
        (0..1000).for_each(|number: u16| {
            assert_eq!(packets.copy(&number.to_be_bytes()).expect("there is room").bytes(), number.to_be_bytes());
        });
        assert_eq!(packets.places.len(), 1);
    }
}
