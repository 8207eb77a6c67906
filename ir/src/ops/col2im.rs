//! Col2Im: columns of blocks added back into the image that they were cut from.
//! <https://onnx.ai/onnx/operators/onnx__Col2Im.html>
//!
//! The places are known: the columns are scatter-added to the padded image by constant indices, and the padding cut off.

use crate::attrs::AttrValue;
use crate::class::Semantics;
use crate::compose::Composer;
use crate::graph::Value;
use crate::ops::OpKind::{Expand, ScatterElements, Slice};
use crate::ops::geometry::{self, Geometry};
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::tensor::Tensor;
use crate::types::{DType, TensorType, dense_strides, element_count};

pub static DEF: OpDef = OpDef {
    name: "Col2Im",
    since: 18,
    inputs: &[
        Input::new("input", "T"),
        Input::new("image_shape", "i64"),
        Input::new("block_shape", "i64"),
    ],
    outputs: &[Output::new("output", "T")],
    types: &[("T", sets::NUMERIC)],
    attrs: &[
        Attr::ints("dilations"),
        Attr::ints("pads"),
        Attr::ints("strides"),
    ],
    infer: |cx| {
        let (image, channels, _) = form(cx)?;
        let shape = geometry::image(&cx.ty(0)?.shape[0], channels.into(), &image);
        Ok(vec![TensorType::new(cx.dtype(0)?, shape)])
    },
    semantics,
    ..OpDef::NEW
};

/// The image's extents, its channels, and the blocks over it.
fn form(cx: &Cx) -> Result<(Vec<usize>, usize, Geometry), TypeError> {
    let sizes = |i: usize| {
        let values = cx.constant(i)?.to_i64();
        let sizes = values
            .iter()
            .map(|&d| usize::try_from(d).ok().filter(|&d| d > 0));
        sizes
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| cx.error(format!("input {i} must have positive sizes, is {values:?}")))
    };
    let (image, block) = (sizes(1)?, sizes(2)?);
    if image.is_empty() || image.len() != block.len() || cx.rank(0)? != 3 {
        return Err(cx.error(format!(
            "wants an input of shape [N,C*block,L] and as many image sizes as block sizes, has {}, {image:?}, {block:?}",
            cx.ty(0)?
        )));
    }
    let cells = element_count(&block).ok_or_else(|| cx.error("the block's size overflows"))?;
    let blocks = geometry::windows(cx, &image, block, false)?;
    let x = geometry::extents(cx, 0, 1)?;
    if !x[0].is_multiple_of(cells) || element_count(&blocks.output) != Some(x[1]) {
        return Err(cx.error(format!(
            "the input {} does not hold columns of {cells} cells for {:?} blocks",
            cx.ty(0)?,
            blocks.output
        )));
    }
    Ok((image, x[0] / cells, blocks))
}

fn semantics(cx: &Cx) -> Result<Semantics, TypeError> {
    let (image, channels, blocks) = form(cx)?;
    let (shape, dtype) = (cx.shape(0)?, cx.dtype(0)?);
    let padded: Vec<usize> = (0..image.len())
        .map(|a| image[a] + blocks.pads_begin[a] + blocks.pads_end[a])
        .collect();
    let rows = shape[0] * channels;
    let targets = targets(&blocks, &padded);
    let mut c = Composer::new(cx);
    let columns = c.reshape(c.arg(0), &[rows, targets.len()])?;
    let indices = c.constant(Tensor::from_i64(DType::I64, &[1, targets.len()], &targets));
    let indices = spread(&mut c, indices, &[rows, targets.len()])?;
    let zero = c.scalar(dtype, 0.0);
    let empty = spread(&mut c, zero, &[rows, padded.iter().product()])?;
    let sums = c.with(
        ScatterElements,
        &[empty, indices, columns],
        [
            ("axis", AttrValue::Int(1)),
            ("reduction", AttrValue::Str("add".into())),
        ],
    )?;
    let y = c.reshape(sums, &[&[shape[0], channels], &padded[..]].concat())?;
    let ints = |v: &mut dyn Iterator<Item = usize>| v.map(|d| d as i64).collect::<Vec<_>>();
    let starts = c.ints(&ints(&mut blocks.pads_begin.iter().copied()));
    let ends = c.ints(&ints(
        &mut (0..image.len()).map(|a| blocks.pads_begin[a] + image[a]),
    ));
    let axes = c.ints(&ints(&mut (2..2 + image.len())));
    let y = c.op(Slice, &[y, starts, ends, axes])?;
    c.finish(&[y])
}

fn spread(c: &mut Composer, v: Value, shape: &[usize]) -> Result<Value, TypeError> {
    let shape: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
    let shape = c.ints(&shape);
    c.op(Expand, &[v, shape])
}

/// For every cell of every block, in the order of the columns, its place in the flattened padded image.
fn targets(blocks: &Geometry, padded: &[usize]) -> Vec<i64> {
    let strides = dense_strides(padded);
    let mut targets = vec![0];
    // Cells of the block outside, blocks inside; every axis adds its own coordinate.
    let steps = [
        (&blocks.kernel, &blocks.dilations),
        (&blocks.output, &blocks.strides),
    ];
    for (counts, step) in steps {
        for a in 0..padded.len() {
            targets = targets
                .iter()
                .flat_map(|t| (0..counts[a]).map(move |i| (t, i)))
                .map(|(t, i)| t + (i * step[a] * strides[a]) as i64)
                .collect();
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_overlap_in_the_image() {
        let blocks = Geometry {
            kernel: vec![2],
            strides: vec![1],
            dilations: vec![1],
            pads_begin: vec![0],
            pads_end: vec![0],
            output: vec![3],
        };
        assert_eq!(targets(&blocks, &[4]), [0, 1, 2, 1, 2, 3]);
    }
}
