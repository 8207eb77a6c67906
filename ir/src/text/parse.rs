//! Parsing: graphs and nodes. A mistake spoils its line only; lines that use what it defines are passed over in silence.

use super::cursor::{Mistake, Parser};
use super::lex::{Kind, tokens};
use super::operand::coerce;
use super::{DEEPEST, ParseError, ParseErrors};
use crate::attrs::{AttrValue, Attrs};
use crate::expr::ExprOp;
use crate::graph::{Epilogue, Graph, NodeId, Op, Value};
use crate::ops::OpKind;
use crate::schema::check::Candidate;
use crate::spelling::hint;
use crate::types::TensorType;
use std::collections::{HashMap, HashSet};

/// Mistakes reported in one run.
const MOST_ERRORS: usize = 20;

/// The graph of a text, or all mistakes in it.
pub fn parse(text: &str) -> Result<Graph, ParseErrors> {
    let (tokens, strays) = tokens(text);
    let mut parser = Parser {
        tokens,
        next: 0,
        depth: 0,
        errors: strays,
    };
    let graph = parser.graph();
    if graph.is_some() && parser.peek() != &Kind::End {
        parser.report(parser.at(), "the text goes on after the graph".into());
    }
    match (graph, parser.errors.is_empty()) {
        (Some(graph), true) => Ok(graph),
        _ => {
            parser.errors.sort_by_key(|e| e.0);
            let errors = parser.errors.into_iter().take(MOST_ERRORS);
            Err(ParseErrors(
                errors
                    .map(|(at, message)| ParseError::at(text, at, message))
                    .collect(),
            ))
        }
    }
}

/// Values by name while a graph is parsed.
#[derive(Default)]
struct Scope {
    values: HashMap<String, Value>,
    /// Names whose definition had a mistake.
    spoilt: HashSet<String>,
}

/// Why a node was given up.
enum Lost {
    Mistake(Mistake),
    /// It uses a spoilt value.
    Spoilt,
}

impl From<Mistake> for Lost {
    fn from(m: Mistake) -> Lost {
        Lost::Mistake(m)
    }
}

impl Parser<'_> {
    /// `graph "name" (inputs) { nodes return outputs }`; `None` after a mistake in its frame.
    fn graph(&mut self) -> Option<Graph> {
        match self.framed_graph() {
            Ok(graph) => Some(graph),
            Err((at, message)) => {
                self.report(at, message);
                None
            }
        }
    }

    fn framed_graph(&mut self) -> Result<Graph, Mistake> {
        if self.depth == DEEPEST {
            return self.mistake(format!("bodies are nested deeper than {DEEPEST}"));
        }
        if !self.keyword("graph") {
            return self.expected("'graph'");
        }
        let mut graph = Graph::new(self.string("the graph's name in quotes")?);
        let mut scope = Scope::default();
        self.expect("(")?;
        let inputs = self.list(")", |p| {
            let (at, name) = (p.at(), p.name()?);
            p.expect(":")?;
            Ok((at, name, p.ty()?))
        })?;
        for (at, name, ty) in inputs {
            if graph.has_name(&name) {
                self.report(at, format!("%{name} is defined twice"));
                continue;
            }
            let v = graph.add_input(&name, ty);
            scope.values.insert(name, v);
        }
        self.expect("{")?;
        self.depth += 1;
        while !matches!(
            self.peek(),
            Kind::Word("return") | Kind::Mark("}") | Kind::End
        ) {
            self.statement(&mut graph, &mut scope);
        }
        self.depth -= 1;
        if !self.keyword("return") {
            return self.expected("a node or 'return'");
        }
        self.outputs(&mut graph, &scope)?;
        self.expect("}")?;
        Ok(graph)
    }

    fn outputs(&mut self, graph: &mut Graph, scope: &Scope) -> Result<(), Mistake> {
        while !matches!(self.peek(), Kind::Mark("}")) {
            let name = self.string("an output's name in quotes, or '}'")?;
            self.expect("=")?;
            match self.operand(scope) {
                Ok(Some(v)) => graph.add_output(&name, v),
                Ok(None) => return self.mistake("an output cannot be left out"),
                Err(Lost::Spoilt) => {}
                Err(Lost::Mistake((at, message))) => self.report(at, message),
            }
            if !self.accept(",") {
                break;
            }
        }
        Ok(())
    }

    /// One node; after a mistake its names are spoilt and the next line is sought.
    fn statement(&mut self, graph: &mut Graph, scope: &mut Scope) {
        let start = self.next;
        let mut names = Vec::new();
        let lost = match self.node(graph, scope, &mut names) {
            Ok(()) => return,
            Err(lost) => lost,
        };
        if let Lost::Mistake((at, message)) = lost {
            self.report(at, message);
        }
        for (_, name) in names {
            if !scope.values.contains_key(&name) {
                scope.spoilt.insert(name);
            }
        }
        // A mistake at the first token of a line must not be met again.
        if self.next == start {
            self.next += 1;
        }
        self.recover();
    }

    fn node(
        &mut self,
        graph: &mut Graph,
        scope: &mut Scope,
        names: &mut Vec<Mistake>,
    ) -> Result<(), Lost> {
        loop {
            names.push((self.at(), self.name()?));
            if !self.accept(",") {
                break;
            }
        }
        self.expect("=")?;
        for (i, (at, name)) in names.iter().enumerate() {
            if graph.has_name(name)
                || scope.spoilt.contains(name)
                || names[..i].iter().any(|n| n.1 == *name)
            {
                return Err(Lost::Mistake((*at, format!("%{name} is defined twice"))));
            }
        }
        if self.keyword("const") {
            let tensor = self.tensor()?;
            let [(_, name)] = &names[..] else {
                return Err(Lost::Mistake((self.at(), "a constant has one name".into())));
            };
            let v = graph.add_constant(name, tensor);
            scope.values.insert(name.clone(), v);
            return Ok(());
        }
        let at = self.at();
        let id = self.operator(graph, scope, names)?;
        self.stated_types(graph, id, at)?;
        for (slot, (_, name)) in (0..).zip(names) {
            scope.values.insert(name.clone(), Value { node: id, slot });
        }
        Ok(())
    }

    /// `Name(operands) {attributes} then [operands] { code } do graph ... "label"`.
    fn operator(
        &mut self,
        graph: &mut Graph,
        scope: &Scope,
        names: &[Mistake],
    ) -> Result<NodeId, Lost> {
        let at = self.at();
        let kind = self.kind()?;
        let mut spoilt = false;
        self.expect("(")?;
        let mut inputs = self.operands(")", scope, &mut spoilt)?;
        let mut op = Op {
            kind,
            attrs: Attrs::new(),
            bodies: Vec::new(),
            epilogue: None,
        };
        if self.accept("{") {
            op.attrs = self.attributes(kind)?;
        }
        let roots = inputs.len();
        if self.keyword("then") {
            self.expect("[")?;
            let extras = self.operands("]", scope, &mut spoilt)?;
            self.expect("{")?;
            let (code, expr) = (self.at(), self.expression()?);
            let operands = extras.len();
            let reads = |o: ExprOp| matches!(o, ExprOp::Arg(k) if k as usize > operands);
            if expr.insts.iter().any(|i| reads(i.op)) {
                return Err(Lost::Mistake((
                    code,
                    format!("the epilogue reads an argument beyond its {operands} operands"),
                )));
            }
            inputs.extend(extras);
            op.epilogue = Some(Epilogue { expr, operands });
        }
        while self.keyword("do") {
            op.bodies.push(self.framed_graph()?);
        }
        let label = if matches!(self.peek(), Kind::Str(_)) {
            self.string("a label")?
        } else {
            String::new()
        };
        if spoilt {
            return Err(Lost::Spoilt);
        }
        self.check_schema(at, graph, &op, &inputs[..roots], names.len())?;
        let names: Vec<&str> = names.iter().map(|n| n.1.as_str()).collect();
        Ok(graph
            .add(op, inputs, &names, &label)
            .map_err(|e| (at, e.to_string()))?)
    }

    fn check_schema(
        &mut self,
        at: usize,
        graph: &Graph,
        op: &Op,
        inputs: &[Option<Value>],
        outputs: usize,
    ) -> Result<(), Mistake> {
        let types: Vec<Option<&TensorType>> =
            inputs.iter().map(|v| v.map(|v| graph.ty(v))).collect();
        let candidate = Candidate {
            def: op.kind.def(),
            opset: None,
            attrs: &op.attrs,
            inputs: &types,
            outputs,
            bodies: op.bodies.len(),
        };
        let mut errors = candidate.check().into_iter();
        match errors.next() {
            Some(first) => {
                errors.for_each(|e| self.report(at, e.to_string()));
                Err((at, first.to_string()))
            }
            None => Ok(()),
        }
    }

    /// An operator's name with its domain.
    fn kind(&mut self) -> Result<OpKind, Mistake> {
        let Kind::Word(word) = *self.peek() else {
            return self.expected("an operator or 'const'");
        };
        let (domain, name) = word.rsplit_once('.').unwrap_or(("", word));
        match OpKind::find(domain, name) {
            Some(kind) => {
                self.advance();
                Ok(kind)
            }
            None => {
                let known = OpKind::ALL.iter().map(|k| k.def().name);
                self.mistake(format!("unknown operator '{word}'{}", hint(name, known)))
            }
        }
    }

    fn operands(
        &mut self,
        close: &str,
        scope: &Scope,
        spoilt: &mut bool,
    ) -> Result<Vec<Option<Value>>, Mistake> {
        self.list(close, |p| match p.operand(scope) {
            Ok(v) => Ok(v),
            Err(Lost::Mistake(m)) => Err(m),
            Err(Lost::Spoilt) => {
                *spoilt = true;
                Ok(None)
            }
        })
    }

    fn operand(&mut self, scope: &Scope) -> Result<Option<Value>, Lost> {
        if self.keyword("_") {
            return Ok(None);
        }
        let at = self.at();
        let name = self.name()?;
        if let Some(&v) = scope.values.get(&name) {
            return Ok(Some(v));
        }
        if scope.spoilt.contains(&name) {
            return Err(Lost::Spoilt);
        }
        let hint = hint(&name, scope.values.keys().map(String::as_str));
        Err(Lost::Mistake((
            at,
            format!("%{name} is not defined above{hint}"),
        )))
    }

    fn attributes(&mut self, kind: OpKind) -> Result<Attrs, Mistake> {
        let def = kind.def();
        let pairs = self.list("}", |p| {
            let at = p.at();
            let Kind::Word(name) = *p.peek() else {
                return p.expected("an attribute's name");
            };
            p.advance();
            p.expect("=")?;
            let value = p.attribute()?;
            match def.attr(name) {
                Some(attr) => Ok((at, name.to_string(), coerce(value, attr.kind))),
                None => {
                    let hint = hint(name, def.attrs.iter().map(|a| a.name));
                    Err((at, format!("{} has no attribute '{name}'{hint}", def.name)))
                }
            }
        })?;
        let mut attrs: HashMap<String, AttrValue> = HashMap::new();
        for (at, name, value) in pairs {
            if attrs.insert(name.clone(), value).is_some() {
                return Err((at, format!("attribute '{name}' is given twice")));
            }
        }
        Ok(attrs.into_iter().collect())
    }

    /// `: type, type`, if they are stated: element types and shapes must be the inferred ones, layouts are taken over.
    fn stated_types(&mut self, graph: &mut Graph, id: NodeId, op: usize) -> Result<(), Mistake> {
        if !self.accept(":") {
            return Ok(());
        }
        for slot in 0..graph.node(id).outputs.len() {
            if slot > 0 && !self.accept(",") {
                return self.expected("',' and the type of the next output");
            }
            let (at, stated) = (self.at(), self.ty()?);
            let v = Value {
                node: id,
                slot: slot as u32,
            };
            let inferred = graph.ty(v);
            if (stated.dtype, &stated.shape) != (inferred.dtype, &inferred.shape) {
                let plain = TensorType {
                    layout: Default::default(),
                    ..inferred.clone()
                };
                return Err((
                    at,
                    format!("%{} is {plain}, not {stated}", graph.value_name(v)),
                ));
            }
            graph.set_layout(v, stated.layout);
        }
        match self.token().first || matches!(self.peek(), Kind::Mark("}")) {
            true => Ok(()),
            false => Err((self.at().max(op), "expected the end of the line".into())),
        }
    }
}
