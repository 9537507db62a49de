//! No number in a document without the command that made it: a section that holds a speed figure holds a `cargo` command too.

use crate::source::is_word;

/// What follows the number. The micro sign and the Greek letter look alike.
const UNITS: [&str; 8] = ["ns", "µs", "μs", "us", "pps", "packets/s", "Mbit/s", "calls/s"];

#[derive(Default)]
struct Section<'t> {
    figures: Vec<(usize, &'t str)>,
    has_command: bool,
}

pub(crate) fn check(path: &str, text: &str) -> Vec<String> {
    let mut sections = vec![Section::default()];
    let mut fenced = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced && line.starts_with("## ") {
            sections.push(Section::default());
        }
        let Some(section) = sections.last_mut() else { continue };
        section.has_command |= if fenced { line.contains("cargo ") } else { has_command_span(line) };
        if has_figure(line) {
            section.figures.push((number, line.trim()));
        }
    }
    let alone = sections.iter().filter(|section| !section.has_command).flat_map(|section| &section.figures);
    alone.map(|(number, line)| format!("{path}:{number}: '{line}' stands without the command that made it")).collect()
}

fn has_command_span(line: &str) -> bool {
    line.split('`').skip(1).step_by(2).any(|span| span.contains("cargo "))
}

fn has_figure(line: &str) -> bool {
    let measured = UNITS.iter().any(|unit| {
        line.match_indices(unit).any(|(at, _)| {
            let before = line[..at].trim_end();
            let before = before.strip_suffix(['k', 'M', 'G']).unwrap_or(before).trim_end();
            before.ends_with(|c: char| c.is_ascii_digit()) && !line[at + unit.len()..].starts_with(is_word)
        })
    });
    let digit = |c: char| c.is_ascii_digit();
    let ratio = |(at, times): (usize, &str)| {
        line[..at].trim_end().ends_with(digit) || line[at + times.len()..].trim_start().starts_with(digit)
    };
    measured || line.match_indices('×').any(ratio)
}

#[test]
fn a_figure_alone_is_seen() {
    for figure in [
        "300 ns",
        "300ns",
        "1.5 µs",
        "1.5 μs",
        "2 us",
        "800 kpps",
        "1.2 Mpps",
        "900000 packets/s",
        "1.1 M packets/s",
        "0.80 × the raw loop",
        "0.80×",
        "×0.85",
    ] {
        assert_eq!(check("a.md", &format!("# A\n`cargo bench`\n## B\nit is {figure}\n")).len(), 1, "{figure}");
        assert!(check("a.md", &format!("# A\n## B\n`cargo bench` says {figure}\n")).is_empty(), "{figure}");
        assert!(check("a.md", &format!("## B\nit is {figure}\n```sh\ncargo bench\n```\n")).is_empty(), "{figure}");
    }
    for other in ["retention is 10 s", "for 10 users", "state × input", "within 60 ms", "nspace 3", "2 unused"] {
        assert!(check("a.md", &format!("## B\n{other}\n")).is_empty(), "{other}");
    }
}

#[test]
fn a_command_has_to_be_code_and_in_the_section() {
    assert_eq!(check("a.md", "## B\nsome cargo makes it 300 ns\nand 5 ns\n").len(), 2);
    assert_eq!(check("a.md", "## A\n300 ns\n## B\n`cargo bench`\n").len(), 1);
    assert!(check("a.md", "## A\n300 ns\n```sh\n## a comment\ncargo bench\n```\n").is_empty());
}
