//! The floor's part: told first, acknowledged, numbered, and true to the end.

use std::sync::Arc;

use relay_core::{
    Millis, Ssrc, Time,
    floor::message::{Message, Packet},
};

use super::{Break, Promise, Record, Terms};
use crate::{
    answer::LateEntry,
    capture::{Channel, Heard},
    truth::{Holder, Truth},
};

/// Sends of one state under one number: the first and four repetitions.
const SENDS_MAX: usize = 5;

/// When a state that nobody acknowledges is sent again, counted from its first send. Milliseconds.
const REPEATS: [u32; 4] = [100, 300, 700, 1700];

/// A state of the floor as one message tells it.
struct Told {
    at: Time,
    number: u16,
    holder: Option<Holder>,
    acknowledge: bool,
}

pub(super) fn judge(truth: &Truth, record: &Record, answer: &LateEntry, terms: &Terms, broken: &mut Vec<Break>) {
    let floor = || record.capture.iter().filter(|heard| heard.channel == Channel::Floor);
    let malformed = floor().filter(|heard| heard.is_malformed()).count();
    if malformed > 0 {
        broken.push(Break::new(Promise::WellFormed, format!("{malformed} datagrams hold no floor message")));
    }
    let told: Vec<Told> = floor().flat_map(Told::read_all).collect();
    let Some(first) = told.first() else {
        broken.push(Break::new(Promise::FloorTold, "no Floor Taken or Floor Idle came"));
        return;
    };
    judge_first(record, first, broken);
    judge_answer(answer, first, broken);
    judge_numbers(&told, broken);
    judge_repeats(record, &told, terms, broken);
    judge_story(truth, record, &told, terms, broken);
}

fn judge_first(record: &Record, first: &Told, broken: &mut Vec<Break>) {
    let is_state = |heard: &Heard| Told::read_all(heard).next().is_some();
    let state = record.capture.iter().position(|heard| heard.channel == Channel::Floor && is_state(heard));
    let media = record.capture.iter().position(|heard| heard.channel == Channel::Media);
    if let (Some(state), Some(media)) = (state, media)
        && media < state
    {
        let before = record.capture.iter().take(state).filter(|heard| heard.channel == Channel::Media).count();
        broken.push(Break::new(Promise::FloorFirst, format!("{before} media packets came before it")));
    }
    if !first.acknowledge {
        broken.push(Break::new(Promise::FloorAcknowledged, "the first state of the floor asks for no Floor Ack"));
    }
}

fn judge_answer(answer: &LateEntry, first: &Told, broken: &mut Vec<Break>) {
    let floor = &answer.floor;
    let holder = first.holder.as_ref();
    let same = floor.message_sequence_number == first.number
        && floor.is_taken() == holder.is_some()
        && floor.talker.as_deref() == holder.map(|holder| &*holder.user)
        && floor.audio_ssrc == holder.map(|holder| holder.ssrc.0);
    if !same {
        let how = format!("the answer says {floor:?}, the message {} says {}", first.number, words(&first.holder));
        broken.push(Break::new(Promise::FloorAnswered, how));
    }
}

fn judge_numbers(told: &[Told], broken: &mut Vec<Break>) {
    let mut sends = 1;
    for (before, after) in told.iter().zip(told.iter().skip(1)) {
        let step = after.number.wrapping_sub(before.number).cast_signed();
        sends = if step == 0 { sends + 1 } else { 1 };
        let how = match step {
            0 if after.holder != before.holder => "says another state than before".into(),
            0 if sends > SENDS_MAX => format!("came {sends} times"),
            ..0 => format!("came after number {}", before.number),
            _ => continue,
        };
        broken.push(Break::new(Promise::FloorNumbered, format!("number {} {how}", after.number)));
    }
}

/// The schedule holds from the first send of a state that asks for a Floor Ack until the next state.
fn judge_repeats(record: &Record, told: &[Told], terms: &Terms, broken: &mut Vec<Break>) {
    let end = record.capture.last().map_or(record.answered, |heard| heard.at);
    let states: Vec<&[Told]> = told.chunk_by(|before, after| before.number == after.number).collect();
    for (state, next) in states.iter().zip(states.iter().skip(1).map(Some).chain([None])) {
        let Some(first) = state.first().filter(|first| first.acknowledge) else { continue };
        let until = next.and_then(|next| next.first()).map_or(end, |next| next.at);
        // An acknowledgement leaves as soon as the caller knows its own SSRC, which the answer tells.
        let answerable = first.at.max(record.answered);
        let due = REPEATS.iter().filter(|offset| first.at + Millis(**offset) + terms.slack < until).count();
        let least = if record.acknowledges { 1 } else { 1 + due };
        let late = state.iter().filter(|copy| copy.at > answerable + Millis(REPEATS[0]) + terms.slack).count();
        if state.len() < least {
            let (sends, held) = (state.len(), until.since(first.at).0);
            let how =
                format!("number {} came {sends} times in {held} ms without Floor Ack, {least} are due", first.number);
            broken.push(Break::new(Promise::FloorRepeated, how));
        } else if record.acknowledges && late > 0 {
            let how = format!("number {} came again {late} times after its Floor Ack", first.number);
            broken.push(Break::new(Promise::FloorRepeated, how));
        }
    }
}

/// What the caller was told, copies and repetitions taken together, must be what happened from its entry to the end.
fn judge_story(truth: &Truth, record: &Record, told: &[Told], terms: &Terms, broken: &mut Vec<Break>) {
    let mut heard: Vec<Option<Holder>> = told.iter().map(|told| told.holder.clone()).collect();
    heard.dedup();
    let changes = truth.floor();
    let is_own = |holder: &Holder| record.talks && holder.user == record.user;
    let mut states = vec![None];
    states.extend(changes.iter().map(|change| change.holder.clone()));
    let was_at_entry = |state: &usize| {
        let begun = state.checked_sub(1).and_then(|change| changes.get(change));
        let ended = changes.get(*state);
        begun.is_none_or(|change| change.earliest <= record.answered + terms.slack)
            && ended.is_none_or(|change| change.latest + terms.slack >= record.asked)
    };
    let since = |state: usize| {
        let mut since: Vec<_> = states.iter().skip(state).filter(|state| !state.as_ref().is_some_and(is_own)).collect();
        since.dedup();
        since
    };
    let heard: Vec<_> = heard.iter().collect();
    if !(0..states.len()).filter(was_at_entry).any(|state| since(state) == heard) {
        let story =
            |holders: &[&Option<Holder>]| holders.iter().map(|holder| words(holder)).collect::<Vec<_>>().join(", ");
        let happened = story(&since((0..states.len()).find(was_at_entry).unwrap_or(0)));
        let how = format!("told: {}; happened since: {happened}", story(&heard));
        broken.push(Break::new(Promise::FloorTrue, how));
    }
}

fn words(holder: &Option<Holder>) -> String {
    holder.as_ref().map_or("idle".into(), |holder| format!("taken by {} as {:#010x}", holder.user, holder.ssrc.0))
}

impl Told {
    fn read_all(heard: &Heard) -> impl Iterator<Item = Told> {
        heard.messages().filter_map(|packet| Told::read(&packet, heard.at))
    }

    fn read(packet: &Packet<'_>, at: Time) -> Option<Told> {
        let (number, holder) = match packet.message {
            Message::Taken { granted_party, audio_ssrc, message_sequence_number, .. } => {
                let user: Arc<str> = granted_party.unwrap_or_default().into();
                (message_sequence_number, Some(Holder { user, ssrc: audio_ssrc.unwrap_or(Ssrc(0)) }))
            }
            Message::Idle { message_sequence_number, .. } => (message_sequence_number, None),
            _ => return None,
        };
        Some(Told { at, number, holder, acknowledge: packet.acknowledge })
    }
}
