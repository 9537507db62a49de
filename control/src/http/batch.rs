//! Many enter a running call by one request: each item has its own answer or its own problem.

use std::sync::Arc;

use axum::Json;
use control_core::{Cause, Refused, group::Standing, system::Ask};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Face,
    admission::{Admitted, admit, concluded},
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
    let mut checked = Vec::with_capacity(items.len());
    let mut batch = Vec::with_capacity(items.len());
    for item in items {
        checked.push(match check(face, call, item).await {
            Ok((entry, standing, failure)) => {
                batch.push((entry, standing));
                Ok(failure)
            }
            Err(refused) => Err(refused),
        });
    }
    let mut seats = face.registry.enter_many(call, batch).await.into_iter();
    let mut answers = Vec::with_capacity(checked.len());
    for checked in checked {
        let entered = match checked {
            Ok(failure) => concluded(face, failure, seats.next().unwrap_or_else(|| Err(super::unexpected()))).await,
            Err(refused) => Err(refused),
        };
        answers.push(match entered {
            Ok(seat) => {
                face.mobility.came(&seat);
                answer::entered(&face.registry.relay, &seat)
            }
            Err(refused) => problem::in_item(face, &refused),
        });
    }
    Ok(Json(json!({"items": answers})))
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

/// One item, as a request of its own is checked; with what has to be told if nothing becomes of it.
async fn check(face: &Face, call: &CallRecord, item: Value) -> Result<(Entry, Standing, Option<Ask>), Refused> {
    let read = match EnterBody::deserialize(&item) {
        Ok(read) => read,
        // Read once more, for the path to what is wrong.
        Err(_) => body::parse(item.to_string().as_bytes())?,
    };
    let entry = read.check_entry(face)?;
    let admitted = admit(face, &call.group, entry).await?;
    let failure = admitted.failure(&call.group);
    let Admitted { entry, standing, .. } = admitted;
    match if call.has(&entry) { Ok(()) } else { face.takes_work() } {
        Ok(()) => Ok((entry, standing, failure)),
        refused => concluded(face, failure, refused.map(|()| (entry, standing, None))).await,
    }
}
