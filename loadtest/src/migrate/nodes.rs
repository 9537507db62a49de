//! Two nodes as processes of their own, each with its certificate, its data and ports that the system chose.

use std::{
    env,
    ffi::OsStr,
    fs::File,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use super::plan::System;
use crate::world::Failure;

/// A node that has not said within this time that it serves will not.
const PATIENCE: Duration = Duration::from_secs(20);

/// Media workers of a node: two, so that calls have different owners.
const WORKERS: &str = "2";

/// What the log says before each address of a node that serves.
const MARKS: [&str; 2] = ["serving HTTP on ", "trunk on "];

/// Names of the two systems.
pub const NAMES: [&str; 2] = ["a.example", "b.example"];

/// Where one system is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its API.
    pub url: String,
    /// Its trunk; `None`: the other system knows it already.
    pub trunk: Option<SocketAddr>,
}

/// Two running nodes. They end with it.
#[derive(Debug)]
pub struct Nodes {
    places: [Place; 2],
    processes: Vec<Process>,
    /// Certificates, data and logs; gone at the end.
    _folder: Option<tempfile::TempDir>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    place: Place,
}

impl Nodes {
    /// Starts both with this executable of `control`.
    pub fn start(control: &Path) -> Result<Nodes, Failure> {
        let folder = tempfile::tempdir().map_err(|source| Failure::System { what: "a temporary folder", source })?;
        certify(control, folder.path())?;
        let start = |system: System| Process::start(control, folder.path(), NAMES[system.index()]);
        let processes = vec![start(System::A)?, start(System::B)?];
        let places = [processes[0].place.clone(), processes[1].place.clone()];
        Ok(Nodes { places, processes, _folder: Some(folder) })
    }

    /// Takes nodes that run.
    pub fn at(a: Place, b: Place) -> Nodes {
        Nodes { places: [a, b], processes: Vec::new(), _folder: None }
    }

    /// Where a system is.
    pub fn place(&self, system: System) -> &Place {
        &self.places[system.index()]
    }

    /// Whether a node that was started here has ended by itself; how.
    pub fn ended(&mut self) -> Option<String> {
        self.processes.iter_mut().zip(NAMES).find_map(|(process, name)| {
            let status = process.child.try_wait().ok().flatten()?;
            Some(format!("the node of {name} ended by itself: {status}"))
        })
    }
}

/// The executable of a node: beside this program, as Cargo builds both.
pub fn find(given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let missing = |path: &Path| {
        let path = path.display();
        Failure::Start(format!("there is no {path}; build it by `cargo build --release`, or name one by --control"))
    };
    if let Some(path) = given {
        return if path.is_file() { Ok(path) } else { Err(missing(&path)) };
    }
    let own = env::current_exe().map_err(|source| Failure::System { what: "the path of this program", source })?;
    // A test runs one folder further down.
    let mut candidates = own.ancestors().skip(1).take(2).map(|folder| folder.join("control"));
    candidates.find(|path| path.is_file()).ok_or_else(|| missing(&own.with_file_name("control")))
}

fn certify(control: &Path, folder: &Path) -> Result<(), Failure> {
    let mut command = Command::new(control);
    command.arg("certs").arg("--dir").arg(folder).args(NAMES).stdin(Stdio::null());
    let output = command.output().map_err(|error| Failure::Start(format!("{}: {error}", control.display())))?;
    if output.status.success() {
        return Ok(());
    }
    let how = String::from_utf8_lossy(&output.stderr);
    Err(Failure::Start(format!("`control certs` made no certificates: {}, {}", output.status, how.trim())))
}

impl Process {
    fn start(control: &Path, folder: &Path, name: &str) -> Result<Process, Failure> {
        let file = |suffix: &str| folder.join(format!("{name}{suffix}"));
        let path = |path: PathBuf| path.into_os_string();
        let free = || OsStr::new("127.0.0.1:0").to_owned();
        let flags = [
            ("--system", name.into()),
            ("--http", free()),
            ("--media", free()),
            ("--workers", WORKERS.into()),
            ("--data", path(file("-data"))),
            ("--trunk", free()),
            ("--trunk-cert", path(file(".pem"))),
            ("--trunk-key", path(file("-key.pem"))),
            ("--trunk-ca", path(folder.join("ca.pem"))),
        ];
        let mut command = Command::new(control);
        command.args(["serve", "--open"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        for (flag, value) in flags {
            command.arg(flag).arg(value);
        }
        // Colours would stand between the words that are looked for.
        command.env("NO_COLOR", "1").env_remove("RUST_LOG");
        let failed = |how: String| Failure::Start(format!("node of {name}: {how}"));
        let mut child = command.spawn().map_err(|error| failed(format!("{}: {error}", control.display())))?;
        let log = child.stderr.take().expect("it was piped");
        let lines = follow(log, file(".log"));
        match await_addresses(&lines) {
            Ok(place) => Ok(Process { child, place }),
            Err(how) => {
                end(&mut child);
                Err(failed(how))
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Ends a node at once: nothing of a run is to be kept.
fn end(child: &mut Child) {
    // One that has ended already needs nothing.
    let _ = child.kill();
    let _ = child.wait();
}

/// Reads the log for as long as the node writes one, so that it never waits for us; keeps it in a file.
fn follow(log: impl std::io::Read + Send + 'static, file: PathBuf) -> mpsc::Receiver<String> {
    let (tell, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let mut kept = File::create(file).ok();
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            if let Some(kept) = &mut kept {
                // A log that cannot be kept stops nothing.
                let _ = writeln!(kept, "{line}");
            }
            // Nobody looks any more once the node serves.
            let _ = tell.send(line);
        }
    });
    lines
}

fn await_addresses(lines: &mpsc::Receiver<String>) -> Result<Place, String> {
    let until = Instant::now() + PATIENCE;
    let (mut said, mut found) = (Vec::new(), [None, None]);
    loop {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                for (mark, found) in MARKS.iter().zip(&mut found) {
                    *found = found.take().or_else(|| address_after(&line, mark));
                }
                if let [Some(http), Some(trunk)] = found {
                    return Ok(Place { url: format!("http://{http}"), trunk: Some(trunk) });
                }
                said.push(line);
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(format!("it ended; it said: {}", said.join(" | ")));
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let patience = PATIENCE.as_secs();
                return Err(format!(
                    "it named no HTTP and trunk address in {patience} s; it said: {}",
                    said.join(" | ")
                ));
            }
        }
    }
}

/// The address that stands behind a mark, with or without a scheme.
fn address_after(line: &str, mark: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once(mark)?;
    let rest = rest.strip_prefix("http://").unwrap_or(rest);
    let word = rest.split(|c: char| c.is_whitespace() || c == ',').next()?;
    word.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(lines: &[&str]) -> Result<Place, String> {
        let (tell, log) = mpsc::channel();
        lines.iter().for_each(|line| tell.send((*line).to_owned()).unwrap());
        drop(tell);
        await_addresses(&log)
    }

    #[test]
    fn a_node_says_where_it_is() {
        let expected = Place { url: "http://127.0.0.1:4711".into(), trunk: Some("127.0.0.1:4433".parse().unwrap()) };
        let one =
            "INFO control: serving HTTP on http://127.0.0.1:4711, media on [127.0.0.1:1], trunk on 127.0.0.1:4433";
        assert_eq!(place(&["INFO begin", one]), Ok(expected.clone()));
        let two = ["INFO trunk on 127.0.0.1:4433", "INFO serving HTTP on http://127.0.0.1:4711, media on []"];
        assert_eq!(place(&two), Ok(expected));
    }

    #[test]
    fn a_node_that_ends_is_quoted() {
        let how = place(&["control: --trunk is not-yet"]).unwrap_err();
        assert!(how.contains("ended") && how.contains("not-yet"), "{how}");
    }

    #[test]
    fn a_missing_executable_is_named_with_what_to_do() {
        let how = find(Some("there/is/none".into())).unwrap_err().to_string();
        assert!(how.contains("there/is/none") && how.contains("cargo build --release"), "{how}");
    }
}
