//! Group documents as rows of the table `groups`.
//!
//! Numbers of fields are for ever: a field that goes is not given away again.

use control_core::{
    group::{Codec, Floor, Group, Media, Member, Model},
    system::Record,
};
use prost::Message;

/// The table of group documents.
pub const TABLE: &str = "groups";

/// The version of the row that this build writes; it reads this one and older.
pub const VERSION: u32 = 1;

/// Bytes that are no group row of this build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("group row is malformed: {0}; put a copy of the store in its place, or PUT the group again")]
pub struct Malformed(String);

/// A group document and its revision, as stored.
#[derive(Clone, PartialEq, Message)]
pub struct StoredGroup {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(uint64, tag = "2")]
    revision: u64,
    #[prost(enumeration = "StoredModel", tag = "3")]
    model: i32,
    #[prost(message, repeated, tag = "4")]
    members: Vec<StoredMember>,
    #[prost(bool, tag = "5")]
    open: bool,
    #[prost(string, optional, tag = "6")]
    home: Option<String>,
    #[prost(bool, tag = "7")]
    enabled: bool,
    #[prost(uint32, tag = "8")]
    migration_grace_s: u32,
    #[prost(message, optional, tag = "9")]
    floor: Option<StoredFloor>,
    #[prost(message, optional, tag = "10")]
    media: Option<StoredMedia>,
    #[prost(uint32, tag = "11")]
    participants_max: u32,
    #[prost(uint32, tag = "12")]
    queue_max: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
enum StoredModel {
    Unspecified = 0,
    Prearranged = 1,
    Chat = 2,
}

#[derive(Clone, PartialEq, Message)]
struct StoredMember {
    #[prost(string, tag = "1")]
    user: String,
    #[prost(uint32, tag = "2")]
    priority: u32,
    #[prost(bool, tag = "3")]
    receive_only: bool,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct StoredFloor {
    #[prost(bool, tag = "1")]
    queueing: bool,
    #[prost(uint32, tag = "2")]
    max_burst_s: u32,
    #[prost(uint32, tag = "3")]
    hang_time_s: u32,
    #[prost(bool, tag = "4")]
    privacy: bool,
}

#[derive(Clone, PartialEq, Message)]
struct StoredMedia {
    #[prost(message, repeated, tag = "1")]
    codecs: Vec<StoredCodec>,
    #[prost(uint32, tag = "2")]
    retention_ms: u32,
    #[prost(uint32, tag = "3")]
    entry_ms: u32,
    #[prost(uint32, tag = "4")]
    packets_per_s: u32,
    #[prost(uint32, tag = "5")]
    bytes_per_s: u32,
}

#[derive(Clone, PartialEq, Message)]
struct StoredCodec {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint32, tag = "2")]
    payload_type: u32,
    #[prost(string, tag = "3")]
    fmtp: String,
}

/// The row of a group; without a document the row goes.
pub fn record(id: &str, document: Option<(&Group, u64)>) -> Record {
    let value = document.map(|(group, revision)| StoredGroup::new(group, revision).encode_to_vec());
    Record { table: TABLE, key: id.to_owned(), value }
}

/// The document and its revision.
pub fn decode(value: &[u8]) -> Result<(Group, u64), Malformed> {
    let row = StoredGroup::decode(value).map_err(|error| Malformed(error.to_string()))?;
    let revision = row.revision;
    Ok((row.document()?, revision))
}

impl StoredGroup {
    fn new(group: &Group, revision: u64) -> StoredGroup {
        // Taken apart by name, so that a new field cannot be forgotten.
        let Group { model, members, open, home, enabled, migration_grace_s, floor, media, participants_max, queue_max } =
            group;
        let model = match model {
            Model::Prearranged => StoredModel::Prearranged,
            Model::Chat => StoredModel::Chat,
        };
        StoredGroup {
            version: VERSION,
            revision,
            model: model.into(),
            members: members.iter().map(StoredMember::new).collect(),
            open: *open,
            home: home.clone(),
            enabled: *enabled,
            migration_grace_s: *migration_grace_s,
            floor: Some(StoredFloor::new(floor)),
            media: Some(StoredMedia::new(media)),
            participants_max: *participants_max,
            queue_max: (*queue_max).into(),
        }
    }

    fn document(self) -> Result<Group, Malformed> {
        if self.version != VERSION {
            return Err(Malformed(format!("it has version {}, this build knows {VERSION}", self.version)));
        }
        let model = match self.model() {
            StoredModel::Prearranged => Model::Prearranged,
            StoredModel::Chat => Model::Chat,
            StoredModel::Unspecified => return Err(Malformed(format!("model {} is not known", self.model))),
        };
        let lacks = |what: &str| Malformed(format!("{what} is missing"));
        Ok(Group {
            model,
            members: self.members.into_iter().map(StoredMember::document).collect::<Result<_, _>>()?,
            open: self.open,
            home: self.home,
            enabled: self.enabled,
            migration_grace_s: self.migration_grace_s,
            floor: self.floor.ok_or_else(|| lacks("floor"))?.document()?,
            media: self.media.ok_or_else(|| lacks("media"))?.document()?,
            participants_max: self.participants_max,
            queue_max: narrow("queue_max", self.queue_max)?,
        })
    }
}

impl StoredMember {
    fn new(Member { user, priority, receive_only }: &Member) -> StoredMember {
        StoredMember { user: user.clone(), priority: (*priority).into(), receive_only: *receive_only }
    }

    fn document(self) -> Result<Member, Malformed> {
        let priority = narrow("priority", self.priority)?;
        Ok(Member { user: self.user, priority, receive_only: self.receive_only })
    }
}

impl StoredFloor {
    fn new(Floor { queueing, max_burst_s, hang_time_s, privacy }: &Floor) -> StoredFloor {
        StoredFloor {
            queueing: *queueing,
            max_burst_s: (*max_burst_s).into(),
            hang_time_s: *hang_time_s,
            privacy: *privacy,
        }
    }

    fn document(self) -> Result<Floor, Malformed> {
        let StoredFloor { queueing, max_burst_s, hang_time_s, privacy } = self;
        Ok(Floor { queueing, max_burst_s: narrow("max_burst_s", max_burst_s)?, hang_time_s, privacy })
    }
}

impl StoredMedia {
    fn new(Media { codecs, retention_ms, entry_ms, packets_per_s, bytes_per_s }: &Media) -> StoredMedia {
        StoredMedia {
            codecs: codecs.iter().map(StoredCodec::new).collect(),
            retention_ms: *retention_ms,
            entry_ms: *entry_ms,
            packets_per_s: *packets_per_s,
            bytes_per_s: *bytes_per_s,
        }
    }

    fn document(self) -> Result<Media, Malformed> {
        let StoredMedia { codecs, retention_ms, entry_ms, packets_per_s, bytes_per_s } = self;
        let codecs = codecs.into_iter().map(StoredCodec::document).collect::<Result<_, _>>()?;
        Ok(Media { codecs, retention_ms, entry_ms, packets_per_s, bytes_per_s })
    }
}

impl StoredCodec {
    fn new(Codec { name, payload_type, fmtp }: &Codec) -> StoredCodec {
        StoredCodec { name: name.clone(), payload_type: (*payload_type).into(), fmtp: fmtp.clone() }
    }

    fn document(self) -> Result<Codec, Malformed> {
        let payload_type = narrow("payload_type", self.payload_type)?;
        Ok(Codec { name: self.name, payload_type, fmtp: self.fmtp })
    }
}

fn narrow<T: TryFrom<u32>>(field: &str, value: u32) -> Result<T, Malformed> {
    T::try_from(value).map_err(|_| Malformed(format!("{field} is {value}, more than it can be")))
}

#[cfg(test)]
mod tests;
