//! Every operator of the registry is differentiated and tested, or there is a reason why not.

use crate::cases;
use crate::harness::{Random, graph, inputs, text};
use cnnc_ir::autodiff::gradients;
use cnnc_ir::ops::OpKind;
use cnnc_ir::schema::OpDef;
use cnnc_ir::text::parse;
use cnnc_ir::{DType, Graph, Value};
use std::collections::{BTreeSet, HashSet};

/// Whether any of these may be a floating point number.
fn has_floats<'a>(def: &OpDef, types: impl Iterator<Item = &'a str>) -> bool {
    types.into_iter().any(|ty| {
        let set = def.types.iter().find(|(name, _)| *name == ty);
        match (DType::from_name(ty), set) {
            (Some(dtype), _) => dtype.is_float(),
            (None, Some((_, set))) => set.iter().any(|d| d.is_float()),
            (None, None) => true,
        }
    })
}

/// Whether an operator makes floating point numbers of floating point numbers.
fn is_real(def: &OpDef) -> bool {
    has_floats(def, def.inputs.iter().map(|i| i.ty))
        && has_floats(def, def.outputs.iter().map(|o| o.ty))
}

/// Operators on the ways from floating point inputs to `y`.
fn crossed(graph: &Graph) -> BTreeSet<OpKind> {
    let mut depends: HashSet<Value> = inputs(graph).into_iter().collect();
    depends.retain(|v| graph.ty(*v).dtype.is_float());
    let mut needed = HashSet::new();
    let mut stack = vec![graph.outputs()[0].1];
    while let Some(v) = stack.pop() {
        if needed.insert(v.node) {
            stack.extend(graph.node(v.node).inputs.iter().flatten());
        }
    }
    let mut kinds = BTreeSet::new();
    for id in graph.order() {
        let node = graph.node(id);
        if node.inputs.iter().flatten().any(|v| depends.contains(v)) {
            let slots = 0..node.outputs.len() as u32;
            depends.extend(slots.map(|slot| Value { node: id, slot }));
            kinds.extend(node.op_kind().filter(|_| needed.contains(&id)));
        }
    }
    kinds
}

/// Why an operator of real numbers has no gradient, and a graph in which it says so: what is said must contain the operator's name.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "Det",
        "the inverse of a matrix is no operator",
        "(%x: f64[3,3]) {\n  %y = Det(%x)",
    ),
    (
        "MaxPoolGradient",
        "a routine of its own, for which positions are not kept",
        "(%x: f64[1,1,4,4], %g: f64[1,1,2,2]) {\n  %y = cnnc.MaxPoolGradient(%x, %g) {kernel_shape=[2, 2], strides=[2, 2]}",
    ),
    (
        "RoiAlign",
        "its regions are read by a routine of its own",
        "(%x: f64[1,1,4,4], %r: f64[1,4]) {\n  %b = const i64[1] [0]\n  %y = RoiAlign(%x, %r, %b)",
    ),
    (
        "Compress",
        "the number of elements depends on data",
        "(%x: f64[4], %c: bool[4]) {\n  %y = Compress(%x, %c)",
    ),
    (
        "Unique",
        "the number of elements depends on data",
        "(%x: f64[4]) {\n  %y = Unique(%x)",
    ),
    (
        "If",
        "control flow",
        "(%x: f64[4], %c: bool[]) {\n  %y = If(%c, %x) do graph \"t\" (%a: f64[4]) {\n  %r = Neg(%a)\n  return \"r\" = %r\n} do graph \"e\" (%b: f64[4]) {\n  %r = Exp(%b)\n  return \"r\" = %r\n}",
    ),
    (
        "Loop",
        "control flow",
        "(%x: f64[4], %n: i64[]) {\n  %y = Loop(%n, _, %x) {carried=1} do graph \"b\" (%i: i64[], %c: bool[], %a: f64[4]) {\n  %r = Neg(%a)\n  return \"c\" = %c, \"r\" = %r\n}",
    ),
];

/// Operators that are no smooth functions of their operands, each with what its gradient is taken for.
const STEPS: &[(&str, &str)] = &[
    ("ArgMax", "positions"),
    ("ArgMin", "positions"),
    ("Bernoulli", "random"),
    ("BitCast", "bits"),
    ("Constant", "no operands"),
    ("ConstantOfShape", "an operand of whole numbers"),
    (
        "DequantizeLinear",
        "an operand of whole numbers; its scale is a constant",
    ),
    (
        "DynamicQuantizeLinear",
        "rounds to bytes; its scale is f32 only, where differences prove nothing",
    ),
    ("EyeLike", "reads a shape only"),
    ("MaxPoolIndices", "positions"),
    ("MelWeightMatrix", "its operands are constants"),
    ("NonMaxSuppression", "positions"),
    ("RandomNormalLike", "reads a shape only"),
    ("RandomUniformLike", "reads a shape only"),
    ("Range", "its operands are constants"),
    ("Scatter", "ended with opset 10: ScatterElements"),
    ("Upsample", "ended with opset 9: Resize"),
];

#[test]
fn every_operator_is_tested_or_refused() {
    let mut tested = BTreeSet::new();
    for (_, body) in cases::all() {
        tested.extend(crossed(&graph(&text(&body), &mut Random(7))));
    }
    let mut missing = Vec::new();
    let mut idle = Vec::new();
    for &kind in OpKind::ALL {
        let name = kind.def().name;
        let refused = REFUSED.iter().any(|(n, _, _)| *n == name);
        let steps = STEPS.iter().any(|(n, _)| *n == name);
        match (is_real(kind.def()), tested.contains(&kind)) {
            (true, false) if !refused && !steps => missing.push(name),
            (_, true) if refused || steps => idle.push(name),
            _ => {}
        }
    }
    assert!(
        missing.is_empty(),
        "neither tested nor refused: {missing:?}"
    );
    assert!(idle.is_empty(), "tested, and yet refused: {idle:?}");
}

#[test]
fn what_is_refused_says_so() {
    for (name, reason, body) in REFUSED {
        assert!(!reason.is_empty());
        let mut graph = parse(&text(body)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let (y, wrt) = (graph.outputs()[0].1, inputs(&graph));
        let float: Vec<Value> = wrt
            .into_iter()
            .filter(|v| graph.ty(*v).dtype.is_float())
            .collect();
        let seed = graph.add_input("seed", graph.ty(y).clone());
        let said = match gradients(&mut graph, y, Some(seed), &float) {
            Ok(_) => panic!("{name} has a gradient"),
            Err(e) => e.to_string(),
        };
        assert!(said.contains(&format!("({name})")), "{name}: {said}");
    }
}
