//! The HTTP/JSON face: API v1, word for word.

mod admission;
mod affiliations;
mod answer;
mod authorizations;
mod batch;
mod body;
mod calls;
mod floor;
mod groups;
mod guard;
mod legs;
mod migrations;
mod not_yet;
mod participants;
mod partners;
mod problem;
mod system;
mod users;
mod wanted;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Router,
    extract::State,
    middleware,
    routing::{any, delete, get, post, put},
    serve::ListenerExt,
};
use control_core::{Cause, Refused};
use tokio::{net::TcpListener, sync::watch};

use crate::{keeping::Keeping, mobility::Mobility, registry::Registry};
pub(crate) use answer::entered;
use problem::Problem;
pub(crate) use system::LIMITS;

/// What every request is answered from.
pub(crate) struct Face {
    pub(crate) system: String,
    pub(crate) registry: Arc<Registry>,
    pub(crate) mobility: Arc<Mobility>,
    pub(crate) keeping: Arc<Keeping>,
    /// Documents of groups are stored in the order in which they took effect.
    documents: tokio::sync::Mutex<()>,
    draining: AtomicBool,
}

type Answer<T> = Result<T, Problem>;
type Shared = State<Arc<Face>>;

impl Face {
    pub(crate) fn new(system: String, registry: Arc<Registry>, mobility: Arc<Mobility>, keeping: Arc<Keeping>) -> Face {
        Face { system, registry, mobility, keeping, documents: Default::default(), draining: AtomicBool::new(false) }
    }

    /// From now on nothing new is taken.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Refuses while the node drains.
    fn takes_work(&self) -> Result<(), Refused> {
        match self.is_draining() {
            true => Err(Refused::new(Cause::Draining, &self.system, "the node is draining; running calls go on")),
            false => Ok(()),
        }
    }
}

/// Serves until `stopping` says so.
pub(crate) async fn serve(socket: TcpListener, face: Arc<Face>, mut stopping: watch::Receiver<bool>) {
    let socket = socket.tap_io(|connection| {
        // A late entry waits for no delayed acknowledgement.
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!("TCP_NODELAY not set: {error}");
        }
    });
    let stopped = async move {
        // An error means that the node is gone, which ends this just as well.
        _ = stopping.wait_for(|stopping| *stopping).await;
    };
    let served = axum::serve(socket, router(face)).with_graceful_shutdown(stopped).await;
    if let Err(error) = served {
        tracing::error!("HTTP ended: {error}");
    }
}

/// Every path of API v1. What this build does not have yet says so.
pub(crate) fn router(face: Arc<Face>) -> Router {
    Router::new()
        .route("/healthz", get(system::healthz))
        .route("/readyz", get(system::readyz))
        .route("/metrics", get(system::metrics))
        .route("/openapi.json", get(system::openapi))
        .route("/v1/system", get(system::system))
        .route("/v1/groups", get(groups::list))
        .route("/v1/groups/{group}", put(groups::put).get(groups::get).delete(groups::delete))
        .route("/v1/groups/{group}/calls", post(calls::start))
        .route("/v1/calls", get(calls::list))
        .route("/v1/calls/{call}", get(calls::get).delete(calls::delete).patch(calls::patch))
        .route("/v1/calls/{call}/participants", post(participants::enter).get(participants::list))
        .route("/v1/calls/{call}/participants/{participant}", delete(participants::leave))
        .route("/v1/calls/{call}/participants/{participant}/leg", put(legs::replace))
        .route("/v1/calls/{call}/participants/{participant}/floor", post(floor::ask))
        .route("/v1/users/{user}", put(users::put).get(users::get).delete(users::delete))
        .route("/v1/partners/{system}", put(partners::put).get(partners::get).delete(partners::delete))
        .route("/v1/authorizations", post(authorizations::post))
        .route("/v1/authorizations/{authorization}", delete(authorizations::delete))
        .route("/v1/affiliations", post(affiliations::post))
        .route(
            "/v1/affiliations/{affiliation}",
            get(affiliations::get).put(affiliations::refresh).delete(affiliations::delete),
        )
        .route("/v1/migrations", post(migrations::post))
        .route("/v1/migrations/{migration}", get(migrations::get))
        .route("/docs", any(not_yet::path))
        .route("/v1/events", any(not_yet::path))
        .route("/v1/system/drain", any(not_yet::path))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(Arc::clone(&face), guard::check))
        .with_state(face)
}

/// The rules answered something else than what was asked for.
fn unexpected() -> Refused {
    Refused::new(Cause::Internal, "system", "the rules answered something else than what was asked for")
}

async fn not_found(uri: axum::http::Uri) -> Problem {
    Refused::new(Cause::NotFound, uri.path(), format!("{} is no path of this API", uri.path())).into()
}

async fn method_not_allowed(method: axum::http::Method, uri: axum::http::Uri) -> Problem {
    Refused::new(Cause::MethodNotAllowed, uri.path(), format!("{} has no {method}", uri.path())).into()
}
