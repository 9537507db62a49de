//! A file has at most 400 lines, a function at most 70.

use crate::source::{blank, is_word};

const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 70;

/// A file (`a/b.rs`) or function (`a/b.rs:name`) that is larger than allowed, its lines, and since when it may be.
/// A number here only shrinks: it has to be what is measured.
pub(crate) type Exception = (&'static str, usize, &'static str);

pub(crate) const EXCEPTIONS: &[Exception] = &[];

/// A file or function, its lines, and how many it may have.
pub(crate) type Measured = (String, usize, usize);

pub(crate) fn measure(path: &str, text: &str) -> Vec<Measured> {
    let file = (path.to_owned(), text.lines().count(), FILE_LINES);
    let functions = functions(&blank(text)).into_iter();
    std::iter::once(file)
        .chain(functions.map(|(name, lines)| (format!("{path}:{name}"), lines, FUNCTION_LINES)))
        .collect()
}

pub(crate) fn check(measured: &[Measured], exceptions: &[Exception]) -> Vec<String> {
    let excepted = |name: &str| exceptions.iter().find(|row| row.0 == name);
    let large =
        measured.iter().filter(|(name, lines, most)| lines > excepted(name).map_or(most, |row| most.max(&row.1)));
    let mut complaints: Vec<String> = large
        .map(|(name, lines, most)| format!("{name} has {lines} lines, more than {most}: find its parts"))
        .collect();
    for (name, lines, since) in exceptions {
        let found = measured.iter().filter(|row| row.0 == *name).max_by_key(|row| row.1);
        match found {
            Some((_, now, most)) if now > most && now >= lines => {}
            Some((_, now, most)) if now > most => {
                complaints
                    .push(format!("{name}: excepted since {since} with {lines} lines, has {now}: shrink the number"));
            }
            _ => complaints.push(format!("{name}: excepted since {since}, needs it no longer: take it out")),
        }
    }
    complaints
}

/// Every function with a body and how many lines it has, in a text without strings and comments.
fn functions(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (start, keyword) in text.match_indices("fn") {
        let after = &text[start + keyword.len()..];
        let name: String = after.trim_start().chars().take_while(|c| is_word(*c)).collect();
        if text[..start].ends_with(is_word) || !after.starts_with(char::is_whitespace) || name.is_empty() {
            continue;
        }
        if let Some(end) = body(after) {
            found.push((name, text[start..start + keyword.len() + end].lines().count()));
        }
    }
    found
}

/// Where the body of the function ends whose signature begins here; `None` if it has none.
fn body(text: &str) -> Option<usize> {
    // A semicolon or brace between brackets is part of a type: `-> [u8; { N }]`.
    let mut brackets = 0usize;
    let mut braces = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b'[' if braces == 0 => brackets += 1,
            b')' | b']' if braces == 0 => brackets = brackets.saturating_sub(1),
            b';' if brackets == 0 && braces == 0 => return None,
            b'{' if brackets == 0 => braces += 1,
            b'}' if braces == 1 => return Some(at + 1),
            b'}' if braces > 1 => braces -= 1,
            _ => {}
        }
    }
    (braces > 0).then_some(text.len())
}

#[test]
fn a_long_file_and_a_long_function_are_seen() {
    let complaints = |text: &str| check(&measure("a.rs", text), &[]).len();
    for signature in ["fn long()", "pub(crate) async fn long<'a>(x: [u8; 4]) -> [u8; 4]", "fn\nlong()"] {
        let body = |lines: usize| format!("{signature} {{\n{}}}\n", "    work('}');\n".repeat(lines));
        let spent = signature.lines().count() + 1;
        assert_eq!(complaints(&body(70 - spent)), 0, "{signature}");
        assert_eq!(complaints(&body(71 - spent)), 1, "{signature}");
    }
    assert_eq!(complaints(&"\n".repeat(400)), 0);
    assert_eq!(complaints(&"\n".repeat(401)), 1);
    let inner =
        format!("trait T {{ fn no_body(&self) -> [u8; 2]; }}\nfn outer() {{ fn inner() {{\n{} }} }}", "\n".repeat(70));
    assert_eq!(complaints(&inner), 2, "outer and inner");
}

#[test]
fn braces_in_strings_and_comments_do_not_count() {
    for odd in ["\"{\"", "'{'", "r#\"{\"{\"#", "// {\n", "/* { */", "/* /* */ { */", "b\"\\\"{\"", "'\\''", "b'{'"] {
        let source = format!("fn short<'a>(x: &'a str) {{ let y = {odd}; let f: fn(u8) = g; }}\nfn next() {{}}\n");
        let names: Vec<String> = functions(&blank(&source)).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["short", "next"], "{odd}");
    }
}

#[test]
fn an_exception_only_shrinks() {
    let measured = |lines| [("a.rs".to_owned(), lines, FILE_LINES)];
    let exceptions: &[Exception] = &[("a.rs", 450, "2026-11-24")];
    assert!(check(&measured(450), exceptions).is_empty());
    assert_eq!(check(&measured(451), exceptions).len(), 1, "it grew");
    assert_eq!(check(&measured(449), exceptions).len(), 1, "the number did not shrink with it");
    assert_eq!(check(&measured(400), exceptions).len(), 1, "it is needed no longer");
    assert_eq!(check(&[], exceptions).len(), 1, "the file is gone");
}
