//! Sequence numbers that do not wrap (RFC 3550 §A.1): the 16 bits that travel, and above them how often they wrapped.

/// A sequence number with its rollovers in the upper bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

/// What extends the sequence numbers of one SSRC: it knows the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extender {
    newest: Sequence,
}

impl Sequence {
    /// How often the 16 bits have wrapped.
    pub const fn rollover(self) -> u64 {
        self.0 >> 16
    }

    /// The 16 bits that travel.
    pub const fn low16(self) -> u16 {
        (self.0 & 0xffff) as u16
    }

    /// Whether `newer` was sent later, in the serial arithmetic of RFC 1982. Unlike the order of the numbers this also holds for
    /// what was sent before the first packet and came after it, see [`Extender::extend`].
    pub const fn is_behind(self, newer: Sequence) -> bool {
        newer.low16().wrapping_sub(self.low16()).cast_signed() > 0
    }
}

impl Extender {
    /// Starts with the first packet seen: its rollover is 0.
    pub const fn begin(first: u16) -> Extender {
        Extender { newest: Sequence(first as u64) }
    }

    /// Starts with an extended number that is already known.
    pub const fn resume(newest: Sequence) -> Extender {
        Extender { newest }
    }

    /// The newest number noted.
    pub const fn newest(&self) -> Sequence {
        self.newest
    }

    /// The extended number nearest to the newest one whose low 16 bits are `low16`; of two equally near, the older.
    /// What would lie before 0 (it was sent before the first packet, and came after it) has rollover 0.
    pub const fn extend(&self, low16: u16) -> Sequence {
        match self.newest.0.checked_add_signed(self.distance(low16)) {
            Some(extended) => Sequence(extended),
            None => Sequence(low16 as u64),
        }
    }

    /// Extends `low16`, and makes it the newest if it is ahead.
    pub const fn note(&mut self, low16: u16) -> Sequence {
        let extended = self.extend(low16);
        if self.distance(low16) > 0 {
            self.newest = extended;
        }
        extended
    }

    /// How far `low16` is ahead of the newest, in the serial arithmetic of RFC 1982.
    const fn distance(&self, low16: u16) -> i64 {
        low16.wrapping_sub(self.newest.low16()).cast_signed() as i64
    }
}
