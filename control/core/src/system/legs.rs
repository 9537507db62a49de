//! A leg as it is written down.

use alloc::string::{String, ToString};

use relay_core::{Millis, roster::Leg};

use super::{LegRequest, rows::LegRow};

pub(super) fn write(leg: &LegRequest) -> LegRow {
    LegRow {
        rtp: leg.leg.rtp.to_string(),
        floor: leg.leg.floor.map_or(String::new(), |floor| floor.to_string()),
        queueing: leg.queueing,
        priority: leg.priority.into(),
        expires: leg.expires.map(|Millis(expires)| expires),
    }
}

/// `None`: the addresses are none.
pub(super) fn read(row: &LegRow) -> Option<LegRequest> {
    let floor = if row.floor.is_empty() { None } else { Some(row.floor.parse().ok()?) };
    Some(LegRequest {
        leg: Leg { rtp: row.rtp.parse().ok()?, floor },
        queueing: row.queueing,
        priority: u8::try_from(row.priority).unwrap_or(u8::MAX),
        expires: row.expires.map(Millis),
    })
}
