//! The judge of a move: what a participant heard in all systems together, against what the talkers did.
//!
//! Pure. It believes neither system: the talkers' packets are the truth, and a packet counts only as they sent it.

use std::collections::BTreeSet;

use relay_core::{
    Millis, Ssrc, Time,
    floor::message::{Message, Packet},
    rtp,
};
use serde::Serialize;

use super::{
    plan::System,
    record::{Record, Stay},
};
use crate::{
    capture::Channel,
    truth::{Holder, Truth},
};

/// What is promised, and how exact the world is.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long the group keeps media.
    pub retention: Millis,
    /// How long a packet may be on its way, and how late a participant may look at it.
    pub slack: Millis,
}

/// What became of one participant of one call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// What the report calls it.
    pub name: String,
    /// Packets, counted.
    #[serde(flatten)]
    pub counts: Counts,
    /// One for each move that it made, in order.
    pub splices: Vec<Splice>,
    /// Every promise that was not kept.
    pub broken: Vec<Break>,
}

/// Packets of media over all stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Different packets that came as they were sent.
    pub heard: usize,
    /// Promised, and nowhere.
    pub lost: usize,
    /// Gone from retention before the participant was in again: not promised.
    pub outlived: usize,
    /// Came although they had come, and the participant had said so.
    pub twice: usize,
    /// Behind a packet that follows them in the call.
    pub out_of_order: usize,
    /// What this user said itself.
    pub own: usize,
    /// Changed, or said by nobody.
    pub strange: usize,
}

/// Where one system's media ends and the other's begins.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Splice {
    /// Where the participant went.
    pub to: System,
    /// From the last packet through the old system to the first through the new one, as they were received. Milliseconds;
    /// `None`: one of them said nothing.
    pub interruption_ms: Option<f64>,
    /// From affiliation sent, or the wish to enter, to the first media. Milliseconds.
    pub late_ms: Option<f64>,
    /// Promised packets that neither system brought.
    pub lost: usize,
    /// Packets from retention: said before the first one of this stay came.
    pub resumed: usize,
    /// Whether the participant was told first, and rightly, who has the floor.
    pub floor_right: bool,
}

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Break {
    /// Which.
    pub promise: Promise,
    /// How, in words.
    pub how: String,
}

/// What a user that moves is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promise {
    /// The move succeeds.
    Moved,
    /// The affiliation lives as long as it is refreshed.
    Affiliated,
    /// The participant is let into the call.
    Entered,
    /// A state of the floor comes.
    FloorTold,
    /// It comes before media.
    FloorFirst,
    /// It is the state that the floor has.
    FloorTrue,
    /// The answer says the same.
    FloorAnswered,
    /// What retention covers is heard in one system or the other.
    Complete,
    /// Nothing comes that the participant said it had.
    Once,
    /// Packets come in the order of the call.
    InOrder,
    /// Nobody hears the own words.
    OwnWordsNever,
    /// Packets come as they were sent.
    Unchanged,
    /// In the old system the participant is gone.
    SeenLeaving,
    /// In the new system the participant is there.
    SeenEntering,
    /// A user that has moved gets the floor, and says what it wants to say.
    Granted,
    /// The late-entry part is at most so many times as long as a request that costs one trunk round trip and one commit.
    AtOnce,
}

/// What one stay brought.
#[derive(Default)]
struct Brought {
    /// Places in call order of what came as it was sent.
    places: BTreeSet<usize>,
    first: Option<Time>,
    last: Option<Time>,
    resumed: usize,
    floor_right: bool,
}

/// Judges one participant.
pub fn judge(truth: &Truth, record: &Record, terms: &Terms) -> Verdict {
    let (mut counts, mut broken) = (Counts::default(), Vec::new());
    let mut stays: Vec<Brought> = Vec::new();
    for (number, stay) in record.stays.iter().enumerate() {
        let mut brought = listen(truth, record, stay, &mut counts, &mut broken);
        let before = broken.len();
        match &stay.answer {
            Ok(_) => judge_floor(truth, stay, &brought, terms, number, &mut broken),
            Err(refusal) => broken.push(Break::new(Promise::Entered, format!("in {}: {refusal}", stay.system))),
        }
        brought.floor_right = broken.len() == before;
        stays.push(brought);
    }
    let mut splices: Vec<Splice> = (1..stays.len()).filter_map(|number| splice(record, &stays, number)).collect();
    count_lost(truth, record, &stays, terms, &mut counts, &mut splices);
    counts.heard = stays.iter().flat_map(|stay| &stay.places).collect::<BTreeSet<_>>().len();
    let promises = [
        (Promise::Complete, counts.lost, "promised packets came in neither system"),
        (Promise::Once, counts.twice, "packets came again"),
        (Promise::InOrder, counts.out_of_order, "packets came behind one that follows them"),
        (Promise::OwnWordsNever, counts.own, "packets hold the own words"),
        (Promise::Unchanged, counts.strange, "packets were said by nobody"),
    ];
    let failed = promises.into_iter().filter(|(_, count, _)| *count > 0);
    broken.extend(failed.map(|(promise, count, how)| Break::new(promise, format!("{count} {how}"))));
    Verdict { name: record.name.clone(), counts, splices, broken }
}

/// Sorts what came in one stay.
fn listen(truth: &Truth, record: &Record, stay: &Stay, counts: &mut Counts, broken: &mut Vec<Break>) -> Brought {
    let mut brought = Brought::default();
    for heard in stay.capture.iter().filter(|heard| heard.channel == Channel::Media) {
        let packet = rtp::Packet::parse(&heard.bytes).ok();
        let place = packet.and_then(|packet| truth.place(packet.ssrc(), packet.sequence()));
        let said = place.and_then(|place| Some((place, truth.spoken().get(place)?)));
        let Some((place, said)) = said.filter(|(_, said)| said.bytes == heard.bytes) else {
            counts.strange += 1;
            continue;
        };
        if said.user == record.user {
            counts.own += 1;
            continue;
        }
        let point = stay.resume.iter().find(|point| point.ssrc == said.ssrc.0);
        // A run is far shorter than a wrap of the sequence number: 16 bits tell before and behind.
        let is_behind = |heard: u64| (heard as u16).wrapping_sub(said.sequence.low16()) < 0x8000;
        if !brought.places.contains(&place) && brought.places.last().is_some_and(|last| *last > place) {
            counts.out_of_order += 1;
        }
        if point.is_some_and(|point| is_behind(point.sequence)) || !brought.places.insert(place) {
            counts.twice += 1;
            continue;
        }
        let first = *brought.first.get_or_insert(heard.at);
        brought.last = Some(heard.at);
        brought.resumed += usize::from(said.at < first);
    }
    if stay.answer.is_err() && brought.first.is_some() {
        broken.push(Break::new(Promise::Entered, format!("media came in {} after a refusal", stay.system)));
    }
    brought
}

/// The first state of the floor: before media, and true.
fn judge_floor(truth: &Truth, stay: &Stay, brought: &Brought, terms: &Terms, number: usize, broken: &mut Vec<Break>) {
    let mut fail =
        |promise, how: String| broken.push(Break::new(promise, format!("stay {number} in {}: {how}", stay.system)));
    let told = stay.capture.iter().enumerate().find_map(|(place, heard)| {
        (heard.channel == Channel::Floor)
            .then(|| heard.messages().find_map(|packet| state(&packet)))?
            .map(|state| (place, heard.at, state))
    });
    let Some((place, at, told)) = told else {
        return fail(Promise::FloorTold, "neither Floor Taken nor Floor Idle came".into());
    };
    let media = stay.capture.iter().position(|heard| heard.channel == Channel::Media);
    if media.is_some_and(|media| media < place) {
        let early = stay.capture.iter().take(place).filter(|heard| heard.channel == Channel::Media).count();
        fail(Promise::FloorFirst, format!("{early} packets of media came before it"));
    }
    // Taken before the answer was there, and not before the question.
    let until = at.max(stay.answered).min(brought.first.unwrap_or(at).max(at));
    let possible = states(truth, stay.asked - terms.slack, until + terms.slack);
    if !possible.contains(&told.as_ref()) {
        fail(Promise::FloorTrue, format!("told {}, was {}", words(told.as_ref()), all_words(&possible)));
    }
    if let Ok(answer) = &stay.answer {
        let floor = &answer.late_entry.floor;
        let same = |holder: &Option<&Holder>| {
            floor.is_taken() == holder.is_some() && floor.audio_ssrc == holder.map(|holder| holder.ssrc.0)
        };
        if !states(truth, stay.asked - terms.slack, stay.answered + terms.slack).iter().any(same) {
            fail(Promise::FloorAnswered, format!("the answer says {floor:?}, was {}", all_words(&possible)));
        }
    }
}

/// The states that the floor had between two instants.
fn states(truth: &Truth, from: Time, until: Time) -> Vec<Option<&Holder>> {
    let changes = truth.floor();
    let idle = changes.first().is_none_or(|first| first.latest >= from).then_some(None);
    let held = changes.iter().enumerate().filter(|(number, change)| {
        change.earliest <= until && changes.get(number + 1).is_none_or(|next| next.latest >= from)
    });
    idle.into_iter().chain(held.map(|(_, change)| change.holder.as_ref())).collect()
}

fn state(packet: &Packet<'_>) -> Option<Option<Holder>> {
    match packet.message {
        Message::Taken { granted_party, audio_ssrc, .. } => {
            Some(Some(Holder { user: granted_party.unwrap_or_default().into(), ssrc: audio_ssrc.unwrap_or(Ssrc(0)) }))
        }
        Message::Idle { .. } => Some(None),
        _ => None,
    }
}

fn splice(record: &Record, stays: &[Brought], number: usize) -> Option<Splice> {
    let (stay, new) = (record.stays.get(number)?, stays.get(number)?);
    let old = record.stays.get(number - 1)?;
    // What still came by the old way after the new one had begun is no interruption.
    let heard = old
        .capture
        .iter()
        .filter(|heard| heard.channel == Channel::Media && new.first.is_none_or(|first| heard.at <= first));
    let last = heard.map(|heard| heard.at).max();
    let ms = |at: Time, since: Time| at.micros_since(since) as f64 / 1000.0;
    Some(Splice {
        to: stay.system,
        interruption_ms: new.first.zip(last).map(|(first, last)| ms(first, last)),
        late_ms: new.first.map(|first| ms(first, stay.asked)),
        lost: 0,
        resumed: new.resumed,
        floor_right: new.floor_right,
    })
}

/// From the first packet that was heard to the last that could be: each has to come in one stay or another.
fn count_lost(
    truth: &Truth,
    record: &Record,
    stays: &[Brought],
    terms: &Terms,
    counts: &mut Counts,
    splices: &mut [Splice],
) {
    let heard: BTreeSet<usize> = stays.iter().flat_map(|stay| stay.places.iter().copied()).collect();
    let (Some(&begin), Some(end)) = (heard.first(), record.stays.last().map(|stay| stay.left)) else { return };
    for (place, said) in truth.spoken().iter().enumerate().skip(begin) {
        if said.at + terms.slack >= end {
            break;
        }
        if said.user == record.user || heard.contains(&place) {
            continue;
        }
        // The first stay that was heard behind it is the one that should have brought it.
        let due = stays.iter().position(|stay| stay.places.last().is_some_and(|last| *last > place));
        let outlived = due.and_then(|number| record.stays.get(number));
        if outlived.is_some_and(|stay| said.at + terms.retention < stay.answered) {
            counts.outlived += 1;
            continue;
        }
        counts.lost += 1;
        let is_between = |number: &usize| {
            stays.get(*number).is_some_and(|stay| stay.places.first().is_some_and(|first| *first > place))
        };
        let splice = due.filter(is_between).and_then(|number| splices.get_mut(number.checked_sub(1)?));
        if let Some(splice) = splice {
            splice.lost += 1;
        }
    }
}

fn words(holder: Option<&Holder>) -> String {
    holder.map_or("idle".into(), |holder| format!("taken by {} as {:#010x}", holder.user, holder.ssrc.0))
}

fn all_words(holders: &[Option<&Holder>]) -> String {
    holders.iter().map(|holder| words(*holder)).collect::<Vec<_>>().join(" or ")
}

impl Verdict {
    /// Whether every promise was kept.
    pub fn is_kept(&self) -> bool {
        self.broken.is_empty()
    }
}

impl Break {
    /// This promise was broken, so.
    pub fn new(promise: Promise, how: impl Into<String>) -> Break {
        Break { promise, how: how.into() }
    }
}

#[cfg(test)]
mod tests;
