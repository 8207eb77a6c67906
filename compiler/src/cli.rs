//! The command line: one file a command. Results go to standard output, everything else to standard error.

mod args;
mod bench;
mod check;
mod compile;
mod explain;
mod failure;
mod inspect;
mod load;
mod run;
mod tensors;
mod verify;

use args::{Cli, Command};
use clap::Parser;
use failure::{Failure, Status, printable};
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program on these arguments.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(e) => {
            let code = if e.use_stderr() {
                Status::Input as u8
            } else {
                0
            };
            // Nothing to be done where standard error is closed.
            let _ = e.print();
            return ExitCode::from(code);
        }
    };
    let done = match &cli.command {
        Command::Compile(a) => compile::run(a, &cli.common),
        Command::Run(a) => run::run(a, &cli.common),
        Command::Verify(a) => verify::run(a, &cli.common),
        Command::Bench(a) => bench::run(a, &cli.common),
        Command::Inspect(a) => inspect::run(a, &cli.common),
        Command::Check(a) => check::run(a, &cli.common),
        Command::Explain(a) => explain::run(a, &cli.common),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("cnnc: {}", failure.text());
            ExitCode::from(failure.status as u8)
        }
    }
}

/// A note on standard error, unless `--quiet`.
fn note(common: &args::Common, message: &str) {
    if !common.quiet {
        eprintln!("cnnc: {}", printable(message));
    }
}

/// Prints a line of a result; a closed pipe ends the program quietly.
fn line(text: &str) -> Result<(), Failure> {
    use std::io::Write;
    writeln!(std::io::stdout(), "{text}")
        .map_err(|e| Failure::system(format!("standard output: {e}")))
}
