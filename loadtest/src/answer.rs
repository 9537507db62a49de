//! What a node answers to a participant that enters, as far as a caller needs it.

use serde::{Deserialize, Serialize};

/// The answer to an enter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Answer {
    /// The call.
    pub call: String,
    /// The participant, as the node names it.
    pub participant: String,
    /// Where to send, and as whom.
    pub leg: Leg,
    /// Floor and media at the moment of entry.
    pub late_entry: LateEntry,
}

/// The node's side of a leg.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Leg {
    /// Where RTP goes.
    pub rtp: String,
    /// Where floor messages go.
    pub floor: Option<String>,
    /// What this caller writes into both.
    pub audio_ssrc: u32,
    /// What the node writes into floor messages.
    pub floor_ssrc: u32,
}

/// The facts of a late entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct LateEntry {
    /// The floor.
    pub floor: Floor,
    /// One entry per retained SSRC, newest first.
    pub media: Vec<Media>,
}

/// The floor at the moment of entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Floor {
    /// `idle`, `taken` or `pending_revoke`.
    pub state: String,
    /// Who talks.
    pub talker: Option<String>,
    /// The SSRC of the media.
    pub audio_ssrc: Option<u32>,
    /// The number of the message sent to this participant.
    pub message_sequence_number: u16,
}

/// One retained SSRC.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Media {
    /// Whose.
    pub ssrc: u32,
    /// Extended number of its newest packet.
    pub sequence: u64,
    /// Its upper part.
    pub rollover: Option<u64>,
    /// The first packet that will be sent.
    pub resumed_from: Option<u64>,
    /// What a resume point lacks and retention no longer has.
    pub missed: Option<Missed>,
}

/// A gap that cannot be filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Missed {
    /// Its first packet.
    pub first: u64,
    /// Its last packet.
    pub last: u64,
}

/// The last packet of one SSRC that a caller says it heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ResumePoint {
    /// Whose.
    pub ssrc: u32,
    /// Its number.
    pub sequence: u64,
}

impl Floor {
    /// Whether somebody has the floor.
    pub fn is_taken(&self) -> bool {
        self.state != "idle"
    }
}

impl LateEntry {
    /// What is said about one SSRC.
    pub fn media_of(&self, ssrc: u32) -> Option<&Media> {
        self.media.iter().find(|media| media.ssrc == ssrc)
    }
}
