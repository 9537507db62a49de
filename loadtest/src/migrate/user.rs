//! A client on real sockets: it is authorised, affiliated and entered, and moves when the plan says so.

mod entry;
mod leaving;

use std::sync::Arc;

use relay_core::{Millis, Time};
use serde_json::{Value, json};

use super::{
    ear::{Ear, Points, resume},
    field::{EXPIRES_S, Field, GROUPS, LOOK, PROFILE, word},
    judge::{Break, Promise},
    plan::{Driver, System},
    record::{Journey, Phase, Stay},
};
use crate::{
    answer::ResumePoint,
    http::{Api, segment},
    speech::Speech,
    world::Failure,
};
use entry::{Entry, affiliated, failure, milliseconds};

/// How long groups keep media, as the node does by default.
pub const RETENTION: Millis = Millis::from_secs(10);

/// A move that is not done after this long has failed.
const MOVE_PATIENCE: Millis = Millis::from_secs(15);

/// An affiliation is refreshed this often: it lives a minute by default.
const REFRESH: Millis = Millis::from_secs(20);

/// How long a node may wait for news before it answers. Seconds.
const WAIT_S: u32 = 2;

/// The client of every user.
pub const CLIENT: &str = "radio";

/// One client.
#[derive(Debug)]
pub struct Client {
    field: Arc<Field>,
    number: usize,
    /// Primary MC service ID.
    user: String,
    /// As the serving system knows the user.
    alias: String,
    serving: System,
    /// What it may give back where it is.
    authorization: Option<String>,
    affiliation: Option<String>,
    /// Good for one move to the partner.
    ticket: Option<String>,
    ears: Option<Ears>,
    points: [Points; GROUPS],
    stays: [Vec<Stay>; GROUPS],
    journeys: Vec<Journey>,
    broken: Vec<Break>,
}

/// Two legs in one system: the affiliation's, which may be in several calls, and the chat call's.
#[derive(Debug)]
struct Ears {
    affiliated: Ear,
    chat: Ear,
    entries: [Option<Entry>; GROUPS],
}

/// What a client went through.
#[derive(Debug)]
pub struct Story {
    /// Its stays, by group.
    pub stays: [Vec<Stay>; GROUPS],
    /// Its moves.
    pub journeys: Vec<Journey>,
    /// What was broken beside what it heard.
    pub broken: Vec<Break>,
}

impl Client {
    /// A client of `user` that nobody knows yet.
    pub fn new(field: Arc<Field>, number: usize, user: String, system: System) -> Client {
        Client {
            field,
            number,
            alias: user.clone(),
            user,
            serving: system,
            authorization: None,
            affiliation: None,
            ticket: None,
            ears: None,
            points: Default::default(),
            stays: Default::default(),
            journeys: Vec::new(),
            broken: Vec::new(),
        }
    }

    /// Is authorised where it belongs, affiliates and enters every call. Nothing works without.
    pub async fn begin(&mut self) -> Result<(), Failure> {
        let refused = |how: String| Failure::Refused { what: "a client its calls".into(), how };
        self.authorize().await.map_err(refused)?;
        let mut ears = self.open()?;
        self.affiliate(&mut ears).await.map_err(refused)?;
        self.enter_chat(&mut ears).await;
        self.ears = Some(ears);
        Ok(())
    }

    /// Moves. What goes wrong is kept for the judge; fails only if this machine does.
    pub async fn go(&mut self, to: System, driver: Driver) -> Result<(), Failure> {
        let begun = self.field.now();
        let mut phases = Vec::new();
        let mut leaving = Ok(());
        if driver == Driver::Client {
            leaving = self.leave(&mut phases).await;
        }
        self.listen_back().await;
        let left = self.field.now();
        let from = std::mem::replace(&mut self.serving, to);
        let mut ears = self.open()?;
        let moved = match (leaving, driver, to) {
            (Err(how), ..) => Err(how),
            (Ok(()), Driver::Client, System::A) => self.come_home(&mut ears, &mut phases).await,
            (Ok(()), ..) => self.migrate(from, &mut ears, &mut phases).await,
        };
        let total_ms = milliseconds(self.field.now(), begun);
        if let Some(old) = self.ears.replace(ears) {
            let old = self.fold(from, left, old).await?;
            if moved.is_ok() {
                self.look_around(from, &old).await;
            }
        }
        // A system that drove the way home gave no new ticket with it.
        let ticket = if to == System::A && driver == Driver::System { self.authorize().await } else { Ok(()) };
        let cause = moved.and(ticket).err();
        if let Some(cause) = &cause {
            self.broken.push(Break::new(Promise::Moved, format!("to {to}: {cause}")));
        }
        let rolled_back = cause.as_ref().is_some_and(|cause| cause.contains("rolled-back"));
        let journey = Journey { user: self.number, to, driver, total_ms, phases, rolled_back, cause };
        self.journeys.push(journey);
        Ok(())
    }

    /// Stays where it is until then.
    pub async fn rest_until(&mut self, at: Time) {
        let clock = self.field.groups[0].ground.clone();
        while clock.now() + REFRESH < at {
            clock.sleep_until(clock.now() + REFRESH).await;
            let Some(affiliation) = &self.affiliation else { continue };
            let path = format!("/v1/affiliations/{}", segment(affiliation));
            if let Err(refusal) = self.field.api(self.serving).put(&path, &json!({})).await {
                self.broken.push(Break::new(Promise::Affiliated, format!("in {}: {refusal}", self.serving)));
            }
        }
        clock.sleep_until(at).await;
    }

    /// Asks for the floor of a group, and says this.
    pub async fn say(&self, group: usize, speech: Speech<'static>) {
        if let Some(ears) = &self.ears {
            ears.of(&self.field, group).say(group, speech).await;
        }
    }

    /// Stops listening. Its calls go on without it.
    pub async fn end(mut self) -> Result<Story, Failure> {
        let now = self.field.now();
        if let Some(ears) = self.ears.take() {
            self.fold(self.serving, now, ears).await?;
        }
        Ok(Story { stays: self.stays, journeys: self.journeys, broken: self.broken })
    }

    /// Step 1 of 10.16.2, by the client itself.
    async fn leave(&mut self, phases: &mut Vec<Phase>) -> Result<(), String> {
        let begun = self.field.now();
        let api = self.field.api(self.serving);
        let ends = [("affiliations", self.affiliation.take()), ("authorizations", self.authorization.take())];
        for (kind, id) in ends {
            let id = id.ok_or_else(|| format!("no id of its {kind} was ever told"))?;
            api.delete(&format!("/v1/{kind}/{}", segment(&id))).await.map_err(failure)?;
        }
        self.passed(phases, "P1 client", begun);
        Ok(())
    }

    /// The client is authorised and affiliates at home as if it had never been away.
    async fn come_home(&mut self, ears: &mut Ears, phases: &mut Vec<Phase>) -> Result<(), String> {
        let begun = self.field.now();
        self.authorize().await?;
        self.passed(phases, "P6 client", begun);
        let begun = self.field.now();
        self.affiliate(ears).await?;
        self.passed(phases, "P7 client", begun);
        self.enter_chat(ears).await;
        Ok(())
    }

    async fn authorize(&mut self) -> Result<(), String> {
        let body = json!({"user": self.user, "client": CLIENT, "profile": PROFILE});
        let answer = self.field.api(self.serving).post("/v1/authorizations", &body).await.map_err(failure)?;
        self.authorization = Some(word(&answer, "authorization")?);
        self.alias.clone_from(&self.user);
        let partner = &self.field.names[self.serving.partner().index()];
        let tickets = answer.get("tickets").and_then(Value::as_array).into_iter().flatten();
        let is_for_partner = |ticket: &&Value| ticket.get("system").and_then(Value::as_str) == Some(partner);
        self.ticket = tickets.filter(is_for_partner).find_map(|ticket| word(ticket, "ticket").ok());
        Ok(())
    }

    /// Affiliates to the pre-arranged groups; the node enters the client into their calls.
    async fn affiliate(&mut self, ears: &mut Ears) -> Result<(), String> {
        let (api, asked) = (self.field.api(self.serving), self.field.now());
        let body = json!({
            "user": self.alias, "client": CLIENT, "groups": self.wanted(|group| !group.is_chat),
            "leg": leg(&ears.affiliated), "expires_s": EXPIRES_S,
        });
        let mut answer = api.post("/v1/affiliations", &body).await.map_err(failure)?;
        let affiliation = word(&answer, "affiliation")?;
        let path = format!("/v1/affiliations/{}", segment(&affiliation));
        self.affiliation = Some(affiliation);
        while !affiliated(answer.get("items")) && self.field.now() < asked + MOVE_PATIENCE {
            answer = news(&api, &path, &answer).await?;
        }
        self.take_items(answer.get("items"), ears, asked).await
    }

    /// Asks the new system for all; a chat call the client enters itself, as soon as it is affiliated.
    async fn migrate(&mut self, from: System, ears: &mut Ears, phases: &mut Vec<Phase>) -> Result<(), String> {
        let (api, asked) = (self.field.api(self.serving), self.field.now());
        let mut body = json!({
            "user": self.user, "client": CLIENT, "from": self.field.names[from.index()],
            "profile": PROFILE, "mode": "strict", "groups": self.wanted(|_| true), "leg": leg(&ears.affiliated),
        });
        if self.serving == System::B {
            body["ticket"] = json!(self.ticket.take().ok_or("it has no ticket for the partner")?);
        }
        let migration = word(&api.post("/v1/migrations", &body).await.map_err(failure)?, "migration")?;
        let path = format!("/v1/migrations/{}", segment(&migration));
        let mut chatting = false;
        let mut answer = api.read(&path).await.map_err(failure)?;
        loop {
            let phase = word(&answer, "phase")?;
            let passed = entry::phases(&answer);
            if passed.iter().any(|passed| passed.phase == "P7") && !chatting {
                self.alias = word(&answer, "user")?;
                chatting = true;
                self.enter_chat(ears).await;
            }
            let is_over = matches!(phase.as_str(), "P9" | "rolled-back" | "superseded");
            if is_over || self.field.now() > asked + MOVE_PATIENCE {
                let before_affiliation = passed.iter().take_while(|passed| passed.phase.as_str() < "P7");
                let spent_us = before_affiliation.map(|passed| passed.ms * 1000.0).sum::<f64>();
                *phases = std::mem::take(phases).into_iter().chain(passed).collect();
                if phase != "P9" {
                    return Err(format!("{phase}: {}", answer.get("cause").unwrap_or(&Value::Null)));
                }
                self.authorization = word(&answer, "authorization").ok();
                self.affiliation = word(&answer, "affiliation").ok();
                let affiliating = Time::from_micros(asked.as_micros() + spent_us as u64);
                return self.take_items(answer.get("groups"), ears, affiliating).await;
            }
            answer = news(&api, &path, &answer).await?;
        }
    }

    async fn enter_chat(&mut self, ears: &mut Ears) {
        let field = self.field.clone();
        for (number, group) in field.groups.iter().enumerate().filter(|(_, group)| group.is_chat) {
            let resume = self.resume(number);
            let asked = field.now();
            let mut body = json!({"user": self.alias, "client": CLIENT, "leg": leg(&ears.chat), "expires_s": 60});
            if !resume.is_empty() {
                body["resume"] = json!(resume);
            }
            let path = format!("/v1/groups/{}/calls", segment(&group.id));
            let answer = field.api(self.serving).post(&path, &body).await.map_err(failure);
            let answer = answer.and_then(|answer| entry::read(&answer));
            self.enter(ears, Entry { group: number, asked, answered: field.now(), resume, answer }).await;
        }
    }

    async fn take_items(&mut self, items: Option<&Value>, ears: &mut Ears, asked: Time) -> Result<(), String> {
        let answered = self.field.now();
        let items = items.and_then(Value::as_array).ok_or("the answer names no groups")?;
        let field = self.field.clone();
        for (number, group) in field.groups.iter().enumerate().filter(|(_, group)| !group.is_chat) {
            let item = items.iter().find(|item| item.get("group").and_then(Value::as_str) == Some(&group.id));
            let answer = item.map_or(Err("the answer does not name the group".into()), entry::of_item);
            self.enter(ears, Entry { group: number, asked, answered, resume: self.resume(number), answer }).await;
        }
        Ok(())
    }

    async fn enter(&mut self, ears: &mut Ears, entry: Entry) {
        let ground = &self.field.groups[entry.group].ground;
        if let Ok(answer) = &entry.answer {
            // Words are remembered under the primary id, whatever the serving system calls the user.
            ears.of(&self.field, entry.group).enter(entry.group, &self.user, ground, answer).await;
        }
        let number = entry.group;
        ears.entries[number] = Some(entry);
    }

    fn wanted(&self, filter: impl Fn(&super::field::Group) -> bool) -> Vec<Value> {
        let groups = self.field.groups.iter().enumerate().filter(|(_, group)| filter(group));
        groups.map(|(number, group)| json!({"group": group.id, "resume": self.resume(number)})).collect()
    }

    fn resume(&self, group: usize) -> Vec<ResumePoint> {
        resume(&self.points[group], RETENTION, self.field.now())
    }

    /// Makes up what was heard last.
    async fn listen_back(&mut self) {
        let Some(ears) = &self.ears else { return };
        for group in 0..GROUPS {
            self.points[group].extend(ears.of(&self.field, group).points(group).await);
        }
    }

    fn open(&self) -> Result<Ears, Failure> {
        let clock = &self.field.groups[0].ground;
        Ok(Ears { affiliated: Ear::open(clock)?, chat: Ear::open(clock)?, entries: [None, None, None] })
    }

    fn passed(&self, phases: &mut Vec<Phase>, phase: &str, begun: Time) {
        phases.push(Phase { phase: phase.into(), ms: milliseconds(self.field.now(), begun), result: "ok".into() });
    }
}

impl Ears {
    fn of(&self, field: &Field, group: usize) -> &Ear {
        if field.groups[group].is_chat { &self.chat } else { &self.affiliated }
    }
}

fn leg(ear: &Ear) -> Value {
    json!({"udp": {"rtp": ear.address().to_string(), "floor": ear.address().to_string()}})
}

/// What an affiliation or migration looks like once it differs from `known`, or after a while.
async fn news(api: &Api, path: &str, known: &Value) -> Result<Value, String> {
    let path = match known.get("revision").and_then(Value::as_str) {
        Some(revision) => format!("{path}?wait_s={WAIT_S}&revision={revision}"),
        None => {
            tokio::time::sleep(LOOK).await;
            path.to_owned()
        }
    };
    api.read(&path).await.map_err(failure)
}
