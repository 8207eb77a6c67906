//! Gradients against central differences, in f64: every operator that has one, at twenty random shapes.

mod cases;
mod harness;
mod registry;

use cnnc_ir::autodiff::gradients;
use cnnc_ir::text::{Style, parse, print};
use cnnc_ir::{DType, Tensor};
use harness::{check, check_network, inputs, run};

/// Whole networks: shared weights, values of several users, branches of other shapes.
#[test]
fn networks() {
    for body in [
        // A residual block with normalisation of batches.
        "(%x: f64[2,3,{d},{e}], %w: f64[4,3,3,3], %v: f64[4,4,3,3], %s: f64[4], %b: f64[4], %p: f64[4,5]) {
  %m = const f64[4] [0, 0, 0, 0]
  %q = const f64[4] [1, 1, 1, 1]
  %1 = Conv(%x, %w) {pads=[1, 1, 1, 1], strides=[2, 1]}
  %2, %rm, %rv = BatchNormalization(%1, %s, %b, %m, %q) {training_mode=1}
  %3 = Relu(%2)
  %4 = Conv(%3, %v, %b) {pads=[1, 1, 1, 1]}
  %5 = Add(%4, %3)
  %6 = Relu(%5)
  %7 = MaxPool(%6) {kernel_shape=[2, 2]}
  %8 = GlobalAveragePool(%7)
  %9 = Flatten(%8)
  %10 = Gemm(%9, %p)
  %y = LogSoftmax(%10)",
        // An inverted bottleneck with squeeze and excitation.
        "(%x: f64[{a},4,{d},{e}], %w: f64[8,4,1,1], %k: f64[8,1,3,3], %s: f64[8,8,1,1], %p: f64[4,8,1,1]) {
  %1 = Conv(%x, %w)
  %2 = HardSwish(%1)
  %3 = Conv(%2, %k) {group=8, pads=[1, 1, 1, 1]}
  %4 = Sigmoid(%3)
  %5 = Mul(%3, %4)
  %6 = GlobalAveragePool(%5)
  %7 = Conv(%6, %s)
  %8 = HardSigmoid(%7)
  %9 = Mul(%5, %8)
  %10 = Conv(%9, %p)
  %y = Add(%10, %x)",
        // Down, up, and the way between them.
        "(%x: f64[{a},2,8,8], %w: f64[4,2,3,3], %v: f64[4,3,2,2], %u: f64[2,5,1,1]) {
  %1 = Conv(%x, %w) {pads=[1, 1, 1, 1]}
  %2 = LeakyRelu(%1)
  %3 = AveragePool(%2) {kernel_shape=[2, 2], strides=[2, 2]}
  %4 = ConvTranspose(%3, %v) {strides=[2, 2]}
  %5 = Concat(%4, %x) {axis=1}
  %6 = Conv(%5, %u)
  %7 = Tanh(%6)
  %y = Sub(%7, %x)",
        // Attention; keys and queries share their weights.
        "(%x: f64[{a},{d},6], %w: f64[6,4], %v: f64[6,6], %s: f64[6]) {
  %1 = MatMul(%x, %w)
  %2 = Transpose(%1) {perm=[0, 2, 1]}
  %3 = MatMul(%1, %2)
  %4 = Softmax(%3)
  %5 = MatMul(%x, %v)
  %6 = MatMul(%4, %5)
  %7 = Add(%6, %x)
  %8 = LayerNormalization(%7, %s)
  %9 = Gelu(%8)
  %y = MatMul(%9, %v)",
    ] {
        check_network(&format!("graph \"g\" {body}\n  return \"y\" = %y\n}}"));
    }
}

/// `x` is used several times, on the way and in the end.
#[test]
fn contributions_of_several_users_are_added() {
    check(
        "graph \"g\" (%x: f64[{a},{b}], %w: f64[{b},{b}]) {\n  %p = MatMul(%x, %w)\n  %q = MatMul(%p, %w)\n  %r = Mul(%q, %x)\n  %y = Add(%r, %p)\n  return \"y\" = %y\n}",
        [-1.0, 1.0],
    );
}

#[test]
fn what_does_not_depend_has_zeros() {
    let mut g = parse(
        "graph \"g\" (%x: f32[2,3], %w: f32[4]) {\n  %y = ReduceSum(%x) {keepdims=0}\n  return \"y\" = %y\n}",
    ).unwrap();
    let (y, wrt) = (g.outputs()[0].1, inputs(&g));
    let found = gradients(&mut g, y, None, &wrt).unwrap();
    assert_eq!(g.ty(found[1]).to_string(), "f32[4]");
    g.add_output("dw", found[1]);
    let feeds = [
        (
            "x".to_string(),
            Tensor::from_f64(DType::F64, &[2, 3], &[1.0; 6]),
        ),
        (
            "w".to_string(),
            Tensor::from_f64(DType::F64, &[4], &[1.0; 4]),
        ),
    ];
    assert_eq!(run(&g, &feeds)[1].to_f64(), [0.0; 4]);
}

#[test]
fn what_has_no_gradient_says_so() {
    let of = |body: &str| {
        let mut g = parse(&format!(
            "graph \"g\" (%x: f32[2,3]) {{\n  {body}\n  return \"y\" = %y\n}}"
        ))
        .unwrap();
        let (y, wrt) = (g.outputs()[0].1, inputs(&g));
        gradients(&mut g, y, None, &wrt)
            .map(drop)
            .unwrap_err()
            .to_string()
    };
    let said = [
        of("%y = Relu(%x)"),
        of("%a = ArgMax(%x)\n  %y = ReduceSum(%a)"),
        of(
            "%i = const i64[1,3] [0, 1, 0]\n  %u = const f32[1,3] [1, 2, 3]\n  %s = ScatterElements(%x, %i, %u) {reduction=\"mul\"}\n  %y = ReduceSum(%s)",
        ),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

/// A small network and its gradient, for people.
#[test]
fn a_network() {
    let text = r#"graph "net" (%x: f32[2,1,6,6], %w: f32[4,1,3,3], %b: f32[4], %v: f32[16,3], %labels: i64[2]) {
  %c = Conv(%x, %w, %b)
  %r = Relu(%c)
  %p = MaxPool(%r) {kernel_shape=[2, 2], strides=[2, 2]}
  %f = Flatten(%p)
  %l = MatMul(%f, %v)
  %loss = SoftmaxCrossEntropyLoss(%l, %labels)
  return "loss" = %loss
}"#;
    let mut g = parse(text).unwrap();
    let all = inputs(&g);
    let (loss, wrt) = (g.outputs()[0].1, &all[1..4]);
    let found = gradients(&mut g, loss, None, wrt).unwrap();
    for (name, v) in ["dw", "db", "dv"].iter().zip(found) {
        g.add_output(name, v);
    }
    g.sweep();
    insta::assert_snapshot!(print(&g, Style::Brief));
}
