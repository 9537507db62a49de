//! Problem documents (RFC 9457).

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use control_core::{Cause, Refused};
use serde_json::{Value, json};

use super::Face;

/// A refusal on its way out.
#[derive(Debug)]
pub(crate) struct Problem {
    refused: Refused,
    status: u16,
}

/// Tells the guard which limit refused, so that it counts.
#[derive(Clone)]
pub(super) struct LimitReached(pub(super) String);

/// Seconds after which it is worth asking again.
const RETRY_AFTER_S: &str = "1";

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        let status = refused.cause.status();
        Problem { refused, status }
    }
}

impl Problem {
    /// The same under another status: a path that is not there yet is 404.
    pub(super) fn with_status(self, status: u16) -> Problem {
        Problem { status, ..self }
    }
}

/// The document of a refusal.
pub(super) fn document(refused: &Refused, status: u16) -> Value {
    let Refused { cause, subject, detail, advice } = refused;
    json!({
        "type": format!("urn:carryover:problem:{}", cause.code()),
        "title": cause.title(),
        "status": status,
        "detail": detail,
        "code": cause.code(),
        "subject": subject,
        "advice": advice.as_deref().unwrap_or(cause.advice()),
    })
}

/// The document of a refusal inside a list, where no answer carries it to the guard: a limit is counted here.
pub(super) fn in_item(face: &Face, refused: &Refused) -> Value {
    if refused.cause == Cause::LimitReached {
        face.registry.counters.refuse(&refused.subject);
    }
    document(refused, refused.cause.status())
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = document(&self.refused, self.status);
        let Refused { cause, subject, .. } = self.refused;
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if matches!(self.status, 429 | 503) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        if matches!(cause, Cause::LimitReached | Cause::BodyTooLarge) {
            response.extensions_mut().insert(LimitReached(subject));
        }
        response
    }
}
