//! An owner and its parts, and whoever takes part, with any delay between them.

use alloc::{
    collections::{BTreeSet, VecDeque},
    vec,
};

use super::*;
use crate::distributor::slice::{Handed, Slice};

/// Packets that one part's mail takes.
pub(super) const MAIL_MAX: usize = 4;

/// A part: its mail, its slice, and what it answers.
#[derive(Default)]
pub(super) struct Worker {
    pub(super) mail: VecDeque<Handed<SocketAddr, u16>>,
    pub(super) slice: Slice<SocketAddr, u16>,
    pub(super) answers: VecDeque<u64>,
    pub(super) said: u64,
    pub(super) answered: u64,
}

/// One participant from entering to leaving, over all of its legs.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) user: usize,
    pub(super) slot: u32,
    pub(super) entered_at: Option<usize>,
    pub(super) heard: Vec<u16>,
    pub(super) here: bool,
}

pub(super) struct Sliced {
    pub(super) call: Call<SocketAddr>,
    pub(super) now: Time,
    pub(super) workers: Vec<Worker>,
    pub(super) mail_max: usize,
    pub(super) lives: Vec<Life>,
    /// Whose a leg is. An address belongs to one entry.
    pub(super) legs: BTreeMap<SocketAddr, usize>,
    /// Legs to which nothing may be sent any more.
    pub(super) silent: BTreeSet<SocketAddr>,
    /// Whom each packet is from, by user.
    pub(super) truth: Vec<usize>,
    pub(super) lost: BTreeSet<(u8, u16)>,
    /// Legs that have left, and how many departures of each part that is.
    pub(super) leaving: Vec<(SocketAddr, Vec<u64>)>,
    /// By entry: the leg that it replaced.
    pub(super) replaced: BTreeMap<u64, SocketAddr>,
    pub(super) entries: u64,
    pub(super) talker: Option<u32>,
}

fn address(entry: u64) -> SocketAddr {
    SocketAddr::from((core::net::Ipv4Addr::from(0x7f10_0000 + entry as u32), 4000))
}

pub(super) const USERS: usize = 5;

impl Sliced {
    pub(super) fn new(parts: u8, least: usize) -> Sliced {
        let wide = Settings { packets_per_s: 2_000, bytes_per_s: 1 << 20, ..settings() };
        let mut call = Call::new(wide, Ssrc(0xcafe)).sliced(parts);
        call.slices.least = least;
        Sliced {
            call,
            now: Time::ZERO,
            workers: (0..parts).map(|_| Worker::default()).collect(),
            mail_max: MAIL_MAX,
            lives: Vec::new(),
            legs: BTreeMap::new(),
            silent: BTreeSet::new(),
            truth: Vec::new(),
            lost: BTreeSet::new(),
            leaving: Vec::new(),
            replaced: BTreeMap::new(),
            entries: 0,
            talker: None,
        }
    }

    pub(super) fn who(&mut self, slot: u32) -> Participant {
        self.entries += 1;
        let leg = Leg { rtp: address(self.entries), floor: None };
        let user = format!("sip:{}@a", slot as usize % USERS);
        Participant::new(&user, &format!("{slot}"), leg, Ssrc(1000 + slot))
    }

    pub(super) fn here(&self) -> Vec<(usize, u32)> {
        self.lives.iter().enumerate().filter(|(_, life)| life.here).map(|(at, life)| (at, life.slot)).collect()
    }

    pub(super) fn enter(&mut self) -> u32 {
        let taken: Vec<u32> = self.here().iter().map(|here| here.1).collect();
        let slot = (0..).find(|slot| !taken.contains(slot)).expect("a free slot");
        let participant = self.who(slot);
        self.legs.insert(address(self.entries), self.lives.len());
        let user = slot as usize % USERS;
        self.lives.push(Life { user, slot, entered_at: None, heard: vec![], here: true });
        self.call.handle(Input::Enter { slot: Slot(slot), entry: self.entries, participant }, self.now);
        slot
    }

    pub(super) fn leg(&self, slot: u32) -> SocketAddr {
        self.call.bound(Slot(slot)).and_then(|bound| bound.1.rtp()).expect("it is here")
    }

    pub(super) fn replace(&mut self, which: usize) {
        let Some((life, slot)) = self.here().get(which).copied() else { return };
        let old = self.leg(slot);
        let participant = self.who(slot);
        self.legs.insert(address(self.entries), life);
        self.replaced.insert(self.entries, old);
        self.call.handle(Input::Replace { slot: Slot(slot), entry: self.entries, participant }, self.now);
    }

    pub(super) fn leave(&mut self, which: usize) {
        let Some((life, slot)) = self.here().get(which).copied() else { return };
        let leg = self.leg(slot);
        self.call.handle(Input::Leave { slot: Slot(slot) }, self.now);
        self.lives[life].here = false;
        self.talker = self.talker.filter(|talker| *talker != slot);
        let leaves = (0..self.workers.len()).map(|part| self.call.leaves(Part(part as u8))).collect();
        self.leaving.push((leg, leaves));
        self.settle();
    }

    /// Whoever left, and of whom every part has let go, is told so.
    pub(super) fn settle(&mut self) {
        let workers = &self.workers;
        let quiet = |leaves: &[u64]| workers.iter().zip(leaves).all(|(worker, leaves)| worker.answered >= *leaves);
        self.silent.extend(self.leaving.extract_if(.., |leaving| quiet(&leaving.1)).map(|leaving| leaving.0));
    }

    pub(super) fn talk(&mut self) {
        let Some(talker) = self.talker.filter(|talker| self.here().iter().any(|here| here.1 == *talker)) else {
            self.talker = self.here().first().map(|here| here.1);
            return self.ask_for_talker();
        };
        self.now = self.now + Millis(1);
        let number = self.truth.len() as u16;
        let bytes = rtp_bytes(1000 + talker, number);
        let before = self.call.counters().media;
        let packet = rtp::Packet::parse(&bytes).expect("a packet");
        self.call.handle(Input::Media { slot: Slot(talker), packet }, self.now);
        if self.call.counters().media > before {
            self.truth.push(talker as usize % USERS);
        }
    }

    pub(super) fn ask_for_talker(&mut self) {
        let Some(talker) = self.talker else { return };
        self.call.handle(Input::Ask { slot: Slot(talker), token: 0, action: Action::Request(0) }, self.now);
    }

    /// Somebody else talks.
    pub(super) fn switch(&mut self, which: usize) {
        if let Some(talker) = self.talker.take() {
            self.call.handle(Input::Ask { slot: Slot(talker), token: 0, action: Action::Release }, self.now);
        }
        self.talker = self.here().get(which).map(|here| here.1);
        self.ask_for_talker();
    }

    pub(super) fn hear(&mut self, to: SocketAddr, number: u16) {
        assert!(!self.silent.contains(&to), "{number} goes to {to}, of which it was said that nothing does");
        let life = &mut self.lives[self.legs[&to]];
        assert_ne!(self.truth[usize::from(number)], life.user, "nobody hears itself");
        assert!(life.heard.last().is_none_or(|last| *last < number), "{number} twice, or late: {life:?}");
        life.heard.push(number);
    }

    /// Takes up to `outputs` outputs of the owner; false if it has no more.
    pub(super) fn own(&mut self, outputs: usize) -> bool {
        for _ in 0..outputs {
            let mut heard = Vec::new();
            let mut lost = None;
            match self.call.poll() {
                Output::Replay { to, orders, kept, .. } => {
                    heard.extend(orders.iter().map(|order| (to, number(kept.packet(*order).expect("it is kept")))));
                }
                Output::Distribute { packet, targets, .. } => {
                    heard.extend(targets.iter().map(|to| (*to, number(packet))));
                }
                Output::Slice { part, change } => self.workers[usize::from(part.0)].mail.push_back(handed(change)),
                Output::Hand { part, order, epoch, packet } => {
                    let worker = &mut self.workers[usize::from(part.0)];
                    let waiting = worker.mail.iter().filter(|mail| matches!(mail, Handed::Packet { .. })).count();
                    match waiting < self.mail_max {
                        true => worker.mail.push_back(Handed::Packet { order, epoch, packet: number(packet) }),
                        false => lost = Some((part, number(packet))),
                    }
                }
                Output::Entered { slot, entry, facts } => {
                    self.silent.extend(self.replaced.remove(&entry));
                    let life = self.lives.iter_mut().rfind(|life| life.slot == slot.0).expect("it is here");
                    life.entered_at.get_or_insert(facts.order.0 as usize);
                }
                Output::Wake(_) => return false,
                _ => {}
            }
            heard.into_iter().for_each(|(to, number)| self.hear(to, number));
            if let Some((part, number)) = lost {
                self.lost.insert((part.0, number));
                self.call.handle(Input::Lost { part }, self.now);
            }
        }
        true
    }

    /// One part takes a letter, sends a piece, and says what it has done; false if it has nothing to do.
    pub(super) fn part(&mut self, at: usize, max: usize) -> bool {
        let worker = &mut self.workers[at];
        let handed = worker.mail.pop_front();
        let busy = handed.is_some();
        handed.into_iter().for_each(|handed| worker.slice.hand(handed));
        let piece = worker.slice.step(max).map(|piece| (*piece.packet, piece.targets.to_vec()));
        if worker.said < worker.slice.through() {
            worker.said = worker.slice.through();
            worker.answers.push_back(worker.said);
        }
        let Some((number, targets)) = piece else { return busy };
        targets.into_iter().for_each(|to| self.hear(to, number));
        true
    }

    /// The owner hears from a part.
    pub(super) fn answer(&mut self, at: usize) -> bool {
        let Some(through) = self.workers[at].answers.pop_front() else { return false };
        self.workers[at].answered = through;
        self.call.handle(Input::Through { part: Part(at as u8), leaves: through }, self.now);
        self.settle();
        true
    }

    pub(super) fn tick(&mut self) {
        self.now = self.now + Millis(5);
        self.call.handle(Input::Timer, self.now);
    }

    /// Lets everybody finish.
    pub(super) fn finish(&mut self) {
        for _ in 0..400 {
            self.tick();
            while self.own(1) {}
            for at in 0..self.workers.len() {
                while self.part(at, 3) {}
                while self.answer(at) {}
            }
        }
        assert!(self.leaving.is_empty(), "everybody who left is told so: {:?}", self.leaving);
    }

    pub(super) fn judge(&self) {
        for life in &self.lives {
            let Some(entered_at) = life.entered_at else {
                assert!(!life.here, "who is here has entered");
                continue;
            };
            let begin = life.heard.first().map_or(entered_at, |first| entered_at.min(usize::from(*first)));
            let end = match life.here {
                true => self.truth.len(),
                false => life.heard.last().map_or(begin, |last| usize::from(*last) + 1),
            };
            let meant = (begin..end).filter(|number| self.truth[*number] != life.user);
            let missing: Vec<u16> =
                meant.map(|number| number as u16).filter(|number| !life.heard.contains(number)).collect();
            let counted = |number: &u16| (0..self.workers.len()).any(|part| self.lost.contains(&(part as u8, *number)));
            assert!(missing.iter().all(counted), "{missing:?} lack, {:?} were lost: {life:?}", self.lost);
            if life.here {
                let facts = self.call.participant(Slot(life.slot)).expect("it is here");
                assert_eq!((facts.sent, facts.lost), (life.heard.len() as u64, missing.len() as u64), "{life:?}");
            }
        }
    }
}

fn number(packet: &[u8]) -> u16 {
    rtp::Packet::parse(packet).expect("a packet").sequence()
}

pub(in crate::call::tests) fn handed<P>(change: Change<'_, SocketAddr>) -> Handed<SocketAddr, P> {
    match change {
        Change::Enter { slot, entry, target, from } => Handed::Enter { slot, entry, target, from },
        Change::Leave { slot } => Handed::Leave { slot },
        Change::Own(own) => Handed::Own(own.to_vec()),
    }
}
