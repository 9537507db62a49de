//! What is checked before any path: who asks, from where, and in which form (API 'Conventions').

use std::{
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use control_core::{Cause, Refused};
use tokio::runtime::Handle;

use super::{
    Face,
    problem::{LimitReached, Problem},
};

/// Checks a request and counts its answer.
pub(super) async fn check(State(face): State<Arc<Face>>, request: Request, next: Next) -> Response {
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let response = match check_headers(request.method(), request.headers(), authority) {
        Ok(()) => CarriedOut::new(request.uri().path().to_owned(), next.run(request)).await,
        Err(refused) => Problem::from(refused).into_response(),
    };
    let counters = &face.registry.counters;
    counters.answer(response.status().as_u16());
    if let Some(LimitReached(limit)) = response.extensions().get() {
        counters.refuse(limit);
    }
    response
}

/// A request that is carried out to its end, also if its client hangs up meanwhile: half an entry would be a participant that nobody
/// can take out again. It runs in its connection's task, for a task of its own would wake another thread for every request; only
/// when that is given up it goes on in one of its own.
struct CarriedOut {
    path: String,
    answer: Option<Pin<Box<dyn Future<Output = Response> + Send>>>,
}

impl CarriedOut {
    fn new(path: String, answer: impl Future<Output = Response> + Send + 'static) -> CarriedOut {
        CarriedOut { path, answer: Some(Box::pin(answer)) }
    }
}

impl Future for CarriedOut {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        let Some(answer) = self.answer.as_mut() else { return Poll::Pending };
        // Whatever the work leaves half done when it panics is what a task of its own would leave.
        let polled = catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context)));
        let response = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(response)) => response,
            Err(_) => {
                tracing::error!("{} was not carried out: a bug of this node, which its log shows", self.path);
                let refused = Refused::new(Cause::Internal, self.path.as_str(), "the request was not carried out");
                Problem::from(refused).into_response()
            }
        };
        self.answer = None;
        Poll::Ready(response)
    }
}

impl Drop for CarriedOut {
    fn drop(&mut self) {
        // Without a runtime the node has ended, and everything with it.
        if let (Some(answer), Ok(runtime)) = (self.answer.take(), Handle::try_current()) {
            runtime.spawn(answer);
        }
    }
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

    #[tokio::test]
    async fn a_request_is_carried_out_when_its_client_hangs_up() {
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        let (finish, finished) = tokio::sync::oneshot::channel();
        let work = async move {
            told.await.expect("the owner answers");
            finish.send(()).expect("somebody looks");
            ().into_response()
        };
        let mut answer = Box::pin(CarriedOut::new("/".into(), work));
        let mut waiting = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(answer.as_mut().poll(&mut waiting).is_pending());
        drop(answer);
        tell.send(()).expect("the work goes on");
        finished.await.expect("and ends");
    }

    #[tokio::test]
    async fn a_bug_is_answered_as_a_problem() {
        let answer = CarriedOut::new("/v1/calls".into(), async { panic!("a bug that the test makes") }).await;
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
    }

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
