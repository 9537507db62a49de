//! `bench ceiling`: the relay beside raw loops, in one run, on one machine.

use std::process::ExitCode;

use bench::{allocations::Counting, ceiling, sink, stepping};
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
    /// Counts what comes to its sockets, for a measurement that started it; ends with its input.
    #[command(hide = true)]
    Sink(sink::Options),
    /// Steps through a thread, for a measurement that started it; ends with its input.
    #[command(hide = true)]
    Step(stepping::Options),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Ceiling(options) => ceiling::run(&options),
        Command::Sink(options) => sink::serve(&options),
        Command::Step(options) => stepping::serve(&options),
    }
}
