//! Machines as reviewed text files: every state × every input.

use std::{path::Path, println};

/// Compares a table with the committed file, named from `src`; `GOLDEN=write` rewrites the file instead.
pub(crate) fn golden(file: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
    if std::env::var("GOLDEN").is_ok_and(|mode| mode == "write") {
        std::fs::write(&path, actual).expect("the table can be written");
    }
    let expected = std::fs::read_to_string(&path).expect("the table is there; GOLDEN=write makes it");
    let mut changed = 0;
    for number in 0..expected.lines().count().max(actual.lines().count()) {
        let (before, now) = (expected.lines().nth(number), actual.lines().nth(number));
        if before != now {
            changed += 1;
            println!("- {}\n+ {}", before.unwrap_or(""), now.unwrap_or(""));
        }
    }
    assert_eq!(
        changed, 0,
        "{file}: cells changed, see above; if that is meant, run with GOLDEN=write and have it reviewed"
    );
}
