//! The model as a whole: opsets, initialisers, inputs, outputs.

use super::gradient::differentiated;
use super::scope::{Found, Scope};
use super::{ImportOptions, Imported};
use crate::frontend::onnx::problem::{Problem, shown};
use crate::frontend::onnx::proto::{self, TypeValue};
use crate::frontend::onnx::tensor::{dtype, tensor};
use cnnc_ir::schema::NEWEST_OPSET;
use cnnc_ir::types::element_count;
use cnnc_ir::{Dim, Graph, TensorType, Value};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Inputs larger than this are refused before anything is allocated.
const MAX_INPUT_BYTES: usize = 1 << 40;

/// What the whole import shares.
pub struct Importer<'a> {
    pub folder: Option<&'a Path>,
    pub options: &'a ImportOptions,
    pub opsets: HashMap<String, u32>,
    pub functions: HashMap<(String, String), &'a proto::Function>,
    pub problems: Vec<Problem>,
    pub notes: Vec<String>,
    /// Nodes added so far, function bodies and branches included.
    pub nodes: usize,
    /// Values in all sequences so far.
    pub listed: usize,
    /// Functions being written out, innermost last.
    pub calls: Vec<(String, String)>,
}

pub fn import(
    model: &proto::Model,
    folder: Option<&Path>,
    options: &ImportOptions,
) -> Result<Imported, Vec<Problem>> {
    let mut importer = Importer {
        folder,
        options,
        opsets: HashMap::new(),
        functions: HashMap::new(),
        problems: Vec::new(),
        notes: Vec::new(),
        nodes: 0,
        listed: 0,
        calls: Vec::new(),
    };
    let Some(graph) = &model.graph else {
        return Err(vec![Problem::new("", "the model has no graph")]);
    };
    importer.opsets = importer.read_opsets(&model.opset_import);
    for f in &model.functions {
        importer
            .functions
            .insert((domain(&f.domain).to_string(), f.name.clone()), f);
    }
    if !importer.problems.is_empty() {
        return Err(importer.problems);
    }
    let mut scope = Scope::new(&graph.name);
    scope.differentiated = differentiated(&graph.node);
    importer.initializers(graph, &mut scope);
    importer.inputs(graph, &mut scope);
    importer.nodes(&graph.node, &mut scope);
    importer.outputs(graph, &mut scope);
    if !importer.problems.is_empty() {
        return Err(importer.problems);
    }
    scope.graph.sweep();
    Ok(Imported {
        graph: scope.graph,
        notes: importer.notes,
    })
}

/// `ai.onnx` is the standard domain's other name.
pub fn domain(name: &str) -> &str {
    if name == "ai.onnx" { "" } else { name }
}

impl Importer<'_> {
    pub fn problem(&mut self, p: Problem) {
        self.problems.push(p);
    }

    pub fn read_opsets(&mut self, imports: &[proto::OperatorSetId]) -> HashMap<String, u32> {
        let mut opsets = HashMap::new();
        if imports.is_empty() {
            self.problem(Problem::new(
                "",
                "the model names no opset version (opset_import is missing)",
            ));
        }
        for o in imports {
            let name = domain(&o.domain);
            let newest = if name.is_empty() { NEWEST_OPSET } else { 1000 };
            let title = if name.is_empty() {
                "ai.onnx".to_string()
            } else {
                shown(name)
            };
            match u32::try_from(o.version)
                .ok()
                .filter(|v| *v >= 1 && *v <= newest)
            {
                None => self.problem(Problem::new(
                    "",
                    format!(
                        "opset version {} of domain {title} is not one of 1 to {newest}",
                        o.version
                    ),
                )),
                Some(v) => {
                    if opsets
                        .insert(name.to_string(), v)
                        .is_some_and(|before| before != v)
                    {
                        self.problem(Problem::new(
                            "",
                            format!("duplicate opset version for domain {title}"),
                        ));
                    }
                }
            }
        }
        opsets
    }

    pub fn initializers(&mut self, graph: &proto::Graph, scope: &mut Scope) {
        if let Some(s) = graph.sparse_initializer.first() {
            let name = s.values.as_ref().map_or("", |v| &v.name);
            self.problem(Problem::unsupported(
                format!("tensor '{}'", shown(name)),
                "sparse initializers are not supported",
            ));
        }
        for t in &graph.initializer {
            let value = match tensor(t, self.folder) {
                Ok(tensor) => Some(scope.graph.add_constant(&t.name, tensor)),
                Err(e) => {
                    let unsupported = e.contains("not supported");
                    self.problem(Problem {
                        unsupported,
                        ..Problem::new("", e)
                    });
                    None
                }
            };
            if !scope.define(&t.name, value) {
                self.problem(Problem::new(
                    format!("tensor '{}'", shown(&t.name)),
                    "duplicate initializer: the name is already taken",
                ));
            }
        }
    }

    fn inputs(&mut self, graph: &proto::Graph, scope: &mut Scope) {
        let mut seen = HashSet::new();
        let given = self.options.shapes.keys().chain(self.options.values.keys());
        for name in given {
            if !graph.input.iter().any(|i| i.name == *name) {
                let known: Vec<String> = graph.input.iter().map(|i| shown(&i.name)).collect();
                self.problems.push(Problem::new(
                    "",
                    format!(
                        "there is no input '{}'; there are: {}",
                        shown(name),
                        known.join(", ")
                    ),
                ));
            }
        }
        for info in &graph.input {
            let place = format!("input '{}'", shown(&info.name));
            if !seen.insert(&info.name) {
                self.problem(Problem::new(
                    place,
                    "duplicate graph input: the name is already taken",
                ));
                continue;
            }
            if scope.names.contains_key(&info.name) {
                // Before IR 4 initialisers are listed among the inputs: they are defaults, which we take.
                continue;
            }
            let value = match self.options.values.get(&info.name) {
                Some(t) => Some(scope.graph.add_constant(&info.name, t.clone())),
                None => self
                    .input_type(info, &place)
                    .map(|ty| scope.graph.add_input(&info.name, ty)),
            };
            scope.define(&info.name, value);
        }
    }

    /// The type of a graph input, its symbolic dimensions fixed.
    fn input_type(&mut self, info: &proto::ValueInfo, place: &str) -> Option<TensorType> {
        let ty = match info.r#type.as_ref().and_then(|t| t.value.as_ref()) {
            Some(TypeValue::Tensor(t)) => t,
            Some(_) => {
                self.problem(Problem::unsupported(place, "only tensors are supported, this input is a sequence, map, optional or sparse type"));
                return None;
            }
            None => {
                self.problem(Problem::new(place, "the input has no type"));
                return None;
            }
        };
        let dtype = match dtype(ty.elem_type) {
            Ok(d) => d,
            Err(e) => {
                self.problem(Problem {
                    unsupported: e.contains("not supported"),
                    ..Problem::new(place, e)
                });
                return None;
            }
        };
        let given = self.options.shapes.get(&info.name).cloned();
        let declared = match (&ty.shape, &given) {
            (Some(s), _) => s.dim.as_slice(),
            (None, Some(_)) => &[],
            (None, None) => {
                self.problem(
                    Problem::new(place, "the input has no shape")
                        .remedy(format!("fix it with --input {}=SHAPE", shown(&info.name))),
                );
                return None;
            }
        };
        let shape =
            self.input_shape(info, declared, ty.shape.is_some(), given.as_deref(), place)?;
        let bounds: Vec<usize> = shape
            .iter()
            .map(|d| d.fixed().map_or(1, |n| n as usize))
            .collect();
        let bytes = element_count(&bounds)
            .and_then(|n| n.checked_mul(dtype.size()))
            .filter(|n| *n < MAX_INPUT_BYTES);
        if bytes.is_none() {
            self.problem(Problem::new(
                place,
                format!("the shape {bounds:?} is too large: its size overflows the limit"),
            ));
            return None;
        }
        Some(TensorType::new(dtype, shape))
    }

    fn input_shape(
        &mut self,
        info: &proto::ValueInfo,
        declared: &[proto::Dimension],
        ranked: bool,
        given: Option<&[usize]>,
        place: &str,
    ) -> Option<Vec<Dim>> {
        if let Some(g) = given {
            if ranked && declared.is_empty() && g.iter().product::<usize>() == 1 {
                // One element serves where a scalar is declared; many exporters' test data have it so.
                return Some(Vec::new());
            }
            let fits = |d: &proto::Dimension, &g: &usize| {
                d.dim_value
                    .is_none_or(|v| usize::try_from(v) == Ok(g) || v <= 0 && d.dim_param.is_some())
            };
            if ranked
                && (g.len() != declared.len() || !declared.iter().zip(g).all(|(d, g)| fits(d, g)))
            {
                let shape: Vec<String> = declared.iter().map(dimension).collect();
                self.problem(Problem::new(
                    place,
                    format!(
                        "the given shape {g:?} does not fit the declared shape [{}]",
                        shape.join(", ")
                    ),
                ));
                return None;
            }
            return Some(g.iter().map(|&n| n.into()).collect());
        }
        let mut shape = Vec::with_capacity(declared.len());
        for (axis, d) in declared.iter().enumerate() {
            match d.dim_value {
                Some(v) => match usize::try_from(v) {
                    Ok(n) => shape.push(n.into()),
                    Err(_) => {
                        self.problem(Problem::new(
                            place,
                            format!("dimension {axis} is {v}: negative dimensions are no shape"),
                        ));
                        return None;
                    }
                },
                None if self.options.free => {
                    let name = d.dim_param.as_deref().filter(|p| !p.is_empty());
                    let own = format!("{}_{axis}", info.name);
                    shape.push(Dim::sym(name.unwrap_or(&own), None));
                }
                None if axis == 0 => {
                    self.notes.push(format!("{place}: dimension '{}' is not fixed, 1 is assumed (--input {}=SHAPE fixes it)", dimension(d), shown(&info.name)));
                    shape.push(Dim::Fixed(1));
                }
                None => {
                    let shape: Vec<String> = declared.iter().map(dimension).collect();
                    let remedy = format!(
                        "fix it with --input {}=SHAPE, for example 1x3x224x224",
                        shown(&info.name)
                    );
                    let message = format!(
                        "dimension {axis} ('{}') of shape [{}] is symbolic",
                        dimension(d),
                        shape.join(", ")
                    );
                    self.problem(Problem::new(place, message).remedy(remedy));
                    return None;
                }
            }
        }
        Some(shape)
    }

    pub fn outputs(&mut self, graph: &proto::Graph, scope: &mut Scope) {
        if graph.output.is_empty() {
            self.problem(Problem::new(
                "",
                "the graph has no output: an empty graph computes nothing",
            ));
        }
        for info in &graph.output {
            match scope.find(&info.name) {
                Found::Value(v) => scope.graph.add_output(&info.name, v),
                Found::Poisoned => {}
                Found::Sequence(_) => self.problem(Problem::unsupported(
                    format!("output '{}'", shown(&info.name)),
                    "sequences as results are not supported",
                )),
                Found::Unknown => self.problem(Problem::new(
                    format!("output '{}'", shown(&info.name)),
                    "is not produced by any node",
                )),
            }
        }
    }

    /// Graph inputs that a value is computed from, without recursion.
    pub fn origins(graph: &Graph, v: Value) -> Vec<String> {
        let (mut seen, mut stack, mut found) = (HashSet::new(), vec![v.node], Vec::new());
        while let Some(id) = stack.pop() {
            if seen.insert(id) {
                let node = graph.node(id);
                stack.extend(node.inputs.iter().flatten().map(|v| v.node));
                if graph.inputs().contains(&id) {
                    found.push(node.outputs[0].name.clone());
                }
            }
        }
        found
    }
}

fn dimension(d: &proto::Dimension) -> String {
    match (d.dim_value, &d.dim_param) {
        (Some(v), _) => v.to_string(),
        (None, Some(p)) => shown(p),
        (None, None) => "?".to_string(),
    }
}
