//! What happens to a system.

use alloc::{string::String, sync::Arc, vec::Vec};

use relay_core::{late_entry::ResumePoint, trunk::wire};

use super::Ask;
use crate::{Refused, group::Group};

/// What happened.
#[derive(Clone, Debug)]
pub enum Input<E> {
    /// Somebody asks through a face. Every `Ask` gets one `Answer`.
    Ask {
        /// Comes back in the answer.
        token: u64,
        /// What is asked.
        ask: Ask,
        /// Fresh randomness: ids and tickets are made of it.
        entropy: [u8; 64],
    },
    /// A partner wrote. The trunk has proved who it is.
    Letter {
        /// MC system id of the partner.
        from: String,
        /// What it wrote.
        letter: wire::Letter,
    },
    /// A trunk came up, or went down.
    Trunk {
        /// MC system id of the partner.
        system: String,
        /// Whether it stands.
        up: bool,
    },
    /// Everything up to this `Store` number survives a crash.
    Stored {
        /// Number of the last write that was made durable.
        number: u64,
    },
    /// A group document was stored here, or deleted.
    Group {
        /// Group id.
        group: String,
        /// The document; `None`: deleted.
        document: Option<Arc<Group>>,
    },
    /// A call of a group began or ended here.
    Call {
        /// Group id.
        group: String,
        /// Whether one runs now.
        runs: bool,
    },
    /// What became of an `Enter`.
    Entered {
        /// Its number.
        number: u64,
        /// What the client is told, or why it is not in the call.
        result: Result<E, Refused>,
    },
    /// What became of a `Leave`: nothing more can be sent to the participant.
    Left {
        /// Its number.
        number: u64,
        /// The last packet that was sent to it, per SSRC.
        resume: Vec<ResumePoint>,
    },
    /// A client entered the call of a group by itself, or changed its leg there. Said before the `Call` that it started.
    Came {
        /// Primary MC service ID.
        user: String,
        /// Its client.
        client: String,
        /// The group of the call.
        group: String,
        /// What the client was told.
        entered: E,
    },
    /// A participant that was entered is no longer in its call, for another reason than a `Leave`.
    Gone {
        /// Primary MC service ID.
        user: String,
        /// Its client.
        client: String,
        /// The group of the call.
        group: String,
    },
    /// The home of a partner's group has put a participant out, or did not let it in; it was reported as `Gone`.
    Expelled {
        /// Primary MC service ID.
        user: String,
        /// Its client.
        client: String,
        /// The group of the call.
        group: String,
        /// The home's word, of the table of causes if it is known here.
        word: String,
    },
    /// Time has passed.
    Timer,
}
