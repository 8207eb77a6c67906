//! Networks in small, compiled and run: layouts that flow without reorders and copies, and results equal to the interpreter's.

use cnnc::compile::{CompileOptions, compile};
use cnnc_ir::attrs::{AttrValue, Attrs};
use cnnc_ir::graph::Op;
use cnnc_ir::interp::{Interpreter, Precision, distance};
use cnnc_ir::{DType, Graph, OpKind, Tensor, TensorType, Value};
use cnnc_runtime::{CpuLevel, TensorView};

/// A graph under construction, with numbers for its weights.
struct Net {
    graph: Graph,
    seed: u64,
}

impl Net {
    fn new(shape: [usize; 4]) -> (Net, Value) {
        let mut graph = Graph::new("net");
        let x = graph.add_input("x", TensorType::new(DType::F32, shape));
        (Net { graph, seed: 7 }, x)
    }

    /// Multiples of a sixteenth below a half, without a short period.
    fn numbers(&mut self, shape: &[usize]) -> Tensor {
        let mut number = || {
            self.seed = self
                .seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            ((self.seed >> 60) as f64 - 8.0) / 16.0
        };
        let values: Vec<f64> = (0..shape.iter().product()).map(|_| number()).collect();
        Tensor::from_f64(DType::F32, shape, &values)
    }

    fn weights(&mut self, shape: &[usize]) -> Value {
        let numbers = self.numbers(shape);
        self.graph.add_constant("w", numbers)
    }

    fn ints(&mut self, values: &[i64]) -> Value {
        self.graph.add_constant("n", Tensor::ints(values))
    }

    fn add(&mut self, kind: OpKind, inputs: &[Value], attrs: &[(&str, AttrValue)]) -> Value {
        self.outputs(kind, inputs, attrs, 1)[0]
    }

    fn outputs(
        &mut self,
        kind: OpKind,
        inputs: &[Value],
        attrs: &[(&str, AttrValue)],
        count: u32,
    ) -> Vec<Value> {
        let op = Op {
            kind,
            attrs: Attrs::from_iter(attrs.iter().map(|(k, v)| ((*k).to_string(), v.clone()))),
            bodies: Vec::new(),
            epilogue: None,
        };
        let inputs = inputs.iter().copied().map(Some).collect();
        let names = vec![""; count as usize];
        let node = self.graph.add(op, inputs, &names, "").expect("type-checks");
        (0..count).map(|slot| Value { node, slot }).collect()
    }

    fn channels(&self, v: Value) -> usize {
        let fixed = self.graph.ty(v).fixed_shape().expect("a fixed shape");
        fixed[1]
    }

    /// A convolution of an odd kernel that keeps the size, and ReLU.
    fn conv(&mut self, x: Value, channels: usize, kernel: usize) -> Value {
        let w = self.weights(&[channels, self.channels(x), kernel, kernel]);
        let pads = ints(&[kernel as i64 / 2; 4]);
        let y = self.add(OpKind::Conv, &[x, w], &[("pads", pads)]);
        self.add(OpKind::Relu, &[y], &[])
    }

    /// Normalisation of every channel, and ReLU.
    fn normalised(&mut self, x: Value) -> Value {
        let shape = [1, self.channels(x), 1, 1];
        let (scale, shift) = (self.weights(&shape), self.weights(&shape));
        let scaled = self.add(OpKind::Mul, &[x, scale], &[]);
        let shifted = self.add(OpKind::Add, &[scaled, shift], &[]);
        self.add(OpKind::Relu, &[shifted], &[])
    }

    fn pool(&mut self, x: Value) -> Value {
        let window = ints(&[2, 2]);
        let attrs = [("kernel_shape", window.clone()), ("strides", window)];
        self.add(OpKind::MaxPool, &[x], &attrs)
    }

    fn concat(&mut self, parts: &[Value]) -> Value {
        self.add(OpKind::Concat, parts, &[("axis", AttrValue::Int(1))])
    }

    /// Compiles for every level this machine has and compares with the interpreter; returns the explanation.
    fn check(mut self, output: Value) -> String {
        self.graph.add_output("y", output);
        let x = self.graph.inputs()[0];
        let shape = self
            .graph
            .ty(x.into())
            .fixed_shape()
            .expect("a fixed shape");
        let input = self.numbers(&shape);
        let expected = Interpreter::new(Precision::F64)
            .run(&self.graph, &[("x", input.clone())])
            .expect("evaluates");
        let levels = [CpuLevel::Baseline, CpuLevel::V3, CpuLevel::V4];
        let mut explanation = String::new();
        for level in levels.into_iter().filter(|l| CpuLevel::host() >= Some(*l)) {
            let options = CompileOptions::new(level);
            let compiled = compile(self.graph.clone(), &options).expect("compiles");
            explanation.clone_from(&compiled.explanation);
            let model = compiled.model().expect("has code");
            let mut session = model.session(2).expect("has memory");
            let values = input.to_f32();
            let feed = TensorView::new(&shape, &values).expect("its size");
            let found = session.run_with(&[("x", feed)]).expect("runs");
            let found = Tensor::from_f64(
                DType::F32,
                expected[0].1.shape(),
                &floats(found[0].1.bytes()),
            );
            let distance = distance(&found, &expected[0].1);
            assert!(distance < 1e-3, "{distance} on {level}:\n{explanation}");
        }
        explanation
    }
}

fn floats(bytes: &[u8]) -> Vec<f64> {
    let element = |b: &[u8]| f64::from(f32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
    bytes.chunks_exact(4).map(element).collect()
}

fn ints(values: &[i64]) -> AttrValue {
    AttrValue::Ints(values.to_vec())
}

/// How often an operator was not done by an alias.
fn computed(explanation: &str, op: &str) -> usize {
    let named = |line: &&str| line.contains(&format!("({op}): "));
    let lines = explanation.lines().filter(named);
    lines.filter(|line| !line.ends_with(": alias")).count()
}

/// Two levels of a U-net: pool down, transposed convolution up, skip connection beside it.
#[test]
fn skip_connections_are_joined_without_copies() {
    for batch in [1, 2] {
        let (mut net, x) = Net::new([batch, 3, 12, 12]);
        let skip = net.conv(x, 16, 3);
        let down = net.pool(skip);
        let deep = net.conv(down, 32, 3);
        let w = net.weights(&[32, 16, 2, 2]);
        let up = net.add(
            OpKind::ConvTranspose,
            &[deep, w],
            &[("strides", ints(&[2, 2]))],
        );
        let joined = net.concat(&[skip, up]);
        let last = net.conv(joined, 16, 3);
        let explanation = net.check(last);
        // The one reorder makes the output plain.
        assert_eq!(computed(&explanation, "Reorder"), 1, "{explanation}");
        assert_eq!(computed(&explanation, "Concat"), 0, "{explanation}");
    }
}

/// A dense block: every layer reads all before it.
#[test]
fn concatenations_of_growing_lists_are_one_buffer() {
    let (mut net, x) = Net::new([1, 3, 9, 9]);
    let mut parts = vec![net.conv(x, 32, 3)];
    for _ in 0..3 {
        let joined = net.concat(&parts);
        let joined = net.normalised(joined);
        let narrow = net.conv(joined, 16, 1);
        parts.push(net.conv(narrow, 16, 3));
    }
    let joined = net.concat(&parts);
    let last = net.conv(joined, 16, 1);
    let explanation = net.check(last);
    assert_eq!(computed(&explanation, "Concat"), 0, "{explanation}");
    assert_eq!(computed(&explanation, "Reorder"), 1, "{explanation}");
    let scaled = explanation.matches("scale tile").count();
    assert!(scaled >= 3, "{explanation}");
}

/// Parts of whole blocks are views; one that starts inside a block is copied.
#[test]
fn splits_at_blocks_are_views() {
    for (sizes, copies) in [([16, 32], 0), ([24, 24], 1)] {
        let (mut net, x) = Net::new([2, 16, 6, 6]);
        let whole = net.conv(x, 48, 3);
        let sizes = net.ints(&sizes);
        let parts = net.outputs(
            OpKind::Split,
            &[whole, sizes],
            &[("axis", AttrValue::Int(1))],
            2,
        );
        let (left, right) = (net.conv(parts[0], 16, 3), net.conv(parts[1], 16, 1));
        let sum = net.add(OpKind::Add, &[left, right], &[]);
        let explanation = net.check(sum);
        let slices = computed(&explanation, "Slice") + computed(&explanation, "Split");
        assert_eq!(slices.min(1), copies, "{explanation}");
    }
}

/// Squeeze and excite: what is one pixel stays plain and needs no reorder.
#[test]
fn single_pixels_stay_plain() {
    let (mut net, x) = Net::new([1, 3, 10, 10]);
    let wide = net.conv(x, 24, 3);
    let mean = net.add(OpKind::GlobalAveragePool, &[wide], &[]);
    let narrow = net.conv(mean, 6, 1);
    let gate = net.conv(narrow, 24, 1);
    let scaled = net.add(OpKind::Mul, &[wide, gate], &[]);
    let last = net.conv(scaled, 16, 1);
    let explanation = net.check(last);
    assert_eq!(computed(&explanation, "Reorder"), 1, "{explanation}");
    assert!(explanation.contains("pool tile"), "{explanation}");
    assert!(explanation.contains("(Mul): scale tile"), "{explanation}");
}

/// Nearest-neighbour upsampling and padding between convolutions.
#[test]
fn upsampling_and_padding_keep_blocks() {
    let (mut net, x) = Net::new([1, 3, 7, 5]);
    let small = net.conv(x, 20, 3);
    let scales = Tensor::from_f64(DType::F32, &[4], &[1.0, 1.0, 2.0, 3.0]);
    let scales = net.graph.add_constant("scales", scales);
    let none = Tensor::from_f64(DType::F32, &[0], &[]);
    let none = net.graph.add_constant("roi", none);
    let attrs = [
        ("mode", AttrValue::Str("nearest".into())),
        (
            "coordinate_transformation_mode",
            AttrValue::Str("asymmetric".into()),
        ),
        ("nearest_mode", AttrValue::Str("floor".into())),
    ];
    let large = net.add(OpKind::Resize, &[small, none, scales], &attrs);
    let pads = net.ints(&[0, 0, 0, 1, 0, 0, 1, 0]);
    let padded = net.add(OpKind::Pad, &[large, pads], &[]);
    let pooled = net.pool(padded);
    let last = net.conv(pooled, 16, 3);
    let explanation = net.check(last);
    assert!(explanation.contains("transposed tile"), "{explanation}");
    assert_eq!(computed(&explanation, "Reorder"), 1, "{explanation}");
}
