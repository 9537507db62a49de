//! The late-entry part beside what it is held against, in turns, while users move: all see the same machine.
//!
//! No question of the API costs one trunk round trip and one commit: an affiliation to a partner's group waits for three commits, one
//! after the other (B's wish before its letter leaves, A's answer before it is written, B's result before it is told). What one commit
//! costs is measured beside it, and two of them are taken off.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{net::UdpSocket, sync::watch, time::timeout};

use super::{
    field::{EXPIRES_S, Field, Group, PROFILE, refused, word},
    plan::System,
    report::Spread,
    user::CLIENT,
};
use crate::{
    http::{Api, segment},
    world::Failure,
};

/// Pairs that are measured in any case.
const PAIRS_MIN: usize = 30;

/// How long a node may take for any of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was measured. Milliseconds.
#[derive(Debug, Default)]
pub struct Pairs {
    /// From the affiliation sent to the first media, of a group that A defines and whose call B carries.
    pub late_ms: Vec<f64>,
    /// A question that B answers after one trunk round trip and three commits: an affiliation, without a leg, to a group that A defines.
    pub asked_ms: Vec<f64>,
    /// A question that B answers after one commit: a user document stored.
    pub stored_ms: Vec<f64>,
    /// A question that B answers at once: its health.
    pub bare_ms: Vec<f64>,
}

impl Pairs {
    /// What one request with one trunk round trip and one commit costs, by medians.
    pub fn base_ms(&self) -> Option<f64> {
        let p50 = |values: &[f64]| Spread::of(values.iter().copied()).p50;
        let commit = p50(&self.stored_ms)? - p50(&self.bare_ms)?;
        Some(p50(&self.asked_ms)? - 2.0 * commit)
    }
}

/// Measures pairs until it is told to stop, or has enough, whichever is later.
pub async fn measure(
    field: &Field,
    carried: &Group,
    chat: &Group,
    stop: watch::Receiver<bool>,
) -> Result<Pairs, Failure> {
    let api = field.api(System::B);
    let body = json!({"user": field.asking(), "client": CLIENT, "profile": PROFILE});
    refused("B's user its authorization", api.post("/v1/authorizations", &body).await)?;
    let mut pairs = Pairs::default();
    while pairs.late_ms.len() < PAIRS_MIN || !*stop.borrow() {
        pairs.asked_ms.push(question(field, &api, chat).await?);
        let asked = field.now();
        field.put_user(System::B, &field.asking()).await?;
        let stored = field.now();
        refused("to say that it serves", api.greet().await)?;
        let ms = |from, until: relay_core::Time| until.micros_since(from) as f64 / 1000.0;
        pairs.stored_ms.push(ms(asked, stored));
        pairs.bare_ms.push(ms(stored, field.now()));
        pairs.late_ms.push(entry(field, &api, carried).await?);
    }
    Ok(pairs)
}

async fn question(field: &Field, api: &Api, chat: &Group) -> Result<f64, Failure> {
    let body = json!({"user": field.asking(), "client": CLIENT, "groups": [{"group": chat.id}]});
    let asked = field.now();
    let answer = refused("B's user its affiliation", api.post("/v1/affiliations", &body).await)?;
    let taken = field.now().micros_since(asked) as f64 / 1000.0;
    end(api, &answer).await?;
    Ok(taken)
}

async fn entry(field: &Field, api: &Api, carried: &Group) -> Result<f64, Failure> {
    let system = |source| Failure::System { what: "a leg", source };
    let leg = UdpSocket::bind("127.0.0.1:0").await.map_err(system)?;
    let rtp = leg.local_addr().map_err(system)?.to_string();
    let body = json!({"user": field.asking(), "client": CLIENT, "groups": [{"group": carried.id}],
        "leg": {"udp": {"rtp": rtp}}, "expires_s": EXPIRES_S});
    let asked = field.now();
    let heard = async {
        let mut packet = [0; 2048];
        let came = timeout(PATIENCE, leg.recv(&mut packet)).await;
        came.is_ok().then(|| field.now().micros_since(asked) as f64 / 1000.0)
    };
    let (answer, heard) = tokio::join!(api.post("/v1/affiliations", &body), heard);
    let answer = refused("B's user its affiliation with a leg", answer)?;
    let taken = heard.ok_or_else(|| Failure::Refused {
        what: "B's user media".into(),
        how: format!("nothing came in {} s; it was answered {answer}", PATIENCE.as_secs()),
    })?;
    end(api, &answer).await?;
    Ok(taken)
}

async fn end(api: &Api, answer: &Value) -> Result<(), Failure> {
    let id = word(answer, "affiliation");
    let id = id.map_err(|how| Failure::Refused { what: "B's user its affiliation".into(), how })?;
    let path = format!("/v1/affiliations/{}", segment(&id));
    refused("to end an affiliation", api.delete(&path).await).map(drop)
}
