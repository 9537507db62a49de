//! No number in a document without the command that made it: a section that holds a speed figure holds a `cargo` command too.

const UNITS: [&str; 8] = [" ns", " µs", " us", " pps", " packets/s", " Mbit/s", " calls/s", "× "];

pub(crate) fn check(path: &str, text: &str) -> Vec<String> {
    let sections = text.split("\n## ");
    let wrong = |section: &str| {
        let figure = section.lines().find(|line| has_figure(line))?;
        (!section.contains("cargo "))
            .then(|| format!("{path}: '{}' stands without the command that made it", figure.trim()))
    };
    sections.filter_map(wrong).collect()
}

fn has_figure(line: &str) -> bool {
    UNITS.iter().any(|unit| line.match_indices(unit).any(|(at, _)| line[..at].ends_with(|c: char| c.is_ascii_digit())))
}

#[test]
fn a_figure_alone_is_seen() {
    assert!(check("a.md", "# A\n## B\n`cargo bench` gives 300 ns\n").is_empty());
    assert!(check("a.md", "# A\nretention is 10 s\n").is_empty());
    assert_eq!(check("a.md", "# A\n`cargo bench`\n## B\nit takes 300 ns\n").len(), 1);
}
