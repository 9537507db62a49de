//! A group's document as partners write it to each other.

use alloc::{string::String, vec::Vec};

use relay_core::trunk::wire;

use crate::{
    Cause, Refused,
    group::{Codec, Floor, Group, Media, Model, Standing},
};

/// What a partner is told of a group: how its calls run, not who is on it.
pub(super) fn tell(group: &Group) -> wire::GroupDocument {
    let codec = |codec: &Codec| wire::Codec {
        name: codec.name.clone(),
        payload_type: codec.payload_type.into(),
        fmtp: codec.fmtp.clone(),
    };
    wire::GroupDocument {
        prearranged: group.model == Model::Prearranged,
        queueing: group.floor.queueing,
        max_burst_s: group.floor.max_burst_s.into(),
        hang_time_s: group.floor.hang_time_s,
        privacy: group.floor.privacy,
        retention: group.media.retention_ms,
        entry: group.media.entry_ms,
        packets_per_s: group.media.packets_per_s,
        bytes_per_s: group.media.bytes_per_s,
        participants_max: group.participants_max,
        queue_max: group.queue_max.into(),
        codecs: group.media.codecs.iter().map(codec).collect(),
    }
}

/// The document of a group that `home` defines, checked like one that a client puts.
pub(super) fn read(document: &wire::GroupDocument, home: &str) -> Result<Group, Refused> {
    let large = |field: &str| Refused::new(Cause::RefusedByPartner, home, alloc::format!("{field} is too large"));
    let codec = |codec: &wire::Codec| {
        let payload_type = u8::try_from(codec.payload_type).map_err(|_| large("payload_type"))?;
        Ok(Codec { name: codec.name.clone(), payload_type, fmtp: codec.fmtp.clone() })
    };
    let codecs: Result<Vec<Codec>, Refused> = document.codecs.iter().map(codec).collect();
    let model = if document.prearranged { Model::Prearranged } else { Model::Chat };
    let group = Group {
        home: Some(String::from(home)),
        floor: Floor {
            queueing: document.queueing,
            max_burst_s: u16::try_from(document.max_burst_s).map_err(|_| large("max_burst_s"))?,
            hang_time_s: document.hang_time_s,
            privacy: document.privacy,
        },
        media: Media {
            codecs: codecs?,
            retention_ms: document.retention,
            entry_ms: document.entry,
            packets_per_s: document.packets_per_s,
            bytes_per_s: document.bytes_per_s,
        },
        participants_max: document.participants_max,
        queue_max: u16::try_from(document.queue_max).map_err(|_| large("queue_max"))?,
        ..Group::new(model)
    };
    group.check()?;
    Ok(group)
}

/// What the home says a user is in a group.
pub(super) fn standing(priority: u32, receive_only: bool) -> Standing {
    Standing { priority: u8::try_from(priority).unwrap_or(u8::MAX), receive_only }
}
