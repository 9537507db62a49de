//! What API v1 has and this build does not yet: said by name, never a silent no.

use axum::http::Uri;
use control_core::{Cause, Refused};

use super::{body::Ids, problem::Problem};

/// First parts of paths below `/v1` that later builds have.
const KINDS: [&str; 6] = ["users", "partners", "authorizations", "affiliations", "migrations", "events"];

/// A path that later builds have.
pub(super) async fn path(uri: Uri) -> Problem {
    later(uri.path())
}

pub(super) async fn path_below(Ids((kind, _)): Ids<(String, String)>, uri: Uri) -> Problem {
    by_kind(&kind, &uri)
}

pub(super) async fn path_below_v1(Ids(kind): Ids<String>, uri: Uri) -> Problem {
    by_kind(&kind, &uri)
}

/// Refuses a field of a feature that later builds have, unless it has its default value.
pub(super) fn field(name: &str, is_default: bool) -> Result<(), Refused> {
    match is_default {
        true => Ok(()),
        false => Err(Refused::new(Cause::NotYet, name, format!("this build knows only the default of {name}"))),
    }
}

fn by_kind(kind: &str, uri: &Uri) -> Problem {
    match KINDS.contains(&kind) {
        true => later(uri.path()),
        false => Refused::new(Cause::NotFound, uri.path(), format!("{} is no path of this API", uri.path())).into(),
    }
}

fn later(path: &str) -> Problem {
    Problem::from(Refused::new(Cause::NotYet, path, format!("this build does not have {path} yet"))).with_status(404)
}
