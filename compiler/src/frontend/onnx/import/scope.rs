//! Names in sight: values by the names of the file.

use cnnc_ir::{Graph, Value};
use std::collections::HashMap;

/// A graph under construction and the names defined so far. `None` stands for a value that could not be imported.
pub struct Scope {
    pub graph: Graph,
    pub names: HashMap<String, Option<Value>>,
}

/// What a name stands for.
pub enum Found {
    Value(Value),
    /// It was not imported, which is already reported.
    Poisoned,
    Unknown,
}

impl Scope {
    pub fn new(name: &str) -> Scope {
        Scope {
            graph: Graph::new(name),
            names: HashMap::new(),
        }
    }

    pub fn find(&self, name: &str) -> Found {
        match self.names.get(name) {
            Some(Some(v)) => Found::Value(*v),
            Some(None) => Found::Poisoned,
            None => Found::Unknown,
        }
    }

    /// Defines a name; false where it is taken.
    pub fn define(&mut self, name: &str, value: Option<Value>) -> bool {
        self.names.insert(name.to_string(), value).is_none()
    }
}
