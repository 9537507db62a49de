//! What comes from the network: datagrams become packets here, once, and belong to a leg or to nobody.

use std::net::SocketAddr;

use relay_core::{Ssrc, call::Input, floor::message, roster::Attachment, rtcp, rtp};

use super::{Calls, Piece};
use crate::worker::{legs::Bound, sockets::Kind};

impl Calls {
    /// Receives one batch from a socket. True if the batch was full: more may be waiting.
    pub(in crate::worker) fn receive(&mut self, kind: Kind) -> bool {
        let Some(mut received) = self.received.take() else { return false };
        let full = match self.sockets.of(kind).receive(&mut received) {
            Ok(()) => {
                for (from, datagram) in received.datagrams() {
                    match kind {
                        Kind::Rtp if rtp::is_rtcp(datagram) => self.rtcp(from, datagram),
                        Kind::Rtp => self.rtp(from, datagram),
                        Kind::Rtcp => self.rtcp(from, datagram),
                        Kind::Floor => self.floor(from, datagram),
                    }
                }
                received.is_full()
            }
            // Nothing is there; or the kernel reports somebody's closed port, which is no matter of a receiver.
            Err(_) => false,
        };
        self.received = Some(received);
        full
    }

    fn rtp(&mut self, from: SocketAddr, datagram: &[u8]) {
        // Media is opaque: under SRTP the padding count is encrypted.
        let Ok(packet) = rtp::Packet::parse_protected(datagram) else {
            return self.strangers.drop_one(from, "no RTP", &self.counters.rtp_malformed);
        };
        let leg = self.leg_of(packet.ssrc());
        let Some((bound, _)) = leg.filter(|(_, leg)| leg.rtp() == Some(from)) else {
            let (why, counter) = match self.legs.knows(from) {
                true => ("RTP under an SSRC that was not given to this leg", &self.counters.rtp_wrong_ssrc),
                false => ("RTP from no leg", &self.counters.rtp_stranger),
            };
            return self.strangers.drop_one(from, why, counter);
        };
        self.company.heard(Piece::Call(bound.call as usize), self.now);
        self.tell(bound, Input::Media { slot: bound.slot, packet });
    }

    /// Who was given the SSRC, and on which leg it takes part.
    fn leg_of(&self, ssrc: Ssrc) -> Option<(Bound, Attachment)> {
        let bound = self.legs.participant(ssrc)?;
        let running = self.running.get(bound.call as usize)?.as_ref()?;
        running.call.bound(bound.slot).map(|(_, leg, _)| (bound, leg))
    }

    fn tell(&mut self, bound: Bound, input: Input<'_>) {
        if let Some(running) = self.running.get_mut(bound.call as usize).and_then(Option::as_mut) {
            running.call.handle(input, self.now);
            self.mark(bound.call as usize);
        }
    }

    fn rtcp(&mut self, from: SocketAddr, datagram: &[u8]) {
        if !rtcp::valid_compound(datagram) {
            return self.strangers.drop_one(from, "no RTCP", &self.counters.rtcp_malformed);
        }
        let legs = self.legs.rtcp(from);
        if legs.is_empty() {
            self.strangers.drop_one(from, "RTCP from no leg", &self.counters.rtcp_stranger);
        }
        for bound in legs {
            if let Some(running) = self.running.get_mut(bound.call as usize).and_then(Option::as_mut) {
                running.call.handle(Input::Heard { slot: bound.slot }, self.now);
            }
        }
    }

    fn floor(&mut self, from: SocketAddr, datagram: &[u8]) {
        for item in message::read(datagram) {
            let packet = match item {
                Ok(message::Item::Packet(packet)) => packet,
                Ok(message::Item::Skipped(_)) => {
                    self.strangers.drop_one(from, "a message of no use here", &self.counters.floor_skipped);
                    continue;
                }
                Err(_) => {
                    self.strangers.drop_one(from, "no floor message", &self.counters.floor_malformed);
                    continue;
                }
            };
            let leg = self.leg_of(packet.ssrc);
            let Some((bound, _)) = leg.filter(|(_, leg)| leg.floor() == Some(from)) else {
                self.strangers.drop_one(from, "a floor message from no leg", &self.counters.floor_stranger);
                continue;
            };
            if !self.legs.allows_floor(packet.ssrc, self.now) {
                self.strangers.drop_one(from, "more floor messages than a leg may send", &self.counters.floor_rate);
                continue;
            }
            self.counters.floor_received.add(1);
            self.tell(bound, Input::Floor { slot: bound.slot, packet });
        }
    }
}
