//! Rewriting: rules of pattern and replacement, applied until none matches.
//!
//! A [`Pattern`] is a tree of operators with named captures; a [`Rule`] builds a [`Patch`] for a match: new nodes, and which values
//! they replace. The driver keeps a worklist: after a rewrite only the nodes near it are looked at again, so a pass over a long
//! chain takes time in proportion to its length. Nodes that a rewrite leaves without users are removed at once, so that a pattern
//! may ask for the only use of a value.
//!
//! Deliberately absent: costs and backtracking. Rules must make progress; a set of rules that never comes to rest is an error.

use crate::attrs::Attrs;
use crate::class::Semantics;
use crate::graph::{Graph, NodeId, Op, Value};
use crate::ops::OpKind;
use crate::schema::TypeError;
use crate::tensor::Tensor;
use std::collections::VecDeque;
use thiserror::Error;

/// A tree of operators to be found in a graph, matched from its root (the last operator) to its leaves.
///
/// An operator with an epilogue matches only where [`Pattern::fused`] allows it, since its result is not the operator's own.
#[derive(Clone, Debug)]
pub struct Pattern {
    shape: Shape,
    capture: Option<&'static str>,
    args: Vec<(usize, Pattern)>,
    commutative: bool,
    single_use: bool,
    fused: bool,
    condition: Option<fn(&Graph, Value) -> bool>,
}

#[derive(Clone, Debug)]
enum Shape {
    Any,
    Constant,
    Op(&'static [OpKind]),
    Class(fn(&Semantics) -> bool),
}

impl Pattern {
    fn new(shape: Shape, capture: Option<&'static str>) -> Pattern {
        Pattern {
            shape,
            capture,
            args: Vec::new(),
            commutative: false,
            single_use: false,
            fused: false,
            condition: None,
        }
    }
    /// Any value, captured. Two captures of one name must be one value.
    pub fn any(capture: &'static str) -> Pattern {
        Pattern::new(Shape::Any, Some(capture))
    }
    /// A constant, captured.
    pub fn constant(capture: &'static str) -> Pattern {
        Pattern::new(Shape::Constant, Some(capture))
    }
    /// The first output of one of these operators.
    pub fn op(kinds: &'static [OpKind]) -> Pattern {
        Pattern::new(Shape::Op(kinds), None)
    }
    /// The first output of an operator of a class.
    pub fn class(class: fn(&Semantics) -> bool) -> Pattern {
        Pattern::new(Shape::Class(class), None)
    }
    /// Operand `slot` must match; operands not named may be anything.
    pub fn arg(mut self, slot: usize, pattern: Pattern) -> Pattern {
        self.args.push((slot, pattern));
        self
    }
    pub fn named(self, capture: &'static str) -> Pattern {
        Pattern {
            capture: Some(capture),
            ..self
        }
    }
    /// The first two operands may be exchanged.
    pub fn commutative(self) -> Pattern {
        Pattern {
            commutative: true,
            ..self
        }
    }
    /// The value is used once, and is no output of the graph.
    pub fn single_use(self) -> Pattern {
        Pattern {
            single_use: true,
            ..self
        }
    }
    /// The operator may have an epilogue.
    pub fn fused(self) -> Pattern {
        Pattern {
            fused: true,
            ..self
        }
    }
    /// A further condition on the matched value.
    pub fn when(self, condition: fn(&Graph, Value) -> bool) -> Pattern {
        Pattern {
            condition: Some(condition),
            ..self
        }
    }

    /// Operators from the root to the farthest leaf.
    fn depth(&self) -> usize {
        1 + self.args.iter().map(|(_, p)| p.depth()).max().unwrap_or(0)
    }

    /// What the names stand for, if the pattern matches at `root`.
    pub fn find(&self, graph: &Graph, root: Value) -> Option<Match> {
        let mut found = Match {
            root,
            captures: Vec::new(),
        };
        self.matches(graph, root, &mut found).then_some(found)
    }

    fn matches(&self, graph: &Graph, v: Value, found: &mut Match) -> bool {
        let node = graph.node(v.node);
        let fits = match (&self.shape, node.op()) {
            (Shape::Any, _) => true,
            (Shape::Constant, _) => graph.constant(v).is_some(),
            (Shape::Op(_) | Shape::Class(_), None) => false,
            (_, Some(op)) if v.slot != 0 || (op.epilogue.is_some() && !self.fused) => false,
            (Shape::Op(kinds), Some(op)) => kinds.contains(&op.kind),
            (Shape::Class(class), Some(_)) => graph.semantics(v.node).is_ok_and(|s| class(&s)),
        };
        if !fits
            || (self.single_use && graph.single_user(v).is_none())
            || self.condition.is_some_and(|holds| !holds(graph, v))
            || !self.capture.is_none_or(|name| found.capture(name, v))
        {
            return false;
        }
        let before = found.captures.len();
        if self.match_args(graph, v.node, found, |slot| slot) {
            return true;
        }
        found.captures.truncate(before);
        let exchanged = |slot: usize| if slot < 2 { 1 - slot } else { slot };
        self.commutative && self.match_args(graph, v.node, found, exchanged)
    }

    fn match_args(
        &self,
        graph: &Graph,
        id: NodeId,
        found: &mut Match,
        place: impl Fn(usize) -> usize,
    ) -> bool {
        let inputs = graph.node(id).root_inputs();
        self.args.iter().all(|(slot, pattern)| {
            let operand = inputs.get(place(*slot)).copied().flatten();
            operand.is_some_and(|v| pattern.matches(graph, v, found))
        })
    }
}

/// A place where a pattern matched.
#[derive(Clone, Debug)]
pub struct Match {
    /// The value the pattern's root matched.
    pub root: Value,
    captures: Vec<(&'static str, Value)>,
}

impl Match {
    fn capture(&mut self, name: &'static str, v: Value) -> bool {
        match self.captures.iter().find(|(n, _)| *n == name) {
            Some((_, earlier)) => *earlier == v,
            None => {
                self.captures.push((name, v));
                true
            }
        }
    }

    /// What a name of the pattern stands for. Panics where the pattern has no such name: a mistake in the rule.
    pub fn get(&self, name: &str) -> Value {
        let found = self.captures.iter().find(|(n, _)| *n == name);
        found.expect("a name of the rule's own pattern").1
    }
}

/// A change under construction: nodes are added at once, uses are replaced when the rule has agreed to its match.
pub struct Patch<'g> {
    graph: &'g mut Graph,
    added: Vec<NodeId>,
    replaced: Vec<(Value, Value)>,
}

impl Patch<'_> {
    pub fn graph(&self) -> &Graph {
        self.graph
    }
    pub fn constant(&mut self, name: &str, tensor: Tensor) -> Value {
        let v = self.graph.add_constant(name, tensor);
        self.added.push(v.node);
        v
    }
    /// Adds an operator with one output, all operands given.
    pub fn op(&mut self, kind: OpKind, inputs: &[Value], attrs: Attrs) -> Result<Value, TypeError> {
        let op = Op {
            kind,
            attrs,
            bodies: Vec::new(),
            epilogue: None,
        };
        Ok(self
            .add(op, inputs.iter().copied().map(Some).collect(), &[""], "")?
            .into())
    }
    /// As [`Graph::add`].
    pub fn add(
        &mut self,
        op: Op,
        inputs: Vec<Option<Value>>,
        names: &[&str],
        label: &str,
    ) -> Result<NodeId, TypeError> {
        let id = self.graph.add(op, inputs, names, label)?;
        self.added.push(id);
        Ok(id)
    }
    /// Every use of `old` shall use `new`, which must have its element type and shape.
    pub fn replace(&mut self, old: Value, new: Value) {
        self.replaced.push((old, new));
    }
}

/// A pattern and what takes its place.
#[derive(Clone)]
pub struct Rule {
    pub name: &'static str,
    pub pattern: Pattern,
    /// Builds the replacement; `false` declines the match.
    pub build: fn(&mut Patch, &Match) -> Result<bool, TypeError>,
}

/// A fault in a rule, not in the graph it was applied to.
#[derive(Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum RewriteError {
    #[error("rule '{rule}' at node '{node}': {source}")]
    Type {
        rule: &'static str,
        node: String,
        source: TypeError,
    },
    #[error("rule '{rule}' at node '{node}' replaces {expected} by {found}")]
    Replacement {
        rule: &'static str,
        node: String,
        expected: String,
        found: String,
    },
    #[error("the rules never come to rest; the last one applied is '{rule}'")]
    Restless { rule: &'static str },
}

/// Applies the rules, the first that matches at a node winning, until none matches anywhere; returns how often.
pub fn apply(graph: &mut Graph, rules: &[Rule]) -> Result<usize, RewriteError> {
    let reach = rules.iter().map(|r| r.pattern.depth()).max().unwrap_or(0);
    let limit = 16 * graph.len() + 1024;
    let mut work = Worklist::default();
    graph.sweep();
    graph.order().into_iter().for_each(|id| work.push(id));
    let mut applied = 0;
    while let Some(id) = work.pop() {
        if !graph.contains(id) {
            continue;
        }
        for rule in rules {
            let Some(touched) = try_rule(graph, rule, id)? else {
                continue;
            };
            applied += 1;
            if applied > limit {
                return Err(RewriteError::Restless { rule: rule.name });
            }
            work.push_near(graph, touched, reach);
            break;
        }
    }
    graph.sweep();
    Ok(applied)
}

/// Applies a rule at a node; returns the nodes around which something changed.
fn try_rule(
    graph: &mut Graph,
    rule: &Rule,
    id: NodeId,
) -> Result<Option<Vec<NodeId>>, RewriteError> {
    let Some(found) = rule.pattern.find(graph, id.into()) else {
        return Ok(None);
    };
    let title = |graph: &Graph| graph.node(id).title().to_string();
    let mut patch = Patch {
        graph,
        added: Vec::new(),
        replaced: Vec::new(),
    };
    let agreed = (rule.build)(&mut patch, &found);
    let Patch {
        added, replaced, ..
    } = patch;
    let agreed = agreed.map_err(|source| RewriteError::Type {
        rule: rule.name,
        node: title(graph),
        source,
    })?;
    if !agreed || replaced.is_empty() {
        added.iter().rev().for_each(|&id| drop(graph.prune(id)));
        return Ok(None);
    }
    for &(old, new) in &replaced {
        let (expected, found) = (graph.ty(old), graph.ty(new));
        if (expected.dtype, &expected.shape) != (found.dtype, &found.shape) {
            let (expected, found) = (expected.to_string(), found.to_string());
            return Err(RewriteError::Replacement {
                rule: rule.name,
                node: title(graph),
                expected,
                found,
            });
        }
    }
    let mut touched = added;
    for (old, new) in replaced {
        graph.replace_uses(old, new);
        touched.push(new.node);
        touched.extend(graph.prune(old.node));
    }
    Ok(Some(touched))
}

/// Nodes to look at, each at most once at a time, in the order they came.
#[derive(Default)]
struct Worklist {
    queue: VecDeque<NodeId>,
    waiting: Vec<bool>,
}

impl Worklist {
    fn push(&mut self, id: NodeId) {
        let place = id.0 as usize;
        if place >= self.waiting.len() {
            self.waiting.resize(place + 1, false);
        }
        if !std::mem::replace(&mut self.waiting[place], true) {
            self.queue.push_back(id);
        }
    }

    fn pop(&mut self) -> Option<NodeId> {
        let id = self.queue.pop_front()?;
        self.waiting[id.0 as usize] = false;
        Some(id)
    }

    /// The nodes themselves and users of users of ..., as far as a pattern rooted there could see the change.
    fn push_near(&mut self, graph: &Graph, nodes: Vec<NodeId>, reach: usize) {
        let mut ring = nodes;
        for _ in 0..reach {
            ring.retain(|&id| graph.contains(id));
            ring.sort_unstable();
            ring.dedup();
            ring.iter().for_each(|&id| self.push(id));
            ring = ring.iter().flat_map(|&id| users(graph, id)).collect();
        }
    }
}

fn users(graph: &Graph, id: NodeId) -> impl Iterator<Item = NodeId> {
    // A constant's users see no change in it, and may be many.
    let slots = if graph.constant(id.into()).is_some() {
        0
    } else {
        graph.node(id).outputs.len() as u32
    };
    (0..slots)
        .flat_map(move |slot| graph.users(Value { node: id, slot }))
        .map(|(user, _)| user)
}
