//! What is wrong with a model: every problem found, each with its place and a remedy.

use std::fmt;

/// One problem.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// `node 'conv1' (Conv)`, `tensor 'w'`, or empty for the file as a whole.
    pub place: String,
    pub message: String,
    /// What to do about it; may be empty.
    pub remedy: String,
    /// Whether the model is legal and cnnc lacks something.
    pub unsupported: bool,
    /// Graph inputs whose values would have to be known at compile time.
    pub needs_values: Vec<String>,
}

impl Problem {
    pub fn new(place: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem {
            place: place.into(),
            message: message.into(),
            remedy: String::new(),
            unsupported: false,
            needs_values: Vec::new(),
        }
    }

    pub fn unsupported(place: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem {
            unsupported: true,
            ..Problem::new(place, message)
        }
    }

    pub fn remedy(self, remedy: impl Into<String>) -> Problem {
        Problem {
            remedy: remedy.into(),
            ..self
        }
    }

    /// Values of graph inputs that would help.
    pub fn needs(self, inputs: Vec<String>) -> Problem {
        let names: Vec<String> = inputs.iter().map(|n| shown(n)).collect();
        Problem {
            needs_values: inputs,
            ..self.remedy(format!(
                "give the value of {} with --input NAME=FILE",
                names.join(", ")
            ))
        }
    }
}

/// A name from a file as it may be shown: control characters escaped, long ones cut.
pub fn shown(name: &str) -> String {
    const LONGEST: usize = 120;
    let mut out: String = name
        .chars()
        .take(LONGEST)
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect::<Vec<_>>()
            } else {
                vec![c]
            }
        })
        .collect();
    if name.chars().nth(LONGEST).is_some() {
        out.push_str("...");
    }
    out
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)?;
        if !self.remedy.is_empty() {
            write!(f, " ({})", self.remedy)?;
        }
        Ok(())
    }
}

/// Why a model cannot be imported: at least one problem.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct ImportError {
    pub file: String,
    pub problems: Vec<Problem>,
}

/// Problems shown in one message.
const SHOWN: usize = 8;

impl ImportError {
    /// Whether everything wrong is that cnnc lacks something.
    pub fn is_unsupported(&self) -> bool {
        self.problems.iter().all(|p| p.unsupported)
    }

    /// Inputs whose values must be known, if that is all there is to complain of.
    pub fn needs_values(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .problems
            .iter()
            .flat_map(|p| p.needs_values.iter().cloned())
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        for (i, p) in self.problems.iter().take(SHOWN).enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{p}")?;
        }
        match self.problems.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            n => write!(f, "; and {n} more (cnnc check lists them)"),
        }
    }
}
