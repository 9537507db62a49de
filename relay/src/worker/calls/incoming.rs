//! What comes from the network: datagrams become packets here, once, and belong to a leg or to nobody.

use std::net::SocketAddr;

use relay_core::{call::Input, floor::message, rtcp, rtp};

use super::Calls;
use crate::worker::{legs::Floor, sockets::Kind};

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
            return self.counters.rtp_malformed.add(1);
        };
        let Some(bound) = self.legs.media(from, packet.ssrc()) else {
            let known = self.legs.knows(from);
            let counter = if known { &self.counters.rtp_wrong_ssrc } else { &self.counters.rtp_stranger };
            return counter.add(1);
        };
        if let Some(running) = self.running.get_mut(bound.call).and_then(Option::as_mut) {
            running.call.handle(Input::Media { slot: bound.slot, packet }, self.now);
            self.mark(bound.call);
        }
    }

    fn rtcp(&mut self, from: SocketAddr, datagram: &[u8]) {
        if !rtcp::valid_compound(datagram) {
            return self.counters.rtcp_malformed.add(1);
        }
        let legs = self.legs.rtcp(from);
        if legs.is_empty() {
            self.counters.rtcp_stranger.add(1);
        }
        for bound in legs {
            if let Some(running) = self.running.get_mut(bound.call).and_then(Option::as_mut) {
                running.call.handle(Input::Heard { slot: bound.slot }, self.now);
            }
        }
    }

    fn floor(&mut self, from: SocketAddr, datagram: &[u8]) {
        for item in message::read(datagram) {
            let packet = match item {
                Ok(message::Item::Packet(packet)) => packet,
                Ok(message::Item::Skipped(_)) => {
                    self.counters.floor_skipped.add(1);
                    continue;
                }
                Err(_) => {
                    self.counters.floor_malformed.add(1);
                    continue;
                }
            };
            let bound = match self.legs.floor(from, packet.ssrc, self.now) {
                Floor::From(bound) => bound,
                Floor::TooMany => {
                    self.counters.floor_rate.add(1);
                    continue;
                }
                Floor::Stranger => {
                    self.counters.floor_stranger.add(1);
                    continue;
                }
            };
            self.counters.floor_received.add(1);
            if let Some(running) = self.running.get_mut(bound.call).and_then(Option::as_mut) {
                running.call.handle(Input::Floor { slot: bound.slot, packet }, self.now);
                self.mark(bound.call);
            }
        }
    }
}
