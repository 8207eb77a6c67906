//! Losses: one number from a network's output and its targets, the mean over the batch.
//!
//! | text | loss |
//! |---|---|
//! | `cross_entropy:smoothing=S` | `-sum_c q_c log softmax(z)_c`, `q` the label's one-hot with a share S spread evenly; targets are labels |
//! | `focal:gamma=G` | `-(1 - p)^G log p` of the label's probability (Lin et al. 2017); targets are labels |
//! | `binary_cross_entropy` | `max(z, 0) - z y + log(1 + exp(-|z|))`, the mean over elements |
//! | `mse`, `mae`, `huber:delta=D` | mean squared, absolute, Huber error |
//! | `kl` | `sum_c y_c (log y_c - log softmax(z)_c)`; targets are probabilities |
//!
//! `z` is what stands before the network's last Softmax or Sigmoid where the loss has one of its own.

use crate::spec::{Spec, SpecError};
use cnnc_ir::attrs::AttrValue;
use cnnc_ir::expr::UnaryOp;
use cnnc_ir::{Attrs, DType, Ex, Graph, OpKind, Tensor, TensorType, TypeError, Value};
use std::fmt;
use std::str::FromStr;

/// See the module's head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    CrossEntropy { smoothing: f64 },
    Focal { gamma: f64 },
    BinaryCrossEntropy,
    MeanSquared,
    MeanAbsolute,
    Huber { delta: f64 },
    KullbackLeibler,
}

const NAMES: &[&str] = &[
    "cross_entropy",
    "focal",
    "binary_cross_entropy",
    "mse",
    "mae",
    "huber",
    "kl",
];

impl FromStr for Loss {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Loss, SpecError> {
        let mut spec = Spec::parse("loss", text);
        let loss = match spec.name() {
            "cross_entropy" => Loss::CrossEntropy {
                smoothing: spec.number("smoothing", 0.0, 1.0)?.unwrap_or(0.0),
            },
            "focal" => Loss::Focal {
                gamma: spec.number("gamma", 0.0, 100.0)?.unwrap_or(2.0),
            },
            "binary_cross_entropy" => Loss::BinaryCrossEntropy,
            "mse" => Loss::MeanSquared,
            "mae" => Loss::MeanAbsolute,
            "huber" => Loss::Huber {
                delta: spec.number("delta", 1e-9, 1e9)?.unwrap_or(1.0),
            },
            "kl" => Loss::KullbackLeibler,
            _ => return Err(spec.unknown(NAMES)),
        };
        spec.finish()?;
        Ok(loss)
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Loss::CrossEntropy { smoothing: 0.0 } => f.write_str("cross_entropy"),
            Loss::CrossEntropy { smoothing } => write!(f, "cross_entropy:smoothing={smoothing}"),
            Loss::Focal { gamma } => write!(f, "focal:gamma={gamma}"),
            Loss::BinaryCrossEntropy => f.write_str("binary_cross_entropy"),
            Loss::MeanSquared => f.write_str("mse"),
            Loss::MeanAbsolute => f.write_str("mae"),
            Loss::Huber { delta } => write!(f, "huber:delta={delta}"),
            Loss::KullbackLeibler => f.write_str("kl"),
        }
    }
}

impl Loss {
    /// The operator at a network's end that the loss may take the place of.
    fn absorbs(&self) -> Option<OpKind> {
        match self {
            Loss::CrossEntropy { .. } | Loss::Focal { .. } | Loss::KullbackLeibler => {
                Some(OpKind::Softmax)
            }
            Loss::BinaryCrossEntropy => Some(OpKind::Sigmoid),
            Loss::MeanSquared | Loss::MeanAbsolute | Loss::Huber { .. } => None,
        }
    }

    /// What stands before the activation that makes `output`, where the loss takes its place: a Sigmoid, or a Softmax over the classes.
    pub fn logits(&self, graph: &Graph, output: Value) -> Option<Value> {
        let node = graph.node(output.node);
        let op = node.op().filter(|op| Some(op.kind) == self.absorbs())?;
        let axis = match op.attrs.get("axis") {
            Some(AttrValue::Int(axis)) => *axis,
            _ => -1,
        };
        let rank = graph.ty(output).rank().max(1) as i64;
        let fits = op.kind != OpKind::Softmax || axis.rem_euclid(rank) == 1;
        node.inputs[0].filter(|_| fits)
    }

    /// Whether targets are labels, i64, one a sample or pixel, and not values of the output's shape.
    pub fn takes_labels(&self) -> bool {
        matches!(self, Loss::CrossEntropy { .. } | Loss::Focal { .. })
    }

    /// The type of the targets for an output of that type.
    pub fn targets(&self, output: &TensorType) -> TensorType {
        match self.takes_labels() {
            true => {
                let axes = output.shape.iter().enumerate().filter(|(a, _)| *a != 1);
                TensorType::new(DType::I64, axes.map(|(_, d)| d.clone()))
            }
            false => output.clone(),
        }
    }

    /// Appends the loss of `output`, `[N, C, ..]`, held against `targets`; a scalar.
    ///
    /// # Errors
    /// If the types do not fit.
    pub fn append(
        &self,
        graph: &mut Graph,
        output: Value,
        targets: Value,
    ) -> Result<Value, TypeError> {
        let elements = self.elements(graph, output, targets)?;
        reduce(graph, OpKind::ReduceMean, elements, None)
    }

    /// Appends the loss of every sample: the mean over its elements, `[N]`.
    ///
    /// # Errors
    /// If the types do not fit.
    pub fn each(
        &self,
        graph: &mut Graph,
        output: Value,
        targets: Value,
    ) -> Result<Value, TypeError> {
        let elements = self.elements(graph, output, targets)?;
        if graph.ty(elements).rank() < 2 {
            return Ok(elements);
        }
        let flat = Attrs::from([("axis".to_string(), AttrValue::Int(1))]);
        let rows = graph.op(OpKind::Flatten, &[elements], flat)?;
        reduce(graph, OpKind::ReduceMean, rows, Some(1))
    }

    /// Appends the loss of every label: `[N]`, or `[N, H, W]` where the output is a map, `[N, C, H, W]`.
    ///
    /// # Errors
    /// If the types do not fit.
    pub fn each_label(
        &self,
        graph: &mut Graph,
        output: Value,
        targets: Value,
    ) -> Result<Value, TypeError> {
        let rank = graph.ty(output).rank();
        if rank < 3 {
            return self.each(graph, output, targets);
        }
        let elements = self.elements(graph, output, targets)?;
        match graph.ty(elements).rank() == rank {
            true => reduce(graph, OpKind::ReduceMean, elements, Some(1)),
            false => Ok(elements),
        }
    }

    /// The losses whose mean is the loss: of `[N, ..]` where classes are scored, else of the output's shape.
    fn elements(
        &self,
        graph: &mut Graph,
        output: Value,
        targets: Value,
    ) -> Result<Value, TypeError> {
        let [z, y] = [0, 1].map(|k| Ex::arg(k, DType::F32));
        let error = &z - &y;
        let each = match self {
            Loss::CrossEntropy { smoothing } => {
                return cross_entropy(graph, output, targets, *smoothing);
            }
            Loss::Focal { gamma } => return focal(graph, output, targets, *gamma),
            Loss::KullbackLeibler => return kullback_leibler(graph, output, targets),
            Loss::BinaryCrossEntropy => {
                let tail = (z.abs().neg().exp() + 1.0).log();
                // Not the maximum of z and 0, whose derivative at 0 is not the 1/2 that it should be here.
                (&z + z.abs()) * 0.5 - &z * &y + tail
            }
            Loss::MeanSquared => &error * &error,
            Loss::MeanAbsolute => error.abs(),
            Loss::Huber { delta } => {
                let near = (&error * &error) * 0.5;
                let far = (error.abs() - 0.5 * delta) * *delta;
                error.abs().le(&error.lit(*delta)).select(&near, &far)
            }
        };
        map(graph, &each, &[output, targets])
    }
}

/// The negative log-likelihoods of the labels, smoothed.
fn cross_entropy(
    graph: &mut Graph,
    scores: Value,
    labels: Value,
    smoothing: f64,
) -> Result<Value, TypeError> {
    let axis = |a: i64| Attrs::from([("axis".to_string(), AttrValue::Int(a))]);
    let log = graph.op(OpKind::LogSoftmax, &[scores], axis(1))?;
    let weight = one_hot(graph, scores, labels, smoothing)?;
    let product = map(
        graph,
        &(Ex::arg(0, DType::F32) * Ex::arg(1, DType::F32)).neg(),
        &[weight, log],
    )?;
    reduce(graph, OpKind::ReduceSum, product, Some(1))
}

/// `1 - S + S/C` where the class is the label, else `S/C`.
fn one_hot(
    graph: &mut Graph,
    scores: Value,
    labels: Value,
    smoothing: f64,
) -> Result<Value, TypeError> {
    let ty = graph.ty(scores).clone();
    let classes = ty.shape.get(1).and_then(|d| d.fixed()).unwrap_or(1);
    let axes = graph.add_constant("", Tensor::ints(&[1]));
    let column = graph.op(OpKind::Unsqueeze, &[labels, axes], Attrs::default())?;
    let numbers: Vec<i64> = (0..classes as i64).collect();
    let mut shape = vec![1; ty.rank()];
    shape[1] = classes as usize;
    let numbers = graph.add_constant("", Tensor::from_i64(DType::I64, &shape, &numbers));
    let spread = smoothing / classes as f64;
    let one = Ex::float(DType::F32, 1.0 - smoothing + spread);
    let hit = Ex::arg(0, DType::I64).eq(&Ex::arg(1, DType::I64));
    map(
        graph,
        &hit.select(&one, &Ex::float(DType::F32, spread)),
        &[column, numbers],
    )
}

fn focal(graph: &mut Graph, scores: Value, labels: Value, gamma: f64) -> Result<Value, TypeError> {
    let axis = Attrs::from([("axis".to_string(), AttrValue::Int(1))]);
    let log = graph.op(OpKind::LogSoftmax, &[scores], axis)?;
    let hit = one_hot(graph, scores, labels, 0.0)?;
    let [hit_arg, log_arg] = [0, 1].map(|k| Ex::arg(k, DType::F32));
    let picked = map(graph, &(hit_arg * log_arg), &[hit, log])?;
    let picked = reduce(graph, OpKind::ReduceSum, picked, Some(1))?;
    let log_arg = Ex::arg(0, DType::F32);
    let rest = log_arg.lit(1.0) - log_arg.exp();
    let each = (rest.max(&rest.lit(1e-12)).pow(&rest.lit(gamma)) * &log_arg).neg();
    map(graph, &each, &[picked])
}

fn kullback_leibler(graph: &mut Graph, scores: Value, targets: Value) -> Result<Value, TypeError> {
    let axis = Attrs::from([("axis".to_string(), AttrValue::Int(1))]);
    let log = graph.op(OpKind::LogSoftmax, &[scores], axis)?;
    let [y, log_arg] = [0, 1].map(|k| Ex::arg(k, DType::F32));
    // The limit of y log y at 0 is 0.
    let own = y
        .max(&y.lit(f64::from(f32::MIN_POSITIVE)))
        .unary(UnaryOp::Log);
    let each = map(graph, &(&y * &(own - log_arg)), &[targets, log])?;
    reduce(graph, OpKind::ReduceSum, each, Some(1))
}

/// An elementwise node.
pub(crate) fn map(graph: &mut Graph, expr: &Ex, operands: &[Value]) -> Result<Value, TypeError> {
    let attrs = Attrs::from([
        ("dtype".to_string(), AttrValue::DType(expr.dtype())),
        ("expr".to_string(), AttrValue::Expr(expr.finish())),
    ]);
    graph.op(OpKind::Map, operands, attrs)
}

/// A reduction over one axis, or over all; reduced axes are dropped.
pub(crate) fn reduce(
    graph: &mut Graph,
    kind: OpKind,
    x: Value,
    axis: Option<i64>,
) -> Result<Value, TypeError> {
    let attrs = Attrs::from([("keepdims".to_string(), AttrValue::Int(0))]);
    match axis {
        Some(axis) => {
            let axes = graph.add_constant("", Tensor::ints(&[axis]));
            graph.op(kind, &[x, axes], attrs)
        }
        None => graph.op(kind, &[x], attrs),
    }
}
