//! A user of this system and its profiles (TS 23.280 §10.1.4; API 'users').

use alloc::{string::String, vec::Vec};

/// A user document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// What the user may do, and where. A client is authorised with one of them.
    pub profiles: Vec<Profile>,
    /// Whether the user is refused everything.
    pub blocked: bool,
}

/// An MC service user profile. Several may be meant for migration, each for other partners (TS 23.280 §10.1.4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its number, from 1, unique within the user.
    pub index: u32,
    /// MC system ids of the partners in which it is good.
    pub partners: Vec<String>,
    /// The groups that the user may affiliate to under it.
    pub groups: Vec<String>,
    /// N2: most simultaneous affiliations.
    pub n2: u32,
}
