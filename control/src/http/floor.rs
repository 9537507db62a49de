//! The floor by API.

use axum::{Json, extract::State};
use control_core::{Cause, Refused};
use relay::{FloorAction, FloorResult};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answer, Shared,
    body::{Body, Ids},
    not_yet,
    participants::asked,
};

/// What is asked of the floor.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FloorBody {
    action: Action,
    #[serde(default = "five")]
    priority: u8,
    #[serde(default)]
    emergency: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Request,
    Release,
}

const fn five() -> u8 {
    5
}

pub(super) async fn ask(
    State(face): Shared,
    Ids((call, participant)): Ids<(String, String)>,
    Body(body): Body<FloorBody>,
) -> Answer<Json<Value>> {
    let call = face.registry.call(&call)?;
    let placed = face.registry.placed(&call, &participant).await?;
    not_yet::field("emergency", !body.emergency)?;
    let action = match body.action {
        Action::Request => {
            if face.registry.standing(&call, &placed)?.receive_only {
                let detail = format!("{} may only listen", placed.asked.user);
                return Err(Refused::new(Cause::ReceiveOnly, participant, detail).into());
            }
            FloorAction::Request { priority: body.priority }
        }
        Action::Release => FloorAction::Release,
    };
    let answer = call.media.floor(placed.slot, placed.entry, action).await.map_err(|error| asked(&call, error))?;
    let (result, cause) = match answer.result {
        FloorResult::Granted => ("granted", Value::Null),
        FloorResult::Queued => ("queued", Value::Null),
        FloorResult::Released => ("released", Value::Null),
        FloorResult::Denied(cause) => ("denied", json!({"code": cause.code(), "word": cause.word()})),
    };
    Ok(Json(json!({
        "result": result,
        "position": answer.position,
        "duration_s": answer.duration_s,
        "cause": cause,
    })))
}
