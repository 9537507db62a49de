//! Why a connection of a partner, or to one, does not become a trunk.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

use quinn::{ConnectionError, VarInt};

/// How often one cause is reported per partner; all are counted.
const REPORTS_EVERY: Duration = Duration::from_secs(60);

/// Every cause for which a trunk is refused; the counter's labels.
pub const CAUSES: [&str; 11] = [
    "wrong-ca",
    "expired",
    "revoked",
    "wrong-name",
    "names",
    "unknown-system",
    "no-certificate",
    "certificate",
    "protocol",
    "malformed",
    "refused",
];

/// What is said when a connection ends on purpose; RTP over QUIC, draft 14, has the numbers.
pub(crate) mod code {
    use super::VarInt;

    pub(crate) const NO_ERROR: VarInt = VarInt::from_u32(0x00);
    pub(crate) const GENERAL_ERROR: VarInt = VarInt::from_u32(0x01);
    pub(crate) const PACKET_ERROR: VarInt = VarInt::from_u32(0x03);
    pub(crate) const FRAME_CANCELLED: VarInt = VarInt::from_u32(0x05);
}

/// A refusal, by us or by them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) cause: &'static str,
    pub(crate) detail: String,
}

impl Refusal {
    /// What a connection that failed says of it; `None`: it was no refusal, the network or a restart ended it.
    pub(crate) fn of(error: &ConnectionError) -> Option<Refusal> {
        match error {
            ConnectionError::TransportError(error) => {
                let cause = of_alert(u64::from(error.code), Some(&error.reason))?;
                Some(Refusal { cause, detail: format!("their certificate or handshake is refused: {}", error.reason) })
            }
            ConnectionError::ConnectionClosed(close) => {
                let cause = of_alert(u64::from(close.error_code), None)?;
                let reason = String::from_utf8_lossy(&close.reason);
                Some(Refusal { cause, detail: format!("they refuse our certificate or handshake: {reason}") })
            }
            ConnectionError::ApplicationClosed(close) if close.error_code != code::NO_ERROR => {
                let reason = String::from_utf8_lossy(&close.reason);
                let cause = CAUSES.iter().find(|cause| **cause == reason).copied().unwrap_or("refused");
                Some(Refusal { cause, detail: format!("they refuse this system: {reason}") })
            }
            ConnectionError::VersionMismatch => {
                Some(Refusal { cause: "protocol", detail: String::from("they speak another version of QUIC") })
            }
            _ => None,
        }
    }
}

/// RFC 8446 §6. A name that does not fit and a certificate that cannot be read share an alert: whoever refuses knows which,
/// whoever is refused was dialled under another name, since its certificate could be read here.
fn of_alert(code: u64, reason: Option<&str>) -> Option<&'static str> {
    let alert = code.checked_sub(0x100).filter(|alert| *alert < 0x100)?;
    Some(match alert {
        // 51: signed by another key than that of the authority of this name.
        48 | 51 => "wrong-ca",
        45 => "expired",
        44 => "revoked",
        42 if reason.is_none_or(|reason| reason.contains("not valid for name")) => "wrong-name",
        116 => "no-certificate",
        120 | 70 => "protocol",
        _ => "certificate",
    })
}

/// Lets one report per minute and key through.
#[derive(Debug)]
pub(crate) struct Reports<K> {
    last: HashMap<K, Instant>,
}

impl<K> Default for Reports<K> {
    fn default() -> Reports<K> {
        Reports { last: HashMap::new() }
    }
}

impl<K: Hash + Eq> Reports<K> {
    /// Keys are causes, and configured partners: their number is limited, and so is this table.
    pub(crate) fn admit(&mut self, key: K, now: Instant) -> bool {
        if self.last.get(&key).is_some_and(|last| now.saturating_duration_since(*last) < REPORTS_EVERY) {
            return false;
        }
        self.last.retain(|_, last| now.saturating_duration_since(*last) < REPORTS_EVERY);
        self.last.insert(key, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_reported_once_per_minute_and_partner() {
        let mut reports = Reports::default();
        let start = Instant::now();
        assert!(reports.admit(("expired", None), start));
        assert!(!reports.admit(("expired", None), start + REPORTS_EVERY - Duration::from_nanos(1)));
        assert!(reports.admit(("wrong-ca", None), start));
        assert!(reports.admit(("expired", Some("b.example")), start));
        assert!(reports.admit(("expired", None), start + REPORTS_EVERY));
        assert_eq!(reports.last.len(), 1, "what is older than a minute is forgotten");
    }

    #[test]
    fn alerts_have_causes_and_other_errors_have_none() {
        assert_eq!(of_alert(0x100 + 48, Some("")), Some("wrong-ca"));
        assert_eq!(of_alert(0x100 + 42, Some("invalid certificate: BadEncoding")), Some("certificate"));
        assert_eq!(of_alert(0x100 + 42, None), Some("wrong-name"));
        assert_eq!(of_alert(0x0a, None), None);
        assert_eq!(Refusal::of(&ConnectionError::TimedOut), None);
        assert_eq!(Refusal::of(&ConnectionError::Reset), None);
    }
}
