//! Scan: a body over the slices of its inputs, with state handed from one to the next. <https://onnx.ai/onnx/operators/onnx__Scan.html>
//!
//! Operands: `carried` state values, `num_scan_inputs` sequences, then the values that the body captures. The number of slices is
//! part of the shape, so the rounds are written out. Deliberately absent: the batched form of opset 8.

use crate::attrs::{AttrKind, AttrValue};
use crate::class::Semantics;
use crate::compose::Composer;
use crate::graph::{Graph, Value};
use crate::ops::OpKind;
use crate::ops::looping::{check_size, stack};
use crate::schema::{Attr, Cx, Input, OpDef, Output, Preset, TypeError};
use crate::tensor::Tensor;
use crate::types::{DType, Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "Scan",
    since: 9,
    inputs: &[Input::new("initial_state_and_scan_inputs", "").any()],
    outputs: &[Output::new("final_state_and_scan_outputs", "").variadic()],
    attrs: &[
        Attr::required("body", AttrKind::Graph),
        Attr::new("carried", AttrKind::Int, Preset::Absent),
        Attr::required("num_scan_inputs", AttrKind::Int),
        Attr::ints("scan_input_axes"),
        Attr::ints("scan_input_directions"),
        Attr::ints("scan_output_axes"),
        Attr::ints("scan_output_directions"),
    ],
    infer,
    semantics,
    ..OpDef::NEW
};

/// The parts of a scan.
struct Form<'a> {
    body: &'a Graph,
    carried: usize,
    /// Axis and whether backwards, of every sequence.
    sequences: Vec<(usize, bool)>,
    /// The same of every scan output.
    outputs: Vec<(usize, bool)>,
    rounds: usize,
}

fn form<'a>(cx: &Cx<'a>) -> Result<Form<'a>, TypeError> {
    let [body] = cx.bodies else {
        return Err(cx.error(format!("wants one body, has {}", cx.bodies.len())));
    };
    let given = cx.inputs.len();
    let sequences = usize::try_from(cx.int("num_scan_inputs")?)
        .ok()
        .filter(|n| (1..=given).contains(n))
        .ok_or_else(|| {
            cx.attr_error("num_scan_inputs", format!("must be between 1 and {given}"))
        })?;
    let carried = match cx.opt_int("carried") {
        None => given - sequences,
        Some(n) => usize::try_from(n)
            .ok()
            .filter(|&n| n <= given - sequences)
            .ok_or_else(|| cx.attr_error("carried", format!("is {n}: too many")))?,
    };
    if body.inputs().len() != given {
        return Err(cx.error(format!(
            "the body has {} inputs, the node {given}",
            body.inputs().len()
        )));
    }
    if body.outputs().len() != cx.outputs || cx.outputs < carried {
        return Err(cx.error(format!(
            "the body has {} outputs, the node {}, {carried} of them states",
            body.outputs().len(),
            cx.outputs
        )));
    }
    let sequences = sides(
        cx,
        "scan_input_axes",
        "scan_input_directions",
        sequences,
        |i| cx.rank(carried + i),
    )?;
    let outputs = sides(
        cx,
        "scan_output_axes",
        "scan_output_directions",
        cx.outputs - carried,
        |i| Ok(body.ty(body.outputs()[carried + i].1).rank() + 1),
    )?;
    let mut rounds = None;
    for (i, &(axis, _)) in sequences.iter().enumerate() {
        let extent = cx.extent(carried + i, axis)?;
        if *rounds.get_or_insert(extent) != extent {
            return Err(cx.error(format!(
                "sequence {i} has {extent} slices, others another number"
            )));
        }
    }
    let rounds = rounds.unwrap_or_default() as usize;
    check_size(cx, rounds, body.len())?;
    Ok(Form {
        body,
        carried,
        sequences,
        outputs,
        rounds,
    })
}

/// Axis and direction of `count` values of the given ranks, from two attributes.
fn sides(
    cx: &Cx,
    axes: &'static str,
    directions: &'static str,
    count: usize,
    rank: impl Fn(usize) -> Result<usize, TypeError>,
) -> Result<Vec<(usize, bool)>, TypeError> {
    let list = |name: &'static str| match cx.opt_ints(name).unwrap_or_default() {
        v if v.is_empty() => Ok(vec![0; count]),
        v if v.len() == count => Ok(v),
        v => Err(cx.attr_error(name, format!("must have {count} entries, is {v:?}"))),
    };
    let directions = list(directions)?;
    list(axes)?
        .into_iter()
        .zip(directions)
        .enumerate()
        .map(|(i, (axis, backwards))| Ok((cx.normalize_axis(axis, rank(i)?)?, backwards != 0)))
        .collect()
}

fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let form = form(cx)?;
    let output = |i: usize| form.body.ty(form.body.outputs()[i].1);
    let mut types = Vec::with_capacity(cx.outputs);
    for i in 0..form.carried {
        if cx.ty(i)? != output(i) {
            return Err(cx.error(format!(
                "state {i} is {} before and {} after the body",
                cx.ty(i)?,
                output(i)
            )));
        }
        types.push(output(i).clone());
    }
    for (i, &(axis, _)) in form.outputs.iter().enumerate() {
        let mut ty = output(form.carried + i).clone();
        ty.shape.insert(axis, Dim::from(form.rounds));
        types.push(ty);
    }
    Ok(types)
}

fn semantics(cx: &Cx) -> Result<Semantics, TypeError> {
    let form = form(cx)?;
    let first = form.carried + form.sequences.len();
    let mut c = Composer::new(cx);
    let mut state: Vec<Value> = (0..form.carried).map(|i| c.arg(i)).collect();
    let captured: Vec<Value> = (first..cx.inputs.len()).map(|i| c.arg(i)).collect();
    let mut scanned = vec![Vec::with_capacity(form.rounds); form.outputs.len()];
    for round in 0..form.rounds {
        let mut args = state.clone();
        for (i, &(axis, backwards)) in form.sequences.iter().enumerate() {
            let at = if backwards {
                form.rounds - 1 - round
            } else {
                round
            };
            let at = c.constant(Tensor::scalar_i64(DType::I64, at as i64));
            let axis = AttrValue::Int(axis as i64);
            let sequence = c.arg(form.carried + i);
            args.push(c.with(OpKind::Gather, &[sequence, at], [("axis", axis)])?);
        }
        args.extend(&captured);
        let outputs = c.inline(form.body, &args)?;
        state = outputs[..form.carried].to_vec();
        for (all, &v) in scanned.iter_mut().zip(&outputs[form.carried..]) {
            all.push(v);
        }
    }
    let mut outputs = state;
    for (i, (mut all, &(axis, backwards))) in scanned.into_iter().zip(&form.outputs).enumerate() {
        if backwards {
            all.reverse();
        }
        let ty = form.body.ty(form.body.outputs()[form.carried + i].1);
        outputs.push(stack(&mut c, &all, ty, axis)?);
    }
    c.finish(&outputs)
}
