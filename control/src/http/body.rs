//! Bodies and queries: JSON into checked values, and what is wrong with them by name.

use std::sync::Arc;

use axum::{
    body::to_bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::request::Parts,
};
use control_core::{Cause, Refused};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

use super::{Face, problem::Problem};

/// Largest body. Bytes.
pub(super) const BODY_MAX: usize = 1 << 20;

/// Most items of one page.
pub(super) const PAGE_MAX: usize = 1000;

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Face>> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Arc<Face>) -> Result<Self, Problem> {
        let bytes = to_bytes(request.into_body(), BODY_MAX).await.map_err(|_| {
            Refused::new(Cause::BodyTooLarge, "body_bytes", format!("the body exceeds {BODY_MAX} bytes, or broke off"))
        })?;
        let bytes = if bytes.is_empty() { &b"{}"[..] } else { &bytes };
        Ok(Body(parse(bytes)?))
    }
}

/// Reads JSON; tells a body that is no JSON from one with a wrong field.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refused> {
    // A wrong field is found before the end is seen: whether all of it is JSON is asked by itself.
    serde_json::from_slice::<IgnoredAny>(bytes)
        .map_err(|error| Refused::new(Cause::MalformedJson, "body", error.to_string()))?;
    axum::Json::from_bytes(bytes).map(|axum::Json(value)| value).map_err(|error| wrong_field(&error.body_text()))
}

/// What axum says of a wrong field: a preamble, the path to the value unless it is the body itself, and serde's message.
fn wrong_field(text: &str) -> Refused {
    let detail = text.split_once(": ").map_or(text, |(_, detail)| detail);
    let starts = ["unknown field `", "missing field `", "unknown variant `", "duplicate field `", "invalid "];
    let at = starts.iter().filter_map(|start| detail.find(start)).min().unwrap_or(0);
    let (path, message) = detail.split_at(at);
    let path = path.trim_end_matches(": ");
    let cause = match message {
        _ if message.starts_with("unknown field") => Cause::UnknownField,
        _ if message.starts_with("missing field") => Cause::MissingField,
        _ => Cause::InvalidField,
    };
    // The path ends at what was read: a missing field is named by the message alone.
    let missing = message.split('`').nth(1).filter(|_| cause == Cause::MissingField);
    let subject: Vec<&str> = [path].into_iter().filter(|path| !path.is_empty()).chain(missing).collect();
    let subject = if subject.is_empty() { String::from("body") } else { subject.join(".") };
    Refused::new(cause, subject, detail)
}

/// The ids that a path names.
pub(super) struct Ids<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Face>> for Ids<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, face: &Arc<Face>) -> Result<Self, Problem> {
        let ids = Path::<T>::from_request_parts(parts, face).await;
        let Path(ids) = ids.map_err(|error| Refused::new(Cause::MalformedRequest, "path", error.body_text()))?;
        Ok(Ids(ids))
    }
}

/// Which page of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PageQuery {
    limit: Option<usize>,
    after: Option<String>,
}

/// Which page of a list: how many, and what it comes after.
pub(super) struct Page {
    pub(super) limit: usize,
    pub(super) after: Option<String>,
}

impl FromRequestParts<Arc<Face>> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, face: &Arc<Face>) -> Result<Self, Problem> {
        let query = Query::<PageQuery>::from_request_parts(parts, face).await;
        let Query(query) = query.map_err(|error| Refused::new(Cause::MalformedRequest, "query", error.body_text()))?;
        let limit = query.limit.unwrap_or(PAGE_MAX);
        if !(1..=PAGE_MAX).contains(&limit) {
            let detail = format!("limit is {limit}, not 1 to {PAGE_MAX}");
            return Err(Refused::new(Cause::InvalidField, "limit", detail).into());
        }
        Ok(Page { limit, after: query.after })
    }
}

impl Page {
    /// The answer: at most `limit` of `all`, and where the next page begins.
    pub(super) fn of<T>(
        &self,
        all: Vec<T>,
        key: impl Fn(&T) -> String,
        show: impl Fn(&T) -> serde_json::Value,
    ) -> axum::Json<serde_json::Value> {
        let more = all.len() > self.limit;
        let items = &all[..all.len().min(self.limit)];
        let next = items.last().filter(|_| more).map(key);
        axum::Json(serde_json::json!({"items": items.iter().map(show).collect::<Vec<_>>(), "next": next}))
    }
}
