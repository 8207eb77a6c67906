//! Gradients against central differences, in f64: every operator that has one, at twenty random shapes.

use cnnc_ir::autodiff::gradients;
use cnnc_ir::interp::{Interpreter, Precision};
use cnnc_ir::text::{Style, parse, print};
use cnnc_ir::{DType, Graph, NodeId, Tensor, Value};

/// Step of a difference, and what an analytic gradient may be off by.
const STEP: f64 = 1e-6;
const RELATIVE: f64 = 1e-3;
const ABSOLUTE: f64 = 1e-5;

const SHAPES: u64 = 20;

/// Random numbers: xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    /// Between `low` and `high`.
    fn uniform(&mut self, [low, high]: [f64; 2]) -> f64 {
        low + (high - low) * self.next() as f64 / (1u64 << 53) as f64
    }
}

/// Graphs as text. `{a}`, `{b}`, `{c}` stand for extents of 1 to 4, `{d}` and `{e}` for 5 to 8.
fn graph(body: &str, random: &mut Random) -> Graph {
    let mut text = body.to_string();
    for name in ["{a}", "{b}", "{c}"] {
        text = text.replace(name, &(1 + random.below(4)).to_string());
    }
    for name in ["{d}", "{e}"] {
        text = text.replace(name, &(5 + random.below(4)).to_string());
    }
    parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn inputs(graph: &Graph) -> Vec<Value> {
    graph
        .inputs()
        .iter()
        .map(|&id: &NodeId| id.into())
        .collect()
}

fn tensor(graph: &Graph, v: Value, random: &mut Random, range: [f64; 2]) -> Tensor {
    let ty = graph.ty(v);
    let shape = ty.fixed_shape().expect("extents are given");
    let count = shape.iter().product();
    match ty.dtype.is_float() {
        true => {
            let values: Vec<f64> = (0..count).map(|_| random.uniform(range)).collect();
            Tensor::from_f64(DType::F64, &shape, &values)
        }
        false => {
            let values: Vec<i64> = (0..count).map(|_| random.below(2) as i64).collect();
            Tensor::from_i64(ty.dtype, &shape, &values)
        }
    }
}

fn run(graph: &Graph, feeds: &[(String, Tensor)]) -> Vec<Tensor> {
    let feeds: Vec<(&str, Tensor)> = feeds.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
    let outputs = Interpreter::new(Precision::F64).run(graph, &feeds);
    let outputs = outputs.unwrap_or_else(|e| panic!("{e}\n{graph}"));
    outputs.into_iter().map(|(_, t)| t).collect()
}

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    a.to_f64().iter().zip(b.to_f64()).map(|(x, y)| x * y).sum()
}

/// Random feeds for all inputs, and a random seed for the first output.
fn feeds(graph: &Graph, random: &mut Random, range: [f64; 2]) -> (Vec<(String, Tensor)>, Tensor) {
    let named = |v: Value| (graph.value_name(v).to_string(), v);
    let feeds = inputs(graph)
        .into_iter()
        .map(named)
        .map(|(name, v)| (name, tensor(graph, v, random, range)))
        .collect();
    let seed = tensor(graph, graph.outputs()[0].1, random, [-1.0, 1.0]);
    (feeds, seed)
}

/// The gradients of `<seed, y>` with respect to all float inputs, by name, and the graph that computes them.
fn pullback(
    plain: &Graph,
    feeds: &[(String, Tensor)],
    seed: &Tensor,
) -> (Vec<(String, Tensor)>, Graph) {
    let y = plain.outputs()[0].1;
    let mut derived = plain.clone();
    let float = |v: &Value| plain.ty(*v).dtype.is_float();
    let wrt: Vec<Value> = inputs(plain).into_iter().filter(float).collect();
    let given = derived.add_input("seed", plain.ty(y).clone());
    let found =
        gradients(&mut derived, y, Some(given), &wrt).unwrap_or_else(|e| panic!("{e}\n{plain}"));
    for (k, v) in found.iter().enumerate() {
        derived.add_output(&format!("d{k}"), *v);
    }
    let mut all = feeds.to_vec();
    all.push(("seed".to_string(), seed.clone()));
    let results = run(&derived, &all).split_off(plain.outputs().len());
    let names = wrt.iter().map(|v| plain.value_name(*v).to_string());
    (names.zip(results).collect(), derived)
}

/// The feeds, each moved `by` times along its direction.
fn moved(
    feeds: &[(String, Tensor)],
    along: &[(String, Vec<f64>)],
    by: f64,
) -> Vec<(String, Tensor)> {
    let mut feeds = feeds.to_vec();
    for (name, direction) in along {
        let (_, tensor) = feeds.iter_mut().find(|(n, _)| n == name).expect("fed");
        let values = tensor.to_f64();
        let values: Vec<f64> = values
            .iter()
            .zip(direction)
            .map(|(x, v)| x + by * v)
            .collect();
        *tensor = Tensor::from_f64(DType::F64, tensor.shape(), &values);
    }
    feeds
}

/// `<seed, J v>` by a central difference.
fn difference(
    plain: &Graph,
    feeds: &[(String, Tensor)],
    along: &[(String, Vec<f64>)],
    seed: &Tensor,
) -> f64 {
    let at = |by: f64| dot(&run(plain, &moved(feeds, along, by))[0], seed);
    (at(STEP) - at(-STEP)) / (2.0 * STEP)
}

fn is_near(analytic: f64, numeric: f64) -> bool {
    (analytic - numeric).abs() <= ABSOLUTE + RELATIVE * numeric.abs()
}

/// Holds the gradients of `<seed, y>` with respect to all float inputs against differences.
fn check(body: &str, range: [f64; 2]) {
    for case in 0..SHAPES {
        let random = &mut Random(0x9E37_79B9_7F4A_7C15 ^ (case + 1));
        let plain = graph(body, random);
        let (feeds, seed) = feeds(&plain, random, range);
        let (found, derived) = pullback(&plain, &feeds, &seed);
        for (name, analytic) in found {
            let analytic = analytic.to_f64();
            for index in 0..analytic.len() {
                let mut unit = vec![0.0; analytic.len()];
                unit[index] = 1.0;
                let numeric = difference(&plain, &feeds, &[(name.clone(), unit)], &seed);
                assert!(
                    is_near(analytic[index], numeric),
                    "d{name}[{index}] is {}, differences say {numeric}\n{plain}\n{}",
                    analytic[index],
                    print(&derived, Style::Brief)
                );
            }
        }
    }
}

/// `<J v, u> = <v, J' u>` along random directions `v` of all inputs together, for random `u`.
fn check_network(body: &str) {
    for case in 0..SHAPES {
        let random = &mut Random(0xD1B5_4A32_D192_ED03 ^ (case + 1));
        let plain = graph(body, random);
        let (feeds, seed) = feeds(&plain, random, [-1.0, 1.0]);
        let (found, _) = pullback(&plain, &feeds, &seed);
        let mut along = Vec::new();
        let mut analytic = 0.0;
        for (name, gradient) in &found {
            let values = gradient.to_f64();
            let direction: Vec<f64> = values.iter().map(|_| random.uniform([-1.0, 1.0])).collect();
            analytic += values
                .iter()
                .zip(&direction)
                .map(|(g, v)| g * v)
                .sum::<f64>();
            along.push((name.clone(), direction));
        }
        let numeric = difference(&plain, &feeds, &along, &seed);
        assert!(
            is_near(analytic, numeric),
            "<v, J'u> is {analytic}, differences say {numeric}\n{plain}"
        );
        assert!(
            analytic.abs() > ABSOLUTE,
            "nothing is proved: {analytic}\n{plain}"
        );
    }
}

fn unary(op: &str, range: [f64; 2]) {
    check(
        &format!("graph \"g\" (%x: f64[{{a}},{{d}}]) {{\n  %y = {op}(%x)\n  return \"y\" = %y\n}}"),
        range,
    );
}

#[test]
fn elementwise_operators() {
    for op in [
        "Neg",
        "Abs",
        "Exp",
        "Sin",
        "Cos",
        "Tan",
        "Sinh",
        "Cosh",
        "Tanh",
        "Asinh",
        "Atan",
        "Erf",
        "Sigmoid",
        "Softplus",
        "Softsign",
        "Relu",
        "LeakyRelu",
        "Elu",
        "Selu",
        "Celu",
        "HardSigmoid",
        "HardSwish",
        "Mish",
        "Gelu",
        "Swish",
        "ThresholdedRelu",
        "Floor",
        "Sign",
        "Round",
        "Identity",
    ] {
        unary(op, [-2.0, 2.0]);
    }
    for op in ["Log", "Sqrt", "Reciprocal"] {
        unary(op, [0.2, 3.0]);
    }
    for op in ["Asin", "Acos", "Atanh"] {
        unary(op, [-0.9, 0.9]);
    }
    unary("Acosh", [1.1, 3.0]);
}

#[test]
fn broadcast_operators() {
    for op in [
        "Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean", "PRelu",
    ] {
        for shapes in [
            "f64[{a},{d}], %b: f64[{d}]",
            "f64[{a},{b},{c}], %b: f64[{b},1]",
            "f64[{a},{b}], %b: f64[]",
        ] {
            if op == "PRelu" && shapes.ends_with("f64[]") {
                continue;
            }
            check(
                &format!(
                    "graph \"g\" (%a: {shapes}) {{\n  %y = {op}(%a, %b)\n  return \"y\" = %y\n}}"
                ),
                if op == "PRelu" {
                    [-2.0, 2.0]
                } else {
                    [0.3, 2.0]
                },
            );
        }
    }
    check(
        "graph \"g\" (%c: bool[{a},{b}], %x: f64[{a},{b}], %z: f64[{b}]) {\n  %y = Where(%c, %x, %z)\n  return \"y\" = %y\n}",
        [-2.0, 2.0],
    );
    check(
        "graph \"g\" (%x: f64[{a},{b}]) {\n  %l = const f64[] [-1]\n  %h = const f64[] [1]\n  %y = Clip(%x, %l, %h)\n  return \"y\" = %y\n}",
        [-2.0, 2.0],
    );
}

#[test]
fn reductions() {
    for op in [
        "ReduceSum",
        "ReduceMean",
        "ReduceMax",
        "ReduceMin",
        "ReduceL1",
        "ReduceL2",
        "ReduceSumSquare",
        "ReduceLogSum",
        "ReduceLogSumExp",
    ] {
        for keep in [0, 1] {
            check(
                &format!(
                    "graph \"g\" (%x: f64[{{a}},{{b}},{{d}}]) {{\n  %axes = const i64[2] [0, 2]\n  %y = {op}(%x, %axes) {{keepdims={keep}}}\n  return \"y\" = %y\n}}"
                ),
                [0.3, 2.0],
            );
        }
    }
    for axes in ["i64[1] [1]", "i64[2] [0, 2]", "i64[3] [0, 1, 2]"] {
        check(
            &format!(
                "graph \"g\" (%x: f64[{{a}},{{b}},{{c}}]) {{\n  %axes = const {axes}\n  %y = ReduceProd(%x, %axes)\n  return \"y\" = %y\n}}"
            ),
            [-1.5, 1.5],
        );
    }
}

#[test]
fn contractions() {
    for body in [
        "(%a: f64[{a},{d}], %b: f64[{d},{c}]) {\n  %y = MatMul(%a, %b)",
        "(%a: f64[{b},{a},{d}], %b: f64[{d},{c}]) {\n  %y = MatMul(%a, %b)",
        "(%a: f64[1,{b},{a},{d}], %b: f64[{c},1,{d},{c}]) {\n  %y = MatMul(%a, %b)",
        "(%a: f64[{d}], %b: f64[{b},{d},{c}]) {\n  %y = MatMul(%a, %b)",
        "(%a: f64[{d},{a}], %b: f64[{c},{d}], %c: f64[{c}]) {\n  %y = Gemm(%a, %b, %c) {transA=1, transB=1, alpha=0.5, beta=2.0}",
        "(%a: f64[{a},{d}], %b: f64[{c},{d}]) {\n  %y = Gemm(%a, %b) {transB=1}",
        "(%a: f64[{a},{b},{d}], %b: f64[{b},{c}]) {\n  %y = Einsum(%a, %b) {equation=\"ijk,jl->kil\"}",
        "(%x: f64[{a},{b},{d},{e}], %w: f64[{c},{b},3,2], %b: f64[{c}]) {\n  %y = Conv(%x, %w, %b) {pads=[1, 0, 1, 1]}",
        "(%x: f64[{a},{b},{d},{e}], %w: f64[{c},{b},3,3]) {\n  %y = Conv(%x, %w) {strides=[2, 3], pads=[1, 1, 1, 1]}",
        "(%x: f64[{a},4,{d},{e}], %w: f64[6,2,2,2]) {\n  %y = Conv(%x, %w) {group=2, dilations=[2, 1], strides=[1, 2]}",
        "(%x: f64[{a},3,{d}], %w: f64[3,1,3]) {\n  %y = Conv(%x, %w) {group=3, pads=[2, 2]}",
        "(%x: f64[{a},{b},{c},{c}], %w: f64[{b},{c},3,2], %b: f64[{c}]) {\n  %y = ConvTranspose(%x, %w, %b) {strides=[2, 2], pads=[1, 0, 1, 1], output_padding=[1, 0]}",
        "(%x: f64[{a},4,{d}], %w: f64[4,3,2]) {\n  %y = ConvTranspose(%x, %w) {group=2, dilations=[2]}",
    ] {
        check(
            &format!("graph \"g\" {body}\n  return \"y\" = %y\n}}"),
            [-1.0, 1.0],
        );
    }
}

#[test]
fn pools() {
    for body in [
        "MaxPool(%x) {kernel_shape=[2, 2], strides=[2, 2]}",
        "MaxPool(%x) {kernel_shape=[3, 2], pads=[1, 0, 1, 1]}",
        "MaxPool(%x) {kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1}",
        "AveragePool(%x) {kernel_shape=[2, 2], strides=[2, 2]}",
        "AveragePool(%x) {kernel_shape=[3, 2], pads=[1, 1, 1, 0], count_include_pad=1}",
        "AveragePool(%x) {kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 1]}",
        "GlobalAveragePool(%x)",
        "GlobalMaxPool(%x)",
    ] {
        check(
            &format!(
                "graph \"g\" (%x: f64[{{a}},{{b}},{{d}},{{e}}]) {{\n  %y = {body}\n  return \"y\" = %y\n}}"
            ),
            [-1.0, 1.0],
        );
    }
}

#[test]
fn movements() {
    for body in [
        "%y = Transpose(%x) {perm=[2, 0, 1]}",
        "%s = const i64[2] [0, -1]\n  %y = Reshape(%x, %s)",
        "%s = const i64[2] [1, 4]\n  %e = const i64[2] [4, 0]\n  %a = const i64[2] [1, 2]\n  %t = const i64[2] [1, -2]\n  %y = Slice(%x, %s, %e, %a, %t)",
        "%p = const i64[6] [0, 2, -1, 1, 0, 3]\n  %y = Pad(%x, %p)",
        "%p = const i64[6] [0, 1, 1, 0, 1, 2]\n  %y = Pad(%x, %p) {mode=\"reflect\"}",
        "%y = Concat(%x, %x) {axis=1}",
        "%p, %q = Split(%x) {axis=2, num_outputs=2}\n  %y = Mul(%p, %p)",
        "%s = const i64[4] [3, 1, 1, 1]\n  %y = Expand(%x, %s)",
        "%s = const i64[3] [1, 2, 3]\n  %y = Tile(%x, %s)",
        "%i = const i64[2,2] [0, 1, 1, -1]\n  %y = Gather(%x, %i) {axis=1}",
        "%a = const i64[1] [0]\n  %y = Unsqueeze(%x, %a)",
        "%k = const i64[1] [2]\n  %y, %i = TopK(%x, %k) {axis=1}",
        "%a = const i64[] [2]\n  %y = CumSum(%x, %a) {exclusive=1}",
        "%y = Flatten(%x)",
    ] {
        check(
            &format!(
                "graph \"g\" (%x: f64[{{a}},{{d}},{{e}}]) {{\n  {body}\n  return \"y\" = %y\n}}"
            ),
            [-1.0, 1.0],
        );
    }
}

/// Positions repeat only where what is read or added there may.
#[test]
fn indexing() {
    for body in [
        "(%x: f64[{d},{e},{a}]) {\n  %i = const i64[2,1,2] [0, 1, 0, -4]\n  %y = GatherND(%x, %i)",
        "(%x: f64[2,{d},{a}]) {\n  %i = const i64[2,3,1] [0, 4, 0, 1, 1, -1]\n  %y = GatherND(%x, %i) {batch_dims=1}",
        "(%x: f64[{d},2,3]) {\n  %i = const i64[2,2,2] [0, 1, 1, 1, 0, 0, 2, -1]\n  %y = GatherElements(%x, %i) {axis=2}",
        "(%x: f64[2,{d}], %u: f64[2,3]) {\n  %i = const i64[2,3] [0, 4, 1, 1, 2, -1]\n  %y = ScatterElements(%x, %i, %u) {axis=1}",
        "(%x: f64[2,{d}], %u: f64[2,3]) {\n  %i = const i64[2,3] [0, 0, 1, 1, 2, 2]\n  %y = ScatterElements(%x, %i, %u) {axis=1, reduction=\"add\"}",
        "(%x: f64[{d},{a}], %u: f64[2,{a}]) {\n  %i = const i64[2,1] [1, -1]\n  %y = ScatterND(%x, %i, %u)",
        "(%x: f64[{d},{a}], %u: f64[2,{a}]) {\n  %i = const i64[2,1] [1, 1]\n  %y = ScatterND(%x, %i, %u) {reduction=\"add\"}",
        "(%x: f64[{d},3,{a}]) {\n  %n = const i64[3] [5, 1, 3]\n  %y = ReverseSequence(%x, %n)",
        "(%x: f64[3,{d}]) {\n  %n = const i64[3] [0, 2, 5]\n  %y = ReverseSequence(%x, %n) {batch_axis=0, time_axis=1}",
    ] {
        check(
            &format!("graph \"g\" {body}\n  return \"y\" = %y\n}}"),
            [-1.0, 1.0],
        );
    }
}

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

#[test]
fn compositions() {
    for (shape, body) in [
        ("{a},{d}", "%y = Softmax(%x)"),
        ("{a},{d}", "%y = LogSoftmax(%x)"),
        (
            "{a},{d}",
            "%m = const f64[] [0.5]\n  %s = ReduceMean(%x)\n  %z = Sub(%x, %s)\n  %y = Mul(%z, %z)",
        ),
        ("{a},4,{d}", "%y = LpNormalization(%x) {axis=1}"),
        (
            "2,3,{d}",
            "%s = const f64[3] [1, 2, 0.5]\n  %b = const f64[3] [0, 1, -1]\n  %y = InstanceNormalization(%x, %s, %b)",
        ),
        (
            "2,3,{d}",
            "%s = const f64[3] [1, 2, 0.5]\n  %b = const f64[3] [0, 1, -1]\n  %m = const f64[3] [0, 0, 0]\n  %v = const f64[3] [1, 1, 1]\n  %y = BatchNormalization(%x, %s, %b, %m, %v)",
        ),
        (
            "2,3,{d}",
            "%s = const f64[3] [1, 2, 0.5]\n  %b = const f64[3] [0, 1, -1]\n  %m = const f64[3] [0, 0, 0]\n  %v = const f64[3] [1, 1, 1]\n  %y, %rm, %rv = BatchNormalization(%x, %s, %b, %m, %v) {training_mode=1}",
        ),
        ("{a},{d}", "%y = LayerNormalization(%x, %x) {axis=-1}"),
        (
            "2,2,3,3",
            "%s = const f32[4] [1, 1, 2, 2]\n  %y = Resize(%x, _, %s) {mode=\"linear\"}",
        ),
    ] {
        check(
            &format!("graph \"g\" (%x: f64[{shape}]) {{\n  {body}\n  return \"y\" = %y\n}}"),
            [-1.0, 1.0],
        );
    }
    check(
        "graph \"g\" (%x: f64[{a},4], %l: i64[{a}]) {\n  %y = SoftmaxCrossEntropyLoss(%x, %l)\n  return \"y\" = %y\n}",
        [-1.0, 1.0],
    );
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
        of("%a = const i64[] [0]\n  %p = CumProd(%x, %a)\n  %y = ReduceSum(%p)"),
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
