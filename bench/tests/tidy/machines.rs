//! The project stands on no machine and no registry in particular: no absolute path, no registry's host name.

use crate::source::is_word;

// Put together from parts, so that the rule does not find itself.
const TEMPORARY: &str = concat!("/t", "mp");
const PATHS: [&str; 4] = [concat!("/wo", "rk"), concat!("/ho", "me"), concat!("/ro", "ot"), TEMPORARY];
const HOSTS: [&str; 4] =
    [concat!("crates", ".io"), concat!("pypi", ".org"), concat!("npmjs", ".org"), concat!("debian", ".org")];

/// Cargo writes where each package came from into its lock files.
const WRITTEN_BY_CARGO: &str = "Cargo.lock";

pub(crate) fn check(path: &str, text: &str) -> Vec<String> {
    if path.rsplit('/').next() == Some(WRITTEN_BY_CARGO) {
        return Vec::new();
    }
    let lines = (1..).zip(text.lines());
    let named = lines.filter_map(|(number, line)| {
        let place = PATHS.into_iter().find(|place| {
            let explained = *place == TEMPORARY && path.ends_with(".md") && line.contains("temporary");
            !explained && has_path(line, place)
        });
        let host = HOSTS.into_iter().find(|host| line.contains(host));
        Some(format!("{path}:{number}: names {}; nothing here depends on a machine", place.or(host)?))
    });
    named.collect()
}

/// Whether the line has this folder of the root; `relative/work/` and a route of an API are something else.
fn has_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let inside = line[..at].ends_with(|c| is_word(c) || matches!(c, '.' | '-' | '}' | '*'));
        // A host of a file: URL is empty: what stands before the path is a slash.
        let longer = line[at + folder.len()..].starts_with(|c| is_word(c) || c == '-');
        !inside && !longer
    })
}

#[test]
fn a_path_of_a_machine_is_seen() {
    for fine in ["cargo run --release", "target/work/x", "../work/x", "/workers/2", "a{b}/home/x", "/v1/root/"] {
        assert!(check("a.md", fine).is_empty(), "{fine}");
    }
    for place in PATHS {
        for line in [format!("cd {place}/ana"), format!("\"{place}/x\""), format!("file://{place}/x"), place.to_owned()]
        {
            assert_eq!(check("a.rs", &line).len(), 1, "{line}");
        }
    }
    let explained = format!("a temporary directory, `{TEMPORARY}/x` for example");
    assert!(check("README.md", &explained).is_empty());
    assert_eq!(check("a.rs", &explained).len(), 1);
}

#[test]
fn a_registry_is_seen() {
    for host in HOSTS {
        let line = format!("see https://static.{host}/x");
        assert_eq!(check(".ci/run", &line).len(), 1, "{host}");
        assert!(check("relay/fuzz/Cargo.lock", &line).is_empty(), "{host}");
    }
}
