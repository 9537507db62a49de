//! The simulated world: the core of one call, its callers, and links with delay, in virtual time.
//!
//! It stands where sockets and HTTP stand in a node: what the core hands out is delivered later, in the order in which it was
//! handed out on that leg. The same plan gives the same run, bit for bit.

mod facts;
pub mod migrate;
mod queue;

use std::{net::SocketAddr, sync::Arc};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use relay_core::{
    Millis, Slot, Ssrc, Time,
    call::{Call, Input as CallInput, Output as CallOutput, Settings},
    floor::{self, message},
    roster, rtp,
};

use crate::{
    capture::Channel,
    contract::{Record, Terms},
    handset::{Handset, Input, Output},
    scenario::late_entry::Plan,
    speech::Speech,
    truth::Truth,
    world::{Failure, Outcome, World},
};
use queue::Queue;

/// The longest a datagram is on its way. Milliseconds.
const DELAY_MAX: u32 = 8;

/// What the node writes into its floor messages.
const FLOOR_SSRC: Ssrc = Ssrc(0x00c0_ffee);

/// A world in virtual time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Simulated;

/// What happens at a point in time.
#[derive(Debug)]
enum Event {
    /// A caller asks to enter.
    Ask(usize),
    /// The question is at the node.
    Enter(usize),
    /// A talker presses the button and says this burst.
    Talk(usize, usize),
    /// A datagram is at the node.
    Up(usize, Channel, Vec<u8>),
    /// A datagram is at a caller.
    Down(usize, Channel, Vec<u8>),
    /// The answer is at a caller.
    Answered(usize),
}

/// A caller and its links.
struct Caller {
    handset: Handset,
    user: Arc<str>,
    record: Record,
    delay: Millis,
    is_in: bool,
    /// Datagrams on one leg do not overtake one another.
    up_free: Time,
    down_free: Time,
}

struct Run<'a> {
    plan: &'a Plan,
    call: Call<SocketAddr>,
    call_wake: Option<Time>,
    callers: Vec<Caller>,
    queue: Queue<Event>,
    truth: Truth,
    now: Time,
    failure: Option<Failure>,
}

impl World for Simulated {
    fn play(&mut self, plan: &Plan) -> Result<Outcome, Failure> {
        let mut run = Run::new(plan);
        run.schedule();
        run.play()?;
        let mut records: Vec<Record> = run.callers.into_iter().map(Caller::into_record).collect();
        let entrants = records.split_off(plan.early.len());
        Ok(Outcome { truth: run.truth, entrants, early: records })
    }

    fn terms(&self, plan: &Plan) -> Terms {
        Terms { retention: plan.options.retention, entry: Millis(200), slack: Millis(DELAY_MAX + 2) }
    }
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan) -> Run<'a> {
        let settings = Settings {
            floor: floor::settings::Settings { queueing: true, ..Default::default() },
            retention: plan.options.retention,
            entry: Millis(200),
            packets_per_s: 200,
            bytes_per_s: 65_536,
            privacy: false,
        };
        let mut random = StdRng::seed_from_u64(plan.options.seed ^ 0x51a1);
        let mut delay = || Millis(random.random_range(0..=DELAY_MAX));
        let early = plan.early.iter().enumerate();
        let early = early.map(|(at, sequence)| Caller::new(plan.user(at), plan.name(at), *sequence, true, true));
        let late = plan.entrants.iter().enumerate().map(|(at, entrant)| {
            let at = at + plan.early.len();
            Caller::new(plan.user(at), plan.name(at), 0, false, entrant.acknowledges)
        });
        let callers = early.chain(late).map(|caller| Caller { delay: delay(), ..caller }).collect();
        Run {
            plan,
            call: Call::new(settings, FLOOR_SSRC),
            call_wake: None,
            callers,
            queue: Queue::default(),
            truth: Truth::default(),
            now: Time::ZERO,
            failure: None,
        }
    }

    fn schedule(&mut self) {
        let begin = Time::ZERO + Millis(100);
        for early in 0..self.plan.early.len() {
            self.queue.put(Time::ZERO + Millis(early as u32), Event::Ask(early));
        }
        for turn in &self.plan.turns {
            self.queue.put(begin + turn.at, Event::Talk(turn.talker, turn.burst));
        }
        for (number, entrant) in self.plan.entrants.iter().enumerate() {
            self.queue.put(begin + entrant.at, Event::Ask(self.plan.early.len() + number));
        }
    }

    fn play(&mut self) -> Result<(), Failure> {
        let end = Time::ZERO + Millis(100) + self.plan.end;
        loop {
            let wakes = self.callers.iter_mut().filter_map(|caller| match caller.handset.poll() {
                Output::Wake(wake) => wake,
                _ => None,
            });
            let next = wakes.chain(self.queue.next_at()).chain(self.call_wake).min().unwrap_or(end);
            if next >= end {
                return self.failure.take().map_or(Ok(()), Err);
            }
            self.now = self.now.max(next);
            while let Some(event) = self.queue.take(self.now) {
                self.happen(event);
            }
            for caller in 0..self.callers.len() {
                self.tell(caller, Input::Timer);
            }
            if self.call_wake.is_some_and(|wake| wake <= self.now) {
                self.tell_call(CallInput::Timer);
            }
        }
    }

    fn happen(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Ask(at) => {
                let retention = self.plan.options.retention;
                let wish = at.checked_sub(self.plan.early.len()).and_then(|late| self.plan.entrants.get(late));
                let resume = wish.map(|entrant| entrant.wish.points(&self.truth, retention, now));
                let caller = &mut self.callers[at];
                caller.record.asked = now;
                caller.record.resume = resume.unwrap_or_default();
                caller.handset.begin(now);
                self.queue.put(now + caller.delay, Event::Enter(at));
            }
            Event::Enter(at) => {
                self.callers[at].is_in = true;
                let participant = self.callers[at].participant(at);
                self.tell_call(CallInput::Enter { slot: Slot(at as u32), entry: at as u64, participant });
            }
            Event::Answered(at) => {
                self.callers[at].record.answered = now;
                self.tell(at, Input::Entered(own_ssrc(at)));
            }
            Event::Talk(at, burst) => match Speech::burst(burst) {
                Some(speech) => self.tell(at, Input::Talk(speech)),
                None => unreachable!("a plan names bursts that exist"),
            },
            Event::Down(at, channel, bytes) => self.tell(at, Input::Heard { channel, bytes: &bytes }),
            Event::Up(at, channel, bytes) => self.arrive(Slot(at as u32), channel, &bytes),
        }
    }

    /// What a worker does with a datagram on a bound leg.
    fn arrive(&mut self, slot: Slot, channel: Channel, bytes: &[u8]) {
        match channel {
            Channel::Media if rtp::is_rtcp(bytes) => self.tell_call(CallInput::Heard { slot }),
            Channel::Media => match rtp::Packet::parse(bytes) {
                Ok(packet) => self.tell_call(CallInput::Media { slot, packet }),
                Err(malformed) => unreachable!("a caller sends RTP: {malformed}"),
            },
            Channel::Floor => {
                for item in message::read(bytes) {
                    match item {
                        Ok(message::Item::Packet(packet)) => self.tell_call(CallInput::Floor { slot, packet }),
                        other => unreachable!("a caller sends floor messages: {other:?}"),
                    }
                }
            }
        }
    }

    fn tell(&mut self, at: usize, input: Input<'_>) {
        let now = self.now;
        let Some(caller) = self.callers.get_mut(at) else { return };
        caller.handset.handle(input, now);
        loop {
            let (channel, bytes) = match caller.handset.poll() {
                Output::Wake(_) => return,
                Output::Send(channel, bytes) => (channel, bytes),
                Output::Speak(bytes) => {
                    let packet = rtp::Packet::parse(&bytes).expect("a caller speaks RTP");
                    self.truth.speak(&caller.user, &packet, now);
                    (Channel::Media, bytes)
                }
                Output::Asks => {
                    self.truth.ask(now);
                    continue;
                }
                Output::Floor(holder) => {
                    self.truth.change(holder, now);
                    continue;
                }
                Output::Failed(how) => {
                    self.failure.get_or_insert(Failure::Talker { talker: at, how });
                    continue;
                }
            };
            caller.up_free = caller.up_free.max(now + caller.delay);
            self.queue.put(caller.up_free, Event::Up(at, channel, bytes));
        }
    }

    fn tell_call(&mut self, input: CallInput<'_>) {
        self.call.handle(input, self.now);
        loop {
            let now = self.now;
            let (callers, queue) = (&mut self.callers, &mut self.queue);
            let mut send = |at: usize, channel: Channel, bytes: &[u8]| {
                let Some(caller) = callers.get_mut(at) else { return };
                caller.down_free = caller.down_free.max(now + caller.delay);
                queue.put(caller.down_free, Event::Down(at, channel, bytes.to_vec()));
            };
            match self.call.poll() {
                CallOutput::Wake(wake) => {
                    self.call_wake = wake.map(|(at, _)| at);
                    return;
                }
                CallOutput::Floor { to, message } => send(at_address(to), Channel::Floor, message),
                CallOutput::Replay { to, orders, kept, .. } => {
                    for packet in orders.iter().filter_map(|order| kept.packet(*order)) {
                        send(at_address(to), Channel::Media, packet);
                    }
                }
                CallOutput::Distribute { packet, targets, .. } => {
                    for to in targets {
                        send(at_address(*to), Channel::Media, packet);
                    }
                }
                CallOutput::Entered { slot, facts, .. } => {
                    let Some(caller) = callers.get_mut(slot.index()) else { continue };
                    caller.record.answer = Ok(facts.into());
                    queue.put(now + caller.delay, Event::Answered(slot.index()));
                }
                CallOutput::Answer { .. } => {}
                CallOutput::Inactive | CallOutput::Expired { .. } => {
                    let how = "the call or a leg ended in the middle of the scenario".into();
                    self.failure.get_or_insert(Failure::Refused { what: "to go on".into(), how });
                }
                output => {
                    let how = format!("a call without trunks says {output:?}");
                    self.failure.get_or_insert(Failure::Refused { what: "to go on".into(), how });
                }
            }
        }
    }
}

impl Caller {
    fn new(user: Arc<str>, name: String, sequence: u16, talks: bool, acknowledges: bool) -> Caller {
        let record = Record {
            name,
            user: user.clone(),
            talks,
            acknowledges,
            asked: Time::ZERO,
            answered: Time::ZERO,
            resume: Vec::new(),
            answer: Err("no answer came".into()),
            capture: Vec::new(),
        };
        let handset = Handset::new(user.clone(), sequence, acknowledges);
        let (up_free, down_free) = (Time::ZERO, Time::ZERO);
        Caller { handset, user, record, delay: Millis(0), is_in: false, up_free, down_free }
    }

    fn participant(&self, at: usize) -> roster::Participant {
        let resume = self.record.resume.iter();
        let leg = roster::Leg { rtp: address(at, Channel::Media), floor: Some(address(at, Channel::Floor)) };
        roster::Participant {
            resume: resume
                .map(|point| relay_core::late_entry::ResumePoint { ssrc: Ssrc(point.ssrc), sequence: point.sequence })
                .collect(),
            expires: Some(Millis::from_secs(60)),
            ..roster::Participant::new(&self.user, &self.record.name, leg, own_ssrc(at))
        }
    }

    fn into_record(self) -> Record {
        Record { capture: self.handset.into_capture(), ..self.record }
    }
}

fn own_ssrc(at: usize) -> Ssrc {
    Ssrc(0x0a00_0000 + at as u32)
}

/// Addresses that name the caller: two ports each.
fn address(at: usize, channel: Channel) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1024 + 2 * at as u16 + u16::from(channel == Channel::Floor)))
}

fn at_address(address: SocketAddr) -> usize {
    usize::from(address.port() - 1024) / 2
}
