//! What the machine wants of calls: a client that has to be in one, or out of it.

use std::sync::Arc;

use control_core::{Cause, Refused, system::Enter};
use relay_core::late_entry::ResumePoint;
use serde_json::Value;

use crate::{
    http,
    registry::{Entry, Opening, Registry},
};

/// Enters a client. Answers what the API shows of it.
pub(super) async fn enter(registry: &Registry, enter: Enter) -> Result<Value, Refused> {
    let Enter { group, home, document, user, client, leg, resume, standing, start, .. } = enter;
    let entry = Entry {
        user,
        client,
        leg: leg.leg.into(),
        ssrc: None,
        queueing: leg.queueing,
        priority: leg.priority,
        resume,
        implicit_floor_request: false,
        expires: leg.expires,
    };
    let opens = start || home.is_some();
    let opening = document.map(|document| Opening { home, document, start });
    let seat = match opens {
        true => {
            let (seat, started) = registry.start(&group, opening, entry, standing).await?;
            if started {
                registry.began(&seat.call);
            }
            seat
        }
        false => {
            let call = registry.call_of_group(&group).ok_or_else(|| {
                Refused::new(Cause::CallEnded, &group, format!("the call of {group} has ended meanwhile"))
            })?;
            registry.enter(&call, entry, standing).await?
        }
    };
    Ok(http::entered(&registry.relay, &seat))
}

/// Takes a client out of the call of a group, if it is in it. Answers the last packet that was sent to it, per SSRC.
pub(super) async fn leave(
    registry: &Arc<Registry>,
    user: &str,
    client: &str,
    group: &str,
    moving: bool,
) -> Vec<ResumePoint> {
    let Some(call) = registry.call_of_group(group) else { return Vec::new() };
    let heard = registry.take_out_client(&call, user, client, moving).await;
    registry.end_after_grace(&call);
    heard
}
