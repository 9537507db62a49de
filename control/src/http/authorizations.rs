//! Service authorisation of a client (TS 23.280 §10.6), and the tickets with which it may move.

use axum::{Json, extract::State, http::StatusCode};
use control_core::{
    group::check_id,
    system::{Answer as Said, Ask, Service},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answer, Shared, answer,
    body::{Body, Ids},
    unexpected,
};

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthorizationBody {
    user: String,
    client: String,
    profile: Option<u32>,
}

pub(super) async fn post(
    State(face): Shared,
    Body(body): Body<AuthorizationBody>,
) -> Answer<(StatusCode, Json<Value>)> {
    face.takes_work()?;
    let AuthorizationBody { user, client, profile } = body;
    check_id("user", &user)?;
    check_id("client", &client)?;
    let ask = Ask::Authorize { user, client, profile, service: Service::default() };
    let Said::Authorized { authorization, user, tickets } = face.mobility.ask(ask).await? else {
        return Err(unexpected().into());
    };
    let relay = &face.registry.relay;
    let tickets: Vec<Value> = tickets
        .into_iter()
        .map(|ticket| {
            let expires = answer::date(relay.wall_clock(relay.now() + ticket.expires));
            json!({"system": ticket.system, "ticket": ticket.ticket, "expires": expires})
        })
        .collect();
    let document = json!({"authorization": authorization, "user": user, "tickets": tickets});
    Ok((StatusCode::CREATED, Json(document)))
}

pub(super) async fn delete(State(face): Shared, Ids(authorization): Ids<String>) -> Answer<StatusCode> {
    face.mobility.ask(Ask::Deauthorize { authorization }).await?;
    Ok(StatusCode::NO_CONTENT)
}
