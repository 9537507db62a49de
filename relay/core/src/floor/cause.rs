//! Why a floor request was denied and why a floor was revoked: two namespaces that share one field (TS 24.380 §8.2.3.4).

/// Cause of a Floor Deny (TS 24.380 §8.2.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DenyCause {
    /// #1: somebody else has the floor and this client does not queue.
    AnotherClientHasPermission,
    /// #2: the floor control server failed.
    InternalError,
    /// #3: nobody else is in the call.
    OnlyOneParticipant,
    /// #5: this user may only listen.
    ReceiveOnly,
    /// #6: no resources.
    NoResources,
    /// #7: the queue is full.
    QueueFull,
    /// #255: local policy.
    Other,
}

/// Cause of a Floor Revoke (TS 24.380 §8.2.10.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RevokeCause {
    /// #1: nobody else is left in the call.
    OnlyOneClient,
    /// #2: the talk burst exceeded T2.
    MediaBurstTooLong,
    /// #3: media came without the floor.
    NoPermissionToSend,
    /// #4: a request of higher priority took the floor.
    Preempted,
    /// #6: no resources.
    NoResources,
    /// #255: local policy.
    Other,
}

impl DenyCause {
    /// Every cause, with the number that travels and the word that the API shows.
    pub const TABLE: [(DenyCause, u16, &'static str); 7] = [
        (DenyCause::AnotherClientHasPermission, 1, "another-client-has-permission"),
        (DenyCause::InternalError, 2, "internal-error"),
        (DenyCause::OnlyOneParticipant, 3, "only-one-participant"),
        (DenyCause::ReceiveOnly, 5, "receive-only"),
        (DenyCause::NoResources, 6, "no-resources"),
        (DenyCause::QueueFull, 7, "queue-full"),
        (DenyCause::Other, 255, "other"),
    ];

    /// The number in the Reject Cause field.
    pub fn code(self) -> u16 {
        Self::TABLE.iter().find(|row| row.0 == self).map_or(255, |row| row.1)
    }

    /// The cause that travels as this number; one that is not known here is local policy of who sent it.
    pub fn from_code(code: u16) -> DenyCause {
        Self::TABLE.iter().find(|row| row.1 == code).map_or(DenyCause::Other, |row| row.0)
    }

    /// The stable word that the API shows.
    pub fn word(self) -> &'static str {
        Self::TABLE.iter().find(|row| row.0 == self).map_or("other", |row| row.2)
    }
}

impl RevokeCause {
    /// Every cause, with the number that travels and the word that the API shows.
    pub const TABLE: [(RevokeCause, u16, &'static str); 6] = [
        (RevokeCause::OnlyOneClient, 1, "only-one-client"),
        (RevokeCause::MediaBurstTooLong, 2, "media-burst-too-long"),
        (RevokeCause::NoPermissionToSend, 3, "no-permission-to-send"),
        (RevokeCause::Preempted, 4, "preempted"),
        (RevokeCause::NoResources, 6, "no-resources"),
        (RevokeCause::Other, 255, "other"),
    ];

    /// The number in the Reject Cause field.
    pub fn code(self) -> u16 {
        Self::TABLE.iter().find(|row| row.0 == self).map_or(255, |row| row.1)
    }

    /// The cause that travels as this number; one that is not known here is local policy of who sent it.
    pub fn from_code(code: u16) -> RevokeCause {
        Self::TABLE.iter().find(|row| row.1 == code).map_or(RevokeCause::Other, |row| row.0)
    }

    /// The stable word that the API shows.
    pub fn word(self) -> &'static str {
        Self::TABLE.iter().find(|row| row.0 == self).map_or("other", |row| row.2)
    }
}
