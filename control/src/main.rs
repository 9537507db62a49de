//! A node of an MC system.

use std::{io::IsTerminal, process::ExitCode};

use clap::Parser;
use control::cli::Arguments;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi).init();
    match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime.block_on(arguments.run()),
        Err(error) => {
            eprintln!("control: no runtime: {error}");
            ExitCode::FAILURE
        }
    }
}
