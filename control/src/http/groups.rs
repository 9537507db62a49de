//! Group documents.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use control_core::{
    Refused,
    group::{Codec, Floor, Group, Media, Member, Model},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Answer, Shared,
    body::{Body, Ids, Page},
    not_yet,
};
use crate::{keeping::keep, registry::StoredGroup, store::groups};

/// A group document as it travels. What stands here are the defaults.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    model: ModelWord,
    #[serde(default)]
    members: Vec<MemberDocument>,
    #[serde(default)]
    open: bool,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    home: Option<String>,
    #[serde(default = "ten")]
    migration_grace_s: u32,
    #[serde(default)]
    floor: FloorDocument,
    #[serde(default)]
    media: MediaDocument,
    #[serde(default)]
    limits: LimitsDocument,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum ModelWord {
    Prearranged,
    Chat,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct MemberDocument {
    user: String,
    #[serde(default)]
    priority: u8,
    #[serde(default)]
    receive_only: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct FloorDocument {
    queueing: bool,
    max_burst_s: u16,
    hang_time_s: u32,
    audio_cut_in: bool,
    dual_floor: bool,
    privacy: bool,
}

impl Default for FloorDocument {
    fn default() -> Self {
        FloorDocument::from(&Floor::default())
    }
}

impl From<&Floor> for FloorDocument {
    fn from(floor: &Floor) -> FloorDocument {
        FloorDocument {
            queueing: floor.queueing,
            max_burst_s: floor.max_burst_s,
            hang_time_s: floor.hang_time_s,
            audio_cut_in: false,
            dual_floor: false,
            privacy: floor.privacy,
        }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct MediaDocument {
    codecs: Vec<CodecDocument>,
    ssrc: String,
    retention_ms: u32,
    entry_ms: u32,
    packets_per_s: u32,
    bytes_per_s: u32,
    clear_between_quic_and_udp: String,
}

impl Default for MediaDocument {
    fn default() -> Self {
        MediaDocument::from(&Media::default())
    }
}

impl From<&Media> for MediaDocument {
    fn from(media: &Media) -> MediaDocument {
        let codec = |codec: &Codec| CodecDocument {
            name: codec.name.clone(),
            payload_type: codec.payload_type,
            fmtp: codec.fmtp.clone(),
        };
        MediaDocument {
            codecs: media.codecs.iter().map(codec).collect(),
            ssrc: "assigned".into(),
            retention_ms: media.retention_ms,
            entry_ms: media.entry_ms,
            packets_per_s: media.packets_per_s,
            bytes_per_s: media.bytes_per_s,
            clear_between_quic_and_udp: "refuse".into(),
        }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct CodecDocument {
    name: String,
    payload_type: u8,
    #[serde(default)]
    fmtp: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsDocument {
    participants: u32,
    queue: u16,
}

impl Default for LimitsDocument {
    fn default() -> Self {
        LimitsDocument { participants: 2000, queue: 16 }
    }
}

const fn yes() -> bool {
    true
}

const fn ten() -> u32 {
    10
}

pub(super) async fn put(
    State(face): Shared,
    Ids(id): Ids<String>,
    Body(document): Body<Document>,
) -> Answer<Json<Value>> {
    let mut group = document.check()?;
    group.home = group.home.filter(|home| *home != face.system);
    let order = face.documents.lock().await;
    let stored = face.registry.put_group(&id, group).await?;
    face.mobility.group(&id, Some(Arc::clone(&stored.group))).await;
    let kept = keep(&face.keeping, groups::record(&id, Some((&stored.group, stored.revision))));
    drop(order);
    kept.await?;
    Ok(Json(show(&id, &stored)))
}

pub(super) async fn get(State(face): Shared, Ids(id): Ids<String>) -> Answer<Json<Value>> {
    Ok(Json(show(&id, &face.registry.group(&id)?)))
}

pub(super) async fn delete(State(face): Shared, Ids(id): Ids<String>) -> Answer<StatusCode> {
    let order = face.documents.lock().await;
    face.registry.delete_group(&id)?;
    face.mobility.group(&id, None).await;
    let kept = keep(&face.keeping, groups::record(&id, None));
    drop(order);
    kept.await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn list(State(face): Shared, page: Page) -> Json<Value> {
    let all = face.registry.groups_after(page.after.as_deref());
    page.of(all, |(id, _)| id.clone(), |(id, stored)| show(id, stored))
}

impl Document {
    /// The document as the rules take it; what later builds have must have its default.
    fn check(self) -> Result<Group, Refused> {
        not_yet::field("floor.audio_cut_in", !self.floor.audio_cut_in)?;
        not_yet::field("floor.dual_floor", !self.floor.dual_floor)?;
        not_yet::field("media.ssrc", self.media.ssrc == "assigned")?;
        let clear = self.media.clear_between_quic_and_udp == "refuse";
        not_yet::field("media.clear_between_quic_and_udp", clear)?;
        let member = |member: MemberDocument| Member {
            user: member.user,
            priority: member.priority,
            receive_only: member.receive_only,
        };
        let codec =
            |codec: CodecDocument| Codec { name: codec.name, payload_type: codec.payload_type, fmtp: codec.fmtp };
        Ok(Group {
            model: match self.model {
                ModelWord::Prearranged => Model::Prearranged,
                ModelWord::Chat => Model::Chat,
            },
            members: self.members.into_iter().map(member).collect(),
            open: self.open,
            enabled: self.enabled,
            home: self.home,
            migration_grace_s: self.migration_grace_s,
            floor: Floor {
                queueing: self.floor.queueing,
                max_burst_s: self.floor.max_burst_s,
                hang_time_s: self.floor.hang_time_s,
                privacy: self.floor.privacy,
            },
            media: Media {
                codecs: self.media.codecs.into_iter().map(codec).collect(),
                retention_ms: self.media.retention_ms,
                entry_ms: self.media.entry_ms,
                packets_per_s: self.media.packets_per_s,
                bytes_per_s: self.media.bytes_per_s,
            },
            participants_max: self.limits.participants,
            queue_max: self.limits.queue,
        })
    }
}

/// The stored document, with its id and revision.
fn show(id: &str, stored: &StoredGroup) -> Value {
    let group = &stored.group;
    let member = |member: &Member| MemberDocument {
        user: member.user.clone(),
        priority: member.priority,
        receive_only: member.receive_only,
    };
    let document = Document {
        model: match group.model {
            Model::Prearranged => ModelWord::Prearranged,
            Model::Chat => ModelWord::Chat,
        },
        members: group.members.iter().map(member).collect(),
        open: group.open,
        enabled: group.enabled,
        home: group.home.clone(),
        migration_grace_s: group.migration_grace_s,
        floor: FloorDocument::from(&group.floor),
        media: MediaDocument::from(&group.media),
        limits: LimitsDocument { participants: group.participants_max, queue: group.queue_max },
    };
    let mut shown = json!(document);
    shown["group"] = json!(id);
    shown["revision"] = json!(stored.revision.to_string());
    shown
}
