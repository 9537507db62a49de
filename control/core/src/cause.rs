//! Why something is refused: one table of codes, statuses, plain sentences and advice.

mod sip;
mod table;

use alloc::string::String;

pub use sip::Sip;
use table::{COUNT, TABLE};

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
    /// There is no such user here.
    NoSuchUser,
    /// The user is refused everything.
    UserBlocked,
    /// The user has no such profile.
    NoSuchProfile,
    /// The system is no partner.
    NoSuchPartner,
    /// No such authorization.
    NoSuchAuthorization,
    /// No such affiliation.
    NoSuchAffiliation,
    /// No such migration.
    NoSuchMigration,
    /// The client is not authorised for the service.
    NotAuthorized,
    /// The client is not affiliated to the group.
    NotAffiliated,
    /// The user's profile does not list the group.
    GroupNotInProfile,
    /// N2 simultaneous affiliations are reached.
    N2Exceeded,
    /// The group's home is no partner.
    NoAgreement,
    /// The system that has to answer does not.
    HomeUnreachable,
    /// The user is served elsewhere under a newer generation.
    IdentitySuperseded,
    /// A migration without a ticket.
    TicketMissing,
    /// The ticket is not one of this client's.
    TicketUnknown,
    /// The ticket is meant for another system.
    TicketForeign,
    /// The ticket was used.
    TicketSpent,
    /// The ticket is too old.
    TicketExpired,
    /// No profile of the user is good for this system.
    ProfileNotValidHere,
    /// The client is on its way already.
    MigrationUnderWay,
    /// Another decision came first.
    Superseded,
    /// A partner refuses with a word that is not in this table.
    RefusedByPartner,
    /// The `Host` header names somebody else.
    MisdirectedHost,
    /// The request comes from a page of another origin.
    ForeignOrigin,
    /// A bug of ours.
    Internal,
}

/// One row: cause, code, HTTP status, plain sentence, advice.
pub type Row = (Cause, &'static str, u16, &'static str, &'static str);

impl Cause {
    /// Every cause.
    pub const TABLE: [Row; COUNT] = TABLE;

    /// The cause with this stable word.
    pub fn of_code(code: &str) -> Option<Cause> {
        Self::TABLE.iter().find(|row| row.1 == code).map(|row| row.0)
    }

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
mod tests;
