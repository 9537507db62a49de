//! The group document: who its members are, and how its calls are run (TS 24.481 in our words; API 'Groups').

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use crate::{Cause, Refused};

/// Longest MC service ID or group ID: it has to fit into one field of a floor message (TS 24.380 §8.2.3). Octets.
pub const ID_OCTETS_MAX: usize = 255;

/// Members of one group.
pub const MEMBERS_MAX: usize = 100_000;

/// Upper ends of the settings; lower ends stand in `Group::check`.
pub const PARTICIPANTS_MAX: u32 = 100_000;
/// Requests that may wait for the floor at once.
pub const QUEUE_MAX: u16 = 250;
/// Longest retention. Milliseconds.
pub const RETENTION_MS_MAX: u32 = 60_000;
/// Longest talk burst. Seconds.
pub const MAX_BURST_S_MAX: u16 = 3_600;
/// Longest hang time. Seconds.
pub const HANG_TIME_S_MAX: u32 = 86_400;
/// Longest migration grace. Seconds.
pub const MIGRATION_GRACE_S_MAX: u32 = 3_600;
/// Most packets per second of a talker.
pub const PACKETS_PER_S_MAX: u32 = 10_000;
/// Most bytes per second of a talker.
pub const BYTES_PER_S_MAX: u32 = 10_000_000;

/// How calls of a group come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// The server invites the members.
    Prearranged,
    /// Members come by themselves.
    Chat,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Primary MC service ID.
    pub user: String,
    /// User priority: the cap of what its clients may ask for.
    pub priority: u8,
    /// Whether it may only listen.
    pub receive_only: bool,
}

/// A codec that the group speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codec {
    /// Encoding name and clock rate, as in SDP.
    pub name: String,
    /// RTP payload type, 0–127.
    pub payload_type: u8,
    /// Format parameters, as in SDP.
    pub fmtp: String,
}

/// What a group sets for its floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor {
    /// Whether requests wait.
    pub queueing: bool,
    /// Longest talk burst (T2). Seconds.
    pub max_burst_s: u16,
    /// Hang time (T4). Seconds; 0: never.
    pub hang_time_s: u32,
    /// Whether the talker's identity is withheld.
    pub privacy: bool,
}

/// What a group sets for its media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// What is spoken.
    pub codecs: Vec<Codec>,
    /// How long media is kept for late entry. Milliseconds.
    pub retention_ms: u32,
    /// How much of the running burst a participant without resume points is sent. Milliseconds.
    pub entry_ms: u32,
    /// A talker's packets per second.
    pub packets_per_s: u32,
    /// A talker's bytes per second.
    pub bytes_per_s: u32,
}

/// A group document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// How its calls come about.
    pub model: Model,
    /// Who is on it.
    pub members: Vec<Member>,
    /// Whether users who are not on it may take part.
    pub open: bool,
    /// MC system that defines the group; `None`: this one.
    pub home: Option<String>,
    /// Whether it takes new calls.
    pub enabled: bool,
    /// How long a call outlives the participants that are on their way to another system. Seconds.
    pub migration_grace_s: u32,
    /// Floor control.
    pub floor: Floor,
    /// Media.
    pub media: Media,
    /// Participants of a call at once.
    pub participants_max: u32,
    /// Requests that may wait for the floor at once.
    pub queue_max: u16,
}

/// What a user is in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Cap of its floor priority.
    pub priority: u8,
    /// Whether it may only listen.
    pub receive_only: bool,
}

/// Who may take part, at hand by name: a call asks for every participant, and a list may be long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    listed: BTreeMap<String, Standing>,
    open: bool,
}

impl Members {
    /// What `user` is in this group, or why it may not take part.
    pub fn standing(&self, user: &str) -> Result<Standing, Refused> {
        // Users of an open group who are not listed have the lowest priority.
        let guest = self.open.then_some(Standing { priority: 0, receive_only: false });
        self.listed.get(user).copied().or(guest).ok_or_else(|| {
            Refused::new(Cause::NotAMember, user, format!("{user} is not listed, and the group is not open"))
        })
    }
}

impl Default for Floor {
    fn default() -> Floor {
        Floor { queueing: true, max_burst_s: 30, hang_time_s: 30, privacy: false }
    }
}

impl Default for Media {
    fn default() -> Media {
        let codec = Codec { name: "AMR-WB/16000".into(), payload_type: 96, fmtp: "octet-align=1".into() };
        Media {
            codecs: Vec::from([codec]),
            retention_ms: 10_000,
            entry_ms: 200,
            packets_per_s: 200,
            bytes_per_s: 65_536,
        }
    }
}

impl Group {
    /// A closed group without members, with the defaults of API v1.
    pub fn new(model: Model) -> Group {
        Group {
            model,
            members: Vec::new(),
            open: false,
            home: None,
            enabled: true,
            migration_grace_s: 10,
            floor: Floor::default(),
            media: Media::default(),
            participants_max: 2000,
            queue_max: 16,
        }
    }

    /// Checks a document that came in, and says who may take part.
    pub fn check(&self) -> Result<Members, Refused> {
        self.check_settings()?;
        limit("members", self.members.len() as u64, MEMBERS_MAX as u64)?;
        let mut listed = BTreeMap::new();
        for (at, Member { user, priority, receive_only }) in self.members.iter().enumerate() {
            check_id(&format!("members[{at}].user"), user)?;
            let standing = Standing { priority: *priority, receive_only: *receive_only };
            if listed.insert(user.clone(), standing).is_some() {
                return Err(Refused::new(Cause::InvalidField, "members", format!("{user} is listed twice")));
            }
        }
        Ok(Members { listed, open: self.open })
    }

    fn check_settings(&self) -> Result<(), Refused> {
        if self.media.codecs.is_empty() {
            return Err(Refused::new(Cause::InvalidField, "media.codecs", "a group needs a codec"));
        }
        for codec in &self.media.codecs {
            within("media.codecs.payload_type", codec.payload_type.into(), 0, 127)?;
        }
        within("floor.max_burst_s", self.floor.max_burst_s.into(), 1, MAX_BURST_S_MAX.into())?;
        within("floor.hang_time_s", self.floor.hang_time_s.into(), 0, HANG_TIME_S_MAX.into())?;
        within("migration_grace_s", self.migration_grace_s.into(), 0, MIGRATION_GRACE_S_MAX.into())?;
        if let Some(home) = &self.home {
            check_id("home", home)?;
        }
        within("media.retention_ms", self.media.retention_ms.into(), 200, RETENTION_MS_MAX.into())?;
        within("media.entry_ms", self.media.entry_ms.into(), 0, self.media.retention_ms.into())?;
        within("media.packets_per_s", self.media.packets_per_s.into(), 1, PACKETS_PER_S_MAX.into())?;
        within("media.bytes_per_s", self.media.bytes_per_s.into(), 1_000, BYTES_PER_S_MAX.into())?;
        within("limits.participants", self.participants_max.into(), 1, PARTICIPANTS_MAX.into())?;
        within("limits.queue", self.queue_max.into(), 0, QUEUE_MAX.into())
    }
}

/// Checks an MC service ID, a group ID or a client's name.
pub fn check_id(field: &str, id: &str) -> Result<(), Refused> {
    let wrong = |why: &str| Err(Refused::new(Cause::InvalidField, field, format!("{field} {why}")));
    if id.is_empty() {
        return wrong("is empty");
    }
    if id.len() > ID_OCTETS_MAX {
        return wrong("has more than 255 octets");
    }
    if id.chars().any(|character| character.is_control() || character.is_whitespace()) {
        return wrong("holds white space or control characters");
    }
    Ok(())
}

fn within(field: &str, value: u64, least: u64, most: u64) -> Result<(), Refused> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Refused::new(Cause::InvalidField, field, format!("{field} is {value}, not {least} to {most}")))
}

fn limit(name: &str, value: u64, most: u64) -> Result<(), Refused> {
    if value <= most {
        return Ok(());
    }
    Err(Refused::new(Cause::LimitReached, name, format!("{value} {name} exceed {most}")))
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn group() -> Group {
        let ana = Member { user: "sip:ana@a".into(), priority: 3, receive_only: true };
        Group { members: vec![ana], ..Group::new(Model::Chat) }
    }

    #[test]
    fn members_stand_as_listed_and_guests_only_in_an_open_group() {
        let mut group = group();
        let standing = |group: &Group, user| group.check().unwrap().standing(user);
        assert_eq!(standing(&group, "sip:ana@a"), Ok(Standing { priority: 3, receive_only: true }));
        assert_eq!(standing(&group, "sip:eva@a").unwrap_err().cause, Cause::NotAMember);
        group.open = true;
        assert_eq!(standing(&group, "sip:eva@a"), Ok(Standing { priority: 0, receive_only: false }));
        assert_eq!(standing(&group, "sip:ana@a").unwrap().priority, 3);
    }

    #[test]
    fn every_setting_has_both_ends() {
        type Edit = fn(&mut Group, u64);
        let edits: [(Edit, u64, u64, &str); 9] = [
            (|group, value| group.floor.max_burst_s = value as u16, 1, 3_600, "floor.max_burst_s"),
            (|group, value| group.floor.hang_time_s = value as u32, 0, 86_400, "floor.hang_time_s"),
            (|group, value| group.migration_grace_s = value as u32, 0, 3_600, "migration_grace_s"),
            (|group, value| group.media.retention_ms = value as u32, 200, 60_000, "media.retention_ms"),
            (|group, value| group.media.entry_ms = value as u32, 0, 10_000, "media.entry_ms"),
            (|group, value| group.media.packets_per_s = value as u32, 1, 10_000, "media.packets_per_s"),
            (|group, value| group.media.bytes_per_s = value as u32, 1_000, 10_000_000, "media.bytes_per_s"),
            (|group, value| group.participants_max = value as u32, 1, 100_000, "limits.participants"),
            (|group, value| group.queue_max = value as u16, 0, 250, "limits.queue"),
        ];
        for (edit, least, most, field) in edits {
            let verdict = |value| {
                let mut group = group();
                edit(&mut group, value);
                group.check().map(|_| ()).map_err(|refused| refused.subject)
            };
            assert_eq!((verdict(least), verdict(most)), (Ok(()), Ok(())), "{field}");
            assert_eq!(verdict(most + 1), Err(field.into()));
            if least > 0 {
                assert_eq!(verdict(least - 1), Err(field.into()));
            }
        }
    }

    #[test]
    fn a_member_is_listed_once_and_has_a_name_that_fits() {
        let mut twice = group();
        twice.members.push(twice.members[0].clone());
        assert_eq!(twice.check().unwrap_err().subject, "members");
        for (id, right) in
            [("a".repeat(255), true), ("a".repeat(256), false), (String::new(), false), ("a b".into(), false)]
        {
            assert_eq!(check_id("user", &id).is_ok(), right, "{id}");
        }
    }
}
