//! Geometry of sliding windows, shared by convolutions and pooling: attributes in, checked sizes out.
//!
//! An output has `floor((in + pads - ((kernel - 1) * dilation + 1)) / stride) + 1` windows along an axis; `ceil_mode` rounds up
//! unless the last window would begin in the end padding; `auto_pad` SAME_* picks the pads that give `ceil(in / stride)`.
//! All arithmetic is done in i128, which no product of two attributes can leave.

use crate::schema::{Cx, TypeError};
use crate::types::Dim;

/// Checked geometry; one entry a spatial axis.
pub struct Geometry {
    pub kernel: Vec<usize>,
    pub strides: Vec<usize>,
    pub dilations: Vec<usize>,
    pub pads_begin: Vec<usize>,
    pub pads_end: Vec<usize>,
    pub output: Vec<usize>,
}

/// Extents of input `i` from axis `from` on, which must be known.
pub fn extents(cx: &Cx, i: usize, from: usize) -> Result<Vec<usize>, TypeError> {
    let ty = cx.ty(i)?;
    ty.shape
        .iter()
        .skip(from)
        .map(|d| {
            d.fixed()
                .and_then(|n| usize::try_from(n).ok())
                .ok_or_else(|| TypeError::NeedsFixed {
                    op: cx.def.name,
                    input: i,
                    dim: d.to_string(),
                })
        })
        .collect()
}

/// The spatial extents of input 0, `[N, C, d..]`.
pub fn spatial(cx: &Cx) -> Result<Vec<usize>, TypeError> {
    let ty = cx.ty(0)?;
    if ty.rank() < 3 {
        return Err(cx.error(format!(
            "the input must have the shape [N,C,d..] with at least one spatial dimension, is {ty}"
        )));
    }
    extents(cx, 0, 2)
}

/// An attribute with one entry an axis, each at least `least`; `default` where it is absent (or empty, as some exporters write).
pub fn per_axis(
    cx: &Cx,
    name: &'static str,
    axes: usize,
    least: i64,
    default: usize,
) -> Result<Vec<usize>, TypeError> {
    let values = cx.opt_ints(name).unwrap_or_default();
    if values.is_empty() {
        return Ok(vec![default; axes]);
    }
    if values.len() != axes {
        return Err(cx.attr_error(
            name,
            format!("must have {axes} entries, one a spatial dimension, has {values:?}"),
        ));
    }
    values
        .iter()
        .map(|&v| {
            usize::try_from(v)
                .ok()
                .filter(|_| v >= least)
                .ok_or_else(|| {
                    cx.attr_error(name, format!("must not be below {least}, is {values:?}"))
                })
        })
        .collect()
}

/// The explicit pads: begin and end of every axis.
pub fn pads(cx: &Cx, axes: usize) -> Result<(Vec<usize>, Vec<usize>), TypeError> {
    let pads = cx.opt_ints("pads").unwrap_or_default();
    if pads.is_empty() {
        return Ok((vec![0; axes], vec![0; axes]));
    }
    if pads.len() != 2 * axes {
        return Err(cx.attr_error(
            "pads",
            format!(
                "must have {} entries (all begins, then all ends), has {pads:?}",
                2 * axes
            ),
        ));
    }
    let checked = pads
        .iter()
        .map(|&p| {
            usize::try_from(p)
                .map_err(|_| cx.attr_error("pads", format!("must not be negative, is {pads:?}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok((checked[..axes].to_vec(), checked[axes..].to_vec()))
}

/// ONNX's `auto_pad`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum AutoPad {
    NotSet,
    Valid,
    SameUpper,
    SameLower,
}

impl AutoPad {
    /// The attribute, which excludes pads other than zero; NOTSET for operators that do not have it.
    pub fn of(cx: &Cx) -> Result<AutoPad, TypeError> {
        if cx.def.attr("auto_pad").is_none() {
            return Ok(AutoPad::NotSet);
        }
        let auto = match cx.str("auto_pad")? {
            "NOTSET" | "" => return Ok(AutoPad::NotSet),
            "VALID" => AutoPad::Valid,
            "SAME_UPPER" => AutoPad::SameUpper,
            "SAME_LOWER" => AutoPad::SameLower,
            other => {
                return Err(cx.attr_error(
                    "auto_pad",
                    format!("must be NOTSET, VALID, SAME_UPPER or SAME_LOWER, is '{other}'"),
                ));
            }
        };
        if cx
            .opt_ints("pads")
            .is_some_and(|p| p.iter().any(|&v| v != 0))
        {
            return Err(cx.attr_error("auto_pad", "excludes the attribute pads"));
        }
        Ok(auto)
    }

    /// Shares out a total padding: the odd cell goes to the end for SAME_UPPER, else to the beginning.
    pub fn split(self, total: usize) -> (usize, usize) {
        let half = total / 2;
        if self == AutoPad::SameUpper {
            (half, total - half)
        } else {
            (total - half, half)
        }
    }
}

/// The kernel of a convolution: the weights' extents, which the attribute `kernel_shape` may only repeat.
pub fn weight_kernel(cx: &Cx) -> Result<Vec<usize>, TypeError> {
    let kernel = extents(cx, 1, 2)?;
    if let Some(said) = cx.opt_ints("kernel_shape").filter(|k| !k.is_empty())
        && said
            .iter()
            .map(|&k| k as i128)
            .ne(kernel.iter().map(|&k| k as i128))
    {
        return Err(cx.attr_error(
            "kernel_shape",
            format!("is {said:?}, but the weights W have the kernel {kernel:?}"),
        ));
    }
    Ok(kernel)
}

/// Windows of `kernel` cells over extents `input`, from the attributes strides, dilations, pads, auto_pad.
pub fn windows(
    cx: &Cx,
    input: &[usize],
    kernel: Vec<usize>,
    ceil_mode: bool,
) -> Result<Geometry, TypeError> {
    let axes = input.len();
    let strides = per_axis(cx, "strides", axes, 1, 1)?;
    let dilations = per_axis(cx, "dilations", axes, 1, 1)?;
    let auto = AutoPad::of(cx)?;
    let (mut pads_begin, mut pads_end) = pads(cx, axes)?;
    let mut output = Vec::with_capacity(axes);
    for a in 0..axes {
        let reach = reach(cx, kernel[a], dilations[a])?;
        output.push(match auto {
            AutoPad::SameUpper | AutoPad::SameLower => {
                let out = input[a].div_ceil(strides[a]);
                let covered = (out as i128 - 1) * strides[a] as i128 + reach - input[a] as i128;
                (pads_begin[a], pads_end[a]) = auto.split(size(cx, covered.max(0))?);
                out
            }
            AutoPad::NotSet | AutoPad::Valid => {
                let padded = input[a] as i128 + pads_begin[a] as i128 + pads_end[a] as i128;
                if input[a] == 0 || reach > padded {
                    return Err(cx.error(format!(
                        "a kernel of size {reach} (dilated) does not fit into spatial dimension {a}: input {} + pads {} and {}",
                        input[a], pads_begin[a], pads_end[a]
                    )));
                }
                let last = input[a] as i128 + pads_begin[a] as i128;
                size(cx, count(padded - reach, strides[a] as i128, ceil_mode, last))?
            }
        });
    }
    Ok(Geometry {
        kernel,
        strides,
        dilations,
        pads_begin,
        pads_end,
        output,
    })
}

/// Number of windows where the last may begin at most `room` cells after the first; a window that `ceil` adds must begin before
/// `end`, the first cell of the end padding.
fn count(room: i128, stride: i128, ceil: bool, end: i128) -> i128 {
    let extra = i128::from(ceil && room % stride != 0);
    let out = room / stride + 1 + extra;
    if extra == 1 && (out - 1) * stride >= end {
        out - 1
    } else {
        out
    }
}

/// Cells from the first to the last tap of a dilated kernel: `(kernel - 1) * dilation + 1`.
pub fn reach(cx: &Cx, kernel: usize, dilation: usize) -> Result<i128, TypeError> {
    if kernel == 0 {
        return Err(cx.error("the kernel has size 0"));
    }
    Ok((kernel as i128 - 1) * dilation as i128 + 1)
}

/// A computed extent as a size.
pub fn size(cx: &Cx, extent: i128) -> Result<usize, TypeError> {
    usize::try_from(extent).map_err(|_| {
        cx.error(format!(
            "the output size {extent} of a spatial dimension is negative or too large"
        ))
    })
}

/// `[N, channels, output..]`.
pub fn image(batch: &Dim, channels: Dim, spatial: &[usize]) -> Vec<Dim> {
    [batch.clone(), channels]
        .into_iter()
        .chain(spatial.iter().map(|&d| d.into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::count;

    /// in 5, kernel 3, stride 3, pads 1+1: floor gives 2; ceil would add a window that begins in the end padding.
    #[test]
    fn ceil_mode_adds_no_window_that_begins_in_the_padding() {
        assert_eq!(count(4, 3, false, 6), 2);
        assert_eq!(count(4, 3, true, 6), 2);
        assert_eq!(count(4, 3, true, 7), 3);
        assert_eq!(count(1, 2, true, 4), 2);
    }
}
