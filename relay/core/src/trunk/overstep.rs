//! What a partner does that it may not, and that costs it no trunk.

/// What a partner's fault concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Overstep {
    /// A call that it wants to take part in.
    Subscription,
    /// A participant that it announces.
    Participant,
    /// Media that it sends.
    Media,
}
