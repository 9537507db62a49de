//! Why something is refused: one table of codes, statuses, plain sentences and advice.

use alloc::string::String;

/// A cause. Its row in `TABLE` says everything that a face shows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The body is no JSON.
    MalformedJson,
    /// The request is not what HTTP asks for.
    MalformedRequest,
    /// `content-type` is not `application/json`.
    UnsupportedMediaType,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// A field that nobody knows.
    UnknownField,
    /// A field with a value that cannot be.
    InvalidField,
    /// A field that has to be there.
    MissingField,
    /// No such path.
    NotFound,
    /// The path has no such method.
    MethodNotAllowed,
    /// No such group.
    NoSuchGroup,
    /// No such call.
    NoSuchCall,
    /// No such participant.
    NoSuchParticipant,
    /// The call has ended.
    CallEnded,
    /// The participant has left.
    ParticipantLeft,
    /// Not a member of a closed group.
    NotAMember,
    /// The group takes no new calls.
    GroupDisabled,
    /// This user may only listen.
    ReceiveOnly,
    /// The leg's address is another participant's.
    LegInUse,
    /// The group has a running call.
    GroupHasCall,
    /// The leg's address family is not served.
    LegFamily,
    /// The leg's address is not allowed.
    LegAddress,
    /// A limit or a rate of ours.
    LimitReached,
    /// The node takes nothing new.
    Draining,
    /// The owner of the call did not answer in time.
    OwnerSilent,
    /// The build does not have this yet.
    NotYet,
    /// The `Host` header names somebody else.
    MisdirectedHost,
    /// The request comes from a page of another origin.
    ForeignOrigin,
    /// A bug of ours.
    Internal,
}

/// One row: cause, code, HTTP status, plain sentence, advice.
type Row = (Cause, &'static str, u16, &'static str, &'static str);

impl Cause {
    /// Every cause.
    pub const TABLE: [Row; 28] = [
        (Cause::MalformedJson, "malformed-json", 400, "The body is not JSON", "send one JSON object"),
        (Cause::MalformedRequest, "malformed-request", 400, "The request is malformed", "check path and query"),
        (
            Cause::UnsupportedMediaType,
            "unsupported-media-type",
            415,
            "The content type is not JSON",
            "send content-type: application/json, with or without a body",
        ),
        (Cause::BodyTooLarge, "body-too-large", 413, "The body is too large", "send at most 1 MiB"),
        (Cause::UnknownField, "unknown-field", 422, "A field is not known", "check its spelling against /openapi.json"),
        (
            Cause::InvalidField,
            "invalid-field",
            422,
            "A field has a value that it cannot have",
            "check it against /openapi.json",
        ),
        (Cause::MissingField, "missing-field", 422, "A field is missing", "add it"),
        (Cause::NotFound, "not-found", 404, "There is no such path", "see /openapi.json"),
        (Cause::MethodNotAllowed, "method-not-allowed", 405, "The path has no such method", "see /openapi.json"),
        (Cause::NoSuchGroup, "no-such-group", 404, "There is no such group", "PUT it first"),
        (
            Cause::NoSuchCall,
            "no-such-call",
            404,
            "There is no such call",
            "start one with POST /v1/groups/{group}/calls",
        ),
        (
            Cause::NoSuchParticipant,
            "no-such-participant",
            404,
            "There is no such participant in this call",
            "enter with POST …/participants",
        ),
        (
            Cause::CallEnded,
            "call-ended",
            410,
            "The call has ended",
            "start a new one with POST /v1/groups/{group}/calls",
        ),
        (
            Cause::ParticipantLeft,
            "participant-left",
            410,
            "The participant has left the call",
            "enter again, with resume points",
        ),
        (
            Cause::NotAMember,
            "not-a-member",
            403,
            "The user is not a member of this group",
            "add the user to the group's members, or open the group",
        ),
        (Cause::GroupDisabled, "group-disabled", 403, "The group is disabled", "PUT it with enabled: true"),
        (
            Cause::ReceiveOnly,
            "receive-only",
            403,
            "The user may only listen in this group",
            "PUT the member with receive_only: false",
        ),
        (Cause::LegInUse, "leg-in-use", 409, "Another participant of this call has this address", "use another port"),
        (Cause::GroupHasCall, "group-has-call", 409, "The group has a running call", "end the call first"),
        (
            Cause::LegFamily,
            "leg-family-not-served",
            422,
            "The leg's address family is not served here",
            "use the family of the node's media address",
        ),
        (Cause::LegAddress, "leg-address-not-allowed", 422, "The leg's address is not allowed", "see the detail"),
        (
            Cause::LimitReached,
            "limit-reached",
            429,
            "A limit is reached",
            "wait, or raise the limit that the subject names",
        ),
        (Cause::Draining, "draining", 503, "The node takes nothing new", "ask another node"),
        (Cause::OwnerSilent, "owner-silent", 503, "The call's owner did not answer in time", "try again"),
        (
            Cause::NotYet,
            "not-yet",
            422,
            "This build does not have that yet",
            "leave the field out, or give its default",
        ),
        (
            Cause::MisdirectedHost,
            "misdirected-host",
            421,
            "The Host header is not a loopback name",
            "ask for localhost, 127.0.0.1 or [::1]",
        ),
        (
            Cause::ForeignOrigin,
            "foreign-origin",
            403,
            "The request comes from a page of another origin",
            "ask without a browser, or from the node's own pages",
        ),
        (Cause::Internal, "internal", 500, "The node failed", "report it, with the node's log"),
    ];

    fn row(self) -> Row {
        // A test proves that every cause has a row.
        Self::TABLE.iter().copied().find(|row| row.0 == self).unwrap_or(Self::TABLE[0])
    }

    /// The stable word.
    pub fn code(self) -> &'static str {
        self.row().1
    }

    /// The HTTP status.
    pub fn status(self) -> u16 {
        self.row().2
    }

    /// The plain sentence.
    pub fn title(self) -> &'static str {
        self.row().3
    }

    /// What to do.
    pub fn advice(self) -> &'static str {
        self.row().4
    }
}

/// A request that is refused: why, what it is about, and the details of this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub cause: Cause,
    /// What it is about: an id, a field, the name of a limit.
    pub subject: String,
    /// What exactly.
    pub detail: String,
    /// What to do, where it is more than the cause's own advice.
    pub advice: Option<String>,
}

impl Refused {
    /// Refuses with `cause` because of `subject`.
    pub fn new(cause: Cause, subject: impl Into<String>, detail: impl Into<String>) -> Refused {
        Refused { cause, subject: subject.into(), detail: detail.into(), advice: None }
    }

    /// The same with advice of its own.
    pub fn advise(self, advice: impl Into<String>) -> Refused {
        Refused { advice: Some(advice.into()), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_one_row_and_one_code() {
        for (at, row) in Cause::TABLE.iter().enumerate() {
            assert_eq!(row.0 as usize, at, "rows stand in the order of the causes");
            assert!(!Cause::TABLE[at + 1..].iter().any(|other| other.1 == row.1), "{} stands twice", row.1);
            assert!((400..600).contains(&row.2) && !row.3.is_empty() && !row.4.is_empty());
        }
        assert_eq!(Cause::TABLE.len(), Cause::Internal as usize + 1);
        assert_eq!(Cause::ForeignOrigin.code(), "foreign-origin");
    }
}
