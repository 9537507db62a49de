//! A node as a process that is killed at any instant: what it has answered is there when it comes back.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
};

use rand::RngExt;
use serde_json::{Value, json};

use super::host::{ask, segment, try_ask};

const ROUNDS: usize = 6;
const GROUP: &str = "sip:fire@a.example";
/// Partners that a writer stores in a round: all of them are fewer than a system may have.
const PARTNERS: u32 = 10;

/// The node as its operator starts it.
pub(crate) struct Process {
    child: Child,
    pub(crate) http: SocketAddr,
    /// Where partners reach it, if it was started with a trunk.
    pub(crate) trunk: Option<SocketAddr>,
}

impl Process {
    fn start(data: &Path) -> Process {
        Process::start_with(data, &["--system".as_ref(), "a.example".as_ref()])
    }

    /// The same as another system, with a trunk.
    pub(crate) fn start_with(data: &Path, more: &[&OsStr]) -> Process {
        let mut child = Command::new(env!("CARGO_BIN_EXE_control"))
            .args(["serve", "--open", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0"])
            .args(["--workers", "1", "--data"])
            .arg(data)
            .args(more)
            .env_remove("RUST_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let line = lines.find(|line| line.contains("serving HTTP on http://")).expect("it serves");
        let address = line.split("http://").nth(1).unwrap().split(',').next().unwrap().to_owned();
        let trunk = more.contains(&OsStr::new("--trunk")).then(|| {
            let line = lines.find(|line| line.contains("trunk on ")).expect("it has a trunk");
            line.split("trunk on ").nth(1).unwrap().trim().parse().unwrap()
        });
        // Its log is read to the end, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        Process { child, http: address.parse().unwrap(), trunk }
    }
}

impl Drop for Process {
    /// As `kill -9` does.
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// What was answered, by the path that shows it.
#[derive(Default)]
struct Answered {
    shown: BTreeMap<String, Value>,
    /// Clients that are authorised.
    authorized: Vec<String>,
}

/// What one request that was answered leaves behind.
enum News {
    Shown(String, Value),
    Authorized(String),
}

/// Asks; `None`: the node is gone.
fn said(to: SocketAddr, method: &str, path: &str, body: &Value) -> Option<Value> {
    let answer = try_ask(to, method, path, Some(body)).ok()?;
    assert!(answer.status < 300, "{method} {path}: {answer:?}");
    Some(answer.body)
}

/// A partner, a user, a group, a client that is authorised and affiliated; each answer is told at once.
fn write_one(to: SocketAddr, name: &str, partner: bool, tell: &mpsc::Sender<News>) -> Option<()> {
    let (user, group) = (format!("sip:u{name}@a.example"), format!("sip:g{name}@a.example"));
    if partner {
        let path = format!("/v1/partners/p{name}.example");
        let stored = said(to, "PUT", &path, &json!({"limits": {"participants": 7}}))?;
        tell.send(News::Shown(path, stored)).ok()?;
    }
    let path = format!("/v1/users/{}", segment(&user));
    let profile = json!({"index": 1, "groups": [GROUP, group]});
    let stored = said(to, "PUT", &path, &json!({"profiles": [profile]}))?;
    tell.send(News::Shown(path, stored)).ok()?;
    let path = format!("/v1/groups/{}", segment(&group));
    let stored = said(to, "PUT", &path, &json!({"model": "chat", "members": [{"user": user}]}))?;
    tell.send(News::Shown(path, stored)).ok()?;
    said(to, "POST", "/v1/authorizations", &json!({"user": user, "client": name}))?;
    tell.send(News::Authorized(format!("{user} {name}"))).ok()?;
    let body = json!({"user": user, "client": name, "groups": [{"group": GROUP}, {"group": group}]});
    let affiliated = said(to, "POST", "/v1/affiliations", &body)?;
    let path = format!("/v1/affiliations/{}", affiliated["affiliation"].as_str().unwrap());
    tell.send(News::Shown(path, affiliated["items"].clone())).ok()
}

impl Answered {
    fn take(&mut self, news: News) {
        match news {
            News::Shown(path, value) => drop(self.shown.insert(path, value)),
            News::Authorized(client) => self.authorized.push(client),
        }
    }

    fn is_all_there(&self, to: SocketAddr, round: usize) {
        for (path, expected) in &self.shown {
            let found = ask(to, "GET", path, None).expect(200);
            let found = if path.starts_with("/v1/affiliations") { &found["items"] } else { &found };
            assert_eq!(found, expected, "round {round}: {path}");
        }
        for client in &self.authorized {
            let (user, client) = client.split_once(' ').unwrap();
            let body = json!({"user": user, "client": client, "groups": [{"group": GROUP}]});
            let answer = ask(to, "POST", "/v1/affiliations", Some(&body)).expect(200);
            assert_eq!(answer["items"][0]["status"], "affiliated", "round {round}: {client} of {user}: {answer}");
        }
    }
}

#[test]
fn kill_nine_loses_nothing_that_was_answered() {
    let data = tempfile::tempdir().unwrap();
    let mut random = rand::rng();
    let mut total = 0;
    for round in 0..ROUNDS {
        let mut answered = Answered::default();
        let mut node = Process::start(data.path());
        let path = format!("/v1/groups/{}", segment(GROUP));
        ask(node.http, "PUT", &path, Some(&json!({"model": "prearranged", "open": true}))).expect(200);
        let (http, (tell, news)) = (node.http, mpsc::channel());
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..2)
                .map(|writer| {
                    let tell = tell.clone();
                    let write = move |number: &u32| {
                        write_one(http, &format!("{round}-{writer}-{number}"), *number < PARTNERS, &tell)
                    };
                    scope.spawn(move || (0..).take_while(|number| write(number).is_some()).count())
                })
                .collect();
            drop(tell);
            for _ in 0..random.random_range(1..60) {
                answered.take(news.recv().unwrap());
            }
            node.child.kill().unwrap();
            assert!(writers.into_iter().all(|writer| writer.join().is_ok()), "a refusal where there was none");
            // What was answered until then was answered.
            news.iter().for_each(|news| answered.take(news));
        });
        drop(node);
        total += answered.shown.len();
        let node = Process::start(data.path());
        answered.is_all_there(node.http, round);
    }
    assert!(total > ROUNDS, "too little was answered to prove anything: {total}");
}
