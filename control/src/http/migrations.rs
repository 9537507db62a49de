//! Migrations: asked of the system that a user moves to (TS 23.280 §10.16.2).

use axum::{Json, extract::State, http::StatusCode};
use control_core::{
    Cause, Refused,
    group::check_id,
    system::{Answer as Said, Ask, MigrationAnswer, Mode, Phase, PhaseResult, Service},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answer, Face, Shared,
    body::{Body, Ids},
    not_yet,
    participants::{LegBody, minute},
    partners::check_system,
    problem, unexpected,
    wanted::{Wait, WantedBody, check_groups, check_leg, item},
};

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MigrationBody {
    user: String,
    client: String,
    from: String,
    ticket: Option<String>,
    profile: Option<u32>,
    #[serde(default = "strict")]
    mode: String,
    #[serde(default)]
    groups: Vec<WantedBody>,
    leg: Option<LegBody>,
}

fn strict() -> String {
    String::from("strict")
}

pub(super) async fn post(State(face): Shared, Body(body): Body<MigrationBody>) -> Answer<(StatusCode, Json<Value>)> {
    face.takes_work()?;
    let MigrationBody { user, client, from, ticket, profile, mode, groups, leg } = body;
    check_id("user", &user)?;
    check_id("client", &client)?;
    check_system("from", &from)?;
    if let Some(ticket) = &ticket {
        check_id("ticket", ticket)?;
    }
    let mode = check_mode(&mode)?;
    let groups = check_groups(groups)?;
    let leg = leg.map(|leg| check_leg(&face, leg, minute())).transpose()?;
    let ask = Ask::Migrate { user, client, from, ticket, profile, mode, groups, leg, service: Service::default() };
    match face.mobility.ask(ask).await? {
        Said::Migrating { migration } => Ok((StatusCode::ACCEPTED, Json(json!({"migration": migration})))),
        _ => Err(unexpected().into()),
    }
}

pub(super) async fn get(State(face): Shared, Ids(id): Ids<String>, wait: Wait) -> Answer<Json<Value>> {
    let news = |said: &Said<Value>| match said {
        Said::Migration(answer) => is_final(answer.phase) || wait.is_news(answer.revision),
        _ => true,
    };
    let ask = Ask::Migration { migration: id.clone() };
    match face.mobility.read(&id, ask, wait.time(), news).await? {
        Said::Migration(answer) => Ok(Json(show(&face, &answer))),
        _ => Err(unexpected().into()),
    }
}

fn show(face: &Face, answer: &MigrationAnswer<Value>) -> Value {
    json!({
        "migration": answer.migration,
        "user": answer.user,
        "generation": answer.generation,
        "phase": word(answer.phase),
        "phases": answer.phases.iter().map(passed).collect::<Vec<_>>(),
        "groups": answer.groups.iter().map(|one| item(face, one, "affiliated")).collect::<Vec<_>>(),
        "authorization": answer.authorization,
        "affiliation": answer.affiliation,
        "cause": answer.cause.as_ref().map(|refused| problem::document(refused, refused.cause.status())),
        "revision": answer.revision.to_string(),
    })
}

fn passed(gate: &PhaseResult) -> Value {
    json!({"phase": word(gate.phase), "ms": gate.took.as_millis() as u64, "us": gate.took.as_micros() as u64, "result": gate.result})
}

/// The word of a phase: the gate's number, or how the migration ended.
const fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Leave => "P1",
        Phase::Profile => "P4",
        Phase::Authorize => "P6",
        Phase::Affiliate => "P7",
        Phase::Enter => "P8",
        Phase::Done => "P9",
        Phase::RolledBack => "rolled-back",
        Phase::Superseded => "superseded",
    }
}

/// Whether nothing more happens.
const fn is_final(phase: Phase) -> bool {
    matches!(phase, Phase::Done | Phase::RolledBack | Phase::Superseded)
}

fn check_mode(mode: &str) -> Result<Mode, Refused> {
    match mode {
        "strict" => Ok(Mode::Strict),
        "prepared" | "seamless" => not_yet::field("mode", false).map(|()| Mode::Strict),
        other => {
            let detail = format!("mode is '{other}', not strict, prepared or seamless");
            Err(Refused::new(Cause::InvalidField, "mode", detail))
        }
    }
}
