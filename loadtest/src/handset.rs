//! A synthetic caller without its sockets: the client's floor, a voice, and ears that keep everything.
//!
//! Pure, so that simulated and real callers are the same caller. `handle` takes datagrams, orders and time; `poll` gives
//! datagrams to send and what the talker knows of the floor, and last of all when to come back.

use std::{collections::VecDeque, sync::Arc};

use relay_core::{
    Millis, Ssrc, Time,
    floor::message::{Item, Message, Packet, SIZE_MAX, Source, read},
    rtp::{Header, PayloadType},
};

use crate::{
    capture::{Channel, Heard},
    client::{self, Client, Said, Told},
    speech::{FRAME_MS, FRAME_TICKS, PAYLOAD_TYPE, Speech},
    truth::Holder,
};

/// How often a caller shows that it is there.
const REPORT: Millis = Millis::from_secs(5);

/// RTCP receiver report without report blocks (RFC 3550 §6.4.2): version, packet type 201, one word after the first.
const RECEIVER_REPORT: [u8; 4] = [0x80, 201, 0, 1];

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram came.
    Heard {
        /// On which channel.
        channel: Channel,
        /// The datagram.
        bytes: &'a [u8],
    },
    /// The node's answer: this caller is in the call, under this SSRC.
    Entered(Ssrc),
    /// Ask for the floor, and say this once it is granted. While talking: say this instead, and if it is empty, give the
    /// floor back.
    Talk(Speech<'static>),
    /// Time has passed.
    Timer,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this.
    Send(Channel, Vec<u8>),
    /// Send this packet of speech on the media channel.
    Speak(Vec<u8>),
    /// The caller asks for the floor or gives it back; how that ends is not known yet.
    Asks,
    /// The floor is with this caller now, or no longer.
    Floor(Option<Holder>),
    /// The caller could not say what it was told to say.
    Failed(String),
    /// Nothing else is left to do until then.
    Wake(Option<Time>),
}

/// One synthetic caller.
#[derive(Debug)]
pub struct Handset {
    user: Arc<str>,
    /// Known once the node has answered; until then nothing can be said.
    ssrc: Option<Ssrc>,
    acknowledges: bool,
    client: Client,
    voice: Voice,
    report_due: Time,
    capture: Vec<Heard>,
    outputs: VecDeque<Output>,
}

/// What is being said, and the numbers that go on from burst to burst.
#[derive(Debug)]
struct Voice {
    sequence: u16,
    timestamp: u32,
    waiting: VecDeque<Vec<u8>>,
    /// When the next frame is due; `None`: not talking.
    due: Option<Time>,
    marker: bool,
}

impl Handset {
    /// A caller whose first packet has number `sequence`. One that does not acknowledge never sends Floor Ack.
    pub fn new(user: Arc<str>, sequence: u16, acknowledges: bool) -> Handset {
        let voice =
            Voice { sequence, timestamp: u32::from(sequence), waiting: VecDeque::new(), due: None, marker: true };
        let client = Client::new(client::Timers::default());
        let (capture, outputs) = (Vec::new(), VecDeque::new());
        Handset { user, ssrc: None, acknowledges, client, voice, report_due: Time::ZERO, capture, outputs }
    }

    /// Tells the caller what happened.
    pub fn handle(&mut self, input: Input<'_>, now: Time) {
        match input {
            Input::Heard { channel, bytes } => self.hear(channel, bytes, now),
            Input::Entered(ssrc) => self.ssrc = Some(ssrc),
            Input::Talk(speech) => {
                self.voice.waiting = speech.payloads().collect();
                self.client.handle(client::Input::Press, now);
            }
            Input::Timer => {
                self.client.handle(client::Input::Timer, now);
                self.talk(now);
                self.report(now);
            }
        }
        self.obey(now);
    }

    /// The next thing to do; `Wake` once nothing is left.
    pub fn poll(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        let client = self.client.due().map(|(due, _)| due);
        let report = self.ssrc.map(|_| self.report_due);
        Output::Wake(client.into_iter().chain(self.voice.due).chain(report).min())
    }

    /// Everything that reached it.
    pub fn into_capture(self) -> Vec<Heard> {
        self.capture
    }

    /// A client takes floor and media from the moment it asks to enter, before the answer is there.
    pub fn begin(&mut self, now: Time) {
        self.client.handle(client::Input::Enter { implicit: false }, now);
    }

    fn hear(&mut self, channel: Channel, bytes: &[u8], now: Time) {
        self.capture.push(Heard { at: now, channel, bytes: bytes.to_vec() });
        match channel {
            Channel::Media => self.client.handle(client::Input::Media, now),
            Channel::Floor => {
                for item in read(bytes) {
                    if let Ok(Item::Packet(packet)) = item {
                        self.client.handle(client::Input::Message(packet), now);
                    }
                }
            }
        }
    }

    /// Does what the client wants. Nothing can be said before the SSRC is known, so until then it waits inside the client.
    fn obey(&mut self, now: Time) {
        let Some(ssrc) = self.ssrc else { return };
        loop {
            match self.client.poll() {
                client::Output::Wake(_) => return,
                client::Output::Say(said) => self.say(ssrc, said),
                client::Output::Tell(told) => self.obey_told(ssrc, told, now),
            }
        }
    }

    fn say(&mut self, ssrc: Ssrc, said: Said) {
        let message = match said {
            Said::Acknowledge(_) if !self.acknowledges => return,
            Said::Acknowledge(acknowledged) => Message::Ack { source: Source::Participant, acknowledged },
            Said::AskPosition => Message::QueuePositionRequest,
            Said::Release(indicator) => Message::Release { indicator },
            Said::Request => {
                Message::Request { priority: None, indicator: None, functional_alias: None, location: None }
            }
        };
        if matches!(said, Said::Request | Said::Release(_)) {
            self.outputs.push_back(Output::Asks);
        }
        let mut datagram = vec![0; SIZE_MAX];
        let length = Packet { ssrc, acknowledge: false, message, track_info: None }.write(&mut datagram);
        datagram.truncate(length.expect("no message of a client holds a text"));
        self.outputs.push_back(Output::Send(Channel::Floor, datagram));
    }

    fn obey_told(&mut self, ssrc: Ssrc, told: Told, now: Time) {
        let output = match told {
            Told::Talk(granted) => {
                self.voice.due = Some(now);
                self.voice.marker = true;
                Output::Floor(Some(Holder { user: self.user.clone(), ssrc: granted.unwrap_or(ssrc) }))
            }
            Told::YourTurn => return self.client.handle(client::Input::Press, now),
            Told::Released => Output::Floor(None),
            Told::Stop => {
                self.voice.due = None;
                Output::Failed("the floor was taken away in mid-burst".into())
            }
            Told::Denied(cause) => Output::Failed(format!("the floor was denied, cause {cause}")),
            Told::Unanswered => Output::Failed("nobody answered the floor request".into()),
            Told::Talker(_) | Told::Idle | Told::Silence | Told::Queued(_) => return,
        };
        self.outputs.push_back(output);
    }

    /// Says every frame that is due, and lets go of the button behind the last.
    fn talk(&mut self, now: Time) {
        while let (Some(due), Some(ssrc)) = (self.voice.due.filter(|due| *due <= now), self.ssrc) {
            let Some(payload) = self.voice.waiting.pop_front() else {
                self.voice.due = None;
                return self.client.handle(client::Input::LetGo, now);
            };
            self.voice.due = Some(due + Millis(FRAME_MS));
            self.outputs.push_back(Output::Speak(self.voice.packet(ssrc, &payload)));
        }
    }

    fn report(&mut self, now: Time) {
        if let Some(ssrc) = self.ssrc.filter(|_| self.report_due <= now) {
            self.report_due = now + REPORT;
            let report = [RECEIVER_REPORT, ssrc.0.to_be_bytes()].concat();
            self.outputs.push_back(Output::Send(Channel::Media, report));
        }
    }
}

impl Voice {
    fn packet(&mut self, ssrc: Ssrc, payload: &[u8]) -> Vec<u8> {
        let header = Header {
            marker: std::mem::take(&mut self.marker),
            payload_type: PayloadType::try_from(PAYLOAD_TYPE).expect("96 has seven bits"),
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc,
        };
        let mut packet = vec![0; relay_core::rtp::HEADER_SIZE];
        header.write(&mut packet).expect("there is room for a header");
        packet.extend_from_slice(payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(FRAME_TICKS);
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use relay_core::rtp;

    fn granted(ssrc: Ssrc) -> Vec<u8> {
        let message = Message::Granted { duration_s: 30, priority: 0, indicator: None, audio_ssrc: Some(ssrc) };
        let mut bytes = vec![0; SIZE_MAX];
        let length = Packet { ssrc: Ssrc(1), acknowledge: true, message, track_info: None }.write(&mut bytes).unwrap();
        bytes.truncate(length);
        bytes
    }

    fn drain(handset: &mut Handset) -> (Vec<Output>, Option<Time>) {
        let mut outputs = Vec::new();
        loop {
            match handset.poll() {
                Output::Wake(wake) => return (outputs, wake),
                output => outputs.push(output),
            }
        }
    }

    #[test]
    fn a_talker_says_every_frame_at_its_time_and_gives_the_floor_back() {
        let own = Ssrc(7);
        let mut handset = Handset::new("sip:ana@a.example".into(), 65_500, true);
        let mut now = Time::ZERO;
        handset.begin(now);
        handset.handle(Input::Entered(own), now);
        handset.handle(Input::Talk(Speech::burst(2).unwrap()), now);
        assert!(matches!(drain(&mut handset).0[..], [Output::Asks, Output::Send(Channel::Floor, _)]));
        handset.handle(Input::Heard { channel: Channel::Floor, bytes: &granted(own) }, now);

        let mut spoken: Vec<(Time, Vec<u8>)> = Vec::new();
        let mut released = false;
        while !released {
            let (outputs, wake) = drain(&mut handset);
            for output in outputs {
                match output {
                    Output::Speak(bytes) => spoken.push((now, bytes)),
                    Output::Asks => released = true,
                    _ => {}
                }
            }
            now = wake.unwrap().max(now);
            handset.handle(Input::Timer, now);
        }
        assert_eq!(spoken.len(), Speech::burst(2).unwrap().frames());
        for (number, (at, bytes)) in spoken.iter().enumerate() {
            let packet = rtp::Packet::parse(bytes).unwrap();
            assert_eq!(at.as_micros(), number as u64 * 20_000);
            assert_eq!(packet.sequence(), 65_500u16.wrapping_add(number as u16));
            assert_eq!(packet.timestamp(), 65_500 + number as u32 * 320);
            assert_eq!((packet.ssrc(), packet.marker(), packet.payload().len()), (own, number == 0, 62));
        }
    }

    #[test]
    fn what_comes_before_the_answer_is_kept_and_acknowledged_after_it() {
        let mut handset = Handset::new("sip:eva@a.example".into(), 0, true);
        handset.begin(Time::ZERO);
        handset.handle(Input::Heard { channel: Channel::Floor, bytes: &granted(Ssrc(9)) }, Time::ZERO);
        assert!(drain(&mut handset).0.is_empty());
        handset.handle(Input::Entered(Ssrc(9)), Time::ZERO);
        let (outputs, _) = drain(&mut handset);
        assert!(matches!(outputs[..], [Output::Send(Channel::Floor, _)]), "{outputs:?}");
        assert_eq!(handset.into_capture().len(), 1);
    }
}
