//! A run as people and machines read it: lines, JSON, and a table in Markdown, with the machine it was measured on.

use std::{fmt::Write, io, process::Command, time::SystemTime};

use serde_json::{Value, json};

use super::{Must, Options, Row};

/// Prints one row as soon as it is there.
#[expect(clippy::print_stdout, reason = "the rows are what the command is for")]
pub(super) fn print(row: &Row) {
    let (least, most) = row.spread;
    let figure = match row.measured() {
        true => format!("{:>11} {:<10} ({} … {})", digits(row.value), row.unit, digits(least), digits(most)),
        false => format!("{:>11}", "-"),
    };
    println!("{:<4} {}", row.id, row.meaning);
    println!("     {figure}  must {}  {}", row.must, row.verdict());
    if let Some(note) = &row.note {
        println!("     {note}");
    }
}

/// Writes what the options ask for.
pub(super) fn write(options: &Options, rows: &[Row]) -> io::Result<()> {
    if options.json.is_none() && options.runs.is_none() {
        return Ok(());
    }
    let environment = environment(options);
    let rows_json: Vec<Value> = rows.iter().map(Row::to_json).collect();
    let result = json!({"environment": environment, "rows": rows_json});
    if let Some(file) = &options.json {
        std::fs::write(file, result.to_string())?;
    }
    if let Some(runs) = &options.runs {
        let folder = runs.join(format!("{}-{}", today(), slug(&cpu())));
        std::fs::create_dir_all(&folder)?;
        let text = serde_json::to_string_pretty(&result).map_err(io::Error::other)?;
        std::fs::write(folder.join("result.json"), text + "\n")?;
        std::fs::write(folder.join("table.md"), table(&environment, rows))?;
    }
    Ok(())
}

fn environment(options: &Options) -> Value {
    let cores = crate::raw::cores().len();
    let mut command = String::from("cargo run --release -p bench -- ceiling");
    if !options.only.is_empty() {
        _ = write!(command, " --only {}", options.only.join(","));
    }
    if options.short {
        command += " --short";
    }
    if options.rounds != 8 {
        _ = write!(command, " --rounds {}", options.rounds);
    }
    json!({"cpu": cpu(), "cores": cores, "kernel": read("/proc/sys/kernel/osrelease"), "commit": commit(), "command": command,
           "date": today(), "rounds": options.rounds(), "release": !cfg!(debug_assertions)})
}

fn read(file: &str) -> String {
    std::fs::read_to_string(file).unwrap_or_default().trim().to_owned()
}

fn cpu() -> String {
    let text = read("/proc/cpuinfo");
    let named = text.lines().find_map(|line| line.strip_prefix("model name"));
    named.unwrap_or("").trim_start_matches([' ', '\t', ':']).to_owned()
}

/// The commit that is measured; with a plus if files differ from it.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    match git(&["rev-parse", "HEAD"]) {
        Some(commit) => {
            let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|text| !text.is_empty());
            if changed { commit + "+" } else { commit }
        }
        None => String::from("not known: git does not say"),
    }
}

/// The day, as 2026-11-24.
fn today() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (year, month, day) = date(since.as_secs() / 86_400);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Year, month and day of a day since 1970, in the Gregorian calendar: years that begin in March have their leap day last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// A name as a folder can have it.
fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.map(str::to_lowercase).collect::<Vec<_>>().join("-");
    if slug.is_empty() { String::from("cpu") } else { slug }
}

fn table(environment: &Value, rows: &[Row]) -> String {
    let of = |key: &str| environment[key].as_str().map_or_else(|| environment[key].to_string(), str::to_owned);
    let mut text = format!(
        "# `bench ceiling`, {}\n\n- command: `{}`\n- commit: {}\n- machine: {}, {} cores, Linux {}\n\n",
        of("date"),
        of("command"),
        of("commit"),
        of("cpu"),
        of("cores"),
        of("kernel"),
    );
    text += "| row | meaning | median | min … max | unit | must | |\n|---|---|---|---|---|---|---|\n";
    let cell = |value: &str| value.replace('|', "/");
    for row in rows {
        let (median, spread) = match row.measured() {
            true => (digits(row.value), format!("{} … {}", digits(row.spread.0), digits(row.spread.1))),
            false => (String::from("-"), String::from("-")),
        };
        let must = if row.must == Must::Print { String::new() } else { row.must.to_string() };
        let note = row.note.as_ref().map(|note| format!("; {}", cell(note))).unwrap_or_default();
        let (meaning, unit, verdict) = (cell(&row.meaning), row.unit, row.verdict());
        _ = writeln!(text, "| {} | {meaning}{note} | {median} | {spread} | {unit} | {must} | {verdict} |", row.id);
    }
    text
}

/// Four digits that count.
fn digits(value: f64) -> String {
    match value.abs() {
        0.0 => String::from("0"),
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.3}"),
        size if size >= 0.001 => format!("{value:.5}"),
        _ => format!("{value:.2e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(11_017), (2000, 3, 1));
        assert_eq!(date(20_781), (2026, 11, 24));
    }

    #[test]
    fn a_processor_names_a_folder() {
        assert_eq!(slug("AMD EPYC(tm) 9R45 @ 2.6GHz"), "amd-epyc-tm-9r45-2-6ghz");
        assert_eq!(slug(""), "cpu");
    }

    #[test]
    fn a_table_says_what_was_not_measured_and_why() {
        let rows = [
            Row::single("R1", "a / b", 0.95, "ratio", Must::AtLeast(0.92)),
            Row::unmeasured("R3", "share", "share", Must::AtMost(0.08), "not measured: perf is missing"),
        ];
        let text = table(&json!({"date": "2026-11-24", "cores": 2}), &rows);
        assert!(text.contains("| R1 | a / b | 0.95000 | 0.95000 … 0.95000 | ratio | >= 0.92 | met |"), "{text}");
        assert!(
            text.contains("| R3 | share; not measured: perf is missing | - | - | share | <= 0.08 | not measured |")
        );
    }
}
