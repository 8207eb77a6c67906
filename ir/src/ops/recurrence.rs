//! What LSTM, GRU and RNN share: operands, shapes, directions and the list of activations.
//!
//! `x[seq, batch, input], w[dirs, gates*hidden, input], r[dirs, gates*hidden, hidden], b[dirs, 2*gates*hidden]`; with `layout` 1
//! the batch comes first in x, the states and the results.

use crate::attrs::AttrKind;
use crate::class::{Activation, ActivationKind, Cell, Direction, Index, Recurrent, Semantics};
use crate::ops::mat_mul::may_equal;
use crate::schema::{Attr, Cx, Preset, TypeError};
use crate::types::{Dim, TensorType};

/// Attributes that all three have.
pub const ATTRS: [Attr; 8] = [
    Attr::new("activation_alpha", AttrKind::Floats, Preset::Absent),
    Attr::new("activation_beta", AttrKind::Floats, Preset::Absent),
    Attr::new("activations", AttrKind::Strs, Preset::Absent),
    Attr::new("clip", AttrKind::Float, Preset::Absent),
    Attr::str("direction", "forward"),
    Attr::new("hidden_size", AttrKind::Int, Preset::Absent),
    Attr::int("layout", 0).since(14),
    Attr::int("output_sequence", 0).until(6),
];

/// Number of gates, whose weights lie one after the other.
fn gates(cell: Cell) -> u64 {
    match cell {
        Cell::Lstm => 4,
        Cell::Gru => 3,
        Cell::Rnn => 1,
    }
}

fn direction(cx: &Cx) -> Result<Direction, TypeError> {
    match cx.str("direction")? {
        "forward" => Ok(Direction::Forward),
        "reverse" => Ok(Direction::Reverse),
        "bidirectional" => Ok(Direction::Bidirectional),
        other => Err(cx.attr_error(
            "direction",
            format!("must be forward, reverse or bidirectional, is '{other}'"),
        )),
    }
}

fn directions(cx: &Cx) -> Result<u64, TypeError> {
    Ok(match direction(cx)? {
        Direction::Bidirectional => 2,
        _ => 1,
    })
}

fn batch_first(cx: &Cx) -> Result<bool, TypeError> {
    match cx.int("layout")? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(cx.attr_error("layout", format!("must be 0 or 1, is {other}"))),
    }
}

/// Size of the hidden state: the last dimension of R, which the attribute may only repeat.
fn hidden(cx: &Cx) -> Result<u64, TypeError> {
    if cx.rank(2)? != 3 {
        return Err(cx.error(format!("R must have three dimensions, is {}", cx.ty(2)?)));
    }
    let hidden = cx.extent(2, 2)?;
    match cx.opt_int("hidden_size") {
        Some(said) if said as i128 != i128::from(hidden) => Err(cx.attr_error(
            "hidden_size",
            format!("is {said}, but the weights R have {hidden}"),
        )),
        _ if hidden == 0 || hidden > 1 << 31 => {
            Err(cx.error(format!("a hidden state of size {hidden} is of no use")))
        }
        _ => Ok(hidden),
    }
}

/// Checks the shapes of the operands; types of `y`, `y_h` (and `y_c`).
pub fn infer(cx: &Cx, cell: Cell) -> Result<Vec<TensorType>, TypeError> {
    let x = cx.ty(0)?;
    if x.rank() != 3 {
        return Err(cx.error(format!("X must have three dimensions, is {x}")));
    }
    let (hidden, dirs, first) = (hidden(cx)?, directions(cx)?, batch_first(cx)?);
    let (seq, batch) = (&x.shape[first as usize], &x.shape[1 - first as usize]);
    let rows = gates(cell) * hidden;
    let fixed = Dim::Fixed;
    let state = |dir: u64| match first {
        true => vec![batch.clone(), fixed(dir), fixed(hidden)],
        false => vec![fixed(dir), batch.clone(), fixed(hidden)],
    };
    expect(cx, 1, &[fixed(dirs), fixed(rows), x.shape[2].clone()])?;
    expect(cx, 2, &[fixed(dirs), fixed(rows), fixed(hidden)])?;
    expect(cx, 3, &[fixed(dirs), fixed(2 * rows)])?;
    expect(cx, 4, std::slice::from_ref(batch))?;
    expect(cx, 5, &state(dirs))?;
    if cell == Cell::Lstm {
        expect(cx, 6, &state(dirs))?;
        expect(cx, 7, &[fixed(dirs), fixed(3 * hidden)])?;
    }
    activations(cx, cell)?;
    let y = match first {
        true => [batch, seq, &fixed(dirs), &fixed(hidden)].map(Dim::clone),
        false => [seq, &fixed(dirs), batch, &fixed(hidden)].map(Dim::clone),
    };
    let last = TensorType::new(x.dtype, state(dirs));
    Ok(vec![TensorType::new(x.dtype, y), last.clone(), last])
}

/// Checks that input `i`, where given, has that shape.
fn expect(cx: &Cx, i: usize, shape: &[Dim]) -> Result<(), TypeError> {
    let Some(arg) = cx.get(i) else { return Ok(()) };
    let given = &arg.ty.shape;
    if given.len() == shape.len() && given.iter().zip(shape).all(|(a, b)| may_equal(a, b)) {
        return Ok(());
    }
    let wanted: Vec<String> = shape.iter().map(Dim::to_string).collect();
    Err(cx.error(format!(
        "input {i} ('{}') must have the shape [{}], is {}",
        cx.def.inputs[i].name,
        wanted.join(","),
        arg.ty
    )))
}

pub fn semantics(
    cx: &Cx,
    cell: Cell,
    linear_before_reset: bool,
    input_forget: bool,
) -> Result<Semantics, TypeError> {
    Ok(Semantics::Index(Index::Recurrent(Recurrent {
        cell,
        direction: direction(cx)?,
        hidden: hidden(cx)? as usize,
        activations: activations(cx, cell)?,
        clip: cx.float("clip").ok(),
        linear_before_reset,
        input_forget,
        batch_first: batch_first(cx)?,
    })))
}

/// The activations of all directions, with parameters; ONNX hands alpha and beta out in order to those that take them.
fn activations(cx: &Cx, cell: Cell) -> Result<Vec<Activation>, TypeError> {
    use ActivationKind::{Sigmoid, Tanh};
    let default: &[ActivationKind] = match cell {
        Cell::Lstm => &[Sigmoid, Tanh, Tanh],
        Cell::Gru => &[Sigmoid, Tanh],
        Cell::Rnn => &[Tanh],
    };
    let dirs = directions(cx)? as usize;
    let kinds = match cx.strs("activations").filter(|a| !a.is_empty()) {
        None => default.repeat(dirs),
        Some(names) => names
            .iter()
            .map(|n| kind(cx, n))
            .collect::<Result<Vec<_>, _>>()?,
    };
    // RNN's default of ONNX has two entries, whatever the direction.
    if kinds.len() < default.len() * dirs {
        return Err(cx.attr_error(
            "activations",
            format!(
                "must have {} entries, has {}",
                default.len() * dirs,
                kinds.len()
            ),
        ));
    }
    let mut alphas = cx
        .floats("activation_alpha")
        .unwrap_or_default()
        .into_iter();
    let mut betas = cx.floats("activation_beta").unwrap_or_default().into_iter();
    Ok(kinds[..default.len() * dirs]
        .iter()
        .map(|&kind| {
            let (alpha, beta) = defaults(kind);
            Activation {
                kind,
                alpha: alpha.map_or(0.0, |a| alphas.next().unwrap_or(a)),
                beta: beta.map_or(0.0, |b| betas.next().unwrap_or(b)),
            }
        })
        .collect())
}

/// The parameters that an activation takes, as ONNX presets them.
fn defaults(kind: ActivationKind) -> (Option<f64>, Option<f64>) {
    match kind {
        ActivationKind::Affine => (Some(1.0), Some(0.0)),
        ActivationKind::LeakyRelu => (Some(0.01), None),
        ActivationKind::ThresholdedRelu | ActivationKind::Elu => (Some(1.0), None),
        ActivationKind::ScaledTanh => (Some(1.0), Some(1.0)),
        ActivationKind::HardSigmoid => (Some(0.2), Some(0.5)),
        ActivationKind::Relu
        | ActivationKind::Tanh
        | ActivationKind::Sigmoid
        | ActivationKind::Softsign
        | ActivationKind::Softplus => (None, None),
    }
}

fn kind(cx: &Cx, name: &str) -> Result<ActivationKind, TypeError> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "relu" => ActivationKind::Relu,
        "tanh" => ActivationKind::Tanh,
        "sigmoid" => ActivationKind::Sigmoid,
        "affine" => ActivationKind::Affine,
        "leakyrelu" => ActivationKind::LeakyRelu,
        "thresholdedrelu" => ActivationKind::ThresholdedRelu,
        "scaledtanh" => ActivationKind::ScaledTanh,
        "hardsigmoid" => ActivationKind::HardSigmoid,
        "elu" => ActivationKind::Elu,
        "softsign" => ActivationKind::Softsign,
        "softplus" => ActivationKind::Softplus,
        _ => {
            return Err(cx.attr_error(
                "activations",
                format!("names the unknown activation '{name}'"),
            ));
        }
    })
}
