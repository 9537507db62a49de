//! The status row of a call: eight words that its owner publishes and anybody reads without asking.
//!
//! A talker of this system is named by its slot. Who talks in another system has none: its name stands beside the row, behind a
//! lock that the owner takes once per such talker.

use std::sync::{Arc, Mutex, PoisonError};

use relay_core::{
    Slot, Ssrc, Time,
    late_entry::facts::{FloorState, MediaFacts},
};
use relay_table::{Words, WordsReader};

const WORDS: usize = 8;

/// Beside the state of the floor, in its word.
const PRIVATE: u64 = 1 << 8;

/// Primary MC service ID of a talker, and the SSRC of its media.
pub(crate) type Named = (Arc<str>, Ssrc);

/// Reads a status row.
pub(crate) struct StatusReader {
    words: WordsReader<WORDS>,
    elsewhere: Arc<Mutex<Option<Named>>>,
}

/// The owner's side of a status row.
pub(crate) struct StatusWords {
    words: Words<WORDS>,
    last: [u64; WORDS],
    elsewhere: Arc<Mutex<Option<Named>>>,
    named: Option<Named>,
}

/// What the row says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) state: Option<FloorState>,
    pub(crate) talker: Option<Slot>,
    /// Whether the talker's identity is withheld.
    pub(crate) private: bool,
    pub(crate) since: Time,
    pub(crate) queue_length: u32,
    pub(crate) newest: Option<MediaFacts>,
}

impl StatusWords {
    pub(crate) fn new() -> (StatusWords, StatusReader) {
        let (words, reader) = relay_table::words();
        let elsewhere = Arc::default();
        let reader = StatusReader { words: reader, elsewhere: Arc::clone(&elsewhere) };
        (StatusWords { words, last: [0; WORDS], elsewhere, named: None }, reader)
    }

    /// Names who talks in another system, before the row says that somebody does. The name stays when nobody does any more: the
    /// row says whether it counts.
    pub(crate) fn name(&mut self, talker: Option<&Named>) {
        if talker.is_some() && talker != self.named.as_ref() {
            self.named = talker.cloned();
            self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&self.named);
        }
    }

    /// Publishes `snapshot` if it says something new.
    pub(crate) fn publish(&mut self, snapshot: &Snapshot) {
        let words = snapshot.words();
        if words != self.last {
            self.last = words;
            self.words.publish(words);
        }
    }
}

impl std::fmt::Debug for StatusWords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StatusWords({:?})", self.last)
    }
}

impl StatusReader {
    /// Who talked last in another system.
    pub(crate) fn elsewhere(&self) -> Option<Named> {
        self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Snapshot {
    /// What `reader` says now.
    pub(crate) fn read(reader: &StatusReader) -> Snapshot {
        let [floor, talker, since, queue_length, stream, sequence, timestamp, retained] = reader.words.read();
        let state = match floor & !PRIVATE {
            1 => Some(FloorState::Idle),
            2 => Some(FloorState::Taken),
            3 => Some(FloorState::PendingRevoke),
            _ => None,
        };
        let newest = (stream >> 63 == 1).then_some(MediaFacts {
            ssrc: Ssrc(stream as u32),
            payload_type: (stream >> 32) as u8 & 0x7f,
            sequence,
            timestamp: timestamp as u32,
            retained: relay_core::Millis(retained as u32),
            resumed_from: None,
            missed: None,
        });
        Snapshot {
            state,
            talker: talker.checked_sub(1).map(|slot| Slot(slot as u32)),
            private: floor & PRIVATE != 0,
            since: Time::from_micros(since),
            queue_length: queue_length as u32,
            newest,
        }
    }

    fn words(&self) -> [u64; WORDS] {
        let floor = match self.state {
            None => 0,
            Some(FloorState::Idle) => 1,
            Some(FloorState::Taken) => 2,
            Some(FloorState::PendingRevoke) => 3,
        };
        let floor = floor | if self.private { PRIVATE } else { 0 };
        let talker = self.talker.map_or(0, |slot| u64::from(slot.0) + 1);
        let [stream, sequence, timestamp, retained] = self.newest.map_or([0; 4], |media| {
            let stream = 1 << 63 | u64::from(media.payload_type) << 32 | u64::from(media.ssrc.0);
            [stream, media.sequence, u64::from(media.timestamp), u64::from(media.retained.0)]
        });
        let queue_length = u64::from(self.queue_length);
        [floor, talker, self.since.as_micros(), queue_length, stream, sequence, timestamp, retained]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who talks in another system has the last of all slots.
    #[test]
    fn every_slot_can_talk() {
        let (mut words, reader) = StatusWords::new();
        for slot in [Slot(0), Slot(1), Slot(u32::MAX)] {
            words.publish(&Snapshot { talker: Some(slot), ..Snapshot::default() });
            assert_eq!(Snapshot::read(&reader).talker, Some(slot));
        }
    }

    #[test]
    fn who_talks_elsewhere_stays_named_until_another_does() {
        let (mut words, reader) = StatusWords::new();
        assert_eq!(reader.elsewhere(), None);
        let (ana, ben) = ((Arc::from("sip:ana@a"), Ssrc(1)), (Arc::from("sip:ben@a"), Ssrc(1)));
        for (said, named) in [(Some(&ana), &ana), (None, &ana), (Some(&ben), &ben)] {
            words.name(said);
            assert_eq!(reader.elsewhere().as_ref(), Some(named));
        }
    }

    #[test]
    fn what_is_published_is_read() {
        let (mut words, reader) = StatusWords::new();
        assert_eq!(Snapshot::read(&reader), Snapshot::default());
        let media = MediaFacts {
            ssrc: Ssrc(0xffff_ffff),
            payload_type: 127,
            sequence: u64::MAX,
            timestamp: u32::MAX,
            retained: relay_core::Millis(9_999),
            resumed_from: None,
            missed: None,
        };
        for state in [FloorState::Idle, FloorState::Taken, FloorState::PendingRevoke] {
            let snapshot = Snapshot {
                state: Some(state),
                talker: Some(Slot(0)),
                private: state == FloorState::Taken,
                since: Time::from_micros(7),
                queue_length: 3,
                newest: Some(media),
            };
            words.publish(&snapshot);
            assert_eq!(Snapshot::read(&reader), snapshot);
        }
    }
}
