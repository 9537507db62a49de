//! Lock-free published rows.
