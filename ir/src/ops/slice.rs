//! Slice: `y[.. o ..] = x[.. start + step * o ..]` for every axis in `axes`; bounds count from the end where negative and are
//! clamped to the axis. <https://onnx.ai/onnx/operators/onnx__Slice.html>
//!
//! Starts, ends and steps must be constants. An axis of symbolic extent can only be taken whole.

use crate::class::{AxisMap, Movement, Semantics};
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::{Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "Slice",
    inputs: &[
        Input::new("data", "T"),
        Input::new("starts", "I").since(10),
        Input::new("ends", "I").since(10),
        Input::new("axes", "I").optional().since(10),
        Input::new("steps", "I").optional().since(10),
    ],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::ALL), ("I", sets::INDEX)],
    attrs: &[
        Attr::ints("starts").until(9).becomes_input(1),
        Attr::ints("ends").until(9).becomes_input(2),
        Attr::ints("axes").until(9).becomes_input(3),
    ],
    infer: |cx| {
        let shape = cuts(cx)?.into_iter().map(|c| c.extent);
        Ok(vec![TensorType::new(cx.dtype(0)?, shape)])
    },
    semantics: |cx| {
        let axes = cuts(cx)?.into_iter().enumerate().map(|(a, c)| AxisMap {
            step: c.step,
            offset: c.start,
            ..AxisMap::same(a)
        });
        Ok(Semantics::Movement(Movement::View {
            axes: axes.collect(),
            fill: None,
        }))
    },
    ..OpDef::NEW
};

/// What is left of one axis.
struct Cut {
    start: i64,
    step: i64,
    extent: Dim,
}

fn cuts(cx: &Cx) -> Result<Vec<Cut>, TypeError> {
    let x = cx.ty(0)?;
    let (starts, ends) = (cx.constant(1)?.to_i64(), cx.constant(2)?.to_i64());
    let axes = match cx.const_ints(3)? {
        Some(axes) => axes,
        None => (0..starts.len() as i64).collect(),
    };
    let steps = cx.const_ints(4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(cx.error(format!(
            "starts, ends, axes and steps must have one length, have {}, {}, {} and {}",
            starts.len(),
            ends.len(),
            axes.len(),
            steps.len()
        )));
    }
    cx.normalize_axes(&axes, x.rank())?;
    let mut cuts: Vec<Cut> = (x.shape.iter().cloned())
        .map(|extent| Cut {
            start: 0,
            step: 1,
            extent,
        })
        .collect();
    for (i, &axis) in axes.iter().enumerate() {
        let axis = cx.normalize_axis(axis, x.rank())?;
        if steps[i] == 0 {
            return Err(cx.error(format!("step of axis {axis} is zero")));
        }
        if !takes_whole(&x.shape[axis], starts[i], ends[i], steps[i]) {
            cuts[axis] = cut(cx.extent(0, axis)?, starts[i], ends[i], steps[i]);
        }
    }
    Ok(cuts)
}

/// Whether the slice takes all of an axis whose extent is not known.
fn takes_whole(extent: &Dim, start: i64, end: i64, step: i64) -> bool {
    let last = extent.upper().unwrap_or(i32::MAX as u64);
    extent.fixed().is_none() && start == 0 && step == 1 && i128::from(end) >= i128::from(last)
}

/// The slice of a known extent, in i128 so that no bound can wrap. As ONNX says, a start below the first element is clamped to
/// it even where the step is negative (Python would yield nothing).
fn cut(extent: u64, start: i64, end: i64, step: i64) -> Cut {
    let (extent, step) = (i128::from(extent), i128::from(step));
    let bound = |v: i64, low: i128, high: i128| {
        let v = i128::from(v);
        (if v < 0 { v + extent } else { v }).clamp(low, high.max(low))
    };
    let (start, end) = if step > 0 {
        (bound(start, 0, extent), bound(end, 0, extent))
    } else {
        (bound(start, 0, extent - 1), bound(end, -1, extent - 1))
    };
    let distance = if step > 0 { end - start } else { start - end };
    let count = if distance <= 0 || extent == 0 {
        0
    } else {
        (distance - 1) / step.abs() + 1
    };
    Cut {
        start: start as i64,
        step: if count > 1 { step as i64 } else { 1 },
        extent: Dim::Fixed(count as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::cut;

    /// `start:end:step` of ten elements (or `extent`), as (first, step, count).
    fn python(extent: u64, start: i64, end: i64, step: i64) -> (i64, i64, u64) {
        let c = cut(extent, start, end, step);
        (c.start, c.step, c.extent.fixed().unwrap_or(u64::MAX))
    }

    #[test]
    fn bounds_are_clamped_to_the_axis() {
        assert_eq!(python(10, 2, 7, 2), (2, 2, 3));
        assert_eq!(python(10, -3, i64::MAX, 1), (7, 1, 3));
        assert_eq!(python(10, -100, 100, 3), (0, 3, 4));
        assert_eq!(python(10, 8, 2, 1).2, 0);
        assert_eq!(python(0, 0, 5, 1).2, 0);
    }

    #[test]
    fn negative_steps_run_down_to_the_first_element() {
        assert_eq!(python(10, -1, i64::MIN, -1), (9, -1, 10));
        assert_eq!(python(10, 100, 0, -4), (9, -4, 3));
        assert_eq!(python(10, -100, i64::MIN, -1).2, 1);
        assert_eq!(python(0, 5, i64::MIN, -1).2, 0);
    }

    #[test]
    fn extreme_steps_do_not_wrap() {
        assert_eq!(python(10, 0, 10, i64::MAX), (0, 1, 1));
        assert_eq!(python(10, 9, i64::MIN, i64::MIN), (9, 1, 1));
    }
}
