//! What a table may hold, and what it says when it is full.

use std::{error, fmt};

/// How much a table may hold. Memory for `rows` is taken when the table is made, some 25 bytes per row and reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows of one reader that are open, or closed and not yet seen closed. Default 16,384; at most 2^26.
    pub rows: u32,
    /// Changed slots that one snapshot lists for its reader. A reader that is further behind compares chunks instead, which costs
    /// time and loses nothing. Default 1,024; 0 means that chunks are always compared.
    pub log: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { rows: 16_384, log: 1_024 }
    }
}

/// Which limit refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::rows`]: no row of this reader is free.
    Rows,
    /// `entries_max`, given when the row was opened.
    Entries,
}

/// A limit of ours is reached. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Which one.
    pub limit: Limit,
    /// Its value.
    pub most: u32,
}

impl fmt::Display for Full {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            Limit::Rows => {
                write!(out, "no row opened, this reader has {} in use; close some or raise limits.rows", self.most)
            }
            Limit::Entries => {
                write!(out, "no entry made, the row has {}; let one leave or open the row for more", self.most)
            }
        }
    }
}

impl error::Error for Full {}

/// Nobody is entered at that slot. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchEntry {
    /// The slot that was named.
    pub slot: u32,
}

impl fmt::Display for NoSuchEntry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "slot {} has no entry; use the slot that enter returned and that has not left since", self.slot)
    }
}

impl error::Error for NoSuchEntry {}
