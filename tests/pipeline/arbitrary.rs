//! Arbitrary convolutional networks.
//!
//! Every step adds an operator to a value there is; its parameters follow from the value's shape and the step's number, so that
//! most steps are legal. What does not type-check, or grows too large, is left out. Shrinking drops steps.

use crate::seeded;
use cnnc_ir::attrs::{AttrValue, Attrs};
use cnnc_ir::graph::Op;
use cnnc_ir::{DType, Graph, OpKind, Tensor, TensorType, Value};
use proptest::prelude::*;
use std::fmt;

/// What to add, which values to use, and a number that its parameters follow from.
type Step = (u8, usize, usize, u64);

/// Largest value, in elements.
const LARGEST: usize = 20_000;

/// A graph that a failed test shows as text, to be copied.
#[derive(Clone)]
pub struct Network(pub Graph);

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Networks of up to 14 operators over one or two images.
pub fn networks() -> impl Strategy<Value = Network> {
    let step = (0u8..KINDS, any::<usize>(), any::<usize>(), any::<u64>());
    let steps = prop::collection::vec(step, 1..14);
    (any::<u64>(), steps).prop_map(|(seed, steps)| {
        let mut net = Net::new(seed);
        for step in steps {
            net.step(step);
        }
        Network(net.finish())
    })
}

/// Numbers drawn from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(0x5851_F42D_4C95_7F2D)
            .wrapping_add(0x1405_7B7E_F767_814F);
        (self.0 >> 33) as usize % n.max(1)
    }
    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
    fn pair(&mut self, of: &[i64]) -> [i64; 2] {
        [self.pick(of), self.pick(of)]
    }
}

struct Net {
    graph: Graph,
    values: Vec<Value>,
}

/// Attributes from a list.
fn attrs<const N: usize>(list: [(&str, AttrValue); N]) -> Attrs {
    list.into_iter().map(|(k, v)| (k.to_string(), v)).collect()
}

fn ints(values: &[i64]) -> AttrValue {
    AttrValue::Ints(values.to_vec())
}

fn text(value: &str) -> AttrValue {
    AttrValue::Str(value.to_string())
}

/// Number of kinds of steps; convolutions take several numbers.
const KINDS: u8 = 26;

impl Net {
    fn new(seed: u64) -> Net {
        let mut dice = Dice(seed);
        let mut graph = Graph::new("net");
        let shape = [
            dice.pick(&[1, 1, 1, 2]),
            dice.pick(&[1usize, 2, 3, 4, 8, 16, 17, 24, 32]),
            1 + dice.below(14),
            1 + dice.below(14),
        ];
        let x = graph.add_input("x", TensorType::new(DType::F32, shape));
        let mut values = vec![x];
        if dice.below(3) == 0 {
            values.push(graph.add_input("z", TensorType::new(DType::F32, shape)));
        }
        Net { graph, values }
    }

    fn shape(&self, v: Value) -> Vec<usize> {
        self.graph.ty(v).fixed_shape().expect("extents are fixed")
    }

    /// Weights of a size that keeps values near one.
    fn weights(&mut self, shape: &[usize], fan_in: usize, dice: &mut Dice) -> Value {
        let ty = TensorType::new(DType::F32, shape.to_vec());
        let scale = 1.0 / (fan_in.max(1) as f64).sqrt();
        let raw = seeded::tensor(&ty, dice.0 >> 8).to_f64();
        let values: Vec<f64> = raw.iter().map(|v| v * scale).collect();
        self.graph
            .add_constant("w", Tensor::from_f64(DType::F32, shape, &values))
    }

    fn positive(&mut self, shape: &[usize], dice: &mut Dice) -> Value {
        let ty = TensorType::new(DType::F32, shape.to_vec());
        let raw = seeded::tensor(&ty, dice.0 >> 8).to_f64();
        let values: Vec<f64> = raw.iter().map(|v| v.abs() + 0.5).collect();
        self.graph
            .add_constant("p", Tensor::from_f64(DType::F32, shape, &values))
    }

    fn constant(&mut self, values: &[i64]) -> Value {
        self.graph.add_constant("n", Tensor::ints(values))
    }

    /// Adds an operator if it is legal and its result not too large.
    fn add(&mut self, kind: OpKind, inputs: &[Option<Value>], attrs: Attrs) {
        let op = Op {
            kind,
            attrs,
            bodies: Vec::new(),
            epilogue: None,
        };
        let small = |t: &TensorType| t.elements().is_some_and(|n| (1..=LARGEST).contains(&n));
        let inferred = self.graph.infer(&op, inputs, 1, "");
        if inferred.is_ok_and(|types| types.iter().all(small)) {
            let added = self.graph.add(op, inputs.to_vec(), &["v"], "");
            self.values.push(added.expect("it was inferred").into());
        }
    }

    fn unary(&mut self, kind: OpKind, x: Value, attrs: Attrs) {
        self.add(kind, &[Some(x)], attrs);
    }

    fn step(&mut self, (kind, a, b, seed): Step) {
        let mut dice = Dice(seed);
        // The youngest values are the likeliest, so that networks are deep.
        let recent = self.values.len().min(3);
        let x = match a % 4 {
            0 => self.values[a / 4 % self.values.len()],
            _ => self.values[self.values.len() - 1 - a / 4 % recent],
        };
        let y = self.values[b % self.values.len()];
        let rank = self.shape(x).len();
        match kind {
            0..=6 if rank == 4 => self.convolution(x, &mut dice),
            7 if rank == 4 => self.transposed(x, &mut dice),
            8 | 9 if rank == 4 => self.pool(x, &mut dice),
            10..=12 => self.activation(x, &mut dice),
            13 | 14 => self.sum(x, y, &mut dice),
            15 | 16 => {
                let axis = if dice.below(4) > 0 {
                    1
                } else {
                    dice.below(rank)
                };
                let parts = if dice.below(2) == 0 { [x, y] } else { [y, x] };
                let axis = attrs([("axis", AttrValue::Int(axis as i64))]);
                self.add(OpKind::Concat, &parts.map(Some), axis);
            }
            17 if rank >= 2 => self.normalisation(x, &mut dice),
            18 => self.product(x, &mut dice),
            19 if rank == 4 => self.resize(x, &mut dice),
            20 => self.transpose(x, &mut dice),
            21 => self.reshape(x, &mut dice),
            22 => self.reduction(x, &mut dice),
            23 => self.slice(x, &mut dice),
            24 => self.pad(x, &mut dice),
            _ => self.shuffle(x, &mut dice),
        }
    }

    fn convolution(&mut self, x: Value, dice: &mut Dice) {
        let channels = self.shape(x)[1];
        let groups = match dice.below(6) {
            0 | 1 => channels,
            2 => (1..=channels)
                .rev()
                .filter(|g| channels % g == 0)
                .nth(1)
                .unwrap_or(1),
            _ => 1,
        };
        let out = match groups {
            1 => dice.pick(&[1, 3, 8, 16, 16, 19, 32, 40]),
            g => g * dice.pick(&[1, 1, 1, 2, 16 / g.min(16)]),
        };
        let [height, width] = dice.pick(&[
            [1, 1],
            [1, 1],
            [3, 3],
            [3, 3],
            [3, 3],
            [5, 5],
            [1, 3],
            [5, 1],
            [2, 2],
            [3, 2],
        ]);
        let fan_in = channels / groups * height * width;
        let w = self.weights(&[out, channels / groups, height, width], fan_in, dice);
        let bias = (dice.below(3) > 0).then(|| self.weights(&[out], 1, dice));
        let half = [height as i64 / 2, width as i64 / 2];
        let pads = match dice.below(4) {
            0 => [0; 4],
            1 => [dice.pair(&[0, 1, 2]), dice.pair(&[0, 1, 2])]
                .concat()
                .try_into()
                .expect("four"),
            _ => [half[0], half[1], half[0], half[1]],
        };
        let attrs = attrs([
            ("group", AttrValue::Int(groups as i64)),
            ("pads", ints(&pads)),
            ("strides", ints(&dice.pair(&[1, 1, 1, 2]))),
            ("dilations", ints(&dice.pair(&[1, 1, 1, 2]))),
        ]);
        self.add(OpKind::Conv, &[Some(x), Some(w), bias], attrs);
    }

    fn transposed(&mut self, x: Value, dice: &mut Dice) {
        let channels = self.shape(x)[1];
        let groups = if dice.below(3) == 0 { channels } else { 1 };
        let out = dice.pick(&[1, 2, 8, 16, 17]);
        let kernel = dice.pick(&[[1, 1], [2, 2], [3, 3], [4, 4], [2, 3]]);
        let w = self.weights(
            &[channels, out, kernel[0], kernel[1]],
            channels / groups * 4,
            dice,
        );
        let bias = (dice.below(2) == 0).then(|| self.weights(&[out * groups], 1, dice));
        let attrs = attrs([
            ("group", AttrValue::Int(groups as i64)),
            (
                "pads",
                ints(&[dice.pair(&[0, 1]), dice.pair(&[0, 1])].concat()),
            ),
            ("strides", ints(&dice.pair(&[1, 2, 2]))),
            ("dilations", ints(&dice.pair(&[1, 1, 1, 2]))),
        ]);
        self.add(OpKind::ConvTranspose, &[Some(x), Some(w), bias], attrs);
    }

    fn pool(&mut self, x: Value, dice: &mut Dice) {
        let kernel = dice.pick(&[[2, 2], [3, 3], [1, 2], [3, 1], [5, 5]]);
        let mut list = attrs([
            ("kernel_shape", ints(&kernel)),
            ("strides", ints(&dice.pair(&[1, 2]))),
            (
                "pads",
                ints(
                    &[
                        dice.pair(&[0, kernel[0].min(2) / 2]),
                        dice.pair(&[0, kernel[1].min(2) / 2]),
                    ]
                    .concat(),
                ),
            ),
            ("ceil_mode", AttrValue::Int(dice.pick(&[0, 0, 1]))),
        ]);
        match dice.below(6) {
            0 => self.unary(OpKind::GlobalAveragePool, x, Attrs::new()),
            1 => self.unary(OpKind::GlobalMaxPool, x, Attrs::new()),
            2 | 3 => self.unary(OpKind::MaxPool, x, list),
            _ => {
                list.insert(
                    "count_include_pad".to_string(),
                    AttrValue::Int(dice.pick(&[0, 1])),
                );
                self.unary(OpKind::AveragePool, x, list);
            }
        }
    }

    fn activation(&mut self, x: Value, dice: &mut Dice) {
        use OpKind::*;
        let kind = dice.pick(&[
            Relu,
            Relu,
            Sigmoid,
            Tanh,
            LeakyRelu,
            HardSwish,
            HardSigmoid,
            Elu,
            Softplus,
            Gelu,
            Mish,
            Clip,
            PRelu,
            Abs,
            Softmax,
        ]);
        match kind {
            Clip => {
                let [low, high] = [-0.5, 1.25].map(|v| {
                    let bound = Tensor::scalar_f64(DType::F32, v);
                    Some(self.graph.add_constant("bound", bound))
                });
                self.add(Clip, &[Some(x), low, high], Attrs::new());
            }
            PRelu => {
                let channels = self.shape(x).get(1).copied().unwrap_or(1);
                let slope = self.weights(&[channels, 1, 1], 1, dice);
                self.add(PRelu, &[Some(x), Some(slope)], Attrs::new());
            }
            Softmax => {
                let axis = dice.below(self.shape(x).len()) as i64;
                self.unary(Softmax, x, attrs([("axis", AttrValue::Int(axis))]));
            }
            kind => self.unary(kind, x, Attrs::new()),
        }
    }

    /// With another value of the shape if there is one, or with a constant that broadcasts.
    fn sum(&mut self, x: Value, y: Value, dice: &mut Dice) {
        let shape = self.shape(x);
        let kind = dice.pick(&[
            OpKind::Add,
            OpKind::Add,
            OpKind::Add,
            OpKind::Mul,
            OpKind::Sub,
            OpKind::Max,
        ]);
        let alike: Vec<Value> = self
            .values
            .iter()
            .copied()
            .filter(|&v| v != x && self.shape(v) == shape)
            .collect();
        let other = match dice.below(4) {
            0 => y,
            1 => {
                let mut own = vec![1; shape.len()];
                for (axis, extent) in own.iter_mut().enumerate() {
                    *extent = dice.pick(&[1, shape[axis]]);
                }
                self.weights(&own, 1, dice)
            }
            _ if alike.is_empty() => x,
            _ => dice.pick(&alike),
        };
        let operands = if dice.below(2) == 0 {
            [x, other]
        } else {
            [other, x]
        };
        self.add(kind, &operands.map(Some), Attrs::new());
    }

    fn normalisation(&mut self, x: Value, dice: &mut Dice) {
        let shape = self.shape(x);
        let channels = shape[1];
        let last = shape[shape.len() - 1];
        match dice.below(4) {
            0 => {
                let (scale, bias) = (
                    self.weights(&[last], 1, dice),
                    self.weights(&[last], 1, dice),
                );
                self.add(
                    OpKind::LayerNormalization,
                    &[x, scale, bias].map(Some),
                    Attrs::new(),
                );
            }
            1 => {
                let (scale, bias) = (
                    self.weights(&[channels], 1, dice),
                    self.weights(&[channels], 1, dice),
                );
                let epsilon = attrs([("epsilon", AttrValue::Float(0.1))]);
                self.add(
                    OpKind::InstanceNormalization,
                    &[x, scale, bias].map(Some),
                    epsilon,
                );
            }
            _ => {
                let [scale, bias, mean] = [(); 3].map(|()| self.weights(&[channels], 1, dice));
                let variance = self.positive(&[channels], dice);
                self.add(
                    OpKind::BatchNormalization,
                    &[x, scale, bias, mean, variance].map(Some),
                    Attrs::new(),
                );
            }
        }
    }

    /// A product with constant weights: of the flattened value (Gemm), or along the last axis (MatMul).
    fn product(&mut self, x: Value, dice: &mut Dice) {
        let shape = self.shape(x);
        let columns = dice.pick(&[1, 5, 10, 16, 33]);
        if dice.below(2) == 0 {
            let inner = shape[shape.len() - 1];
            let w = self.weights(&[inner, columns], inner, dice);
            return self.add(OpKind::MatMul, &[Some(x), Some(w)], Attrs::new());
        }
        self.unary(OpKind::Flatten, x, Attrs::new());
        let flat = self.values[self.values.len() - 1];
        let shape = self.shape(flat);
        if shape.len() != 2 {
            return;
        }
        let is_transposed = dice.below(2) == 0;
        let w = match is_transposed {
            true => self.weights(&[columns, shape[1]], shape[1], dice),
            false => self.weights(&[shape[1], columns], shape[1], dice),
        };
        let c = (dice.below(2) == 0).then(|| self.weights(&[columns], 1, dice));
        let attrs = attrs([
            ("transB", AttrValue::Int(i64::from(is_transposed))),
            ("alpha", AttrValue::Float(dice.pick(&[1.0, 1.0, 0.5]))),
            ("beta", AttrValue::Float(dice.pick(&[1.0, 1.0, 2.0]))),
        ]);
        self.add(OpKind::Gemm, &[Some(flat), Some(w), c], attrs);
    }

    fn resize(&mut self, x: Value, dice: &mut Dice) {
        let scales = dice.pick(&[
            [1.0, 1.0, 2.0, 2.0],
            [1.0, 1.0, 1.5, 2.0],
            [1.0, 1.0, 3.0, 1.0],
            [1.0, 1.0, 0.5, 0.75],
        ]);
        let scales = self
            .graph
            .add_constant("scales", Tensor::from_f64(DType::F32, &[4], &scales));
        let attrs = attrs([
            ("mode", text(dice.pick(&["nearest", "linear", "cubic"]))),
            (
                "coordinate_transformation_mode",
                text(dice.pick(&["half_pixel", "asymmetric", "align_corners"])),
            ),
        ]);
        self.add(OpKind::Resize, &[Some(x), None, Some(scales)], attrs);
    }

    fn transpose(&mut self, x: Value, dice: &mut Dice) {
        let mut perm: Vec<i64> = (0..self.shape(x).len() as i64).collect();
        for last in (1..perm.len()).rev() {
            perm.swap(last, dice.below(last + 1));
        }
        self.unary(OpKind::Transpose, x, attrs([("perm", ints(&perm))]));
    }

    fn reshape(&mut self, x: Value, dice: &mut Dice) {
        let shape = self.shape(x);
        let extent = |axis: usize| shape.get(axis).map_or(1, |&n| n as i64);
        let wanted = match dice.below(4) {
            0 => vec![extent(0), -1],
            1 => vec![extent(0), extent(1), -1],
            2 => vec![extent(0), -1, 1, extent(shape.len() - 1)],
            _ => vec![1, extent(1), -1, 1],
        };
        let wanted = self.constant(&wanted);
        self.add(OpKind::Reshape, &[Some(x), Some(wanted)], Attrs::new());
    }

    fn reduction(&mut self, x: Value, dice: &mut Dice) {
        use OpKind::*;
        let rank = self.shape(x).len();
        let axes: Vec<i64> = match dice.below(3) {
            0 if rank == 4 => vec![2, 3],
            _ => vec![dice.below(rank) as i64],
        };
        let axes = self.constant(&axes);
        let kind = dice.pick(&[
            ReduceMean, ReduceMean, ReduceSum, ReduceMax, ReduceMin, ReduceL2,
        ]);
        let keep = if rank == 4 { 1 } else { dice.pick(&[0, 1]) };
        self.add(
            kind,
            &[Some(x), Some(axes)],
            attrs([("keepdims", AttrValue::Int(keep))]),
        );
    }

    fn slice(&mut self, x: Value, dice: &mut Dice) {
        let shape = self.shape(x);
        let axis = dice.below(shape.len());
        let start = dice.below(shape[axis]);
        let end = start + 1 + dice.below(shape[axis] - start);
        let [starts, ends, axes] = [start, end, axis].map(|v| self.constant(&[v as i64]));
        let step = dice.pick(&[1, 1, 2]);
        let steps = self.constant(&[step]);
        self.add(
            OpKind::Slice,
            &[x, starts, ends, axes, steps].map(Some),
            Attrs::new(),
        );
    }

    fn pad(&mut self, x: Value, dice: &mut Dice) {
        let rank = self.shape(x).len();
        let mut pads = vec![0; 2 * rank];
        for axis in rank.saturating_sub(2)..rank {
            pads[axis] = dice.pick(&[0, 1, 2]);
            pads[rank + axis] = dice.pick(&[0, 1]);
        }
        let pads = self.constant(&pads);
        let mode = dice.pick(&["constant", "constant", "reflect", "edge"]);
        self.add(
            OpKind::Pad,
            &[Some(x), Some(pads)],
            attrs([("mode", text(mode))]),
        );
    }

    /// Channels and pixels exchange places: depth to space and back, or the shuffle between grouped convolutions.
    fn shuffle(&mut self, x: Value, dice: &mut Dice) {
        let block = attrs([("blocksize", AttrValue::Int(2))]);
        match dice.below(3) {
            0 => self.unary(OpKind::DepthToSpace, x, block),
            1 => self.unary(OpKind::SpaceToDepth, x, block),
            _ => {
                let shape = self.shape(x);
                let [n, c, h, w] = shape[..] else { return };
                if c % 2 != 0 {
                    return;
                }
                let split = self.constant(&[n, 2, c / 2, h, w].map(|d| d as i64));
                self.add(OpKind::Reshape, &[Some(x), Some(split)], Attrs::new());
                let parts = self.values[self.values.len() - 1];
                self.unary(
                    OpKind::Transpose,
                    parts,
                    attrs([("perm", ints(&[0, 2, 1, 3, 4]))]),
                );
                let crossed = self.values[self.values.len() - 1];
                let joined = self.constant(&[n, c, h, w].map(|d| d as i64));
                self.add(
                    OpKind::Reshape,
                    &[Some(crossed), Some(joined)],
                    Attrs::new(),
                );
            }
        }
    }

    /// Values that nothing uses are the outputs; one in the middle is one as well.
    fn finish(mut self) -> Graph {
        let middle = self.values[self.values.len() / 2];
        for (number, &v) in self.values.iter().enumerate() {
            let is_input = self.graph.node(v.node).op().is_none();
            if (self.graph.users(v).is_empty() || v == middle) && !is_input {
                self.graph.add_output(&format!("y{number}"), v);
            }
        }
        if self.graph.outputs().is_empty() {
            let x = self.values[0];
            let y = self.graph.op(OpKind::Relu, &[x], Attrs::new());
            self.graph
                .add_output("y", y.expect("an activation is typed"));
        }
        self.graph.sweep();
        self.graph
    }
}
