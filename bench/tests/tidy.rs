//! The house rules, as a plain test: `cargo test -p bench --test tidy`. Each rule is a function over text, and each has a test
//! on made-up input that shows that it can fail.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/figures.rs"]
mod figures;
#[path = "tidy/sizes.rs"]
mod sizes;
#[path = "tidy/tree.rs"]
mod tree;
#[path = "tidy/words.rs"]
mod words;

use tree::{files, read, root};

/// Fails with every complaint at once.
#[track_caller]
fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn the_top_level_is_what_the_design_draws() {
    let entries = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    none(tree::check_top_level(entries.collect()));
}

#[test]
fn arrows_point_down() {
    let manifests: Vec<_> = files(".").into_iter().filter(|path| path.ends_with("Cargo.toml")).collect();
    let packages = manifests.iter().filter_map(|path| arrows::package(&read(path))).collect::<Vec<_>>();
    assert!(packages.len() >= 7, "the workspace has seven packages, {} were found", packages.len());
    none(arrows::check(&packages));
}

#[test]
fn files_and_functions_have_a_size() {
    none(rust_files().iter().flat_map(|path| sizes::check(path, &read(path))).collect());
}

#[test]
fn names_are_nouns_of_the_field() {
    none(rust_files().iter().flat_map(|path| words::check(path, &read(path))).collect());
}

#[test]
fn unsafe_code_lives_where_it_may() {
    none(rust_files().iter().filter_map(|path| words::check_unsafe(path, &read(path))).collect());
    for core in ["relay/core/src/lib.rs", "control/core/src/lib.rs"] {
        let text = read(core);
        assert!(text.contains("#![no_std]") && text.contains("#![forbid(unsafe_code)]"), "{core} is a core");
    }
}

#[test]
fn nothing_names_a_machine() {
    let texts = files(".").into_iter().filter(|path| tree::is_text(path));
    none(texts.flat_map(|path| words::check_machine(&path, &read(&path))).collect());
}

#[test]
fn a_figure_stands_beside_its_command() {
    let documents = files(".").into_iter().filter(|path| path.ends_with(".md"));
    none(documents.flat_map(|path| figures::check(&path, &read(&path))).collect());
}

fn rust_files() -> Vec<String> {
    let all: Vec<_> = files(".").into_iter().filter(|path| path.ends_with(".rs")).collect();
    assert!(all.len() > 50, "only {} Rust files were found", all.len());
    all
}
