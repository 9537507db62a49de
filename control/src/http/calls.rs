//! Calls: started, shown, ended.

use axum::{Json, extract::State, http::StatusCode};
use control_core::{Cause, Refused};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Answer, Face, Shared, answer,
    body::{Body, Ids, Page},
    not_yet,
    participants::{EnterBody, asked, put_in},
};
use crate::registry::Entry;

/// How often a start looks for the running call again that ended before it was entered.
const ATTEMPTS: usize = 3;

pub(super) async fn start(
    State(face): Shared,
    Ids(group): Ids<String>,
    Body(body): Body<EnterBody>,
) -> Answer<(StatusCode, Json<Value>)> {
    let stored = face.registry.group(&group)?;
    check_type(body.kind())?;
    let entry = body.check(&face)?;
    stored.standing(&entry.user)?;
    if !face.registry.call_of_group(&group).is_some_and(|call| call.has(&entry)) {
        face.takes_work()?;
    }
    let lock = face.registry.start_lock(&group);
    for _ in 0..ATTEMPTS {
        let guard = lock.lock().await;
        let (call, is_new) = face.registry.call_to_enter(&group)?;
        let entered = match is_new {
            true => first(&face, &call, entry.clone()).await,
            false => {
                drop(guard);
                put_in(&face, &call, entry.clone()).await
            }
        };
        match entered {
            Err(refused) if refused.cause == Cause::CallEnded => {
                // It is no longer found once its end is complete, whoever began that.
                _ = face.registry.end(&call).await;
            }
            Err(refused) => return Err(refused.into()),
            Ok((document, _)) => {
                let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
                return Ok((status, Json(document)));
            }
        }
    }
    Err(Refused::new(Cause::CallEnded, group, "the running call ended while it was entered").into())
}

/// Enters the originator of a new call; without it there is no call.
async fn first(
    face: &Face,
    call: &std::sync::Arc<crate::registry::CallRecord>,
    entry: Entry,
) -> Result<(Value, bool), Refused> {
    let entered = put_in(face, call, entry).await;
    if entered.is_err()
        && let Err(refused) = face.registry.end(call).await
    {
        tracing::warn!("call {} not released: {}", call.id, refused.detail);
    }
    entered
}

pub(super) async fn get(State(face): Shared, Ids(id): Ids<String>) -> Answer<Json<Value>> {
    let call = face.registry.call(&id)?;
    let facts = call.media.describe().await.map_err(|error| asked(&call, error))?;
    Ok(Json(answer::described(&call, &facts)))
}

pub(super) async fn list(State(face): Shared, page: Page) -> Json<Value> {
    let all = face.registry.calls_after(page.after.as_deref());
    page.of(
        all,
        |call| call.id.clone(),
        |call| {
            let status = call.media.status();
            let newest: Vec<_> = status.newest.into_iter().collect();
            answer::call(call, &status.floor, &newest)
        },
    )
}

pub(super) async fn delete(State(face): Shared, Ids(id): Ids<String>) -> Answer<StatusCode> {
    match face.registry.call(&id) {
        Ok(call) => face.registry.end(&call).await?,
        Err(refused) if refused.cause == Cause::CallEnded => {}
        Err(refused) => return Err(refused.into()),
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The body of a change of type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypeBody {
    #[serde(rename = "type")]
    kind: String,
}

/// Changes the type of a call. This build has normal calls only: they may stay normal.
pub(super) async fn patch(
    State(face): Shared,
    Ids(id): Ids<String>,
    Body(body): Body<TypeBody>,
) -> Answer<Json<Value>> {
    check_type(Some(&body.kind))?;
    get(State(face), Ids(id)).await
}

fn check_type(kind: Option<&str>) -> Result<(), Refused> {
    match kind {
        None | Some("normal") => Ok(()),
        Some("emergency" | "imminent_peril" | "broadcast") => not_yet::field("type", false),
        Some(other) => {
            let detail = format!("type is '{other}', not normal, emergency, imminent_peril or broadcast");
            Err(Refused::new(Cause::InvalidField, "type", detail))
        }
    }
}
