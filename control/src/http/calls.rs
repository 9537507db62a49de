//! Calls: started, shown, ended.

use axum::{Json, extract::State, http::StatusCode};
use control_core::{Cause, Refused};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Answer, Shared,
    admission::{Admitted, admit, concluded},
    answer,
    body::{Body, Ids, Page},
    not_yet,
    participants::{EnterBody, asked},
};

pub(super) async fn start(
    State(face): Shared,
    Ids(group): Ids<String>,
    Body(body): Body<EnterBody>,
) -> Answer<(StatusCode, Json<Value>)> {
    check_type(body.kind())?;
    let entry = body.check(&face)?;
    let admitted = admit(&face, &group, entry).await?;
    let failure = admitted.failure(&group);
    let Admitted { entry, standing, opening, .. } = admitted;
    let is_there = face.registry.call_of_group(&group).is_some_and(|call| call.has(&entry));
    let entered = match if is_there { Ok(()) } else { face.takes_work() } {
        Ok(()) => face.registry.start(&group, opening, entry, standing).await,
        Err(refused) => Err(refused),
    };
    let (seat, started) = concluded(&face, failure, entered).await?;
    // In this order: whoever is in the call is not entered once more by its beginning.
    face.mobility.came(&seat);
    if started {
        face.registry.began(&seat.call);
    }
    let status = if started { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(answer::entered(&face.registry.relay, &seat))))
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
