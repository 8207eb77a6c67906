//! Reductions over axes: parallel loops over the kept axes, reduction loops over the others.

use super::axes::{Axes, Coordinate, Core, block, operand, or_identity};
use super::{Affine, Epilogue, LowerError, Nest, Role};
use crate::memory::view::{Extent, View};
use cnnc_ir::class::{Combine, Reduce};
use cnnc_ir::{DType, Ex, ScalarExpr};

/// `output = finish(combine over axes of map(input))`, then the epilogue. Sums and products of f32 accumulate in f64.
///
/// # Errors
/// When a blocked view cannot be addressed, or the number of combined elements is needed and known only at run time.
pub fn reduce(
    class: &Reduce,
    input: &View,
    output: &View,
    epilogue: Option<&Epilogue>,
) -> Result<Vec<Nest>, LowerError> {
    let mut axes = Axes::default();
    let kept: Vec<usize> = (0..input.dims.len())
        .filter(|a| !class.axes.contains(a))
        .collect();
    let split = |a: &usize| if *a == 1 { block(input) } else { None };
    let output_split =
        output_axis(class, 1, &kept).and_then(|a| block(output).map(|size| (a, size)));
    let kept_split: Vec<Option<u8>> = kept
        .iter()
        .map(|a| split(a).or(output_split.filter(|(o, _)| o == a).map(|(_, s)| s)))
        .collect();
    let dims = |which: &[usize]| which.iter().map(|&a| input.dims[a]).collect::<Vec<_>>();
    let outer = axes.parallel(&dims(&kept), &kept_split);
    let reduced_split: Vec<Option<u8>> = class.axes.iter().map(split).collect();
    let inner = axes.grid(&dims(&class.axes), &reduced_split, Role::Reduce);

    let mut from = vec![Coordinate::default(); input.dims.len()];
    for (&a, c) in kept.iter().zip(&outer).chain(class.axes.iter().zip(&inner)) {
        from[a] = c.clone();
    }
    let to = kept_dims(class, input.dims.len(), &kept, outer);
    let value = input.dtype.compute();
    let map = or_identity(class.map.as_ref(), input.dtype, value);
    let arg = matches!(
        class.combine,
        Combine::ArgMax { .. } | Combine::ArgMin { .. }
    );
    let combined = if arg {
        DType::I64
    } else {
        map.dtype().compute()
    };
    let core = Core {
        label: "reduce",
        guards: inner.iter().filter_map(Coordinate::guard).collect(),
        loads: vec![operand(input, &from)?],
        accumulator: accumulator(class.combine, map.dtype().compute()),
        map,
        combine: class.combine,
        position: inner.first().map(|c| c.affine.clone()).unwrap_or_default(),
        count: Vec::new(),
        finish: finish(class, combined, &dims(&class.axes))?,
        extra: Vec::new(),
        axes,
    };
    Ok(vec![core.into_nest(output, &to, epilogue)?.simplify()])
}

/// The coordinates of the output: those of the kept axes, with zeros between them where reduced axes stay as 1.
fn kept_dims(
    class: &Reduce,
    rank: usize,
    kept: &[usize],
    outer: Vec<Coordinate>,
) -> Vec<Coordinate> {
    if !class.keepdims {
        return outer;
    }
    (0..rank)
        .map(|a| match kept.iter().position(|&k| k == a) {
            Some(k) => outer[k].clone(),
            None => Coordinate::of(Affine::default()),
        })
        .collect()
}

/// The input axis that becomes output axis `axis`.
fn output_axis(class: &Reduce, axis: usize, kept: &[usize]) -> Option<usize> {
    if class.keepdims {
        kept.contains(&axis).then_some(axis)
    } else {
        kept.get(axis).copied()
    }
}

/// What to accumulate in: wider than f32 where rounding errors would add up.
pub(super) fn accumulator(combine: Combine, dtype: DType) -> DType {
    match (combine, dtype) {
        (Combine::Sum | Combine::Prod, DType::F32) => DType::F64,
        _ => dtype,
    }
}

/// The class's `finish` with the number of combined elements, which is static here, written in.
fn finish(class: &Reduce, combined: DType, axes: &[Extent]) -> Result<ScalarExpr, LowerError> {
    let Some(finish) = &class.finish else {
        return Ok(Ex::arg(0, combined).finish());
    };
    if finish.args() < 2 {
        return Ok(finish.clone());
    }
    let mut count: i64 = 1;
    for extent in axes {
        let Extent::Fixed(n) = extent else {
            return Err(LowerError::Dynamic {
                what: "the number of combined elements",
            });
        };
        count = i64::try_from(*n)
            .ok()
            .and_then(|n| count.checked_mul(n))
            .ok_or(LowerError::Overflow)?;
    }
    let args = [Ex::arg(0, combined), Ex::int(combined, count)];
    Ok(finish.apply(&args).finish())
}
