//! The domain of every field of a trunk's messages. Ranges that only a group's document has are `control`'s to check; here its
//! numbers must fit the types that hold them.

use super::{Checked, Malformed};
use crate::floor::message;
use crate::trunk::wire::{
    AffiliationItem, Announce, Authorization, Floor, Frame, GiveUp, GroupDocument, Letter, Profile, Snapshot,
    Subscribe, Subscribed, frame::What, letter,
};

/// Octets of an id of a system, group, user or client.
pub const ID_OCTETS_MAX: usize = 255;

/// Octets of a word that names a cause.
pub const WORD_OCTETS_MAX: usize = 64;

/// Octets of a text for people.
pub const TEXT_OCTETS_MAX: usize = 1024;

/// Octets of a ticket, or of what names a migration.
pub const SECRET_OCTETS_MAX: usize = 64;

/// The greatest number of a call: flows are below 2^30, so that four octets hold them in a datagram.
pub const FLOW_MAX: u32 = (1 << 30) - 1;

/// The greatest range of SSRCs: the upper 12 bits plus 1.
pub const RANGE_MAX: u32 = 4096;

/// The greatest extended sequence number: 50 packets a second reach it in 178,000 years, and adding to it cannot overflow.
pub const SEQUENCE_MAX: u64 = (1 << 48) - 1;

/// Resume points in a Subscribe.
pub const POINTS_MAX: usize = 64;

/// SSRCs in a snapshot.
pub const VOICES_MAX: usize = 256;

/// Talk bursts in a snapshot.
pub const BURSTS_MAX: usize = 256;

/// Packets that one Spacing speaks of.
pub const AGES_MAX: usize = 4096;

/// Groups in a letter.
pub const GROUPS_MAX: usize = 256;

/// Groups that one affiliation is answered for.
pub const ITEMS_MAX: usize = 256;

/// Codecs of a group.
pub const CODECS_MAX: usize = 16;

type Checking = Result<(), Malformed>;

impl Checked for Frame {
    fn check(&self) -> Checking {
        match self.what.as_ref().ok_or(Malformed::Unknown)? {
            What::Hello(hello) => id("hello.system", &hello.system),
            What::Heartbeat(_) => Ok(()),
            What::Subscribe(subscribe) => check_subscribe(subscribe),
            What::Subscribed(subscribed) => check_subscribed(subscribed),
            What::Refused(refused) => {
                flow("refused.flow", refused.flow)?;
                word("refused.cause", &refused.cause)?;
                text("refused.detail", &refused.detail)
            }
            What::Unsubscribe(unsubscribe) => flow("unsubscribe.flow", unsubscribe.flow),
            What::Announce(announce) => check_announce(announce),
            What::Depart(depart) => {
                flow("depart.flow", depart.flow)?;
                reference("depart.reference", depart.reference)
            }
            What::Expel(expel) => {
                flow("expel.flow", expel.flow)?;
                reference("expel.reference", expel.reference)?;
                word("expel.cause", &expel.cause)
            }
            What::Floor(floor) => check_floor(floor),
            What::Spacing(spacing) => {
                flow("spacing.flow", spacing.flow)?;
                list("spacing.age", spacing.age.len(), AGES_MAX)
            }
            What::Ended(ended) => {
                flow("ended.flow", ended.flow)?;
                word("ended.cause", &ended.cause)
            }
            What::Goodbye(goodbye) => {
                word("goodbye.cause", &goodbye.cause)?;
                text("goodbye.detail", &goodbye.detail)
            }
        }
    }
}

impl Checked for Letter {
    fn check(&self) -> Checking {
        use letter::What;
        match self.what.as_ref().ok_or(Malformed::Unknown)? {
            What::Affiliate(request) => {
                id("affiliate.user", &request.user)?;
                optional("affiliate.partner_user", &request.partner_user)?;
                id("affiliate.client", &request.client)?;
                groups("affiliate.groups", &request.groups)
            }
            What::Deaffiliate(request) => {
                id("deaffiliate.user", &request.user)?;
                id("deaffiliate.client", &request.client)?;
                groups("deaffiliate.groups", &request.groups)
            }
            What::CallStarted(started) => id("call_started.group", &started.group),
            What::GroupChanged(changed) => {
                id("group_changed.group", &changed.group)?;
                changed.document.as_ref().map_or(Ok(()), check_document)
            }
            What::Affiliation(answer) => {
                list("affiliation.items", answer.items.len(), ITEMS_MAX)?;
                answer.items.iter().try_for_each(check_item)
            }
            What::Refusal(refusal) => {
                word("refusal.cause", &refusal.cause)?;
                text("refusal.subject", &refusal.subject)?;
                text("refusal.detail", &refusal.detail)
            }
            What::Done(_) => Ok(()),
            migration => check_migration(migration),
        }
    }
}

/// The letters that name a migration, or end one.
fn check_migration(what: &letter::What) -> Checking {
    use letter::What;
    match what {
        What::Leave(leave) => {
            // One that is missing is for the rules to refuse, with their cause.
            truth("leave.ticket", leave.ticket.len() <= SECRET_OCTETS_MAX)?;
            id("leave.user", &leave.user)?;
            id("leave.client", &leave.client)
        }
        What::Profile(request) => {
            secret("profile.migration", &request.migration)?;
            id("profile.user", &request.user)?;
            id("profile.client", &request.client)
        }
        What::Authorize(request) => {
            secret("authorize.migration", &request.migration)?;
            id("authorize.user", &request.user)?;
            id("authorize.client", &request.client)?;
            id("authorize.partner_user", &request.partner_user)
        }
        What::GiveUp(give_up) => check_give_up(give_up),
        What::Superseded(superseded) => {
            id("superseded.user", &superseded.user)?;
            id("superseded.client", &superseded.client)
        }
        What::Left(left) => secret("left.migration", &left.migration),
        What::ProfileAnswer(profile) => check_profile(profile),
        What::Authorization(Authorization { .. })
        | What::Affiliate(_)
        | What::Deaffiliate(_)
        | What::CallStarted(_)
        | What::GroupChanged(_)
        | What::Affiliation(_)
        | What::Refusal(_)
        | What::Done(_) => Ok(()),
    }
}

fn check_subscribe(subscribe: &Subscribe) -> Checking {
    flow("subscribe.flow", subscribe.flow)?;
    id("subscribe.group", &subscribe.group)?;
    at_most("subscribe.range", subscribe.range, RANGE_MAX)?;
    list("subscribe.last", subscribe.last.len(), POINTS_MAX)?;
    subscribe.last.iter().try_for_each(|point| sequence("subscribe.last.sequence", point.sequence))
}

fn check_subscribed(subscribed: &Subscribed) -> Checking {
    flow("subscribed.flow", subscribed.flow)?;
    flow("subscribed.home_flow", subscribed.home_flow)?;
    truth("subscribed.range", subscribed.range != 0)?;
    at_most("subscribed.range", subscribed.range, RANGE_MAX)?;
    subscribed.snapshot.as_ref().map_or(Ok(()), check_snapshot)
}

fn check_snapshot(snapshot: &Snapshot) -> Checking {
    list("snapshot.voices", snapshot.voices.len(), VOICES_MAX)?;
    for voice in &snapshot.voices {
        id("voice.user", &voice.user)?;
        sequence("voice.sequence", voice.sequence)?;
        at_most("voice.payload_type", voice.payload_type, 127)?;
    }
    list("snapshot.bursts", snapshot.bursts.len(), BURSTS_MAX)?;
    for burst in &snapshot.bursts {
        id("burst.talker", &burst.talker)?;
        truth("burst.ended", burst.running || burst.ended <= burst.began)?;
        sequence("burst.last", burst.last)?;
    }
    Ok(())
}

fn check_announce(announce: &Announce) -> Checking {
    flow("announce.flow", announce.flow)?;
    reference("announce.reference", announce.reference)?;
    id("announce.user", &announce.user)?;
    id("announce.client", &announce.client)?;
    at_most("announce.priority", announce.priority, 255)
}

fn check_floor(floor: &Floor) -> Checking {
    flow("floor.flow", floor.flow)?;
    truth("floor.message", (1..=message::SIZE_MAX).contains(&floor.message.len()))?;
    optional("floor.talker", &floor.talker)
}

fn check_give_up(give_up: &GiveUp) -> Checking {
    id("give_up.user", &give_up.user)?;
    id("give_up.client", &give_up.client)?;
    truth("give_up.migration", give_up.migration.len() <= SECRET_OCTETS_MAX)?;
    word("give_up.cause", &give_up.cause)
}

fn check_profile(profile: &Profile) -> Checking {
    list("profile.groups", profile.groups.len(), GROUPS_MAX)?;
    profile.groups.iter().try_for_each(|group| {
        id("profile.groups.group", &group.group)?;
        id("profile.groups.home", &group.home)
    })
}

fn check_item(item: &AffiliationItem) -> Checking {
    id("affiliation.group", &item.group)?;
    if !item.cause.is_empty() {
        word("affiliation.cause", &item.cause)?;
    }
    text("affiliation.detail", &item.detail)?;
    at_most("affiliation.priority", item.priority, 255)?;
    item.document.as_ref().map_or(Ok(()), check_document)
}

fn check_document(document: &GroupDocument) -> Checking {
    at_most("document.max_burst_s", document.max_burst_s, u16::MAX.into())?;
    at_most("document.queue_max", document.queue_max, u16::MAX.into())?;
    list("document.codecs", document.codecs.len(), CODECS_MAX)?;
    document.codecs.iter().try_for_each(|codec| {
        id("codec.name", &codec.name)?;
        at_most("codec.payload_type", codec.payload_type, 127)?;
        text("codec.fmtp", &codec.fmtp)
    })
}

fn groups(field: &'static str, groups: &[alloc::string::String]) -> Checking {
    list(field, groups.len(), GROUPS_MAX)?;
    groups.iter().try_for_each(|group| id(field, group))
}

/// Something to call a thing by; it also stands in logs, so that it must not be able to break a line.
fn id(field: &'static str, id: &str) -> Checking {
    truth(field, !id.is_empty())?;
    optional(field, id)
}

fn optional(field: &'static str, id: &str) -> Checking {
    truth(field, id.len() <= ID_OCTETS_MAX && !id.chars().any(|c| c.is_control() || c.is_whitespace()))
}

fn word(field: &'static str, word: &str) -> Checking {
    let plain = word.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-');
    truth(field, plain && (1..=WORD_OCTETS_MAX).contains(&word.len()))
}

fn text(field: &'static str, text: &str) -> Checking {
    truth(field, text.len() <= TEXT_OCTETS_MAX && !text.chars().any(char::is_control))
}

fn secret(field: &'static str, secret: &[u8]) -> Checking {
    truth(field, (1..=SECRET_OCTETS_MAX).contains(&secret.len()))
}

fn flow(field: &'static str, flow: u32) -> Checking {
    at_most(field, flow, FLOW_MAX)
}

/// 0 stands for nobody in `Floor.holder`.
fn reference(field: &'static str, reference: u32) -> Checking {
    truth(field, reference != 0)
}

fn sequence(field: &'static str, sequence: u64) -> Checking {
    truth(field, sequence <= SEQUENCE_MAX)
}

fn at_most(field: &'static str, value: u32, most: u32) -> Checking {
    truth(field, value <= most)
}

fn list(field: &'static str, count: usize, limit: usize) -> Checking {
    if count > limit { Err(Malformed::TooMany { field, limit }) } else { Ok(()) }
}

fn truth(field: &'static str, holds: bool) -> Checking {
    if holds { Ok(()) } else { Err(Malformed::Value { field }) }
}
