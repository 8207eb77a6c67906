//! The graph: nodes in static single assignment form over a petgraph DAG.
//!
//! petgraph stays private to this file: it renumbers on removal and yields edges newest first, so ids here are our own and
//! never reused, and operand slots are explicit. A node is an input, a constant, or an operator; a [`Value`] is one output of a
//! node. Types are inferred when a node is added, so a graph that exists is typed.

mod consistency;
mod equality;
mod labels;

use crate::attrs::Attrs;
use crate::expr::ScalarExpr;
use crate::ops::OpKind;
use crate::schema::{Arg, Cx, TypeError};
use crate::tensor::Tensor;
use crate::types::TensorType;
use petgraph::Direction;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use petgraph::visit::EdgeRef;
use std::collections::HashSet;

/// A node of one graph; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

/// Output `slot` of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value {
    pub node: NodeId,
    pub slot: u32,
}

impl From<NodeId> for Value {
    fn from(node: NodeId) -> Value {
        Value { node, slot: 0 }
    }
}

/// An operator with its attributes.
#[derive(Clone, Debug, PartialEq)]
pub struct Op {
    pub kind: OpKind,
    pub attrs: Attrs,
    /// Bodies of control flow.
    pub bodies: Vec<Graph>,
    /// An elementwise expression applied to the (only) result.
    pub epilogue: Option<Epilogue>,
}

/// `result = expr(root, extra_0, extra_1, ...)`: argument 0 is the operator's own result, the others are the node's last
/// `operands` inputs, which broadcast to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Epilogue {
    pub expr: ScalarExpr,
    pub operands: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    Input,
    Constant(Tensor),
    Op(Op),
}

/// An output's name (unique in the graph) and type.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    pub name: String,
    pub ty: TensorType,
}

#[derive(Clone, Debug)]
pub struct Node {
    pub id: NodeId,
    pub kind: NodeKind,
    /// Where it came from, for messages: the ONNX node's name. May be empty.
    pub label: String,
    /// Operands; `None` where an optional one is left out.
    pub inputs: Vec<Option<Value>>,
    pub outputs: Vec<Output>,
}

impl Node {
    pub fn op(&self) -> Option<&Op> {
        if let NodeKind::Op(op) = &self.kind {
            Some(op)
        } else {
            None
        }
    }
    pub fn op_kind(&self) -> Option<OpKind> {
        self.op().map(|o| o.kind)
    }
    /// The operator's own operands, without those of the epilogue.
    pub fn root_inputs(&self) -> &[Option<Value>] {
        let extra = self
            .op()
            .and_then(|o| o.epilogue.as_ref())
            .map_or(0, |e| e.operands);
        &self.inputs[..self.inputs.len() - extra]
    }
    /// Operands of the epilogue.
    pub fn epilogue_inputs(&self) -> &[Option<Value>] {
        &self.inputs[self.root_inputs().len()..]
    }
    /// What messages call the node: its label, or the name of its first output.
    pub fn title(&self) -> &str {
        if !self.label.is_empty() {
            &self.label
        } else {
            self.outputs.first().map_or("", |o| o.name.as_str())
        }
    }
}

/// An edge: which output feeds which operand.
#[derive(Clone, Copy, Debug)]
struct Use {
    from: u32,
    to: u32,
}

/// A typed directed acyclic graph with named inputs and outputs.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub name: String,
    dag: StableDiGraph<Node, Use>,
    /// By node id.
    places: Vec<Option<NodeIndex>>,
    inputs: Vec<NodeId>,
    outputs: Vec<(String, Value)>,
    names: HashSet<String>,
}

impl Graph {
    pub fn new(name: impl Into<String>) -> Graph {
        Graph {
            name: name.into(),
            ..Graph::default()
        }
    }

    // --- reading ---

    fn place(&self, id: NodeId) -> NodeIndex {
        self.places[id.0 as usize].expect("the node is in the graph")
    }
    pub fn contains(&self, id: NodeId) -> bool {
        self.places.get(id.0 as usize).is_some_and(|p| p.is_some())
    }
    pub fn node(&self, id: NodeId) -> &Node {
        &self.dag[self.place(id)]
    }
    pub fn len(&self) -> usize {
        self.dag.node_count()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The number the next node will get.
    pub fn next_id(&self) -> u32 {
        self.places.len() as u32
    }
    /// Nodes in order of their ids.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.places.iter().flatten().map(|&p| &self.dag[p])
    }
    pub fn inputs(&self) -> &[NodeId] {
        &self.inputs
    }
    /// Public name and value of each output.
    pub fn outputs(&self) -> &[(String, Value)] {
        &self.outputs
    }
    pub fn ty(&self, v: Value) -> &TensorType {
        &self.node(v.node).outputs[v.slot as usize].ty
    }
    pub fn value_name(&self, v: Value) -> &str {
        &self.node(v.node).outputs[v.slot as usize].name
    }
    pub fn constant(&self, v: Value) -> Option<&Tensor> {
        if let NodeKind::Constant(t) = &self.node(v.node).kind {
            Some(t)
        } else {
            None
        }
    }
    /// Whether a value has that name.
    pub fn has_name(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Uses of a value: (user, operand slot), sorted.
    pub fn users(&self, v: Value) -> Vec<(NodeId, usize)> {
        let mut users: Vec<(NodeId, usize)> = self
            .dag
            .edges_directed(self.place(v.node), Direction::Outgoing)
            .filter(|e| e.weight().from == v.slot)
            .map(|e| (self.dag[e.target()].id, e.weight().to as usize))
            .collect();
        users.sort_unstable();
        users
    }
    pub fn is_output(&self, v: Value) -> bool {
        self.outputs.iter().any(|(_, o)| *o == v)
    }
    /// The one user of a value that is used once and is no output of the graph.
    pub fn single_user(&self, v: Value) -> Option<(NodeId, usize)> {
        let users = self.users(v);
        (users.len() == 1 && !self.is_output(v)).then(|| users[0])
    }

    /// Every node, operands before users: depth first from inputs and outputs in their order, operands in slot order; nodes that
    /// no output needs come last. Iterative, linear, and the same for equal graphs.
    pub fn order(&self) -> Vec<NodeId> {
        let mut seen = vec![false; self.places.len()];
        let mut order = Vec::with_capacity(self.len());
        let roots = self
            .inputs
            .iter()
            .copied()
            .chain(self.outputs.iter().map(|o| o.1.node))
            .chain(self.nodes().map(|n| n.id));
        for root in roots {
            let mut stack = vec![(root, 0)];
            while let Some((id, next)) = stack.pop() {
                if next == 0 && std::mem::replace(&mut seen[id.0 as usize], true) {
                    continue;
                }
                let inputs = &self.node(id).inputs;
                match (next..inputs.len())
                    .find(|&i| inputs[i].is_some_and(|v| !seen[v.node.0 as usize]))
                {
                    Some(i) => {
                        stack.push((id, i + 1));
                        stack.push((inputs[i].expect("found as given").node, 0));
                    }
                    None => order.push(id),
                }
            }
        }
        order
    }

    // --- building ---

    fn unique(&mut self, name: &str) -> String {
        let mut candidate = name.to_string();
        if candidate.is_empty() {
            candidate = format!("v{}", self.places.len());
        }
        let stem = candidate.clone();
        let mut n = self.places.len();
        while !self.names.insert(candidate.clone()) {
            candidate = format!("{stem}.{n}");
            n += 1;
        }
        candidate
    }

    fn insert(
        &mut self,
        kind: NodeKind,
        label: &str,
        inputs: Vec<Option<Value>>,
        outputs: Vec<Output>,
    ) -> NodeId {
        let id = NodeId(self.places.len() as u32);
        let place = self.dag.add_node(Node {
            id,
            kind,
            label: label.to_string(),
            inputs: Vec::new(),
            outputs,
        });
        self.places.push(Some(place));
        for (slot, v) in inputs.iter().enumerate() {
            if let Some(v) = v {
                self.dag.add_edge(
                    self.place(v.node),
                    place,
                    Use {
                        from: v.slot,
                        to: slot as u32,
                    },
                );
            }
        }
        self.dag[place].inputs = inputs;
        id
    }

    /// Adds a graph input.
    pub fn add_input(&mut self, name: &str, ty: TensorType) -> Value {
        let name = self.unique(name);
        let id = self.insert(NodeKind::Input, "", Vec::new(), vec![Output { name, ty }]);
        self.inputs.push(id);
        id.into()
    }

    pub fn add_constant(&mut self, name: &str, tensor: Tensor) -> Value {
        let name = self.unique(name);
        let ty = tensor.ty();
        self.insert(
            NodeKind::Constant(tensor),
            "",
            Vec::new(),
            vec![Output { name, ty }],
        )
        .into()
    }

    /// Gives a constant another value of its type; whether `v` is a constant of that type.
    pub fn set_constant(&mut self, v: Value, tensor: Tensor) -> bool {
        if self.constant(v).is_none_or(|old| old.ty() != tensor.ty()) {
            return false;
        }
        let place = self.place(v.node);
        self.dag[place].kind = NodeKind::Constant(tensor);
        true
    }

    /// Types of the outputs an operator would have on these operands; refuses those too large for any memory.
    pub fn infer(
        &self,
        op: &Op,
        inputs: &[Option<Value>],
        outputs: usize,
        name: &str,
    ) -> Result<Vec<TensorType>, TypeError> {
        let extra = op.epilogue.as_ref().map_or(0, |e| e.operands);
        let mut types = self.with_cx(
            op,
            &inputs[..inputs.len().saturating_sub(extra)],
            outputs,
            name,
            |cx| (cx.def.infer)(cx),
        )?;
        if let (Some(e), Some(t)) = (&op.epilogue, types.first_mut()) {
            t.dtype = e.expr.dtype();
        }
        let op = op.kind.def().name;
        if types.len() < outputs {
            let message = format!("has {} outputs, {outputs} are asked for", types.len());
            return Err(TypeError::Invalid { op, message });
        }
        if let Some(ty) = types.iter().take(outputs).find(|ty| !ty.fits_memory()) {
            let shape = ty.to_string();
            return Err(TypeError::TooLarge { op, shape });
        }
        Ok(types)
    }

    /// Runs `f` with what the operator may look at: attributes, operand types and constant operands.
    pub fn with_cx<R>(
        &self,
        op: &Op,
        inputs: &[Option<Value>],
        outputs: usize,
        name: &str,
        f: impl FnOnce(&Cx) -> R,
    ) -> R {
        let args: Vec<Option<Arg>> = inputs
            .iter()
            .map(|v| {
                v.map(|v| Arg {
                    ty: self.ty(v),
                    value: self.constant(v),
                })
            })
            .collect();
        f(&Cx {
            def: op.kind.def(),
            attrs: &op.attrs,
            inputs: &args,
            outputs,
            bodies: &op.bodies,
            name,
        })
    }

    /// The meaning of a node's operator, its epilogue left aside.
    pub fn semantics(&self, id: NodeId) -> Result<crate::class::Semantics, TypeError> {
        let node = self.node(id);
        let op = node.op().expect("only operators have semantics");
        self.with_cx(
            op,
            node.root_inputs(),
            node.outputs.len(),
            &node.outputs[0].name,
            |cx| (cx.def.semantics)(cx),
        )
    }

    /// Adds an operator with as many outputs as there are names (an empty name gets a fresh one), inferring their types.
    pub fn add(
        &mut self,
        op: Op,
        inputs: Vec<Option<Value>>,
        names: &[&str],
        label: &str,
    ) -> Result<NodeId, TypeError> {
        let names: Vec<String> = names.iter().map(|n| self.unique(n)).collect();
        let name = names.first().map_or("", String::as_str);
        let types = self.infer(&op, &inputs, names.len(), name);
        if types.is_err() {
            self.names.retain(|n| !names.contains(n));
        }
        let outputs = std::iter::zip(names, types?)
            .map(|(name, ty)| Output { name, ty })
            .collect();
        Ok(self.insert(NodeKind::Op(op), label, inputs, outputs))
    }

    /// Adds an operator without attributes' fuss: one output, all operands given.
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

    pub fn add_output(&mut self, name: &str, v: Value) {
        self.outputs.push((name.to_string(), v));
    }

    // --- changing ---

    /// Makes output number `index` another value of the same type.
    pub fn set_output(&mut self, index: usize, v: Value) {
        self.outputs[index].1 = v;
    }

    /// Gives the node's label (provenance).
    pub fn set_label(&mut self, id: NodeId, label: &str) {
        let place = self.place(id);
        self.dag[place].label = label.to_string();
    }

    /// Takes a body out for rewriting; [`Graph::put_body`] puts it back.
    pub fn take_body(&mut self, id: NodeId, body: usize) -> Graph {
        let place = self.place(id);
        match &mut self.dag[place].kind {
            NodeKind::Op(op) => std::mem::take(&mut op.bodies[body]),
            _ => Graph::default(),
        }
    }

    pub fn put_body(&mut self, id: NodeId, body: usize, graph: Graph) {
        let place = self.place(id);
        if let NodeKind::Op(op) = &mut self.dag[place].kind {
            op.bodies[body] = graph;
        }
    }

    /// Overrides a value's type: layout assignment only, the shape must stay.
    pub fn set_layout(&mut self, v: Value, layout: crate::types::Layout) {
        let place = self.place(v.node);
        self.dag[place].outputs[v.slot as usize].ty.layout = layout;
    }

    /// Makes every use of `old` (operands and graph outputs) use `new`.
    pub fn replace_uses(&mut self, old: Value, new: Value) {
        for (user, slot) in self.users(old) {
            if user != new.node {
                self.set_operand(user, slot, new);
            }
        }
        for (_, v) in &mut self.outputs {
            if *v == old {
                *v = new;
            }
        }
    }

    /// Changes one operand of a node; the caller keeps types and acyclicity.
    pub fn set_operand(&mut self, user: NodeId, slot: usize, new: Value) {
        let place = self.place(user);
        let stale = self
            .dag
            .edges_directed(place, Direction::Incoming)
            .find(|e| e.weight().to == slot as u32)
            .map(|e| e.id());
        if let Some(e) = stale {
            self.dag.remove_edge(e);
        }
        self.dag.add_edge(
            self.place(new.node),
            place,
            Use {
                from: new.slot,
                to: slot as u32,
            },
        );
        self.dag[place].inputs[slot] = Some(new);
    }

    /// Removes operators and constants that no output needs; returns how many. Inputs stay.
    pub fn sweep(&mut self) -> usize {
        let mut live = vec![false; self.places.len()];
        let mut stack: Vec<NodeId> = self.outputs.iter().map(|o| o.1.node).collect();
        while let Some(id) = stack.pop() {
            if !std::mem::replace(&mut live[id.0 as usize], true) {
                stack.extend(self.node(id).inputs.iter().flatten().map(|v| v.node));
            }
        }
        let dead: Vec<NodeId> = self
            .nodes()
            .filter(|n| !live[n.id.0 as usize] && n.kind != NodeKind::Input)
            .map(|n| n.id)
            .collect();
        for &id in &dead {
            self.remove(id);
        }
        dead.len()
    }

    fn remove(&mut self, id: NodeId) {
        let place = self.places[id.0 as usize].take();
        if let Some(node) = place.and_then(|p| self.dag.remove_node(p)) {
            for o in node.outputs {
                self.names.remove(&o.name);
            }
        }
    }

    /// Removes an operator or constant without users, and in turn operands that lose their last user; returns the operands that
    /// stay, which have fewer users now.
    pub fn prune(&mut self, id: NodeId) -> Vec<NodeId> {
        let mut kept = Vec::new();
        let mut stack = vec![id];
        while let Some(id) = stack.pop() {
            if !self.contains(id) {
                continue;
            }
            let used = self
                .dag
                .edges_directed(self.place(id), Direction::Outgoing)
                .next()
                .is_some();
            let node = self.node(id);
            if used || node.kind == NodeKind::Input || self.outputs.iter().any(|o| o.1.node == id) {
                kept.push(id);
            } else {
                stack.extend(node.inputs.iter().flatten().map(|v| v.node));
                self.remove(id);
            }
        }
        kept
    }

    /// Copies the nodes of `body` into this graph, its inputs replaced by `args`; returns its outputs' values here.
    ///
    /// Names of the body's values are prefixed by `prefix`; `label` becomes the provenance where a node has none.
    pub fn inline(
        &mut self,
        body: &Graph,
        args: &[Value],
        prefix: &str,
        label: &str,
    ) -> Result<Vec<Value>, TypeError> {
        let mut map = std::collections::HashMap::new();
        for (&input, &arg) in body.inputs.iter().zip(args) {
            map.insert(Value::from(input), arg);
        }
        for id in body.order() {
            let node = body.node(id);
            let names: Vec<String> = node
                .outputs
                .iter()
                .map(|o| format!("{prefix}{}", o.name))
                .collect();
            match &node.kind {
                NodeKind::Input => {}
                NodeKind::Constant(t) => {
                    let v = self.add_constant(&names[0], t.clone());
                    map.insert(id.into(), v);
                }
                NodeKind::Op(op) => {
                    let inputs = node.inputs.iter().map(|v| v.map(|v| map[&v])).collect();
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    let at = if node.label.is_empty() {
                        label
                    } else {
                        &node.label
                    };
                    let new = self.add(op.clone(), inputs, &names, at)?;
                    for slot in 0..node.outputs.len() as u32 {
                        map.insert(Value { node: id, slot }, Value { node: new, slot });
                    }
                }
            }
        }
        Ok(body.outputs.iter().map(|(_, v)| map[v]).collect())
    }
}
