//! What was really said in a call, as its talkers know it: every packet they sent, and who had the floor when.

use std::{collections::BTreeMap, sync::Arc};

use relay_core::{
    Ssrc, Time,
    rtp::{Extender, Packet, Sequence},
};

/// Everything that a call's talkers did.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    spoken: Vec<Spoken>,
    floor: Vec<Change>,
    numbers: BTreeMap<Ssrc, Extender>,
    places: BTreeMap<(Ssrc, u16), usize>,
    asked: Option<Time>,
}

/// One packet that a talker sent. Talkers take turns, so the order of sending is the order of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// When it was sent.
    pub at: Time,
    /// Who talked.
    pub user: Arc<str>,
    /// Under which SSRC.
    pub ssrc: Ssrc,
    /// Its number, counted from the SSRC's first packet in the call.
    pub sequence: Sequence,
    /// Which turn it belongs to: the number of the floor change that began it.
    pub turn: usize,
    /// The datagram.
    pub bytes: Vec<u8>,
}

/// The floor has changed, somewhere between two points that its talker knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Not before this: the talker's message was sent.
    pub earliest: Time,
    /// Not after this: the talker had the answer.
    pub latest: Time,
    /// Who has the floor since.
    pub holder: Option<Holder>,
}

/// Who has the floor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The user.
    pub user: Arc<str>,
    /// The SSRC of the media.
    pub ssrc: Ssrc,
}

impl Truth {
    /// A talker asks for the floor, or gives it back.
    pub fn ask(&mut self, now: Time) {
        self.asked.get_or_insert(now);
    }

    /// The talker that asked has its answer: the floor is with `holder` now.
    pub fn change(&mut self, holder: Option<Holder>, now: Time) {
        if self.floor.last().is_some_and(|last| last.holder == holder) {
            self.asked = None;
            return;
        }
        let earliest = self.asked.take().unwrap_or(now);
        self.floor.push(Change { earliest, latest: now, holder });
    }

    /// A talker sends this packet.
    pub fn speak(&mut self, user: &Arc<str>, packet: &Packet<'_>, now: Time) {
        let (ssrc, low16) = (packet.ssrc(), packet.sequence());
        let numbers = self.numbers.entry(ssrc).or_insert(Extender::begin(low16));
        let sequence = numbers.note(low16);
        self.places.insert((ssrc, low16), self.spoken.len());
        let turn = self.floor.len().saturating_sub(1);
        self.spoken.push(Spoken { at: now, user: user.clone(), ssrc, sequence, turn, bytes: packet.bytes().to_vec() });
    }

    /// Every packet, in call order.
    pub fn spoken(&self) -> &[Spoken] {
        &self.spoken
    }

    /// Every change of the floor. Before the first, it is idle.
    pub fn floor(&self) -> &[Change] {
        &self.floor
    }

    /// Where a packet stands in call order. A run is far shorter than a wrap of the sequence number, so 16 bits name it.
    pub fn place(&self, ssrc: Ssrc, low16: u16) -> Option<usize> {
        self.places.get(&(ssrc, low16)).copied()
    }

    /// The newest packet of an SSRC that was sent by `now`.
    pub fn newest(&self, ssrc: Ssrc, now: Time) -> Option<&Spoken> {
        self.spoken.iter().rev().find(|spoken| spoken.ssrc == ssrc && spoken.at <= now)
    }

    /// The SSRCs that have spoken, most recent first.
    pub fn voices(&self) -> Vec<Ssrc> {
        let mut voices = Vec::new();
        for spoken in self.spoken.iter().rev() {
            if !voices.contains(&spoken.ssrc) {
                voices.push(spoken.ssrc);
            }
        }
        voices
    }

    /// When the turn ended of which `spoken` is a part: between these two. `None`: not yet.
    pub fn end_of(&self, spoken: &Spoken) -> Option<(Time, Time)> {
        self.floor.get(spoken.turn + 1).map(|change| (change.earliest, change.latest))
    }
}
