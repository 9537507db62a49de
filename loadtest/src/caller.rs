//! A caller on real sockets: it drives a handset, and decides nothing itself.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use relay_core::{Ssrc, Time, rtp};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    answer::{Answer, ResumePoint},
    capture::Channel,
    contract::Record,
    handset::{Handset, Input, Output},
    http::Api,
    leg::Leg,
    speech::Speech,
    truth::Truth,
    world::Failure,
};

/// What all callers of a run share: the clock, and what was really said.
#[derive(Clone, Debug)]
pub struct Ground {
    origin: Instant,
    truth: Arc<Mutex<Truth>>,
}

/// One caller.
#[derive(Debug)]
pub struct Caller {
    ground: Ground,
    api: Api,
    leg: Leg,
    handset: Handset,
    record: Record,
    /// What it could not do.
    failed: Option<String>,
}

/// Who a caller is.
#[derive(Clone, Debug)]
pub struct Who {
    /// Its user.
    pub user: Arc<str>,
    /// Its client, and what the report calls it.
    pub name: String,
    /// Number of its first packet.
    pub sequence: u16,
    /// Whether it will talk.
    pub talks: bool,
    /// Whether it answers with Floor Ack.
    pub acknowledges: bool,
    /// Whether both channels share one port.
    pub one_port: bool,
}

impl Ground {
    /// The clock starts now; nothing was said.
    pub fn begin() -> Ground {
        Ground { origin: Instant::now(), truth: Arc::default() }
    }

    /// Another call on the same clock; nothing was said in it.
    pub fn beside(&self) -> Ground {
        Ground { origin: self.origin, truth: Arc::default() }
    }

    /// Now, on the clock of the run.
    pub fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// Waits until `at`.
    pub async fn sleep_until(&self, at: Time) {
        tokio::time::sleep_until((self.origin + Duration::from_micros(at.as_micros())).into()).await;
    }

    /// What was really said. A caller that panicked has left it whole: each change of it is one call.
    pub fn with_truth<T>(&self, look: impl FnOnce(&mut Truth) -> T) -> T {
        look(&mut self.truth.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Caller {
    /// Opens the sockets and the connection to the node, so that entering costs one round trip.
    pub async fn open(ground: Ground, url: &str, who: Who) -> Result<Caller, Failure> {
        let system = |source| Failure::System { what: "sockets of a caller", source };
        let leg = Leg::open(who.one_port).map_err(system)?;
        let api = Api::new(url);
        let refused =
            |error: crate::http::Failure| Failure::Refused { what: "to greet".into(), how: error.to_string() };
        api.greet().await.map_err(refused)?;
        let record = Record {
            name: who.name,
            user: who.user.clone(),
            talks: who.talks,
            acknowledges: who.acknowledges,
            asked: Time::ZERO,
            answered: Time::ZERO,
            resume: Vec::new(),
            answer: Err("it never asked".into()),
            capture: Vec::new(),
        };
        let handset = Handset::new(who.user, who.sequence, who.acknowledges);
        Ok(Caller { ground, api, leg, handset, record, failed: None })
    }

    /// Asks to enter, by a POST to `path`, and takes what comes while the answer is on its way. A refusal is kept for the
    /// judge. The call, if it was let in.
    pub async fn enter(&mut self, path: &str, resume: Vec<ResumePoint>) -> Result<Option<String>, Failure> {
        let system = |source| Failure::System { what: "address of a caller", source };
        let (rtp, floor) = (self.leg.rtp().map_err(system)?, self.leg.floor().map_err(system)?);
        let mut body = json!({
            "user": &*self.record.user,
            "client": self.record.name,
            "leg": {"udp": {"rtp": rtp.to_string(), "floor": floor.to_string()}},
        });
        if !resume.is_empty() {
            body["resume"] = json!(resume);
        }
        self.record.resume = resume;
        self.record.asked = self.ground.now();
        self.handset.begin(self.record.asked);
        let api = self.api.clone();
        let mut answer = std::pin::pin!(api.post(path, &body));
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut answer => break answer,
                heard = self.leg.hear() => self.hear(heard)?,
            }
        };
        self.record.answered = self.ground.now();
        self.take_answer(answer.map_err(|error| error.to_string()))
    }

    /// Stays until `until`, and says what it is told to say.
    pub async fn stay(&mut self, mut orders: mpsc::Receiver<Speech<'static>>, until: Time) -> Result<(), Failure> {
        let mut is_open = true;
        loop {
            let wake = self.obey()?.map_or(until, |wake| wake.min(until));
            tokio::select! {
                biased;
                () = self.ground.sleep_until(wake) => {
                    if self.ground.now() >= until {
                        return Ok(());
                    }
                    self.handset.handle(Input::Timer, self.ground.now());
                }
                order = orders.recv(), if is_open => match order {
                    Some(speech) => self.handset.handle(Input::Talk(speech), self.ground.now()),
                    None => is_open = false,
                },
                heard = self.leg.hear() => self.hear(heard)?,
            }
        }
    }

    /// What it went through; what it could not do, if there is something.
    pub fn into_record(self) -> (Record, Option<String>) {
        (Record { capture: self.handset.into_capture(), ..self.record }, self.failed)
    }

    fn take_answer(&mut self, answer: Result<Value, String>) -> Result<Option<String>, Failure> {
        let read =
            |value| serde_json::from_value::<Answer>(value).map_err(|error| format!("unreadable answer: {error}"));
        let address =
            |text: &str| text.parse::<SocketAddr>().map_err(|error| format!("unreadable address {text}: {error}"));
        let taken = answer.and_then(read).and_then(|answer| {
            self.leg.direct(address(&answer.leg.rtp)?, answer.leg.floor.as_deref().map(address).transpose()?);
            Ok(answer)
        });
        match taken {
            Ok(answer) => {
                self.record.answer = Ok(answer.late_entry);
                self.handset.handle(Input::Entered(Ssrc(answer.leg.audio_ssrc)), self.ground.now());
                self.obey()?;
                Ok(Some(answer.call))
            }
            Err(refusal) => {
                self.record.answer = Err(refusal);
                Ok(None)
            }
        }
    }

    fn hear(&mut self, heard: std::io::Result<(Channel, Vec<u8>)>) -> Result<(), Failure> {
        let (channel, bytes) = heard.map_err(|source| Failure::System { what: "receiving", source })?;
        self.handset.handle(Input::Heard { channel, bytes: &bytes }, self.ground.now());
        Ok(())
    }

    /// Does what the handset wants; when it wants to be looked at again.
    fn obey(&mut self) -> Result<Option<Time>, Failure> {
        let now = self.ground.now();
        loop {
            let (channel, bytes) = match self.handset.poll() {
                Output::Wake(wake) => return Ok(wake),
                Output::Send(channel, bytes) => (channel, bytes),
                Output::Speak(bytes) => {
                    let packet = rtp::Packet::parse(&bytes).expect("a handset speaks RTP");
                    self.ground.with_truth(|truth| truth.speak(&self.record.user, &packet, now));
                    (Channel::Media, bytes)
                }
                Output::Asks => {
                    self.ground.with_truth(|truth| truth.ask(now));
                    continue;
                }
                Output::Floor(holder) => {
                    self.ground.with_truth(|truth| truth.change(holder, now));
                    continue;
                }
                Output::Failed(how) => {
                    self.failed.get_or_insert(how);
                    continue;
                }
            };
            self.leg.send(channel, &bytes).map_err(|source| Failure::System { what: "sending", source })?;
        }
    }
}
