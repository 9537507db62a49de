//! Where a thread or a program spends its time, as `perf` samples it.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Fewer samples are no figure.
pub(super) const SAMPLES_LEAST: u64 = 10_000;

/// Samples per second, and for how many seconds.
const FREQUENCY: u32 = 4_000;
const SECONDS: u32 = 6;

/// How long there has to be something to see: until the tool has begun, its seconds, and until it has ended.
pub(super) const LENGTH: Duration = Duration::from_millis(800 + 1000 * SECONDS as u64);

/// Whom to look at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whom {
    Thread(i32),
    /// With all its threads.
    Process(u32),
}

/// Addresses from here on are the kernel's.
const KERNEL: u64 = 1 << 63;

/// Places named of each.
const PLACES: usize = 8;

/// What the samples say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) samples: u64,
    /// Those in user space.
    pub(super) user: u64,
    /// The functions of user space with most of them, with their part of all samples.
    pub(super) places: String,
    /// The same of the kernel.
    pub(super) kernel: String,
}

impl Profile {
    /// Those in user space / all.
    pub(super) fn user_share(&self) -> f64 {
        self.user as f64 / self.samples as f64
    }

    /// For a reader who asks where the time goes.
    pub(super) fn note(&self) -> String {
        format!("{} samples; in user space: {}; in the kernel: {}", self.samples, self.places, self.kernel)
    }
}

/// Samples whom `during` keeps busy for [`LENGTH`].
pub(super) fn sample(whom: Whom, during: impl FnOnce()) -> Result<Profile, String> {
    let file = std::env::temp_dir().join(format!("bench-{}.perf", std::process::id()));
    let recorder = record(whom, &file).map_err(|error| format!("perf is missing: {error}"))?;
    during();
    let output = recorder.wait_with_output().map_err(|error| format!("perf did not end: {error}"))?;
    let profile = match output.status.success() {
        true => script(&file),
        false => Err(format!("perf cannot sample: {}", String::from_utf8_lossy(&output.stderr).trim())),
    };
    _ = std::fs::remove_file(&file);
    profile
}

fn record(whom: Whom, file: &Path) -> std::io::Result<Child> {
    let mut command = Command::new("perf");
    command.args(["record", "--quiet", "-e", "cpu-clock", "-F", &FREQUENCY.to_string()]);
    match whom {
        Whom::Thread(thread) => command.args(["-t", &thread.to_string()]),
        Whom::Process(process) => command.args(["-p", &process.to_string()]),
    };
    command.arg("-o").arg(file).args(["--", "sleep", &SECONDS.to_string()]);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
}

fn script(file: &Path) -> Result<Profile, String> {
    let output = Command::new("perf").arg("script").arg("-i").arg(file).args(["-F", "ip,sym"]).output();
    let output = output.map_err(|error| format!("perf cannot be read: {error}"))?;
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
}

/// One sample per line: address and, if it is known, function.
fn parse(text: &str) -> Profile {
    let mut profile = Profile::default();
    let mut places = [BTreeMap::new(), BTreeMap::new()];
    for line in text.lines() {
        let line = line.trim();
        let (address, function) = line.split_once(' ').unwrap_or((line, "?"));
        let Ok(address) = u64::from_str_radix(address, 16) else { continue };
        let [user, kernel] = &mut places;
        profile.samples += 1;
        profile.user += u64::from(address < KERNEL);
        *if address < KERNEL { user } else { kernel }.entry(function.trim()).or_default() += 1;
    }
    let [user, kernel] = places.map(|places| most(places, profile.samples));
    Profile { places: user, kernel, ..profile }
}

/// The greatest with their part of `all`.
fn most(places: BTreeMap<&str, u64>, all: u64) -> String {
    let mut most: Vec<_> = places.into_iter().collect();
    most.sort_by_key(|place| std::cmp::Reverse(place.1));
    let part = |number: u64| 100.0 * number as f64 / all as f64;
    let named = most.iter().take(PLACES).map(|(function, number)| format!("{function} {:.2} %", part(*number)));
    named.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_told_apart_by_their_address() {
        let text = "    ffffffff8157f0f5 udp_sendmsg\n 7f4c2ef2969e memcpy\n\n ffffffff8157f0f6 udp_sendmsg\n 55ce94b64fe7 step\n 7f4c2ef2969f memcpy\n";
        let profile = parse(text);
        assert_eq!((profile.samples, profile.user), (5, 3));
        assert_eq!(profile.places, "memcpy 40.00 %, step 20.00 %");
        assert_eq!(profile.kernel, "udp_sendmsg 40.00 %");
    }
}
