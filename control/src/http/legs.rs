//! A participant's leg: refreshed, or replaced.

use axum::{Json, extract::State};
use serde_json::Value;

use super::{
    Answer, Shared,
    body::{Body, Ids},
    participants::{LegBody, put_in},
};
use crate::registry::Entry;

/// The same client on the leg of the body; media goes on from the last packet that went to the old one.
pub(super) async fn replace(
    State(face): Shared,
    Ids((call, participant)): Ids<(String, String)>,
    Body(body): Body<LegBody>,
) -> Answer<Json<Value>> {
    let call = face.registry.call(&call)?;
    let placed = face.registry.placed(&call, &participant).await?;
    let (leg, queueing, priority) = body.check(&face)?;
    let entry = Entry { leg, queueing, priority, resume: Vec::new(), implicit_floor_request: false, ..placed.asked };
    let (document, _) = put_in(&face, &call, entry).await?;
    Ok(Json(document))
}
