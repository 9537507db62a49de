//! A participant's leg: refreshed, or replaced.

use axum::{Json, extract::State};
use serde_json::Value;

use super::{
    Answer, Shared, answer,
    body::{Body, Ids},
    participants::LegBody,
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
    let entry = Entry {
        leg: leg.into(),
        queueing,
        priority,
        resume: Vec::new(),
        implicit_floor_request: false,
        ..placed.asked.clone()
    };
    let standing = face.registry.standing(&call, &placed)?;
    let seat = face.registry.enter(&call, entry, standing).await?;
    face.mobility.came(&seat);
    Ok(Json(answer::entered(&face.registry.relay, &seat)))
}
