//! Callers.
