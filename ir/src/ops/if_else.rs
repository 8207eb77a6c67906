//! If: the outputs of one of two bodies. <https://onnx.ai/onnx/operators/onnx__If.html>
//!
//! Operands are the condition and, after it, the values that the bodies capture, which are the bodies' inputs. A constant
//! condition leaves one body, and only then may the bodies' ranks differ.

use crate::attrs::AttrKind;
use crate::class::{Control, Semantics};
use crate::compose::Composer;
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError};
use crate::types::{Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "If",
    inputs: &[Input::new("cond", "bool"), Input::new("captured", "").any()],
    outputs: &[Output::new("outputs", "").variadic()],
    attrs: &[
        Attr::required("then_branch", AttrKind::Graph),
        Attr::required("else_branch", AttrKind::Graph),
    ],
    infer: |cx| {
        check(cx)?;
        if let Some(body) = chosen(cx) {
            return Ok(outputs(cx, body));
        }
        outputs(cx, 0)
            .iter()
            .zip(&outputs(cx, 1))
            .enumerate()
            .map(|(i, (then, other))| join(cx, i, then, other))
            .collect()
    },
    semantics: |cx| {
        let Some(body) = chosen(cx) else {
            return Ok(Semantics::Control(Control::If));
        };
        let mut c = Composer::new(cx);
        let captured: Vec<_> = (1..cx.inputs.len()).map(|i| c.arg(i)).collect();
        let outputs = c.inline(&cx.bodies[body], &captured)?;
        c.finish(&outputs)
    },
    ..OpDef::NEW
};

/// The body that a constant condition chooses.
fn chosen(cx: &Cx) -> Option<usize> {
    let condition = cx.const_int(0).ok()?;
    Some(usize::from(condition == 0))
}

fn outputs(cx: &Cx, body: usize) -> Vec<TensorType> {
    let graph = &cx.bodies[body];
    graph
        .outputs()
        .iter()
        .map(|(_, v)| graph.ty(*v).clone())
        .collect()
}

fn check(cx: &Cx) -> Result<(), TypeError> {
    let condition = cx.ty(0)?;
    if condition.shape.iter().any(|d| *d != Dim::Fixed(1)) {
        return Err(cx.error(format!(
            "the condition must have one element, is {condition}"
        )));
    }
    let [then, other] = cx.bodies else {
        return Err(cx.error(format!("wants two bodies, has {}", cx.bodies.len())));
    };
    for (name, body) in [("then_branch", then), ("else_branch", other)] {
        if body.outputs().len() != cx.outputs {
            return Err(cx.error(format!(
                "{name} has {} outputs, the node has {}",
                body.outputs().len(),
                cx.outputs
            )));
        }
        if body.inputs().len() + 1 != cx.inputs.len() {
            return Err(cx.error(format!(
                "{name} has {} inputs, {} values are captured",
                body.inputs().len(),
                cx.inputs.len() - 1
            )));
        }
    }
    Ok(())
}

/// The type that covers an output of both bodies: an extent on which they differ is known only at run time.
fn join(cx: &Cx, i: usize, a: &TensorType, b: &TensorType) -> Result<TensorType, TypeError> {
    if a.dtype != b.dtype {
        return Err(cx.error(format!(
            "output {i} is {a} in then_branch, {b} in else_branch"
        )));
    }
    if a.rank() != b.rank() {
        return Err(cx.unsupported(format!(
            "output {i} of another rank in each branch: {a} and {b}"
        )));
    }
    let shape = a
        .shape
        .iter()
        .zip(&b.shape)
        .enumerate()
        .map(|(axis, (a, b))| {
            if a == b {
                return a.clone();
            }
            let upper = a.upper().zip(b.upper()).map(|(a, b)| a.max(b));
            Dim::sym(&format!("{}.{i}.{axis}", cx.name), upper)
        });
    Ok(TensorType::new(a.dtype, shape))
}
