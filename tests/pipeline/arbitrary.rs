//! Arbitrary convolutional networks.
//!
//! Every step adds an operator to a value there is; its parameters follow from the value's shape and the step's number, so that
//! most steps are legal. What does not type-check, or grows too large, is left out. Shrinking drops steps.

mod arithmetic;
mod movements;
mod windows;

use crate::seeded;
use cnnc_ir::attrs::{AttrValue, Attrs};
use cnnc_ir::graph::Op;
use cnnc_ir::{DType, Graph, OpKind, Tensor, TensorType, Value};
use proptest::prelude::*;
use std::fmt;

/// What to add, which values to use, and a number that its parameters follow from.
type Step = (u8, usize, usize, u64);

/// Largest value, in elements.
const LARGEST: usize = 40_000;

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
const KINDS: u8 = 28;

impl Net {
    fn new(seed: u64) -> Net {
        let mut dice = Dice(seed);
        let mut graph = Graph::new("net");
        let side = dice.pick(&[6, 14, 14, 32]);
        let shape = [
            dice.pick(&[1, 1, 1, 2]),
            dice.pick(&[1usize, 2, 3, 4, 8, 16, 17, 24, 32]),
            1 + dice.below(side),
            1 + dice.below(side),
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
            25 => self.shuffle(x, &mut dice),
            _ if rank == 4 => self.block(x, &mut dice),
            _ => self.activation(x, &mut dice),
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
