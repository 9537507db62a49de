//! Users that move between two real nodes while a call runs (TS 23.280 §10.16.2): the acceptance list of docs/COMPLIANCE.md.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "migration/compliance.rs"]
mod compliance;
#[path = "migration/entering.rs"]
mod entering;
#[path = "migration/floor.rs"]
mod floor;
#[path = "migration/groups.rs"]
mod groups;
#[path = "migration/host.rs"]
mod host;
#[path = "migration/killed.rs"]
mod killed;
#[path = "migration/listening.rs"]
mod listening;
#[path = "migration/moved.rs"]
mod moved;
#[path = "migration/others.rs"]
mod others;
#[path = "migration/places.rs"]
mod places;
#[path = "migration/radio.rs"]
mod radio;
#[path = "migration/refusals.rs"]
mod refusals;
#[path = "migration/restarts.rs"]
mod restarts;
#[path = "migration/returning.rs"]
mod returning;
#[path = "migration/rollback.rs"]
mod rollback;
#[path = "migration/stage.rs"]
mod stage;
#[path = "migration/strangers.rs"]
mod strangers;
#[path = "migration/trespassers.rs"]
mod trespassers;
