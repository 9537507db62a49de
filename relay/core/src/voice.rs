//! A voice: the media of one SSRC in a call, whoever's it is, burst after burst.

use alloc::{sync::Arc, vec::Vec};

use crate::{
    Ssrc, Time,
    rtp::{Extender, Packet, Sequence},
};

/// How far behind the newest packet a repeated one is still recognised.
pub const DUPLICATE_WINDOW: u64 = 64;

/// Gaps that a voice remembers, and that one backfill is told to have: more are no gaps but a broken trunk.
pub const GAPS_MAX: usize = 64;

/// What is known of one SSRC. Its numbers count from its first packet in this call.
#[derive(Clone, Debug)]
pub struct Voice {
    /// Primary MC service ID of who speaks under it.
    pub user: Arc<str>,
    /// Its newest packet.
    pub newest: Sequence,
    /// RTP timestamp of that packet.
    pub timestamp: u32,
    /// RTP payload type of that packet.
    pub payload_type: u8,
    /// When that packet came.
    pub arrived: Time,
    /// What a backfill should have brought and did not, first and last: the newest [`GAPS_MAX`].
    gaps: Vec<(Sequence, Sequence)>,
    extender: Extender,
    /// Bit n: the packet n before the newest was seen.
    seen: u64,
}

/// One uninterrupted time of a talker: from its grant to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Burst {
    /// Whose media.
    pub ssrc: Ssrc,
    /// Primary MC service ID of the talker.
    pub talker: Arc<str>,
    /// Order number of the call at the grant: its packets stand here or behind.
    pub began: crate::Order,
    /// The order number behind its last packet.
    pub until: crate::Order,
    /// Its last packet; `None`: nothing came.
    pub last: Option<Sequence>,
    /// When it ended; `None`: it runs.
    pub ended: Option<Time>,
}

impl Burst {
    /// One more of its packets, kept as `order`.
    pub fn extend(&mut self, sequence: Sequence, order: crate::Order) {
        if self.last.is_none_or(|last| last.is_behind(sequence)) {
            self.last = Some(sequence);
        }
        self.until = order.next();
    }
}

impl Voice {
    /// The voice that begins with `packet`.
    pub fn begin(user: Arc<str>, packet: &Packet<'_>, now: Time) -> Voice {
        let extender = Extender::begin(packet.sequence());
        Voice {
            user,
            newest: extender.newest(),
            timestamp: packet.timestamp(),
            payload_type: packet.payload_type().number(),
            arrived: now,
            gaps: Vec::new(),
            extender,
            seen: 1,
        }
    }

    /// A voice that another system has heard up to this packet.
    pub fn known(user: Arc<str>, newest: Sequence, timestamp: u32, payload_type: u8, now: Time) -> Voice {
        let (gaps, extender) = (Vec::new(), Extender::resume(newest));
        Voice { user, newest, timestamp, payload_type, arrived: now, gaps, extender, seen: 0 }
    }

    /// Notes what a backfill should have brought and did not, as the home counts.
    pub fn lack(&mut self, first: u64, last: u64) {
        let begin = self.extender.extend(Sequence(first).low16());
        if self.gaps.len() >= GAPS_MAX {
            self.gaps.remove(0);
        }
        self.gaps.push((begin, Sequence(begin.0.saturating_add(last.saturating_sub(first)))));
    }

    /// The last number of the gap that `number` lies in.
    pub fn lacks(&self, number: Sequence) -> Option<Sequence> {
        self.gaps.iter().find(|(first, last)| (*first..=*last).contains(&number)).map(|gap| gap.1)
    }

    /// Notes a further packet and answers its extended number, or `None` if the network brought it a second time.
    pub fn note(&mut self, packet: &Packet<'_>, now: Time) -> Option<Sequence> {
        let before = self.newest;
        let sequence = self.extender.note(packet.sequence());
        if before.is_behind(sequence) {
            let ahead = sequence.0 - before.0;
            self.seen = if ahead < DUPLICATE_WINDOW { (self.seen << ahead) | 1 } else { 1 };
            self.newest = sequence;
            self.timestamp = packet.timestamp();
            self.payload_type = packet.payload_type().number();
        } else {
            // The serial distance: what was sent before the first packet has a greater extended number than it.
            let behind = u64::from(before.low16().wrapping_sub(sequence.low16()));
            if behind < DUPLICATE_WINDOW {
                if self.seen & (1 << behind) != 0 {
                    return None;
                }
                self.seen |= 1 << behind;
            }
        }
        self.arrived = now;
        Some(sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::{Header, PayloadType};

    /// What a voice makes of packets with these numbers, the first of which begins it.
    fn check(numbers: &[u16]) -> (Voice, alloc::vec::Vec<Option<u64>>) {
        let mut voice: Option<Voice> = None;
        let noted = numbers.iter().map(|sequence| {
            let payload_type = PayloadType::try_from(96).expect("seven bits");
            let header = Header { marker: false, payload_type, sequence: *sequence, timestamp: 0, ssrc: Ssrc(1) };
            let mut bytes = [0; 12];
            header.write(&mut bytes).expect("room");
            let packet = Packet::parse(&bytes).expect("a packet");
            match &mut voice {
                Some(voice) => voice.note(&packet, Time::ZERO).map(|sequence| sequence.0),
                None => Some(voice.insert(Voice::begin(Arc::from("sip:ana@a"), &packet, Time::ZERO)).newest.0),
            }
        });
        let noted = noted.collect();
        (voice.expect("a first packet"), noted)
    }

    #[test]
    fn a_voice_remembers_its_newest_gaps() {
        let (mut voice, _) = check(&[1_000]);
        let gap = |number: usize| (2 * number as u64, 2 * number as u64);
        let lacks = |voice: &Voice, number: usize| voice.lacks(Sequence(2 * number as u64)).is_some();
        (0..GAPS_MAX).for_each(|number| voice.lack(gap(number).0, gap(number).1));
        assert!(lacks(&voice, 0) && lacks(&voice, GAPS_MAX - 1) && voice.lacks(Sequence(1)).is_none());
        voice.lack(gap(GAPS_MAX).0, gap(GAPS_MAX).1);
        assert!(!lacks(&voice, 0) && lacks(&voice, 1) && lacks(&voice, GAPS_MAX));
    }

    #[test]
    fn a_packet_sent_before_the_first_never_becomes_the_newest() {
        let (voice, noted) = check(&[1, 65_534, 65_534, 2, 1, 3]);
        assert_eq!(noted, [Some(1), Some(65_534), None, Some(2), None, Some(3)]);
        assert_eq!(voice.newest, Sequence(3));
    }

    #[test]
    fn repeated_packets_are_recognised_across_a_wrap_and_to_the_edge_of_the_window() {
        let (voice, noted) = check(&[65_535, 0, 65_535, 0, 1]);
        assert_eq!(noted, [Some(65_535), Some(65_536), None, None, Some(65_537)]);
        assert_eq!(voice.newest.rollover(), 1);
        let edge = DUPLICATE_WINDOW as u16 - 1;
        assert_eq!(check(&[10, 10 + edge, 10]).1, [Some(10), Some(u64::from(10 + edge)), None]);
        // Further behind nothing is remembered: the packet leaves again rather than being lost.
        assert_eq!(check(&[10, 11 + edge, 10]).1, [Some(10), Some(u64::from(11 + edge)), Some(10)]);
    }
}
