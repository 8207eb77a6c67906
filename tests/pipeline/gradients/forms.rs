//! Every form of convolution, pool, normalisation, loss and recurrence on its own.

use super::{FAR, derived, model, relative};
use crate::execute::{levels, run};
use crate::{feeds, seeded};
use cnnc::select::Numerics;
use cnnc_ir::Graph;
use cnnc_ir::interp::{Interpreter, Precision};

/// Inputs, and operators that yield `%y`.
const FORMS: &[&str] = &[
    "%x: f32[2,5,11,9], %w: f32[7,5,3,3], %b: f32[7]) {\n %y = Conv(%x, %w, %b) {strides=[2, 2], pads=[1, 1, 1, 1]}",
    "%x: f32[2,16,12,12], %w: f32[32,16,3,3]) {\n %y = Conv(%x, %w) {dilations=[2, 2], pads=[2, 2, 2, 2]}",
    "%x: f32[2,8,10,10], %w: f32[12,4,3,3]) {\n %y = Conv(%x, %w) {group=2, pads=[1, 1, 1, 1]}",
    "%x: f32[2,24,9,9], %w: f32[24,1,3,3], %b: f32[24]) {\n %y = Conv(%x, %w, %b) {group=24, pads=[1, 1, 1, 1], strides=[2, 2]}",
    "%x: f32[2,48,9,8], %w: f32[144,16,3,3]) {\n %y = Conv(%x, %w) {group=3, pads=[1, 1, 1, 1], strides=[1, 2]}",
    "%x: f32[3,40,10,11], %w: f32[40,1,5,5]) {\n %y = Conv(%x, %w) {group=40, pads=[2, 2, 2, 2]}",
    "%x: f32[1,32,14,14], %w: f32[48,32,1,1]) {\n %y = Conv(%x, %w)",
    "%x: f32[2,6,31], %w: f32[10,6,5], %b: f32[10]) {\n %y = Conv(%x, %w, %b) {pads=[2, 2], strides=[2]}",
    "%x: f32[1,3,6,7,8], %w: f32[4,3,3,3,3]) {\n %y = Conv(%x, %w) {pads=[1, 1, 1, 1, 1, 1]}",
    "%x: f32[2,12,6,7], %w: f32[12,8,3,3], %b: f32[8]) {\n %y = ConvTranspose(%x, %w, %b) {strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]}",
    "%x: f32[1,8,6,6], %w: f32[8,3,2,2]) {\n %y = ConvTranspose(%x, %w) {group=2, strides=[2, 2]}",
    "%x: f32[2,4,9], %w: f32[4,6,3]) {\n %y = ConvTranspose(%x, %w) {dilations=[2]}",
    "%x: f32[9,33], %w: f32[17,33], %b: f32[17]) {\n %y = Gemm(%x, %w, %b) {transB=1}",
    "%x: f32[5,1100], %w: f32[1100,2048], %b: f32[2048]) {\n %g = Gemm(%x, %w, %b)\n %y = Relu(%g)",
    "%x: f32[2,3,7,20], %w: f32[2,1,20,11]) {\n %y = MatMul(%x, %w)",
    "%x: f32[2,16,9,9]) {\n %y = MaxPool(%x) {kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]}",
    "%x: f32[2,16,9,9]) {\n %y = AveragePool(%x) {kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]}",
    "%x: f32[2,5,21]) {\n %y = MaxPool(%x) {kernel_shape=[2], strides=[2]}",
    "%x: f32[1,4,6,6,6]) {\n %y = AveragePool(%x) {kernel_shape=[2, 2, 2], strides=[2, 2, 2]}",
    "%x: f32[2,6,8,8]) {\n %y = LpPool(%x) {kernel_shape=[2, 2], strides=[2, 2]}",
    "%x: f32[2,18,8,8]) {\n %y = GlobalMaxPool(%x)",
    "%x: f32[4,12,7,7], %s: f32[12], %b: f32[12]) {\n %m = seeded f32[12]\n %v = seeded positive f32[12]\n %n, %rm, %rv = BatchNormalization(%x, %s, %b, %m, %v) {training_mode=1}\n %y = Sin(%n)",
    "%x: f32[2,4,112,112], %w: f32[16,4,1,1], %s: f32[16], %b: f32[16]) {\n %m = seeded f32[16]\n %v = seeded positive f32[16]\n %c = Conv(%x, %w)\n %n, %rm, %rv = BatchNormalization(%c, %s, %b, %m, %v) {training_mode=1}\n %y = Sin(%n)",
    "%x: f32[6,40], %s: f32[40], %b: f32[40]) {\n %n = LayerNormalization(%x, %s, %b)\n %y = Sin(%n)",
    "%x: f32[2,8,6,6], %s: f32[8], %b: f32[8]) {\n %n = GroupNormalization(%x, %s, %b) {num_groups=4}\n %y = Sin(%n)",
    "%x: f32[2,8,6,6], %s: f32[8], %b: f32[8]) {\n %n = InstanceNormalization(%x, %s, %b)\n %y = Sin(%n)",
    "%x: f32[8,10], %l: i64[8]) {\n %y = SoftmaxCrossEntropyLoss(%x, %l)",
    "%x: f32[3,4,5], %l: i64[3,5], %w: f32[4]) {\n %v = Exp(%w)\n %y = SoftmaxCrossEntropyLoss(%x, %l, %v) {reduction=\"sum\"}",
    "%x: f32[6,11]) {\n %y = Softmax(%x)",
    "%x: f32[5,4,6], %w: f32[1,16,6], %r: f32[1,16,4], %b: f32[1,32]) {\n %y, %h, %c = LSTM(%x, %w, %r, %b)",
    "%x: f32[5,4,6], %w: f32[1,12,6], %r: f32[1,12,4], %b: f32[1,24]) {\n %y, %h = GRU(%x, %w, %r, %b) {linear_before_reset=1}",
    "%x: f32[5,4,6], %w: f32[2,4,6], %r: f32[2,4,4], %b: f32[2,8]) {\n %y, %h = RNN(%x, %w, %r, %b) {direction=\"bidirectional\"}",
    "%x: f32[4,9], %i: i64[6]) {\n %y = Gather(%x, %i)",
    "%x: f32[2,7,12], %w: f32[12,12], %s: f32[12]) {\n %q = MatMul(%x, %w)\n %a = Attention(%q, %x, %x) {q_num_heads=3, kv_num_heads=3}\n %n = RMSNormalization(%a, %s)\n %y = Sin(%n)",
];

/// The form with its gradients; `y` is squared on the way, so that what is passed on is no constant.
fn graph(form: &str) -> Graph {
    let text = format!(
        "graph \"form\" ({form}\n %z = Mul(%y, %y)\n %loss = ReduceSum(%z) {{keepdims=0}}\n return \"loss\" = %loss\n}}"
    );
    derived(seeded::network(&text))
}

#[test]
fn every_form_agrees() {
    for form in FORMS {
        let graph = graph(form);
        let inputs = feeds::inputs(&graph, 11);
        let exact = Interpreter::new(Precision::F64).run(&graph, &feeds::by_name(&inputs));
        let exact = exact.unwrap_or_else(|e| panic!("{e}\n{form}"));
        for level in levels() {
            let model = model(&graph, level, Numerics::default());
            let model = model.unwrap_or_else(|e| panic!("{e}\n{form}"));
            let found = run(&model, &inputs, 2);
            for ((name, found), (_, exact)) in found.iter().zip(&exact) {
                let off = relative(found.as_slice().expect("f32"), &exact.to_f64());
                assert!(off <= FAR, "{level}: '{name}' is off by {off:e}\n{form}");
                let moved = exact.to_f64().iter().any(|v| *v != 0.0);
                assert!(moved, "'{name}' is zero\n{form}");
            }
        }
    }
}
