//! Gradients as compiled code: close to what the interpreter says in f64.

mod forms;
mod zoo;

use crate::execute::{levels, run};
use crate::{feeds, seeded};
use cnnc::compile::{CompileError, CompileOptions, compile};
use cnnc::select::Numerics;
use cnnc_ir::autodiff::gradients;
use cnnc_ir::interp::{Interpreter, Precision};
use cnnc_ir::{Graph, Value};
use cnnc_runtime::{CpuLevel, Model};

/// Relative L2 distance that single precision may leave.
const FAR: f64 = 1e-5;

const NETWORKS: &[&str] = &[
    r#"graph "small" (%x: f32[4,1,14,14], %w: f32[20,1,3,3], %b: f32[20], %v: f32[24,20,3,3], %d: f32[96,10], %labels: i64[4]) {
         %c1 = Conv(%x, %w, %b)
         %r1 = Relu(%c1)
         %p1 = MaxPool(%r1) {kernel_shape=[2, 2], strides=[2, 2]}
         %c2 = Conv(%p1, %v)
         %r2 = Relu(%c2)
         %p2 = MaxPool(%r2) {kernel_shape=[2, 2], strides=[2, 2]}
         %f = Flatten(%p2)
         %q = const f32[] [0.001]
         %e = Mul(%f, %q)
         %l = MatMul(%e, %d)
         %loss = SoftmaxCrossEntropyLoss(%l, %labels)
         return "loss" = %loss
       }"#,
    r#"graph "residual" (%x: f32[2,16,9,9], %w: f32[32,16,3,3], %v: f32[32,16,1,1], %s: f32[32], %b: f32[32], %q: f32[32,1,3,3]) {
         %m = const f32[32] base64"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
         %c = Conv(%x, %w) {pads=[1, 1, 1, 1], strides=[2, 2]}
         %n, %rm, %rv = BatchNormalization(%c, %s, %b, %m, %m) {training_mode=1}
         %h = Conv(%x, %v) {strides=[2, 2]}
         %a = Add(%n, %h)
         %r = Relu(%a)
         %d = Conv(%r, %q) {group=32, pads=[1, 1, 1, 1]}
         %p = AveragePool(%d) {kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]}
         %g = GlobalAveragePool(%p)
         %z = Mul(%g, %g)
         %loss = ReduceSum(%z) {keepdims=0}
         return "loss" = %loss
       }"#,
    // Pools whose windows overlap, are clipped, leave elements out, and a batch normalisation between them.
    r#"graph "pools" (%x: f32[3,20,13,12], %s: f32[20], %b: f32[20], %w: f32[20,20,3,3], %k: f32[3,20,3,3]) {
         %m = const f32[20] base64"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
         %c = Conv(%x, %w) {pads=[1, 1, 1, 1]}
         %p = MaxPool(%c) {kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]}
         %n, %rm, %rv = BatchNormalization(%p, %s, %b, %m, %m) {training_mode=1}
         %r = Relu(%n)
         %d = Conv(%r, %w) {pads=[1, 1, 1, 1]}
         %q = MaxPool(%d) {kernel_shape=[2, 1], strides=[2, 2]}
         %z = Mul(%q, %k)
         %loss = ReduceSum(%z) {keepdims=0}
         return "loss" = %loss
       }"#,
    // So large that filter gradients are summed over runs of images; padding on planes and on blocks, wide and ragged.
    r#"graph "large" (%x: f32[5,3,40,37], %w: f32[20,3,3,3], %v: f32[40,20,3,3], %u: f32[24,40,1,5]) {
         %c1 = Conv(%x, %w) {pads=[1, 1, 1, 1]}
         %r1 = Relu(%c1)
         %c2 = Conv(%r1, %v) {pads=[0, 2, 1, 0], dilations=[1, 2]}
         %r2 = Relu(%c2)
         %c3 = Conv(%r2, %u) {strides=[2, 2], pads=[0, 2, 0, 2]}
         %loss = ReduceMean(%c3) {keepdims=0}
         return "loss" = %loss
       }"#,
];

fn model(graph: &Graph, level: CpuLevel, numerics: Numerics) -> Result<Model, CompileError> {
    let options = CompileOptions {
        numerics,
        ..CompileOptions::new(level)
    };
    compile(graph.clone(), &options)?.model()
}

/// `|a - b| / |b|`.
fn relative(a: &[f32], b: &[f64]) -> f64 {
    let apart = a.iter().zip(b).map(|(x, y)| (f64::from(*x) - y).powi(2));
    let whole = b.iter().map(|y| y * y);
    (apart.sum::<f64>() / whole.sum::<f64>()).sqrt()
}

/// The network with the gradients of its loss as further results.
fn derived(mut graph: Graph) -> Graph {
    let loss = graph.outputs()[0].1;
    let inputs = graph.inputs().iter().map(|&id| Value::from(id));
    let wrt: Vec<Value> = inputs.filter(|v| graph.ty(*v).dtype.is_float()).collect();
    let names: Vec<String> = wrt
        .iter()
        .map(|v| graph.value_name(*v).to_string())
        .collect();
    let found = gradients(&mut graph, loss, None, &wrt).unwrap_or_else(|e| panic!("{e}\n{graph}"));
    for (name, v) in names.iter().zip(found) {
        graph.add_output(&format!("d{name}"), v);
    }
    graph
}

#[test]
fn compiled_gradients_equal_the_interpreter() {
    for text in NETWORKS {
        let graph = derived(seeded::network(text));
        let inputs = feeds::inputs(&graph, 5);
        let exact = Interpreter::new(Precision::F64).run(&graph, &feeds::by_name(&inputs));
        let exact = exact.unwrap_or_else(|e| panic!("{e}\n{graph}"));
        let both = [Numerics::Strict, Numerics::Fast];
        for (level, numerics) in levels().into_iter().flat_map(|l| both.map(|n| (l, n))) {
            let model = model(&graph, level, numerics);
            let model = model.unwrap_or_else(|e| panic!("{e}\n{graph}"));
            let found = run(&model, &inputs, 1);
            assert_eq!(run(&model, &inputs, 2), found, "other bits for 2 threads");
            for ((name, found), (_, exact)) in found.iter().zip(&exact) {
                let off = relative(found.as_slice().expect("f32"), &exact.to_f64());
                assert!(
                    off <= FAR,
                    "{level}, {numerics:?}: '{name}' is off by {off:e}"
                );
                assert!(exact.to_f64().iter().any(|v| *v != 0.0), "'{name}' is zero");
            }
        }
    }
}
