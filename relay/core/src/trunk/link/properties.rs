//! What holds for every sequence of frames and timers, and for two links that talk to each other.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use std::vec::Vec;

use proptest::prelude::*;

use super::tests::{LIMITS, input};
use super::*;
use crate::trunk::wire::{Announce, Depart, Ended, Expel, Floor, Refused, Subscribe, Subscribed, Unsubscribe};

/// Few numbers, so that they meet.
fn what() -> impl Strategy<Value = What> {
    let group = prop::sample::select(&["fire", "water", "air", "earth"][..]).prop_map(String::from);
    (0..10_u8, 0..5_u32, 1..5_u32, group).prop_map(|(kind, flow, other, group)| match kind {
        0 | 1 => What::Subscribe(Subscribe { flow, group, ..Default::default() }),
        2 => What::Subscribed(Subscribed { flow, home_flow: other, ..Default::default() }),
        3 => What::Refused(Refused { flow, cause: "x".into(), detail: String::new() }),
        4 => What::Unsubscribe(Unsubscribe { flow }),
        5 | 6 => What::Announce(Announce { flow, reference: other, ..Default::default() }),
        7 => What::Depart(Depart { flow, reference: other }),
        8 => What::Expel(Expel { flow, reference: other, cause: "x".into() }),
        9 => What::Ended(Ended { flow, cause: "x".into() }),
        _ => What::Floor(Floor { flow, ..Default::default() }),
    })
}

fn inputs() -> impl Strategy<Value = Input> {
    let frame = |what| Frame { what: Some(what) };
    prop_oneof![
        20 => what().prop_map(move |what| Input::Frame(frame(what))),
        16 => what().prop_map(move |what| Input::Local(frame(what))),
        1 => (0..5_u32).prop_map(Input::Withdraw),
        2 => Just(Input::Timer),
        1 => (0..9000_u64, 0..9000_u64, any::<u64>())
            .prop_map(|(at, echo, held)| input(&std::format!("heartbeat {at} {echo} {held}"))),
        1 => prop::sample::select(&["up", "hello", "down", "end", "malformed", "nothing", "goodbye x", "hello c.example v1"][..])
            .prop_map(input),
    ]
}

/// Every frame that came was counted once more, under what became of it.
fn check_counters(counters: &Counters) -> Result<(), TestCaseError> {
    let c = counters;
    let refused = c.calls_refused + c.subscribed_twice + c.participants_refused + c.references_forged;
    let dropped = c.unknown_flow + c.unknown_reference + c.out_of_place + c.unwanted + c.late;
    prop_assert_eq!(c.frames, c.link + c.delivered + refused + dropped + c.flooded + c.malformed);
    Ok(())
}

/// Takes every output and checks its place: Lost follows a Ready, Close a Goodbye, and no frame goes out when there is nobody.
fn drain(link: &mut Link, ready: &mut bool) -> Result<Vec<Output>, TestCaseError> {
    let mut outputs = Vec::new();
    for _ in 0..8 {
        match link.poll() {
            Output::Wake(wake) => {
                prop_assert_eq!(wake.is_some(), matches!(link.state(), State::Greeting | State::Ready));
                prop_assert_eq!(*ready, link.state() == State::Ready);
                return Ok(outputs);
            }
            Output::Ready { .. } => prop_assert!(!core::mem::replace(ready, true)),
            Output::Lost => prop_assert!(core::mem::replace(ready, false)),
            Output::Deliver(_) => prop_assert!(*ready),
            output => outputs.push(output),
        }
    }
    Err(TestCaseError::fail("one input has more than 8 outputs"))
}

/// The two links of a trunk, what is under way between them, and what their calls believe.
struct Pair {
    links: [Link; 2],
    /// From each side to the other.
    wires: [VecDeque<Frame>; 2],
    /// Per side as the home: by its number of a call, the partner's references in it.
    home: [BTreeMap<u32, BTreeSet<u32>>; 2],
    /// Per side as the partner: by its own number of a call, the home's number and the references that it has announced.
    partner: [BTreeMap<u32, (u32, BTreeSet<u32>)>; 2],
    /// The next number of a call or a participant: none is used twice.
    next: u32,
    /// A reference was announced twice.
    forged: bool,
}

impl Pair {
    fn new() -> Pair {
        let limits = Limits { frames_per_s: 100_000, ..LIMITS };
        let link = |own, partner| Link::new(own, partner, 1, limits);
        let mut pair = Pair {
            links: [link("a.example", "b.example"), link("b.example", "a.example")],
            wires: Default::default(),
            home: Default::default(),
            partner: Default::default(),
            next: 1,
            forged: false,
        };
        [0, 1].into_iter().for_each(|side| pair.tell(side, Input::Up));
        while pair.carry(0) || pair.carry(1) {}
        pair
    }

    fn tell(&mut self, side: usize, input: Input) {
        self.links[side].handle(input, Time::ZERO);
        loop {
            match self.links[side].poll() {
                Output::Send(frame) => self.wires[side].push_back(frame),
                Output::Deliver(frame) => self.hear(side, frame.what.unwrap()),
                Output::Wake(_) => return,
                Output::Ready { .. } | Output::RoundTrip(_) | Output::Overstepped { .. } => {}
                broken => panic!("{broken:?}"),
            }
        }
    }

    fn say(&mut self, side: usize, what: What) {
        self.tell(side, Input::Local(Frame { what: Some(what) }));
    }

    /// The oldest frame that `side` has sent arrives.
    fn carry(&mut self, side: usize) -> bool {
        let frame = self.wires[side].pop_front();
        frame.map(|frame| self.tell(1 - side, Input::Frame(frame))).is_some()
    }

    /// What the calls of `side` do: a subscription is granted or refused at once.
    fn hear(&mut self, side: usize, what: What) {
        match what {
            What::Subscribe(Subscribe { flow, start: false, .. }) => {
                let (cause, detail) = ("x".into(), String::new());
                self.say(side, What::Refused(Refused { flow, cause, detail }));
            }
            What::Subscribe(Subscribe { flow, .. }) => {
                let home_flow = self.number();
                self.home[side].insert(home_flow, BTreeSet::new());
                self.say(side, What::Subscribed(Subscribed { flow, home_flow, ..Default::default() }));
            }
            What::Unsubscribe(Unsubscribe { flow }) => assert!(self.home[side].remove(&flow).is_some()),
            What::Announce(Announce { flow, reference, .. }) => {
                assert!(self.home[side].get_mut(&flow).unwrap().insert(reference));
            }
            What::Depart(Depart { flow, reference }) => {
                assert!(self.home[side].get_mut(&flow).unwrap().remove(&reference));
            }
            What::Subscribed(Subscribed { flow, home_flow, .. }) => {
                assert!(self.partner[side].insert(flow, (home_flow, BTreeSet::new())).is_none());
            }
            What::Expel(Expel { flow, reference, .. }) => {
                self.partner[side].get_mut(&flow).unwrap().1.remove(&reference);
            }
            What::Ended(Ended { flow, .. }) => assert!(self.partner[side].remove(&flow).is_some()),
            What::Refused(Refused { flow, .. }) => assert!(!self.partner[side].contains_key(&flow)),
            other => panic!("{other:?}"),
        }
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// Something that the calls of `side` may do at any time.
    fn act(&mut self, side: usize, kind: u8, pick: u32, grants: bool) {
        let home: Vec<u32> = self.home[side].keys().copied().collect();
        let partner: Vec<(u32, u32)> = self.partner[side].iter().map(|(own, (home, _))| (*own, *home)).collect();
        let chosen = |count: usize| (pick as usize).checked_rem(count);
        match (kind, chosen(partner.len()), chosen(home.len())) {
            (0, ..) => {
                let group = std::format!("group {}", pick % 4);
                let flow = self.number();
                self.say(side, What::Subscribe(Subscribe { flow, group, start: grants, ..Default::default() }));
                if pick.is_multiple_of(3) {
                    self.tell(side, Input::Withdraw(flow));
                }
            }
            (1, Some(at), _) => {
                self.partner[side].remove(&partner[at].0);
                self.tell(side, Input::Withdraw(partner[at].0));
            }
            (2 | 3, Some(at), _) => {
                let (own, flow) = partner[at];
                let known = self.partner[side][&own].1.first().copied().filter(|_| pick.is_multiple_of(8));
                self.forged |= known.is_some();
                let reference = known.unwrap_or_else(|| self.number());
                self.partner[side].get_mut(&own).unwrap().1.insert(reference);
                self.say(side, What::Announce(Announce { flow, reference, ..Default::default() }));
            }
            (4, Some(at), _) => {
                let (own, flow) = partner[at];
                let reference = self.partner[side][&own].1.first().copied();
                if let Some(reference) = reference {
                    self.partner[side].get_mut(&own).unwrap().1.remove(&reference);
                    self.say(side, What::Depart(Depart { flow, reference }));
                }
            }
            (5, _, Some(at)) => {
                let flow = self.links[side].partner_flow(home[at]).unwrap();
                self.home[side].remove(&home[at]);
                self.say(side, What::Ended(Ended { flow, cause: "x".into() }));
            }
            (6, _, Some(at)) => {
                let flow = self.links[side].partner_flow(home[at]).unwrap();
                if let Some(reference) = self.home[side].get_mut(&home[at]).unwrap().pop_first() {
                    self.say(side, What::Expel(Expel { flow, reference, cause: "x".into() }));
                }
            }
            _ => {}
        }
    }

    /// What both sides believe of the calls that are at home at `side`.
    fn agree(&self, side: usize) -> Result<(), TestCaseError> {
        let (home, partner) = (&self.links[side], &self.links[1 - side]);
        let theirs: BTreeMap<u32, &BTreeSet<u32>> =
            self.partner[1 - side].values().map(|(home_flow, references)| (*home_flow, references)).collect();
        let ours: BTreeMap<u32, &BTreeSet<u32>> = self.home[side].iter().map(|(own, set)| (*own, set)).collect();
        prop_assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
        prop_assert_eq!(home.subscriptions(), ours.len());
        let mut participants = 0;
        for (own, references) in &ours {
            let flow = home.partner_flow(*own).unwrap();
            prop_assert_eq!((home.role(*own), partner.role(flow)), (Some(Role::Home), Some(Role::Partner)));
            prop_assert_eq!(partner.partner_flow(flow), Some(*own));
            prop_assert!(references.iter().all(|reference| home.announced(*own, *reference)));
            // Announced twice while an Expel was under way: which of the two it meant is the forger's own trouble.
            prop_assert!(self.forged || *references == theirs[own]);
            participants += references.len();
        }
        prop_assert_eq!(usize::try_from(home.participants()).unwrap(), participants);
        Ok(())
    }
}

proptest! {
    #[test]
    fn any_sequence_keeps_the_limits_and_the_counters_add_up(
        steps in prop::collection::vec((inputs(), 0..300_u32), 0..300),
    ) {
        let mut link = Link::new("a.example", "b.example", 41, LIMITS);
        let (mut ready, mut now) = (false, Time::ZERO);
        for (input, later) in steps {
            now = now + Millis(later);
            // Some connections stay up for long, others are met half done.
            if link.state() != State::Ready && later.is_multiple_of(4) {
                link.handle(Input::Up, now);
                drain(&mut link, &mut ready)?;
                link.handle(self::input("hello"), now);
                drain(&mut link, &mut ready)?;
            }
            link.handle(input, now);
            let outputs = drain(&mut link, &mut ready)?;
            let closes = outputs.iter().filter(|output| matches!(output, Output::Close { .. })).count();
            prop_assert!(closes == 0 || closes == 1 && link.state() == State::Closing);
            prop_assert!(link.subscriptions() <= LIMITS.calls as usize);
            prop_assert!(link.participants() <= LIMITS.participants);
            prop_assert!(link.state() == State::Ready || link.subscriptions() == 0 && link.participants() == 0);
            for own in 0..6 {
                let answered = matches!(link.role(own), Some(Role::Home | Role::Partner));
                prop_assert_eq!(answered, link.partner_flow(own).is_some());
            }
            check_counters(link.counters())?;
        }
    }

    #[test]
    fn whatever_both_sides_do_they_agree_once_everything_has_arrived(
        steps in prop::collection::vec((0..10_u8, 0..2_usize, any::<u32>(), any::<bool>()), 0..200),
    ) {
        let mut pair = Pair::new();
        for (kind, side, pick, grants) in steps {
            if kind < 7 {
                pair.act(side, kind, pick, grants || pick % 8 != 0);
            } else {
                pair.carry(side);
            }
        }
        while pair.carry(0) || pair.carry(1) {}
        for side in [0, 1] {
            pair.agree(side)?;
            check_counters(pair.links[side].counters())?;
            prop_assert_eq!(pair.links[side].counters().malformed, 0);
        }
    }
}
