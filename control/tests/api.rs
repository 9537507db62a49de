//! API v1 over HTTP, against a real node on free ports.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "api/affiliations.rs"]
mod affiliations;
#[path = "api/authorizations.rs"]
mod authorizations;
#[path = "api/batch.rs"]
mod batch;
#[path = "api/client.rs"]
mod client;
#[path = "api/entering.rs"]
mod entering;
#[path = "api/groups.rs"]
mod groups;
#[path = "api/legs.rs"]
mod legs;
#[path = "api/node.rs"]
mod node;
#[path = "api/partners.rs"]
mod partners;
#[path = "api/refusals.rs"]
mod refusals;
#[path = "api/silence.rs"]
mod silence;
#[path = "api/users.rs"]
mod users;
