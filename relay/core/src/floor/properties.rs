//! The general machine and the machines of its participants together, under every order of inputs and timers.

use std::collections::BTreeMap;
use std::vec::Vec;

use proptest::prelude::*;

use super::cause::RevokeCause;
use super::general::{self, Class, General, Input, Output, Request, State};
use super::participant::{self, Asked, Participant, Told};
use super::settings::{Settings, Timers};
use crate::time::{Millis, Time};

#[derive(Clone, Copy, Debug)]
enum Action {
    Enter(u8),
    Leave(u8),
    Request(Request<u8>),
    Release(u8),
    Media(u8),
    AskPosition(u8),
    Configure { queueing: bool, queue_limit: u16 },
    Wait(u32),
}

/// A call with its participants, wired as a node wires them, and what a bystander has seen.
struct Call {
    general: General<u8>,
    participants: BTreeMap<u8, Participant>,
    now: Time,
    /// Whom distribution is open for.
    open: Option<u8>,
    last_grant: u64,
    /// Answers that the request in hand has got: granted, denied, or the position in the queue.
    answers: Vec<Answer>,
    asking: Option<u8>,
    /// When each participant's floor ended, and when it released it.
    ended: BTreeMap<u8, Time>,
    released: BTreeMap<u8, Time>,
    limit_max: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Granted,
    Denied(u16),
    Queued(u8),
}

impl Call {
    fn new() -> Call {
        let settings = Settings { max_burst_s: 5, hang_time_s: 7, queue_limit: 2, ..Settings::default() };
        let mut call = Call {
            general: General::new(settings),
            participants: BTreeMap::new(),
            now: Time::ZERO + Millis(1000),
            open: None,
            last_grant: 0,
            answers: Vec::new(),
            asking: None,
            ended: BTreeMap::new(),
            released: BTreeMap::new(),
            limit_max: 2,
        };
        call.tell_general(Input::SetUp { implicit: None });
        call
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Enter(who) if !self.participants.contains_key(&who) => {
                let taken = self.general.holder().is_some();
                self.participants.insert(who, Participant::enter(taken, &Timers::default()));
                self.tell_general(Input::Entered(who));
            }
            Action::Leave(who) => {
                self.tell(who, participant::Input::Leave, None);
                self.participants.remove(&who);
                self.ended.remove(&who);
                self.released.remove(&who);
            }
            Action::Request(request) => self.request_twice(request),
            Action::Release(who) if self.participants.contains_key(&who) => {
                if self.general.holder() == Some(who) {
                    self.released.insert(who, self.now);
                }
                self.ended.insert(who, self.now);
                self.tell(who, participant::Input::Release { acknowledge: true }, None);
            }
            Action::Media(who) => self.tell(who, participant::Input::Media, None),
            Action::AskPosition(who) => self.tell(who, participant::Input::QueuePositionRequest, None),
            Action::Configure { queueing, queue_limit } => {
                self.limit_max = self.limit_max.max(queue_limit);
                let settings = Settings { queueing, queue_limit, max_burst_s: 5, ..Settings::default() };
                self.tell_general(Input::Configure(settings));
            }
            Action::Wait(length) => self.wait(Millis(length)),
            Action::Enter(_) | Action::Release(_) => {}
        }
    }

    /// Every request is answered once, and its retransmission is answered the same and changes nothing.
    fn request_twice(&mut self, request: Request<u8>) {
        if !self.participants.contains_key(&request.from) {
            return;
        }
        let mut seen = Vec::new();
        for _ in 0..2 {
            self.answers.clear();
            self.asking = Some(request.from);
            self.tell(request.from, participant::Input::Request, Some(request));
            self.asking = None;
            assert_eq!(self.answers.len(), 1, "{request:?} was answered with {:?}", self.answers);
            let queue: Vec<u8> = self.general.queue().iter().map(|entry| entry.from).collect();
            seen.push((self.answers[0], self.general.state(), self.general.since(), queue));
        }
        assert_eq!(seen[0], seen[1], "a retransmission of {request:?}");
    }

    /// Fires every timer at its instant. None may ask for the same instant again.
    fn wait(&mut self, length: Millis) {
        let until = self.now + length;
        let mut fired = 0;
        while let Some((due, who)) = self.next_timer().filter(|(due, _)| *due <= until) {
            self.now = self.now.max(due);
            match who {
                None => self.tell_general(Input::Timer),
                Some(who) => self.tell(who, participant::Input::Timer, None),
            }
            assert!(self.next_timer().is_none_or(|next| next > (due, who)), "a timer of {who:?} asks again at once");
            fired += 1;
            assert!(fired < 10_000, "timers spin");
        }
        self.now = until;
    }

    fn next_timer(&mut self) -> Option<(Time, Option<u8>)> {
        let Output::Wake(general) = self.general.poll() else { panic!("the general machine was not drained") };
        let wakes = self.participants.iter_mut().filter_map(|(who, participant)| match participant.poll() {
            participant::Output::Wake(wake) => wake.map(|(due, _)| (due, Some(*who))),
            output => panic!("{who} was not drained: {output:?}"),
        });
        wakes.chain(general.map(|(due, _)| (due, None))).min()
    }

    fn tell(&mut self, who: u8, input: participant::Input, request: Option<Request<u8>>) {
        let Some(participant) = self.participants.get_mut(&who) else { return };
        participant.handle(input, self.now);
        while let Some(output) = self.poll(who) {
            self.obey(who, output, request);
        }
    }

    fn poll(&mut self, who: u8) -> Option<participant::Output> {
        match self.participants.get_mut(&who)?.poll() {
            participant::Output::Wake(_) => None,
            output => Some(output),
        }
    }

    fn obey(&mut self, who: u8, output: participant::Output, request: Option<Request<u8>>) {
        use participant::Output as Says;
        match output {
            Says::ToGeneral(Asked::Request) => self.tell_general(Input::Request(request.expect("it asked"))),
            Says::ToGeneral(Asked::Release) => self.tell_general(Input::Release(who)),
            Says::ToGeneral(Asked::QueuePositionRequest) => self.tell_general(Input::QueuePositionRequest(who)),
            Says::ToGeneral(Asked::Left) => self.tell_general(Input::Left(who)),
            Says::Distribute => self.distribute(who),
            Says::Revoke(RevokeCause::NoPermissionToSend) => {
                assert_ne!(self.general.holder(), Some(who), "the talker was told that it may not talk");
            }
            Says::Drop(_) => assert_ne!(self.general.holder(), Some(who), "media of the talker was dropped"),
            Says::Revoke(_) => assert_eq!(self.general.holder(), Some(who)),
            Says::Acknowledge | Says::Current | Says::GaveUp => {}
            Says::Wake(_) => panic!("Wake is the end of a drain"),
        }
    }

    //= TS 24.380 §6.3.5.3.8 test
    fn distribute(&mut self, who: u8) {
        if self.open != Some(who) {
            let released = self.released.get(&who).expect("only who released has a tail");
            assert!(self.now < *released + Millis(100), "the tail of {who} is over");
            assert_eq!(self.general.state(), State::Idle, "the tail of {who} runs into another burst");
        }
        self.tell_general(Input::Media(who));
    }

    fn tell_general(&mut self, input: Input<u8>) {
        self.general.handle(input, self.now);
        loop {
            match self.general.poll() {
                Output::Wake(_) => return,
                output => self.spread(output),
            }
        }
    }

    fn spread(&mut self, output: Output<u8>) {
        match output {
            Output::Talker(grant) => self.open_for(grant),
            Output::Granted { to, .. } => {
                assert_eq!(self.open, Some(to), "distribution opens before Granted");
                self.answer(to, Answer::Granted);
                self.tell(to, participant::Input::Told(Told::Granted), None);
            }
            Output::Taken { by } => self.tell_all(Told::Taken, Some(by)),
            Output::Idle => {
                assert!(self.general.queue().is_empty(), "Floor Idle while somebody waits");
                assert_eq!(self.open, None, "distribution closes before Idle");
                self.tell_all(Told::Idle, None);
            }
            Output::Deny { to, cause } => {
                self.answer(to, Answer::Denied(cause.code()));
                self.tell(to, participant::Input::Told(Told::Deny), None);
            }
            Output::Queued { to, position, .. } => {
                self.answer(to, Answer::Queued(position));
                self.tell(to, participant::Input::Told(Told::Queued), None);
            }
            Output::Revoke { to, cause } => self.tell(to, participant::Input::Told(Told::Revoke(cause)), None),
            Output::NotQueued { .. } | Output::Inactive => {}
            Output::Wake(_) => panic!("Wake is the end of a drain"),
        }
    }

    fn open_for(&mut self, grant: Option<general::Grant<u8>>) {
        if let Some(ended) = self.open {
            self.ended.insert(ended, self.now);
        }
        self.open = grant.as_ref().map(general::Grant::holder);
        if let Some(grant) = grant {
            assert!(grant.number() > self.last_grant, "grants are numbered upwards");
            self.last_grant = grant.number();
            self.released.remove(&grant.holder());
        }
    }

    fn answer(&mut self, to: u8, answer: Answer) {
        if self.asking == Some(to) {
            self.answers.push(answer);
        }
    }

    fn tell_all(&mut self, told: Told, but: Option<u8>) {
        let all: Vec<u8> = self.participants.keys().copied().filter(|who| Some(*who) != but).collect();
        for who in all {
            self.tell(who, participant::Input::Told(told), None);
        }
    }

    /// What holds between any two inputs.
    fn check(&self) {
        let holder = self.general.holder();
        assert_eq!(self.open, holder, "distribution is open for the holder and nobody else");
        assert!(self.general.queue().len() <= usize::from(self.limit_max) + 1, "the queue has a limit");
        if holder.is_none() {
            assert!(self.general.queue().is_empty(), "nobody waits for an idle floor");
        }
        for (who, participant) in &self.participants {
            use participant::State as Is;
            let expected = match (self.general.state(), participant.state()) {
                (_, Is::SendsMedia) => holder != Some(*who),
                (State::Idle, is) => is == Is::NotPermittedIdle,
                (State::Taken { holder }, is) if holder == *who => is == Is::Permitted,
                (State::PendingRevoke { holder, .. }, is) if holder == *who => is == Is::PendingRevoke,
                (State::Taken { .. } | State::PendingRevoke { .. }, is) => is == Is::NotPermittedTaken,
                (State::StartStop | State::Releasing, _) => false,
            };
            assert!(expected, "{who} is {:?} while the floor is {:?}", participant.state(), self.general.state());
        }
    }
}

fn requests() -> impl Strategy<Value = Request<u8>> {
    let class = prop_oneof![6 => Just(Class::Normal), 1 => Just(Class::ImminentPeril), 1 => Just(Class::Emergency)];
    let receive_only = prop::bool::weighted(0.05);
    (0..5u8, class, 0..3u8, prop::bool::weighted(0.7), receive_only, prop::bool::weighted(0.1)).prop_map(
        |(from, class, priority, queueing, receive_only, implicit)| Request {
            from,
            class,
            priority,
            queueing,
            receive_only,
            implicit,
            extra: Millis(0),
        },
    )
}

fn actions() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => (0..5u8).prop_map(Action::Enter),
        1 => (0..5u8).prop_map(Action::Leave),
        6 => requests().prop_map(Action::Request),
        3 => (0..5u8).prop_map(Action::Release),
        8 => (0..5u8).prop_map(Action::Media),
        1 => (0..5u8).prop_map(Action::AskPosition),
        1 => (any::<bool>(), 0..4u16)
            .prop_map(|(queueing, queue_limit)| Action::Configure { queueing, queue_limit }),
        6 => prop_oneof![1..40u32, 60..400u32, 900..4000u32].prop_map(Action::Wait),
    ]
}

fn play(actions: &[Action]) -> Call {
    let mut call = Call::new();
    for who in 0..3 {
        call.act(Action::Enter(who));
    }
    for action in actions {
        call.act(*action);
        call.check();
    }
    call
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test] //= TS 24.380 §6.3.4.3.2 test
    fn the_floor_keeps_its_promises_under_every_order(actions in prop::collection::vec(actions(), 1..80)) {
        play(&actions);
    }

    /// Whatever happened, a call that is left alone becomes idle and everybody knows.
    #[test] //= TS 24.380 §6.3.4.4.3 test
    fn a_call_left_alone_becomes_idle(actions in prop::collection::vec(actions(), 1..40)) {
        let mut call = play(&actions);
        call.act(Action::Wait(60_000));
        call.check();
        prop_assert_eq!(call.general.state(), State::Idle);
        let idle = |participant: &Participant| participant.state() == participant::State::NotPermittedIdle;
        prop_assert!(call.participants.values().all(idle));
    }

    //= TS 24.380 §6.3.5.4.6 test
    #[test]
    fn media_right_after_the_floor_ended_is_no_offence(
        actions in prop::collection::vec(actions(), 1..40),
        who in 0..5u8,
        later in 0..600u32,
    ) {
        let mut call = play(&actions);
        call.act(Action::Wait(later));
        let before = call.participants.get(&who).map(Participant::state);
        call.act(Action::Media(who));
        let after = call.participants.get(&who).map(Participant::state);
        let quiet = call.ended.get(&who).is_some_and(|ended| call.now < *ended + Millis(300));
        if quiet && before != Some(participant::State::SendsMedia) {
            prop_assert_eq!(before, after);
        }
    }
}
