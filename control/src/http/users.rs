//! Users of this system and their profiles (TS 23.280 §10.1.4).

use std::collections::BTreeSet;

use axum::{Json, extract::State, http::StatusCode};
use control_core::{
    Cause, Refused,
    group::check_id,
    system::{Answer as Said, Ask},
    user::{Profile, User},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Answer, Shared,
    body::{Body, Ids},
    partners::check_system,
    unexpected,
};

/// Greatest N2.
const N2_MAX: u32 = 4_096;

/// A user document as it travels. What stands here are the defaults.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    #[serde(default)]
    profiles: Vec<ProfileDocument>,
    #[serde(default)]
    blocked: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ProfileDocument {
    index: u32,
    #[serde(default)]
    partners: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default = "eight")]
    n2: u32,
}

const fn eight() -> u32 {
    8
}

pub(super) async fn put(
    State(face): Shared,
    Ids(user): Ids<String>,
    Body(document): Body<Document>,
) -> Answer<Json<Value>> {
    check_id("user", &user)?;
    let document = document.check()?;
    show(face.mobility.ask(Ask::PutUser { user, document }).await?)
}

pub(super) async fn get(State(face): Shared, Ids(user): Ids<String>) -> Answer<Json<Value>> {
    show(face.mobility.ask(Ask::User { user }).await?)
}

pub(super) async fn delete(State(face): Shared, Ids(user): Ids<String>) -> Answer<StatusCode> {
    face.mobility.ask(Ask::DeleteUser { user }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The stored document, with its id and revision.
fn show(said: Said<Value>) -> Answer<Json<Value>> {
    let Said::User { user, document, revision } = said else { return Err(unexpected().into()) };
    let profile = |profile: Profile| ProfileDocument {
        index: profile.index,
        partners: profile.partners,
        groups: profile.groups,
        n2: profile.n2,
    };
    let profiles = document.profiles.into_iter().map(profile).collect();
    let mut shown = json!(Document { profiles, blocked: document.blocked });
    shown["user"] = json!(user);
    shown["revision"] = json!(revision.to_string());
    Ok(Json(shown))
}

impl Document {
    fn check(self) -> Result<User, Refused> {
        let mut indexes = BTreeSet::new();
        for (at, profile) in self.profiles.iter().enumerate() {
            let field = |name: &str| format!("profiles[{at}].{name}");
            if !indexes.insert(profile.index) {
                let detail = format!("two profiles have the index {}", profile.index);
                return Err(Refused::new(Cause::InvalidField, field("index"), detail));
            }
            profile.partners.iter().try_for_each(|system| check_system(&field("partners"), system))?;
            profile.groups.iter().try_for_each(|group| check_id(&field("groups"), group))?;
            if profile.n2 > N2_MAX {
                let detail = format!("n2 is {}, not 0 to {N2_MAX}", profile.n2);
                return Err(Refused::new(Cause::InvalidField, field("n2"), detail));
            }
        }
        let profile = |profile: ProfileDocument| Profile {
            index: profile.index,
            partners: profile.partners,
            groups: profile.groups,
            n2: profile.n2,
        };
        Ok(User { profiles: self.profiles.into_iter().map(profile).collect(), blocked: self.blocked })
    }
}
