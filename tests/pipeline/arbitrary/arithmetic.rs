//! Activations, sums, normalisations, products, reductions.

use super::{Dice, Net, attrs};
use cnnc_ir::attrs::{AttrValue, Attrs};
use cnnc_ir::{DType, OpKind, Tensor, Value};

impl Net {
    pub fn activation(&mut self, x: Value, dice: &mut Dice) {
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
    pub fn sum(&mut self, x: Value, y: Value, dice: &mut Dice) {
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

    pub fn normalisation(&mut self, x: Value, dice: &mut Dice) {
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
    pub fn product(&mut self, x: Value, dice: &mut Dice) {
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

    pub fn reduction(&mut self, x: Value, dice: &mut Dice) {
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
}
