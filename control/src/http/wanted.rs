//! Groups that a client wants, and what became of them: the parts that affiliations and migrations share.

use std::{collections::BTreeSet, time::Duration};

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use control_core::{
    Cause, Refused,
    group::check_id,
    system::{Item, LegRequest, Wanted},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    Face,
    participants::{LegBody, ResumeBody, check_expiry, check_resume},
    problem::{self, Problem},
};

/// `affiliation.groups`: groups of one affiliation or migration.
pub(super) const GROUPS_MAX: usize = 256;

/// Longest wait for a change. Seconds.
pub(super) const WAIT_S_MAX: u64 = 60;

/// A group as a client names it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedBody {
    group: String,
    #[serde(default)]
    resume: Vec<ResumeBody>,
}

/// Checks the groups that a client names: each once, in its order.
pub(super) fn check_groups(groups: Vec<WantedBody>) -> Result<Vec<Wanted>, Refused> {
    if groups.len() > GROUPS_MAX {
        let detail = format!("{} groups exceed {GROUPS_MAX}", groups.len());
        let advice = "affiliate to the groups that the client wants to hear now";
        return Err(Refused::new(Cause::LimitReached, "affiliation.groups", detail).advise(advice));
    }
    let mut named = BTreeSet::new();
    let mut wanted = Vec::with_capacity(groups.len());
    for (at, WantedBody { group, resume }) in groups.into_iter().enumerate() {
        check_id(&format!("groups[{at}].group"), &group)?;
        if !named.insert(group.clone()) {
            let detail = format!("{group} is named twice");
            return Err(Refused::new(Cause::InvalidField, format!("groups[{at}].group"), detail));
        }
        wanted.push(Wanted { group, resume: check_resume(resume)? });
    }
    Ok(wanted)
}

/// Checks the leg on which a client wants to be entered, and how long it lives.
pub(super) fn check_leg(face: &Face, leg: LegBody, expires_s: u32) -> Result<LegRequest, Refused> {
    let (leg, queueing, priority) = leg.check(face)?;
    Ok(LegRequest { leg, queueing, priority, expires: check_expiry(expires_s)? })
}

/// One item: affiliated (`status`), with what the client is told if it is in the call; or why not.
pub(super) fn item(face: &Face, item: &Item<Value>, status: &str) -> Value {
    match &item.result {
        Ok(entered) => {
            let mut document = json!({"group": item.group, "status": status, "entered": entered});
            if let Some(refused) = &item.not_entered {
                document["not_entered"] = problem::in_item(face, refused);
            }
            document
        }
        Err(refused) => {
            let mut document = problem::in_item(face, refused);
            document["group"] = json!(item.group);
            document
        }
    }
}

/// How long a reader waits for news, and what it knows already.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitQuery {
    #[serde(default)]
    wait_s: u64,
    revision: Option<u64>,
}

/// A checked `?wait_s=`, with the revision that the reader knows, if it says so.
pub(super) struct Wait {
    wait: Duration,
    known: Option<u64>,
}

impl Wait {
    /// How long to wait.
    pub(super) fn time(&self) -> Duration {
        self.wait
    }

    /// Whether a document of this revision is news already.
    pub(super) fn is_news(&self, revision: u64) -> bool {
        self.known.is_some_and(|known| known != revision)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Wait {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let WaitQuery { wait_s, revision } = query(parts, state).await?;
        if wait_s > WAIT_S_MAX {
            let detail = format!("wait_s is {wait_s}, not 0 to {WAIT_S_MAX}");
            return Err(Refused::new(Cause::InvalidField, "wait_s", detail).into());
        }
        Ok(Wait { wait: Duration::from_secs(wait_s), known: revision })
    }
}

/// The query of a request.
pub(super) async fn query<T: DeserializeOwned + Send, S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
) -> Result<T, Problem> {
    let query = Query::<T>::from_request_parts(parts, state).await;
    let Query(query) = query.map_err(|error| Refused::new(Cause::MalformedRequest, "query", error.body_text()))?;
    Ok(query)
}
