//! Small numbers that must not be mistaken for one another.

/// An RTP synchronisation source (RFC 3550 §3), also the sender of an RTCP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ssrc(pub u32);

/// A participant's place in the roster of its call: stable while it takes part, reused after it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

impl Slot {
    /// Stands for a talker who has no place in this roster: it is served at the home of the group, or by another partner.
    pub const ELSEWHERE: Slot = Slot(u32::MAX);

    /// The slot as an index of a column.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The place of a media packet in its call, given by the owner alone: 0, 1, 2, … Never crosses a trunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Order(pub u64);

impl Order {
    /// The order number after this one.
    pub const fn next(self) -> Order {
        Order(self.0 + 1)
    }
}

/// A trunk of this relay, by the partner at its other end. A partner keeps its number while the process runs, however often the
/// trunk breaks; each is numbered once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrunkId(pub u32);
