//! Where a thread spends its time, as `perf` samples it.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::stage::Stage;

/// Fewer samples are no figure.
pub(super) const SAMPLES_LEAST: u64 = 10_000;

/// Samples per second, and for how many seconds.
const FREQUENCY: u32 = 4_000;
const SECONDS: u32 = 6;

/// Until the tool has begun, and until it has ended.
const MARGIN: Duration = Duration::from_millis(800);

/// Addresses from here on are the kernel's.
const KERNEL: u64 = 1 << 63;

/// Places named in a profile.
const PLACES: usize = 5;

/// What the samples say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) samples: u64,
    /// Those in user space.
    pub(super) user: u64,
    /// The functions with most of them, with their part of all samples.
    pub(super) places: String,
}

/// Samples the worker's thread while its talker saturates it.
pub(super) fn user_share(stage: &mut Stage, thread: i32) -> Result<Profile, String> {
    let file = std::env::temp_dir().join(format!("bench-{}.perf", std::process::id()));
    let recorder = record(thread, &file).map_err(|error| format!("perf is missing: {error}"))?;
    stage.saturate(Duration::from_secs(u64::from(SECONDS)) + MARGIN);
    let output = recorder.wait_with_output().map_err(|error| format!("perf did not end: {error}"))?;
    let profile = match output.status.success() {
        true => script(&file),
        false => Err(format!("perf cannot sample: {}", String::from_utf8_lossy(&output.stderr).trim())),
    };
    _ = std::fs::remove_file(&file);
    profile
}

fn record(thread: i32, file: &Path) -> std::io::Result<Child> {
    let mut command = Command::new("perf");
    command.args(["record", "--quiet", "-e", "cpu-clock", "-F", &FREQUENCY.to_string()]);
    command.args(["-t", &thread.to_string(), "-o"]).arg(file).args(["--", "sleep", &SECONDS.to_string()]);
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
    let mut places: BTreeMap<&str, u64> = BTreeMap::new();
    for line in text.lines() {
        let line = line.trim();
        let (address, function) = line.split_once(' ').unwrap_or((line, "?"));
        let Ok(address) = u64::from_str_radix(address, 16) else { continue };
        profile.samples += 1;
        if address < KERNEL {
            profile.user += 1;
            *places.entry(function.trim()).or_default() += 1;
        }
    }
    let mut most: Vec<_> = places.into_iter().collect();
    most.sort_by_key(|place| std::cmp::Reverse(place.1));
    let part = |number: u64| 100.0 * number as f64 / profile.samples as f64;
    let named = most.iter().take(PLACES).map(|(function, number)| format!("{function} {:.2} %", part(*number)));
    profile.places = named.collect::<Vec<_>>().join(", ");
    profile
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
    }
}
