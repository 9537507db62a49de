//! One system of a stage: its node, and everything that can be asked of it over HTTP.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    time::{Duration, Instant},
};

use control::node::{Config, Node};
use relay::trunk::Fault;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::radio::{Radio, Seat};

/// Nothing on loopback takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A system that can be stopped and started again on its data.
pub(crate) struct Host {
    pub(crate) system: String,
    pub(crate) http: SocketAddr,
    pub(crate) trunk: SocketAddr,
    pub(crate) data: PathBuf,
    config: Config,
    node: Option<Node>,
    runtime: Handle,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Host {
    /// Starts the system.
    pub(crate) fn start(runtime: &Handle, config: Config) -> Host {
        let node = runtime.block_on(Node::start(config.clone())).unwrap();
        let (http, trunk) = (node.http_addr(), node.trunk_addr().unwrap());
        let (system, data) = (config.system.clone(), config.data.clone());
        Host { system, http, trunk, data, config, node: Some(node), runtime: runtime.clone() }
    }

    /// Ends the node in order.
    pub(crate) fn stop(&mut self) {
        if let Some(node) = self.node.take() {
            self.runtime.block_on(node.stop());
        }
    }

    /// Ends the node so that its partner hears no more of it.
    pub(crate) fn crash(&mut self, partner: &str) {
        self.fault(partner, Fault::Cut);
        self.stop();
    }

    /// Starts the node again on its data, and on addresses that are free: its own may have been given to another test. It
    /// knows where its partner is, and dials.
    pub(crate) fn restart(&mut self) {
        let node = self.runtime.block_on(Node::start(self.config.clone())).unwrap();
        (self.http, self.trunk) = (node.http_addr(), node.trunk_addr().unwrap());
        self.node = Some(node);
    }

    pub(crate) fn fault(&self, partner: &str, fault: Fault) {
        self.node.as_ref().unwrap().fault(partner, fault);
    }

    /// Whether the trunk to a partner stands.
    pub(crate) fn is_up(&self, partner: &str) -> bool {
        self.get(&format!("/v1/partners/{partner}")).body["up"] == true
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        ask(self.http, "GET", path, None)
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        ask(self.http, "DELETE", path, None)
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        ask(self.http, "PUT", path, Some(body))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        ask(self.http, "POST", path, Some(body))
    }

    /// Authorises a client; its tickets are the radio's from then on.
    pub(crate) fn authorize(&self, radio: &mut Radio) {
        let body = json!({"user": radio.user, "client": radio.client});
        let answer = self.post("/v1/authorizations", &body).expect(201);
        radio.authorization = answer["authorization"].as_str().unwrap().to_owned();
        radio.alias = radio.user.clone();
        radio.tickets = answer["tickets"].as_array().unwrap().clone();
    }

    /// Affiliates a client to groups, with resume points if there are any; it is in their running calls when this is answered.
    pub(crate) fn affiliate(&self, radio: &mut Radio, groups: Value) -> Vec<Value> {
        let body = json!({"user": radio.alias, "client": radio.client, "groups": groups, "leg": radio.leg()});
        let answer = self.post("/v1/affiliations", &body).expect(200);
        radio.affiliation = answer["affiliation"].as_str().unwrap().to_owned();
        answer["items"].as_array().unwrap().clone()
    }

    /// Waits until the client is in the call of a group that it is affiliated to.
    pub(crate) fn entered(&self, radio: &Radio, group: &str) -> Seat {
        let path = format!("/v1/affiliations/{}", radio.affiliation);
        let mut answer = self.get(&path).expect(200);
        let begin = Instant::now();
        loop {
            let items = answer["items"].as_array().unwrap();
            let item = items.iter().find(|item| item["group"] == group).unwrap();
            if !item["entered"].is_null() {
                return Seat::read(&item["entered"]);
            }
            assert!(begin.elapsed() < PATIENCE, "{} is not in the call of {group}: {answer}", radio.user);
            let revision = answer["revision"].as_str().unwrap();
            answer = self.get(&format!("{path}?wait_s=10&revision={revision}")).expect(200);
        }
    }

    /// Starts or enters the call of a group.
    pub(crate) fn call(&self, radio: &Radio, group: &str, resume: Value) -> Seat {
        let mut body = json!({"user": radio.alias, "client": radio.client, "leg": radio.leg()});
        body["resume"] = resume;
        let answer = self.post(&format!("/v1/groups/{}/calls", segment(group)), &body);
        assert!(answer.status < 300, "{answer:?}");
        Seat::read(&answer.body)
    }

    /// Has the floor asked for; the result's word.
    pub(crate) fn floor(&self, seat: &Seat, action: &str, priority: u8) -> String {
        let path = format!("/v1/calls/{}/participants/{}/floor", seat.call, seat.participant);
        let body = json!({"action": action, "priority": priority});
        self.post(&path, &body).expect(200)["result"].as_str().unwrap().to_owned()
    }

    /// De-affiliates and de-authorises a client: step 1 of a move by the client itself.
    pub(crate) fn leave(&self, radio: &Radio) {
        self.delete(&format!("/v1/affiliations/{}", radio.affiliation)).expect(200);
        self.delete(&format!("/v1/authorizations/{}", radio.authorization)).expect(204);
    }

    /// Asks this system, the new one, to move the client; the migration's id.
    pub(crate) fn begin_move(&self, radio: &Radio, from: &str, groups: Value) -> String {
        let body = self.move_body(radio, from, groups);
        let answer = self.post("/v1/migrations", &body).expect(202);
        answer["migration"].as_str().unwrap().to_owned()
    }

    /// What is asked for with a move.
    pub(crate) fn move_body(&self, radio: &Radio, from: &str, groups: Value) -> Value {
        let mut body = json!({"user": radio.user, "client": radio.client, "from": from, "groups": groups,
            "leg": radio.leg()});
        if let Some(ticket) = radio.ticket(&self.system) {
            body["ticket"] = json!(ticket);
        }
        body
    }

    /// What a migration shows once `reached` says yes.
    pub(crate) fn watch(&self, migration: &str, reached: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/v1/migrations/{migration}");
        let begin = Instant::now();
        let mut answer = self.get(&path).expect(200);
        while !reached(&answer) {
            assert!(begin.elapsed() < PATIENCE, "the migration stands: {answer}");
            let revision = answer["revision"].as_str().unwrap();
            answer = self.get(&format!("{path}?wait_s=10&revision={revision}")).expect(200);
        }
        answer
    }

    /// Moves a client here, and waits for the end. How it is known here is the radio's from then on.
    pub(crate) fn take_over(&self, radio: &mut Radio, from: &str, groups: Value) -> Value {
        let migration = self.begin_move(radio, from, groups);
        let shown = self.watch(&migration, is_over);
        if shown["phase"] == "P9" {
            radio.adopt(&shown);
        }
        shown
    }

    /// Users in the call, with the systems' own listing; sorted.
    pub(crate) fn participants(&self, call: &str) -> Vec<String> {
        let answer = self.get(&format!("/v1/calls/{call}/participants?limit=1000"));
        let items = answer.body["items"].as_array().cloned().unwrap_or_default();
        let mut users: Vec<String> = items.iter().map(|item| item["user"].as_str().unwrap().to_owned()).collect();
        users.sort();
        users
    }

    /// Waits until these are the participants, in their order: a trunk tells of them a moment later.
    #[track_caller]
    pub(crate) fn lists(&self, call: &str, users: &[&str]) {
        until(&format!("{users:?} are in the call"), || self.participants(call) == users);
    }

    /// Ids of the calls that run here.
    pub(crate) fn calls(&self) -> Vec<String> {
        let items = self.get("/v1/calls").expect(200)["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["call"].as_str().unwrap().to_owned()).collect()
    }

    /// The sum of a counter over its labels.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").body;
        let lines = text.as_str().unwrap().lines().filter(|line| !line.starts_with('#'));
        let values = lines.filter_map(|line| {
            let (key, value) = line.rsplit_once(' ')?;
            (key.split('{').next() == Some(name)).then(|| value.parse::<f64>().unwrap() as u64)
        });
        values.sum()
    }

    /// Lines of the audit trail, once one of them is what is looked for.
    pub(crate) fn audited(&self, event: &str, cause: Option<&str>) -> Value {
        let begin = Instant::now();
        loop {
            let text = std::fs::read_to_string(self.data.join("audit.jsonl")).unwrap_or_default();
            let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let found = lines.into_iter().find(|line| line["event"] == event && (line["cause"].as_str() == cause));
            if let Some(found) = found {
                return found;
            }
            assert!(begin.elapsed() < PATIENCE, "no {event} with {cause:?} in the trail of {}: {text}", self.system);
            std::thread::yield_now();
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Answer {
    /// The body of an answer that has to have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// Asserts a refusal.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
    }
}

/// Whether nothing more happens to a migration.
pub(crate) fn is_over(shown: &Value) -> bool {
    matches!(shown["phase"].as_str().unwrap(), "P9" | "rolled-back" | "superseded")
}

/// An id as a segment of a path.
pub(crate) fn segment(id: &str) -> String {
    id.replace('%', "%25").replace(':', "%3A").replace('@', "%40").replace('/', "%2F")
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !so() {
        assert!(begin.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::yield_now();
    }
}

/// One request with a socket of its own.
pub(crate) fn ask(to: SocketAddr, method: &str, path: &str, body: Option<&Value>) -> Answer {
    try_ask(to, method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

/// The same, of a node that may be gone.
pub(crate) fn try_ask(to: SocketAddr, method: &str, path: &str, body: Option<&Value>) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let head = format!("host: {to}\r\nconnection: close\r\ncontent-type: application/json");
    write!(stream, "{method} {path} HTTP/1.1\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let cut = || std::io::Error::other(format!("cut off: {text:?}"));
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(cut)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(cut)?;
    let length =
        head.to_ascii_lowercase().split("content-length: ").nth(1).map(|rest| rest.lines().next().unwrap().to_owned());
    if length.is_some_and(|length| length.trim().parse() != Ok(body.len())) {
        return Err(cut());
    }
    Ok(Answer { status, body: serde_json::from_str(body).unwrap_or(Value::String(body.to_owned())) })
}
