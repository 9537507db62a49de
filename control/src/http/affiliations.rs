//! Affiliations: which groups a client wants now (TS 23.280 §10.8).

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::request::Parts,
};
use control_core::{
    Cause, Refused,
    group::check_id,
    system::{Answer as Said, Ask, Item, Scope, Service},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answer, Face, Shared,
    body::{Body, Ids},
    participants::{LegBody, check_expiry, minute},
    problem::Problem,
    unexpected,
    wanted::{Wait, WantedBody, check_groups, check_leg, item, query},
};

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AffiliationBody {
    user: String,
    client: String,
    groups: Vec<WantedBody>,
    leg: Option<LegBody>,
    #[serde(default = "minute")]
    expires_s: u32,
}

/// Nothing is said with a refresh.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RefreshBody {}

pub(super) async fn post(State(face): Shared, Body(body): Body<AffiliationBody>) -> Answer<Json<Value>> {
    face.takes_work()?;
    check_id("user", &body.user)?;
    check_id("client", &body.client)?;
    if body.groups.is_empty() {
        return Err(Refused::new(Cause::InvalidField, "groups", "groups is empty; name at least one").into());
    }
    let groups = check_groups(body.groups)?;
    let expires = check_expiry(body.expires_s)?;
    let leg = body.leg.map(|leg| check_leg(&face, leg, body.expires_s)).transpose()?;
    let AffiliationBody { user, client, .. } = AffiliationBody { groups: Vec::new(), leg: None, ..body };
    let ask = Ask::Affiliate { user, client, groups, leg, expires, service: Service::default() };
    show(&face, face.mobility.ask(ask).await?, "affiliated")
}

pub(super) async fn get(State(face): Shared, Ids(id): Ids<String>, wait: Wait) -> Answer<Json<Value>> {
    let news = |said: &Said<Value>| match said {
        Said::Affiliation { revision, .. } => wait.is_news(*revision),
        _ => true,
    };
    let ask = Ask::Affiliation { affiliation: id.clone() };
    show(&face, face.mobility.read(&id, ask, wait.time(), news).await?, "affiliated")
}

pub(super) async fn refresh(
    State(face): Shared,
    Ids(affiliation): Ids<String>,
    Body(RefreshBody {}): Body<RefreshBody>,
) -> Answer<Json<Value>> {
    show(&face, face.mobility.ask(Ask::Refresh { affiliation }).await?, "affiliated")
}

pub(super) async fn delete(
    State(face): Shared,
    Ids(affiliation): Ids<String>,
    Which(scope): Which,
) -> Answer<Json<Value>> {
    match face.mobility.ask(Ask::Deaffiliate { affiliation, scope }).await? {
        Said::Affiliation { items, .. } => Ok(Json(json!({"items": ended(&face, &items)}))),
        Said::Done => Ok(Json(json!({"items": []}))),
        _ => Err(unexpected().into()),
    }
}

fn show(face: &Face, said: Said<Value>, status: &str) -> Answer<Json<Value>> {
    let Said::Affiliation { affiliation, items, revision } = said else { return Err(unexpected().into()) };
    let items: Vec<Value> = items.iter().map(|one| item(face, one, status)).collect();
    Ok(Json(json!({"affiliation": affiliation, "items": items, "revision": revision.to_string()})))
}

fn ended(face: &Face, items: &[Item<Value>]) -> Vec<Value> {
    items.iter().map(|one| item(face, one, "de-affiliated")).collect()
}

/// The query of an end: which clients it concerns.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeQuery {
    scope: Option<ScopeWord>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ScopeWord {
    Client,
    User,
}

/// A checked `?scope=`.
pub(super) struct Which(Scope);

impl<S: Send + Sync> FromRequestParts<S> for Which {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let ScopeQuery { scope } = query(parts, state).await?;
        Ok(Which(match scope {
            None | Some(ScopeWord::Client) => Scope::Client,
            Some(ScopeWord::User) => Scope::User,
        }))
    }
}
