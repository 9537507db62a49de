//! Entering, leaving, and who takes part.

use std::net::SocketAddr;

use axum::{Json, extract::State, http::StatusCode};
use control_core::{Cause, Refused, group::check_id};
use relay::{ParticipantFacts, Relay, call::AskError};
use relay_core::{
    Millis, Slot, Ssrc,
    late_entry::ResumePoint,
    roster::{Attachment, Leg},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answer, Face, Shared,
    admission::{Admitted, admit, concluded},
    answer, batch,
    body::{Body, Ids, Page},
    not_yet,
};
use crate::registry::{CallRecord, Entry, ParticipantRecord, Placed};

/// Resume points of one entry: SSRCs that a client can have heard within any retention.
pub(super) const RESUME_MAX: usize = 64;

/// Longest life of a silent leg. Seconds.
pub(super) const EXPIRES_S_MAX: u32 = 86_400;

/// The body of an enter, and of a start.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnterBody {
    user: Option<String>,
    client: Option<String>,
    leg: Option<LegBody>,
    #[serde(default)]
    resume: Vec<ResumeBody>,
    #[serde(default)]
    implicit_floor_request: bool,
    #[serde(default = "minute")]
    expires_s: u32,
    /// Starts only.
    #[serde(default, rename = "type")]
    kind: Option<String>,
    /// A batch; it has nothing else.
    pub(super) items: Option<Vec<Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LegBody {
    udp: Option<UdpBody>,
    sdp: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UdpBody {
    rtp: SocketAddr,
    floor: Option<SocketAddr>,
    #[serde(default = "yes")]
    queueing: bool,
    #[serde(default = "five")]
    priority: u8,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResumeBody {
    ssrc: u32,
    sequence: u64,
}

pub(super) const fn minute() -> u32 {
    60
}

const fn yes() -> bool {
    true
}

const fn five() -> u8 {
    5
}

pub(super) async fn enter(
    State(face): Shared,
    Ids(call): Ids<String>,
    Body(body): Body<EnterBody>,
) -> Answer<(StatusCode, Json<Value>)> {
    let call = face.registry.call(&call)?;
    if body.items.is_some() {
        return Ok((StatusCode::OK, batch::enter(&face, &call, body).await?));
    }
    let entry = body.check_entry(&face)?;
    let admitted = admit(&face, &call.group, entry).await?;
    let failure = admitted.failure(&call.group);
    let Admitted { entry, standing, .. } = admitted;
    let entered = match if call.has(&entry) { Ok(()) } else { face.takes_work() } {
        Ok(()) => face.registry.enter(&call, entry, standing).await,
        Err(refused) => Err(refused),
    };
    let seat = concluded(&face, failure, entered).await?;
    face.mobility.came(&seat);
    let status = if seat.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(answer::entered(&face.registry.relay, &seat))))
}

pub(super) async fn leave(State(face): Shared, Ids((call, participant)): Ids<(String, String)>) -> Answer<StatusCode> {
    let left = match face.registry.call(&call) {
        Ok(call) => face.registry.leave(&call, &participant).await,
        // A call that has ended has taken its participants along.
        Err(refused) if refused.cause == Cause::CallEnded && face.registry.has_ended(&participant) => Ok(()),
        Err(refused) => Err(refused),
    };
    match left {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(refused) if refused.cause == Cause::ParticipantLeft => Ok(StatusCode::NO_CONTENT),
        Err(refused) => Err(refused.into()),
    }
}

pub(super) async fn list(State(face): Shared, Ids(call): Ids<String>, page: Page) -> Answer<Json<Value>> {
    let call = face.registry.call(&call)?;
    let after = match page.after.as_deref().map(str::parse) {
        None => None,
        Some(Ok(slot)) => Some(Slot(slot)),
        Some(Err(_)) => {
            let detail = "after is not what a page's next said";
            return Err(Refused::new(Cause::InvalidField, "after", detail).into());
        }
    };
    let mut facts = call.media.participants(after, page.limit + 1).await.map_err(|error| asked(&call, error))?;
    // Whoever is about to leave is not shown, and does not end the list either.
    let more = facts.len() > page.limit;
    facts.truncate(page.limit);
    let next = facts.last().filter(|_| more).map(|facts| facts.slot.0.to_string());
    let mut rows = Vec::with_capacity(facts.len());
    for facts in facts {
        let Some(record) = call.at_slot(facts.slot) else { continue };
        let Ok(placed) = face.registry.placed(&call, &record.id).await else { continue };
        rows.push(shown(&face.registry.relay, &facts, &record, &placed));
    }
    Ok(Json(json!({"items": rows, "next": next})))
}

fn shown(relay: &Relay, facts: &ParticipantFacts, record: &ParticipantRecord, placed: &Placed) -> Value {
    let dropped: serde_json::Map<_, _> =
        facts.dropped.iter().map(|(cause, number)| ((*cause).to_owned(), json!(number))).collect();
    let leg = match placed.asked.leg {
        Attachment::Udp(leg) => json!({
            "udp": {"rtp": leg.rtp.to_string(), "floor": leg.floor.map(|floor| floor.to_string())},
            "audio_ssrc": placed.ssrc.0,
        }),
        // A partner serves it: its address is the partner's business.
        Attachment::Trunk(behind) => json!({
            "trunk": {"system": relay.system_of(behind.trunk).as_deref()},
            "audio_ssrc": placed.ssrc.0,
        }),
    };
    json!({
        "participant": record.id,
        "user": record.user,
        "client": record.client,
        "leg": leg,
        "entered": answer::date(record.entered),
        "floor_confirmed": facts.floor_confirmed,
        "packets_sent": facts.sent,
        "dropped": dropped,
    })
}

/// What the owner of a call, or its silence, means for a request.
pub(super) fn asked(call: &CallRecord, error: AskError) -> Refused {
    let cause = match error {
        AskError::Unanswered => Cause::OwnerSilent,
        AskError::Ended => Cause::CallEnded,
        AskError::Left => Cause::ParticipantLeft,
    };
    Refused::new(cause, &call.id, error.to_string())
}

impl EnterBody {
    /// The type that a start asks for.
    pub(super) fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// The items of a batch, if nothing else is said beside them.
    pub(super) fn items(self) -> Result<Vec<Value>, Refused> {
        let EnterBody { user, client, leg, resume, implicit_floor_request, expires_s, kind, items } = self;
        let defaults = resume.is_empty() && !implicit_floor_request && expires_s == minute();
        if user.is_some() || client.is_some() || leg.is_some() || kind.is_some() || !defaults {
            let detail = "a batch says everything in its items";
            return Err(Refused::new(Cause::InvalidField, "items", detail));
        }
        items.ok_or_else(|| missing("items"))
    }

    /// The entry into a running call, as the registry takes it.
    pub(super) fn check_entry(self, face: &Face) -> Result<Entry, Refused> {
        if self.kind.is_some() {
            return Err(Refused::new(Cause::UnknownField, "type", "type belongs to the start of a call"));
        }
        self.check(face)
    }

    /// The entry as the registry takes it.
    pub(super) fn check(self, face: &Face) -> Result<Entry, Refused> {
        if self.items.is_some() {
            let detail = "a batch enters a running call; a start and an item are one entry";
            return Err(Refused::new(Cause::UnknownField, "items", detail));
        }
        let user = self.user.ok_or_else(|| missing("user"))?;
        let client = self.client.ok_or_else(|| missing("client"))?;
        check_id("user", &user)?;
        check_id("client", &client)?;
        let leg = self.leg.ok_or_else(|| missing("leg"))?.check(face)?;
        let (leg, queueing, priority) = leg;
        Ok(Entry {
            user,
            client,
            leg: leg.into(),
            ssrc: None,
            queueing,
            priority,
            resume: check_resume(self.resume)?,
            implicit_floor_request: self.implicit_floor_request,
            expires: check_expiry(self.expires_s)?,
        })
    }
}

/// The resume points as the rules take them.
pub(super) fn check_resume(resume: Vec<ResumeBody>) -> Result<Vec<ResumePoint>, Refused> {
    if resume.len() > RESUME_MAX {
        let detail = format!("{} resume points exceed {RESUME_MAX}", resume.len());
        let advice = "name each SSRC once, and only those heard within retention_ms";
        return Err(Refused::new(Cause::LimitReached, "resume", detail).advise(advice));
    }
    let point = |point: ResumeBody| ResumePoint { ssrc: Ssrc(point.ssrc), sequence: point.sequence };
    Ok(resume.into_iter().map(point).collect())
}

/// `expires_s` as the rules take it: `None` is for ever.
pub(super) fn check_expiry(expires_s: u32) -> Result<Option<Millis>, Refused> {
    if expires_s > EXPIRES_S_MAX {
        let detail = format!("expires_s is {expires_s}, not 0 to {EXPIRES_S_MAX}");
        return Err(Refused::new(Cause::InvalidField, "expires_s", detail));
    }
    Ok((expires_s > 0).then(|| Millis::from_secs(expires_s)))
}

impl LegBody {
    /// The leg, and what its client negotiated: queueing, and the highest priority that it asks for.
    pub(super) fn check(self, face: &Face) -> Result<(Leg, bool, u8), Refused> {
        not_yet::field("leg.sdp", self.sdp.is_none_or(|sdp| sdp.is_null()))?;
        let udp = self.udp.ok_or_else(|| missing("leg.udp"))?;
        let leg = Leg { rtp: udp.rtp, floor: udp.floor };
        let ports = face.registry.relay.ports();
        let own: Vec<SocketAddr> = ports.iter().flat_map(|ports| [ports.rtp, ports.rtcp, ports.floor]).collect();
        control_core::leg::check(&leg, &control_core::leg::Rules { own: &own, loopback_only: true })?;
        Ok((leg, udp.queueing, udp.priority))
    }
}

fn missing(field: &str) -> Refused {
    Refused::new(Cause::MissingField, field, format!("{field} is missing"))
}
