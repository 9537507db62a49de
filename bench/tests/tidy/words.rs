//! Words: names of files and things, places for `unsafe`, leftovers, and names of machines.

/// Dumping grounds: a module named so has not found its noun yet.
const DUMPING_GROUNDS: [&str; 9] = ["mod", "util", "utils", "common", "helper", "helpers", "misc", "types", "manager"];

/// Words that the vocabulary of the project replaces, as parts of names.
const REPLACED: [&str; 8] =
    ["session", "conference", "fan_out", "fanout", "publisher", "rejoin", "visited", "listener"];

/// Names of others that hold such a word.
const NAMES_OF_OTHERS: [&str; 3] = ["TcpListener", "tokio::net::TcpListener", "ListenerExt"];

const LEFTOVERS: [&str; 5] = ["TODO", "FIXME", "dbg!(", "unimplemented!(", "todo!("];

pub(crate) fn check(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".rs");
    if DUMPING_GROUNDS.contains(&stem) {
        complaints.push(format!("{path}: {stem} is no noun of this field; say what the code is about"));
    }
    // The rules themselves have to name what they forbid.
    if path.starts_with("bench/tests/tidy") {
        return complaints;
    }
    let own: String = NAMES_OF_OTHERS.iter().fold(text.to_owned(), |text, name| text.replace(name, ""));
    for (number, line) in own.lines().enumerate() {
        let code = line.split("//").next().unwrap_or(line).to_ascii_lowercase();
        let names = code.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        let defines =
            ["fn ", "struct ", "enum ", "mod ", "trait ", "type ", "const "].iter().any(|key| code.contains(key));
        for word in REPLACED.iter().filter(|_| defines) {
            if names.clone().any(|name| name.contains(word)) {
                complaints.push(format!("{path}:{}: '{word}' has another word here; see the vocabulary", number + 1));
            }
        }
        if let Some(leftover) = LEFTOVERS.iter().find(|leftover| line.contains(**leftover)) {
            complaints.push(format!("{path}:{}: {leftover} is left over", number + 1));
        }
    }
    complaints
}

pub(crate) fn check_unsafe(path: &str, text: &str) -> Option<String> {
    let may = ["relay/table/", "relay/src/udp", "bench/", "relay/fuzz/"].iter().any(|place| path.starts_with(place));
    let has = text.lines().any(|line| {
        let code = line.split("//").next().unwrap_or(line);
        code.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == "unsafe")
    });
    (has && !may).then(|| format!("{path} has unsafe code; it lives in relay/table, relay/src/udp and bench"))
}

pub(crate) fn check_machine(path: &str, text: &str) -> Vec<String> {
    if path.starts_with("bench/tests/tidy") || path == "Cargo.lock" {
        return Vec::new();
    }
    let places = ["/work/", "/home/", "/root/", "crates.io", "pypi.org", "npmjs", "debian.org"];
    let named = |line: &str| places.iter().find(|place| line.contains(**place)).copied();
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(number, line)| named(line).map(|place| format!("{path}:{}: names {place}", number + 1)))
        .collect()
}

#[test]
fn each_word_is_seen() {
    assert!(check("relay/src/call.rs", "fn enter() {}\nuse std::net::TcpListener;\n").is_empty());
    assert_eq!(check("relay/src/util.rs", "").len(), 1);
    assert_eq!(check("relay/src/mod.rs", "").len(), 1);
    assert_eq!(check("a.rs", "struct Session;").len(), 1);
    assert_eq!(check("a.rs", "fn add_listener() {}").len(), 1);
    assert_eq!(check("a.rs", "    todo!()").len(), 1);
    assert_eq!(check("a.rs", "// FIXME later").len(), 1);
}

#[test]
fn unsafe_code_in_a_core_is_seen() {
    assert_eq!(check_unsafe("relay/table/src/published.rs", "unsafe { x }"), None);
    assert_eq!(check_unsafe("relay/core/src/call.rs", "#![forbid(unsafe_code)] // unsafe"), None);
    assert!(check_unsafe("relay/src/worker.rs", "unsafe { x }").is_some());
}

#[test]
fn a_path_of_a_machine_is_seen() {
    assert!(check_machine("README.md", "cargo run --release").is_empty());
    assert_eq!(check_machine("README.md", "cd /home/ana").len(), 1);
}
