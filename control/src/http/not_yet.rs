//! What API v1 has and this build does not yet: said by name, never a silent no.

use axum::http::Uri;
use control_core::{Cause, Refused};

use super::problem::Problem;

/// A path that later builds have.
pub(super) async fn path(uri: Uri) -> Problem {
    later(uri.path())
}

/// Refuses a field of a feature that later builds have, unless it has its default value.
pub(super) fn field(name: &str, is_default: bool) -> Result<(), Refused> {
    match is_default {
        true => Ok(()),
        false => Err(Refused::new(Cause::NotYet, name, format!("this build knows only the default of {name}"))),
    }
}

fn later(path: &str) -> Problem {
    Problem::from(Refused::new(Cause::NotYet, path, format!("this build does not have {path} yet"))).with_status(404)
}
