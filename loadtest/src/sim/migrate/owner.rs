//! What the owner of a call does: it tells the call what comes, and carries out what the call says.

use std::net::SocketAddr;

use control_core::{
    Cause, Refused,
    system::{Answer, Ask},
};
use relay_core::{
    Ssrc,
    call::{Announced, FromTrunk, Input, Output},
    floor::message,
    rtp,
    trunk::{
        Range, link,
        wire::{self, frame::What},
    },
};

use super::{
    calls::{Running, TRUNK},
    event::{Asker, Deed, Event, Say},
    node::{GROUPS, SYSTEMS},
    world::World,
};
use crate::capture::Channel;

/// What a call said, kept until the call is free again.
enum Said {
    Send(SocketAddr, Channel, Vec<u8>),
    Entered(u64),
    Frame(Box<wire::Frame>),
    Forward(u32, Vec<u8>),
    Backfill(u32, Vec<Vec<u8>>, bool),
    Announced(Box<Announced>),
    Departed(u32),
    Ready(Range),
    Refused(String),
    Expelled(u64, String),
    Missed(Ssrc, u64, u64),
    Over(&'static str),
    Expired(u64),
}

impl World {
    pub(super) fn tell_call(&mut self, number: u64, say: Say) {
        let Some(running) = self.calls.get_mut(&number) else { return };
        let before = *running.call.counters();
        let now = self.now;
        match &say {
            Say::Enter(_, entry, who) | Say::Replace(_, entry, who) => self.judge.entered(*entry, number, who, now),
            _ => {}
        }
        let slot = match &say {
            Say::Enter(slot, entry, _) | Say::Replace(slot, entry, _) => Some((*slot, Some(*entry))),
            Say::Leave(slot) => Some((*slot, None)),
            _ => None,
        };
        if let Some((slot, entry)) = slot {
            self.judge.sits(number, slot, entry, now);
        }
        running.hear(&say, now);
        let said = running.drain();
        let after = *running.call.counters();
        let took = after.media - before.media;
        self.judge_taken(number, &say, took, after.dropped.iter().sum::<u64>() - before.dropped.iter().sum::<u64>());
        said.into_iter().for_each(|said| self.obey(number, said));
        self.judge.check_owed(number);
    }

    fn obey(&mut self, number: u64, said: Said) {
        let Some(running) = self.calls.get(&number) else {
            // It ended by what it said before; frames of it leave all the same.
            return;
        };
        let node = running.node;
        match said {
            Said::Send(to, channel, bytes) => {
                let Some(entry) = running.addresses.get(&to).copied() else { return };
                if channel == Channel::Floor {
                    self.judge.floor_sent(number, &bytes, self.now);
                }
                self.judge.sent(entry, self.now);
                self.send_down(entry, channel, bytes);
            }
            Said::Entered(entry) => self.entered(number, entry),
            Said::Frame(frame) => {
                self.judge.frame_sent(number, &frame, self.now);
                self.deeds.push_back(Deed::Link(node, link::Input::Local(*frame)));
            }
            Said::Forward(flow, bytes) => {
                self.judge.forwarded(number, &bytes);
                self.forward(node, flow, bytes);
            }
            Said::Backfill(flow, packets, done) => {
                for bytes in packets {
                    self.judge.backfilled(number, &bytes);
                    self.backfill(node, flow, Some(bytes));
                }
                if done {
                    self.judge.backfill_done(number);
                    self.backfill(node, flow, None);
                }
            }
            Said::Announced(announced) => {
                let (system, group) = (SYSTEMS[1 - node].into(), GROUPS[running.group].0.into());
                let (user, client) = (announced.user.clone(), announced.client.clone());
                let reference = announced.reference;
                if let Some(running) = self.calls.get_mut(&number) {
                    running.admitting.insert(reference, false);
                }
                let asker = Asker::Announce { call: number, line: self.wire.line, announced };
                self.ask(node, asker, Ask::MayAnnounce { system, group, user, client });
            }
            Said::Departed(reference) => self.leave_behind(node, Some(number), Some(reference)),
            Said::Ready(range) => self.joined(number, Ok(range)),
            Said::Refused(cause) => {
                let refused = Refused::new(Cause::of_code(&cause).unwrap_or(Cause::HomeUnreachable), "home", cause);
                self.joined(number, Err(refused));
            }
            Said::Expelled(entry, cause) => {
                self.tell(format!("the home takes entry {entry} out: {cause}"));
                self.take_out_gone(number, entry);
            }
            Said::Missed(ssrc, first, last) => self.judge.missed(number, ssrc, first, last),
            Said::Over(why) => self.end(number, why),
            Said::Expired(entry) => self.take_out_gone(number, entry),
        }
    }

    /// What the rules say about a participant that a partner announced.
    pub(super) fn may_announce(
        &mut self,
        call: u64,
        announced: Announced,
        may: Result<Answer<super::event::Shown>, Refused>,
    ) {
        match may {
            Ok(Answer::MayEnter { standing, .. }) => self.admit(call, announced, standing),
            Ok(_) => self.judge.broken("the rules did not say whether a participant may enter".into()),
            Err(refused) => {
                if let Some(running) = self.calls.get_mut(&call) {
                    running.admitting.remove(&announced.reference);
                    self.deeds.push_back(Deed::Call(call, Say::Expel(announced.reference, refused.cause.code())));
                    self.end_if_empty(call);
                }
            }
        }
    }

    /// A datagram of a device is at the node.
    pub(super) fn arrive_up(&mut self, entry: u64, channel: Channel, bytes: Vec<u8>) {
        let Some(number) = self.entries.get(&entry).map(|of| of.call) else { return };
        let Some(running) = self.calls.get(&number) else { return };
        let Some(slot) = running.seats.iter().find(|seat| seat.entry == entry).map(|seat| seat.slot) else { return };
        let say = match channel {
            Channel::Media if rtp::is_rtcp(&bytes) => Say::Heard(slot),
            Channel::Media => Say::Media(slot, bytes),
            Channel::Floor => Say::Floor(slot, bytes),
        };
        self.deeds.push_back(Deed::Call(number, say));
    }

    fn send_down(&mut self, entry: u64, channel: Channel, bytes: Vec<u8>) {
        let now = self.now;
        let Some(of) = self.entries.get_mut(&entry) else { return };
        of.down_free = of.down_free.max(now + of.delay);
        let at = of.down_free;
        self.queue.put(at, Event::Down { entry, channel, bytes });
    }
}

impl Running {
    fn hear(&mut self, say: &Say, now: relay_core::Time) {
        let call = &mut self.call;
        let mut tell = |input: Input<'_>| call.handle(input, now);
        let trunk = |what| Input::Trunk { from: TRUNK, what };
        match say {
            Say::Enter(slot, entry, who) => {
                tell(Input::Enter { slot: *slot, entry: *entry, participant: (**who).clone() });
            }
            Say::Replace(slot, entry, who) => {
                tell(Input::Replace { slot: *slot, entry: *entry, participant: (**who).clone() });
            }
            Say::Leave(slot) => tell(Input::Leave { slot: *slot }),
            Say::Media(slot, bytes) => {
                let packet = rtp::Packet::parse(bytes).expect("a device speaks RTP");
                tell(Input::Media { slot: *slot, packet });
            }
            Say::Floor(slot, bytes) => {
                for item in message::read(bytes) {
                    let Ok(message::Item::Packet(packet)) = item else { unreachable!("a device sends floor messages") };
                    tell(Input::Floor { slot: *slot, packet });
                }
            }
            Say::Heard(slot) => tell(Input::Heard { slot: *slot }),
            Say::Up => tell(trunk(FromTrunk::Up)),
            Say::Lost => tell(trunk(FromTrunk::Lost)),
            Say::Lives => tell(trunk(FromTrunk::Heard)),
            Say::RoundTrip(round_trip) => tell(trunk(FromTrunk::RoundTrip(*round_trip))),
            Say::Frame(What::Floor(floor)) => {
                let Some(Ok(message::Item::Packet(packet))) = message::read(&floor.message).next() else {
                    unreachable!("a call writes floor messages")
                };
                tell(trunk(FromTrunk::Floor { packet, holder: floor.holder, talker: &floor.talker }));
            }
            Say::Frame(what) => tell(trunk(FromTrunk::Frame(what.clone()))),
            Say::Carried(bytes) => {
                let packet = rtp::Packet::parse_protected(bytes).expect("a trunk carries RTP");
                tell(trunk(FromTrunk::Media(packet)));
            }
            Say::Backfill(Some(bytes)) => {
                let packet = rtp::Packet::parse_protected(bytes).expect("a trunk carries RTP");
                tell(trunk(FromTrunk::Backfill(Some(packet))));
            }
            Say::Backfill(None) => tell(trunk(FromTrunk::Backfill(None))),
            Say::Expel(reference, cause) => tell(Input::Expel { trunk: TRUNK, reference: *reference, cause }),
            Say::Timer => tell(Input::Timer),
        }
    }

    fn drain(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        loop {
            said.push(match self.call.poll() {
                Output::Wake(wake) => {
                    self.wake = wake.map(|(at, _)| at);
                    return said;
                }
                Output::Floor { to, message } => Said::Send(to, Channel::Floor, message.to_vec()),
                Output::Replay { to, orders, kept, .. } => {
                    let packets = orders.iter().filter_map(|order| kept.packet(*order));
                    said.extend(packets.map(|packet| Said::Send(to, Channel::Media, packet.to_vec())));
                    continue;
                }
                Output::Distribute { packet, targets, .. } => {
                    said.extend(targets.iter().map(|to| Said::Send(*to, Channel::Media, packet.to_vec())));
                    continue;
                }
                Output::Entered { entry, .. } => Said::Entered(entry),
                Output::Answer { .. } => continue,
                Output::Overstepped { what, cause, detail, .. } => {
                    panic!("an honest partner is accused of {cause} ({what:?}): {detail}")
                }
                Output::Frame { frame, .. } => Said::Frame(frame),
                Output::Forward { flow, packet, .. } => Said::Forward(flow, packet.to_vec()),
                Output::Backfill { flow, orders, kept, done, .. } => {
                    let packets = orders.iter().filter_map(|order| kept.packet(*order));
                    Said::Backfill(flow, packets.map(<[u8]>::to_vec).collect(), done)
                }
                Output::Announced { announced, .. } => Said::Announced(announced),
                Output::Departed { reference, .. } => Said::Departed(reference),
                Output::Ready { range } => Said::Ready(range),
                Output::Refused { cause } => Said::Refused(cause),
                Output::Expelled { entry, cause, .. } => Said::Expelled(entry, cause),
                Output::Missed { ssrc, first, last } => Said::Missed(ssrc, first, last),
                Output::Slice { .. } | Output::Hand { .. } => unreachable!("a call of one worker has no parts"),
                Output::Inactive => Said::Over("its hang time is over"),
                Output::Expired { entry, .. } => Said::Expired(entry),
            });
        }
    }
}
