//! `bench ceiling`: the relay beside raw loops, in one run, on one machine.

use std::process::ExitCode;

use bench::{allocations::Counting, ceiling};
use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Parser)]
#[command(about = "Measures the relay against raw loops in the same run")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints every figure that the project promises, with its spread; exit code 1 if one is missed.
    Ceiling(ceiling::Options),
}

fn main() -> ExitCode {
    let Command::Ceiling(options) = Arguments::parse().command;
    ceiling::run(&options)
}
