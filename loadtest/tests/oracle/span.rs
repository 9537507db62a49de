//! Two calls with a trunk between them that carries at once what either says; every floor message that crosses is kept.

use std::{collections::VecDeque, net::SocketAddr};

use relay_core::{
    Millis, Slot, Ssrc, Time, TrunkId,
    call::{Call, FromTrunk, Home, Input, Output, Settings, Span},
    floor::{
        self,
        message::{self, Message, Packet},
    },
    roster::{Attachment, Behind, Leg, Participant},
    trunk::{
        Range,
        wire::{self, frame::What},
    },
};

const TRUNK: TrunkId = TrunkId(0);

/// What the two systems write into floor messages of their own.
pub(crate) const HOME: Ssrc = Ssrc(0x0a0a_0a0a);
const PARTNER: Ssrc = Ssrc(0x0b0b_0b0b);

/// A call at the home of its group, and the same call in a partner.
pub(crate) struct Pair {
    home: Call<SocketAddr>,
    partner: Call<SocketAddr>,
    now: Time,
    entries: u32,
    range: Option<Range>,
    wire: VecDeque<(bool, wire::Frame)>,
    /// Floor messages as they crossed, in order; true: towards the home.
    pub(crate) crossed: Vec<(bool, Vec<u8>)>,
}

impl Pair {
    /// Nobody takes part yet; the trunk stands and the partner has subscribed.
    pub(crate) fn new() -> Pair {
        let settings = Settings {
            floor: floor::settings::Settings::default(),
            retention: Millis(10_000),
            entry: Millis(200),
            packets_per_s: 200,
            bytes_per_s: 65_536,
            privacy: false,
        };
        let span = |flow, home| Span { flow, generation: 1, range: Range::new(0), home };
        let home = Home { trunk: TRUNK, group: "sip:fire-1@a.example".into(), start: true };
        let mut pair = Pair {
            home: Call::new(settings, HOME).spanning(span(1, None)),
            partner: Call::new(settings, PARTNER).spanning(span(2, Some(home))),
            now: Time::ZERO,
            entries: 0,
            range: None,
            wire: VecDeque::new(),
            crossed: Vec::new(),
        };
        pair.tell(true, Input::Trunk { from: TRUNK, what: FromTrunk::Up });
        pair.tell(false, Input::Trunk { from: TRUNK, what: FromTrunk::Up });
        pair
    }

    /// Brings a participant in, and answers where it sits and its SSRC. One of the partner's has an SSRC of the partner's range.
    pub(crate) fn enter(&mut self, at_home: bool, user: &str, queueing: bool, priority: u8) -> (Slot, Ssrc) {
        let place = self.entries + 1;
        let range = if at_home { Range::new(0) } else { self.range.expect("the home has answered") };
        let port = 40_000 + 4 * place as u16;
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let leg = Leg { rtp: address(port), floor: Some(address(port + 1)) };
        let who = Participant { queueing, priority, ..Participant::new(user, "radio", leg, range.at(place)) };
        let ssrc = who.audio_ssrc;
        (self.admit(at_home, who), ssrc)
    }

    /// A participant says something on its own leg.
    pub(crate) fn say(&mut self, at_home: bool, (slot, ssrc): (Slot, Ssrc), message: Message<'_>) {
        let packet = Packet { ssrc, acknowledge: false, message, track_info: None };
        self.tell(at_home, Input::Floor { slot, packet });
    }

    fn admit(&mut self, at_home: bool, participant: Participant) -> Slot {
        self.entries += 1;
        let slot = Slot(self.entries);
        self.tell(at_home, Input::Enter { slot, entry: self.entries.into(), participant });
        slot
    }

    fn tell(&mut self, home: bool, input: Input<'_>) {
        self.now = self.now + Millis(1);
        let call = if home { &mut self.home } else { &mut self.partner };
        call.handle(input, self.now);
        self.follow(home);
        while let Some((to_home, frame)) = self.wire.pop_front() {
            self.arrive(to_home, frame);
        }
    }

    /// Does what one of the two calls says, and plays control for it.
    fn follow(&mut self, home: bool) {
        let mut announced = Vec::new();
        let call = if home { &mut self.home } else { &mut self.partner };
        loop {
            match call.poll() {
                Output::Frame { frame, .. } => self.wire.push_back((!home, *frame)),
                Output::Announced { announced: who, .. } => announced.push(who),
                Output::Ready { range } => self.range = Some(range),
                Output::Refused { cause } | Output::Expelled { cause, .. } => panic!("refused: {cause}"),
                Output::Wake(_) => break,
                _ => {}
            }
        }
        for who in announced {
            let leg = Attachment::Trunk(Behind { trunk: TRUNK, reference: who.reference });
            let entered = Participant::new(&who.user, &who.client, leg, who.audio_ssrc);
            self.admit(home, Participant { queueing: who.queueing, priority: who.priority, ..entered });
        }
    }

    fn arrive(&mut self, to_home: bool, frame: wire::Frame) {
        match frame.what.expect("a frame says something") {
            What::Floor(floor) => {
                self.crossed.push((to_home, floor.message.clone()));
                let Some(Ok(message::Item::Packet(packet))) = message::read(&floor.message).next() else {
                    panic!("this is no floor message: {:02x?}", floor.message);
                };
                let what = FromTrunk::Floor { packet, holder: floor.holder, talker: &floor.talker };
                self.tell(to_home, Input::Trunk { from: TRUNK, what });
            }
            what => self.tell(to_home, Input::Trunk { from: TRUNK, what: FromTrunk::Frame(what) }),
        }
    }
}
