//! A file has at most 400 lines, a function at most 70.

const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 70;

/// Larger than allowed, for the time being: file or function, and its lines. A number here may only shrink.
const EXCEPTIONS: [(&str, usize); 0] = [];

pub(crate) fn check(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let allowed = |name: &str, most: usize| EXCEPTIONS.iter().find(|row| row.0 == name).map_or(most, |row| row.1);
    let mut complaints = Vec::new();
    if lines > allowed(path, FILE_LINES) {
        complaints.push(format!("{path} has {lines} lines, more than {FILE_LINES}: split it by concept"));
    }
    for (name, length) in functions(&blank(text)) {
        let full = format!("{path}:{name}");
        if length > allowed(&full, FUNCTION_LINES) {
            complaints.push(format!("{full} has {length} lines, more than {FUNCTION_LINES}: find its parts"));
        }
    }
    complaints
}

/// Every function with a body and how many lines it has, in a text without strings and comments.
fn functions(text: &str) -> Vec<(String, usize)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].find("fn ") {
        let start = at + next;
        at = start + 3;
        let is_word = start > 0 && (bytes[start - 1].is_ascii_alphanumeric() || bytes[start - 1] == b'_');
        let name: String = text[at..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if is_word || name.is_empty() {
            continue;
        }
        let Some(open) = text[at..].find(['{', ';']).map(|found| at + found) else { break };
        if bytes[open] == b';' {
            continue;
        }
        let mut depth = 0usize;
        let close = text[open..].bytes().position(|byte| {
            depth = match byte {
                b'{' => depth + 1,
                b'}' => depth - 1,
                _ => depth,
            };
            depth == 0
        });
        let end = close.map_or(text.len(), |close| open + close);
        found.push((name, text[start..end].lines().count()));
    }
    found
}

/// The text with comments, strings and character literals blanked, line by line as long as before.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = skip(rest);
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            // A name that ends in r or b does not open a raw string.
            if first.is_alphanumeric() || first == '_' {
                let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
                out.push_str(&rest[..word]);
                rest = &rest[word..];
            }
            continue;
        }
        out.extend(rest[..length].chars().filter(|c| *c == '\n'));
        out.push(' ');
        rest = &rest[length..];
    }
    out
}

/// How many bytes of a comment, string or character literal begin here; 0 if none does.
fn skip(text: &str) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return text.find("*/").map_or(text.len(), |end| end + 2);
    }
    let prefix = ["br", "b", "r", "c", ""]
        .into_iter()
        .find(|prefix| text.strip_prefix(prefix).is_some_and(|rest| rest.trim_start_matches('#').starts_with('"')));
    if let Some(prefix) = prefix {
        let hashes = text[prefix.len()..].len() - text[prefix.len()..].trim_start_matches('#').len();
        let open = prefix.len() + hashes + 1;
        if prefix.contains('r') {
            let close = format!("\"{}", "#".repeat(hashes));
            return text[open..].find(&close).map_or(text.len(), |end| open + end + close.len());
        }
        if hashes == 0 {
            return open + quoted(&text[open..], '"');
        }
    }
    let literal = text.strip_prefix('\'').is_some_and(|rest| {
        let mut characters = rest.chars();
        match characters.next() {
            Some('\\') => true,
            Some(_) => characters.next() == Some('\''),
            None => false,
        }
    });
    if literal { 1 + quoted(&text[1..], '\'') } else { 0 }
}

/// Bytes up to and with the closing quote.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[test]
fn a_long_file_and_a_long_function_are_seen() {
    let body = |lines: usize| format!("fn long() {{\n{}}}\n", "    work();\n".repeat(lines));
    assert!(check("a.rs", &body(68)).is_empty());
    assert_eq!(check("a.rs", &body(70)).len(), 1);
    assert!(check("a.rs", &"\n".repeat(400)).is_empty());
    assert_eq!(check("a.rs", &"\n".repeat(401)).len(), 1);
}

#[test]
fn braces_in_strings_and_comments_do_not_count() {
    let odd = ["\"{\"", "'{'", "r#\"{\"{\"#", "// {\n", "/* { */", "b\"\\\"{\"", "'\\''", "b'{'"];
    for text in odd {
        let source = format!("fn short<'a>(x: &'a str) {{ let y = {text}; }}\nfn next() {{}}\n");
        let names: Vec<String> = functions(&blank(&source)).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["short", "next"], "{text}");
    }
}
