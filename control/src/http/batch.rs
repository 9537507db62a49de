//! Many enter a running call by one request: each item has its own answer or its own problem.

use std::sync::Arc;

use axum::Json;
use control_core::{Cause, Refused, group::Standing};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Face,
    admission::{Admitted, admit},
    answer, body,
    participants::EnterBody,
    problem,
};
use crate::registry::{CallRecord, Entry};

/// `batch.items`: entries of one request.
pub(super) const ITEMS_MAX: usize = 1000;

/// Enters the items as if they were sent one after the other. Refused as a whole only for what concerns the whole.
pub(super) async fn enter(face: &Face, call: &Arc<CallRecord>, body: EnterBody) -> Result<Json<Value>, Refused> {
    let items = body.items()?;
    check_length(items.len())?;
    let mut refusals = Vec::with_capacity(items.len());
    let mut batch = Vec::with_capacity(items.len());
    for item in items {
        refusals.push(match check(face, call, item).await {
            Ok(admitted) => {
                batch.push(admitted);
                None
            }
            Err(refused) => Some(refused),
        });
    }
    let mut seats = face.registry.enter_many(call, batch).await.into_iter();
    let mut answer = |refusal: Option<Refused>| match refusal.map_or_else(|| seats.next(), |refused| Some(Err(refused)))
    {
        Some(Ok(seat)) => {
            face.mobility.came(&seat);
            answer::entered(&face.registry.relay, &seat)
        }
        Some(Err(refused)) => problem::in_item(face, &refused),
        None => problem::in_item(face, &super::unexpected()),
    };
    let items: Vec<Value> = refusals.into_iter().map(&mut answer).collect();
    Ok(Json(json!({"items": items})))
}

fn check_length(length: usize) -> Result<(), Refused> {
    if length == 0 {
        return Err(Refused::new(Cause::InvalidField, "items", "items is empty: nobody is to be entered"));
    }
    if length > ITEMS_MAX {
        let detail = format!("{length} items exceed {ITEMS_MAX}");
        return Err(Refused::new(Cause::LimitReached, "batch.items", detail).advise("send them in several batches"));
    }
    Ok(())
}

/// One item, as a request of its own is checked.
async fn check(face: &Face, call: &CallRecord, item: Value) -> Result<(Entry, Standing), Refused> {
    let read = match EnterBody::deserialize(&item) {
        Ok(read) => read,
        // Read once more, for the path to what is wrong.
        Err(_) => body::parse(item.to_string().as_bytes())?,
    };
    let entry = read.check_entry(face)?;
    let Admitted { entry, standing, .. } = admit(face, &call.group, entry).await?;
    if !call.has(&entry) {
        face.takes_work()?;
    }
    Ok((entry, standing))
}
