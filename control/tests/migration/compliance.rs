//! docs/COMPLIANCE.md says of nothing that it passes unless there is a test of that name.

use std::{collections::BTreeSet, fs, path::Path};

const TABLE: &str = include_str!("../../../docs/COMPLIANCE.md");

/// Names of the tests in the files of a folder.
fn tests(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let text: Vec<String> = files.collect();
    let names = |text: &String| -> Vec<String> {
        let after = text.split("#[test]").skip(1);
        after.filter_map(|rest| Some(rest.split("fn ").nth(1)?.split('(').next()?.to_owned())).collect()
    };
    text.iter().flat_map(names).collect()
}

/// The tests that a cell names.
fn named(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_row_that_passes_names_tests_that_there_are() {
    let mut known = tests("tests/migration");
    known.extend(tests("core/src/system/tests"));
    let (mut ids, mut passing) = (Vec::new(), 0);
    for row in TABLE.lines().filter(|line| line.starts_with("| MIG-")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        ids.push(cells[1].to_owned());
        match cells[3] {
            "pass" => {
                let names = named(cells[4]);
                assert!(!names.is_empty(), "{row}");
                names.iter().for_each(|name| assert!(known.contains(*name), "there is no test {name}: {row}"));
                passing += 1;
            }
            other => assert!(other.starts_with("not yet: needs ") && cells[4].is_empty(), "{row}"),
        }
    }
    assert_eq!(ids, (1..=40).map(|number| format!("MIG-{number:02}")).collect::<Vec<_>>());
    assert!(passing >= 16, "{passing} rows pass");
    let rollback = TABLE.split("## Rollback").nth(1).unwrap();
    for name in rollback.lines().flat_map(named) {
        assert!(known.contains(name), "there is no test {name}");
    }
}
