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

/// The tests that a cell names, and whether each is of the rules alone.
fn named(cell: &str) -> Vec<(&str, bool)> {
    let parts: Vec<&str> = cell.split('`').collect();
    parts.chunks_exact(2).map(|pair| (pair[1], pair[0].trim_end().ends_with("core"))).collect()
}

#[test]
fn every_row_that_passes_names_tests_that_there_are() {
    let (nodes, core) = (tests("tests/migration"), tests("core/src/system/tests"));
    let is_there = |(name, of_core): &(&str, bool), row: &str| {
        let place = if *of_core { &core } else { &nodes };
        assert!(place.contains(*name), "there is no test {name} in the place that is said: {row}");
    };
    let (mut ids, mut passing) = (Vec::new(), 0);
    for row in TABLE.lines().filter(|line| line.starts_with("| MIG-")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        ids.push(cells[1].to_owned());
        match cells[3] {
            "pass" => {
                let names = named(cells[4]);
                assert!(!names.is_empty(), "{row}");
                names.iter().for_each(|name| is_there(name, row));
                passing += 1;
            }
            other => assert!(other.starts_with("not yet: needs ") && cells[4].is_empty(), "{row}"),
        }
    }
    assert_eq!(ids, (1..=40).map(|number| format!("MIG-{number:02}")).collect::<Vec<_>>());
    assert!(passing >= 16, "{passing} rows pass");
    let rollback = TABLE.split("## Rollback").nth(1).unwrap();
    for row in rollback.lines().filter(|line| line.starts_with("| ")) {
        named(row).iter().for_each(|name| is_there(name, row));
    }
}
