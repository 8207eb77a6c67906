//! The small language of options: `name:key=value,key=value`, such as `cosine:epochs=10,warmup=500`. An option without a key has the
//! empty one: `crop:4`.
//!
//! What an option may say is known where it is meant, not here: whoever reads a [`Spec`] takes the values it knows, and
//! [`finish`](Spec::finish) refuses those that are left. So a misspelt key is an error and never without effect.

use cnnc_ir::spelling;

/// Why an option was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    #[error("unknown {what} '{name}'{hint} (known: {expected})")]
    Name {
        what: &'static str,
        name: String,
        hint: String,
        expected: String,
    },
    #[error("{what} '{name}' takes no option '{key}'")]
    Key {
        what: &'static str,
        name: String,
        key: String,
    },
    #[error("{what} '{name}' needs {expected}")]
    Absent {
        what: &'static str,
        name: String,
        expected: String,
    },
    #[error("{what} '{name}': expected {expected}, got '{found}'")]
    Value {
        what: &'static str,
        name: String,
        expected: String,
        found: String,
    },
}

/// A name with options, each yet to be taken.
#[derive(Clone, Debug)]
pub struct Spec<'a> {
    what: &'static str,
    name: &'a str,
    options: Vec<(&'a str, &'a str)>,
}

impl<'a> Spec<'a> {
    /// Splits `text`, which spells a `what` (a schedule, an optimiser). Nothing is judged yet.
    pub fn parse(what: &'static str, text: &'a str) -> Spec<'a> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let options = rest.split(',').map(str::trim).filter(|o| !o.is_empty());
        let options = options.map(|o| o.split_once('=').unwrap_or(("", o)));
        Spec {
            what,
            name: name.trim(),
            options: options.map(|(k, v)| (k.trim(), v.trim())).collect(),
        }
    }

    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Takes an option's text; the last one where a key stands more than once is left for [`finish`](Self::finish) to refuse.
    pub fn text(&mut self, key: &str) -> Option<&'a str> {
        let at = self.options.iter().position(|(k, _)| *k == key)?;
        Some(self.options.remove(at).1)
    }

    /// Takes an option's whole number, 1 to 2^32 - 1.
    pub fn count(&mut self, key: &str) -> Result<Option<u64>, SpecError> {
        let read = |text: &str| text.parse::<u32>().ok().filter(|n| *n > 0);
        self.read(key, "a whole number above 0", |text| {
            read(text).map(u64::from)
        })
    }

    /// Takes an option's number from `least` to `most`.
    pub fn number(&mut self, key: &str, least: f64, most: f64) -> Result<Option<f64>, SpecError> {
        let read = |text: &str| text.parse().ok().filter(|n| (least..=most).contains(n));
        self.read(key, &format!("a number from {least:?} to {most:?}"), read)
    }

    fn read<T>(
        &mut self,
        key: &str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, SpecError> {
        let Some(found) = self.text(key) else {
            return Ok(None);
        };
        let value = read(found).ok_or_else(|| SpecError::Value {
            what: self.what,
            name: self.name.to_string(),
            expected: if key.is_empty() {
                expected.to_string()
            } else {
                format!("{key} to be {expected}")
            },
            found: found.to_string(),
        });
        value.map(Some)
    }

    /// The error for a name that is none of the `expected`.
    pub fn unknown(&self, expected: &[&str]) -> SpecError {
        SpecError::Name {
            what: self.what,
            name: self.name.to_string(),
            hint: spelling::hint(self.name, expected.iter().copied()),
            expected: expected.join(", "),
        }
    }

    /// The error where something that must be said is not.
    pub fn absent(&self, expected: &str) -> SpecError {
        SpecError::Absent {
            what: self.what,
            name: self.name.to_string(),
            expected: expected.to_string(),
        }
    }

    /// Refuses options that nobody took.
    pub fn finish(self) -> Result<(), SpecError> {
        match self.options.first() {
            None => Ok(()),
            Some((key, value)) => Err(SpecError::Key {
                what: self.what,
                name: self.name.to_string(),
                key: if key.is_empty() { value } else { key }.to_string(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_once() {
        let mut spec = Spec::parse("fruit", "apple: size=3, 0.5");
        assert_eq!(spec.name(), "apple");
        assert_eq!(spec.count("size"), Ok(Some(3)));
        assert_eq!(spec.count("size"), Ok(None));
        assert_eq!(spec.number("", 0.0, 1.0), Ok(Some(0.5)));
        assert_eq!(spec.finish(), Ok(()));
    }

    #[test]
    fn messages_say_what_is_expected() {
        let spec = |text| Spec::parse("fruit", text);
        insta::assert_snapshot!(spec("aple").unknown(&["apple", "pear"]), @"unknown fruit 'aple'; did you mean 'apple'? (known: apple, pear)");
        insta::assert_snapshot!(spec("pear:size=0").count("size").unwrap_err(), @"fruit 'pear': expected size to be a whole number above 0, got '0'");
        insta::assert_snapshot!(spec("pear:nan").number("", 0.0, 1.0).unwrap_err(), @"fruit 'pear': expected a number from 0.0 to 1.0, got 'nan'");
        insta::assert_snapshot!(spec("pear:seize=2").finish().unwrap_err(), @"fruit 'pear' takes no option 'seize'");
        insta::assert_snapshot!(spec("pear").absent("size=CM"), @"fruit 'pear' needs size=CM");
    }
}
