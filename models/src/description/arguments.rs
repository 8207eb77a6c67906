//! What the parameters of a network are given from outside: `classes=10, size=64`.

use super::ast::File;
use super::elaborate::{Elaborator, Scope};
use super::parse;
use super::value::{Fault, Value};
use cnnc_ir::spelling::hint;
use std::str::FromStr;

/// Values for parameters of a network, by name. They are plain data: numbers, `3x3`, `true`, words such as `relu`, texts, lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arguments(Vec<(String, Value)>);

impl Arguments {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }
}

impl FromIterator<Arguments> for Arguments {
    fn from_iter<I: IntoIterator<Item = Arguments>>(parts: I) -> Arguments {
        Arguments(parts.into_iter().flat_map(|part| part.0).collect())
    }
}

/// `NAME=VALUE`, several with commas between.
impl FromStr for Arguments {
    type Err = String;

    fn from_str(text: &str) -> Result<Arguments, String> {
        let given = parse::arguments(text).map_err(|(_, message)| message)?;
        let file = File::default();
        let mut elaborator = Elaborator::new(&file, None, &|_| Err(String::new()));
        let mut arguments = Vec::new();
        for (name, expr) in &given {
            let name = &name.text;
            match elaborator.evaluate(expr, &Scope::new()) {
                Ok(value) if value.is_plain() => arguments.push((name.clone(), value)),
                Ok(_) => return Err(format!("{name}: a tensor is no argument of a network")),
                Err(Fault::Mistake(_, message)) => return Err(format!("{name}: {message}")),
                Err(Fault::Consequence) => return Err(format!("{name}: has no value")),
            }
        }
        Ok(Arguments(arguments))
    }
}

impl<'f> Elaborator<'f> {
    /// The variables that a network begins with: its parameters.
    pub fn parameters(&mut self, file: &'f File, arguments: &Arguments) -> Scope {
        self.check_names(file, arguments);
        let mut scope = Scope::new();
        for parameter in &file.parameters {
            let name = &parameter.name;
            let value = match (arguments.get(&name.text), &parameter.default) {
                (Some(given), _) => Ok(given.clone()),
                (None, Some(default)) => self.evaluate(default, &scope),
                (None, None) => {
                    let message = format!("'{}' needs {}", file.name.text, name.text);
                    Err(Fault::Mistake(name.at, message))
                }
            };
            let value = self.or_spoilt(value);
            scope.insert(name.text.clone(), value);
        }
        scope
    }

    /// Tells of arguments for which there is no parameter, or that are given twice.
    fn check_names(&mut self, file: &File, arguments: &Arguments) {
        let (at, network) = (file.name.at, &file.name.text);
        let known = || file.parameters.iter().map(|p| p.name.text.as_str());
        for (i, (name, _)) in arguments.0.iter().enumerate() {
            if file.parameters.is_empty() {
                let message = format!("'{network}' has no parameters, '{name}' is given");
                self.mistakes.push((at, message));
            } else if !known().any(|k| k == name) {
                let hint = hint(name, known());
                let known = known().collect::<Vec<_>>().join(", ");
                let message =
                    format!("'{network}' has no parameter '{name}'{hint} (known: {known})");
                self.mistakes.push((at, message));
            } else if arguments.0[..i].iter().any(|(n, _)| n == name) {
                self.mistakes.push((at, format!("'{name}' is given twice")));
            }
        }
    }
}
