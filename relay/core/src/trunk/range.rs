//! Who may speak under which SSRCs in a call that spans systems: each system has a range, so that none can take another's.

use crate::Ssrc;

/// The SSRCs with the same upper 12 bits: about a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range(u16);

impl Range {
    /// How many there are.
    pub const COUNT: u16 = 1 << 12;

    /// The range with this number; numbers wrap.
    pub const fn new(number: u16) -> Range {
        Range(number % Self::COUNT)
    }

    /// The range that `ssrc` lies in.
    pub const fn of(ssrc: Ssrc) -> Range {
        Range((ssrc.0 >> 20) as u16)
    }

    /// The SSRC at `place` in the range; places wrap at 2²⁰.
    pub const fn at(self, place: u32) -> Ssrc {
        Ssrc((self.0 as u32) << 20 | (place & 0xf_ffff))
    }

    /// Whether `ssrc` lies in the range.
    pub fn contains(self, ssrc: Ssrc) -> bool {
        Self::of(ssrc) == self
    }

    /// The range after this one.
    pub const fn next(self) -> Range {
        Range::new(self.0 + 1)
    }

    /// As it travels: its number plus 1, because 0 says that there is none.
    pub const fn wire(self) -> u32 {
        self.0 as u32 + 1
    }

    /// As it came; `None`: no range is named, or none that exists.
    pub fn from_wire(number: u32) -> Option<Range> {
        let number = u16::try_from(number.checked_sub(1)?).ok()?;
        (number < Self::COUNT).then_some(Range(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_its_upper_twelve_bits_and_no_others() {
        let range = Range::of(Ssrc(0xabc1_2345));
        assert_eq!((range, range.at(0x0010_0001)), (Range::new(0xabc), Ssrc(0xabc0_0001)));
        assert!(range.contains(Ssrc(0xabcf_ffff)) && !range.contains(Ssrc(0xabd0_0000)));
        assert_eq!(Range::new(4_095).next(), Range::new(0));
    }

    #[test]
    fn zero_and_what_lies_beyond_the_last_range_name_none() {
        let numbers = [0, 1, 4_096, 4_097, u32::MAX];
        let named = numbers.map(Range::from_wire);
        assert_eq!(named, [None, Some(Range(0)), Some(Range(4_095)), None, None]);
        assert_eq!(Range(4_095).wire(), 4_096);
    }
}
