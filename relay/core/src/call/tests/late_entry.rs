//! The late-entry contract (docs/ARCHITECTURE.md, "The life of an entry") at every instant of a burst, for every kind of resume vector.

use alloc::vec;

use super::*;

const ANA: u16 = 1000;
const BEN: u16 = 2000;
const EVA: u16 = 3000;
const ZOE: u16 = 4000;

/// What the client that enters says it heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resume {
    Nothing,
    /// The packet of the running talker so many before its newest.
    Inside(u16),
    /// So many ahead of the newest packet.
    Ahead(u16),
    /// Something long gone.
    Before,
    /// An SSRC of which nothing is known.
    Unknown,
    /// Points in both bursts.
    Both(u16, u16),
    /// A point in the finished burst only.
    Finished(u16),
}

const KINDS: [Resume; 12] = [
    Resume::Nothing,
    Resume::Inside(0),
    Resume::Inside(1),
    Resume::Inside(7),
    Resume::Inside(33),
    Resume::Ahead(1),
    Resume::Ahead(3),
    Resume::Before,
    Resume::Unknown,
    Resume::Both(3, 2),
    Resume::Both(0, 0),
    Resume::Finished(5),
];

// Ben speaks, then Ana, whose numbers wrap.
const BEN_PACKETS: u16 = 12;
const BEN_FIRST: u16 = 500;
const BEN_GRANTED_MS: u32 = 100;
const BEN_FROM_MS: u32 = 120;
const BEN_UNTIL_MS: u32 = 400;
const ANA_PACKETS: u16 = 40;
const ANA_FIRST: u16 = 65_516;
const ANA_GRANTED_MS: u32 = 950;
const ANA_FROM_MS: u32 = 1_000;
const ANA_UNTIL_MS: u32 = ANA_FROM_MS + ANA_PACKETS as u32 * PTIME_MS;
const PTIME_MS: u32 = 20;

/// A packet that leaves, and when: the truth against which Eva's capture is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Truth {
    at_ms: u32,
    ssrc: u32,
    sequence: u16,
}

struct Scene {
    world: World,
    truth: Vec<Truth>,
    /// Packets that had left when Eva entered.
    entered_at: usize,
}

/// Runs the two bursts; at `enter_ms`, after what else happens at that instant, Eva enters.
fn play(settings: Settings, enter_ms: u32, resume: Resume) -> Scene {
    let mut scene = Scene { world: World::new(settings), truth: Vec::new(), entered_at: 0 };
    scene.world.enter(0, participant("sip:ana@a", ANA));
    scene.world.enter(1, participant("sip:ben@a", BEN));
    scene.world.acknowledge(0, ANA);
    scene.world.acknowledge(1, BEN);
    let (asks, ends) = ("request", "release");
    let mut script = vec![
        (BEN_GRANTED_MS, asks, BEN),
        (BEN_UNTIL_MS, ends, BEN),
        (ANA_GRANTED_MS, asks, ANA),
        (ANA_UNTIL_MS, ends, ANA),
        (enter_ms, "zz enter", EVA),
    ];
    script.extend((0..BEN_PACKETS).map(|n| (BEN_FROM_MS + u32::from(n) * PTIME_MS, "media", BEN)));
    script.extend((0..ANA_PACKETS).map(|n| (ANA_FROM_MS + u32::from(n) * PTIME_MS, "media", ANA)));
    script.sort();
    let (mut ben, mut ana) = (BEN_FIRST, ANA_FIRST);
    for (ms, what, port) in script {
        scene.world.run_until(at(ms));
        let slot = u32::from(port != ANA);
        match what {
            "request" => scene.world.request(slot, port, 0),
            "release" => scene.world.release(slot, port),
            "media" => {
                let next = if port == ANA { &mut ana } else { &mut ben };
                scene.truth.push(Truth { at_ms: ms, ssrc: u32::from(port), sequence: *next });
                scene.world.media(slot, u32::from(port), *next);
                *next = next.wrapping_add(1);
            }
            _ => {
                let resume = scene.vector(resume);
                scene.entered_at = scene.truth.len();
                scene.world.enter(2, Participant { resume, ..participant("sip:eva@a", EVA) });
            }
        }
    }
    scene.world.run_until(at(30_000));
    scene
}

impl Scene {
    /// The resume vector of a client that heard what `resume` says.
    fn vector(&self, resume: Resume) -> Vec<ResumePoint> {
        let newest = |port: u16, first: u16| {
            let of = |truth: &&Truth| truth.ssrc == u32::from(port);
            self.truth.iter().rev().find(of).map_or(first.wrapping_sub(1), |truth| truth.sequence)
        };
        let (ben, ana) = (newest(BEN, BEN_FIRST), newest(ANA, ANA_FIRST));
        let point = |port: u16, sequence: u16| ResumePoint { ssrc: Ssrc(port.into()), sequence: sequence.into() };
        match resume {
            Resume::Nothing => vec![],
            Resume::Inside(back) => vec![point(ANA, ana.wrapping_sub(back))],
            Resume::Ahead(ahead) => vec![point(ANA, ana.wrapping_add(ahead))],
            Resume::Before => vec![point(BEN, BEN_FIRST - 100)],
            Resume::Unknown => vec![point(77, 5)],
            Resume::Both(back, back_ana) => vec![point(BEN, ben - back), point(ANA, ana.wrapping_sub(back_ana))],
            Resume::Finished(back) => vec![point(BEN, ben - back)],
        }
    }

    /// The index of the packet of `port` that many before its newest, of what had left when Eva entered.
    fn index(&self, port: u16, back: u16) -> Option<usize> {
        let of: Vec<usize> = (0..self.entered_at).filter(|at| self.truth[*at].ssrc == u32::from(port)).collect();
        of.len().checked_sub(1 + usize::from(back)).map(|at| of[at])
    }

    /// What Eva must hear, from the truth alone: indices of packets.
    fn expected(&self, enter_ms: u32, resume: Resume) -> Vec<usize> {
        let spoke = |port: u16| self.index(port, 0).is_some();
        let all = 0..self.truth.len();
        let after = |index: Option<usize>| all.clone().filter(|at| index.is_none_or(|index| *at > index)).collect();
        match resume {
            Resume::Inside(back) if spoke(ANA) => after(self.index(ANA, back)),
            Resume::Before if spoke(BEN) => after(None),
            Resume::Finished(back) if spoke(BEN) => after(self.index(BEN, back)),
            Resume::Both(ben, ana) if spoke(BEN) => {
                let unheard = |at: &usize| {
                    let of_ana = self.truth[*at].ssrc == u32::from(ANA);
                    let heard = if of_ana { self.index(ANA, ana) } else { self.index(BEN, ben) };
                    heard.is_none_or(|heard| *at > heard)
                };
                all.filter(unheard).collect()
            }
            Resume::Ahead(ahead) if spoke(ANA) => {
                let mut promised = usize::from(ahead);
                let beyond = |at: &usize| {
                    let heard = self.truth[*at].ssrc == u32::from(ANA) && promised > 0;
                    promised -= usize::from(heard);
                    !heard
                };
                (self.entered_at..self.truth.len()).filter(beyond).collect()
            }
            // Without a point that means something: the running burst's last 200 ms.
            _ => {
                let runs = |port: u16, from: u32, until: u32| {
                    let recent = |at: &usize| {
                        let truth = self.truth[*at];
                        truth.ssrc == u32::from(port) && truth.at_ms + 200 >= enter_ms
                    };
                    (from..until).contains(&enter_ms).then(|| (0..self.entered_at).find(recent)).flatten()
                };
                let ben = runs(BEN, BEN_GRANTED_MS, BEN_UNTIL_MS);
                let start = ben.or(runs(ANA, ANA_GRANTED_MS, ANA_UNTIL_MS)).unwrap_or(self.entered_at);
                (start..self.truth.len()).collect()
            }
        }
    }

    fn packets(&self, indices: &[usize]) -> Vec<(u32, u16)> {
        indices.iter().map(|at| (self.truth[*at].ssrc, self.truth[*at].sequence)).collect()
    }

    fn without(&self, port: u16) -> Vec<(u32, u16)> {
        let all: Vec<usize> = (0..self.truth.len()).filter(|at| self.truth[*at].ssrc != u32::from(port)).collect();
        self.packets(&all)
    }
}

fn check(enter_ms: u32, resume: Resume) {
    let scene = play(settings(), enter_ms, resume);
    let context = format!("entered at {enter_ms} ms with {resume:?}");
    let expected = scene.packets(&scene.expected(enter_ms, resume));
    assert_eq!(scene.world.heard(EVA), expected, "{context}");
    let taken_by = match enter_ms {
        BEN_GRANTED_MS..BEN_UNTIL_MS => "taken(sip:ben@a)! 1",
        ANA_GRANTED_MS..ANA_UNTIL_MS => "taken(sip:ana@a)! 1",
        _ => "idle! 1",
    };
    assert_eq!(scene.world.seen(EVA).first(), Some(&Seen::Floor(String::from(taken_by))), "floor first, {context}");
    assert_eq!(scene.world.first(EVA + 1), Some(at(enter_ms)), "the floor is told at once, {context}");
    // Early participants lose nothing by it.
    assert_eq!(scene.world.heard(ANA), scene.without(ANA), "{context}");
    assert_eq!(scene.world.heard(BEN), scene.without(BEN), "{context}");
}

#[test]
fn at_every_instant_the_newcomer_hears_exactly_what_it_lacks() {
    for resume in KINDS {
        (90..ANA_UNTIL_MS + 100).for_each(|enter_ms| check(enter_ms, resume));
    }
}

#[test]
fn what_may_leave_at_once_does_and_the_rest_at_four_times_its_speed() {
    let enter_ms = 1_700;
    let scene = play(settings(), enter_ms, Resume::Before);
    let seen = &scene.world.seen[&leg(EVA).rtp];
    let left: Vec<u32> = seen.iter().map(|(_, at, _)| at.since(Time::ZERO).0).collect();
    // Ben's first packet came at 120 ms: what came until 320 ms leaves at once.
    assert_eq!(left.iter().filter(|ms| **ms == enter_ms).count(), 11);
    for (left, truth) in left.iter().zip(&scene.truth).filter(|(_, truth)| truth.at_ms <= enter_ms) {
        let due = enter_ms + truth.at_ms.saturating_sub(320) / 4;
        assert!((due..=due + 6).contains(left), "{truth:?} left at {left} ms and was due at {due} ms");
    }
}

#[test]
fn a_point_older_than_retention_is_answered_with_what_is_missed() {
    let short = Settings { retention: Millis(300), ..settings() };
    let scene = play(short, 1_700, Resume::Inside(33));
    let media = scene.world.facts[&Slot(2)].media[0];
    // Ana's numbers wrap at her 20th packet; the point is 33 before the newest, and the last 300 ms are 16 packets.
    let newest = media.sequence;
    assert_eq!((newest >> 16, newest as u16), (1, 15));
    assert_eq!(media.missed, Some((newest - 32, newest - 16)));
    assert_eq!(media.resumed_from, Some(newest - 15));
    assert_eq!(scene.world.heard(EVA).len(), 16 + 4);
}

#[test]
fn retention_that_overtakes_a_paced_newcomer_skips_and_counts() {
    // 20 packets fit. The newcomer is paced through ten of them when 19 come at once.
    let mut world = World::new(Settings { packets_per_s: 20, retention: Millis(1_000), ..settings() });
    world.enter(0, participant("sip:ana@a", ANA));
    world.enter(1, participant("sip:ben@a", BEN));
    world.request(0, ANA, 0);
    for n in 0..10u16 {
        world.run_until(at(u32::from(n) * 100));
        world.media(0, ANA.into(), n);
    }
    let resume = vec![ResumePoint { ssrc: Ssrc(ANA.into()), sequence: 0 }];
    world.enter(2, Participant { resume, ..participant("sip:eva@a", EVA) });
    assert_eq!(world.heard(EVA), [(ANA.into(), 1), (ANA.into(), 2), (ANA.into(), 3)], "200 ms leave at once");
    (10..29u16).for_each(|n| world.offer(0, ANA.into(), n));
    world.pump(usize::MAX);
    world.run_until(at(2_000));
    let heard: Vec<u16> = world.heard(EVA).into_iter().map(|(_, sequence)| sequence).collect();
    assert_eq!(heard, [1, 2, 3].into_iter().chain(9..29).collect::<Vec<u16>>());
    assert_eq!(world.call.counters().overtaken, 5);
    assert_eq!(world.call.participant(Slot(2)).map(|facts| facts.overtaken), Some(5));
}

#[test]
fn the_answer_says_what_the_leg_gets() {
    for resume in KINDS {
        for enter_ms in (95..ANA_UNTIL_MS + 100).step_by(13) {
            let scene = play(settings(), enter_ms, resume);
            let (facts, context) = (&scene.world.facts[&Slot(2)], format!("{enter_ms} ms, {resume:?}"));
            let sent = scene.expected(enter_ms, resume);
            let retained: Vec<Truth> =
                sent.iter().filter(|at| **at < scene.entered_at).map(|at| scene.truth[*at]).collect();
            for media in &facts.media {
                let first = retained.iter().find(|truth| truth.ssrc == media.ssrc.0).map(|truth| truth.sequence);
                assert_eq!(media.resumed_from.map(|sequence| sequence as u16), first, "{context}");
            }
            let kinds = [ANA, BEN].into_iter().filter(|port| scene.index(*port, 0).is_some()).count();
            assert_eq!(facts.media.len(), kinds, "one entry per retained SSRC, {context}");
            let ended = |truth: &Truth| match truth.ssrc == u32::from(ANA) {
                true => enter_ms >= ANA_UNTIL_MS,
                false => enter_ms >= BEN_UNTIL_MS,
            };
            let mut finished: Vec<u32> = retained.iter().filter(|t| ended(t)).map(|truth| truth.ssrc).collect();
            finished.dedup();
            assert_eq!(facts.bursts.iter().map(|burst| burst.ssrc.0).collect::<Vec<_>>(), finished, "{context}");
            assert_eq!((facts.floor.message_sequence_number, facts.order.0), (1, scene.entered_at as u64));
        }
    }
}

#[test]
fn nobody_hears_itself_under_any_ssrc_it_ever_had() {
    let mut world = World::new(settings());
    world.enter(0, participant("sip:ana@a", ANA));
    world.enter(1, participant("sip:ben@a", BEN));
    world.request(0, ANA, 0);
    (0..10).for_each(|n| world.media(0, ANA.into(), n));
    world.release(0, ANA);
    world.leave(0);
    // Ana on a new leg and SSRC, and Eva, ask for everything.
    let everything = vec![ResumePoint { ssrc: Ssrc(ANA.into()), sequence: 0 }];
    world.enter(2, Participant { resume: everything.clone(), ..participant("sip:ana@a", ZOE) });
    world.enter(3, Participant { resume: everything, ..participant("sip:eva@a", EVA) });
    assert_eq!(world.heard(ZOE), []);
    assert_eq!(world.heard(EVA).len(), 9);
    // A second client of the talker's user does not hear the talker either.
    world.enter(4, Participant { leg: leg(4500).into(), audio_ssrc: Ssrc(4500), ..participant("sip:ana@a", ZOE) });
    world.request(2, ZOE, 0);
    world.media(2, ZOE.into(), 1);
    assert_eq!((world.heard(ZOE), world.heard(4500)), (vec![], vec![]));
    assert_eq!(world.heard(EVA).last(), Some(&(u32::from(ZOE), 1)));
}

#[test]
fn a_newcomer_that_talks_before_it_has_caught_up_does_not_hear_itself() {
    let mut world = World::new(settings());
    world.enter(0, participant("sip:ana@a", ANA));
    world.enter(1, participant("sip:ben@a", BEN));
    world.request(0, ANA, 0);
    for n in 0..50u16 {
        world.run_until(at(u32::from(n) * 20));
        world.media(0, ANA.into(), n);
    }
    world.release(0, ANA);
    let resume = vec![ResumePoint { ssrc: Ssrc(ANA.into()), sequence: 0 }];
    world.enter(2, Participant { resume, ..participant("sip:eva@a", EVA) });
    world.request(2, EVA, 0);
    (0..5).for_each(|n| world.media(2, EVA.into(), n));
    world.run_until(at(3_000));
    assert_eq!(world.heard(EVA), (1..50).map(|n| (u32::from(ANA), n)).collect::<Vec<_>>());
    assert_eq!(world.heard(BEN).len(), 55);
}

#[test]
fn an_ssrc_is_withheld_no_longer_than_retention() {
    let mut world = World::new(Settings { retention: Millis(500), ..settings() });
    world.enter(0, participant("sip:ana@a", ANA));
    world.enter(1, participant("sip:ben@a", BEN));
    world.request(0, ANA, 0);
    world.media(0, ANA.into(), 10);
    let ahead = vec![ResumePoint { ssrc: Ssrc(ANA.into()), sequence: 1_000 }];
    world.enter(2, Participant { resume: ahead, ..participant("sip:eva@a", EVA) });
    for n in 1..40u16 {
        world.run_until(at(u32::from(n) * 20));
        world.media(0, ANA.into(), 10 + n);
    }
    assert_eq!(world.heard(EVA), (35..50).map(|n| (u32::from(ANA), n)).collect::<Vec<_>>());
}

#[test]
fn the_floor_is_repeated_until_it_is_acknowledged() {
    let mut world = World::new(settings());
    world.enter(0, participant("sip:ana@a", ANA));
    world.enter(1, participant("sip:ben@a", BEN));
    world.acknowledge(0, ANA);
    world.request(0, ANA, 0);
    world.media(0, ANA.into(), 0);
    world.run_until(at(10));
    world.enter(2, participant("sip:eva@a", EVA));
    world.run_until(at(1_500));
    assert_eq!(world.told(EVA), vec!["taken(sip:ana@a)! 1"; 4], "a pure copy keeps its number");
    world.acknowledge(2, EVA);
    world.run_until(at(3_900));
    assert_eq!(world.told(EVA).len(), 4);
    assert!(world.call.participant(Slot(2)).expect("Eva is here").floor_confirmed);
    // Ben never answers: five sends, then he counts as unconfirmed, and the next change asks again.
    let mut ben = vec!["idle! 1"];
    ben.extend(["taken(sip:ana@a)! 2"; 5]);
    assert_eq!(world.told(BEN), ben);
    assert_eq!(world.call.counters().unconfirmed, 1);
    assert!(!world.call.participant(Slot(1)).expect("Ben is here").floor_confirmed);
    world.release(0, ANA);
    assert_eq!(world.told(BEN).last().map(String::as_str), Some("idle! 3"));
    assert_eq!(world.told(EVA).last().map(String::as_str), Some("idle 2"));
}

#[test]
fn a_repetition_that_overtakes_the_news_tells_the_news() {
    let mut world = World::new(settings());
    world.enter(0, participant("sip:ana@a", ANA));
    world.enter(1, participant("sip:ben@a", BEN));
    world.run_until(at(99));
    // The floor changes just when Ben's first message is due again, before anybody was told.
    world.call.handle(Input::Ask { slot: Slot(0), token: 1, action: Action::Request(0) }, at(100));
    world.call.handle(Input::Timer, at(100));
    world.pump(usize::MAX);
    assert_eq!(world.told(BEN), ["idle! 1", "taken(sip:ana@a)! 2"]);
}
