//! The house rules, as a plain test: `cargo test -p bench --test tidy`. Each rule is a function over text, and each has a test
//! on made-up input that shows that it can fail.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/cores.rs"]
mod cores;
#[path = "tidy/figures.rs"]
mod figures;
#[path = "tidy/machines.rs"]
mod machines;
#[path = "tidy/sizes.rs"]
mod sizes;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tree.rs"]
mod tree;
#[path = "tidy/words.rs"]
mod words;

use tree::{files, read, text};

/// Fails with every complaint at once.
#[track_caller]
fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn the_top_level_is_what_the_design_draws() {
    none(tree::check_top_level(&tree::top_level()));
}

#[test]
fn arrows_point_down() {
    let manifests: Vec<_> = files().into_iter().filter(|path| path.ends_with("Cargo.toml")).collect();
    none(manifests.iter().flat_map(|path| arrows::check_renames(path, &read(path))).collect());
    let packages = manifests.iter().filter_map(|path| arrows::package(&read(path))).collect::<Vec<_>>();
    assert!(packages.len() >= 8, "seven packages and the fuzz targets are expected, {} were found", packages.len());
    none(arrows::check(&packages));
}

#[test]
fn files_and_functions_have_a_size() {
    let measured: Vec<_> = rust_files().iter().flat_map(|path| sizes::measure(path, &read(path))).collect();
    none(sizes::check(&measured, sizes::EXCEPTIONS));
}

#[test]
fn files_and_modules_have_nouns() {
    none(rust_files().iter().flat_map(|path| words::check_modules(path, &read(path))).collect());
}

#[test]
fn names_are_words_of_the_field() {
    none(rust_files().iter().flat_map(|path| words::check_names(path, &read(path))).collect());
}

#[test]
fn documentation_has_words_of_the_field() {
    none(rust_files().iter().flat_map(|path| words::check_documentation(path, &read(path))).collect());
}

#[test]
fn nothing_is_left_over() {
    none(texts().flat_map(|(path, text)| words::check_leftovers(&path, &text)).collect());
}

#[test]
fn unsafe_code_lives_where_it_may() {
    none(rust_files().iter().flat_map(|path| cores::check_unsafe(path, &read(path))).collect());
}

#[test]
fn cores_know_no_system() {
    none(cores::ROOTS.iter().flat_map(|path| cores::check_core(path, &read(path))).collect());
}

#[test]
fn nothing_names_a_machine() {
    none(texts().flat_map(|(path, text)| machines::check(&path, &text)).collect());
}

#[test]
fn a_figure_stands_beside_its_command() {
    let documents: Vec<_> = files().into_iter().filter(|path| path.ends_with(".md")).collect();
    assert!(documents.iter().any(|path| path == "README.md"), "README.md is among the documents");
    none(documents.iter().flat_map(|path| figures::check(path, &read(path))).collect());
}

/// Every file that is text, with what it says.
fn texts() -> impl Iterator<Item = (String, String)> {
    files().into_iter().filter_map(|path| text(&path).map(|text| (path, text)))
}

fn rust_files() -> Vec<String> {
    let all: Vec<_> = files().into_iter().filter(|path| path.ends_with(".rs")).collect();
    assert!(all.len() > 50, "only {} Rust files were found", all.len());
    all
}
