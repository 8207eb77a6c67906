//! What figures must reach: `--min accuracy=0.98`, `--max loss=0.1`.

use super::figures::Figures;
use crate::cli::failure::Failure;
use crate::cli::load;
use cnnc_ir::spelling;

/// Bounds by figure, the lower ones first.
pub struct Bounds(Vec<(String, f64, Side)>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Least,
    Most,
}

impl Bounds {
    /// Reads the options; names are held against the figures there will be.
    pub fn read(min: &[String], max: &[String], known: &[String]) -> Result<Bounds, Failure> {
        let bound = |text: &String, option: &str, side| {
            let (name, value) = load::assignment(text)?;
            if !known.iter().any(|k| k == name) {
                let hint = spelling::hint(name, known.iter().map(String::as_str));
                let known = known.join(", ");
                let what =
                    format!("{option} {text}: there is no figure '{name}'{hint} (known: {known})");
                return Err(Failure::input(what));
            }
            let value = value.parse().ok().filter(|v: &f64| v.is_finite());
            let value = value
                .ok_or_else(|| Failure::input(format!("{option} {text}: expected a number")))?;
            Ok((name.to_string(), value, side))
        };
        let mut bounds = Vec::new();
        for text in min {
            bounds.push(bound(text, "--min", Side::Least)?);
        }
        for text in max {
            bounds.push(bound(text, "--max", Side::Most)?);
        }
        Ok(Bounds(bounds))
    }

    /// The answer is no where a figure misses its bound; one that is no number does.
    pub fn hold(&self, figures: &Figures) -> Result<(), Failure> {
        let missed = self.0.iter().filter_map(|(name, bound, side)| {
            let value = figures.value(name);
            let (holds, what) = match side {
                Side::Least => (value >= *bound, "at least"),
                Side::Most => (value <= *bound, "at most"),
            };
            (!holds).then(|| format!("{name} is {value}, expected {what} {bound}"))
        });
        let missed: Vec<String> = missed.collect();
        match missed.is_empty() {
            true => Ok(()),
            false => Err(Failure::no(missed.join("; "))),
        }
    }
}
