//! The thinnest face that a media plane can have: one call, entered over HTTP, nothing checked, nothing remembered.
//!
//! It lets the contract be proved on real sockets against the media plane alone, without the control plane.

use std::{net::SocketAddr, sync::Arc};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use relay::{Call, CallSettings, Config, Entered, Relay};
use relay_core::{
    Millis, Ssrc,
    late_entry::{
        ResumePoint,
        facts::{FloorState, MediaFacts},
    },
    roster::{Leg, Participant},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A media plane with its face.
pub(crate) struct Face {
    /// Where to ask.
    pub(crate) url: String,
    relay: Relay,
}

impl Face {
    /// Starts both on free ports. Events of the media plane are drained and dropped.
    pub(crate) async fn start(retention: Millis) -> Face {
        let media = SocketAddr::from(([127, 0, 0, 1], 0));
        let (relay, mut events) = Relay::start(Config { media, workers: 2, calls_max: 4 }).unwrap();
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        let settings = CallSettings { retention, ..CallSettings::default() };
        let call = relay.open_call("only".into(), settings).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let call = call.clone();
                let answer = service_fn(move |request| answer(call.clone(), request));
                let _ = socket.set_nodelay(true);
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), answer));
            }
        });
        Face { url, relay }
    }

    /// Ends the media plane.
    pub(crate) fn stop(&self) {
        self.relay.stop();
    }
}

async fn answer(call: Call, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, String> {
    let body = match *request.method() {
        Method::POST => {
            let bytes = request.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
            let asked: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
            enter(&call, &asked).await
        }
        Method::DELETE => {
            call.close().await.map_err(|error| error.to_string())?;
            Value::Null
        }
        _ => Value::Null,
    };
    Ok(Response::new(Full::from(body.to_string())))
}

async fn enter(call: &Call, asked: &Value) -> Value {
    let text = |value: &Value| Arc::<str>::from(value.as_str().unwrap());
    let address = |name: &str| asked["leg"]["udp"][name].as_str().unwrap().parse().unwrap();
    let point = |point: &Value| ResumePoint {
        ssrc: Ssrc(u32::try_from(point["ssrc"].as_u64().unwrap()).unwrap()),
        sequence: point["sequence"].as_u64().unwrap(),
    };
    let audio_ssrc = call.assign_ssrc();
    let participant = Participant {
        user: text(&asked["user"]),
        client: text(&asked["client"]),
        leg: Leg { rtp: address("rtp"), floor: Some(address("floor")) },
        audio_ssrc,
        queueing: true,
        priority: 0,
        receive_only: false,
        implicit_floor_request: false,
        resume: asked["resume"].as_array().into_iter().flatten().map(point).collect(),
        expires: Some(Millis::from_secs(60)),
    };
    let entered = call.enter(participant).await.unwrap();
    let ports = call.ports();
    json!({
        "call": "only",
        "participant": entered.slot.0.to_string(),
        "leg": {
            "rtp": ports.rtp.to_string(), "floor": ports.floor.to_string(),
            "audio_ssrc": audio_ssrc.0, "floor_ssrc": call.floor_ssrc().0,
        },
        "late_entry": late_entry(&entered),
    })
}

fn late_entry(entered: &Entered) -> Value {
    let floor = &entered.facts.floor;
    let state = match floor.state {
        FloorState::Idle => "idle",
        FloorState::Taken => "taken",
        FloorState::PendingRevoke => "pending_revoke",
    };
    let media = |media: &MediaFacts| {
        json!({
            "ssrc": media.ssrc.0, "sequence": media.sequence, "rollover": media.sequence >> 16,
            "resumed_from": media.resumed_from,
            "missed": media.missed.map(|(first, last)| json!({"first": first, "last": last})),
        })
    };
    json!({
        "floor": {
            "state": state, "talker": floor.talker, "audio_ssrc": floor.audio_ssrc.map(|ssrc| ssrc.0),
            "message_sequence_number": floor.message_sequence_number,
        },
        "media": entered.facts.media.iter().map(media).collect::<Vec<_>>(),
    })
}
