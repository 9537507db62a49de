//! What a cause is called in SIP: status and warning code (TS 24.379 §4.4.2), where the specification has one.

use super::Cause;

/// A SIP refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sip {
    /// Status code of the response.
    pub status: u16,
    /// Number in the `Warning` header field's text.
    pub warning: u16,
}

const fn sip(status: u16, warning: u16) -> Sip {
    Sip { status, warning }
}

/// Causes that are not here have no number of their own there.
pub(super) const TABLE: [(Cause, Sip); 21] = [
    (Cause::UserBlocked, sip(403, 101)),
    (Cause::NoSuchProfile, sip(403, 101)),
    (Cause::TicketMissing, sip(403, 101)),
    (Cause::TicketUnknown, sip(403, 101)),
    (Cause::TicketForeign, sip(403, 101)),
    (Cause::TicketSpent, sip(403, 101)),
    (Cause::TicketExpired, sip(403, 101)),
    (Cause::Superseded, sip(403, 101)),
    (Cause::N2Exceeded, sip(486, 102)),
    (Cause::NoSuchGroup, sip(404, 113)),
    (Cause::GroupDisabled, sip(403, 115)),
    (Cause::NotAMember, sip(403, 116)),
    (Cause::NotAffiliated, sip(403, 120)),
    (Cause::NoSuchCall, sip(404, 137)),
    (Cause::CallEnded, sip(404, 137)),
    (Cause::NoSuchUser, sip(404, 141)),
    (Cause::NotAuthorized, sip(404, 141)),
    (Cause::IdentitySuperseded, sip(404, 141)),
    (Cause::NoAgreement, sip(403, 179)),
    (Cause::ProfileNotValidHere, sip(403, 179)),
    (Cause::NoSuchPartner, sip(403, 179)),
];

impl Cause {
    /// Its SIP status and warning; `None`: the specification has no number for it.
    pub fn sip(self) -> Option<Sip> {
        TABLE.iter().find(|row| row.0 == self).map(|row| row.1)
    }
}
