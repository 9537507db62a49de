//! The media's part: retained, then live, nothing missing, twice, out of order or unasked.

use std::collections::{BTreeMap, BTreeSet};

use relay_core::{Ssrc, Time, rtp};

use super::{
    Break, Counts, Promise, Record, Terms,
    expected::{Class, Expected},
};
use crate::{
    answer::{LateEntry, Media},
    capture::Channel,
    truth::{Spoken, Truth},
};

/// Retained media that leaves at once. Milliseconds of speech.
const UNPACED_MS: u64 = 200;

/// How much faster than it was said retained media may come.
const SPEED_UP: u64 = 4;

/// One frame: the first packet that no longer leaves at once is up to this much later. Milliseconds.
const FRAME_MS: u64 = 20;

/// A packet of the call that reached the caller.
struct Got<'a> {
    place: usize,
    spoken: &'a Spoken,
    at: Time,
}

/// The first few of something, and how many there are.
#[derive(Default)]
struct Sample {
    count: usize,
    first: Option<String>,
}

pub(super) fn judge(
    truth: &Truth,
    record: &Record,
    answer: &LateEntry,
    terms: &Terms,
    broken: &mut Vec<Break>,
) -> Counts {
    let expected = Expected::new(truth, record, terms);
    let mut counts = Counts::default();
    let got = read(truth, record, &mut counts, broken);
    judge_order(&got, &mut counts, broken);
    judge_completeness(truth, &expected, &got, &mut counts, broken);
    judge_haste(truth, record, &expected, &got, terms, broken);
    judge_answer(truth, record, &expected, &got, answer, broken);
    counts
}

/// Finds every packet's place in the call; what has none is nobody's.
fn read<'a>(truth: &'a Truth, record: &Record, counts: &mut Counts, broken: &mut Vec<Break>) -> Vec<Got<'a>> {
    let (mut strange, mut changed) = (Sample::default(), Sample::default());
    let mut got = Vec::new();
    for heard in record.capture.iter().filter(|heard| heard.channel == Channel::Media) {
        let Ok(packet) = rtp::Packet::parse(&heard.bytes) else {
            strange.note(|| "a datagram that is no RTP".into());
            continue;
        };
        let place = truth.place(packet.ssrc(), packet.sequence());
        match place.and_then(|place| Some((place, truth.spoken().get(place)?))) {
            Some((_, spoken)) if spoken.bytes != heard.bytes => changed.note(|| name(spoken)),
            Some((place, spoken)) => got.push(Got { place, spoken, at: heard.at }),
            None => strange.note(|| format!("{:#010x}/{}, which nobody sent", packet.ssrc().0, packet.sequence())),
        }
    }
    counts.foreign += strange.count + changed.count;
    strange.report(Promise::OnlyAsked, "came", broken);
    changed.report(Promise::Unchanged, "came changed", broken);
    got
}

fn judge_order(got: &[Got<'_>], counts: &mut Counts, broken: &mut Vec<Break>) {
    let (mut twice, mut late) = (Sample::default(), Sample::default());
    let mut seen = BTreeSet::new();
    for got in got {
        if !seen.insert(got.place) {
            twice.note(|| name(got.spoken));
        } else if seen.last().is_some_and(|last| *last > got.place) {
            late.note(|| name(got.spoken));
        }
    }
    (counts.twice, counts.out_of_order) = (twice.count, late.count);
    twice.report(Promise::Once, "came twice", broken);
    late.report(Promise::InOrder, "came behind a packet that follows it in the call", broken);
}

fn judge_completeness(
    truth: &Truth,
    expected: &Expected<'_>,
    got: &[Got<'_>],
    counts: &mut Counts,
    broken: &mut Vec<Break>,
) {
    let there: BTreeSet<usize> = got.iter().map(|got| got.place).collect();
    let mut begun = BTreeSet::new();
    let (mut missing, mut unasked) = (Sample::default(), Sample::default());
    for (place, spoken) in truth.spoken().iter().enumerate() {
        let is_there = there.contains(&place);
        let class = match expected.class(place, spoken) {
            // Once a voice has begun, nothing of it may be left out.
            Class::May if begun.contains(&spoken.ssrc) => Class::Must,
            class => class,
        };
        match class {
            Class::MustNot if is_there => unasked.note(|| name(spoken)),
            Class::MustNot | Class::May if !is_there => {}
            Class::Must if !is_there => missing.note(|| name(spoken)),
            Class::Must | Class::May | Class::MustNot => {
                counts.got += 1;
                begun.insert(spoken.ssrc);
            }
        }
    }
    counts.expected = counts.got + missing.count;
    counts.missing = missing.count;
    counts.foreign += unasked.count;
    missing.report(Promise::Complete, "did not come", broken);
    unasked.report(Promise::OnlyAsked, "came unasked: own, heard before, or older than was asked for", broken);
}

fn judge_haste(
    truth: &Truth,
    record: &Record,
    expected: &Expected<'_>,
    got: &[Got<'_>],
    terms: &Terms,
    broken: &mut Vec<Break>,
) {
    let promised = |(place, spoken): (usize, &Spoken)| {
        expected.is_retained(spoken) && expected.class(place, spoken) == Class::Must
    };
    let owed = truth.spoken().iter().enumerate().any(promised);
    let first = got.first();
    if owed && first.is_none_or(|first| first.at > record.answered + terms.slack) {
        let how = first.map_or("it never came".into(), |first| {
            format!("it came {} ms after the answer", first.at.since(record.answered).0)
        });
        broken.push(Break::new(Promise::AtOnce, how));
    }
    let Some(first) = first else { return };
    let too_fast = |got: &&Got<'_>| {
        let said = got.spoken.at.micros_since(first.spoken.at) / 1000;
        let took = got.at.micros_since(first.at) / 1000 + u64::from(terms.slack.0);
        expected.is_retained(got.spoken) && said > UNPACED_MS + FRAME_MS + SPEED_UP * took
    };
    if let Some(got) = got.iter().find(too_fast) {
        let (said, took) = (got.spoken.at.since(first.spoken.at).0, got.at.since(first.at).0);
        broken.push(Break::new(Promise::Paced, format!("{said} ms of speech came within {took} ms")));
    }
}

fn judge_answer(
    truth: &Truth,
    record: &Record,
    expected: &Expected<'_>,
    got: &[Got<'_>],
    answer: &LateEntry,
    broken: &mut Vec<Break>,
) {
    let mut first_of: BTreeMap<Ssrc, &Got<'_>> = BTreeMap::new();
    for got in got {
        first_of.entry(got.spoken.ssrc).or_insert(got);
    }
    for (ssrc, first) in &first_of {
        let said = answer.media_of(ssrc.0).and_then(|media| media.resumed_from);
        let wrong = match said {
            Some(said) => said != first.spoken.sequence.0,
            None => expected.is_retained(first.spoken),
        };
        if wrong {
            let how = format!("resumed_from is {said:?} for {}, which came first", name(first.spoken));
            broken.push(Break::new(Promise::MediaAnswered, how));
        }
    }
    for media in &answer.media {
        if media.resumed_from.is_some() && !first_of.contains_key(&Ssrc(media.ssrc)) {
            let how = format!("resumed_from promises {:#010x}, nothing of it came", media.ssrc);
            broken.push(Break::new(Promise::MediaAnswered, how));
        }
        judge_newest(truth, record, expected, media, broken);
        judge_missed(truth, expected, media, broken);
    }
}

/// `sequence` is the newest packet that the owner had at the entry.
fn judge_newest(truth: &Truth, record: &Record, expected: &Expected<'_>, media: &Media, broken: &mut Vec<Break>) {
    let ssrc = Ssrc(media.ssrc);
    let surely = truth.spoken().iter().rev().find(|spoken| spoken.ssrc == ssrc && expected.is_retained(spoken));
    let possibly = truth.newest(ssrc, record.answered);
    let fits = surely.is_none_or(|spoken| spoken.sequence.0 <= media.sequence)
        && possibly.is_some_and(|spoken| media.sequence <= spoken.sequence.0)
        && media.rollover == Some(media.sequence >> 16);
    if !fits {
        let (surely, possibly) = (surely.map(|spoken| spoken.sequence.0), possibly.map(|spoken| spoken.sequence.0));
        let how = format!("sequence {} of {ssrc:?} lies outside {surely:?} to {possibly:?}", media.sequence);
        broken.push(Break::new(Promise::MediaAnswered, how));
    }
}

/// `missed` lies between a resume point and the oldest kept packet, and is null where nothing is missed.
fn judge_missed(truth: &Truth, expected: &Expected<'_>, media: &Media, broken: &mut Vec<Break>) {
    let spoken = |sequence: u64| {
        let place = truth.place(Ssrc(media.ssrc), (sequence & 0xffff) as u16)?;
        truth.spoken().get(place)
    };
    let point = expected.points().get(&Ssrc(media.ssrc)).filter(|point| !point.ahead);
    let next = point.map(|point| point.heard.0 + 1);
    let fits = match (media.missed, next.and_then(spoken)) {
        (None, next) => next.is_none_or(|next| !expected.is_gone(next)),
        (Some(_), None) => false,
        (Some(missed), Some(next)) => {
            let last_is_gone = spoken(missed.last).is_some_and(|last| !expected.is_kept(last));
            let kept_follows = spoken(missed.last + 1).is_none_or(|kept| !expected.is_gone(kept));
            missed.first == next.sequence.0 && last_is_gone && kept_follows
        }
    };
    if !fits {
        let how = format!("missed of {:#010x} is {:?}, the resume point is {point:?}", media.ssrc, media.missed);
        broken.push(Break::new(Promise::MediaAnswered, how));
    }
}

fn name(spoken: &Spoken) -> String {
    format!("{:#010x}/{}", spoken.ssrc.0, spoken.sequence.0)
}

impl Sample {
    fn note(&mut self, name: impl FnOnce() -> String) {
        self.count += 1;
        self.first.get_or_insert_with(name);
    }

    fn report(self, promise: Promise, what: &str, broken: &mut Vec<Break>) {
        if let Some(first) = self.first {
            broken.push(Break::new(promise, format!("{} packets {what}, first {first}", self.count)));
        }
    }
}
