//! Words: names of files, modules and things, and what somebody meant to come back to.

use crate::source::{blank, identifiers, is_word};

/// Dumping grounds: a module named so has not found its noun yet.
const DUMPING_GROUNDS: [&str; 9] = ["mod", "util", "utils", "common", "helper", "helpers", "misc", "types", "manager"];

/// What the vocabulary of the project replaces, as parts of names.
const REPLACED: [&str; 10] =
    ["session", "conference", "fan_out", "fanout", "peer", "speaker", "publisher", "listener", "rejoin", "visited"];

/// Those of them that are unmistakable in a sentence too.
const REPLACED_IN_PROSE: [&str; 6] = ["session", "conference", "fan_out", "fanout", "publisher", "listener"];

/// Names of others that hold such a word.
const NAMES_OF_OTHERS: [&str; 4] = ["TcpListener", "ListenerExt", "peer_addr", "peer_identity"];

// Put together from parts, so that the rule does not find itself.
const NOTES: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
const MACROS: [&str; 3] = [concat!("dbg", "!"), concat!("unimplemented", "!"), concat!("todo", "!")];

/// Folders and files on the path, and modules in the text.
pub(crate) fn check_modules(path: &str, text: &str) -> Vec<String> {
    let parts = path.trim_end_matches(".rs").split('/').map(|part| (part, path.to_owned()));
    let blanked = blank(text);
    let mut modules = Vec::new();
    let mut before = "";
    for (number, word) in identifiers(&blanked) {
        if before == "mod" {
            modules.push((word, format!("{path}:{number}")));
        }
        before = word;
    }
    let grounds = parts.chain(modules).filter(|(name, _)| DUMPING_GROUNDS.contains(name));
    grounds
        .map(|(name, place)| format!("{place}: {name} is no noun of this field; say what the code is about"))
        .collect()
}

pub(crate) fn check_names(path: &str, text: &str) -> Vec<String> {
    let blanked = blank(text);
    let own = identifiers(&blanked).filter(|(_, name)| !NAMES_OF_OTHERS.contains(name));
    let replaced = own.filter_map(|(number, name)| {
        let lower = name.to_lowercase();
        let word = REPLACED.iter().find(|word| lower.contains(**word))?;
        Some(format!("{path}:{number}: {name}: '{word}' has another word here; see the vocabulary"))
    });
    replaced.collect()
}

/// Documentation of code; what stands between backticks is a name, and names have their own rule.
pub(crate) fn check_documentation(path: &str, text: &str) -> Vec<String> {
    let documentation = (1..).zip(text.lines().map(str::trim_start));
    let documentation = documentation.filter(|(_, line)| line.starts_with("///") || line.starts_with("//!"));
    let replaced = documentation.filter_map(|(number, line)| {
        let prose = line.split('`').step_by(2).collect::<Vec<_>>().join(" ").to_lowercase().replace('-', "_");
        let word = REPLACED_IN_PROSE.iter().find(|word| prose.contains(**word))?;
        Some(format!("{path}:{number}: '{word}' has another word here; see the vocabulary"))
    });
    replaced.collect()
}

pub(crate) fn check_leftovers(path: &str, text: &str) -> Vec<String> {
    let found = |line: &str| {
        let note = NOTES.into_iter().find(|note| line.split(|c| !is_word(c)).any(|word| word == *note));
        let of_macro = |name: &&str| line.match_indices(*name).any(|(at, _)| !line[..at].ends_with(is_word));
        note.or_else(|| MACROS.into_iter().find(of_macro))
    };
    let lines = (1..).zip(text.lines());
    lines.filter_map(|(number, line)| Some(format!("{path}:{number}: {} is left over", found(line)?))).collect()
}

#[test]
fn a_dumping_ground_is_seen() {
    assert!(check_modules("relay/src/call.rs", "mod roster;\nuse a::types; // mod util\n").is_empty());
    for ground in DUMPING_GROUNDS {
        assert_eq!(check_modules(&format!("relay/src/{ground}.rs"), "").len(), 1, "{ground}");
        assert_eq!(check_modules(&format!("relay/src/{ground}/call.rs"), "").len(), 1, "{ground}");
    }
    assert_eq!(check_modules("relay/src/call.rs", "pub(crate) mod util {\n}\n").len(), 1);
}

#[test]
fn a_replaced_word_is_seen() {
    let fine = "use tokio::net::TcpListener; // a session\nlet from = socket.peer_addr(\"listener\");\n";
    assert!(check_names("a.rs", fine).is_empty());
    for word in REPLACED {
        assert_eq!(check_names("a.rs", &format!("let my_{word}s = 1;\n")).len(), 1, "{word}");
        assert_eq!(check_names("a.rs", &format!("struct {};\n", word.to_uppercase())).len(), 1, "{word}");
    }
    assert_eq!(check_names("a.rs", "struct MediaFanOut { speakers: u8 }").len(), 2);
}

#[test]
fn a_replaced_word_in_documentation_is_seen() {
    let fine = "// a session\n/// Asks the `TcpListener` of the node.\nlet session = \"/// a session\";\n";
    assert_eq!(check_documentation("a.rs", fine), Vec::<String>::new());
    for word in REPLACED_IN_PROSE {
        assert_eq!(check_documentation("a.rs", &format!("    /// Ends all {word}s of `x`.\n")).len(), 1, "{word}");
        assert_eq!(
            check_documentation("a.rs", &format!("//! `x` has a {}.\n", word.to_uppercase())).len(),
            1,
            "{word}"
        );
    }
    assert_eq!(check_documentation("a.rs", "/// One fan-out.\n").len(), 1);
}

#[test]
fn a_leftover_is_seen() {
    assert!(check_leftovers("a.rs", "let todos = mytodo!(); // to do\n").is_empty());
    for note in NOTES {
        assert_eq!(check_leftovers("a.rs", &format!("// {note}: later")).len(), 1, "{note}");
    }
    for name in MACROS {
        assert_eq!(check_leftovers("a.rs", &format!("    {name}(x)")).len(), 1, "{name}");
    }
}
