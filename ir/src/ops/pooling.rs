//! What the pooling operators share: attributes, the result's shape, the class.

use crate::class::{Combine, Reduce, Semantics, Window, WindowKind};
use crate::expr::ScalarExpr;
use crate::ops::geometry::{self, Geometry};
use crate::schema::{Cx, TypeError};
use crate::types::{Dim, TensorType};

/// The windows over input 0, from the attributes of the node (among them `kernel_shape` and `ceil_mode`).
fn geometry(cx: &Cx) -> Result<Geometry, TypeError> {
    let input = geometry::spatial(cx)?;
    let kernel = geometry::per_axis(cx, "kernel_shape", input.len(), 1, 0)?;
    let g = geometry::windows(cx, &input, kernel, cx.flag("ceil_mode")?)?;
    for a in 0..input.len() {
        let reach = geometry::reach(cx, g.kernel[a], g.dilations[a])?;
        if g.pads_begin[a].max(g.pads_end[a]) as i128 >= reach {
            return Err(cx.attr_error(
                "pads",
                format!(
                    "{:?} and {:?} must be smaller than the kernel {:?}: a window would see only padding",
                    g.pads_begin, g.pads_end, g.kernel
                ),
            ));
        }
    }
    Ok(g)
}

/// Type of the pooled input.
pub fn infer(cx: &Cx) -> Result<TensorType, TypeError> {
    let x = cx.ty(0)?;
    let output = geometry(cx)?.output;
    let shape = geometry::image(&x.shape[0], x.shape[1].clone(), &output);
    Ok(TensorType::new(x.dtype, shape))
}

pub fn semantics(cx: &Cx, kind: WindowKind) -> Result<Semantics, TypeError> {
    let g = geometry(cx)?;
    Ok(Semantics::Window(Window {
        kind,
        kernel: g.kernel,
        strides: g.strides,
        dilations: g.dilations,
        pads_begin: g.pads_begin,
        pads_end: g.pads_end,
    }))
}

/// Type of `[N, C, d..]` reduced to `[N, C, 1..]`.
pub fn infer_global(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let x = cx.ty(0)?;
    if x.rank() < 3 {
        return Err(cx.error(format!(
            "the input must have the shape [N,C,d..] with at least one spatial dimension, is {x}"
        )));
    }
    let shape = x
        .shape
        .iter()
        .enumerate()
        .map(|(i, d)| if i < 2 { d.clone() } else { Dim::Fixed(1) });
    Ok(vec![TensorType::new(x.dtype, shape)])
}

/// A reduction over all spatial axes.
pub fn semantics_global(
    cx: &Cx,
    combine: Combine,
    map: Option<ScalarExpr>,
    finish: Option<ScalarExpr>,
) -> Result<Semantics, TypeError> {
    Ok(Semantics::Reduce(Reduce {
        axes: (2..cx.rank(0)?).collect(),
        keepdims: true,
        combine,
        map,
        finish,
    }))
}
