//! How a command ends when it does not end well: an exit status and one clear line.

use std::fmt::Display;

/// Exit statuses of the command line's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    Done = 0,
    /// The answer is no: a verification failed, a metric was missed.
    No = 1,
    /// The input or the command line is wrong.
    Input = 2,
    /// The system refused: I/O, memory.
    System = 3,
    /// Training made values that are no numbers.
    Diverged = 4,
    /// Ended by SIGINT, by SIGTERM: 128 and the signal's number, as shells have it.
    Interrupted = 130,
    Terminated = 143,
}

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    pub status: Status,
    pub message: String,
    /// What `-v` shows besides, one line each.
    pub details: Vec<String>,
}

/// Longest message, in bytes.
const MAX_MESSAGE: usize = 7 << 10;

impl Failure {
    pub fn new(status: Status, message: impl Display) -> Failure {
        Failure {
            status,
            message: message.to_string(),
            details: Vec::new(),
        }
    }

    /// The answer is no.
    pub fn no(message: impl Display) -> Failure {
        Failure::new(Status::No, message)
    }

    pub fn input(message: impl Display) -> Failure {
        Failure::new(Status::Input, message)
    }

    pub fn system(message: impl Display) -> Failure {
        Failure::new(Status::System, message)
    }

    /// A failed operation on a file: a missing or unreadable file is the system's refusal.
    pub fn file(path: &std::path::Path, e: &std::io::Error) -> Failure {
        Failure::system(format!("{}: {e}", path.display()))
    }

    /// Whoever read standard output has gone: there is nobody left to tell.
    pub fn closed_pipe() -> Failure {
        Failure::new(Status::Done, "")
    }

    /// The message as it may be shown: control characters escaped, length bounded.
    pub fn text(&self) -> String {
        printable(&self.message)
    }
}

/// Escapes control characters (newlines stay) and bounds the length.
pub fn printable(message: &str) -> String {
    let mut out = String::with_capacity(message.len().min(MAX_MESSAGE));
    for c in message.chars() {
        if out.len() >= MAX_MESSAGE {
            out.push_str(" ...");
            break;
        }
        if c == '\n' || !c.is_control() {
            out.push(c)
        } else {
            out.extend(c.escape_default())
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_short_and_carry_no_control_characters() {
        let failure = Failure::input(format!("op \u{1b}[31m{}", "x".repeat(100_000)));
        let text = failure.text();
        assert!(text.len() < 8192 && text.starts_with("op \\u{1b}[31mxxx"));
    }
}
