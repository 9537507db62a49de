//! The ears of a client: one leg, the calls that it is in, and everything that came.
//!
//! It runs as a task of its own, so that nothing that comes while the client asks its nodes is heard late.

use std::{collections::BTreeMap, net::SocketAddr};

use relay_core::{
    Millis, Ssrc, Time,
    floor::message::Message,
    rtp::{self, Extender, Sequence},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::record::floor_ssrc;
use crate::{
    answer::{Answer, ResumePoint},
    caller::Ground,
    capture::{Channel, Heard},
    handset::{Handset, Input, Output},
    leg::Leg,
    speech::Speech,
    world::Failure,
};

/// Orders that may wait: a client gives one after the other.
const ORDERS: usize = 8;

/// The last packets that were heard of a group: per SSRC its number, and when it came.
pub type Points = BTreeMap<u32, (u64, Time)>;

/// A leg that listens, and what to tell it.
#[derive(Debug)]
pub struct Ear {
    address: SocketAddr,
    orders: mpsc::Sender<Order>,
    task: JoinHandle<Result<Hearing, Failure>>,
}

#[derive(Debug)]
enum Order {
    Entered { group: usize, user: String, ground: Ground, answer: Box<Answer> },
    Say { group: usize, speech: Speech<'static> },
    Points { group: usize, reply: oneshot::Sender<Points> },
}

/// What an ear has gone through.
#[derive(Debug)]
pub struct Heeded {
    /// Every datagram, in order.
    pub capture: Vec<Heard>,
    /// What the user could not say, and why.
    pub failed: Option<String>,
}

/// The task behind an ear.
#[derive(Debug)]
struct Hearing {
    clock: Ground,
    leg: Leg,
    calls: Vec<Call>,
    capture: Vec<Heard>,
    /// What came before the call was known that it belongs to, by place in the capture.
    unclaimed: Vec<usize>,
    heard: BTreeMap<Ssrc, (u16, Time)>,
    failed: Option<String>,
}

/// A call on this leg.
#[derive(Debug)]
struct Call {
    group: usize,
    user: std::sync::Arc<str>,
    ground: Ground,
    floor_ssrc: Ssrc,
    to_media: SocketAddr,
    to_floor: Option<SocketAddr>,
    handset: Handset,
    /// Who is heard in this call, with a number near the packets that come.
    voices: BTreeMap<Ssrc, Option<Sequence>>,
}

impl Ear {
    /// Opens a leg on loopback: media and floor control on one port, which keeps their order.
    pub fn open(clock: &Ground) -> Result<Ear, Failure> {
        let system = |source| Failure::System { what: "sockets of a client", source };
        let leg = Leg::open(true).map_err(system)?;
        let address = leg.rtp().map_err(system)?;
        let (orders, inbox) = mpsc::channel(ORDERS);
        let hearing = Hearing {
            clock: clock.clone(),
            leg,
            calls: Vec::new(),
            capture: Vec::new(),
            unclaimed: Vec::new(),
            heard: BTreeMap::new(),
            failed: None,
        };
        Ok(Ear { address, orders, task: tokio::spawn(hearing.run(inbox)) })
    }

    /// Where media and floor control come in.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The client is in the call of a group: from here on it answers there.
    pub async fn enter(&self, group: usize, user: &str, ground: &Ground, answer: &Answer) {
        let (ground, answer) = (ground.clone(), Box::new(answer.clone()));
        self.tell(Order::Entered { group, user: user.into(), ground, answer }).await;
    }

    /// Asks for the floor of a group, and says this. What becomes of it stands in [`Heeded`] and in the truth of the call.
    pub async fn say(&self, group: usize, speech: Speech<'static>) {
        self.tell(Order::Say { group, speech }).await;
    }

    /// What was heard last in the call of a group.
    pub async fn points(&self, group: usize) -> Points {
        let (reply, points) = oneshot::channel();
        self.tell(Order::Points { group, reply }).await;
        points.await.unwrap_or_default()
    }

    /// Stops listening.
    pub async fn close(self) -> Result<Heeded, Failure> {
        drop(self.orders);
        let ended = self.task.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        Ok(Heeded { capture: ended.capture, failed: ended.failed })
    }

    async fn tell(&self, order: Order) {
        // An ear that has ended has a reason, which closing it tells.
        let _ = self.orders.send(order).await;
    }
}

impl Hearing {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) -> Result<Hearing, Failure> {
        loop {
            let wake = self.obey()?;
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(order) => self.follow(order),
                    None => return Ok(self),
                },
                () = sleep_until(&self.clock, wake) => {
                    let now = self.clock.now();
                    self.calls.iter_mut().for_each(|call| call.handset.handle(Input::Timer, now));
                }
                heard = self.leg.hear() => {
                    let (channel, bytes) = heard.map_err(|source| Failure::System { what: "receiving", source })?;
                    self.hear(channel, bytes);
                }
            }
        }
    }

    fn follow(&mut self, order: Order) {
        let now = self.clock.now();
        match order {
            Order::Entered { group, user, ground, answer } => match Call::new(group, user, ground, &answer, now) {
                Ok(call) => {
                    self.calls.push(call);
                    self.claim();
                }
                Err(how) => drop(self.failed.get_or_insert(how)),
            },
            Order::Say { group, speech } => match self.calls.iter_mut().find(|call| call.group == group) {
                Some(call) => call.handset.handle(Input::Talk(speech), now),
                None => drop(self.failed.get_or_insert("it is not in the call that it should talk in".into())),
            },
            Order::Points { group, reply } => {
                let calls = self.calls.iter().filter(|call| call.group == group);
                let points = calls.flat_map(|call| call.points(&self.heard)).collect();
                // Who no longer waits for them no longer wants them.
                let _ = reply.send(points);
            }
        }
    }

    fn hear(&mut self, channel: Channel, bytes: Vec<u8>) {
        let now = self.clock.now();
        if channel == Channel::Media
            && let Ok(packet) = rtp::Packet::parse(&bytes)
        {
            let newest = self.heard.entry(packet.ssrc()).or_insert((packet.sequence(), now));
            // Serial arithmetic: a packet from behind changes nothing.
            if packet.sequence().wrapping_sub(newest.0) < 0x8000 {
                *newest = (packet.sequence(), now);
            }
        }
        self.capture.push(Heard { at: now, channel, bytes });
        if channel == Channel::Floor {
            self.unclaimed.push(self.capture.len() - 1);
            self.claim();
        }
    }

    /// Gives floor messages to the calls that they belong to.
    fn claim(&mut self) {
        let (calls, capture) = (&mut self.calls, &self.capture);
        self.unclaimed.retain(|place| {
            let Some(heard) = capture.get(*place) else { return false };
            let call = calls.iter_mut().find(|call| floor_ssrc(&heard.bytes) == Some(call.floor_ssrc));
            call.map(|call| call.hear(heard)).is_none()
        });
    }

    /// Does what the handsets want; when the first of them wants to be looked at again.
    fn obey(&mut self) -> Result<Option<Time>, Failure> {
        let now = self.clock.now();
        let mut wakes = Vec::new();
        for call in &mut self.calls {
            loop {
                let (channel, bytes) = match call.handset.poll() {
                    Output::Wake(wake) => break wakes.extend(wake),
                    Output::Send(channel, bytes) => (channel, bytes),
                    Output::Speak(bytes) => {
                        let packet = rtp::Packet::parse(&bytes).expect("a handset speaks RTP");
                        call.ground.with_truth(|truth| truth.speak(&call.user, &packet, now));
                        (Channel::Media, bytes)
                    }
                    Output::Asks => {
                        call.ground.with_truth(|truth| truth.ask(now));
                        continue;
                    }
                    Output::Floor(holder) => {
                        call.ground.with_truth(|truth| truth.change(holder, now));
                        continue;
                    }
                    Output::Failed(how) => {
                        self.failed.get_or_insert(how);
                        continue;
                    }
                };
                let to = if channel == Channel::Media { Some(call.to_media) } else { call.to_floor };
                if let Some(to) = to {
                    let sent = self.leg.send_to(channel, &bytes, to);
                    sent.map_err(|source| Failure::System { what: "sending", source })?;
                }
            }
        }
        Ok(wakes.into_iter().min())
    }
}

impl Call {
    fn new(group: usize, user: String, ground: Ground, answer: &Answer, now: Time) -> Result<Call, String> {
        let address =
            |text: &str| text.parse::<SocketAddr>().map_err(|error| format!("unreadable address {text}: {error}"));
        let user: std::sync::Arc<str> = user.into();
        let mut handset = Handset::new(user.clone(), 0, true);
        handset.begin(now);
        handset.handle(Input::Entered(Ssrc(answer.leg.audio_ssrc)), now);
        Ok(Call {
            group,
            user,
            ground,
            floor_ssrc: Ssrc(answer.leg.floor_ssrc),
            to_media: address(&answer.leg.rtp)?,
            to_floor: answer.leg.floor.as_deref().map(address).transpose()?,
            handset,
            voices: voices_of(answer),
        })
    }

    fn hear(&mut self, heard: &Heard) {
        for packet in heard.messages() {
            if let Message::Taken { audio_ssrc: Some(ssrc), .. } = packet.message {
                self.voices.entry(ssrc).or_insert(None);
            }
        }
        self.handset.handle(Input::Heard { channel: Channel::Floor, bytes: &heard.bytes }, heard.at);
    }

    fn points(&self, heard: &BTreeMap<Ssrc, (u16, Time)>) -> Points {
        let point = |(ssrc, near): (&Ssrc, &Option<Sequence>)| {
            let (low16, at) = *heard.get(ssrc)?;
            // A voice that began while the client was in counts from its first packet; there the low bits say it all.
            let number = near.map_or(Sequence(low16.into()), |near| Extender::resume(near).extend(low16));
            Some((ssrc.0, (number.0, at)))
        };
        self.voices.iter().filter_map(point).collect()
    }
}

/// The voices that an answer tells of.
fn voices_of(answer: &Answer) -> BTreeMap<Ssrc, Option<Sequence>> {
    let late = &answer.late_entry;
    let talker = late.floor.audio_ssrc.map(|ssrc| (Ssrc(ssrc), None));
    let retained = late.media.iter().map(|media| (Ssrc(media.ssrc), Some(Sequence(media.sequence))));
    talker.into_iter().chain(retained).collect()
}

/// The resume points of what was heard within the last `retention`.
pub fn resume(points: &Points, retention: Millis, now: Time) -> Vec<ResumePoint> {
    let fresh = points.iter().filter(|(_, (_, at))| *at + retention >= now);
    fresh.map(|(ssrc, (sequence, _))| ResumePoint { ssrc: *ssrc, sequence: *sequence }).collect()
}

async fn sleep_until(clock: &Ground, wake: Option<Time>) {
    match wake {
        Some(wake) => clock.sleep_until(wake).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Floor, LateEntry, Leg as Side, Media};
    use relay_core::floor::message::{Packet, SIZE_MAX};
    use std::net::UdpSocket;

    fn answer(node: &UdpSocket, audio_ssrc: u32, floor_ssrc: u32, voice: u32) -> Answer {
        let address = node.local_addr().unwrap().to_string();
        let leg = Side { rtp: address.clone(), floor: Some(address), audio_ssrc, floor_ssrc };
        let retained = Media { ssrc: voice, sequence: 70_000, rollover: Some(1), resumed_from: None, missed: None };
        let late_entry = LateEntry { floor: Floor::default(), media: vec![retained] };
        Answer { call: "c".into(), participant: "p".into(), leg, late_entry }
    }

    fn media(ssrc: u32, sequence: u16) -> Vec<u8> {
        let mut bytes = vec![0x80, 96];
        bytes.extend(sequence.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(ssrc.to_be_bytes());
        bytes
    }

    fn idle(floor_ssrc: u32) -> Vec<u8> {
        let message = Message::Idle { message_sequence_number: 1, indicator: None };
        let mut bytes = vec![0; SIZE_MAX];
        let length =
            Packet { ssrc: Ssrc(floor_ssrc), acknowledge: true, message, track_info: None }.write(&mut bytes).unwrap();
        bytes.truncate(length);
        bytes
    }

    #[tokio::test]
    async fn one_leg_answers_in_each_of_its_calls_and_knows_their_voices_apart() {
        let node = UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
        let clock = Ground::begin();
        let ear = Ear::open(&clock).unwrap();
        // The floor of the second call comes before its answer does.
        node.send_to(&idle(22), ear.address()).unwrap();
        for (ssrc, sequence) in [(7, 4462u16), (7, 4464), (7, 4463), (8, 4500)] {
            node.send_to(&media(ssrc, sequence), ear.address()).unwrap();
        }
        node.send_to(&idle(11), ear.address()).unwrap();
        ear.enter(0, "sip:eva@a.example", &clock.beside(), &answer(&node, 101, 11, 7)).await;
        ear.enter(1, "sip:eva@b.example", &clock.beside(), &answer(&node, 102, 22, 8)).await;
        let mut acknowledged = Vec::new();
        node.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        // Each call is acknowledged and reported to under its own SSRC.
        let received = tokio::task::spawn_blocking(move || {
            while acknowledged.len() < 2 {
                let mut bytes = [0; 1500];
                let length = node.recv(&mut bytes).unwrap();
                let heard = Heard { at: Time::ZERO, channel: Channel::Floor, bytes: bytes[..length].to_vec() };
                acknowledged.extend(heard.messages().map(|packet| packet.ssrc.0));
            }
            acknowledged.sort_unstable();
            acknowledged
        });
        assert_eq!(received.await.unwrap(), [101, 102]);
        let numbers = |points: Points| points.into_iter().map(|(ssrc, (number, _))| (ssrc, number)).collect::<Vec<_>>();
        assert_eq!(numbers(ear.points(0).await), [(7, 65_536 + 4464)], "near 70,000, and not the one from behind");
        assert_eq!(numbers(ear.points(1).await), [(8, 65_536 + 4500)]);
        let heeded = ear.close().await.unwrap();
        assert_eq!((heeded.capture.len(), heeded.failed), (6, None));
    }

    #[test]
    fn what_was_heard_too_long_ago_is_not_named() {
        let at = |ms| Time::ZERO + Millis(ms);
        let points = Points::from([(7, (70_000, at(1000))), (8, (5, at(999)))]);
        assert_eq!(resume(&points, Millis(10_000), at(11_000)), [ResumePoint { ssrc: 7, sequence: 70_000 }]);
    }
}
