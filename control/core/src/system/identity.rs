//! The MC service ID under which this system knows a user of a partner (TS 23.280 §10.1.4.3.2): made of the primary one, so that
//! it is the same every time, and different for different users.

use alloc::{format, string::String};

use super::secrets;
use crate::group::ID_OCTETS_MAX;

/// The id that `system` gives to `user` of `from`.
pub(super) fn assign(user: &str, from: &str, system: &str) -> String {
    let domain_is_its_system =
        user.strip_prefix("sip:").and_then(|id| id.rsplit_once('@')).filter(|(_, domain)| *domain == from);
    let local = match domain_is_its_system {
        // No dot is left in the first part: the first dot ends it.
        Some((local, _)) => format!("{}.{from}", escape(local)),
        // An escape never begins with a hyphen.
        None => format!("_-{}.{from}", escape(user)),
    };
    let id = format!("sip:{local}@{system}");
    if id.len() <= ID_OCTETS_MAX {
        return id;
    }
    let hash = secrets::hex(&secrets::hash(&[user.as_bytes(), from.as_bytes()]));
    let id = format!("sip:_={hash}@{system}");
    // A system id that fills a whole field leaves no room to be named.
    if id.len() <= ID_OCTETS_MAX { id } else { format!("sip:_={hash}") }
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("_{byte:02x}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use alloc::{collections::BTreeMap, string::ToString};

    use super::*;

    #[test]
    fn an_id_is_readable_and_the_same_every_time() {
        assert_eq!(assign("sip:ana@a.example", "a.example", "b.example"), "sip:ana.a.example@b.example");
        assert_eq!(assign("sip:ana.b@a.example", "a.example", "b.example"), "sip:ana_2eb.a.example@b.example");
    }

    #[test]
    fn different_users_have_different_ids() {
        let long = "x".repeat(250);
        let users = [
            "sip:ana@a",
            "sip:ana.a@a",
            "sip:ana_2ea@a",
            "sip:ana@b.a",
            "ana",
            "ana@a",
            "sip:ana",
            "sip:_-ana@a",
            "sip:ANA@a",
            "tel:+1",
            "sip:a.b@a",
            "sip:a@b",
            &long,
            &long[1..],
        ];
        let mut given = BTreeMap::new();
        for user in users {
            for from in ["a", "b.a", "a.a"] {
                let id = assign(user, from, "s");
                assert!(crate::group::check_id("user", &id).is_ok(), "{id}");
                let same = given.insert(id.clone(), (user.to_string(), from));
                assert_eq!(same, None, "{user} of {from} is {id}");
            }
        }
    }
}
