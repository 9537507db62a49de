//! From the core's facts to the answer that a caller reads.

use relay_core::late_entry::{
    Facts,
    facts::{FloorState, MediaFacts},
};

use crate::answer::{Floor, LateEntry, Media, Missed};

impl From<Facts> for LateEntry {
    fn from(facts: Facts) -> LateEntry {
        let state = match facts.floor.state {
            FloorState::Idle => "idle",
            FloorState::Taken => "taken",
            FloorState::PendingRevoke => "pending_revoke",
        };
        let floor = Floor {
            state: state.into(),
            talker: facts.floor.talker.map(|talker| talker.to_string()),
            audio_ssrc: facts.floor.audio_ssrc.map(|ssrc| ssrc.0),
            message_sequence_number: facts.floor.message_sequence_number,
        };
        LateEntry { floor, media: facts.media.into_iter().map(Media::from).collect() }
    }
}

impl From<MediaFacts> for Media {
    fn from(facts: MediaFacts) -> Media {
        Media {
            ssrc: facts.ssrc.0,
            sequence: facts.sequence,
            rollover: Some(facts.sequence >> 16),
            resumed_from: facts.resumed_from,
            missed: facts.missed.map(|(first, last)| Missed { first, last }),
        }
    }
}
