//! Calls and participants as JSON: the facts of a late entry, word for word as API v1 shows them.

use relay::Relay;
use relay_core::{
    Ssrc,
    late_entry::{
        Facts,
        facts::{BurstFacts, FloorFacts, FloorState, MediaFacts},
    },
};
use serde_json::{Value, json};

use crate::registry::{CallRecord, Seat};

/// The answer to an entering participant.
pub(crate) fn entered(relay: &Relay, seat: &Seat) -> Value {
    let call = &seat.call;
    let ports = call.media.ports();
    let facts = &seat.entered.facts;
    json!({
        "call": call.id,
        "group": call.group,
        "participant": seat.participant.id,
        "leg": {
            "rtp": ports.rtp.to_string(),
            "floor": ports.floor.to_string(),
            "audio_ssrc": seat.placed.ssrc.0,
            "floor_ssrc": call.media.floor_ssrc().0,
            "sdp": null,
        },
        "late_entry": {
            "floor": floor(&facts.floor),
            "media": facts.media.iter().map(media).collect::<Vec<_>>(),
            "bursts": facts.bursts.iter().map(|facts| burst(relay, facts)).collect::<Vec<_>>(),
        },
    })
}

/// A call, with what its owner says of it.
pub(super) fn call(call: &CallRecord, floor_facts: &FloorFacts, media_facts: &[MediaFacts]) -> Value {
    json!({
        "call": call.id,
        "group": call.group,
        "type": "normal",
        "since": date(call.since),
        "participants": call.len(),
        "floor": floor(floor_facts),
        "media": media_facts.iter().map(media).collect::<Vec<_>>(),
    })
}

/// A call from its owner's own word.
pub(super) fn described(record: &CallRecord, facts: &Facts) -> Value {
    let mut described = call(record, &facts.floor, &facts.media);
    let gap = |(ssrc, first, last): (Ssrc, u64, u64)| json!({"ssrc": ssrc.0, "first": first, "last": last});
    described["home"] = json!(record.home);
    described["missed"] = record.missed().into_iter().map(gap).collect();
    described
}

fn floor(facts: &FloorFacts) -> Value {
    let state = match facts.state {
        FloorState::Idle => "idle",
        FloorState::Taken => "taken",
        FloorState::PendingRevoke => "pending_revoke",
    };
    json!({
        "state": state,
        "talker": facts.talker.as_deref(),
        "audio_ssrc": facts.audio_ssrc.map(|ssrc| ssrc.0),
        "may_request": facts.may_request,
        "message_sequence_number": facts.message_sequence_number,
        "since_ms": facts.since.0,
        "overriding": null,
    })
}

fn media(facts: &MediaFacts) -> Value {
    json!({
        "ssrc": facts.ssrc.0,
        "payload_type": facts.payload_type,
        "sequence": facts.sequence,
        "rollover": facts.sequence >> 16,
        "timestamp": facts.timestamp,
        "retained_ms": facts.retained.0,
        "resumed_from": facts.resumed_from,
        "missed": facts.missed.map(|(first, last)| json!({"first": first, "last": last})),
    })
}

fn burst(relay: &Relay, facts: &BurstFacts) -> Value {
    json!({
        "ssrc": facts.ssrc.0,
        "talker": facts.talker.as_deref(),
        "first": facts.first,
        "last": facts.last,
        "ended": date(relay.wall_clock(facts.ended)),
    })
}

/// RFC 3339 in UTC.
pub(super) fn date(time: std::time::SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}
