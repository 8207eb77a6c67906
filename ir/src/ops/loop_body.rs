//! Loop: repeats a body up to `M` times while its condition holds. <https://onnx.ai/onnx/operators/onnx__Loop.html>
//!
//! Operands: trip count, condition, `carried` loop-carried values, then the values that the body captures. The body takes
//! `(iteration, condition, carried.., captured..)` and yields `(condition, carried.., scanned..)`. A loop with scan outputs, or with
//! carried values that change their shape, is written out round by round, for which the number of rounds must be known.

use crate::attrs::AttrKind;
use crate::class::{Control, Semantics};
use crate::compose::Composer;
use crate::graph::{Graph, Value};
use crate::ops::OpKind;
use crate::ops::looping::{check_size, stack};
use crate::schema::{Attr, Cx, Input, OpDef, Output, Preset, TypeError};
use crate::tensor::Tensor;
use crate::types::DType;

pub static DEF: OpDef = OpDef {
    name: "Loop",
    inputs: &[
        Input::new("M", "i64").optional(),
        Input::new("cond", "bool").optional(),
        Input::new("v_initial", "").any(),
    ],
    outputs: &[Output::new("v_final_and_scan_outputs", "").variadic()],
    attrs: &[
        Attr::required("body", AttrKind::Graph),
        Attr::new("carried", AttrKind::Int, Preset::Absent),
    ],
    infer: |cx| {
        let form = form(cx)?;
        if form.steady {
            return Ok((0..form.carried)
                .map(|i| form.body.ty(form.body.outputs()[i + 1].1).clone())
                .collect());
        }
        let (c, outputs) = unroll(cx, &form)?;
        Ok(outputs.iter().map(|&v| c.ty(v).clone()).collect())
    },
    semantics: |cx| {
        let form = form(cx)?;
        if form.steady {
            let carried = form.carried;
            return Ok(Semantics::Control(Control::Loop { carried }));
        }
        let (c, outputs) = unroll(cx, &form)?;
        c.finish(&outputs)
    },
    ..OpDef::NEW
};

/// The parts of a loop.
struct Form<'a> {
    body: &'a Graph,
    carried: usize,
    scanned: usize,
    /// Nothing is scanned and every carried value keeps its type, so that the loop can run as it is.
    steady: bool,
}

fn form<'a>(cx: &Cx<'a>) -> Result<Form<'a>, TypeError> {
    let [body] = cx.bodies else {
        return Err(cx.error(format!("wants one body, has {}", cx.bodies.len())));
    };
    for i in [0, 1] {
        if let Some(v) = cx.get(i)
            && v.ty.elements() != Some(1)
        {
            return Err(cx.error(format!("input {i} must have one element, is {}", v.ty)));
        }
    }
    let given = cx.inputs.len().saturating_sub(2);
    let carried = cx.opt_int("carried").map_or(Ok(given), usize::try_from);
    let carried = carried
        .ok()
        .filter(|&n| n <= given)
        .ok_or_else(|| cx.attr_error("carried", format!("must be at most {given}")))?;
    if body.inputs().len() != given + 2 {
        return Err(cx.error(format!(
            "the body has {} inputs, wants iteration, condition and {given} values",
            body.inputs().len()
        )));
    }
    let scanned = body
        .outputs()
        .len()
        .checked_sub(1 + carried)
        .filter(|n| n + carried == cx.outputs)
        .ok_or_else(|| {
            cx.error(format!(
                "the body has {} outputs, the node {}: wants one more, the condition",
                body.outputs().len(),
                cx.outputs
            ))
        })?;
    let output = |i: usize| body.ty(body.outputs()[i].1);
    if output(0).dtype != DType::Bool || output(0).elements() != Some(1) {
        return Err(cx.error(format!(
            "the body's condition must be one bool, is {}",
            output(0)
        )));
    }
    let mut steady = scanned == 0;
    for i in 0..carried {
        let initial = cx.ty(i + 2)?;
        if initial.dtype != output(i + 1).dtype {
            return Err(cx.error(format!(
                "carried value {i} is {initial} before and {} after the body",
                output(i + 1)
            )));
        }
        steady &= initial == output(i + 1);
    }
    Ok(Form {
        body,
        carried,
        scanned,
        steady,
    })
}

/// The loop written out; its outputs in the composed graph.
fn unroll(cx: &Cx, form: &Form) -> Result<(Composer, Vec<Value>), TypeError> {
    let rounds = rounds(cx)?;
    check_size(cx, rounds, form.body.len())?;
    let mut c = Composer::new(cx);
    let mut state: Vec<Value> = (0..form.carried).map(|i| c.arg(i + 2)).collect();
    let captured: Vec<Value> = (form.carried + 2..cx.inputs.len())
        .map(|i| c.arg(i))
        .collect();
    let mut scanned = vec![Vec::with_capacity(rounds); form.scanned];
    for round in 0..rounds {
        let iteration = c.constant(Tensor::scalar_i64(DType::I64, round as i64));
        let go = c.constant(Tensor::scalar_i64(DType::Bool, 1));
        let mut args = vec![iteration, go];
        args.extend(state.iter().chain(&captured));
        let outputs = c.inline(form.body, &args)?;
        if !known_true(&c, outputs[0]) {
            return Err(cx.unsupported(
                "scan outputs, or values of changing shape, in a loop whose condition is known only at run time",
            ));
        }
        state = outputs[1..=form.carried].to_vec();
        for (all, &v) in scanned.iter_mut().zip(&outputs[form.carried + 1..]) {
            all.push(v);
        }
    }
    let mut outputs = state;
    for (i, all) in scanned.iter().enumerate() {
        let ty = form.body.ty(form.body.outputs()[1 + form.carried + i].1);
        outputs.push(stack(&mut c, all, ty, 0)?);
    }
    Ok((c, outputs))
}

/// The number of rounds, where it is known.
fn rounds(cx: &Cx) -> Result<usize, TypeError> {
    if cx.has(1) && cx.const_int(1)? == 0 {
        return Ok(0);
    }
    if !cx.has(0) {
        return Err(cx.unsupported("scan outputs in a loop without a trip count"));
    }
    Ok(usize::try_from(cx.const_int(0)?).unwrap_or(0))
}

/// Whether a value is the constant true, perhaps handed on by Identity.
fn known_true(c: &Composer, v: Value) -> bool {
    let node = c.graph().node(v.node);
    match node.op_kind() {
        Some(OpKind::Identity) => node.inputs[0].is_some_and(|v| known_true(c, v)),
        _ => c.graph().constant(v).is_some_and(|t| t.to_i64() == [1]),
    }
}
