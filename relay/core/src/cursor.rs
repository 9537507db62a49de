//! Reading and writing octets in order: the only way in which parsers of this crate touch bytes, so none of them can index.

/// What is left to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    /// The next `count` octets, or `None` and nothing consumed if fewer are left.
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) const fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Room to write into. Every `put` answers `None`, and writes nothing, once the room is too small.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    out: &'a mut [u8],
    written: usize,
}

impl<'a> Writer<'a> {
    pub(crate) const fn new(out: &'a mut [u8]) -> Writer<'a> {
        Writer { out, written: 0 }
    }

    pub(crate) fn put(&mut self, octets: &[u8]) -> Option<()> {
        let end = self.written.checked_add(octets.len())?;
        self.out.get_mut(self.written..end)?.copy_from_slice(octets);
        self.written = end;
        Some(())
    }

    /// Zero octets until what was written is a multiple of 4.
    pub(crate) fn align(&mut self) -> Option<()> {
        while !self.written.is_multiple_of(4) {
            self.put(&[0])?;
        }
        Some(())
    }

    /// Overwrites what stands at `at`.
    pub(crate) fn patch(&mut self, at: usize, octets: &[u8]) -> Option<()> {
        let end = at.checked_add(octets.len()).filter(|end| *end <= self.written)?;
        self.out.get_mut(at..end)?.copy_from_slice(octets);
        Some(())
    }

    pub(crate) const fn written(&self) -> usize {
        self.written
    }
}
