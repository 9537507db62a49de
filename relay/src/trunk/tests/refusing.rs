//! Who is refused, and what both sides are told.

use std::fs;

use super::{
    super::*,
    stage::{Authority, System},
};

/// A system with this identity dials one that expects it, and is dialled by one: both sides name the cause, and no trunk
/// comes up.
#[track_caller]
fn check(authority: &Authority, bad: &TrunkConfig, cause: &'static str) {
    for bad_dials in [true, false] {
        let (bad, good) = (System::careless(bad), authority.system("a.example"));
        let system = bad.trunks.shared.system.to_string();
        if bad_dials {
            good.expect(&system);
            bad.partner(&good);
            assert_eq!(bad.refused(), (Some(String::from("a.example")), cause));
            assert_eq!(good.refused().1, cause);
        } else {
            bad.expect("a.example");
            good.partner(&bad);
            assert_eq!(good.refused(), (Some(system), cause));
            assert_eq!(bad.refused().1, cause);
        }
        for side in [&good, &bad] {
            assert!(side.count("trunks_refused_total", Some(cause)) >= 1.0);
            assert_eq!(side.count("trunks_up_total", None), 0.0);
        }
    }
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let authority = Authority::new();
    // The second has the name of the right one, and another key.
    for name in ["other", "authority"] {
        let other = Authority::named(name);
        let bad = other.issue("b.example", &["b.example"], 30);
        check(&authority, &bad, "wrong-ca");
        check(&authority, &TrunkConfig { ca: authority.path("ca.pem"), ..bad }, "wrong-ca");
    }
}

#[test]
fn a_certificate_that_has_expired_is_refused() {
    let authority = Authority::new();
    check(&authority, &authority.issue("b.example", &["b.example"], -1), "expired");
}

#[test]
fn a_certificate_with_two_names_is_refused() {
    let authority = Authority::new();
    check(&authority, &authority.issue("b.example", &["b.example", "c.example"], 30), "names");
}

#[test]
fn a_system_that_is_no_partner_is_refused() {
    let authority = Authority::new();
    let (a, b) = (authority.system("a.example"), authority.system("b.example"));
    b.partner(&a);
    assert_eq!(b.refused(), (Some(String::from("a.example")), "unknown-system"));
    assert_eq!(a.refused(), (Some(String::from("b.example")), "unknown-system"));
    // It is told once, and counted again.
    while a.count("trunks_refused_total", Some("unknown-system")) < 3.0 {
        std::thread::yield_now();
    }
    a.expect("b.example");
    a.up();
    b.up();
}

#[test]
fn a_system_at_the_address_of_another_is_refused() {
    let authority = Authority::new();
    let (a, c) = (authority.system("a.example"), authority.system("c.example"));
    c.expect("a.example");
    a.trunks.put_partner("b.example", Some(c.trunks.local_addr())).unwrap();
    assert_eq!(a.refused(), (Some(String::from("b.example")), "wrong-name"));
    assert_eq!(c.refused(), (None, "wrong-name"));
}

#[test]
fn partners_have_names_and_are_others() {
    let authority = Authority::new();
    let a = authority.system("a.example");
    let put = |system: &str| a.trunks.put_partner(system, None);
    assert!(put("b.example").is_ok());
    assert_eq!(put("b.example"), put("b.example"));
    for system in ["", "two words", "10.0.0.1", "-"] {
        assert_eq!(put(system), Err(PartnerError::NoDnsName(system.to_owned())));
    }
    assert_eq!(put("a.example"), Err(PartnerError::Own(String::from("a.example"))));
}

fn start(config: &TrunkConfig) -> String {
    match Trunks::start(config, drop) {
        Ok(_) => String::from("started"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn files_that_do_not_serve_are_named() {
    let authority = Authority::new();
    let good = authority.issue("a.example", &["a.example"], 30);
    let (junk, missing) = (authority.path("junk.pem"), authority.path("missing.pem"));
    fs::write(&junk, "no PEM\n").unwrap();
    assert_eq!(start(&good), "started");
    for file in [&missing, &junk] {
        for config in [
            TrunkConfig { certificate: file.clone(), ..good.clone() },
            TrunkConfig { key: file.clone(), ..good.clone() },
            TrunkConfig { ca: file.clone(), ..good.clone() },
        ] {
            let said = start(&config);
            let expected = if file == &junk { " in PEM (" } else { "give a file in PEM that this process may read" };
            assert!(said.starts_with(&file.display().to_string()) && said.contains(expected), "{said}");
        }
    }
    let other = authority.issue("b.example", &["b.example"], 30);
    assert!(start(&TrunkConfig { key: other.key, ..good.clone() }).contains("is not the key of"));
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let bad = TrunkConfig { address: taken.local_addr().unwrap(), ..good };
    // A node starts its trunks from within a runtime of its own.
    let node = runtime::Builder::new_current_thread().build().unwrap();
    for said in [start(&bad), node.block_on(async { start(&bad) })] {
        assert!(said.contains("another process may have it"), "{said}");
    }
}

#[test]
fn an_own_certificate_that_partners_would_refuse_is_refused_at_the_start() {
    let authority = Authority::new();
    assert!(start(&authority.issue("a.example", &["a.example"], -1)).contains("not now"));
    for names in [&["b.example"][..], &["a.example", "b.example"], &[]] {
        let said = start(&authority.issue("a.example", names, 30));
        assert!(said.contains(&format!("names {names:?}; a trunk of a.example needs exactly one")), "{said}");
    }
}
