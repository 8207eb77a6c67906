//! Errors of the parser, shown with the line they stand on.

use std::fmt;
use thiserror::Error;

/// One mistake in a text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct ParseError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    pub message: String,
    /// The line itself.
    pub source_line: String,
}

impl ParseError {
    /// The mistake at byte `offset` of `text`.
    pub fn at(text: &str, offset: usize, message: String) -> ParseError {
        let before = text.get(..offset).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |i| i + 1);
        ParseError {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
            message,
            source_line: text[start..].lines().next().unwrap_or("").to_string(),
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Of a long line, what surrounds the mistake is shown.
        const SHOWN: usize = 100;
        let skipped = self.column.saturating_sub(SHOWN * 3 / 4);
        let shown: String = self.source_line.chars().skip(skipped).take(SHOWN).collect();
        let caret = " ".repeat((self.column - 1).saturating_sub(skipped));
        writeln!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        writeln!(f, "  | {shown}")?;
        write!(f, "  | {caret}^")
    }
}

/// Every mistake of one run, in the order of the text; at least one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct ParseErrors(pub Vec<ParseError>);

impl fmt::Display for ParseErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, e) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{e}")?;
        }
        Ok(())
    }
}
