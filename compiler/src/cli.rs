//! The command line: one file a command. Results go to standard output, everything else to standard error.

mod args;
mod bench;
mod check;
mod compile;
mod dataset;
mod eval;
mod explain;
mod export;
mod failure;
mod inspect;
mod interrupt;
mod load;
mod output;
mod progress;
mod ranking;
mod run;
mod step;
mod style;
mod tensors;
mod train;
mod tune;
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
            return refuse(&e);
        }
    };
    let done = match &cli.command {
        Command::Compile(a) => compile::run(a, &cli.common),
        Command::Export(a) => export::run(a, &cli.common),
        Command::Run(a) => run::run(a, &cli.common),
        Command::Train(a) => train::run(a, &cli.common),
        Command::Eval(a) => eval::run(a, &cli.common),
        Command::Verify(a) => verify::run(a, &cli.common),
        Command::Bench(a) => bench::run(a, &cli.common),
        Command::Inspect(a) => inspect::run(a, &cli.common),
        Command::Tune(a) => tune::run(a, &cli.common),
        Command::Style(a) => style::run(a, &cli.common),
        Command::Check(a) => check::run(a, &cli.common),
        Command::Explain(a) => explain::run(a, &cli.common),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                tell(&failure.text());
            }
            if cli.common.verbose {
                failure.details.iter().for_each(|d| tell(&printable(d)));
            }
            ExitCode::from(failure.status as u8)
        }
    }
}

/// A command line that is wrong ends in one line; help and version are not wrong.
fn refuse(e: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand as BareCommand;
    if !e.use_stderr() || e.kind() == BareCommand {
        // Nothing to be done where the stream is closed.
        let _ = e.print();
        return ExitCode::from(if e.use_stderr() {
            Status::Input
        } else {
            Status::Done
        } as u8);
    }
    let text = e.to_string();
    let what: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|l| {
            !["Usage:", "For more", "tip:"]
                .iter()
                .any(|end| l.starts_with(end))
        })
        .filter(|l| !l.is_empty())
        .collect();
    let what = what.join(" ");
    tell(&printable(what.strip_prefix("error: ").unwrap_or(&what)));
    ExitCode::from(Status::Input as u8)
}

/// A line on standard error; where that is closed there is nobody to tell.
fn tell(message: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "cnnc: {message}");
}

/// A note on standard error, unless `--quiet`.
fn note(common: &args::Common, message: &str) {
    if !common.quiet {
        tell(&printable(message));
    }
}

/// Prints a line of a result; a closed pipe ends the program quietly.
fn line(text: &str) -> Result<(), Failure> {
    use std::io::Write;
    writeln!(std::io::stdout(), "{text}").map_err(|e| match e.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::closed_pipe(),
        _ => Failure::system(format!("standard output: {e}")),
    })
}
