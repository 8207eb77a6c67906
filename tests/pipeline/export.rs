//! Graphs written as ONNX and read again: the same results, to the bit.

use crate::arbitrary::networks;
use crate::{feeds, seeded};
use cnnc::frontend::onnx::export::{self, ExportError, Separate};
use cnnc::frontend::onnx::import::import_bytes;
use cnnc::frontend::onnx::{ImportOptions, import};
use cnnc_ir::attrs::AttrValue;
use cnnc_ir::autodiff::gradients;
use cnnc_ir::graph::Node;
use cnnc_ir::interp::{Interpreter, Precision};
use cnnc_ir::{Graph, NodeKind, Value};
use cnnc_models::description::{Arguments, expand};
use cnnc_models::zoo::ZOO;
use proptest::prelude::*;

/// What another tool would read.
fn again(graph: &Graph) -> Graph {
    let model = export::export(graph, None).unwrap_or_else(|e| panic!("{e}\n{graph}"));
    let options = ImportOptions {
        free: true,
        ..Default::default()
    };
    let bytes = export::to_bytes(&model);
    match import_bytes(bytes.into(), None, &options) {
        Ok(imported) => imported.graph,
        Err(problems) => panic!("{problems:?}\n{graph}"),
    }
}

fn holds_again(graph: &Graph, seed: u64) {
    let read = again(graph);
    let inputs = feeds::inputs(graph, seed);
    let run = |graph: &Graph| {
        let outputs = Interpreter::new(Precision::F32).run(graph, &feeds::by_name(&inputs));
        outputs.unwrap_or_else(|e| panic!("{e}\n{graph}"))
    };
    let (expected, found) = (run(graph), run(&read));
    assert_eq!(expected, found, "\n{graph}\n{read}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn networks_stay_what_they_are(network in networks(), seed in 0u64..100) {
        holds_again(&network.0, seed);
    }
}

/// A network of the zoo, its parameters drawn.
fn exhibit(name: &str) -> Graph {
    let exhibit = cnnc_models::zoo::find(name).expect("a name of the zoo");
    let no_imports = |_: &str| Err("no imports here".to_string());
    let network = expand(exhibit.text, &Arguments::default(), Some(1), &no_imports);
    network.unwrap_or_else(|e| panic!("{name}: {e}")).graph
}

#[test]
fn small_networks_of_the_zoo_compute_the_same() {
    for name in [
        "lenet5",
        "mnist_d",
        "bn_dropout",
        "elman_rnn",
        "gru",
        "lstm",
    ] {
        holds_again(&exhibit(name), 7);
    }
}

/// The same nodes in the same order with the same operands, constants and types; attributes that are what they are by default
/// may be left out. Then they compute the same.
fn assert_same(a: &Graph, b: &Graph) {
    let (order, other) = (a.order(), b.order());
    assert_eq!(order.len(), other.len(), "{}", a.name);
    let place = |order: &[cnnc_ir::NodeId], v: &Value| {
        let at = order.iter().position(|id| *id == v.node);
        (at, v.slot)
    };
    for (x, y) in order.iter().zip(&other) {
        let (x, y) = (a.node(*x), b.node(*y));
        let types = |n: &Node| n.outputs.iter().map(|o| o.ty.clone()).collect::<Vec<_>>();
        let (mine, theirs) = (types(x), types(y));
        assert_eq!(mine[..theirs.len()], theirs, "{}: {}", a.name, x.title());
        let operands = |order: &[cnnc_ir::NodeId], n: &Node| -> Vec<_> {
            let operands = n.inputs.iter().flatten();
            operands.map(|v| place(order, v)).collect()
        };
        assert_eq!(operands(&order, x), operands(&other, y), "{}", x.title());
        match (&x.kind, &y.kind) {
            (NodeKind::Op(x), NodeKind::Op(y)) => {
                assert_eq!(x.kind, y.kind);
                let said = |(name, value): (&String, &AttrValue)| x.attrs.get(name) == Some(value);
                assert!(y.attrs.iter().all(said), "{:?} {:?}", x.attrs, y.attrs);
            }
            (x, y) => assert_eq!(x, y),
        }
    }
}

#[test]
fn networks_of_the_zoo_are_the_same_when_read_again() {
    // The largest differ from these in nothing but numbers.
    for exhibit in ZOO
        .iter()
        .filter(|e| !["vgg16", "alexnet"].contains(&e.name))
    {
        let graph = self::exhibit(exhibit.name);
        let read = again(&graph);
        assert_same(&graph, &read);
        let batch = graph.ty(graph.inputs()[0].into()).to_string();
        assert!(batch.contains("[N,"), "the batch stays free: {batch}");
    }
}

const LOSS: &str = r#"graph "loss" (%x: f32[2,3,9,9], %w: f32[4,3,3,3], %s: f32[4], %b: f32[4], %labels: i64[2]) {
  %m = const f32[4] [0, 0, 0, 0]
  %v = const f32[4] [1, 1, 1, 1]
  %c = Conv(%x, %w) {pads=[1, 1, 1, 1]}
  %n, %rm, %rv = BatchNormalization(%c, %s, %b, %m, %v) {training_mode=1}
  %g = Gelu(%n)
  %p = GlobalAveragePool(%g)
  %f = Flatten(%p)
  %loss = SoftmaxCrossEntropyLoss(%f, %labels)
  return "loss" = %loss
}"#;

/// Gradients are full of scalar expressions.
#[test]
fn expressions_become_nodes() {
    let mut graph = seeded::network(LOSS);
    let loss = graph.outputs()[0].1;
    let wrt: Vec<Value> = graph.inputs()[2..4].iter().map(|&id| id.into()).collect();
    let found = gradients(&mut graph, loss, None, &wrt).unwrap_or_else(|e| panic!("{e}"));
    for (name, v) in ["ds", "db"].iter().zip(found) {
        graph.add_output(name, v);
    }
    graph.sweep();
    holds_again(&graph, 3);
}

/// Instructions that no operator of ONNX is, arguments of half types, positions, broadcasting beyond the operands that are read.
#[test]
fn every_kind_of_instruction_has_a_form() {
    for (inputs, dtype, expr) in [
        ("%x: f32[2,3]", "f32", "arg 0:f32; trunc %0:f32"),
        (
            "%x: f32[2,3], %y: f32[3]",
            "f32",
            "arg 0:f32; arg 1:f32; mod %0 %1:f32",
        ),
        (
            "%x: f32[2,3], %y: f32[3]",
            "f32",
            "arg 0:f32; arg 1:f32; rem %0 %1:f32",
        ),
        (
            "%x: f16[2,3]",
            "f16",
            "arg 0:f32; lit 3.0:f32; div %0 %1:f32; cast %2:f16; exp %3:f32",
        ),
        (
            "%x: i64[2,3]",
            "i64",
            "index 1:i64; arg 0:i64; add %0 %1:i64; index 0:i64; mul %2 %3:i64",
        ),
        ("%x: f32[2,3], %y: f32[4,1,1]", "f32", "arg 0:f32"),
        (
            "%x: u32[4]",
            "u32",
            "lit 2:u32; arg 0:u32; shl %1 %0:u32; xor %2 %1:u32; not %3:u32",
        ),
        (
            "%x: bool[4], %y: bool[4]",
            "bool",
            "arg 0:bool; arg 1:bool; and %0 %1:bool; not %2:bool; xor %3 %0:bool",
        ),
        (
            "%x: f32[4]",
            "f32",
            "arg 0:f32; lit 0.5:f32; lt %0 %1:bool; le %1 %0:bool; or %2 %3:bool; select %4 %0 %1:f32",
        ),
        ("%x: f32[4]", "i32", "arg 0:f32; bitcast %0:i32"),
        ("%x: f32[4]", "bool", "arg 0:f32; isnan %0:bool"),
    ] {
        let operands: Vec<&str> = inputs
            .split(", ")
            .filter_map(|i| i.split(':').next())
            .collect();
        let operands = operands.join(", ");
        holds_again(
            &seeded::network(&format!(
                "graph \"map\" ({inputs}) {{\n  %r = cnnc.Map({operands}) {{dtype={dtype}, expr={{ {expr} }}}}\n  return \"r\" = %r\n}}"
            )),
            1,
        );
    }
}

/// Results that are inputs, constants, or each other; names that are taken; results nobody asked for.
#[test]
fn results_have_their_names() {
    holds_again(
        &seeded::network(
            "graph \"names\" (%x: f32[2,2,4,4], %p: f32[2,2,4,4]) {
  %c = const f32[2] [1, 2]
  %y = Relu(%x)
  %q = Neg(%y)
  %m, %i = MaxPool(%q) {kernel_shape=[2, 2]}
  %s = Softmax(%m) {axis=1, flatten=1}
  return \"q\" = %y, \"y\" = %q, \"again\" = %q, \"p\" = %p, \"other\" = %x, \"c\" = %c, \"m\" = %s
}",
        ),
        2,
    );
}

#[test]
fn what_has_no_form_is_refused_by_name() {
    let refused = |text: &str, opset| match export::export(&seeded::network(text), opset) {
        Ok(_) => panic!("exported: {text}"),
        Err(e) => e.to_string(),
    };
    let said = [
        refused(
            "graph \"g\" (%x: f32[1,1,4,4], %d: f32[1,1,2,2]) {\n  %y = cnnc.MaxPoolGradient(%x, %d) {kernel_shape=[2, 2], strides=[2, 2]}\n  return \"y\" = %y\n}",
            None,
        ),
        refused(
            "graph \"g\" (%x: f32[1]) {\n  %y = Relu(%x)\n  return \"y\" = %y, \"x\" = %y\n}",
            None,
        ),
        refused(
            "graph \"g\" (%x: f32[1]) {\n  %y = Gelu(%x)\n  return \"y\" = %y\n}",
            Some(17),
        ),
    ];
    insta::assert_snapshot!(said.join("\n"));
    let right = export::export(
        &seeded::network("graph \"g\" (%x: f32[1]) {\n  %y = Gelu(%x)\n  return \"y\" = %y\n}"),
        Some(21),
    );
    assert!(!matches!(right, Err(ExportError::Opset { .. })));
}

#[test]
fn weights_lie_in_a_file_of_their_own() {
    let graph = exhibit("mnist_d");
    let mut model = export::export(&graph, None).expect("an ONNX form");
    let separate = Separate::from(&mut model, "m.onnx.data", 1000).expect("more than 1000 bytes");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("m.onnx");
    let (bytes, weights) = (export::to_bytes(&model), separate.to_bytes());
    assert!(bytes.len() < 4000 && weights.len() > 200_000);
    std::fs::write(&file, bytes).expect("written");
    std::fs::write(folder.path().join("m.onnx.data"), weights).expect("written");
    let options = ImportOptions {
        free: true,
        ..Default::default()
    };
    let read = import(&file, &options)
        .unwrap_or_else(|e| panic!("{e}"))
        .graph;
    assert_same(&graph, &read);
}
