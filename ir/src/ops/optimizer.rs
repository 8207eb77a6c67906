//! What the optimizers of ai.onnx.preview.training share: operands `rate, step, x.., gradient.., state..`, results `x.., state..`,
//! each a formula of the same elements.

use crate::class::Semantics;
use crate::compose::Composer;
use crate::expr::Ex;
use crate::schema::{Cx, Input, OpDef, Output, TypeError};
use crate::types::DType;

const FLOATS: &[DType] = &[DType::F32, DType::F64];

/// The declaration of every optimizer.
pub const OPTIMIZER: OpDef = OpDef {
    domain: "ai.onnx.preview.training",
    inputs: &[
        Input::new("R", "T1"),
        Input::new("T", "i64"),
        Input::new("inputs", "T3").variadic(),
    ],
    outputs: &[Output::new("outputs", "T3").variadic()],
    types: &[("T1", FLOATS), ("T3", FLOATS)],
    ..OpDef::NEW
};

/// The operands of one element: rate and step in the elements' type, then value, gradient and state.
pub struct Element {
    pub rate: Ex,
    pub step: Ex,
    pub x: Ex,
    pub gradient: Ex,
    pub state: Vec<Ex>,
}

/// Number of tensors that are optimised with `states` states each.
pub fn tensors(cx: &Cx, states: usize) -> Result<usize, TypeError> {
    let given = cx.inputs.len().saturating_sub(2);
    let each = 2 + states;
    if given == 0 || !given.is_multiple_of(each) {
        return Err(cx.error(format!(
            "wants a value, a gradient and {states} state(s) for each tensor, has {given} operands"
        )));
    }
    let count = given / each;
    for i in [0, 1] {
        if cx.ty(i)?.elements() != Some(1) {
            return Err(cx.error(format!("input {i} must be a scalar, is {}", cx.ty(i)?)));
        }
    }
    for i in 0..given {
        let (own, of) = (cx.ty(2 + i)?, cx.ty(2 + i % count)?);
        if own != of {
            return Err(cx.error(format!("operand {i} is {own}, its tensor {of}")));
        }
    }
    if cx.outputs != count * (1 + states) {
        return Err(cx.error(format!(
            "{count} tensor(s) with {states} state(s) have {} results, {} are asked for",
            count * (1 + states),
            cx.outputs
        )));
    }
    Ok(count)
}

/// `infer` of an optimizer with that many states.
pub fn infer(cx: &Cx, states: usize) -> Result<Vec<crate::types::TensorType>, TypeError> {
    let count = tensors(cx, states)?;
    (0..cx.outputs)
        .map(|i| cx.ty(2 + i % count).cloned())
        .collect()
}

/// The new value and states of each tensor, by `rule`.
pub fn semantics(
    cx: &Cx,
    states: usize,
    rule: impl Fn(&Element) -> Vec<Ex>,
) -> Result<Semantics, TypeError> {
    let count = tensors(cx, states)?;
    let mut c = Composer::new(cx);
    let (rate, step) = (c.arg(0), c.arg(1));
    let (rate, step) = (c.reshape(rate, &[])?, c.reshape(step, &[])?);
    let mut results = vec![Vec::new(); 1 + states];
    for tensor in 0..count {
        let own: Vec<_> = (0..2 + states)
            .map(|part| c.arg(2 + part * count + tensor))
            .collect();
        let dtype = c.ty(own[0]).dtype;
        let operands: Vec<_> = [rate, step].into_iter().chain(own).collect();
        let mut args = operands
            .iter()
            .enumerate()
            .map(|(k, v)| Ex::arg(k, c.ty(*v).dtype).cast(dtype));
        let mut next = || args.next().expect("as many arguments as operands");
        let element = Element {
            rate: next(),
            step: next(),
            x: next(),
            gradient: next(),
            state: (0..states).map(|_| next()).collect(),
        };
        for (all, expr) in results.iter_mut().zip(rule(&element)) {
            all.push(c.map(&expr, &operands)?);
        }
    }
    c.finish(&results.concat())
}
