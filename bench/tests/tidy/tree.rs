//! The files of the project: what version control knows, or without it everything but build output and hidden folders.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// What is visible at the top, exactly.
const TOP: [&str; 9] =
    ["Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "bench", "control", "docs", "loadtest", "relay"];

/// What a build or a node leaves behind; version control ignores it.
const LEFT_BEHIND: [&str; 2] = ["target", "data"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

pub(crate) fn read(path: &str) -> String {
    String::from_utf8_lossy(&std::fs::read(root().join(path)).unwrap()).into_owned()
}

/// The file's text; `None` if it holds something else.
pub(crate) fn text(path: &str) -> Option<String> {
    let text = String::from_utf8(std::fs::read(root().join(path)).unwrap()).ok()?;
    (!text.contains('\0')).then_some(text)
}

/// Every file, relative to the root, in order: new ones too, before they are added.
pub(crate) fn files() -> Vec<String> {
    let mut found = listed(&["--cached", "--others", "--exclude-standard"]).unwrap_or_else(walked);
    // Version control still lists a file that was deleted a moment ago.
    found.retain(|path| root().join(path).is_file());
    found.sort();
    found.dedup();
    found
}

/// The first part of every path that version control tracks; without version control, what is in the root.
pub(crate) fn top_level() -> Vec<String> {
    let paths = listed(&["--cached"]).unwrap_or_else(walked);
    let first = |path: &String| path.split('/').next().unwrap_or(path).to_owned();
    paths.iter().map(first).collect()
}

/// `None` where git is missing, refuses, or knows nothing of this folder.
fn listed(options: &[&str]) -> Option<Vec<String>> {
    let output = Command::new("git").arg("-C").arg(root()).args(["ls-files", "-z"]).args(options).output().ok()?;
    let paths: Vec<String> =
        String::from_utf8_lossy(&output.stdout).split_terminator('\0').map(str::to_owned).collect();
    (output.status.success() && !paths.is_empty()).then_some(paths)
}

fn walked() -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let hidden = name.starts_with('.') && name != ".ci";
            let left_behind = name == "target" || (folder == root() && LEFT_BEHIND.contains(&name.as_str()));
            match path.is_dir() {
                _ if hidden || left_behind => {}
                true => open.push(path),
                false => found.push(path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()),
            }
        }
    }
    found
}

pub(crate) fn check_top_level(names: &[String]) -> Vec<String> {
    let visible = |name: &&String| !name.starts_with('.') && !LEFT_BEHIND.contains(&name.as_str());
    let names: Vec<&String> = names.iter().filter(visible).collect();
    let missing = TOP.iter().filter(|top| !names.iter().any(|name| name == *top));
    let mut extra: Vec<_> = names.iter().filter(|name| !TOP.contains(&name.as_str())).collect();
    extra.sort();
    extra.dedup();
    missing
        .map(|name| format!("{name} is missing at the top level"))
        .chain(
            extra.into_iter().map(|name| format!("{name} does not belong at the top level; it is {}", TOP.join(" "))),
        )
        .collect()
}

#[test]
fn another_file_at_the_top_is_seen() {
    let mut names: Vec<String> = TOP.iter().map(|name| (*name).to_owned()).collect();
    names.extend([".git", "target", "relay"].map(str::to_owned));
    assert_eq!(check_top_level(&names), Vec::<String>::new());
    names.push("notes.txt".to_owned());
    assert_eq!(check_top_level(&names).len(), 1);
    assert_eq!(check_top_level(&["relay".to_owned()]).len(), TOP.len() - 1);
}

#[test]
fn the_walk_finds_what_version_control_knows() {
    let walked = walked();
    let known = listed(&["--cached"]).unwrap_or_default();
    let visible = known.iter().filter(|path| !path.starts_with('.') && root().join(path).is_file());
    let lost: Vec<_> = visible.filter(|path| !walked.contains(path)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}
