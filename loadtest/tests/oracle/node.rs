//! A node in this process, asked over HTTP as an application server would.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use control::node::{Config, Node};
use serde_json::{Value, json};

/// What callers of this test ask.
pub(crate) struct Api(SocketAddr, #[expect(dead_code, reason = "goes with the node")] tempfile::TempDir);

/// A node with one worker on free ports, with one group: ana, ben, eva, and ida, who may only listen.
pub(crate) async fn start(floor: &Value) -> (Node, Api) {
    let free = "127.0.0.1:0".parse().unwrap();
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_owned();
    let config = Config { system: "a.example".into(), http: free, media: free, workers: 1, data: path, trunk: None };
    let node = Node::start(config).await.unwrap();
    let api = Api(node.http_addr(), data);
    let members = json!([
        {"user": "sip:ana@a.example"},
        {"user": "sip:ben@a.example", "priority": 5},
        {"user": "sip:eva@a.example"},
        {"user": "sip:ida@a.example", "receive_only": true},
    ]);
    api.ask("PUT", GROUP, &json!({"model": "prearranged", "members": members, "floor": floor}));
    (node, api)
}

const GROUP: &str = "/v1/groups/sip%3Afire-1%40a.example";

impl Api {
    /// Starts the call of the group, or enters it, as `name`; the answer of the API.
    pub(crate) fn enter(&self, name: &str, leg: &Value) -> Value {
        let body = json!({"user": format!("sip:{name}@a.example"), "client": "radio", "leg": {"udp": leg}});
        self.ask("POST", &format!("{GROUP}/calls"), &body)
    }

    /// Asks for the floor for whoever got this answer.
    pub(crate) fn request(&self, entered: &Value) -> Value {
        let [call, participant] = ["call", "participant"].map(|id| entered[id].as_str().unwrap());
        self.ask("POST", &format!("/v1/calls/{call}/participants/{participant}/floor"), &json!({"action": "request"}))
    }

    /// Asks and waits. Whatever is not a success fails the test.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let (body, host) = (body.to_string(), self.0);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(host).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 2"), "{method} {path}: {answer}");
        serde_json::from_str(body).unwrap()
    }
}

/// A number of an answer that names an SSRC.
pub(crate) fn ssrc(value: &Value) -> u32 {
    value.as_u64().unwrap().try_into().unwrap()
}

/// An address of an answer.
pub(crate) fn address(value: &Value) -> SocketAddr {
    value.as_str().unwrap().parse().unwrap()
}
