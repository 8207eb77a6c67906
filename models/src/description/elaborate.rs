//! Expansion: statements run once, in order, and leave a graph behind.
//!
//! A mistake spoils the variables it would have set; what uses them is passed over in silence. Blocks see their parameters and nothing
//! else. Repetition is bounded, so every description ends.

use super::arguments::Arguments;
use super::ast::{Block, Expr, ExprKind, File, Input, Name, Statement};
use super::builder::Builder;
use super::lex::Mistake;
use super::value::{Fault, Value};
use cnnc_ir::graph::Graph;
use cnnc_ir::{Dim, TensorType};
use std::collections::HashMap;

/// Statements run in all; beyond, a repetition has run away.
const MOST_STATEMENTS: usize = 200_000;

/// Variables by name.
pub(super) type Scope = HashMap<String, Value>;

/// Finds the graph behind a file name of an `import`.
pub(super) type Resolve<'r> = &'r dyn Fn(&str) -> Result<Graph, String>;

pub(super) struct Elaborator<'f> {
    pub blocks: HashMap<&'f str, &'f Block>,
    pub imports: HashMap<&'f str, Graph>,
    pub builder: Builder,
    /// Path of the block being expanded, ending in a dot; empty outside.
    pub prefix: String,
    /// Blocks within each other.
    pub depth: usize,
    pub mistakes: Vec<Mistake>,
    outputs: Vec<&'f str>,
    run: usize,
}

impl<'f> Elaborator<'f> {
    pub fn new(file: &'f File, seed: Option<u64>, resolve: Resolve) -> Elaborator<'f> {
        let mut elaborator = Elaborator {
            blocks: HashMap::new(),
            imports: HashMap::new(),
            builder: Builder::new(&file.name.text, seed),
            prefix: String::new(),
            depth: 0,
            mistakes: Vec::new(),
            outputs: Vec::new(),
            run: 0,
        };
        for import in &file.imports {
            match resolve(&import.file) {
                Ok(graph) => {
                    elaborator.imports.insert(&import.name.text, graph);
                }
                Err(message) => elaborator.mistakes.push((import.at, message)),
            }
        }
        for block in &file.blocks {
            let name = &block.name;
            if elaborator.blocks.insert(&name.text, block).is_some() {
                let message = format!("there is a block '{}' already", name.text);
                elaborator.mistakes.push((name.at, message));
            }
        }
        elaborator
    }

    /// Expands the whole file.
    pub fn network(&mut self, file: &'f File, arguments: &Arguments) {
        let parameters = self.parameters(file, arguments);
        let mut scope = parameters.clone();
        for input in &file.inputs {
            let name = &input.name;
            let value = self.input(input, &parameters);
            let value = self.or_spoilt(value);
            if scope.insert(name.text.clone(), value).is_some() {
                let what = match parameters.contains_key(&name.text) {
                    true => "a parameter",
                    false => "an input",
                };
                let message = format!("there is {what} '{}' already", name.text);
                self.mistakes.push((name.at, message));
            }
        }
        self.execute(&file.body, &mut scope);
        if self.outputs.is_empty() && self.mistakes.is_empty() {
            let message = "the network has no output: write 'output name = ...'";
            self.mistakes.push((0, message.into()));
        }
    }

    /// A value, or what its mistake leaves behind.
    pub fn or_spoilt(&mut self, value: Result<Value, Fault>) -> Value {
        value.unwrap_or_else(|fault| {
            if let Fault::Mistake(at, message) = fault {
                self.mistakes.push((at, message));
            }
            Value::Spoilt
        })
    }

    fn input(&mut self, input: &'f Input, parameters: &Scope) -> Result<Value, Fault> {
        let name = &input.name;
        let mut ty = TensorType::scalar(input.dtype);
        ty.shape.push(Dim::sym(super::BATCH, None));
        for extent in &input.shape {
            ty.shape.push(self.extent(extent, parameters)?);
        }
        if !ty.fits_memory() {
            let message = format!("input '{}' is too large for memory: {ty}", name.text);
            return Err(Fault::Mistake(name.at, message));
        }
        Ok(Value::Tensor(self.builder.graph.add_input(&name.text, ty)))
    }

    /// An extent of an input: a number, or a name that is no parameter.
    fn extent(&mut self, extent: &'f Expr, parameters: &Scope) -> Result<Dim, Fault> {
        let found = match &extent.kind {
            ExprKind::Name(name) if name == super::BATCH => "'N'".to_string(),
            ExprKind::Name(name) if !parameters.contains_key(name) => {
                return Ok(Dim::sym(name, None));
            }
            _ => match self.evaluate(extent, parameters)? {
                Value::Int(n) if n > 0 => return Ok(Dim::Fixed(n.unsigned_abs())),
                other => other.describe(),
            },
        };
        let message =
            format!("expected an extent above 0 or the name of a free one, found {found}");
        Err(Fault::Mistake(extent.at, message))
    }

    /// Runs statements; the value returned, if they return one.
    pub fn execute(&mut self, statements: &'f [Statement], scope: &mut Scope) -> Option<Value> {
        for statement in statements {
            self.run += 1;
            if self.run > MOST_STATEMENTS {
                return Some(Value::Spoilt);
            }
            match self.statement(statement, scope) {
                Ok(None) => {}
                Ok(Some(value)) => return Some(value),
                Err(fault) => {
                    if let Fault::Mistake(at, message) = fault {
                        self.mistakes.push((at, message));
                    }
                    if spoil(statement, scope) {
                        return Some(Value::Spoilt);
                    }
                }
            }
        }
        None
    }

    fn statement(
        &mut self,
        statement: &'f Statement,
        scope: &mut Scope,
    ) -> Result<Option<Value>, Fault> {
        match statement {
            Statement::Assign { targets, value } => {
                let at = value.at;
                let value = self.evaluate_for(value, targets.len(), scope)?;
                assign(targets, value, at, scope)?;
            }
            Statement::If {
                condition,
                then,
                otherwise,
            } => {
                let branch = match self.evaluate(condition, scope)? {
                    Value::Bool(true) => then,
                    Value::Bool(false) => otherwise,
                    other => {
                        let message = format!("expected true or false, found {}", other.describe());
                        return Err(Fault::Mistake(condition.at, message));
                    }
                };
                return Ok(self.execute(branch, scope));
            }
            Statement::Repeat { count, body } => {
                let times = match self.evaluate(count, scope)? {
                    Value::Int(n) if n >= 0 => n,
                    other => {
                        let found = other.describe();
                        let message = format!("expected a whole number from 0, found {found}");
                        return Err(Fault::Mistake(count.at, message));
                    }
                };
                return self.repeat(count.at, (0..times).map(|_| None), &[], body, scope);
            }
            Statement::For {
                targets,
                list,
                body,
            } => {
                let Value::List(items) = self.evaluate(list, scope)? else {
                    let message = "expected a list such as [64, 128]".into();
                    return Err(Fault::Mistake(list.at, message));
                };
                let items = items.into_iter().map(Some);
                return self.repeat(list.at, items, targets, body, scope);
            }
            Statement::Return { at, values } => return self.result(*at, values, scope).map(Some),
            Statement::Output { name, value } => self.output(name, value, scope)?,
        }
        Ok(None)
    }

    /// Runs a body for every item, which the targets take.
    fn repeat(
        &mut self,
        at: usize,
        items: impl Iterator<Item = Option<Value>>,
        targets: &[Name],
        body: &'f [Statement],
        scope: &mut Scope,
    ) -> Result<Option<Value>, Fault> {
        for item in items {
            self.run += 1;
            if self.run > MOST_STATEMENTS {
                let message = format!("the network takes more than {MOST_STATEMENTS} statements");
                return Err(Fault::Mistake(at, message));
            }
            if let Some(item) = item {
                assign(targets, item, at, scope)?;
            }
            if let Some(value) = self.execute(body, scope) {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    fn result(&mut self, at: usize, values: &'f [Expr], scope: &Scope) -> Result<Value, Fault> {
        if self.depth == 0 {
            let message = "'return' stands in blocks only: write 'output name = ...'";
            return Err(Fault::Mistake(at, message.into()));
        }
        let values = values.iter().map(|v| self.evaluate(v, scope));
        let mut values = values.collect::<Result<Vec<_>, _>>()?;
        match values.len() {
            1 => values.pop().ok_or(Fault::Consequence),
            _ => Ok(Value::List(values)),
        }
    }

    fn output(&mut self, name: &'f Name, value: &'f Expr, scope: &mut Scope) -> Result<(), Fault> {
        let text = &name.text;
        if self.depth > 0 {
            let message = "'output' does not stand in blocks: write 'return ...'";
            return Err(Fault::Mistake(name.at, message.into()));
        }
        if self.outputs.contains(&text.as_str()) {
            let message = format!("there is an output '{text}' already");
            return Err(Fault::Mistake(name.at, message));
        }
        self.outputs.push(text);
        match self.evaluate(value, scope)? {
            Value::Tensor(v) => {
                self.builder.graph.add_output(text, v);
                scope.insert(text.clone(), Value::Tensor(v));
                Ok(())
            }
            other => {
                let message = format!("expected a tensor, found {}", other.describe());
                Err(Fault::Mistake(value.at, message))
            }
        }
    }
}

/// Gives a value to its target; several targets take a list apart.
pub(super) fn assign(
    targets: &[Name],
    value: Value,
    at: usize,
    scope: &mut Scope,
) -> Result<(), Fault> {
    if let [target] = targets {
        scope.insert(target.text.clone(), value);
        return Ok(());
    }
    let values = value.into_list();
    if values.len() != targets.len() {
        let (names, found) = (targets.len(), values.len());
        let message = format!("{names} names for {found} values");
        return Err(Fault::Mistake(at, message));
    }
    for (target, value) in targets.iter().zip(values) {
        scope.insert(target.text.clone(), value);
    }
    Ok(())
}

/// Marks what a statement would have set; whether it might have returned.
fn spoil(statement: &Statement, scope: &mut Scope) -> bool {
    let mut all = |statements: &[Statement]| {
        let returns: Vec<bool> = statements.iter().map(|s| spoil(s, scope)).collect();
        returns.contains(&true)
    };
    match statement {
        Statement::If {
            then, otherwise, ..
        } => all(then) | all(otherwise),
        Statement::Repeat { body, .. } => all(body),
        Statement::Return { .. } => true,
        Statement::For { targets, body, .. } => {
            let returns = all(body);
            spoil_names(targets, scope);
            returns
        }
        Statement::Assign { targets, .. } => {
            spoil_names(targets, scope);
            false
        }
        Statement::Output { name, .. } => {
            spoil_names(std::slice::from_ref(name), scope);
            false
        }
    }
}

fn spoil_names(names: &[Name], scope: &mut Scope) {
    for name in names {
        scope.insert(name.text.clone(), Value::Spoilt);
    }
}
