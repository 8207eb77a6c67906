//! Names in sight: values by the names of the file.

use cnnc_ir::{Graph, Value};
use std::collections::{HashMap, HashSet};

/// A graph under construction and the names defined so far. `None` stands for a value that could not be imported.
pub struct Scope {
    pub graph: Graph,
    pub names: HashMap<String, Option<Value>>,
    /// Names that stand for sequences; in `names` they have no value.
    pub sequences: HashMap<String, Vec<Value>>,
    /// Names that gradients are taken by.
    pub differentiated: HashSet<String>,
    /// What these stand for and what is computed from it: constant or not, it is not computed ahead.
    pub varied: HashSet<Value>,
}

/// What a name stands for.
pub enum Found {
    Value(Value),
    Sequence(Vec<Value>),
    /// It was not imported, which is already reported.
    Poisoned,
    Unknown,
}

impl Scope {
    pub fn new(name: &str) -> Scope {
        Scope {
            graph: Graph::new(name),
            names: HashMap::new(),
            sequences: HashMap::new(),
            differentiated: HashSet::new(),
            varied: HashSet::new(),
        }
    }

    pub fn find(&self, name: &str) -> Found {
        match self.names.get(name) {
            Some(Some(v)) => Found::Value(*v),
            Some(None) => match self.sequences.get(name) {
                Some(list) => Found::Sequence(list.clone()),
                None => Found::Poisoned,
            },
            None => Found::Unknown,
        }
    }

    /// Defines a name; false where it is taken.
    pub fn define(&mut self, name: &str, value: Option<Value>) -> bool {
        if self.differentiated.contains(name) {
            self.varied.extend(value);
        }
        self.names.insert(name.to_string(), value).is_none()
    }

    /// Defines the name of a sequence; false where it is taken.
    pub fn define_sequence(&mut self, name: &str, list: Vec<Value>) -> bool {
        self.sequences.insert(name.to_string(), list);
        self.define(name, None)
    }
}
