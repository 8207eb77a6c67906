//! NonMaxSuppression: per batch and class, greedily the boxes of highest score that overlap no kept box by more than
//! `iou_threshold`; rows `[batch, class, box]`. <https://onnx.ai/onnx/operators/onnx__NonMaxSuppression.html>

use crate::class::{Index, Semantics};
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError};
use crate::types::{DType, Dim, TensorType};

pub static DEF: OpDef = OpDef {
    name: "NonMaxSuppression",
    since: 10,
    inputs: &[
        Input::new("boxes", "f32"),
        Input::new("scores", "f32"),
        Input::new("max_output_boxes_per_class", "i64").optional(),
        Input::new("iou_threshold", "f32").optional(),
        Input::new("score_threshold", "f32").optional(),
    ],
    outputs: &[Output::new("selected_indices", "i64")],
    attrs: &[Attr::int("center_point_box", 0)],
    infer,
    semantics: |cx| {
        let center_point_box = cx.flag("center_point_box")?;
        Ok(Semantics::Index(Index::NonMaxSuppression {
            center_point_box,
        }))
    },
    ..OpDef::NEW
};

fn infer(cx: &Cx) -> Result<Vec<TensorType>, TypeError> {
    let (boxes, scores) = (cx.ty(0)?, cx.ty(1)?);
    let fits = match (&boxes.shape[..], &scores.shape[..]) {
        ([b, n, four], [batch, _, count]) => b == batch && n == count && *four == Dim::Fixed(4),
        _ => false,
    };
    if !fits {
        return Err(cx.error(format!(
            "boxes must be [batch,n,4] and scores [batch,classes,n], are {boxes} and {scores}"
        )));
    }
    for i in 2..5 {
        if cx.get(i).is_some_and(|a| a.ty.elements() != Some(1)) {
            return Err(cx.error(format!("input {i} must be a scalar, is {}", cx.ty(i)?)));
        }
    }
    // Nothing is selected where the number of boxes to keep is left out or not positive.
    let kept = match cx.has(2) {
        false => Some(0),
        true => cx.const_int(2).ok().map(|k| k.max(0) as u64),
    };
    let candidates = boxes.shape[1].upper();
    let per_class = [kept, candidates].into_iter().flatten().min();
    let upper = [boxes.shape[0].upper(), scores.shape[1].upper(), per_class]
        .into_iter()
        .try_fold(1u64, |n, d| n.checked_mul(d?));
    let rows = cx.data_extent(upper);
    Ok(vec![TensorType::new(DType::I64, [rows, Dim::Fixed(3)])])
}
