//! Scan: a body over the slices of its inputs, with state handed from one to the next. <https://onnx.ai/onnx/operators/onnx__Scan.html>
//!
//! Operands: `carried` state values, `num_scan_inputs` sequences, then the values that the body captures. The number of slices is
//! part of the shape, so the rounds are written out. The batched form of opset 8 does so for every element of the batch.

use crate::attrs::{AttrKind, AttrValue};
use crate::class::Semantics;
use crate::compose::Composer;
use crate::graph::{Graph, Value};
use crate::ops::OpKind;
use crate::ops::looping::{check_size, stack};
use crate::schema::{AdaptInput, Attr, Cx, Input, OpDef, Output, Preset, TypeError};
use crate::tensor::Tensor;
use crate::types::{DType, Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "Scan",
    since: 8,
    inputs: &[Input::new("initial_state_and_scan_inputs", "").any()],
    outputs: &[Output::new("final_state_and_scan_outputs", "").variadic()],
    attrs: &[
        Attr::int("batched", 0),
        Attr::required("body", AttrKind::Graph),
        Attr::new("carried", AttrKind::Int, Preset::Absent),
        Attr::ints("directions").until(8),
        Attr::required("num_scan_inputs", AttrKind::Int),
        Attr::ints("scan_input_axes").since(9),
        Attr::ints("scan_input_directions").since(9),
        Attr::ints("scan_output_axes").since(9),
        Attr::ints("scan_output_directions").since(9),
    ],
    infer,
    semantics,
    // Opset 8: `sequence_lens` before the others, all of which have the batch as their first axis.
    adapt: Some(|node| {
        if node.opset > 8 {
            return Ok(());
        }
        if let Some(AdaptInput::Given { .. }) = node.inputs.first() {
            return Err(node.error("input sequence_lens is not supported"));
        }
        node.inputs.drain(..node.inputs.len().min(1));
        node.attrs.insert("batched".into(), AttrValue::Int(1));
        if let Some(directions) = node.attrs.remove("directions") {
            node.attrs
                .insert("scan_input_directions".into(), directions);
        }
        Ok(())
    }),
    ..OpDef::NEW
};

/// The parts of a scan.
struct Form<'a> {
    body: &'a Graph,
    /// Size of the batch that the body does not see.
    batch: Option<usize>,
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
    let batched = usize::from(cx.flag("batched")?);
    let sequences = sides(
        cx,
        "scan_input_axes",
        "scan_input_directions",
        sequences,
        |i| Ok(cx.rank(carried + i)?.saturating_sub(batched)),
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
        let extent = cx.extent(carried + i, axis + batched)?;
        if *rounds.get_or_insert(extent) != extent {
            return Err(cx.error(format!(
                "sequence {i} has {extent} slices, others another number"
            )));
        }
    }
    let rounds = rounds.unwrap_or_default() as usize;
    let batch = match batched {
        0 => None,
        _ => Some(cx.extent(carried, 0)? as usize),
    };
    check_size(cx, rounds.saturating_mul(batch.unwrap_or(1)), body.len())?;
    Ok(Form {
        body,
        batch,
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
    let mut types = Vec::with_capacity(cx.outputs);
    for i in 0..cx.outputs {
        let mut ty = form.element(i).clone();
        if let Some(&(axis, _)) = i.checked_sub(form.carried).map(|i| &form.outputs[i]) {
            ty.shape.insert(axis, Dim::from(form.rounds));
        }
        if let Some(batch) = form.batch {
            ty.shape.insert(0, Dim::from(batch));
        }
        if i < form.carried && *cx.ty(i)? != ty {
            return Err(cx.error(format!(
                "state {i} is {} before and {ty} after the body",
                cx.ty(i)?
            )));
        }
        types.push(ty);
    }
    Ok(types)
}

impl Form<'_> {
    /// Type of the body's output `i`.
    fn element(&self, i: usize) -> &TensorType {
        self.body.ty(self.body.outputs()[i].1)
    }

    /// All rounds over unbatched operands: the final states and the scan outputs.
    fn rounds(
        &self,
        c: &mut Composer,
        operands: &[Value],
        captured: &[Value],
    ) -> Result<Vec<Value>, TypeError> {
        let mut state = operands[..self.carried].to_vec();
        let mut scanned = vec![Vec::with_capacity(self.rounds); self.outputs.len()];
        for round in 0..self.rounds {
            let mut args = state.clone();
            for (&(axis, backwards), &sequence) in
                self.sequences.iter().zip(&operands[self.carried..])
            {
                let at = if backwards {
                    self.rounds - 1 - round
                } else {
                    round
                };
                args.push(slice(c, sequence, axis, at)?);
            }
            args.extend(captured);
            let outputs = c.inline(self.body, &args)?;
            state = outputs[..self.carried].to_vec();
            for (all, &v) in scanned.iter_mut().zip(&outputs[self.carried..]) {
                all.push(v);
            }
        }
        for (i, mut all) in scanned.into_iter().enumerate() {
            let (axis, backwards) = self.outputs[i];
            if backwards {
                all.reverse();
            }
            state.push(stack(c, &all, self.element(self.carried + i), axis)?);
        }
        Ok(state)
    }
}

/// Slice `at` along an axis, which goes away.
fn slice(c: &mut Composer, x: Value, axis: usize, at: usize) -> Result<Value, TypeError> {
    let at = c.constant(Tensor::scalar_i64(DType::I64, at as i64));
    let axis = AttrValue::Int(axis as i64);
    c.with(OpKind::Gather, &[x, at], [("axis", axis)])
}

fn semantics(cx: &Cx) -> Result<Semantics, TypeError> {
    let form = form(cx)?;
    let mut c = Composer::new(cx);
    let values: Vec<Value> = (0..cx.inputs.len()).map(|i| c.arg(i)).collect();
    let (operands, captured) = values.split_at(form.carried + form.sequences.len());
    let Some(batch) = form.batch else {
        let outputs = form.rounds(&mut c, operands, captured)?;
        return c.finish(&outputs);
    };
    let mut each = vec![Vec::with_capacity(batch); cx.outputs];
    for b in 0..batch {
        let one = operands
            .iter()
            .map(|&v| slice(&mut c, v, 0, b))
            .collect::<Result<Vec<_>, _>>()?;
        for (all, v) in each.iter_mut().zip(form.rounds(&mut c, &one, captured)?) {
            all.push(v);
        }
    }
    let types = infer(cx)?;
    let mut outputs = Vec::with_capacity(each.len());
    for (all, ty) in each.iter().zip(types) {
        let mut element = ty;
        element.shape.remove(0);
        outputs.push(stack(&mut c, all, &element, 0)?);
    }
    c.finish(&outputs)
}
