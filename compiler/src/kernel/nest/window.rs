//! Pooling: parallel loops over the output, reduction loops over the window, guards where it reaches into padding.

use super::axes::{Axes, Coordinate, Core, channel_split, operand};
use super::reduce::accumulator;
use super::{Affine, Epilogue, Guard, LowerError, Nest, Role};
use crate::memory::view::{Extent, View};
use cnnc_ir::class::{Combine, Window, WindowKind};
use cnnc_ir::expr::UnaryOp;
use cnnc_ir::{DType, Ex, ScalarExpr};

/// Pooling of `input[N,C,d..]` into `output[N,C,o..]`, then the epilogue.
///
/// # Errors
/// When the ranks disagree or a blocked view cannot be addressed.
pub fn window(
    class: &Window,
    input: &View,
    output: &View,
    epilogue: Option<&Epilogue>,
) -> Result<Vec<Nest>, LowerError> {
    let spatial = class.kernel.len();
    if input.dims.len() != spatial + 2 || output.dims.len() != spatial + 2 {
        return Err(LowerError::Rank {
            operand: 0,
            found: input.dims.len(),
            expected: spatial + 2,
        });
    }
    let mut axes = Axes::default();
    let split = channel_split([input, output], spatial + 2);
    let to = axes.parallel(&output.dims, &split);
    let mut from = to[..2].to_vec();
    let mut guards = Vec::new();
    for a in 0..spatial {
        let cell = axes.axis(Extent::Fixed(class.kernel[a] as u64), Role::Reduce);
        let at = Affine::constant(-(class.pads_begin[a] as i64))
            .plus_scaled(&to[a + 2].affine, class.strides[a] as i64)
            .plus_scaled(&cell.affine, class.dilations[a] as i64);
        guards.push(Guard {
            coordinate: at.clone(),
            extent: input.dims[a + 2],
        });
        from.push(Coordinate::of(at));
    }
    let load = operand(input, &from)?;
    let value = input.dtype.compute();
    let (combine, map, finish) = meaning(class.kind, value);
    let core = Core {
        label: "window",
        count: count(class, input, &guards),
        position: position(class.kind, input, &from),
        guards,
        loads: vec![load],
        map,
        combine,
        accumulator: accumulator(combine, value),
        finish,
        extra: Vec::new(),
        axes,
    };
    Ok(vec![core.into_nest(output, &to, epilogue)?.simplify()])
}

/// Combination, map and finish of a kind of pooling over values of that type.
fn meaning(kind: WindowKind, value: DType) -> (Combine, ScalarExpr, ScalarExpr) {
    let x = Ex::arg(0, value);
    match kind {
        WindowKind::Max => (Combine::Max, x.finish(), x.finish()),
        WindowKind::ArgMax { .. } => {
            let combine = Combine::ArgMax { last: false };
            (combine, x.finish(), Ex::arg(0, DType::I64).finish())
        }
        WindowKind::Average { .. } => {
            let wide = accumulator(Combine::Sum, value);
            let mean = (Ex::arg(0, wide) / Ex::arg(1, wide)).cast(value);
            (Combine::Sum, x.finish(), mean.finish())
        }
        WindowKind::Lp { p } => {
            let wide = Ex::arg(0, accumulator(Combine::Sum, value));
            let (map, root) = match p {
                1 => (x.abs(), wide),
                2 => (&x * &x, wide.unary(UnaryOp::Sqrt)),
                _ => {
                    let (p, inverse) = (x.lit(p as f64), wide.lit(1.0 / p as f64));
                    (x.abs().pow(&p), wide.pow(&inverse))
                }
            };
            (Combine::Sum, map.finish(), root.cast(value).finish())
        }
    }
}

/// The cells that count for an average: those inside the input, or inside the padded input.
fn count(class: &Window, input: &View, guards: &[Guard]) -> Vec<Guard> {
    match class.kind {
        WindowKind::Average { count_pad: false } => guards.to_vec(),
        WindowKind::Average { count_pad: true } => guards
            .iter()
            .enumerate()
            .map(|(a, guard)| {
                let begin = class.pads_begin[a] as u64;
                let pads = begin + class.pads_end[a] as u64;
                let mut coordinate = guard.coordinate.clone();
                coordinate.base += begin as i64;
                let extent = match input.dims[a + 2] {
                    Extent::Fixed(n) => Extent::Fixed(n + pads),
                    // A padded extent has no slot of its own; without padding it is the input's.
                    slot => slot,
                };
                Guard { coordinate, extent }
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Position of a cell in the flattened input, spatial axes in either order.
fn position(kind: WindowKind, input: &View, from: &[Coordinate]) -> Affine {
    let WindowKind::ArgMax { column_major } = kind else {
        return Affine::default();
    };
    let mut order: Vec<usize> = (0..from.len()).collect();
    if column_major {
        order[2..].reverse();
    }
    let mut sum = Affine::default();
    let mut stride: i64 = 1;
    for a in order.into_iter().rev() {
        sum = sum.plus_scaled(&from[a].affine, stride);
        stride = stride.saturating_mul(input.dims[a].upper() as i64);
    }
    sum
}
