//! Partner systems.

use std::net::SocketAddr;

use axum::{Json, extract::State, http::StatusCode};
use control_core::{
    Cause, Refused,
    system::{Answer as Said, Ask, Partner},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Answer, Shared,
    body::{Body, Ids},
    unexpected,
};

/// Most participants behind a trunk, and most users of a partner.
const MOST: u32 = 100_000;

/// Longest name of a system, as DNS has it. Octets.
const SYSTEM_OCTETS_MAX: usize = 253;

/// A partner document as it travels. What stands here are the defaults.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    /// Null: the partner dials us.
    #[serde(default)]
    address: Option<SocketAddr>,
    #[serde(default)]
    limits: Limits,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    participants: u32,
    migrated_users: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { participants: 2000, migrated_users: 1000 }
    }
}

pub(super) async fn put(
    State(face): Shared,
    Ids(system): Ids<String>,
    Body(document): Body<Document>,
) -> Answer<Json<Value>> {
    check_system("system", &system)?;
    if system == face.system {
        let detail = format!("{system} is this system; a partner is another one");
        return Err(Refused::new(Cause::InvalidField, "system", detail).into());
    }
    let document = document.check()?;
    show(face.mobility.ask(Ask::PutPartner { system, document }).await?)
}

pub(super) async fn get(State(face): Shared, Ids(system): Ids<String>) -> Answer<Json<Value>> {
    show(face.mobility.ask(Ask::Partner { system }).await?)
}

pub(super) async fn delete(State(face): Shared, Ids(system): Ids<String>) -> Answer<StatusCode> {
    face.mobility.ask(Ask::DeletePartner { system }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The stored document, with its id and revision, and whether its trunk stands.
fn show(said: Said<Value>) -> Answer<Json<Value>> {
    let Said::Partner { system, document, revision, up } = said else { return Err(unexpected().into()) };
    let limits = Limits { participants: document.participants_max, migrated_users: document.migrated_users_max };
    let mut shown = json!(Document { address: document.address, limits });
    shown["system"] = json!(system);
    shown["revision"] = json!(revision.to_string());
    shown["up"] = json!(up);
    Ok(Json(shown))
}

impl Document {
    fn check(self) -> Result<Partner, Refused> {
        if let Some(address) = self.address {
            // Without tokens this node serves its own machine only, and asks nobody else either.
            if !address.ip().is_loopback() || address.port() == 0 {
                let detail = format!("{address} is not loopback, or has port 0, and --open serves this machine only");
                return Err(Refused::new(Cause::InvalidField, "address", detail).advise("use 127.0.0.1 or [::1]"));
            }
        }
        for (field, value) in
            [("limits.participants", self.limits.participants), ("limits.migrated_users", self.limits.migrated_users)]
        {
            if value > MOST {
                return Err(Refused::new(Cause::InvalidField, field, format!("{field} is {value}, not 0 to {MOST}")));
            }
        }
        Ok(Partner {
            address: self.address,
            participants_max: self.limits.participants,
            migrated_users_max: self.limits.migrated_users,
        })
    }
}

/// Checks an MC system id: it stands in a certificate as a DNS name, in lower case.
pub(super) fn check_system(field: &str, system: &str) -> Result<(), Refused> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-')
    };
    if system.len() <= SYSTEM_OCTETS_MAX && system.split('.').all(is_label) {
        return Ok(());
    }
    let detail = format!("{field} is '{system}', not a DNS name in lower case, of at most {SYSTEM_OCTETS_MAX} octets");
    Err(Refused::new(Cause::InvalidField, field, detail))
}
