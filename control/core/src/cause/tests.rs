//! The tables of causes.

use super::*;

#[test]
fn every_cause_has_one_row_and_one_code() {
    for (at, row) in Cause::TABLE.iter().enumerate() {
        assert_eq!(row.0 as usize, at, "rows stand in the order of the causes");
        assert!(!Cause::TABLE[at + 1..].iter().any(|other| other.1 == row.1), "{} stands twice", row.1);
        assert!((400..600).contains(&row.2) && !row.3.is_empty() && !row.4.is_empty());
    }
    assert_eq!(Cause::TABLE.len(), Cause::Internal as usize + 1);
    assert_eq!(Cause::ForeignOrigin.code(), "foreign-origin");
    assert_eq!(Cause::of_code("n2-exceeded"), Some(Cause::N2Exceeded));
    assert_eq!(Cause::of_code("no such word"), None);
}

#[test]
fn a_cause_has_the_numbers_that_24_379_gives_it() {
    let of = |cause: Cause| cause.sip().map(|sip| (sip.status, sip.warning));
    assert_eq!(of(Cause::N2Exceeded), Some((486, 102)));
    assert_eq!(of(Cause::NoSuchGroup), Some((404, 113)));
    assert_eq!(of(Cause::ProfileNotValidHere), Some((403, 179)));
    assert_eq!(of(Cause::MalformedJson), None);
    for (at, (cause, sip)) in super::sip::TABLE.iter().enumerate() {
        assert!((400..600).contains(&sip.status) && (100..400).contains(&sip.warning), "{}", cause.code());
        assert!(!super::sip::TABLE[at + 1..].iter().any(|other| other.0 == *cause), "{} stands twice", cause.code());
    }
}
