//! J1: enters a second by the API, into a silent call that grows to 10,000.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{client::Client, node::Node};
use crate::raw;

/// The call grows to so many.
const PARTICIPANTS: usize = 10_000;

/// Entries of one batch.
const BATCH: usize = 100;

/// Kept-alive connections of single enters, each with one request under way.
pub(super) const CONNECTIONS: usize = 8;

/// Kept-alive connections of batches: one is read while the other is answered.
pub(super) const BATCH_CONNECTIONS: usize = 2;

const GROUP: &str = "/v1/groups/sip%3Ajoins%40bench.example";

/// Enters a second: by single requests, and by batches.
pub(super) struct Rates {
    pub(super) single: Vec<f64>,
    pub(super) batches: Vec<f64>,
}

/// Plays `rounds` of both kinds after one that warms up.
pub(super) fn measure(node: &Node, rounds: usize) -> io::Result<Rates> {
    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| Client::connect(node.http())).collect::<io::Result<_>>()?;
    let limits = json!({"participants": 2 * PARTICIPANTS});
    let group = json!({"model": "chat", "open": true, "limits": limits, "floor": {"hang_time_s": 0}});
    clients[0].ask("PUT", GROUP, &group.to_string(), 200)?;
    let people: Vec<Value> =
        raw::targets(PARTICIPANTS, &[4000]).into_iter().enumerate().map(|(number, rtp)| body(number, rtp)).collect();
    let mut rates = Rates { single: Vec::new(), batches: Vec::new() };
    for round in 0..=rounds {
        let single = grow(&mut clients, &people, 201, |person| person.to_string())?;
        let items: Vec<Vec<&Value>> = people[1..].chunks(BATCH).map(|chunk| chunk.iter().collect()).collect();
        let batches: Vec<Value> =
            [people[0].clone()].into_iter().chain(items.iter().map(|items| json!({"items": items}))).collect();
        let batched = grow(&mut clients[..BATCH_CONNECTIONS], &batches, 200, Value::to_string)?;
        if round > 0 {
            let rate = |elapsed: Duration| (PARTICIPANTS - 1) as f64 / elapsed.as_secs_f64();
            rates.single.push(rate(single));
            rates.batches.push(rate(batched));
        }
    }
    Ok(rates)
}

/// A client that only listens, without a floor leg: nothing is sent to it in a silent call, and nothing is awaited from it.
fn body(number: usize, rtp: SocketAddr) -> Value {
    json!({"user": format!("sip:user-{number}@bench.example"), "client": "radio", "leg": {"udp": {"rtp": rtp}}})
}

/// Starts a call with the first body and sends the others to it, one under way per connection. Answers how long that took from the
/// first request to the last answer; the requests were written down before.
fn grow(
    clients: &mut [Client],
    bodies: &[Value],
    status: u16,
    show: impl Fn(&Value) -> String,
) -> io::Result<Duration> {
    let (first, rest) = bodies.split_first().ok_or_else(|| io::Error::other("nobody to enter"))?;
    let started = clients[0].ask("POST", &format!("{GROUP}/calls"), &first.to_string(), 201)?;
    let started: Value = serde_json::from_slice(&started)?;
    let call = format!("/v1/calls/{}", started["call"].as_str().unwrap_or_default());
    let path = format!("{call}/participants");
    let requests: Vec<Vec<u8>> = rest.iter().map(|body| clients[0].request("POST", &path, &show(body))).collect();
    let begin = Instant::now();
    let under_way = clients.len();
    for (client, request) in clients.iter_mut().zip(&requests) {
        client.send(request)?;
    }
    for at in 0..requests.len() {
        let client = &mut clients[at % under_way];
        let answer = client.receive()?;
        if let Some(next) = requests.get(at + under_way) {
            client.send(next)?;
        }
        answer.expect(status)?;
    }
    let elapsed = begin.elapsed();
    let shown: Value = serde_json::from_slice(&clients[0].ask("GET", &call, "", 200)?)?;
    if shown["participants"] != PARTICIPANTS {
        return Err(io::Error::other(format!("{} take part, not {PARTICIPANTS}", shown["participants"])));
    }
    clients[0].ask("DELETE", &call, "", 204)?;
    Ok(elapsed)
}
