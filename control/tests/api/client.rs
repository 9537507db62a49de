//! The smallest HTTP client that can ask everything, and a node to ask.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use control::node::{Config, Node};
use serde_json::{Value, json};

/// A node with its runtime; everything ends with it.
pub(crate) struct Stage {
    runtime: tokio::runtime::Runtime,
    node: Option<Node>,
    http: SocketAddr,
    /// Goes with the stage.
    _data: tempfile::TempDir,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Value,
}

pub(crate) const GROUP: &str = "/v1/groups/sip%3Afire-1%40a.example";

impl Stage {
    /// A node with two workers and one group: Ana and Ben are members, Leo may only listen.
    pub(crate) fn new() -> Stage {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let free = "127.0.0.1:0".parse().unwrap();
        let data = tempfile::tempdir().unwrap();
        let config = Config {
            system: "a.example".into(),
            http: free,
            media: free,
            workers: 2,
            data: data.path().to_owned(),
            trunk: None,
        };
        let node = runtime.block_on(Node::start(config)).unwrap();
        let stage = Stage { http: node.http_addr(), node: Some(node), runtime, _data: data };
        stage.put_group(json!({}));
        stage
    }

    /// Stores the group with other settings.
    pub(crate) fn put_group(&self, settings: Value) -> Answer {
        let member = |user: &str, receive_only| json!({"user": user, "priority": 3, "receive_only": receive_only});
        let mut group = json!({"model": "chat", "members": [
            member("sip:ana@a", false), member("sip:ben@a", false), member("sip:leo@a", true)]});
        settings.as_object().unwrap().iter().for_each(|(key, value)| group[key] = value.clone());
        let answer = self.put(GROUP, group);
        assert!(answer.status < 300, "{answer:?}");
        answer
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], None)
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, &[], None)
    }

    pub(crate) fn put(&self, path: &str, body: Value) -> Answer {
        self.ask("PUT", path, &[("content-type", "application/json")], Some(&body.to_string()))
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, &[("content-type", "application/json")], Some(&body.to_string()))
    }

    /// One request on a connection of its own. A `host` header replaces the right one.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        let mut stream = TcpStream::connect(self.http).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let body = body.unwrap_or("");
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| *name == "host") {
            request += &format!("host: {}\r\n", self.http);
        }
        headers.iter().for_each(|(name, value)| request += &format!("{name}: {value}\r\n"));
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        let body = serde_json::from_str(body).unwrap_or(Value::String(body.to_owned()));
        Answer { status, head: head.to_ascii_lowercase(), body }
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.http
    }

    /// Starts or enters the group's call.
    pub(crate) fn start(&self, user: &str, client: &Client) -> Answer {
        self.post(&format!("{GROUP}/calls"), client.body(user))
    }

    pub(crate) fn drain(&self, timeout: Duration) {
        self.runtime.block_on(self.node.as_ref().unwrap().drain(timeout));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(node) = self.node.take() {
            self.runtime.block_on(node.stop());
        }
    }
}

impl Answer {
    pub(crate) fn text(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_else(|| panic!("no {field} in {self:?}")).to_owned()
    }

    pub(crate) fn call(&self) -> String {
        format!("/v1/calls/{}", self.text("call"))
    }

    pub(crate) fn participant(&self) -> String {
        format!("{}/participants/{}", self.call(), self.text("participant"))
    }

    /// Asserts a problem document with this status and code.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{self:?}");
        assert!(self.head.contains("content-type: application/problem+json"), "{}", self.head);
        assert_eq!(self.body["status"].as_u64(), Some(status.into()));
        for field in ["type", "title", "detail", "subject", "advice"] {
            assert!(self.body[field].is_string(), "{field} in {self:?}");
        }
        assert_eq!(self.head.contains("retry-after:"), matches!(status, 429 | 503), "{}", self.head);
    }
}

/// A client's two sockets.
pub(crate) struct Client {
    pub(crate) rtp: UdpSocket,
    pub(crate) floor: UdpSocket,
}

impl Client {
    pub(crate) fn new() -> Client {
        let socket = || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            socket
        };
        Client { rtp: socket(), floor: socket() }
    }

    pub(crate) fn leg(&self) -> Value {
        let address = |socket: &UdpSocket| socket.local_addr().unwrap().to_string();
        json!({"udp": {"rtp": address(&self.rtp), "floor": address(&self.floor)}})
    }

    pub(crate) fn body(&self, user: &str) -> Value {
        json!({"user": user, "client": "radio", "leg": self.leg()})
    }

    /// The first octet of the next floor message, without the version bits: its subtype.
    pub(crate) fn told(&self) -> u8 {
        let mut datagram = [0; 2048];
        self.floor.recv(&mut datagram).expect("a floor message comes");
        datagram[0] & 0x1f
    }

    /// Speaks packets of one SSRC to the node.
    pub(crate) fn talk(&self, answer: &Answer, numbers: std::ops::Range<u16>) {
        let to: SocketAddr = answer.body["leg"]["rtp"].as_str().unwrap().parse().unwrap();
        let ssrc = answer.body["leg"]["audio_ssrc"].as_u64().unwrap() as u32;
        for number in numbers {
            let mut packet = vec![0x80, 96];
            packet.extend(number.to_be_bytes());
            packet.extend([0; 4]);
            packet.extend(ssrc.to_be_bytes());
            packet.extend([7; 20]);
            self.rtp.send_to(&packet, to).unwrap();
        }
    }

    /// The sequence number of the next media packet.
    pub(crate) fn heard(&self) -> u16 {
        let mut datagram = [0; 2048];
        self.rtp.recv(&mut datagram).expect("media comes");
        u16::from_be_bytes([datagram[2], datagram[3]])
    }

    /// Nothing has come that was not taken.
    pub(crate) fn is_silent(&self) -> bool {
        self.rtp.set_nonblocking(true).unwrap();
        let silent = self.rtp.recv(&mut [0; 2048]).is_err();
        self.rtp.set_nonblocking(false).unwrap();
        silent
    }
}
