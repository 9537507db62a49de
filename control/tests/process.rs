//! The node as a process: how it starts, what it refuses, and how it ends.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// A node as its operator starts it; it is killed if a test goes wrong.
struct Process {
    child: Child,
    http: SocketAddr,
    log: BufReader<ChildStderr>,
    /// Goes with the process.
    _data: tempfile::TempDir,
}

impl Process {
    fn start(more: &[&str]) -> Process {
        let data = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_control"))
            .args(["serve", "--open", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--data"])
            .arg(data.path())
            .args(more)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let line = next_line(&mut log, "serving HTTP on http://");
        let address = line.split("http://").nth(1).unwrap().split(',').next().unwrap();
        Process { child, http: address.parse().unwrap(), log, _data: data }
    }

    fn signal(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn ask(&self, request: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.http).unwrap();
        let length = body.len();
        let head = format!("host: {}\r\nconnection: close\r\ncontent-type: application/json", self.http);
        write!(stream, "{request} HTTP/1.1\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn start_call(&self) {
        let group = "/v1/groups/fire";
        assert!(self.ask(&format!("PUT {group}"), r#"{"model":"chat","open":true}"#).contains("200 OK"));
        let body = r#"{"user":"ana","client":"radio","leg":{"udp":{"rtp":"127.0.0.1:40000"}}}"#;
        assert!(self.ask(&format!("POST {group}/calls"), body).contains("201 Created"));
    }

    fn end(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begin.elapsed() < Duration::from_secs(10), "the node ends");
            std::thread::yield_now();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, as it should.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn next_line(log: &mut impl BufRead, part: &str) -> String {
    loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "the node ended without saying '{part}'");
        if line.contains(part) {
            return line;
        }
    }
}

#[test]
fn without_a_call_a_signal_ends_the_node_at_once() {
    let mut node = Process::start(&["--drain-timeout", "1h"]);
    assert!(node.ask("GET /readyz", "").contains("200 OK"));
    node.signal();
    assert_eq!(node.end().code(), Some(0));
}

#[test]
fn a_running_call_goes_on_until_the_timeout_is_over() {
    let mut node = Process::start(&["--drain-timeout", "300ms"]);
    node.start_call();
    let begin = Instant::now();
    node.signal();
    next_line(&mut node.log, "draining: 1 calls");
    assert!(node.ask("GET /readyz", "").contains("503"));
    next_line(&mut node.log, "call released");
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert_eq!(node.end().code(), Some(0));
}

#[test]
fn a_second_signal_ends_the_node_at_once() {
    let mut node = Process::start(&["--drain-timeout", "1h"]);
    node.start_call();
    node.signal();
    next_line(&mut node.log, "draining: 1 calls");
    node.signal();
    assert_eq!(node.end().code(), Some(0));
}

#[test]
fn what_cannot_be_served_is_refused_with_advice() {
    for (arguments, advice) in [
        (&["serve"][..], "--open"),
        (&["serve", "--open", "--http", "0.0.0.0:0"], "127.0.0.1"),
        (&["serve", "--open", "--media", "192.0.2.1:20000"], "127.0.0.1"),
        (&["serve", "--open", "--workers", "0"], "1..=64"),
        (&["srve"], "serve"),
        (&["check"], "not-yet"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_control")).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(advice), "{arguments:?}: {said}");
    }
    let taken = Process::start(&[]);
    let output = Command::new(env!("CARGO_BIN_EXE_control"))
        .args(["serve", "--open", "--media", "127.0.0.1:0", "--http", &taken.http.to_string()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("choose another --http address"));
}
