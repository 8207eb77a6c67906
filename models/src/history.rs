//! The figures of a run, epoch by epoch, and the CSV file that keeps them.

use std::fmt;
use std::str::FromStr;

/// A table: a row for each epoch, a named column for each figure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    columns: Vec<String>,
    rows: Vec<Vec<f64>>,
}

/// Why a text is no history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    #[error("line {line}: {found} values, expected {expected}")]
    Count {
        line: usize,
        found: usize,
        expected: usize,
    },
    #[error("line {line}: '{found}' is no number")]
    Number { line: usize, found: String },
}

impl History {
    /// A table without rows; names hold neither commas nor line breaks (those become spaces).
    pub fn new<'a>(columns: impl IntoIterator<Item = &'a str>) -> History {
        let columns = columns
            .into_iter()
            .map(|name| name.replace([',', '\n', '\r'], " "));
        History {
            columns: columns.collect(),
            rows: Vec::new(),
        }
    }

    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    pub fn rows(&self) -> &[Vec<f64>] {
        &self.rows
    }

    /// Appends a row; values that are missing are NaN, those too many are left out.
    pub fn push(&mut self, row: &[f64]) {
        let mut row = row.to_vec();
        row.resize(self.columns.len(), f64::NAN);
        self.rows.push(row);
    }

    /// Drops rows from the end until `rows` are left, as a run does that goes on from an older checkpoint.
    pub fn truncate(&mut self, rows: usize) {
        self.rows.truncate(rows);
    }

    /// The values of a column.
    pub fn column(&self, name: &str) -> Option<Vec<f64>> {
        let at = self.columns.iter().position(|c| c == name)?;
        Some(self.rows.iter().map(|row| row[at]).collect())
    }
}

/// The CSV text (RFC 4180): names, then a line a row. Numbers read back as they were.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.columns.join(","))?;
        for row in &self.rows {
            let values: Vec<String> = row.iter().map(|v| shortest(*v)).collect();
            writeln!(f, "{}", values.join(","))?;
        }
        Ok(())
    }
}

/// The shorter of the two decimal forms.
fn shortest(value: f64) -> String {
    let (plain, scientific) = (format!("{value}"), format!("{value:e}"));
    if plain.len() <= scientific.len() {
        plain
    } else {
        scientific
    }
}

impl FromStr for History {
    type Err = HistoryError;

    fn from_str(text: &str) -> Result<History, HistoryError> {
        let mut lines = text.lines().enumerate();
        let mut history = History::new(lines.next().map_or("", |(_, names)| names).split(','));
        for (index, text) in lines {
            let line = index + 1;
            let number = |found: &str| {
                let number = found.trim().parse();
                number.map_err(|_| HistoryError::Number {
                    line,
                    found: found.to_string(),
                })
            };
            let row: Vec<f64> = text.split(',').map(number).collect::<Result<_, _>>()?;
            let (found, expected) = (row.len(), history.columns.len());
            if found != expected {
                return Err(HistoryError::Count {
                    line,
                    found,
                    expected,
                });
            }
            history.rows.push(row);
        }
        Ok(history)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_reads_back_as_it_was() {
        let mut history = History::new(["epoch", "loss", "val,loss"]);
        history.push(&[1.0, 0.1 + 0.2, 1e-300]);
        history.push(&[2.0, f64::INFINITY, -0.0]);
        insta::assert_snapshot!(history, @r##"
        epoch,loss,val loss
        1,0.30000000000000004,1e-300
        2,inf,-0
        "##);
        assert_eq!(history.to_string().parse(), Ok(history.clone()));
        assert_eq!(history.column("epoch"), Some(vec![1.0, 2.0]));
        assert_eq!(history.column("accuracy"), None);
        history.truncate(1);
        history.push(&[2.0]);
        assert_eq!(history.rows()[1][0], 2.0);
        assert!(history.rows()[1][2].is_nan());
    }

    #[test]
    fn damage_is_named() {
        let fault = |text: &str| text.parse::<History>().unwrap_err().to_string();
        insta::assert_snapshot!(fault("a,b\n1,2\n3"), @"line 3: 1 values, expected 2");
        insta::assert_snapshot!(fault("a,b\n1,x"), @"line 2: 'x' is no number");
    }
}
