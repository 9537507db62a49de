//! Instruction counts by callgrind: they are the same on a busy machine. `cargo bench -p bench --bench instructions`.
//!
//! Needs valgrind and `gungraun-runner` of the version that Cargo.lock names for `gungraun`
//! (`cargo install gungraun-runner --version 0.20.0`). Where one of them is missing it says so and measures nothing.
//! Each figure is of one call of the function: divide `distribute_to_1000` by 999 for one participant.

#[path = "core/call.rs"]
mod call;
#[path = "instructions/measured.rs"]
mod measured;

use std::process::{Command, ExitCode, Stdio};

/// What `cargo bench` hands to every bench, and criterion alone understands.
const CRITERION: [&str; 5] = ["--test", "--quick", "--noplot", "--save-baseline", "--measurement-time"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    // The runner starts this program again, under valgrind, with words of its own.
    let under_runner = has("--gungraun-run");
    if !under_runner {
        // `cargo test --benches` does not say `--bench`.
        if !has("--bench") || CRITERION.into_iter().any(has) {
            return ExitCode::SUCCESS;
        }
        for program in ["valgrind", "gungraun-runner"] {
            if !is_there(program) {
                eprintln!("instruction counts not measured: {program} is not installed");
                return ExitCode::SUCCESS;
            }
        }
    }
    measured::run();
    ExitCode::SUCCESS
}

fn is_there(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}
