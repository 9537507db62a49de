//! Rust source without what is not code: comments, strings and character literals.

/// The text with comments, strings and character literals blanked; it has as many lines as before.
pub(crate) fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = skip(rest);
        if length == 0 {
            // A name that ends in r or b does not open a raw string, so a whole word goes at once.
            let word = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len()).max(first.len_utf8());
            out.push_str(&rest[..word]);
            rest = &rest[word..];
            continue;
        }
        out.push(' ');
        out.extend(rest[..length].chars().filter(|c| *c == '\n'));
        rest = &rest[length..];
    }
    out
}

/// Each identifier or keyword of a blanked text, with the number of its line.
pub(crate) fn identifiers(blanked: &str) -> impl Iterator<Item = (usize, &str)> {
    let words = |line| str::split(line, |c: char| !is_word(c)).filter(|word| !word.is_empty());
    (1..).zip(blanked.lines()).flat_map(move |(number, line)| words(line).map(move |word| (number, word)))
}

pub(crate) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// How many bytes of a comment, string or character literal begin here; 0 if none does.
fn skip(text: &str) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return comment(text);
    }
    for prefix in ["br", "cr", "r"] {
        let Some(rest) = text.strip_prefix(prefix) else { continue };
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        if rest[hashes..].starts_with('"') {
            let open = prefix.len() + hashes + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            return text[open..].find(&close).map_or(text.len(), |end| open + end + close.len());
        }
    }
    for open in ["b\"", "c\"", "\""] {
        if let Some(rest) = text.strip_prefix(open) {
            return open.len() + quoted(rest, '"');
        }
    }
    for open in ["b'", "'"] {
        // A lifetime has a quote in front only.
        let Some(rest) = text.strip_prefix(open) else { continue };
        let mut characters = rest.chars();
        if characters.next() == Some('\\') || characters.next() == Some('\'') {
            return open.len() + quoted(rest, '\'');
        }
    }
    0
}

/// Bytes of the block comment that begins here; they nest.
fn comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    text.len()
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
fn only_code_is_left() {
    for text in [
        "\"{\"",
        "'{'",
        "r#\"{\"{\"#",
        "r\"\\\"",
        "// {\n",
        "/* { */",
        "/* /* { */ { */",
        "/*/ { */",
        "b\"\\\"{\"",
        "c\"{\"",
        "br##\"{\"#{\"##",
        "'\\''",
        "b'{'",
        "b'\\''",
        "'\\u{7b}'",
        "'µ'",
        "\"\\\\\"",
        "\"µ{\n{\"",
    ] {
        let source = format!("let a: &'a str = {text}; r#type(for_r, 'b: loop {{}})");
        let blanked = blank(&source);
        let words: Vec<_> = identifiers(&blanked).map(|(_, word)| word).collect();
        assert_eq!(words, ["let", "a", "a", "str", "r", "type", "for_r", "b", "loop"], "{text}");
        assert_eq!(blanked.matches('{').count(), 1, "{text}");
        assert_eq!(blanked.lines().count(), source.lines().count(), "{text}");
    }
}
