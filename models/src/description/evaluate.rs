//! Values of expressions, and calls: of blocks, imports, layers, and ONNX operators.

use super::ast::{Arg, Binary, Expr, ExprKind, Name};
use super::call::{Bound, Call, Given, bind};
use super::elaborate::{Elaborator, Scope};
use super::layers::{LAYERS, Layer, activation};
use super::operator;
use super::value::{Fault, Value, binary};
use crate::initializer;
use cnnc_ir::graph;
use cnnc_ir::spelling::hint;
use cnnc_ir::{Attrs, OpKind, Tensor};

/// Blocks within blocks.
const DEEPEST: usize = 32;

/// Words that stand for themselves, beside activations and initialisers.
const WORDS: [&str; 4] = ["same", "valid", "nearest", "linear"];

impl<'f> Elaborator<'f> {
    pub fn evaluate(&mut self, expr: &'f Expr, scope: &Scope) -> Result<Value, Fault> {
        self.evaluate_for(expr, 1, scope)
    }

    /// The value of an expression of which `results` are wanted.
    pub fn evaluate_for(
        &mut self,
        expr: &'f Expr,
        results: usize,
        scope: &Scope,
    ) -> Result<Value, Fault> {
        Ok(match &expr.kind {
            ExprKind::Int(n) => Value::Int(*n),
            ExprKind::Float(x) => Value::Float(*x),
            ExprKind::Size(extents) => Value::Size(extents.clone()),
            ExprKind::Str(text) => Value::Str(text.clone()),
            ExprKind::Name(name) => self.name(expr.at, name, scope)?,
            ExprKind::List(items) => {
                let items = items.iter().map(|item| self.evaluate(item, scope));
                Value::List(items.collect::<Result<_, _>>()?)
            }
            ExprKind::Call { callee, args } => self.call(callee, args, results, scope)?,
            ExprKind::Not(inner) => match self.evaluate(inner, scope)? {
                Value::Bool(b) => Value::Bool(!b),
                other => return Err(unfit(expr.at, "not", &other)),
            },
            ExprKind::Negate(inner) => match self.evaluate(inner, scope)? {
                Value::Int(n) => Value::Int(n.saturating_neg()),
                Value::Float(x) => Value::Float(-x),
                Value::Tensor(v) => self.elementwise(expr.at, OpKind::Neg, &[v])?,
                other => return Err(unfit(expr.at, "-", &other)),
            },
            ExprKind::Binary(operator, left, right) => {
                let left = self.evaluate(left, scope)?;
                let right = self.evaluate(right, scope)?;
                self.binary(expr.at, *operator, left, right)?
            }
        })
    }

    fn name(&self, at: usize, name: &str, scope: &Scope) -> Result<Value, Fault> {
        match (scope.get(name), name) {
            (Some(Value::Spoilt), _) => Err(Fault::Consequence),
            (Some(value), _) => Ok(value.clone()),
            (None, "true") => Ok(Value::Bool(true)),
            (None, "false") => Ok(Value::Bool(false)),
            (None, "none") => Ok(Value::Absent),
            (None, word) if words().any(|w| w == word) => Ok(Value::Word(word.to_string())),
            (None, _) => {
                let mut known: Vec<&str> = scope.keys().map(String::as_str).collect();
                known.sort_unstable();
                words().for_each(|word| known.push(word));
                let hint = hint(name, known);
                Err(Fault::Mistake(at, format!("unknown name '{name}'{hint}")))
            }
        }
    }

    fn binary(
        &mut self,
        at: usize,
        operator: Binary,
        left: Value,
        right: Value,
    ) -> Result<Value, Fault> {
        if let (Value::Tensor(_), _) | (_, Value::Tensor(_)) = (&left, &right) {
            let kind = match operator {
                Binary::Add => OpKind::Add,
                Binary::Sub => OpKind::Sub,
                Binary::Mul => OpKind::Mul,
                Binary::Div => OpKind::Div,
                _ => return Err(unfit(at, operator.sign(), &left)),
            };
            let mut operand = |value: &Value, other: &Value| match (value, other) {
                (Value::Tensor(v), _) => Ok(*v),
                (number, Value::Tensor(like)) => match number.number() {
                    Some(x) => {
                        let dtype = self.builder.graph.ty(*like).dtype;
                        let scalar = Tensor::scalar_f64(dtype, x);
                        Ok(self.builder.graph.add_constant("", scalar))
                    }
                    None => Err(unfit(at, operator.sign(), number)),
                },
                (value, _) => Err(unfit(at, operator.sign(), value)),
            };
            let operands = [operand(&left, &right)?, operand(&right, &left)?];
            return self.elementwise(at, kind, &operands);
        }
        binary(operator, &left, &right).ok_or_else(|| {
            let (left, right) = (left.describe(), right.describe());
            let sign = operator.sign();
            Fault::Mistake(at, format!("'{sign}' does not fit {left} and {right}"))
        })
    }

    fn elementwise(
        &mut self,
        at: usize,
        kind: OpKind,
        operands: &[graph::Value],
    ) -> Result<Value, Fault> {
        let operands = operands.iter().copied().map(Some).collect();
        let title = self.prefix.trim_end_matches('.').to_string();
        self.builder
            .operator(kind, operands, Attrs::new(), &[""], &title)
            .map(|outputs| Value::Tensor(outputs[0]))
            .map_err(|message| Fault::Mistake(at, message))
    }

    // --- calls ---

    fn call(
        &mut self,
        callee: &'f Name,
        args: &'f [Arg],
        results: usize,
        scope: &Scope,
    ) -> Result<Value, Fault> {
        let word = callee.text.as_str();
        let mut given = Vec::new();
        for Arg { name, value } in args {
            given.push(Given {
                name: name.clone(),
                at: value.at,
                value: self.evaluate(value, scope)?,
            });
        }
        if self.blocks.contains_key(word) {
            return self.block(callee, given);
        }
        if self.imports.contains_key(word) {
            return self.import(callee, given);
        }
        if let Some(layer) = Layer::find(word) {
            return self.layer(callee, &layer, given);
        }
        if initializer::NAMES.contains(&word) {
            return options(callee, &given);
        }
        match (word, OpKind::find("", word)) {
            ("channels", _) => self.channels(callee, given),
            ("concat", _) => self.concat(callee, given),
            (_, Some(kind)) => {
                let title = self.title(callee, None)?;
                operator::call(&mut self.builder, callee, &title, kind, given, results)
            }
            (_, None) => Err(self.unknown(callee)),
        }
    }

    fn unknown(&self, callee: &Name) -> Fault {
        let word = callee.text.as_str();
        let layers = LAYERS.iter().map(|l| l.word).chain(activation::NAMES);
        let known = self.blocks.keys().chain(self.imports.keys()).copied();
        let known = known.chain(layers).chain(["concat", "channels"]);
        let operators = OpKind::ALL.iter().map(|k| k.def().name);
        let hint = match word.starts_with(char::is_uppercase) {
            true => hint(word, operators),
            false => hint(word, known),
        };
        Fault::Mistake(callee.at, format!("unknown layer '{word}'{hint}"))
    }

    /// The path of what is being called.
    fn title(&mut self, callee: &Name, name: Option<&(usize, Value)>) -> Result<String, Fault> {
        let (at, name) = match name {
            None => (callee.at, None),
            Some((at, Value::Str(name))) if !name.is_empty() => (*at, Some(name.as_str())),
            Some((at, other)) => {
                let message = format!("expected a name in quotes, found {}", other.describe());
                return Err(Fault::Mistake(*at, message));
            }
        };
        self.builder
            .title(&self.prefix, &callee.text, name)
            .map_err(|message| Fault::Mistake(at, message))
    }

    fn layer(&mut self, callee: &Name, layer: &Layer, given: Vec<Given>) -> Result<Value, Fault> {
        let bound = bind(callee, &layer.parameter_names(), given)?;
        let title = self.title(callee, bound.get("name"))?;
        let mut call = Call {
            builder: &mut self.builder,
            callee,
            title,
            bound,
        };
        (layer.build)(&mut call).map(Value::Tensor)
    }

    fn block(&mut self, callee: &'f Name, given: Vec<Given>) -> Result<Value, Fault> {
        let Some(&block) = self.blocks.get(callee.text.as_str()) else {
            return Err(Fault::Consequence);
        };
        if self.depth == DEEPEST {
            let message = format!("'{}' is nested too deeply", callee.text);
            return Err(Fault::Mistake(callee.at, message));
        }
        let names = block.parameters.iter().map(|p| p.name.text.as_str());
        let names: Vec<&str> = names.chain(["name"]).collect();
        let mut bound: Bound = bind(callee, &names, given)?;
        let title = self.title(callee, bound.remove("name").as_ref())?;
        let mut scope = Scope::new();
        for parameter in &block.parameters {
            let name = &parameter.name.text;
            let value = match (bound.remove(name), &parameter.default) {
                (Some((_, value)), _) => value,
                (None, Some(default)) => self.evaluate(default, &scope)?,
                (None, None) => {
                    let message = format!("'{}' needs {name}", callee.text);
                    return Err(Fault::Mistake(callee.at, message));
                }
            };
            scope.insert(name.clone(), value);
        }
        let outer = std::mem::replace(&mut self.prefix, format!("{title}."));
        self.depth += 1;
        let result = self.execute(&block.body, &mut scope);
        self.depth -= 1;
        self.prefix = outer;
        match result {
            Some(Value::Spoilt) => Err(Fault::Consequence),
            Some(value) => Ok(value),
            None => {
                let message = format!("block '{}' does not return a value", block.name.text);
                Err(Fault::Mistake(block.name.at, message))
            }
        }
    }

    fn import(&mut self, callee: &Name, given: Vec<Given>) -> Result<Value, Fault> {
        let Some(graph) = self.imports.get(callee.text.as_str()) else {
            return Err(Fault::Consequence);
        };
        let inputs = graph.inputs().iter();
        let inputs: Vec<String> = inputs
            .map(|&id| graph.value_name(id.into()).to_string())
            .collect();
        let names = inputs.iter().map(String::as_str);
        let bound = bind(
            callee,
            &names.chain(["frozen", "name"]).collect::<Vec<_>>(),
            given,
        )?;
        let title = self.title(callee, bound.get("name"))?;
        let Some(graph) = self.imports.get(callee.text.as_str()) else {
            return Err(Fault::Consequence);
        };
        let call = Call {
            builder: &mut self.builder,
            callee,
            title: title.clone(),
            bound,
        };
        let args = inputs.iter().map(|name| call.tensor(name));
        let args = args.collect::<Result<Vec<_>, _>>()?;
        let frozen = call.flag("frozen", false)?;
        let outputs = self.builder.inline(graph, &args, &title, frozen);
        let outputs = outputs
            .map_err(|e| Fault::Mistake(callee.at, format!("{} '{title}': {e}", callee.text)))?;
        Ok(match outputs[..] {
            [one] => Value::Tensor(one),
            _ => Value::List(outputs.into_iter().map(Value::Tensor).collect()),
        })
    }

    /// `channels(x)`: the extent of the first axis behind the batch.
    fn channels(&mut self, callee: &Name, given: Vec<Given>) -> Result<Value, Fault> {
        let call = Call {
            bound: bind(callee, &["x"], given)?,
            builder: &mut self.builder,
            callee,
            title: String::new(),
        };
        let x = call.tensor("x")?;
        Ok(Value::Int(call.extent(x, 1)? as i64))
    }

    /// `concat(a, b, ..., axis=1)`
    fn concat(&mut self, callee: &Name, mut given: Vec<Given>) -> Result<Value, Fault> {
        let parts = given.iter().take_while(|g| g.name.is_none()).count();
        let options = given.split_off(parts);
        let bound = bind(callee, &["axis", "name"], options)?;
        let title = self.title(callee, bound.get("name"))?;
        let mut parts = Vec::new();
        for Given { at, value, .. } in given {
            match value {
                Value::Tensor(v) => parts.push(v),
                other => return Err(unfit(at, "concat", &other)),
            }
        }
        let mut call = Call {
            builder: &mut self.builder,
            callee,
            title,
            bound,
        };
        let axis = cnnc_ir::AttrValue::Int(call.int_or("axis", 1)?);
        call.op(OpKind::Concat, &parts, [("axis", axis)])
            .map(Value::Tensor)
    }
}

/// All words that stand for themselves.
fn words() -> impl Iterator<Item = &'static str> {
    activation::NAMES
        .into_iter()
        .chain(initializer::NAMES)
        .chain(WORDS)
}

/// `normal(std=0.01)` as the option `normal:std=0.01`.
fn options(callee: &Name, given: &[Given]) -> Result<Value, Fault> {
    let mut options = Vec::new();
    for Given { name, at, value } in given {
        let Some(number) = value.number() else {
            return Err(unfit(*at, &callee.text, value));
        };
        options.push(match name {
            Some(name) => format!("{}={number}", name.text),
            None => number.to_string(),
        });
    }
    Ok(Value::Word(format!(
        "{}:{}",
        callee.text,
        options.join(",")
    )))
}

fn unfit(at: usize, what: &str, value: &Value) -> Fault {
    Fault::Mistake(at, format!("'{what}' does not fit {}", value.describe()))
}
