//! The files of the project: everything below the root but build output, data, and what hides behind a dot.

use std::path::{Path, PathBuf};

/// What is visible at the top, exactly.
const TOP: [&str; 9] =
    ["Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "bench", "control", "docs", "loadtest", "relay"];

/// What a build or a node leaves behind; version control ignores it.
const LEFT_BEHIND: [&str; 2] = ["target", "data"];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

pub(crate) fn read(path: &str) -> String {
    String::from_utf8_lossy(&std::fs::read(root().join(path)).unwrap()).into_owned()
}

/// Every file below `folder`, relative to the root, in order. `.ci` is looked into, other hidden folders are not.
pub(crate) fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let hidden = name.starts_with('.') && name != ".ci";
            let top = folder == root();
            if hidden || name == "target" || name == "corpus" || (top && LEFT_BEHIND.contains(&name.as_str())) {
                continue;
            }
            match path.is_dir() {
                true => open.push(path),
                false => found.push(path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()),
            }
        }
    }
    found.sort();
    found
}

pub(crate) fn is_text(path: &str) -> bool {
    [".rs", ".md", ".toml", ".json", ".table", ".sh", ".py"].iter().any(|end| path.ends_with(end))
        || path.starts_with(".ci/")
        || path == "relay/fuzz/run"
}

pub(crate) fn check_top_level(mut names: Vec<String>) -> Vec<String> {
    names.retain(|name| !name.starts_with('.') && !LEFT_BEHIND.contains(&name.as_str()));
    names.sort();
    if names == TOP { Vec::new() } else { vec![format!("the top level is {names:?}, not {TOP:?}")] }
}

#[test]
fn another_file_at_the_top_is_seen() {
    let mut names: Vec<String> = TOP.iter().map(|name| (*name).to_owned()).collect();
    names.extend([".git".to_owned(), "target".to_owned()]);
    assert_eq!(check_top_level(names.clone()), Vec::<String>::new());
    names.push("notes.txt".to_owned());
    assert_eq!(check_top_level(names).len(), 1);
    assert_eq!(check_top_level(vec!["relay".to_owned()]).len(), 1);
}
