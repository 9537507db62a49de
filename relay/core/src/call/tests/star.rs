//! One call in several systems: the home and its partners, each on a trunk of its own that delays, stalls, loses and breaks.

use alloc::boxed::Box;

use super::{
    span::{Spanning, TRUNK},
    *,
};
use crate::roster::{Attachment, Behind};

/// The home's place among the systems; partners follow.
pub(super) const HOME: usize = 0;

/// One trunk as the network treats it.
pub(super) struct Line {
    pub(super) up: bool,
    pub(super) delay: Millis,
    /// Frames, backfill and live packets take different ways: how much longer each is on its way.
    pub(super) late_frames: Millis,
    pub(super) late_backfill: Millis,
    pub(super) late_media: Millis,
    /// Which live packets, counted from 0, are lost.
    pub(super) loses: fn(u64) -> bool,
    packets: u64,
    /// When what went last in each direction on each way arrives: none of them changes an order.
    last: [Time; 6],
    pub(super) range: Option<Range>,
}

/// What is on its way: `None` is a heartbeat.
struct Carried {
    at: Time,
    partner: usize,
    up: bool,
    what: Option<Spanning>,
}

/// The systems and what lies between them.
pub(super) struct Star {
    pub(super) systems: Vec<World>,
    /// By partner; the home's own place is unused.
    pub(super) lines: Vec<Line>,
    wire: Vec<Carried>,
    pub(super) now: Time,
    beat: Time,
    /// Packets that crossed, from one system to another.
    pub(super) crossed: BTreeMap<(usize, usize), usize>,
    /// What control was told that it does not do here.
    pub(super) noted: Vec<(usize, Spanning)>,
    /// Whether the home's control leaves announcements unanswered, which then stand in `noted`.
    pub(super) slow_control: bool,
    next_slot: u32,
}

impl Star {
    pub(super) fn new(partners: usize, settings: Settings) -> Star {
        let world = |span| {
            let mut world = World::new(settings);
            world.call = Call::new(settings, Ssrc(0xcafe)).spanning(span);
            world.shared();
            world
        };
        let place = |at: usize| {
            let home = Home { trunk: TRUNK, group: "fire".into(), start: true };
            let home = (at != HOME).then_some(home);
            world(Span { flow: 10 * at as u32 + 10, generation: 1, range: Range::new(0), home })
        };
        let none: fn(u64) -> bool = |_| false;
        let line = |_| Line {
            up: false,
            delay: Millis(5),
            late_frames: Millis(0),
            late_backfill: Millis(0),
            late_media: Millis(0),
            loses: none,
            packets: 0,
            last: [Time::ZERO; 6],
            range: None,
        };
        Star {
            systems: (0..=partners).map(place).collect(),
            lines: (0..=partners).map(line).collect(),
            wire: Vec::new(),
            now: Time::ZERO,
            beat: Time::ZERO,
            crossed: BTreeMap::new(),
            noted: Vec::new(),
            slow_control: false,
            next_slot: 100,
        }
    }

    /// All partners subscribed, a participant of each system at slot 0: `at0`, `at1`, … on the ports 4000, 5000, ….
    pub(super) fn talking(partners: usize) -> Star {
        let mut star = Star::new(partners, settings());
        star.enter(HOME, 0, "sip:at0@a", 4000);
        for partner in 1..=partners {
            star.connect(partner);
        }
        star.run(50);
        for partner in 1..=partners {
            star.enter(partner, 0, &format!("sip:at{partner}@a"), 4000 + 1000 * partner as u16);
        }
        star.run(50);
        star
    }

    fn home_trunk(partner: usize) -> TrunkId {
        TrunkId(partner as u32)
    }

    /// Tells one system something now.
    pub(super) fn tell(&mut self, system: usize, input: Input<'_>) {
        self.systems[system].now = self.now;
        self.systems[system].tell(input);
        self.collect();
    }

    pub(super) fn arrive(&mut self, system: usize, partner: usize, what: FromTrunk<'_>) {
        let from = if system == HOME { Star::home_trunk(partner) } else { TRUNK };
        self.tell(system, Input::Trunk { from, what });
    }

    pub(super) fn connect(&mut self, partner: usize) {
        self.lines[partner].up = true;
        self.arrive(HOME, partner, FromTrunk::Up);
        self.arrive(partner, partner, FromTrunk::Up);
    }

    /// The trunk breaks: what is on its way is lost, both relays hear of it, the home's control takes out who is behind it.
    pub(super) fn cut(&mut self, partner: usize) {
        self.silence(partner);
        self.arrive(HOME, partner, FromTrunk::Lost);
        self.arrive(partner, partner, FromTrunk::Lost);
        if self.slow_control {
            return;
        }
        let trunk = Star::home_trunk(partner);
        let behind = |seat: &Option<Box<Seat>>| {
            seat.as_deref().and_then(|seat| seat.who.leg.behind()).is_some_and(|behind| behind.trunk == trunk)
        };
        let gone: Vec<usize> =
            (0..self.systems[HOME].call.seats.len()).filter(|at| behind(&self.systems[HOME].call.seats[*at])).collect();
        gone.into_iter().for_each(|slot| self.leave(HOME, slot as u32));
    }

    /// Nothing crosses any more, and nobody says so.
    pub(super) fn silence(&mut self, partner: usize) {
        self.lines[partner].up = false;
        self.lines[partner].last = [Time::ZERO; 6];
        self.wire.retain(|carried| carried.partner != partner);
    }

    pub(super) fn run(&mut self, ms: u32) {
        let until = self.now + Millis(ms);
        loop {
            let next = self.wire.iter().map(|carried| carried.at).min();
            let wakes = self.systems.iter().filter_map(|world| world.wake).min();
            let at = [next, wakes, Some(self.beat)].into_iter().flatten().min().filter(|at| *at <= until);
            let Some(at) = at else { break };
            self.now = self.now.max(at);
            if self.beat <= self.now {
                self.beat = self.now + Millis(1_000);
                for partner in 1..self.lines.len() {
                    self.carry(partner, true, None);
                    self.carry(partner, false, None);
                }
            }
            let now = self.now;
            self.systems.iter_mut().for_each(|world| world.run_until(now));
            self.collect();
            while let Some(at) = self.wire.iter().position(|carried| carried.at <= self.now) {
                let carried = self.wire.remove(at);
                self.deliver(carried);
            }
        }
        self.now = until;
        self.systems.iter_mut().for_each(|world| world.run_until(until));
        self.collect();
    }

    fn carry(&mut self, partner: usize, up: bool, what: Option<Spanning>) {
        let line = &mut self.lines[partner];
        if !line.up {
            return;
        }
        let (way, late) = match &what {
            Some(Spanning::Forward(_)) => {
                line.packets += 1;
                if (line.loses)(line.packets - 1) {
                    return;
                }
                (0, line.late_media)
            }
            Some(Spanning::Backfill(..)) => (2, line.late_backfill),
            _ => (4, line.late_frames),
        };
        let last = &mut line.last[way + usize::from(up)];
        *last = (self.now + line.delay + late).max(*last);
        self.wire.push(Carried { at: *last, partner, up, what });
        // Whoever is due first comes first; what is due together keeps its order.
        self.wire.sort_by_key(|carried| carried.at);
    }

    /// Takes what the systems say, and plays control for them.
    pub(super) fn collect(&mut self) {
        loop {
            let said = (0..self.systems.len()).find(|at| !self.systems[*at].spanning.is_empty());
            let Some(system) = said else { return };
            let (trunk, said) = self.systems[system].spanning.remove(0);
            self.follow(system, trunk, said);
        }
    }

    fn follow(&mut self, system: usize, trunk: TrunkId, said: Spanning) {
        let partner = if system == HOME { trunk.0 as usize } else { system };
        match said {
            Spanning::Frame(_) | Spanning::Forward(_) | Spanning::Backfill(..) => {
                if let Spanning::Forward(_) = said {
                    let to = if system == HOME { partner } else { HOME };
                    *self.crossed.entry((system, to)).or_default() += 1;
                }
                self.carry(partner, system != HOME, Some(said));
            }
            Spanning::Announced(_) if self.slow_control => self.noted.push((partner, said)),
            Spanning::Announced(announced) => self.admit(partner, &announced),
            Spanning::Departed(reference) => {
                let behind = self.systems[HOME].call.behind.get(&(trunk, reference)).copied();
                match behind {
                    Some(slot) => self.leave(HOME, slot.0),
                    None => self.noted.push((partner, said)),
                }
            }
            Spanning::Ready(range) => self.lines[partner].range = Some(range),
            Spanning::Expelled(slot) => {
                self.noted.push((system, said));
                self.leave(system, slot.0);
            }
            said => self.noted.push((system, said)),
        }
    }

    /// The home's control lets an announced participant in.
    pub(super) fn admit(&mut self, partner: usize, announced: &Announced) {
        let behind = Behind { trunk: Star::home_trunk(partner), reference: announced.reference };
        let who = Participant {
            priority: announced.priority,
            queueing: announced.queueing,
            leg: Attachment::Trunk(behind),
            ..Participant::new(&announced.user, &announced.client, leg(1), announced.audio_ssrc)
        };
        self.next_slot += 1;
        self.systems[HOME].now = self.now;
        self.systems[HOME].enter(self.next_slot, who);
        self.collect();
    }

    fn deliver(&mut self, carried: Carried) {
        let Carried { partner, up, what, .. } = carried;
        let system = if up { HOME } else { partner };
        let Some(what) = what else { return self.arrive(system, partner, FromTrunk::Heard) };
        match what {
            Spanning::Frame(frame) => match frame.what.expect("a frame says something") {
                wire::frame::What::Floor(floor) => {
                    let Some(Ok(message::Item::Packet(packet))) = message::read(&floor.message).next() else {
                        panic!("no floor message");
                    };
                    let what = FromTrunk::Floor { packet, holder: floor.holder, talker: &floor.talker };
                    self.arrive(system, partner, what);
                }
                what => self.arrive(system, partner, FromTrunk::Frame(what)),
            },
            Spanning::Forward(bytes) => {
                let packet = rtp::Packet::parse(&bytes).expect("a packet");
                self.arrive(system, partner, FromTrunk::Media(packet));
            }
            Spanning::Backfill(packets, done) => {
                for bytes in &packets {
                    let packet = rtp::Packet::parse(bytes).expect("a packet");
                    self.arrive(system, partner, FromTrunk::Backfill(Some(packet)));
                }
                if done {
                    self.arrive(system, partner, FromTrunk::Backfill(None));
                }
            }
            said => panic!("this does not cross: {said:?}"),
        }
    }

    /// What a participant on this port speaks under.
    pub(super) fn ssrc(&self, system: usize, port: u16) -> u32 {
        match system {
            HOME => port.into(),
            partner => self.lines[partner].range.expect("the partner is ready").at(port.into()).0,
        }
    }

    pub(super) fn who(&self, system: usize, user: &str, port: u16) -> Participant {
        Participant { audio_ssrc: Ssrc(self.ssrc(system, port)), ..participant(user, port) }
    }

    pub(super) fn enter(&mut self, system: usize, slot: u32, user: &str, port: u16) {
        let who = self.who(system, user, port);
        self.enter_as(system, slot, who);
    }

    pub(super) fn enter_as(&mut self, system: usize, slot: u32, who: Participant) {
        self.systems[system].now = self.now;
        self.systems[system].enter(slot, who);
        self.collect();
    }

    pub(super) fn leave(&mut self, system: usize, slot: u32) {
        self.tell(system, Input::Leave { slot: Slot(slot) });
    }

    pub(super) fn floor(&mut self, system: usize, slot: u32, message: message::Message<'_>) {
        let packet = message::Packet { ssrc: Ssrc(0), acknowledge: false, message, track_info: None };
        self.tell(system, Input::Floor { slot: Slot(slot), packet });
    }

    pub(super) fn request(&mut self, system: usize, slot: u32, priority: u8) {
        let priority = Some(priority);
        let message = message::Message::Request { priority, indicator: None, functional_alias: None, location: None };
        self.floor(system, slot, message);
    }

    pub(super) fn release(&mut self, system: usize, slot: u32) {
        self.floor(system, slot, message::Message::Release { indicator: None });
    }

    pub(super) fn media(&mut self, system: usize, slot: u32, ssrc: u32, sequence: u16) {
        let bytes = rtp_bytes(ssrc, sequence);
        self.tell(system, Input::Media { slot: Slot(slot), packet: rtp::Packet::parse(&bytes).expect("a packet") });
    }

    /// A packet every 20 ms.
    pub(super) fn talk(&mut self, system: usize, slot: u32, ssrc: u32, sequences: core::ops::Range<u16>) {
        for sequence in sequences {
            self.media(system, slot, ssrc, sequence);
            self.run(20);
        }
    }

    pub(super) fn heard(&self, system: usize, port: u16) -> Vec<(u32, u16)> {
        self.systems[system].heard(port)
    }

    pub(super) fn told(&self, system: usize, port: u16) -> Vec<String> {
        self.systems[system].told(port)
    }

    /// What a participant was told last.
    pub(super) fn last(&self, system: usize, port: u16) -> String {
        self.told(system, port).pop().unwrap_or_default()
    }

    pub(super) fn dropped(&self, system: usize, cause: media::Drop) -> u64 {
        self.systems[system].call.counters().dropped[cause.index()]
    }

    /// What control of a system was told that is an Expel, a refusal or a loss.
    pub(super) fn noted_at(&self, system: usize) -> Vec<String> {
        let noted = self.noted.iter().filter(|noted| noted.0 == system);
        noted.map(|(_, said)| format!("{said:?}")).collect()
    }
}

pub(super) fn numbers(ssrc: u32, range: core::ops::Range<u16>) -> Vec<(u32, u16)> {
    range.map(|sequence| (ssrc, sequence)).collect()
}
