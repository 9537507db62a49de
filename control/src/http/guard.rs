//! What is checked before any path: who asks, from where, and in which form (API 'Conventions').

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use control_core::{Cause, Refused};

use super::{
    Face,
    problem::{LimitReached, Problem},
};

/// Checks a request and counts its answer.
pub(super) async fn check(State(face): State<Arc<Face>>, request: Request, next: Next) -> Response {
    let response = match check_headers(request.method(), request.headers(), request.uri().host()) {
        Ok(()) => next.run(request).await,
        Err(refused) => Problem::from(refused).into_response(),
    };
    let counters = &face.registry.counters;
    counters.answer(response.status().as_u16());
    if let Some(LimitReached(limit)) = response.extensions().get() {
        counters.refuse(limit);
    }
    response
}

fn check_headers(method: &Method, headers: &HeaderMap, authority: Option<&str>) -> Result<(), Refused> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text(header::HOST).or(authority).unwrap_or("");
    if !is_loopback_name(host) {
        return Err(Refused::new(Cause::MisdirectedHost, host, format!("the Host header is '{host}'")));
    }
    if let Some(origin) = text(header::ORIGIN)
        && origin.strip_prefix("http://") != Some(host)
    {
        return Err(Refused::new(Cause::ForeignOrigin, origin, format!("the Origin is '{origin}', not http://{host}")));
    }
    if matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        let media_type = text(header::CONTENT_TYPE).unwrap_or("");
        let essence = media_type.split(';').next().unwrap_or("").trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            let detail = format!("the content type is '{media_type}'");
            return Err(Refused::new(Cause::UnsupportedMediaType, "content-type", detail));
        }
    }
    for name in ["idempotency-key", "if-match"] {
        if headers.contains_key(name) {
            return Err(Refused::new(Cause::NotYet, name, format!("this build does not honour {name} yet")));
        }
    }
    Ok(())
}

/// Whether a Host header names this machine by a loopback name, with or without a port.
fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_this_machine() {
        for host in
            ["localhost", "localhost:8080", "LOCALHOST", "127.0.0.1", "127.0.0.1:1", "127.8.8.8", "[::1]", "[::1]:8080"]
        {
            assert!(is_loopback_name(host), "{host}");
        }
        for host in
            ["", "example.org", "localhost.example.org", "10.0.0.1", "[::2]:80", "127.0.0.1.example.org", "localhost:x"]
        {
            assert!(!is_loopback_name(host), "{host}");
        }
    }
}
